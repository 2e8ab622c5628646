//! Packed forms that older servers wrote.

pub(crate) mod ziplist;
pub(crate) mod zipmap;
