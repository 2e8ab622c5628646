//! Random operations against a `VecDeque`, and the changes of encoding.

use super::*;
use crate::Limits;
use proptest::prelude::*;
use std::collections::VecDeque;

#[derive(Clone, Debug)]
enum Change {
    Push(End, Vec<Vec<u8>>),
    Pop(End, usize),
    Insert(usize, Vec<u8>),
    Set(i64, Vec<u8>),
    RemoveRange(usize, usize),
    RemoveEqual(usize, usize, End),
    ReadAgain,
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => (0_u32..20).prop_map(|number| number.to_string().into_bytes()),
        4 => (0_usize..100).prop_map(|length| vec![b'a'; length]),
        1 => (1000_usize..9000).prop_map(|length| vec![b'b'; length]),
    ]
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![Just(End::Left), Just(End::Right)]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => (end(), prop::collection::vec(text(), 1..5)).prop_map(|(end, texts)| Change::Push(end, texts)),
        3 => (end(), 0_usize..6).prop_map(|(end, count)| Change::Pop(end, count)),
        3 => (any::<usize>(), text()).prop_map(|(at, text)| Change::Insert(at, text)),
        3 => (-30_i64..30, text()).prop_map(|(at, text)| Change::Set(at, text)),
        1 => (0_usize..30, 0_usize..8).prop_map(|(at, count)| Change::RemoveRange(at, count)),
        1 => (any::<usize>(), 0_usize..4, end()).prop_map(|(at, limit, end)| Change::RemoveEqual(at, limit, end)),
        1 => Just(Change::ReadAgain),
    ]
}

/// Sizes that make chunks of a few elements, and the default; plain elements from 50 bytes on, or none but large ones.
fn limits() -> impl Strategy<Value = Limits> {
    (prop::sample::select(vec![1_i64, 4, -1, -2]), prop::sample::select(vec![0_usize, 50])).prop_map(|(size, plain)| {
        Limits { list_max_listpack_size: size, list_plain_node_bytes_min: plain, ..Limits::default() }
    })
}

