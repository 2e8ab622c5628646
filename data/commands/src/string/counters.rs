//! Strings that are numbers.

use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Key, Locked, Reply};

pub(super) const INCR: Command = Command::new(Group::String, "INCR", "key", incr)
    .summary("Adds one to the integer at a key; a missing key counts as 0.")
    .cost("O(1)")
    .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
    .flags(WRITE | DENYOOM | FAST);

fn incr(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    add(data, &key, 1, reply)
}

/// Adds `increment` to the integer at `key` and replies the sum.
fn add(data: &mut Locked<'_>, key: &Key<'_>, increment: i64, reply: &mut Reply<'_>) -> Result<(), Error> {
    let old = match data.text(key)? {
        Some(text) => text.as_int().ok_or(Error::NOT_AN_INTEGER)?,
        None => 0,
    };
    let new = old.checked_add(increment).ok_or(Error::OVERFLOW)?;
    data.set_int(key, new);
    data.changed(key, Class::STRING, "incrby");
    reply.integer(new);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::Db;

    #[test]
    fn incr_counts_from_zero_and_refuses_what_is_no_integer() {
        let mut db = Db::new();
        db.check("INCR n", 1);
        db.check("INCR n", 2);
        assert_eq!(db.events(), ["incrby n"]);
        db.check("SET n 9223372036854775807", "OK");
        db.check_quiet("INCR n", Error::OVERFLOW);
        db.check("SET n text", "OK");
        db.check_quiet("INCR n", Error::NOT_AN_INTEGER);
    }
}
