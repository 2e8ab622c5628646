//! Strings as a whole: GET and SET.

use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Expiry, Locked, Reply, Text};

pub(super) const GET: Command = Command::new(Group::String, "GET", "key", get)
    .summary("Replies the string at a key.")
    .cost("O(1)")
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .flags(READONLY | FAST);

fn get(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply_text(data.text(&args.key())?, reply);
    Ok(())
}

/// Replies a string, or null when there is none.
pub(super) fn reply_text(text: Option<Text<'_>>, reply: &mut Reply<'_>) {
    match text {
        Some(Text::Bytes(bytes)) => reply.bulk(bytes),
        Some(Text::Int(value)) => reply.bulk_i64(value),
        None => reply.null(),
    }
}

pub(super) const SET: Command = Command::new(Group::String, "SET", "key value [NX | XX]", set)
    .summary("Makes a string the value of a key, whatever was there.")
    .cost("O(1)")
    .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE | VARIABLE)])
    .flags(WRITE | DENYOOM);

fn set(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let value = args.word();
    if args.remaining() == 0 {
        data.set_text(&key, value, Expiry::Clear);
        data.changed(&key, Class::STRING, "set");
        reply.ok();
        return Ok(());
    }
    Err(Error::SYNTAX)
}

#[cfg(test)]
mod tests {
    use crate::testing::{Db, Null};

    #[test]
    fn get_replies_what_set_was_given() {
        let mut db = Db::new();
        db.check_quiet("GET k", Null);
        db.check("SET k value", "OK");
        assert_eq!(db.events(), ["set k"]);
        assert_eq!(db.logged(), "verbatim");
        db.check_quiet("GET k", "value");
    }
}
