//! Requests and replies. See `tests/abuse/src/requests.rs`; docs/testing.md says how to run it.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ochre_abuse_tests::requests::check(bytes));
