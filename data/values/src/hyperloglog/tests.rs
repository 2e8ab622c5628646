//! Sketches through both encodings, against what the formulas and a plain set say.

use super::*;
use proptest::prelude::*;

fn add(bytes: &mut Vec<u8>, element: &[u8], sparse_bytes_max: usize) -> bool {
    let (index, rank) = place_of(element);
    let raises = Sketch::read(bytes).unwrap().registers().unwrap()[index] < rank;
    if raises {
        set_register(bytes, index, rank, sparse_bytes_max, &mut Cursor::default());
    }
    raises
}

fn registers(bytes: &[u8]) -> Registers {
    Sketch::read(bytes).unwrap().registers().unwrap()
}

/// The bytes that PFADD leaves on Redis 7.0.15 and Valkey 9.1.2.
#[test]
fn a_sparse_sketch_has_the_bytes_of_the_reference() {
    let mut bytes = empty();
    assert_eq!(bytes, b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80\x7f\xff");
    for element in [b"a", b"b", b"c"] {
        assert!(add(&mut bytes, element, 3000));
        assert!(!add(&mut bytes, element, 3000));
    }
    assert_eq!(bytes[16..], *b"\x60\xf3\x80P\xb1\x84K\xfb\x80BZ");
    assert_eq!(estimate(&registers(&bytes)), 3);
    let sketch = Sketch::read(&bytes).unwrap();
    assert!(sketch.is_sparse());
    assert_eq!(sketch.count_if_fresh(), None);
    assert_eq!(sketch.runs().map(|run| (run.rank, run.length)).nth(1), Some((1, 1)));
    note_count(&mut bytes, 3);
    assert_eq!(Sketch::read(&bytes).unwrap().count_if_fresh(), Some(3));
}

/// Elements e0, e1, … on the reference: the 1,684th makes the sketch dense, from 3,000 bytes.
#[test]
fn a_sketch_becomes_dense_when_it_would_grow_too_long() {
    let mut bytes = empty();
    let mut longest = 0;
    let dense_from = (0..).find(|number| {
        longest = bytes.len();
        add(&mut bytes, format!("e{number}").as_bytes(), 3000);
        !Sketch::read(&bytes).unwrap().is_sparse()
    });
    assert_eq!((dense_from, longest, bytes.len()), (Some(1683), 3000, 12_304));
}

#[test]
fn counts_are_as_exact_as_promised() {
    let mut bytes = empty();
    let mut seen = 0;
    for checkpoint in [10, 100, 1_000, 10_000, 100_000] {
        while seen < checkpoint {
            seen += 1;
            let element = format!("element:{seen}");
            if Sketch::read(&bytes).unwrap().is_sparse() {
                add(&mut bytes, element.as_bytes(), 3000);
            } else {
                raise_dense(&mut bytes, &[place_of(element.as_bytes())]);
            }
        }
        let error = estimate(&registers(&bytes)).abs_diff(checkpoint) as f64 / checkpoint as f64;
        assert!(error < 0.03, "{checkpoint}: {error}");
    }
}

#[test]
fn foreign_bytes_are_judged() {
    for bytes in
        [&b""[..], b"HYLL", b"HYLX\x01\0\0\0\0\0\0\0\0\0\0\x80\x7f\xff", b"HYLL\x02\0\0\0\0\0\0\0\0\0\0\x80\x7f\xff"]
    {
        assert_eq!(Sketch::read(bytes).err(), Some(Damage::NotASketch));
    }
    // Dense, but too short.
    assert_eq!(Sketch::read(b"HYLL\0\0\0\0\0\0\0\0\0\0\0\x80\x7f\xff").err(), Some(Damage::NotASketch));
    for body in [&b""[..], b"\x7f\xfe", b"\x7f\xff\x00", b"\x7f", b"\x7f\xff\x7f\xff", b"\x7f\xfe\x81"] {
        let mut bytes = empty();
        bytes.truncate(HEADER_BYTES);
        bytes.extend_from_slice(body);
        assert_eq!(Sketch::read(&bytes).unwrap().registers().err(), Some(Damage::Corrupt), "{body:?}");
    }
}

proptest! {
    /// Ascending with one cursor or each from the beginning: the same bytes, and the registers that were set.
    #[test]
    fn a_cursor_changes_no_byte(
        places in prop::collection::btree_map(
            prop_oneof![0..60usize, 0..REGISTERS, REGISTERS - 60..REGISTERS], 1..4u8, 0..200),
        first in prop::collection::vec((0..80usize, 1..3u8), 0..30),
        bytes_max in prop_oneof![Just(3000usize), 30..400usize],
    ) {
        let mut expected = [0; REGISTERS];
        let mut bytes = empty();
        for (index, rank) in first {
            if expected[index] < rank {
                expected[index] = rank;
                set_register(&mut bytes, index, rank, bytes_max, &mut Cursor::default());
            }
        }
        let mut other = bytes.clone();
        let mut cursor = Cursor::default();
        for (index, rank) in places {
            if expected[index] < rank {
                expected[index] = rank;
                set_register(&mut bytes, index, rank, bytes_max, &mut Cursor::default());
                set_register(&mut other, index, rank, bytes_max, &mut cursor);
                prop_assert_eq!(&bytes, &other);
            }
        }
        prop_assert!(registers(&bytes) == expected);
        make_dense(&mut bytes);
        prop_assert!(registers(&bytes) == expected);
    }

    #[test]
    fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut bytes = empty();
        bytes.truncate(HEADER_BYTES);
        bytes.extend_from_slice(&body);
        let sketch = Sketch::read(&bytes).unwrap();
        let _ = (sketch.registers(), sketch.runs().count());
    }

    #[test]
    fn dense_registers_stand_side_by_side(places in prop::collection::vec((0..REGISTERS, 1..52u8), 0..100)) {
        let mut bytes = empty();
        make_dense(&mut bytes);
        let mut expected = [0; REGISTERS];
        for (index, rank) in places {
            let raised = raise_dense(&mut bytes, &[(index, rank)]);
            prop_assert_eq!(raised, usize::from(rank > expected[index]));
            expected[index] = rank.max(expected[index]);
        }
        prop_assert!(registers(&bytes) == expected);
    }

    /// Few places or many, in a sparse sketch or a dense one: the same are left.
    #[test]
    fn only_higher_ranks_are_kept(
        first in prop::collection::vec((0..40usize, 1..20u8), 0..30),
        places in prop::collection::vec((0..50usize, 1..25u8), 0..10),
    ) {
        let mut bytes = empty();
        let mut registers = [0; REGISTERS];
        for (index, rank) in first {
            if rank > registers[index] {
                registers[index] = rank;
                set_register(&mut bytes, index, rank, 3000, &mut Cursor::default());
            }
        }
        let mut expected = Vec::new();
        for (index, rank) in &places {
            if *rank > registers[*index] {
                registers[*index] = *rank;
                expected.push((*index, *rank));
            }
        }
        let mut kept = places.clone();
        Sketch::read(&bytes).unwrap().keep_higher(&mut kept).unwrap();
        prop_assert_eq!(&kept, &expected);
        make_dense(&mut bytes);
        prop_assert_eq!(raise_dense(&mut bytes, &places), expected.len());
    }
}
