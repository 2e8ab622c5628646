//! Strings in parts: what is appended, cut out and written over.

use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Expiry, Locked, Reply, Text};
use ochre_text::number;

pub(super) const APPEND: Command = Command::new(Group::String, "APPEND", "key value", append)
    .summary("Appends to the string at a key, a new one when there is none; replies its length.")
    .cost("O(1), amortised")
    .since("2.0.0")
    .keys(&[KeySpec::at(1, RW | INSERT)])
    .flags(WRITE | DENYOOM | FAST);

fn append(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let more = args.word();
    let length = match data.append_text(&key, more, data.limits().string_max_bytes)? {
        Some(length) => length.ok_or(Error::STRING_TOO_LONG)?,
        None => {
            data.set_text(&key, more, Expiry::Clear);
            more.len()
        }
    };
    data.changed(&key, Class::STRING, "append");
    reply.count(length);
    Ok(())
}

pub(super) const GETRANGE: Command = Command::new(Group::String, "GETRANGE", "key start end", getrange)
    .summary("Replies a part of the string at a key; negative places count from its end.")
    .cost("O(N), where N is the length of the part")
    .since("2.4.0")
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .flags(READONLY);

pub(super) const SUBSTR: Command = Command::new(Group::String, "SUBSTR", "key start end", getrange)
    .summary("Replies a part of the string at a key, as GETRANGE does.")
    .cost("O(N), where N is the length of the part")
    .since("1.0.0")
    .deprecated("2.0.0", "`GETRANGE`")
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .flags(READONLY);

fn getrange(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let (start, end) = (args.int()?, args.int()?);
    let mut digits = [0; number::I64_TEXT_LEN_MAX];
    let bytes = match data.text(&key)? {
        Some(Text::Bytes(bytes)) => bytes,
        Some(Text::Int(value)) => number::format_i64(value, &mut digits),
        None => &[],
    };
    reply.bulk(part(bytes, start, end));
    Ok(())
}

/// The bytes from `start` to `end`, both inclusive; negative places count from the end.
fn part(bytes: &[u8], start: i64, end: i64) -> &[u8] {
    // Two places before the beginning are both moved to it, but keep their order.
    if start < 0 && end < 0 && start > end {
        return &[];
    }
    let length = bytes.len() as i64;
    let place = |at: i64| if at < 0 { at.saturating_add(length).max(0) } else { at };
    let (start, end) = (place(start), place(end).min(length - 1));
    if start > end { &[] } else { &bytes[start as usize..=end as usize] }
}

pub(super) const SETRANGE: Command = Command::new(Group::String, "SETRANGE", "key offset value", setrange)
    .summary("Writes over a part of the string at a key, which grows with zero bytes where needed; replies its length.")
    .cost("O(N), where N is the length of the part, when the string need not grow")
    .since("2.2.0")
    .keys(&[KeySpec::at(1, RW | UPDATE)])
    .flags(WRITE | DENYOOM);

fn setrange(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let offset = usize::try_from(args.int()?).map_err(|_| Error::OFFSET_OUT_OF_RANGE)?;
    let value = args.word();
    let length = data.peek_text(&key)?.map(|text| text.len());
    if value.is_empty() {
        reply.count(length.unwrap_or(0));
        return Ok(());
    }
    let end = offset.checked_add(value.len()).filter(|end| *end <= data.limits().string_max_bytes);
    let end = end.ok_or(Error::STRING_TOO_LONG)?;
    let write = |bytes: &mut [u8]| bytes[offset..end].copy_from_slice(value);
    match length {
        Some(length) if end <= length => {
            data.change_text(&key, std::slice::from_ref(&(offset..end)), write)?;
        }
        Some(_) => {
            data.edit_text(&key, std::slice::from_ref(&(offset..end)), |bytes| {
                bytes.resize(end, 0);
                write(bytes);
            })?;
        }
        None => {
            let mut bytes = vec![0; end];
            write(&mut bytes);
            data.set_raw_text(&key, bytes, Expiry::Clear);
        }
    }
    data.changed(&key, Class::STRING, "setrange");
    reply.count(length.unwrap_or(0).max(end));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::Db;

    #[test]
    fn append_grows_short_and_long_strings() {
        let mut db = Db::new();
        db.check("APPEND k \"\"", 0);
        db.check("APPEND k 12", 2);
        assert_eq!((db.events(), db.logged()), (vec!["append k".into()], "verbatim".into()));
        db.check("SET k 12", "OK");
        db.check("APPEND k 3", 3);
        let more = "x".repeat(700);
        for length in [703, 1403, 2103] {
            db.check(&format!("APPEND k {more}"), length);
        }
        db.check_quiet("GETRANGE k 0 4", "123xx");
        db.check_quiet("STRLEN k", 2103);
        db.context.limits.string_max_bytes = 2103;
        db.check("APPEND k \"\"", 2103);
        db.check_quiet("APPEND k x", Error::STRING_TOO_LONG);
        db.check_quiet("STRLEN k", 2103);
    }

    #[test]
    fn getrange_cuts_from_both_ends() {
        let mut db = Db::new();
        db.check_quiet("GETRANGE k 0 -1", "");
        db.check("SET k \"This is a string\"", "OK");
        for (range, part) in [
            ("0 3", "This"),
            ("-3 -1", "ing"),
            ("0 -1", "This is a string"),
            ("10 100", "string"),
            ("5 3", ""),
            ("16 20", ""),
            ("-1 -5", ""),
            ("-100 -99", "T"),
            ("-100 -101", ""),
            ("-9223372036854775808 9223372036854775807", "This is a string"),
        ] {
            db.check_quiet(&format!("GETRANGE k {range}"), part);
            db.check_quiet(&format!("SUBSTR k {range}"), part);
        }
        db.check("SET k -123", "OK");
        db.check_quiet("GETRANGE k 0 1", "-1");
        db.check_quiet("GETRANGE k 0 x", Error::NOT_AN_INTEGER);
        db.check("SET k \"\"", "OK");
        db.check_quiet("GETRANGE k 0 0", "");
    }

    #[test]
    fn setrange_writes_over_and_pads() {
        let mut db = Db::new();
        db.check_quiet("SETRANGE k 5 \"\"", 0);
        db.check("SETRANGE k 2 ab", 4);
        db.check_quiet("GET k", "\0\0ab");
        assert_eq!(db.run("SETRANGE k 1 xyz12"), "6");
        assert_eq!((db.events(), db.logged()), (vec!["setrange k".into()], "verbatim".into()));
        db.check_quiet("GET k", "\0xyz12");
        db.check("SETRANGE k 0 a", 6);
        db.check_quiet("GET k", "axyz12");
        db.check_quiet("SETRANGE k 0 \"\"", 6);
        db.check("SET n 123", "OK");
        db.check("SETRANGE n 1 9", 3);
        db.check("INCR n", 194);
        db.check("SETRANGE n 2000 1", 2001);
        db.check("SETRANGE n 1999 1", 2001);
        db.check_quiet("GETRANGE n 1998 2000", "\x0011");
    }

    #[test]
    fn setrange_keeps_to_the_longest_string() {
        let mut db = Db::new();
        db.check_quiet("SETRANGE k -1 x", Error::OFFSET_OUT_OF_RANGE);
        db.check_quiet("SETRANGE k x x", Error::NOT_AN_INTEGER);
        db.check_quiet("SETRANGE k 536870912 x", Error::STRING_TOO_LONG);
        db.check_quiet("SETRANGE k 9223372036854775807 x", Error::STRING_TOO_LONG);
        db.check_quiet("SETRANGE k 9223372036854775807 \"\"", 0);
    }
}
