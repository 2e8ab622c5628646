//! Single bits: SETBIT and GETBIT.

use super::offset::{bit_offset, mask};
use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Expiry, Locked, Reply};

pub(super) const SETBIT: Command = Command::new(Group::Bitmap, "SETBIT", "key offset value", setbit)
    .summary(
        "Sets or clears a bit of the string at a key, which grows with zero bytes where needed; replies what it was.",
    )
    .cost("O(1)")
    .since("2.2.0")
    .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
    .flags(WRITE | DENYOOM);

fn setbit(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let offset = bit_offset(data, args.word(), None)?;
    let on = match args.word() {
        b"0" => false,
        b"1" => true,
        _ => return Err(Error::BIT_VALUE),
    };
    let (at, mask) = ((offset / 8) as usize, mask(offset));
    let set = |byte: &mut u8| {
        let was = *byte & mask != 0;
        *byte = if on { *byte | mask } else { *byte & !mask };
        was
    };
    let changed = at..at + 1;
    let changed = std::slice::from_ref(&changed);
    let in_place = data.change_text(&key, changed, |bytes| bytes.get_mut(at).map(set))?;
    let (was, changed) = match in_place {
        Some(Some(was)) => (was, was != on),
        Some(None) => {
            data.edit_text(&key, changed, |bytes| {
                bytes.resize(at + 1, 0);
                set(&mut bytes[at]);
            })?;
            (false, true)
        }
        None => {
            let mut bytes = vec![0; at + 1];
            set(&mut bytes[at]);
            data.set_raw_text(&key, bytes, Expiry::Clear);
            (false, true)
        }
    };
    if changed {
        data.changed(&key, Class::STRING, "setbit");
    }
    reply.integer(i64::from(was));
    Ok(())
}

pub(super) const GETBIT: Command = Command::new(Group::Bitmap, "GETBIT", "key offset", getbit)
    .summary("Replies a bit of the string at a key; bits behind its end are clear.")
    .cost("O(1)")
    .since("2.2.0")
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .flags(READONLY | FAST);

fn getbit(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let offset = bit_offset(data, args.word(), None)?;
    let mut buffer = Vec::new();
    let bytes = data.text(&key)?.map_or(&[][..], |text| text.bytes(&mut buffer));
    let byte = bytes.get((offset / 8) as usize).copied().unwrap_or(0);
    reply.integer(i64::from(byte & mask(offset) != 0));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::Db;

    #[test]
    fn setbit_replies_what_was_and_grows_the_string() {
        let mut db = Db::new();
        db.check("SETBIT b 1 1", 0);
        assert_eq!((db.events(), db.logged()), (vec!["setbit b".into()], "verbatim".into()));
        db.check_quiet("SETBIT b 1 1", 1);
        db.check_quiet("GET b", "@");
        db.check("SETBIT b 1 0", 1);
        db.check("SETBIT b 20 0", 0);
        db.check_quiet("STRLEN b", 3);
        db.check("SETBIT b 100000 1", 0);
        db.check("SETBIT b 99999 1", 0);
        db.check_quiet("GETBIT b 100000", 1);
        db.check_quiet("GETBIT b 99998", 0);
        db.check_quiet("STRLEN b", 12_501);
    }

    #[test]
    fn bits_of_an_integer_are_those_of_its_digits() {
        let mut db = Db::new();
        db.check("SET n 123", "OK");
        db.check_quiet("GETBIT n 2", 1);
        db.check("SETBIT n 7 0", 1);
        db.check_quiet("GET n", "023");
    }

    #[test]
    fn an_offset_lies_in_the_longest_string() {
        let mut db = Db::new();
        for offset in ["-1", "x", "4294967296", "99999999999999999999", "#1", "01"] {
            db.check_quiet(&format!("SETBIT b {offset} 1"), Error::BIT_OFFSET);
            db.check_quiet(&format!("GETBIT b {offset}"), Error::BIT_OFFSET);
        }
        db.check_quiet("GETBIT b 4294967295", 0);
        for bit in ["2", "x", "01"] {
            db.check_quiet(&format!("SETBIT b 0 {bit}"), Error::BIT_VALUE);
        }
    }
}
