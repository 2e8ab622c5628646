//! Whole bitmaps combined bit by bit: BITOP.

use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Expiry, Locked, Reply, Text};
use ochre_text::case;
use std::borrow::Cow;

pub(super) const BITOP: Command = Command::new(
    Group::Bitmap,
    "BITOP",
    "<AND | OR | XOR | NOT | DIFF | DIFF1 | ANDOR | ONE> destkey key [key ...]",
    bitop,
)
.summary("Combines the strings at some keys bit by bit and makes the result the value of another; replies its length.")
.cost("O(N*M), where N is the number of keys and M the length of the longest string")
.since("2.6.0")
.history(&[("8.2.0", "DIFF, DIFF1, ANDOR and ONE")])
.keys(&[KeySpec::at(2, OW | UPDATE), KeySpec::span(3, -1, 1, RO | ACCESS)])
.flags(WRITE | DENYOOM);

fn bitop(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let name = args.word();
    let (_, operation) = OPERATIONS.iter().find(|(word, _)| case::is(name, word)).ok_or(Error::SYNTAX)?;
    let destination = args.key();
    match operation {
        Operation::Not if args.remaining() != 1 => return Err(NOT_OF_SEVERAL),
        Operation::Diff | Operation::Diff1 | Operation::AndOr if args.remaining() < 2 => {
            let name = String::from_utf8_lossy(name).to_uppercase();
            return Err(Error::text(format!("ERR BITOP {name} must be called with at least two source keys.")));
        }
        _ => {}
    }
    let mut sources = Vec::with_capacity(args.remaining());
    while args.remaining() > 0 {
        sources.push(match data.text(&args.key())? {
            Some(Text::Bytes(bytes)) => Cow::Borrowed(bytes),
            Some(text) => Cow::Owned(text.to_vec()),
            None => Cow::Borrowed(&[][..]),
        });
    }
    let result = combine(*operation, &sources);
    let length = result.len();
    if length > 0 {
        data.set_raw_text(&destination, result, Expiry::Clear);
        data.changed(&destination, Class::STRING, "set");
    } else if data.remove(&destination) {
        data.changed(&destination, Class::GENERIC, "del");
    }
    reply.count(length);
    Ok(())
}

const NOT_OF_SEVERAL: Error = Error::fixed("ERR BITOP NOT must be called with a single source key.");

/// What becomes of the bits that the sources have in one place. X is the first source, Y any of the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Operation {
    And,
    Or,
    Xor,
    Not,
    /// In X, but in no Y.
    Diff,
    /// In some Y, but not in X.
    Diff1,
    /// In X and in some Y.
    AndOr,
    /// In exactly one source.
    One,
}

const OPERATIONS: &[(&str, Operation)] = &[
    ("AND", Operation::And),
    ("OR", Operation::Or),
    ("XOR", Operation::Xor),
    ("NOT", Operation::Not),
    ("DIFF", Operation::Diff),
    ("DIFF1", Operation::Diff1),
    ("ANDOR", Operation::AndOr),
    ("ONE", Operation::One),
];

/// Bytes that are combined at a time, so that they stay in the cache while source after source is added.
const BLOCK_BYTES: usize = 8192;

