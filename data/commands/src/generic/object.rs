//! OBJECT: how a value is kept and when it was last used.

use crate::keys::*;
use crate::spec::*;
use crate::{Args, Command, Error, Locked, Reply};
use ochre_collections::View;
use ochre_values::{Encoding, Object, Packing};

pub(super) const OBJECT: Command = Command::container(Group::Generic, "OBJECT", SUBCOMMANDS)
    .summary("Holds the commands about how values are kept.")
    .cost("Depends on subcommand.")
    .since("2.2.3")
    .not_in(CAT_KEYSPACE);

const SUBCOMMANDS: &[Command] = &[ENCODING, FREQ, IDLETIME, REFCOUNT, HELP];

const ENCODING: Command = Command::new(Group::Generic, "ENCODING", "key", encoding)
    .summary("Replies how a value is laid out in memory.")
    .cost("O(1)")
    .since("2.2.3")
    .keys(&[KeySpec::at(2, RO)])
    .flags(READONLY)
    .tips(&["nondeterministic_output"]);

/// Strings up to this length are `embstr` unless they were edited.
const EMBSTR_BYTES_MAX: usize = 44;

fn encoding(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    match data.peek(&args.key()) {
        Some(entry) => reply.bulk(encoding_of(entry.view()).name().as_bytes()),
        None => reply.null(),
    }
    Ok(())
}

/// The encoding of a value as an entry shows it.
pub fn encoding_of(view: View<'_, Object>) -> Encoding {
    match view {
        View::Int(_) => Encoding::Int,
        View::Str { bytes, raw } if raw || bytes.len() > EMBSTR_BYTES_MAX => Encoding::Raw,
        View::Str { .. } => Encoding::Embstr,
        View::Packed { kind, .. } => Packing::from_byte(kind).expect("entries hold known packings").encoding(),
        View::Object(object) => object.encoding(),
    }
}

const FREQ: Command = Command::new(Group::Generic, "FREQ", "key", freq)
    .summary("Replies how often a key is used, on a logarithmic scale; needs an LFU policy.")
    .cost("O(1)")
    .since("4.0.0")
    .keys(&[KeySpec::at(2, RO)])
    .flags(READONLY)
    .tips(&["nondeterministic_output"]);

fn freq(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    const NOT_LFU: Error = Error::fixed(
        "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
    );
    let access = data.context().access;
    match data.peek(&args.key()) {
        None => reply.null(),
        Some(_) if !access.is_lfu() => return Err(NOT_LFU),
        Some(entry) => reply.integer(i64::from(access.frequency(entry.clock()))),
    }
    Ok(())
}

const IDLETIME: Command = Command::new(Group::Generic, "IDLETIME", "key", idletime)
    .summary("Replies for how many seconds a key has not been used; needs a policy other than LFU.")
    .cost("O(1)")
    .since("2.2.3")
    .keys(&[KeySpec::at(2, RO)])
    .flags(READONLY)
    .tips(&["nondeterministic_output"]);

fn idletime(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    const LFU: Error = Error::fixed(
        "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
    );
    let access = data.context().access;
    match data.peek(&args.key()) {
        None => reply.null(),
        Some(_) if access.is_lfu() => return Err(LFU),
        Some(entry) => reply.integer(i64::from(access.idle_seconds(entry.clock()))),
    }
    Ok(())
}

const REFCOUNT: Command = Command::new(Group::Generic, "REFCOUNT", "key", refcount)
    .summary("Replies how many references a value has; here it is always its key's own.")
    .cost("O(1)")
    .since("2.2.3")
    .keys(&[KeySpec::at(2, RO)])
    .flags(READONLY)
    .tips(&["nondeterministic_output"]);

fn refcount(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    match data.peek(&args.key()) {
        Some(_) => reply.integer(1),
        None => reply.null(),
    }
    Ok(())
}

const HELP: Command = Command::new(Group::Generic, "HELP", "", help)
    .summary("Lists the subcommands of OBJECT.")
    .cost("O(1)")
    .since("6.2.0")
    .flags(LOADING | STALE);

fn help(_: &mut Locked<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    const LINES: &[&str] = &[
        "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "ENCODING <key>",
        "    Replies how the value of <key> is laid out in memory.",
        "FREQ <key>",
        "    Replies how often <key> is used, on a logarithmic scale.",
        "IDLETIME <key>",
        "    Replies for how many seconds <key> has not been used.",
        "REFCOUNT <key>",
        "    Replies how many references the value of <key> has.",
        "HELP",
        "    Prints this help.",
    ];
    reply.array(LINES.len());
    LINES.iter().for_each(|line| reply.status(line));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::testing::{Db, Null};

    #[test]
    fn strings_are_int_embstr_or_raw() {
        let mut db = Db::new();
        db.check("SET k 12", "OK");
        db.check_quiet("OBJECT ENCODING k", "int");
        db.check("SET k text", "OK");
        db.check_quiet("OBJECT ENCODING k", "embstr");
        db.check(&format!("SET k {}", "x".repeat(45)), "OK");
        db.check_quiet("OBJECT ENCODING k", "raw");
        db.check_quiet("OBJECT ENCODING missing", Null);
        db.check_quiet("OBJECT REFCOUNT k", 1);
    }

    #[test]
    fn idle_time_counts_from_the_last_use() {
        let mut db = Db::new();
        db.check("SET k v", "OK");
        db.sleep_ms(5_000);
        db.context.access = ochre_keyspace::AccessClock::new(Default::default(), db.context.now_ms, 0);
        db.check_quiet("OBJECT IDLETIME k", 1_700_000_005 % (1 << 24));
    }
}
