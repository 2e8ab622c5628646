//! The bytes against those of a real server, and random changes against a `Vec<Vec<u8>>`.

use proptest::prelude::*;

use super::*;

/// What `DUMP` of Redis 7.0.15 holds for a hash of the fields k0, k1, … with these values, in this order.
const REDIS_VALUES: [&str; 29] = [
    "",
    "a",
    "0",
    "127",
    "128",
    "-1",
    "4095",
    "-4096",
    "4096",
    "-4097",
    "32767",
    "-32768",
    "32768",
    "8388607",
    "-8388608",
    "8388608",
    "2147483647",
    "-2147483648",
    "2147483648",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "-9223372036854775809",
    "-0",
    "01",
    "+1",
    "-",
    "1.5",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
];
const REDIS_BYTES: &str = "\
    720100003a00826b30038001826b3103816102826b32030001826b33037f01826b3403c08002826b3503dfff02826b3603cfff02826b3703d00002826b3803f1 \
    001003826b3903f1ffef03836b313004f1ff7f03836b313104f1008003836b313204f200800004836b313304f2ffff7f04836b313404f200008004836b313504 \
    f30000800005836b313604f3ffffff7f05836b313704f30000008005836b313804f4000000800000000009836b313904f4ffffffffffffff7f09836b323004f4 \
    000000000000008009836b323104933932323333373230333638353437373538303814836b323204942d3932323333373230333638353437373538303915836b \
    323304822d3003836b32340482303103836b323504822b3103836b323604812d02836b32370483312e3504836b323804bf787878787878787878787878787878 \
    78787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787840ff";

fn from_hex(hex: &str) -> Vec<u8> {
    let hex = hex.replace(' ', "");
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex digits")).collect()
}

#[test]
fn bytes_are_those_of_redis() {
    let mut list = Listpack::new();
    for (index, value) in REDIS_VALUES.iter().enumerate() {
        list.push_back(format!("k{index}").as_bytes());
        list.push_back(value.as_bytes());
    }
    let expected = from_hex(REDIS_BYTES);
    assert_eq!(list.as_bytes(), expected);

    let view = ListpackRef::from_untrusted(&expected).expect("Redis wrote it");
    for ((key, value), (index, text)) in view.iter_pairs().zip(REDIS_VALUES.iter().enumerate()) {
        assert!(key.eq_bytes(format!("k{index}").as_bytes()));
        assert_eq!(value.to_vec(), text.as_bytes());
        assert_eq!(value.len(), text.len());
        assert!(value.eq_bytes(text.as_bytes()));
        let (_, at) = view.find_pair(format!("k{index}").as_bytes()).expect("every key is found");
        assert_eq!(view.at(at), value);
        assert_eq!(view.find(text.as_bytes(), 0), Some(at));
    }
    assert_eq!(view.find_pair(b"1.5"), None, "values are not compared");
}

/// The bytes before and after long strings in Redis's own lists, at every edge of the length's and back length's encodings.
#[test]
fn long_strings_are_framed_as_redis_does() {
    for (length, before, after) in [
        (64, "e040", "42"),
        (125, "e07d", "7f"),
        (126, "e07e", "0180"),
        (4095, "efff", "2081"),
        (4096, "f000100000", "2085"),
        (16377, "f0f93f0000", "7ffe"),
        (16378, "f0fa3f0000", "00ffff"),
        (16379, "f0fb3f0000", "018080"),
        (2097145, "f0f9ff1f00", "7ffffe"),
        (2097146, "f0faff1f00", "00ffffff"),
        (2097147, "f0fbff1f00", "01808080"),
    ] {
        let text = vec![b'x'; length];
        let mut list = Listpack::new();
        list.push_back(b"k");
        list.push_back(&text);
        let expected = [&[0x81, b'k', 2], &from_hex(before)[..], &text, &from_hex(after), &[END]].concat();
        assert_eq!(&list.as_bytes()[HEADER..], expected);
        assert_eq!(list.bytes(), HEADER + expected.len());
        assert!(ListpackRef::from_untrusted(list.as_bytes()).is_ok());
        assert_eq!(list.view().last(), Some(Item::Bytes(&text)));
        assert_eq!(list.view().iter_rev().map(|item| item.len()).collect::<Vec<_>>(), [length, 1]);
        assert_eq!(list.view().find(&text, 0), Some(HEADER + 3));
    }
}

