//! Sorted sets: members with scores in any order, or a packed list.

use super::{count, listpack};
use crate::error::Fault;
use crate::format::kind;
use crate::input::Input;
use crate::old::ziplist;
use crate::skip::NOT_A_NUMBER;
use ochre_collections::Item;
use ochre_collections::sorted::Builder;
use ochre_text::number::parse_f64;
use ochre_values::{Limits, SortedSet};

/// Room is made ahead for at most so many members; more come by themselves.
const MEMBERS_AHEAD_MAX: usize = 1 << 20;

pub(super) fn of_members(kind: u8, input: &mut Input<'_>, limits: &Limits) -> Result<SortedSet, Fault> {
    let count = count(input)?;
    let (mut builder, mut space) = (Builder::with_capacity(count.min(MEMBERS_AHEAD_MAX)), Vec::new());
    let mut longest_bytes = 0;
    for _ in 0..count {
        let member = input.text()?.read_into(&mut space)?;
        let score = if kind == kind::SORTED_SET { f64::from_le_bytes(input.array()?) } else { text_score(input)? };
        if score.is_nan() {
            return Err(Fault::Malformed("Zset with NAN score detected"));
        }
        longest_bytes = longest_bytes.max(member.len());
        if !builder.push(member, score) {
            return Err(Fault::Malformed("Duplicate zset fields detected"));
        }
    }
    let tree = builder.finish();
    let is_small =
        count <= limits.sorted_set_max_listpack_entries && longest_bytes <= limits.sorted_set_max_listpack_value_bytes;
    Ok(match is_small {
        true => {
            let members = tree.iter().map(|scored| (Item::Bytes(scored.member()), scored.score()));
            SortedSet::from_ordered(members, limits)
        }
        false => SortedSet::Tree(Box::new(tree)),
    })
}

/// A score as text with its length before it.
fn text_score(input: &mut Input<'_>) -> Result<f64, Fault> {
    Ok(match input.byte()? {
        NOT_A_NUMBER => f64::NAN,
        254 => f64::INFINITY,
        255 => f64::NEG_INFINITY,
        length => parse_f64(input.take(length.into())?).ok_or(Fault::Malformed("A score is no number"))?,
    })
}

pub(super) fn of_packed(kind: u8, input: &mut Input<'_>, limits: &Limits) -> Result<SortedSet, Fault> {
    let list = match kind {
        kind::SORTED_SET_ZIPLIST => ziplist::to_listpack(input.text()?.read_into(&mut Vec::new())?)?,
        _ => listpack(input)?,
    };
    if list.is_empty() {
        return Err(Fault::Empty);
    }
    let wrong = match kind {
        kind::SORTED_SET_ZIPLIST => "Zset ziplist integrity check failed.",
        _ => "Zset listpack integrity check failed.",
    };
    SortedSet::from_listpack(list, limits).ok_or(Fault::Malformed(wrong))
}
