//! Payloads of RESTORE. See `tests/abuse/src/payload.rs`; docs/testing.md says how to run it.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ochre_abuse_tests::payload::check(bytes));
