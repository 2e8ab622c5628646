//! A sorted set as a packed list of members and scores by turns, in order.

use super::LexBound;
use ochre_collections::listpack::{INTEGER_TEXT_MAX, Item, Listpack, ListpackRef};
use ochre_text::number;
use std::cmp::Ordering;
use std::ops::{Bound, Range};

/// The score that an element stands for. One that is no number, which only a damaged list holds, counts as 0.
#[inline]
pub(super) fn score_of(item: Item<'_>) -> f64 {
    checked_score_of(item).unwrap_or(0.0)
}

/// The score that an element stands for, if it is a number.
#[inline]
pub(super) fn checked_score_of(item: Item<'_>) -> Option<f64> {
    match item {
        Item::Int(score) => Some(score as f64),
        Item::Bytes(text) => number::parse_f64(text),
    }
}

/// A whole score that is stored as an integer. Up to 2⁶², as the peers do it.
#[inline]
fn whole(score: f64) -> Option<i64> {
    const WHOLE_MAX: f64 = (1u64 << 62) as f64;
    (score.abs() <= WHOLE_MAX && score as i64 as f64 == score).then_some(score as i64)
}

/// Hands the element that stands for `score` to `store`.
fn with_item<R>(score: f64, store: impl FnOnce(Item<'_>) -> R) -> R {
    match whole(score) {
        Some(score) => store(Item::Int(score)),
        None => {
            let mut text = Vec::with_capacity(32);
            number::write_f64(&mut text, score);
            store(Item::from_text(&text))
        }
    }
}

/// How the member at hand compares with these bytes.
#[inline]
fn compare(item: Item<'_>, bytes: &[u8]) -> Ordering {
    item.as_bytes(&mut [0; INTEGER_TEXT_MAX]).cmp(bytes)
}

/// The score of a member.
pub(super) fn score(list: ListpackRef<'_>, member: &[u8]) -> Option<f64> {
    let (_, at) = list.find_pair(member)?;
    Some(score_of(list.at(at)))
}

/// The rank of a member and its score.
pub(super) fn rank(list: ListpackRef<'_>, member: &[u8]) -> Option<(usize, f64)> {
    let needle = Item::from_text(member);
    let found = list.iter_pairs().enumerate().find(|(_, (item, _))| *item == needle);
    found.map(|(rank, (_, score))| (rank, score_of(score)))
}

/// The position at which a member that is not there belongs.
fn place(list: ListpackRef<'_>, score: f64, member: &[u8]) -> usize {
    let is_before = |item: Item<'_>, other: Item<'_>| match score_of(other).partial_cmp(&score) {
        Some(Ordering::Equal) => compare(item, member).is_lt(),
        order => order == Some(Ordering::Less),
    };
    // Scores that grow with time belong to the end.
    let mut backwards = list.iter_rev();
    match (backwards.next(), backwards.next()) {
        (Some(last_score), Some(last)) if !is_before(last, last_score) => {}
        _ => return list.end(),
    }
    let mut items = list.iter();
    loop {
        let position = items.position();
        match (items.next(), items.next()) {
            (Some(other), Some(other_score)) if is_before(other, other_score) => {}
            _ => return position,
        }
    }
}

/// Adds a member that is not there.
pub(super) fn insert(list: &mut Listpack, member: &[u8], score: f64) {
    let position = place(list.view(), score, member);
    with_item(score, |item| list.insert_item(position, item));
    list.insert_before(position, member);
}

/// Adds a member that comes after all others.
pub(super) fn push(list: &mut Listpack, member: Item<'_>, score: f64) {
    let member = match member {
        // A tree keeps decimal texts as they are, a packed list as integers.
        Item::Bytes(text) => Item::from_text(text),
        int => int,
    };
    list.insert_item(list.view().end(), member);
    with_item(score, |item| list.insert_item(list.view().end(), item));
}

/// Changes the score of the member at position `at`.
pub(super) fn rescore(list: &mut Listpack, at: usize, member: &[u8], score: f64) {
    list.remove(at, 2);
    insert(list, member, score);
}

/// Removes a member and returns its score.
pub(super) fn remove(list: &mut Listpack, member: &[u8]) -> Option<f64> {
    let (at, score_at) = list.view().find_pair(member)?;
    let score = score_of(list.view().at(score_at));
    list.remove(at, 2);
    Some(score)
}

/// The ranks of the members whose scores are within the bounds.
pub(super) fn ranks_by_score(list: ListpackRef<'_>, min: Bound<f64>, max: Bound<f64>) -> Range<usize> {
    let is_below = |score: f64| match min {
        Bound::Unbounded => false,
        Bound::Included(min) => score < min,
        Bound::Excluded(min) => score <= min,
    };
    let is_above = |score: f64| match max {
        Bound::Unbounded => false,
        Bound::Included(max) => score > max,
        Bound::Excluded(max) => score >= max,
    };
    let mut scores = list.iter_pairs().map(|(_, score)| score_of(score)).peekable();
    let mut from = 0;
    while scores.next_if(|score| is_below(*score)).is_some() {
        from += 1;
    }
    from..from + scores.take_while(|score| !is_above(*score)).count()
}

/// The ranks of the members whose bytes are within the bounds, found by walking from the low end, or from the high end if
/// `reverse`.
///
/// The two differ only where scores do, which commands forbid without checking it; then the peers answer like this.
pub(super) fn ranks_by_lex(list: ListpackRef<'_>, min: LexBound<'_>, max: LexBound<'_>, reverse: bool) -> Range<usize> {
    let mut buffer = [0; INTEGER_TEXT_MAX];
    let reaches = |item: Item<'_>| min.admits_from_below(item.as_bytes(&mut [0; INTEGER_TEXT_MAX]));
    let mut stays = |item: Item<'_>| max.admits_from_above(item.as_bytes(&mut buffer));
    let (Some(first), Some(last)) = (list.first(), list.get(-2)) else { return 0..0 };
    if !reaches(last) || !stays(first) {
        return 0..0;
    }
    if reverse {
        let members = || list.iter_rev().skip(1).step_by(2);
        let Some(skipped) = members().position(stays) else { return 0..0 };
        let count = members().skip(skipped).take_while(|item| reaches(*item)).count();
        let to = list.len() / 2 - skipped;
        return to - count..to;
    }
    let members = || list.iter().step_by(2);
    let Some(from) = members().position(reaches) else { return 0..0 };
    from..from + members().skip(from).take_while(|item| stays(*item)).count()
}
