//! Random operations against a `VecDeque`, and the sizes of chunks.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Change {
    PushFront(Vec<u8>),
    PushBack(Vec<u8>),
    PopFront(usize),
    PopBack(usize),
    Insert(usize, Vec<u8>),
    Set(usize, Vec<u8>),
    RemoveRange(usize, usize),
    Trim(usize, usize),
    RemoveEqual(usize, usize, bool),
    Reload,
}

/// Sizes around the limits of small chunks, and few different texts, so that equal ones occur.
fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => (0u32..30).prop_map(|number| number.to_string().into_bytes()),
        4 => (0usize..200).prop_map(|length| vec![b'a'; length]),
        2 => (1000usize..3000).prop_map(|length| vec![b'b'; length]),
        2 => (4070usize..4110).prop_map(|length| vec![b'c'; length]),
        1 => (8170usize..8200).prop_map(|length| vec![b'd'; length]),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let index = 0usize..10_000;
    prop_oneof![
        6 => text().prop_map(Change::PushFront),
        6 => text().prop_map(Change::PushBack),
        2 => (0usize..8).prop_map(Change::PopFront),
        2 => (0usize..8).prop_map(Change::PopBack),
        6 => (index.clone(), text()).prop_map(|(at, text)| Change::Insert(at, text)),
        4 => (index.clone(), text()).prop_map(|(at, text)| Change::Set(at, text)),
        2 => (index.clone(), 0usize..12).prop_map(|(at, count)| Change::RemoveRange(at, count)),
        1 => (0usize..5, 0usize..5).prop_map(|(front, back)| Change::Trim(front, back)),
        1 => (index, 0usize..4, any::<bool>()).prop_map(|(at, limit, back)| Change::RemoveEqual(at, limit, back)),
        1 => Just(Change::Reload),
    ]
}

fn apply(list: &mut ChunkedList, model: &mut VecDeque<Vec<u8>>, change: Change) {
    match change {
        Change::PushFront(text) => {
            list.push_front(&text);
            model.push_front(text);
        }
        Change::PushBack(text) => {
            list.push_back(&text);
            model.push_back(text);
        }
        Change::PopFront(count) => (0..count).for_each(|_| assert_eq!(list.pop_front(), model.pop_front())),
        Change::PopBack(count) => (0..count).for_each(|_| assert_eq!(list.pop_back(), model.pop_back())),
        Change::Insert(at, text) => {
            let at = at % (model.len() + 1);
            list.insert(at, &text);
            model.insert(at, text);
        }
        Change::Set(at, text) => {
            assert!(!list.set(model.len() as isize, &text));
            if !model.is_empty() {
                let at = at % model.len();
                // Both ways to say it.
                let index = if at.is_multiple_of(2) { at as isize } else { at as isize - model.len() as isize };
                assert!(list.set(index, &text));
                model[at] = text;
            }
        }
        Change::RemoveRange(at, count) => {
            let from = at % (model.len() + 1);
            let to = (from + count).min(model.len());
            assert_eq!(list.remove_range(from..from + count), to - from);
            model.drain(from..to);
        }
        Change::Trim(front, back) => {
            let (from, to) = (front, model.len().saturating_sub(back));
            list.trim(from..to);
            model.truncate(to.max(from));
            model.drain(..from.min(model.len()));
            if to <= from {
                model.clear();
            }
        }
        Change::RemoveEqual(at, limit, from_back) => {
            let Some(text) = model.get(at % model.len().max(1)).cloned() else { return };
            let mut found: Vec<_> = (0..model.len()).filter(|index| model[*index] == text).collect();
            if from_back {
                found.reverse();
            }
            found.truncate(limit);
            assert_eq!(list.remove_equal(&text, limit, from_back), found.len());
            let mut index = 0;
            model.retain(|_| {
                index += 1;
                !found.contains(&(index - 1))
            });
        }
        Change::Reload => {
            let mut loaded = ChunkedList::new(-1);
            loaded.limits = list.limits;
            for node in list.nodes() {
                loaded.push_node(match node {
                    NodeRef::Packed(packed) => {
                        Node::Packed(Listpack::from_untrusted(packed.as_bytes()).expect("a valid chunk"))
                    }
                    NodeRef::Plain(text) => Node::Plain(text.into()),
                });
            }
            *list = loaded;
        }
    }
}

