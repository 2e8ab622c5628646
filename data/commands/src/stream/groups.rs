//! XGROUP: groups and their consumers are made, moved and removed.

use super::ids::parse_id;
use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Edit, Error, Key, Locked, Reply};
use ochre_values::{Stream, StreamId};

pub(super) const XGROUP: Command = Command::container(Group::Stream, "XGROUP", SUBCOMMANDS)
    .summary("Holds the commands about groups of consumers.")
    .cost("Depends on subcommand.")
    .since("5.0.0")
    .not_in(CAT_STREAM);

const SUBCOMMANDS: &[Command] = &[CREATE, SETID, DESTROY, CREATECONSUMER, DELCONSUMER, HELP];

const CREATE: Command =
    Command::new(Group::Stream, "CREATE", "key group <id | $> [MKSTREAM] [ENTRIESREAD entries-read]", create)
        .summary("Makes a group that will read what comes after an id.")
        .cost("O(1)")
        .since("5.0.0")
        .history(&[("7.0.0", "`ENTRIESREAD`.")])
        .keys(&[KeySpec::at(2, RW | INSERT)])
        .flags(WRITE | DENYOOM);

/// More words than this make no sense of CREATE; they are counted with the name and the subcommand.
const CREATE_WORDS_MAX: usize = 8;

fn create(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (key, name, id) = (args.key(), args.word(), args.word());
    let (mut make, mut entries_read) = (false, None);
    while args.remaining() > 0 {
        if args.option("MKSTREAM") {
            make = true;
        } else {
            read_entries_read(args, &mut entries_read)?;
        }
    }
    let mut stream = match make {
        true => data.edit_or_new::<Stream>(&key)?,
        false => data.edit::<Stream>(&key)?.ok_or(Error::STREAM_GROUP_NEEDS_KEY)?,
    };
    if args.len() > CREATE_WORDS_MAX {
        return Err(Error::subcommand_syntax(args.argv().at(1), "XGROUP"));
    }
    let id = if id == b"$" { stream.last_id() } else { parse_id(id, 0)? };
    if !stream.create_group(name, id, entries_read.flatten()) {
        return Err(Error::STREAM_GROUP_EXISTS);
    }
    stream.finish();
    data.changed(&key, Class::STREAM, "xgroup-create");
    reply.ok();
    Ok(())
}

/// Reads ENTRIESREAD with its value: `Some(None)` is -1, which says that nobody knows.
fn read_entries_read(args: &mut Args<'_>, entries_read: &mut Option<Option<u64>>) -> Result<(), Error> {
    if args.remaining() < 2 || !args.option("ENTRIESREAD") {
        return Err(Error::subcommand_syntax(args.argv().at(1), "XGROUP"));
    }
    *entries_read = Some(match args.int()? {
        -1 => None,
        entries => Some(u64::try_from(entries).map_err(|_| Error::STREAM_ENTRIES_READ)?),
    });
    Ok(())
}

/// The stream at `key`, which must have the group.
fn edit_group<'k>(data: &'k mut Locked<'_>, key: &Key<'k>, group: &[u8]) -> Result<Edit<'k, Stream>, Error> {
    let stream = data.edit::<Stream>(key)?.ok_or(Error::STREAM_GROUP_NEEDS_KEY)?;
    match stream.group(group) {
        Some(_) => Ok(stream),
        None => Err(Error::no_group_of_key(key.bytes(), group)),
    }
}

const SETID: Command = Command::new(Group::Stream, "SETID", "key group <id | $> [ENTRIESREAD entries-read]", setid)
    .summary("Lets a group go on reading after an id.")
    .cost("O(1)")
    .since("5.0.0")
    .history(&[("7.0.0", "`ENTRIESREAD`.")])
    .keys(&[KeySpec::at(2, RW | UPDATE)])
    .flags(WRITE);

fn setid(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (key, name, id) = (args.key(), args.word(), args.word());
    let mut entries_read = None;
    while args.remaining() > 0 {
        read_entries_read(args, &mut entries_read)?;
    }
    let mut stream = edit_group(data, &key, name)?;
    let id = match id {
        b"$" => stream.last_id(),
        b"-" => StreamId::MIN,
        b"+" => StreamId::MAX,
        id => parse_id(id, 0)?,
    };
    let group = stream.group_mut(name).expect("it was found");
    group.last_id = id;
    group.entries_read = entries_read.flatten();
    stream.finish();
    data.changed(&key, Class::STREAM, "xgroup-setid");
    reply.ok();
    Ok(())
}

