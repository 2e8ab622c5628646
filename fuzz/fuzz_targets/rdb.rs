//! Files of any bytes: read to the end, or refused with a place that is in them.
//!
//! `cargo fuzz run rdb` in this folder's parent.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ochre_rdb::{Item, ReadOptions, Reader};
use ochre_values::Limits;

fuzz_target!(|file: &[u8]| {
    let options = ReadOptions { skip_checksum: true, any_version: true };
    let Ok(mut reader) = Reader::new(file, options) else { return };
    loop {
        match reader.next() {
            Ok(Item::End) => return,
            Ok(Item::Entry(entry)) => {
                // A wrong key or value is an error, never a panic.
                let _ = entry.key();
                let _ = entry.value.build(&Limits::default());
            }
            Ok(_) => {}
            Err(error) => {
                assert!(error.offset <= file.len() as u64, "an error has its place in the file");
                return;
            }
        }
    }
});
