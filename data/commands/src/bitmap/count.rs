//! Counting and finding bits: BITCOUNT and BITPOS.

use super::population::{count_ones_between, find_bit};
use crate::keys::*;
use crate::spec::*;
use crate::{Args, Command, Error, Locked, Reply};

pub(super) const BITCOUNT: Command =
    Command::new(Group::Bitmap, "BITCOUNT", "key [start [end [BYTE | BIT]]]", bitcount)
        .summary("Replies how many bits are set in the string at a key, or in a part of it.")
        .cost("O(N), where N is the length of the part")
        .since("2.6.0")
        .history(&[("7.0.0", "BYTE and BIT"), ("8.0.0", "start without end")])
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY);

fn bitcount(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let range = Range::read(args)?;
    let mut buffer = Vec::new();
    let bytes = data.text(&key)?.map_or(&[][..], |text| text.bytes(&mut buffer));
    let part = range.of(bytes.len()).filter(|_| !range.is_reversed());
    let bits = part.map_or(0, |(first, last)| count_ones_between(bytes, first, last));
    reply.integer(bits as i64);
    Ok(())
}

pub(super) const BITPOS: Command = Command::new(Group::Bitmap, "BITPOS", "key bit [start [end [BYTE | BIT]]]", bitpos)
    .summary("Replies the place of the first set or clear bit in the string at a key, or in a part of it.")
    .cost("O(N), where N is the length of the part")
    .since("2.8.7")
    .history(&[("7.0.0", "BYTE and BIT")])
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .flags(READONLY);

fn bitpos(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let on = match args.int()? {
        0 => false,
        1 => true,
        _ => return Err(Error::fixed("ERR The bit argument must be 1 or 0.")),
    };
    let range = Range::read(args)?;
    let Some(text) = data.text(&key)? else {
        // A missing key is an endless row of clear bits.
        reply.integer(if on { -1 } else { 0 });
        return Ok(());
    };
    let mut buffer = Vec::new();
    let bytes = text.bytes(&mut buffer);
    let found = range.of(bytes.len()).map(|(first, last)| find_bit(bytes, on, first, last));
    reply.integer(match found {
        Some(Some(at)) => at as i64,
        // Behind a string whose end was not given, bits are clear.
        Some(None) if !on && range.end.is_none() => bytes.len() as i64 * 8,
        _ => -1,
    });
    Ok(())
}

/// A part of a string as a client gives it.
struct Range {
    start: i64,
    end: Option<i64>,
    in_bits: bool,
}

impl Range {
    /// Reads `[start [end [BYTE | BIT]]]`. As in Valkey, the unit is judged before the end.
    fn read(args: &mut Args<'_>) -> Result<Range, Error> {
        let mut range = Range { start: 0, end: None, in_bits: false };
        if args.remaining() > 3 {
            return Err(Error::SYNTAX);
        }
        if args.remaining() > 0 {
            range.start = args.int()?;
        }
        if args.remaining() > 0 {
            let end = args.clone().int();
            args.word();
            if args.remaining() > 0 {
                range.in_bits = args.option("BIT");
                if !range.in_bits && !args.option("BYTE") {
                    return Err(Error::SYNTAX);
                }
            }
            range.end = Some(end?);
        }
        Ok(range)
    }

    /// Whether both ends are counted from the end of the string, in the wrong order. BITCOUNT then finds nothing, though both may lie
    /// before the string and be moved to its first byte; BITPOS looks there.
    fn is_reversed(&self) -> bool {
        self.start < 0 && self.end.is_some_and(|end| end < 0 && self.start > end)
    }

    /// The first and the last bit of the part in a string of `length` bytes; `None` when it is empty.
    fn of(&self, length: usize) -> Option<(u64, u64)> {
        let end = self.end.unwrap_or(-1);
        let total = length as i64 * if self.in_bits { 8 } else { 1 };
        let place = |at: i64| if at < 0 { at.saturating_add(total).max(0) } else { at };
        let (start, end) = (place(self.start), place(end).min(total - 1));
        if start > end {
            return None;
        }
        let (start, end) = (start as u64, end as u64);
        Some(if self.in_bits { (start, end) } else { (start * 8, end * 8 + 7) })
    }
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::Db;

    #[test]
    fn bitcount_counts_in_bytes_or_bits() {
        let mut db = Db::new();
        db.check_quiet("BITCOUNT b", 0);
        db.check("SET b foobar", "OK");
        for (range, bits) in [
            ("", 26),
            ("0 0", 4),
            ("1 1", 6),
            ("1", 22),
            ("-2 -1 BYTE", 7),
            ("5 30 BIT", 17),
            ("-8 -3 bit", 3),
            ("0 -1 BIT", 26),
            ("5 2", 0),
            ("-1 -5", 0),
            ("-100 -100", 4),
            ("-100 -101", 0),
            ("100 200", 0),
        ] {
            db.check_quiet(&format!("BITCOUNT b {range}"), bits);
        }
        db.check("SET n 12", "OK");
        db.check_quiet("BITCOUNT n", 6);
        for (range, error) in [
            ("x", Error::NOT_AN_INTEGER),
            ("0 x", Error::NOT_AN_INTEGER),
            ("x 0 FOO", Error::NOT_AN_INTEGER),
            ("0 x FOO", Error::SYNTAX),
            ("0 1 BIT BIT", Error::SYNTAX),
            ("x 1 BIT BIT", Error::SYNTAX),
        ] {
            db.check_quiet(&format!("BITCOUNT b {range}"), error.clone());
            db.check_quiet(&format!("BITCOUNT missing {range}"), error);
        }
    }

    #[test]
    fn bitpos_finds_the_first_bit_of_a_kind() {
        let mut db = Db::new();
        db.check_quiet("BITPOS b 0", 0);
        db.check_quiet("BITPOS b 1", -1);
        db.check_quiet("BITPOS b 0 5 6", 0);
        db.check("SET b \"\\xff\\xff\"", "OK");
        for (words, place) in [
            ("0", 16),
            ("0 0", 16),
            ("0 -1", 16),
            ("0 0 -1", -1),
            ("0 0 -1 BIT", -1),
            ("0 5", -1),
            ("1 1", 8),
            ("1 1 0", -1),
            ("1 7 15 BIT", 7),
        ] {
            db.check_quiet(&format!("BITPOS b {words}"), place);
        }
        db.check("SET b \"\\xff\\xf0\\x00\"", "OK");
        db.check_quiet("BITPOS b 0", 12);
        db.check("SET b \"\\x00\\x0f\\x00\"", "OK");
        db.check_quiet("BITPOS b 1 0", 12);
        db.check_quiet("BITPOS b 0 -3 -100", 0);
        db.check_quiet("BITPOS b 1 2", -1);
        db.check("SET b \"\"", "OK");
        db.check_quiet("BITPOS b 0", -1);
        db.check_quiet("BITPOS b 2", "-ERR The bit argument must be 1 or 0.");
        db.check_quiet("BITPOS b x", Error::NOT_AN_INTEGER);
        db.check_quiet("BITPOS b 1 0 x FOO", Error::SYNTAX);
    }
}
