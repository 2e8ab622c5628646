//! Small files that real servers wrote. They hold the same data as far as the server knows the types, and the script is in the
//! test: limits of 4 (8 for integers, 3 for streams), then these keys.

use ochre_rdb::testing::show;
use ochre_rdb::{Item, ReadOptions, Reader};
use ochre_values::Limits;
use std::collections::BTreeMap;

const REDIS_7: &[u8] = include_bytes!("../files/redis-7.0.15.rdb");
const REDIS_8: &[u8] = include_bytes!("../files/redis-8.0.6.rdb");
const VALKEY_9: &[u8] = include_bytes!("../files/valkey-9.1.2.rdb");

const EXPECTED: &[(&str, &str)] = &[
    ("0 due@4000000000000", "x"),
    ("0 few", "{a b}"),
    ("0 fields", "{f0=v0 f1=v1 f2=v2 f3=v3 f4=v4 f5=v5}"),
    ("0 hash", "{f=v g=1}"),
    ("0 int16", "1000"),
    ("0 int32", "-100000"),
    ("0 int64", "12345678901"),
    ("0 int8", "-7"),
    ("0 ints", "{1 2 70000}"),
    ("0 list", "[a b 3]"),
    ("0 members", "{1 m0 m1 m2 m3 m4 m5 m6 m7 m8}"),
    ("0 nodes", "[e0 e1 e2 e3 e4 e5 e6 e7 e8 e9 zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz]"),
    ("0 packed", "abababababababababababababababababababababababababababababababababababababababab"),
    ("0 sorted", "(a:1 b:2.5 c:inf)"),
    (
        "0 stream",
        "len 5 last 9-0 first 1-1 deleted 2-1 added 6; 1-1 f=v1; 3-1 f=v3; 4-1 f=v4; 5-1 f=v5; 9-0 g=1 h=2; \
         group group 4-1 read None; alice: 1-1; bob: 4-1; deliveries 1 1",
    ),
    ("0 text", "hello"),
    ("0 tree", "(m0:-1 m1:-0.5 m2:0 m3:0.5 m4:1 m5:1.5)"),
    ("3 other", "database"),
];

const WITH_DEADLINES: &[(&str, &str)] = &[
    ("0 due fields", "{a=1@4000000000000 b=2@4000000000005 c=3}"),
    ("0 due table", "{f0=v0 f1=v1 f2=v2 f3=v3@4000000000007 f4=v4}"),
];

/// All keys with database and deadline, and their values; and the libraries of functions.
fn read(file: &[u8]) -> (BTreeMap<String, String>, usize) {
    let mut reader = Reader::new(file, ReadOptions::default()).expect("a real server wrote it");
    let (mut keys, mut functions, mut db) = (BTreeMap::new(), 0, 0);
    loop {
        match reader.next().expect("a real server wrote it") {
            Item::End => break,
            Item::SelectDb(number) => db = number,
            Item::Function(source) => {
                assert!(source.starts_with(b"#!lua name=lib\n"));
                functions += 1;
            }
            Item::Entry(entry) => {
                let key = String::from_utf8_lossy(&entry.key().expect("a sound key")).into_owned();
                let deadline = entry.expiry_ms.map(|at| format!("@{at}")).unwrap_or_default();
                let value = entry.value.build(&Limits::default()).expect("a sound value");
                keys.insert(format!("{db} {key}{deadline}"), show(&value));
            }
            _ => {}
        }
    }
    assert_eq!(reader.offset(), file.len() as u64);
    (keys, functions)
}

#[track_caller]
fn check(file: &[u8], expected: &[&[(&str, &str)]]) {
    let (keys, functions) = read(file);
    let expected = expected.iter().flat_map(|part| part.iter());
    let expected: BTreeMap<_, _> = expected.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    assert_eq!(keys, expected);
    assert_eq!(functions, 1);
}

#[test]
fn a_file_of_redis_7_is_read() {
    check(REDIS_7, &[EXPECTED]);
}

#[test]
fn a_file_of_redis_8_is_read() {
    check(REDIS_8, &[EXPECTED, WITH_DEADLINES]);
}

#[test]
fn a_file_of_valkey_9_is_read() {
    check(VALKEY_9, &[EXPECTED, WITH_DEADLINES]);
}

/// Reads the whole file; whether it is sound.
fn is_sound(file: &[u8]) -> bool {
    let Ok(mut reader) = Reader::new(file, ReadOptions::default()) else { return false };
    loop {
        match reader.next() {
            Ok(Item::End) => return true,
            Ok(Item::Entry(entry)) => {
                if entry.key().is_err() || entry.value.build(&Limits::default()).is_err() {
                    return false;
                }
            }
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}

#[test]
fn a_byte_that_changed_is_found() {
    for file in [REDIS_7, REDIS_8, VALKEY_9] {
        for at in 0..file.len() {
            let mut changed = file.to_vec();
            changed[at] ^= 0x11;
            assert!(!is_sound(&changed), "byte {at} of {}", file.len());
        }
        for length in (0..file.len()).step_by(3) {
            assert!(!is_sound(&file[..length]), "{length} of {} bytes", file.len());
        }
    }
}