fn apply(list: &mut List, model: &mut VecDeque<Vec<u8>>, change: Change, limits: &Limits) {
    match change {
        Change::Push(end, texts) => {
            list.prepare(texts.len(), texts.iter().map(Vec::len).sum(), limits);
            for text in texts {
                list.push(end, &text);
                match end {
                    End::Left => model.push_front(text),
                    End::Right => model.push_back(text),
                }
            }
        }
        Change::Pop(end, count) => {
            for _ in 0..count {
                let popped = list.pop_with(end, |item| item.to_vec());
                assert_eq!(popped, if end == End::Left { model.pop_front() } else { model.pop_back() });
            }
            list.settle(limits);
        }
        Change::Insert(at, text) => {
            let at = at % (model.len() + 1);
            list.prepare(1, text.len(), limits);
            list.insert(at, &text);
            model.insert(at, text);
        }
        Change::Set(at, text) => {
            let index = if at < 0 { at + model.len() as i64 } else { at };
            list.prepare(1, text.len(), limits);
            match usize::try_from(index).ok().and_then(|index| model.get_mut(index)) {
                Some(old) => {
                    assert!(list.set(at, &text));
                    *old = text;
                }
                None => assert!(!list.set(at, &text)),
            }
            list.settle(limits);
        }
        Change::RemoveRange(at, count) => {
            list.remove_range(at..at + count);
            let from = at.min(model.len());
            model.drain(from..(at + count).min(model.len()).max(from));
            list.settle(limits);
        }
        Change::RemoveEqual(at, limit, from) => {
            let Some(text) = model.get(at % model.len().max(1)).cloned() else { return };
            let removed = list.remove_equal(&text, limit, from);
            let mut expected = 0;
            while expected < limit {
                let found = match from {
                    End::Left => model.iter().position(|element| *element == text),
                    End::Right => model.iter().rposition(|element| *element == text),
                };
                match found {
                    Some(index) => _ = model.remove(index),
                    None => break,
                }
                expected += 1;
            }
            assert_eq!(removed, expected);
            list.settle(limits);
        }
        Change::ReadAgain => {
            *list = match list.pack() {
                Some((packing, bytes)) => List::unpack(packing, bytes).expect("these are a list's bytes"),
                None => list.clone(),
            };
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn a_list_is_what_a_deque_is(limits in limits(), changes in prop::collection::vec(change(), 1..40), from in 0_usize..20, count in 0_usize..20) {
        let (mut list, mut model) = (List::new(), VecDeque::new());
        for change in changes {
            apply(&mut list, &mut model, change, &limits);
            prop_assert_eq!(list.len(), model.len());
            prop_assert!(list.view().iter().map(|item| item.to_vec()).eq(model.iter().cloned()));
        }
        prop_assert!(list.view().iter_rev().map(|item| item.to_vec()).eq(model.iter().rev().cloned()));
        let range = from..from.saturating_add(count);
        let expected: Vec<_> = model.iter().skip(from).take(count).cloned().collect();
        prop_assert!(list.view().range(range.clone()).map(|item| item.to_vec()).eq(expected.iter().cloned()));
        prop_assert!(list.view().range_rev(range).map(|item| item.to_vec()).eq(expected.iter().rev().cloned()));
        for (index, text) in model.iter().enumerate() {
            prop_assert!(list.view().get(index as i64).is_some_and(|item| item.eq_bytes(text)));
            prop_assert!(list.view().get(index as i64 - model.len() as i64).is_some_and(|item| item.eq_bytes(text)));
            prop_assert!(list.view().find(text).is_some_and(|found| found <= index));
        }
        prop_assert!(list.view().get(model.len() as i64).is_none() && list.view().get(i64::MIN).is_none());
    }
}

fn push(list: &mut List, text: &[u8], limits: &Limits) {
    list.prepare(1, text.len(), limits);
    list.push(End::Right, text);
}

#[test]
fn a_list_of_many_elements_is_chunked_until_half_of_them_are_gone() {
    let limits = Limits { list_max_listpack_size: 5, ..Limits::default() };
    let mut list = List::new();
    (0..5).for_each(|_| push(&mut list, b"x", &limits));
    assert_eq!(list.encoding(), Encoding::Listpack);
    push(&mut list, b"x", &limits);
    assert_eq!(list.encoding(), Encoding::Quicklist);
    for expected in [5, 4, 3] {
        list.pop_with(End::Right, |_| ());
        list.settle(&limits);
        assert_eq!((list.encoding(), list.len()), (Encoding::Quicklist, expected));
    }
    list.pop_with(End::Right, |_| ());
    list.settle(&limits);
    assert_eq!((list.encoding(), list.len()), (Encoding::Listpack, 2));
}

#[test]
fn a_list_of_many_bytes_is_chunked_until_half_of_them_are_gone() {
    let limits = Limits::default();
    let mut list = List::new();
    (0..8).for_each(|_| push(&mut list, &[b'x'; 1000], &limits));
    assert_eq!(list.encoding(), Encoding::Listpack);
    push(&mut list, &[b'x'; 1000], &limits);
    assert_eq!(list.encoding(), Encoding::Quicklist);
    while list.len() > 4 {
        assert_eq!(list.encoding(), Encoding::Quicklist);
        list.pop_with(End::Right, |_| ());
        list.settle(&limits);
    }
    assert_eq!(list.encoding(), Encoding::Listpack);
    // One element that is too large for any chunk.
    let mut list = List::new();
    push(&mut list, &[b'x'; 9000], &limits);
    assert_eq!(list.encoding(), Encoding::Quicklist);
    assert!(list.set(0, b"short"));
    list.settle(&limits);
    assert_eq!(list.encoding(), Encoding::Listpack);
}