/// The sources combined; shorter ones go on with zero bytes to the length of the longest.
fn combine(operation: Operation, sources: &[Cow<'_, [u8]>]) -> Vec<u8> {
    let length = sources.iter().map(|source| source.len()).max().unwrap_or(0);
    let mut result = Vec::with_capacity(length);
    let mut more = [0; BLOCK_BYTES];
    for start in (0..length).step_by(BLOCK_BYTES) {
        let block_bytes = BLOCK_BYTES.min(length - start);
        // What of a source lies in this block; the rest of it is zero.
        let part = |at: usize| -> &[u8] {
            let source = &sources[at];
            source.get(start..).map_or(&[], |rest| &rest[..rest.len().min(block_bytes)])
        };
        result.extend_from_slice(part(0));
        result.resize(start + block_bytes, 0);
        let block = &mut result[start..];
        let others = (1..sources.len()).map(part);
        match operation {
            Operation::And => others.for_each(|other| {
                merge(block, other, |a, b| a & b);
                block[other.len()..].fill(0);
            }),
            Operation::Or => others.for_each(|other| merge(block, other, |a, b| a | b)),
            Operation::Xor => others.for_each(|other| merge(block, other, |a, b| a ^ b)),
            Operation::Not => block.iter_mut().for_each(|byte| *byte = !*byte),
            Operation::Diff | Operation::Diff1 | Operation::AndOr => {
                let any = &mut more[..block_bytes];
                any.fill(0);
                others.for_each(|other| merge(any, other, |a, b| a | b));
                match operation {
                    Operation::Diff => merge(block, any, |x, y| x & !y),
                    Operation::Diff1 => merge(block, any, |x, y| !x & y),
                    _ => merge(block, any, |x, y| x & y),
                }
            }
            Operation::One => {
                // Bits that were seen more than once.
                let many = &mut more[..block_bytes];
                many.fill(0);
                for other in others {
                    for ((one, many), other) in block.iter_mut().zip(&mut *many).zip(other) {
                        *many |= *one & other;
                        *one |= other;
                    }
                }
                merge(block, many, |one, many| one & !many);
            }
        }
    }
    result
}

/// Puts what `with` makes of each byte and its counterpart into `bytes`, as far as `other` goes.
#[inline(always)]
fn merge(bytes: &mut [u8], other: &[u8], with: impl Fn(u8, u8) -> u8) {
    for (byte, other) in bytes.iter_mut().zip(other) {
        *byte = with(*byte, *other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Db, Null};
    use proptest::prelude::*;

    #[test]
    fn bitop_combines_and_pads_with_zero_bytes() {
        let mut db = Db::new();
        db.check("MSET a abc b a", "OK");
        db.check("BITOP AND r a b", 3);
        assert_eq!((db.events(), db.logged()), (vec!["set r".into()], "verbatim".into()));
        db.check_quiet("GET r", "a\0\0");
        db.check("BITOP or r a b missing", 3);
        db.check_quiet("GET r", "abc");
        db.check("BITOP XOR r a b", 3);
        db.check_quiet("GET r", "\0bc");
        db.check("BITOP NOT r a", 3);
        db.check("BITOP NOT r r", 3);
        db.check_quiet("GET r", "abc");
        db.check("SET n 12", "OK");
        db.check("BITOP OR r n", 2);
        db.check_quiet("GET r", "12");
    }

    #[test]
    fn bitop_of_nothing_removes_the_result() {
        let mut db = Db::new();
        db.check_quiet("BITOP AND r missing", 0);
        db.check("SET r x", "OK");
        db.check("BITOP OR r missing", 0);
        assert_eq!(db.events(), ["del r"]);
        db.check_quiet("GET r", Null);
    }

    #[test]
    fn bitop_judges_the_number_of_sources() {
        let mut db = Db::new();
        db.check_quiet("BITOP FOO r a", Error::SYNTAX);
        db.check_quiet("BITOP NOT r a b", NOT_OF_SEVERAL);
        for name in ["DIFF", "DIFF1", "ANDOR"] {
            let error = format!("-ERR BITOP {name} must be called with at least two source keys.");
            db.check_quiet(&format!("BITOP {name} r a"), error.as_str());
        }
    }

    proptest! {
        #[test]
        fn every_operation_follows_its_definition(
            lengths in prop::collection::vec(0..20_000usize, 1..5),
            seed: u64,
            which in 0..OPERATIONS.len(),
        ) {
            let mut state = seed;
            let mut random = || {
                state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(1);
                (state >> 56) as u8
            };
            let sources: Vec<Cow<'_, [u8]>> =
                lengths.iter().map(|length| (0..*length).map(|_| random()).collect::<Vec<u8>>().into()).collect();
            let (_, operation) = OPERATIONS[which];
            let result = combine(operation, &sources);
            prop_assert_eq!(result.len(), lengths.iter().copied().max().unwrap());
            for (at, byte) in result.iter().enumerate() {
                let of = |source: &Cow<'_, [u8]>| source.get(at).copied().unwrap_or(0);
                let x = of(&sources[0]);
                let any = sources[1..].iter().map(of).fold(0, |all, y| all | y);
                let expected = match operation {
                    Operation::And => sources.iter().map(of).fold(0xff, |all, y| all & y),
                    Operation::Or => x | any,
                    Operation::Xor => sources.iter().map(of).fold(0, |all, y| all ^ y),
                    Operation::Not => !x,
                    Operation::Diff => x & !any,
                    Operation::Diff1 => !x & any,
                    Operation::AndOr => x & any,
                    Operation::One => (0..8).map(|bit| 1 << bit).filter(|mask| {
                        sources.iter().filter(|source| of(source) & mask != 0).count() == 1
                    }).sum(),
                };
                prop_assert_eq!(*byte, expected, "byte {}", at);
            }
        }
    }
}
