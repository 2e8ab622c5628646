//! The append-only file as formats and states, without files: the manifest, the frames of its segments, what checks them.

pub mod frame;
pub mod manifest;
mod names;

pub use frame::{Annotator, Damage, Scanner, Step};
pub use manifest::{Manifest, ManifestError, Role, Segment};
pub use names::Names;
