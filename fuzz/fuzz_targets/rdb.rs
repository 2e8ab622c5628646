//! Files of RDB. See `tests/abuse/src/snapshot.rs`; docs/testing.md says how to run it.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ochre_abuse_tests::snapshot::check(bytes));
