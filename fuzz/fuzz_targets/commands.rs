//! Lines of commands on data. See `tests/abuse/src/commands.rs`; docs/testing.md says how to run it.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ochre_abuse_tests::commands::check(bytes));
