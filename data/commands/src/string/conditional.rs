//! Conditions on the value that is there: compare and set, compare and delete, and the digests that they compare.

use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Key, Locked, Reply, Text};
use ochre_digest::{hex, xxh3_64};
use ochre_text::case;

/// A condition on a key before it is set or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition<'a> {
    /// The key does not exist.
    Nx,
    /// The key exists.
    Xx,
    /// The key holds this string.
    IfEq(&'a [u8]),
    /// The key does not exist, or holds another string.
    IfNe(&'a [u8]),
    /// The key holds a string with this digest.
    IfDeq([u8; 16]),
    /// The key does not exist, or holds a string with another digest.
    IfDne([u8; 16]),
}

impl<'a> Condition<'a> {
    /// Reads the next words, which must be a condition.
    pub(super) fn read(args: &mut Args<'a>) -> Result<Condition<'a>, Error> {
        let word = args.word();
        Ok(if case::is(word, "NX") {
            Condition::Nx
        } else if case::is(word, "XX") {
            Condition::Xx
        } else if case::is(word, "IFEQ") {
            Condition::IfEq(args.value()?)
        } else if case::is(word, "IFNE") {
            Condition::IfNe(args.value()?)
        } else if case::is(word, "IFDEQ") {
            Condition::IfDeq(read_digest(args.value()?)?)
        } else if case::is(word, "IFDNE") {
            Condition::IfDne(read_digest(args.value()?)?)
        } else {
            return Err(Error::SYNTAX);
        })
    }

    /// Whether the condition is one of those that every server knows.
    pub(super) fn is_about_existence(&self) -> bool {
        matches!(self, Condition::Nx | Condition::Xx)
    }

    /// Whether the condition holds for `key`.
    ///
    /// # Errors
    /// A condition on the value of a key that holds no string.
    pub(super) fn holds(&self, data: &Locked<'_>, key: &Key<'_>) -> Result<bool, Error> {
        Ok(match self {
            Condition::Nx => data.peek(key).is_none(),
            Condition::Xx => data.peek(key).is_some(),
            Condition::IfEq(value) => data.peek_text(key)?.is_some_and(|text| text.is(value)),
            Condition::IfNe(value) => data.peek_text(key)?.is_none_or(|text| !text.is(value)),
            Condition::IfDeq(digest) => data.peek_text(key)?.is_some_and(|text| digest_of(text) == *digest),
            Condition::IfDne(digest) => data.peek_text(key)?.is_none_or(|text| digest_of(text) != *digest),
        })
    }
}

/// A digest as a client writes it, in lower case.
fn read_digest(word: &[u8]) -> Result<[u8; 16], Error> {
    let digest: [u8; 16] = word.try_into().map_err(|_| Error::BAD_DIGEST)?;
    if !digest.iter().all(u8::is_ascii_hexdigit) {
        return Err(Error::BAD_DIGEST);
    }
    Ok(digest.map(|digit| digit.to_ascii_lowercase()))
}

/// The XXH3 of a string in hexadecimal.
fn digest_of(text: Text<'_>) -> [u8; 16] {
    let mut buffer = Vec::new();
    hex(&xxh3_64(text.bytes(&mut buffer)).to_be_bytes())
}

pub(super) const DELEX: Command = Command::new(
    Group::String,
    "DELEX",
    "key [IFEQ comparison-value | IFNE comparison-value | IFDEQ digest | IFDNE digest]",
    delex,
)
.summary("Removes a key on a condition on its string; replies how many keys were removed.")
.cost("O(1); IFDEQ and IFDNE: O(N), where N is the length of the string")
.since("8.4.0")
.keys(&[KeySpec::at(1, RW | DELETE | VARIABLE)])
.flags(WRITE | FAST);

fn delex(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let condition = if args.remaining() == 0 { Condition::Xx } else { Condition::read(args)? };
    if args.len() > 2 && condition.is_about_existence() {
        return Err(Error::SYNTAX);
    }
    args.finish()?;
    remove_if(data, &key, condition, reply)
}

pub(super) const DELIFEQ: Command = Command::new(Group::String, "DELIFEQ", "key value", delifeq)
    .summary("Removes a key if it holds this string; replies how many keys were removed.")
    .cost("O(1)")
    .since("9.0.0")
    .keys(&[KeySpec::at(1, RM | DELETE)])
    .flags(WRITE | FAST);

fn delifeq(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let condition = Condition::IfEq(args.word());
    remove_if(data, &key, condition, reply)
}

fn remove_if(
    data: &mut Locked<'_>,
    key: &Key<'_>,
    condition: Condition<'_>,
    reply: &mut Reply<'_>,
) -> Result<(), Error> {
    let removed = data.peek(key).is_some() && condition.holds(data, key)?;
    if removed {
        data.remove(key);
        data.changed(key, Class::GENERIC, "del");
        data.log(&[b"DEL", key.bytes()]);
    }
    reply.integer(i64::from(removed));
    Ok(())
}

pub(super) const DIGEST: Command = Command::new(Group::String, "DIGEST", "key", digest)
    .summary("Replies the XXH3 digest of the string at a key in hexadecimal.")
    .cost("O(N), where N is the length of the string")
    .since("8.4.0")
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .flags(READONLY | FAST);

fn digest(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    match data.text(&args.key())? {
        Some(text) => reply.bulk(&digest_of(text)),
        None => reply.null(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::{Db, Null};

    #[test]
    fn digest_is_that_of_the_manual() {
        let mut db = Db::new();
        db.check_quiet("DIGEST k", Null);
        db.check("SET k \"Hello world\"", "OK");
        db.check_quiet("DIGEST k", "b6acb9d84a38ff74");
        // Leading zeros stay.
        let value = "v8lf0c11xh8ymlqztfd3eeq16kfn4sspw7fqmnuuq3k3t75em5wdizgcdw7uc26nnf961u2jkfzkjytls2kwlj7626sd";
        db.check(&format!("SET k {value}"), "OK");
        db.check_quiet("DIGEST k", "00006c38adf31777");
        db.check("SET k 12", "OK");
        let of_integer = db.run("DIGEST k");
        db.check("SETRANGE k 0 12", 2);
        db.check_quiet("DIGEST k", of_integer.as_str());
    }

    #[test]
    fn delex_removes_on_a_condition() {
        let mut db = Db::new();
        for command in ["DELEX k", "DELEX k IFEQ a", "DELEX k IFNE a", "DELEX k IFDNE 0000000000000000"] {
            db.check_quiet(command, 0);
        }
        db.check("SET k 5", "OK");
        db.check_quiet("DELEX k IFEQ 6", 0);
        db.check_quiet("DELEX k IFNE 5", 0);
        db.check_quiet("DELEX k IFDEQ 0000000000000000", 0);
        db.check("DELEX k IFEQ 5", 1);
        assert_eq!(db.events(), ["del k"]);
        assert_eq!(db.logged(), "DEL k");
        db.check("SET k 5", "OK");
        let digest = db.run("DIGEST k");
        db.check_quiet(&format!("DELEX k IFDNE {digest}"), 0);
        db.check(&format!("DELEX k IFDEQ {digest}"), 1);
        db.check("SET k 5", "OK");
        db.check("DELEX k", 1);
        for words in ["NX", "XX", "IFEQ", "IFEQ a b", "FOO 1"] {
            db.check_quiet(&format!("DELEX k {words}"), Error::SYNTAX);
        }
        db.check_quiet("DELEX k IFDEQ 1", Error::BAD_DIGEST);
    }

    #[test]
    fn delifeq_removes_an_equal_string() {
        let mut db = Db::new();
        db.check_quiet("DELIFEQ k a", 0);
        db.check("SET k a", "OK");
        db.check_quiet("DELIFEQ k b", 0);
        db.check("DELIFEQ k a", 1);
        assert_eq!((db.events(), db.logged()), (vec!["del k".into()], "DEL k".into()));
    }
}
