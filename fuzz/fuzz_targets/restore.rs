//! Payloads of RESTORE, whatever their checksum: refused, or taken in so that they can be given out again.
//!
//! `cargo fuzz run restore` in this folder's parent.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ochre_rdb::{Built, Dialect, ValueView, dump, restore};
use ochre_values::Limits;

fuzz_target!(|payload: &[u8]| {
    let Ok(built) = restore(payload, true, &Limits::default()) else { return };
    let view = match &built {
        Built::Int(value) => ValueView::Int(*value),
        Built::Text(text) => ValueView::Str { bytes: text, raw: false },
        Built::Object(object) => ValueView::Object(object),
    };
    let again = dump(view, Dialect::Redis8);
    assert!(restore(&again, false, &Limits::default()).is_ok(), "what is written can be read");
});
