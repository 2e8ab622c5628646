//! Payloads that are damaged, or made to do damage: refused, without a panic and without memory that a number only claims.

use ochre_digest::crc64;
use ochre_rdb::testing::{show, view};
use ochre_rdb::{Built, Dialect, dump, restore};
use ochre_values::Limits;
use proptest::prelude::*;

/// A payload of this type and value with a footer that fits.
fn payload(kind: u8, value: &[u8], version: u16) -> Vec<u8> {
    let mut payload = vec![kind];
    payload.extend_from_slice(value);
    payload.extend_from_slice(&version.to_le_bytes());
    payload.extend_from_slice(&crc64(0, &payload).to_le_bytes());
    payload
}

fn read(kind: u8, value: &[u8], version: u16) -> Option<String> {
    let payload = payload(kind, value, version);
    restore(&payload, false, &Limits::default()).ok().map(|built| show(&built))
}

/// A text of less than 64 bytes as a value has it.
fn text(bytes: &[u8]) -> Vec<u8> {
    let mut text = vec![bytes.len() as u8];
    text.extend_from_slice(bytes);
    text
}

/// A ziplist of these elements, each its encoding and data.
fn ziplist(elements: &[&[u8]]) -> Vec<u8> {
    let (mut body, mut before, mut last) = (Vec::new(), 0, 10);
    for element in elements {
        last = 10 + body.len();
        body.push(before as u8);
        body.extend_from_slice(element);
        before = element.len() + 1;
    }
    let mut list = (11 + body.len() as u32).to_le_bytes().to_vec();
    list.extend_from_slice(&(last as u32).to_le_bytes());
    list.extend_from_slice(&(elements.len() as u16).to_le_bytes());
    list.extend_from_slice(&body);
    list.push(0xFF);
    list
}

#[test]
fn forms_of_old_servers_are_read() {
    let list = ziplist(&[b"\x01a", b"\xf4", b"\xfe\x80", b"\xc0\x00\x10", b"\xf0\x00\x00\x80", b"\x40\x02bc"]);
    let shown = "[a 3 -128 4096 -8388608 bc]";
    assert_eq!(read(10, &text(&list), 9).as_deref(), Some(shown));
    assert_eq!(read(14, &[vec![1], text(&list)].concat(), 9).as_deref(), Some(shown));
    assert_eq!(read(1, b"\x02\x01a\xc0\x05", 6).as_deref(), Some("[a 5]"));
    let pairs = ziplist(&[b"\x01a", b"\xf2", b"\x01b", b"\x032.5"]);
    assert_eq!(read(12, &text(&pairs), 9).as_deref(), Some("(a:1 b:2.5)"));
    assert_eq!(read(13, &text(&pairs), 9).as_deref(), Some("{a=1 b=2.5}"));
    let zipmap = b"\x02\x01a\x01\x00x\x01b\x02\x01yz_\xff";
    assert_eq!(read(9, &text(zipmap), 2).as_deref(), Some("{a=x b=yz}"));
    assert_eq!(read(3, b"\x03\x01a\x031.5\x01b\xff\x01c\xfe", 3).as_deref(), Some("(b:-inf a:1.5 c:inf)"));
    // Fields with deadlines as candidates of Redis 7.4 wrote them, and as Valkey's type of the same number.
    assert_eq!(read(22, b"\x02\x05\x01a\x01x\x00\x01b\x01y", 12).as_deref(), Some("{a=x@5 b=y}"));
    let times = [&b"\x02\x01a\x01x\x05\0\0\0\0\0\0\0\x01b\x01y"[..], &[0xFF; 8]].concat();
    assert_eq!(read(22, &times, 80).as_deref(), Some("{a=x@5 b=y}"));
}

