//! SET and MSET with values that have types (see `ochre_resp::typed`); what reads them back is GET and MGET.

use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Expiry, Locked, Reply};
use ochre_rdb::{Dialect, dump};
use ochre_resp::request::TYPED;

/// SET and MSET as clients that send typed arguments mean them: triples of a key, a mark and a value, which has types if the mark
/// is `TYPED`. They are called in place of the plain ones, and are in no table.
pub const SET_STRUCTURED: &[Command] = &[
    Command::new(Group::String, "SET", "key mark value", set_structured)
        .summary("Makes a value with types the value of a key.")
        .cost("O(N), where N is the length of the value")
        .keys(&[KeySpec::at(1, OW | UPDATE)])
        .flags(WRITE | DENYOOM),
    Command::new(Group::String, "MSET", "key mark value [key mark value ...]", set_structured)
        .summary("Makes values, with types or plain, the values of several keys at once.")
        .cost("O(N), where N is the length of all values")
        .keys(&[KeySpec::span(1, -1, 3, OW | UPDATE)])
        .flags(WRITE | DENYOOM),
];

fn set_structured(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    while args.remaining() >= 3 {
        let (key, is_typed, value) = (args.key(), args.word() == TYPED, args.word());
        if is_typed {
            data.set_structured(&key, value);
            if data.log_wanted() {
                // Peers' readers of the log know no typed arguments; this they refuse by its name, and we read it.
                let payload = data.peek(&key).map(|entry| dump(entry.view(), Dialect::Portable)).unwrap_or_default();
                data.log(&[b"RESTORE", key.bytes(), b"0", &payload, b"REPLACE"]);
            }
        } else {
            data.set_text(&key, value, Expiry::Clear);
            data.log(&[b"SET", key.bytes(), value]);
        }
        data.changed(&key, Class::STRING, "set");
    }
    reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::{Db, Null};
    use ochre_collections::View;
    use ochre_rdb::{Dialect, dump};
    use ochre_values::Object;

    #[test]
    fn a_value_with_types_is_no_string() {
        let mut db = Db::new();
        let value = Object::Structured(b"%1\r\n$1\r\na\r\n*2\r\n:1\r\n$-1\r\n".as_slice().into());
        let payload = dump(View::Object(&value), Dialect::Portable);
        assert_eq!(db.run_words(&[b"RESTORE", b"k", b"0", &payload]), "OK");
        db.check("TYPE k", "structured");
        db.check("GET k", "[a [1 nil]]");
        db.check("SET plain x", "OK");
        db.check("MGET k plain none", "[[a [1 nil]] x nil]");
        for line in ["APPEND k x", "STRLEN k", "INCR k", "LPUSH k x", "GETRANGE k 0 1", "GETDEL k"] {
            assert!(db.run(line).starts_with("-WRONGTYPE"), "{line}: {}", db.run(line));
        }
        db.check("OBJECT ENCODING k", "raw");
        db.check("COPY k l", 1);
        db.check("GET l", "[a [1 nil]]");
        db.check("SET k plain", "OK");
        db.check("GET k", "plain");
        db.check("DEL k l", 2);
        db.check("GET l", Null);
    }
}