const DESTROY: Command = Command::new(Group::Stream, "DESTROY", "key group", destroy)
    .summary("Removes a group with its consumers and all that is pending; replies 1 if there was one, else 0.")
    .cost("O(N), N pending entries")
    .since("5.0.0")
    .keys(&[KeySpec::at(2, RW | DELETE)])
    .flags(WRITE);

fn destroy(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (key, name) = (args.key(), args.word());
    let mut stream = data.edit::<Stream>(&key)?.ok_or(Error::STREAM_GROUP_NEEDS_KEY)?;
    let destroyed = stream.destroy_group(name);
    stream.finish();
    if destroyed {
        data.changed(&key, Class::STREAM, "xgroup-destroy");
        // Who waits as a member of the group is told.
        data.note_ready(&key);
    }
    reply.count(usize::from(destroyed));
    Ok(())
}

const CREATECONSUMER: Command = Command::new(Group::Stream, "CREATECONSUMER", "key group consumer", createconsumer)
    .summary("Makes a consumer of a group; replies 1 if it is new, else 0.")
    .cost("O(log(N)), N consumers")
    .since("6.2.0")
    .keys(&[KeySpec::at(2, RW | INSERT)])
    .flags(WRITE | DENYOOM);

fn createconsumer(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (key, name, consumer) = (args.key(), args.word(), args.word());
    let now_ms = data.now_ms();
    let mut stream = edit_group(data, &key, name)?;
    let group = stream.group_mut(name).expect("it was found");
    let created = group.create_consumer(consumer, now_ms).is_some();
    stream.finish();
    if created {
        data.changed(&key, Class::STREAM, "xgroup-createconsumer");
    }
    reply.count(usize::from(created));
    Ok(())
}

const DELCONSUMER: Command = Command::new(Group::Stream, "DELCONSUMER", "key group consumer", delconsumer)
    .summary("Removes a consumer of a group with all that is pending with it; replies how much that was.")
    .cost("O(N*log(P)), N entries pending with the consumer, P with the group")
    .since("5.0.0")
    .keys(&[KeySpec::at(2, RW | DELETE)])
    .flags(WRITE);

fn delconsumer(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (key, name, consumer) = (args.key(), args.word(), args.word());
    let mut stream = edit_group(data, &key, name)?;
    let pending = stream.group_mut(name).expect("it was found").delete_consumer(consumer);
    stream.finish();
    if pending.is_some() {
        data.changed(&key, Class::STREAM, "xgroup-delconsumer");
    }
    reply.count(pending.unwrap_or(0));
    Ok(())
}

const HELP: Command = Command::new(Group::Stream, "HELP", "", help)
    .summary("Lists the subcommands.")
    .cost("O(1)")
    .since("5.0.0")
    .flags(LOADING | STALE);

