//! Segments and manifests of the append-only file. See `tests/abuse/src/segment.rs`; docs/testing.md says how to run it.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ochre_abuse_tests::segment::check(bytes));