#[test]
fn what_does_not_check_out_is_refused() {
    let list = ziplist(&[b"\x01a", b"\x01b"]);
    for at in [0, 4, 8, 10, 13, 16] {
        let mut changed = list.clone();
        changed[at] ^= 3;
        assert_eq!(read(10, &text(&changed), 9), None, "byte {at}");
    }
    let twice = ziplist(&[b"\x01a", b"\x01x", b"\x01a", b"\x01y"]);
    assert_eq!(read(13, &text(&twice), 9), None, "a field twice");
    assert_eq!(read(12, &text(&ziplist(&[b"\x01a", b"\x01x"])), 9), None, "a score that is no number");
    assert_eq!(read(12, &text(&ziplist(&[b"\x01a", b"\xf3", b"\x01b", b"\xf2"])), 9), None, "out of order");
    assert_eq!(read(13, &text(&ziplist(&[b"\x01a"])), 9), None, "a field without a value");
    assert_eq!(read(2, b"\x02\x01a\x01a", 9), None, "a member twice");
    assert_eq!(read(4, b"\x02\x01a\x01x\x01a\x01y", 9), None, "a field twice");
    assert_eq!(read(5, &[&b"\x01\x01a"[..], &f64::NAN.to_le_bytes()].concat(), 9), None, "no number");
    assert_eq!(read(3, b"\x01\x01a\xfd", 9), None, "no number");
    for kind in [1, 2, 3, 4, 5, 14, 18] {
        assert_eq!(read(kind, b"\0", 9), None, "{kind} without elements");
        assert_eq!(read(kind, b"\x81\xff\xff\xff\xff\xff\xff\xff\xff", 9), None, "{kind} with too many");
        assert_eq!(read(kind, b"\x80\x7f\xff\xff\xff", 9), None, "{kind} with too many");
    }
    assert_eq!(read(0, b"\x81\0\0\0\xff\xff\xff\xff\xff", 9), None, "a text that is not there");
    assert_eq!(read(0, b"\xc3\x02\x81\0\0\0\xff\xff\xff\xff\xff\x01a", 9), None, "a text that unpacks to too much");
    assert_eq!(read(0, b"\x01ab", 9), None, "bytes that are left over");
    for kind in [6, 7, 8, 22, 23, 24, 25, 26, 28, 99, 255] {
        assert_eq!(read(kind, b"\x01a", 9), None, "type {kind}");
    }
    for version in [0, 14, 79, 81, u16::MAX] {
        assert_eq!(read(0, b"\x01a", version), None, "version {version}");
    }
    assert_eq!(read(0, b"\x01a", 13).as_deref(), Some("a"));
}

/// A stream without entries, with one group that has an entry pending, which so many consumers have.
fn stream_with_owners(owners: usize) -> Vec<u8> {
    let id = [[0_u8; 7].as_slice(), &[1], &[0; 7], &[1]].concat();
    let mut value = vec![0, 0, 5, 1, 1];
    value.extend_from_slice(b"\x01g\x05\x01\x01");
    value.extend_from_slice(&id);
    value.extend_from_slice(&[0; 8]);
    value.extend_from_slice(&[1, owners as u8]);
    for owner in 0..owners {
        value.extend_from_slice(&[1, b'a' + owner as u8]);
        value.extend_from_slice(&[0; 8]);
        value.push(1);
        value.extend_from_slice(&id);
    }
    value
}

#[test]
fn a_pending_entry_has_one_owner() {
    assert!(read(15, &stream_with_owners(1), 9).is_some());
    assert_eq!(read(15, &stream_with_owners(0), 9), None, "nobody's");
    assert_eq!(read(15, &stream_with_owners(2), 9), None, "that of two");
    let mut of_nobody_known = stream_with_owners(1);
    *of_nobody_known.last_mut().expect("it is not empty") = 2;
    assert_eq!(read(15, &of_nobody_known, 9), None, "an entry that is not pending");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(
        kind in 0_u8..30,
        version in prop::sample::select(vec![9_u16, 13, 80]),
        value in prop::collection::vec(prop_oneof![0_u8..4, any::<u8>()], 0..80),
    ) {
        let payload = payload(kind, &value, version);
        if let Ok(built) = restore(&payload, false, &Limits::default()) {
            // What was taken in can be given out again.
            let again = dump(view(&built), Dialect::Redis8);
            let read = restore(&again, false, &Limits::default()).expect("it was just written");
            prop_assert_eq!(show(&read), show(&built));
        }
    }

    #[test]
    fn damaged_values_are_read_or_refused(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        value in prop::sample::select(samples()),
    ) {
        let mut payload = value;
        let end = payload.len() - 10;
        let at = at.index(end);
        payload[at] = byte;
        if let Ok(built) = restore(&payload, true, &Limits::default()) {
            let again = dump(view(&built), Dialect::Redis8);
            let read = restore(&again, false, &Limits::default()).expect("it was just written");
            prop_assert_eq!(show(&read), show(&built));
        }
    }
}

/// Payloads of every type, out of the files of real servers.
fn samples() -> Vec<Vec<u8>> {
    let mut samples = Vec::new();
    for file in [&include_bytes!("../files/redis-8.0.6.rdb")[..], include_bytes!("../files/valkey-9.1.2.rdb")] {
        let mut reader = ochre_rdb::Reader::new(file, Default::default()).expect("a real server wrote it");
        loop {
            match reader.next().expect("a real server wrote it") {
                ochre_rdb::Item::Entry(entry) => {
                    let built: Built<'_> = entry.value.build(&Limits::default()).expect("a sound value");
                    samples.push(dump(view(&built), Dialect::Redis8));
                }
                ochre_rdb::Item::End => break,
                _ => {}
            }
        }
    }
    samples
}