#[test]
fn a_needle_matches_an_integer_only_by_its_one_text() {
    let list: Listpack = [b"007".as_slice(), b"7", b"-0", b"0"].into_iter().collect();
    let view = list.view();
    assert_eq!(view.find(b"7", 0), view.position(1));
    assert_eq!(view.find(b"007", 0), view.position(0));
    assert_eq!(view.find(b"0", 0), view.position(3));
    assert_eq!(view.find(b"07", 0), None);
    assert_eq!(view.find(b"", 0), None);
}

#[test]
fn more_elements_than_the_header_counts() {
    let mut list = Listpack::new();
    for index in 0..70_000 {
        list.push_back_int(index % 100);
    }
    assert_eq!(list.len(), 70_000);
    assert_eq!(&list.as_bytes()[4..6], [0xFF, 0xFF]);
    assert!(Listpack::from_untrusted(list.as_bytes()).is_ok());
    list.remove(HEADER, 10_000);
    assert_eq!(list.len(), 60_000);
    list.truncate(3);
    assert_eq!(list.len(), 3);
    list.truncate(0);
    assert_eq!(list, Listpack::new());
}

#[test]
fn pops_and_shrinking_give_memory_back() {
    let mut list = Listpack::new();
    for _ in 0..1000 {
        list.push_front(b"some text");
    }
    let full = list.memory_bytes();
    assert!(full < list.bytes() * 3 / 2);
    while list.len() > 10 {
        list.pop_back_with(|item| assert!(item.eq_bytes(b"some text")));
    }
    assert!(list.memory_bytes() < full / 40);
    list.push_back(b"x");
    list.shrink_to_fit();
    assert!(list.memory_bytes() <= (list.bytes() + 4) * 5 / 4);
    assert_eq!(list.len(), 11);
}

/// The block can note a start of up to 16 MiB; beyond it the rest moves instead.
#[test]
fn a_large_list_is_emptied_from_the_front() {
    let (mut list, last) = (Listpack::new(), vec![39; 1 << 20]);
    for number in 0..40 {
        list.push_back(&vec![number; 1 << 20]);
    }
    for number in 0..40 {
        assert!(list.pop_front_with(|item| item.eq_bytes(&vec![number; 1 << 20])).is_some_and(|equal| equal));
        assert_eq!(list.len(), 39 - usize::from(number));
        assert!(list.view().last().is_none_or(|item| item.eq_bytes(&last)));
    }
    assert_eq!(list, Listpack::new());
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..12),
        2 => (-200i64..5000).prop_map(|value| value.to_string().into_bytes()),
        2 => (any::<i64>(), 0u32..64).prop_map(|(value, shift)| (value >> shift).to_string().into_bytes()),
        1 => (0usize..200).prop_map(|length| vec![b'y'; length]),
        1 => (4090usize..4100).prop_map(|length| vec![b'z'; length]),
    ]
}

#[derive(Clone, Debug)]
enum Change {
    PushBack(Vec<u8>),
    PushFront(Vec<u8>),
    Before(usize, Vec<u8>),
    After(usize, Vec<u8>),
    Replace(usize, Vec<u8>),
    Remove(usize, usize),
    PopFront,
    PopBack,
    Truncate(usize),
    Append(Vec<Vec<u8>>),
    Retain(u8),
    Reserve(usize),
    Shrink,
}