fn check(list: &ChunkedList, model: &VecDeque<Vec<u8>>) {
    assert_eq!((list.len(), list.is_empty()), (model.len(), model.is_empty()));
    let mut coordinate = list.first_coordinate();
    for chunk in &list.chunks {
        assert_eq!(chunk.start, coordinate);
        assert!(!chunk.node.view().is_empty());
        coordinate += chunk.node.view().len() as i64;
    }
    assert_eq!(coordinate, list.end);
    assert!(list.iter().map(|item| item.to_vec()).eq(model.iter().cloned()));
    assert!(list.iter_rev().map(|item| item.to_vec()).eq(model.iter().rev().cloned()));
    assert_eq!(list.first().map(|item| item.to_vec()).as_ref(), model.front());
    assert_eq!(list.last().map(|item| item.to_vec()).as_ref(), model.back());
    for (index, text) in model.iter().enumerate() {
        assert!(list.get(index as isize).is_some_and(|item| item.eq_bytes(text)));
        assert!(list.get(index as isize - model.len() as isize).is_some_and(|item| item.eq_bytes(text)));
    }
    assert_eq!(list.get(model.len() as isize), None);
    assert_eq!(list.get(-(model.len() as isize) - 1), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn changes_agree_with_a_deque(
        fill in prop::sample::select(vec![-1i16, -2, 0, 1, 3, 20]),
        changes in prop::collection::vec(change(), 1..150),
        ranges in prop::collection::vec((0usize..150, 0usize..150), 4),
    ) {
        let (mut list, mut model) = (ChunkedList::new(fill), VecDeque::new());
        for change in changes {
            apply(&mut list, &mut model, change);
            check(&list, &model);
        }
        for (from, count) in ranges {
            let to = (from + count).min(model.len());
            let expected: Vec<_> = model.range(from.min(to)..to).cloned().collect();
            prop_assert_eq!(list.range(from..from + count).map(|item| item.to_vec()).collect::<Vec<_>>(), expected.clone());
            let reversed = list.range_rev(from..from + count).map(|item| item.to_vec());
            prop_assert!(reversed.eq(expected.into_iter().rev()));
        }
    }
}

#[test]
fn chunks_fill_their_allocation_and_no_more() {
    for (fill, bytes) in [(-1, 4096), (-2, 8192), (-3, 16_384), (-4, 32_768), (-5, 65_536), (-9, 65_536)] {
        for from_front in [false, true] {
            let mut list = ChunkedList::new(fill);
            for number in 0..40_000 {
                let text = format!("element:{number:06}");
                if from_front { list.push_front(text.as_bytes()) } else { list.push_back(text.as_bytes()) }
            }
            for node in list.nodes().rev().skip(1) {
                let NodeRef::Packed(packed) = node else { panic!("small elements are packed") };
                assert!(packed.as_bytes().len() <= bytes);
            }
            // 14 bytes of text and 2 around them; the rest is the chunk that is being filled, and the row of chunks.
            assert!(list.memory_bytes() < 40_000 * 16 * 102 / 100 + 2 * bytes, "{fill}: {}", list.memory_bytes());
        }
    }
}

#[test]
fn a_limit_in_elements_is_kept() {
    let mut list = ChunkedList::new(3);
    for number in 0..10u8 {
        list.push_back(&[b'a' + number]);
    }
    assert_eq!(list.nodes().map(|node| node.len()).collect::<Vec<_>>(), [3, 3, 3, 1]);
    assert!(matches!(list.clone().into_packed(8192), Err(same) if same.len() == 10));
    list.trim(3..6);
    assert_eq!(list.into_packed(8192).map(|packed| packed.len()).ok(), Some(3));
}

#[test]
fn inserting_at_one_place_does_not_leave_crumbs() {
    let mut list = ChunkedList::new(-1);
    for _ in 0..1000 {
        list.push_back(&[b'x'; 50]);
    }
    for _ in 0..1000 {
        list.insert(500, &[b'y'; 50]);
    }
    // 52,000 bytes of elements at each end of which chunks are full, and half full where they were split.
    assert!(list.nodes().len() < 45, "{}", list.nodes().len());
}
