//! Group list: both ends, indices, values and moves between lists.

mod blocking;
mod ends;
mod indices;
mod moves;
mod several;
mod values;

use crate::{Args, Command, Error};
use ochre_text::case;
use ochre_values::list::End;

pub const COMMANDS: &[Command] = &[
    ends::LPUSH,
    ends::RPUSH,
    ends::LPUSHX,
    ends::RPUSHX,
    ends::LPOP,
    ends::RPOP,
    several::LMPOP,
    indices::LLEN,
    indices::LINDEX,
    indices::LSET,
    indices::LRANGE,
    indices::LTRIM,
    values::LINSERT,
    values::LREM,
    values::LPOS,
    moves::LMOVE,
    moves::RPOPLPUSH,
    several::LMOVEM,
    blocking::BLPOP,
    blocking::BRPOP,
    blocking::BLMPOP,
    blocking::BLMOVE,
    blocking::BRPOPLPUSH,
    blocking::BLMOVEM,
];

/// The next word as LEFT or RIGHT.
fn end(args: &mut Args<'_>) -> Result<End, Error> {
    let word = args.value()?;
    if case::is(word, "LEFT") {
        Ok(End::Left)
    } else if case::is(word, "RIGHT") {
        Ok(End::Right)
    } else {
        Err(Error::SYNTAX)
    }
}

/// The word for an end.
fn end_word(end: End) -> &'static [u8] {
    match end {
        End::Left => b"LEFT",
        End::Right => b"RIGHT",
    }
}

/// The event of a push at this end.
fn push_event(end: End) -> &'static str {
    match end {
        End::Left => "lpush",
        End::Right => "rpush",
    }
}

/// The event of a pop at this end.
fn pop_event(end: End) -> &'static str {
    match end {
        End::Left => "lpop",
        End::Right => "rpop",
    }
}