fn change() -> impl Strategy<Value = Change> {
    let index = 0usize..1000;
    prop_oneof![
        4 => text().prop_map(Change::PushBack),
        4 => text().prop_map(Change::PushFront),
        3 => (index.clone(), text()).prop_map(|(at, text)| Change::Before(at, text)),
        3 => (index.clone(), text()).prop_map(|(at, text)| Change::After(at, text)),
        3 => (index.clone(), text()).prop_map(|(at, text)| Change::Replace(at, text)),
        2 => (index.clone(), 0usize..4).prop_map(|(at, count)| Change::Remove(at, count)),
        3 => Just(Change::PopFront),
        3 => Just(Change::PopBack),
        1 => (10usize..60).prop_map(Change::Truncate),
        1 => prop::collection::vec(text(), 0..5).prop_map(Change::Append),
        1 => any::<u8>().prop_map(Change::Retain),
        1 => (0usize..300).prop_map(Change::Reserve),
        1 => Just(Change::Shrink),
    ]
}

fn apply(list: &mut Listpack, model: &mut Vec<Vec<u8>>, change: Change) {
    let position =
        |list: &Listpack, index: usize| list.view().position(index as isize).expect("an index below the length");
    match change {
        Change::PushBack(text) => {
            list.push_back(&text);
            model.push(text);
        }
        Change::PushFront(text) => {
            list.push_front(&text);
            model.insert(0, text);
        }
        Change::Before(at, text) => {
            let at = at % (model.len() + 1);
            let place = if at == model.len() { list.view().end() } else { position(list, at) };
            list.insert_before(place, &text);
            model.insert(at, text);
        }
        Change::After(at, text) if !model.is_empty() => {
            let at = at % model.len();
            let place = list.insert_after(position(list, at), &text);
            assert!(list.view().at(place).eq_bytes(&text));
            model.insert(at + 1, text);
        }
        Change::Replace(at, text) if !model.is_empty() => {
            let at = at % model.len();
            list.replace(position(list, at), &text);
            model[at] = text;
        }
        Change::Remove(at, count) if !model.is_empty() => {
            let at = at % model.len();
            let removed = list.remove(position(list, at), count);
            assert_eq!(removed, count.min(model.len() - at));
            model.drain(at..at + removed);
        }
        Change::PopFront => {
            let popped = if model.is_empty() { None } else { Some(model.remove(0)) };
            assert_eq!(list.pop_front(), popped);
        }
        Change::PopBack => assert_eq!(list.pop_back(), model.pop()),
        Change::Truncate(count) => {
            list.truncate(count);
            model.truncate(count);
        }
        Change::Append(texts) => {
            let other: Listpack = texts.iter().map(Vec::as_slice).collect();
            list.append(other.view());
            model.extend(texts);
        }
        Change::Retain(seed) => {
            let keeps = |text: &[u8]| text.len() % 3 != usize::from(seed % 4);
            list.retain(|item| keeps(&item.to_vec()));
            model.retain(|text| keeps(text));
        }
        Change::Reserve(bytes) => list.reserve(bytes),
        Change::Shrink => list.shrink_to_fit(),
        Change::After(..) | Change::Replace(..) | Change::Remove(..) => {}
    }
}