fn help(_: &mut Locked<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    super::reply_help(
        reply,
        &[
            "XGROUP <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
            "CREATE <key> <groupname> <id|$> [option]",
            "    Makes a group that reads what comes after the id. Options are:",
            "    * MKSTREAM",
            "      Makes the stream, too, if there is none.",
            "    * ENTRIESREAD entries_read",
            "      Says how many entries the group has read (for internal use).",
            "CREATECONSUMER <key> <groupname> <consumer>",
            "    Makes a consumer of the group.",
            "DELCONSUMER <key> <groupname> <consumer>",
            "    Removes a consumer of the group.",
            "DESTROY <key> <groupname>",
            "    Removes the group.",
            "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
            "    Lets the group go on after the id.",
            "HELP",
            "    Prints this help.",
        ],
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::Db;

    #[test]
    fn groups_are_made_once() {
        let mut db = Db::new();
        db.check_quiet("XGROUP CREATE s g $", Error::STREAM_GROUP_NEEDS_KEY);
        db.check("XGROUP CREATE s g $ MKSTREAM", "OK");
        assert_eq!((db.events(), db.logged()), (vec!["xgroup-create s".into()], "verbatim".into()));
        db.check_quiet("XGROUP CREATE s g 0", Error::STREAM_GROUP_EXISTS);
        db.check("TYPE s", "stream");
        db.check("XLEN s", 0);
        db.run("XADD s 5-1 f v");
        db.check("XGROUP CREATE s h $ ENTRIESREAD 1", "OK");
        db.check("XGROUP CREATE s i 3", "OK");
        let groups = "[[name g consumers 0 pending 0 last-delivered-id 0-0 entries-read nil lag 1] \
                      [name h consumers 0 pending 0 last-delivered-id 5-1 entries-read 1 lag 0] \
                      [name i consumers 0 pending 0 last-delivered-id 3-0 entries-read nil lag 1]]";
        db.check_quiet("XINFO GROUPS s", groups);
        db.check("XGROUP DESTROY s h", 1);
        assert_eq!(db.events(), ["xgroup-destroy s"]);
        db.check_quiet("XGROUP DESTROY s h", 0);
        db.check_quiet("XGROUP DESTROY missing h", Error::STREAM_GROUP_NEEDS_KEY);
    }

    #[test]
    fn a_group_can_be_moved() {
        let mut db = Db::new();
        db.run("XADD s 5-1 f v");
        db.run("XGROUP CREATE s g $");
        db.check("XGROUP SETID s g 0 ENTRIESREAD 0", "OK");
        assert_eq!((db.events(), db.logged()), (vec!["xgroup-setid s".into()], "verbatim".into()));
        db.check("XREADGROUP GROUP g c STREAMS s >", "[[s [[5-1 [f v]]]]]");
        db.check("XGROUP SETID s g $", "OK");
        db.check_quiet("XGROUP SETID s h 0", Error::no_group_of_key(b"s", b"h"));
        db.check_quiet("XGROUP SETID missing g 0", Error::STREAM_GROUP_NEEDS_KEY);
        db.check_quiet("XGROUP SETID s g x", Error::STREAM_ID);
        db.check("XGROUP SETID s g -", "OK");
        db.check("XGROUP SETID s g +", "OK");
        db.check_quiet("XGROUP SETID s g 0 MKSTREAM", Error::subcommand_syntax(b"SETID", "XGROUP"));
    }

    #[test]
    fn consumers_come_and_go() {
        let mut db = Db::new();
        db.run("XADD s 5-1 f v");
        db.run("XGROUP CREATE s g 0");
        db.check("XGROUP CREATECONSUMER s g a", 1);
        assert_eq!((db.events(), db.logged()), (vec!["xgroup-createconsumer s".into()], "verbatim".into()));
        db.check_quiet("XGROUP CREATECONSUMER s g a", 0);
        db.run("XREADGROUP GROUP g a STREAMS s >");
        db.check("XGROUP DELCONSUMER s g a", 1);
        assert_eq!((db.events(), db.logged()), (vec!["xgroup-delconsumer s".into()], "verbatim".into()));
        db.check_quiet("XGROUP DELCONSUMER s g a", 0);
        db.check_quiet("XPENDING s g - + 10", "[]");
        db.check_quiet("XGROUP CREATECONSUMER s h a", Error::no_group_of_key(b"s", b"h"));
        db.check_quiet("XGROUP DELCONSUMER missing h a", Error::STREAM_GROUP_NEEDS_KEY);
    }

    #[test]
    fn words_are_judged_in_the_order_of_the_peers() {
        let mut db = Db::new();
        db.run("SET text x");
        db.run("XADD s 1 f v");
        db.check_quiet("XGROUP CREATE text g x FOO", Error::subcommand_syntax(b"CREATE", "XGROUP"));
        db.check_quiet("XGROUP CREATE text g 0 ENTRIESREAD -2", Error::STREAM_ENTRIES_READ);
        db.check_quiet("XGROUP CREATE text g 0 ENTRIESREAD x", Error::NOT_AN_INTEGER);
        db.check_quiet("XGROUP CREATE text g 0 ENTRIESREAD", Error::subcommand_syntax(b"CREATE", "XGROUP"));
        db.check_quiet("XGROUP CREATE text g x", Error::WRONG_TYPE);
        db.check_quiet("XGROUP CREATE s g -", Error::STREAM_ID);
        db.check_quiet("XGROUP CREATE new g - MKSTREAM", Error::STREAM_ID);
        db.check_quiet("EXISTS new", 0);
        let many = "XGROUP CREATE s g 0 ENTRIESREAD 1 ENTRIESREAD 1";
        db.check_quiet(many, Error::subcommand_syntax(b"CREATE", "XGROUP"));
    }
}