fn check(list: &Listpack, model: &[Vec<u8>]) {
    let view = ListpackRef::from_untrusted(list.as_bytes()).expect("every change leaves a valid list");
    assert_eq!(view.len(), model.len());
    assert!(view.iter().map(|item| item.to_vec()).eq(model.iter().cloned()));
    assert!(view.iter_rev().map(|item| item.to_vec()).eq(model.iter().rev().cloned()));
    for (index, text) in model.iter().enumerate() {
        let item = view.get(index as isize).expect("below the length");
        assert!(item.eq_bytes(text) && item.len() == text.len() && item.is_empty() == text.is_empty());
        assert_eq!(view.get(index as isize - model.len() as isize), Some(item));
        let found = model.iter().position(|other| other == text).and_then(|at| view.position(at as isize));
        assert_eq!(view.find(text, 0), found);
        let found =
            model.iter().step_by(2).position(|other| other == text).and_then(|at| view.position(2 * at as isize));
        assert_eq!(view.find(text, 1), found);
    }
    assert_eq!(view.get(model.len() as isize), None);
    assert_eq!(view.get(-(model.len() as isize) - 1), None);
    let fresh: Listpack = model.iter().map(Vec::as_slice).collect();
    assert_eq!(list.as_bytes(), fresh.as_bytes(), "the bytes do not depend on the way there");
    assert_eq!(list.clone(), fresh);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn changes_agree_with_a_vec(changes in prop::collection::vec(change(), 1..80)) {
        let (mut list, mut model) = (Listpack::new(), Vec::new());
        for change in changes {
            apply(&mut list, &mut model, change);
            check(&list, &model);
        }
    }

    /// Whatever passes validation can be walked and changed; whatever does not is refused without a panic.
    #[test]
    fn damaged_bytes_are_refused_or_harmless(
        texts in prop::collection::vec(text(), 0..20),
        damages in prop::collection::vec((any::<usize>(), any::<u8>()), 1..4),
        cut in prop::option::weighted(0.2, any::<usize>()),
    ) {
        let list: Listpack = texts.iter().map(Vec::as_slice).collect();
        let mut bytes = list.as_bytes().to_vec();
        for (at, byte) in damages {
            let at = at % bytes.len();
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut % bytes.len());
        }
        if let Ok(mut list) = Listpack::from_untrusted(&bytes) {
            let forward: Vec<_> = list.iter().map(|item| item.to_vec()).collect();
            let mut backward: Vec<_> = list.view().iter_rev().map(|item| item.to_vec()).collect();
            backward.reverse();
            prop_assert_eq!(&forward, &backward);
            prop_assert_eq!(list.len(), forward.len());
            for text in &forward {
                prop_assert!(list.view().find(text, 0).is_some());
            }
            list.push_back(b"more");
            list.push_front(b"less");
            while list.pop_front().is_some() {}
            prop_assert_eq!(list.bytes(), HEADER + 1);
        }
    }

    #[test]
    fn any_bytes_are_refused_or_walked(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let mut framed = (bytes.len() as u32 + 7).to_le_bytes().to_vec();
        framed.extend([0xFF, 0xFF]);
        framed.extend(&bytes);
        framed.push(END);
        for bytes in [&bytes, &framed] {
            if let Ok(view) = ListpackRef::from_untrusted(bytes) {
                prop_assert_eq!(view.iter().count(), view.iter_rev().count());
            }
        }
    }

    #[test]
    fn integers_are_text_that_formats_back(text in "-?[0-9]{1,21}") {
        let expected = text.parse::<i64>().ok().filter(|value| value.to_string() == text);
        prop_assert_eq!(item::parse_integer(text.as_bytes()), expected);
        if let Some(value) = expected {
            prop_assert_eq!(Item::Int(value).to_vec(), text.as_bytes());
            prop_assert_eq!(Item::Int(value).len(), text.len());
        }
    }
}

#[test]
fn other_forms_of_elements_are_written_anew() {
    // 5 as a 64-bit integer, "7" as a string, "x" as a long string, and "y" as it should be.
    let wide: &[u8] = &[0xF4, 5, 0, 0, 0, 0, 0, 0, 0, 9];
    let elements = [wide, &[0x81, b'7', 2], &[0xF0, 1, 0, 0, 0, b'x', 6], &[0x81, b'y', 2]].concat();
    let mut bytes = (7 + elements.len() as u32).to_le_bytes().to_vec();
    bytes.extend_from_slice(&[4, 0]);
    bytes.extend_from_slice(&elements);
    bytes.push(END);
    let list = Listpack::from_untrusted(&bytes).expect("it is sound").into_canonical();
    let expected: Listpack = [&b"5"[..], b"7", b"x", b"y"].into_iter().collect();
    assert_eq!(list, expected);
    assert_eq!(list.clone().into_canonical(), expected);
}
