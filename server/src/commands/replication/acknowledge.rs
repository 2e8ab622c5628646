//! WAIT and WAITAOF: until the writes so far have reached so many copies.

use super::{Command, SessionCall};
use crate::blocking;
use crate::replication;
use crate::shared::Shared;
use ochre_commands::spec::*;
use ochre_commands::{Args, Error, timeout};
use ochre_resp::Reply;
use ochre_text::{case, number};

pub(super) const WAIT: Command = Command::new(Group::Generic, "WAIT", "numreplicas timeout", wait)
    .summary("Waits until the connection's writes have reached so many replicas; replies how many have them.")
    .cost("O(1)")
    .since("3.0.0")
    .flags(BLOCKING)
    .categories(CAT_CONNECTION)
    .not_in(CAT_KEYSPACE)
    .tips(&["request_policy:all_shards", "response_policy:agg_min"]);

fn wait(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let replicas = args.int()?;
    let timeout_ms = timeout::milliseconds(args, call.worker.context.now_ms)?;
    let wanted = Copies { files: 0, replicas };
    wait_for(call, "WAIT", wanted, timeout_ms, reply)
}

pub(super) const WAITAOF: Command = Command::new(Group::Generic, "WAITAOF", "numlocal numreplicas timeout", waitaof)
    .summary("Waits until the connection's writes are in append-only files here and on replicas; replies in how many.")
    .cost("O(1)")
    .since("7.2.0")
    .flags(BLOCKING)
    .categories(CAT_CONNECTION)
    .not_in(CAT_KEYSPACE)
    .tips(&["request_policy:all_shards", "response_policy:agg_min"]);

fn waitaof(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    const BAD_LOCAL: Error = Error::fixed("ERR value is out of range, value must between 0 and 1");
    const NO_FILE: Error = Error::fixed("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.");
    let files = args.int()?;
    if !(0..=1).contains(&files) {
        return Err(BAD_LOCAL);
    }
    let replicas = number::parse_i64(args.word()).filter(|replicas| *replicas >= 0).ok_or(Error::NOT_POSITIVE)?;
    let timeout_ms = timeout::milliseconds(args, call.worker.context.now_ms)?;
    if files > 0 && !call.shared().settings.persistence.appendonly.get() {
        return Err(NO_FILE);
    }
    wait_for(call, "WAITAOF", Copies { files, replicas }, timeout_ms, reply)
}

/// In how many places something is.
struct Copies {
    /// Append-only files of this server, 0 or 1.
    files: i64,
    replicas: i64,
}

/// What the log up to `offset` has reached; `on_disk`: the replicas' files count.
fn reached(shared: &Shared, offset: u64, on_disk: bool) -> Copies {
    let is_kept = shared.aof.is_on.load(std::sync::atomic::Ordering::Relaxed);
    let replicas = shared.replication.having(offset, on_disk) as i64;
    Copies { files: i64::from(is_kept && shared.log.durable() >= offset), replicas }
}

fn wait_for(
    call: &mut SessionCall<'_>,
    name: &str,
    wanted: Copies,
    timeout_ms: u64,
    reply: &mut Reply<'_>,
) -> Result<(), Error> {
    // What others have written since is waited for, too: that costs the next sync at most.
    let shared = call.shared();
    if shared.replication.follows() {
        return Err(Error::text(format!("ERR {name} cannot be used with replica instances.")));
    }
    let on_disk = name == "WAITAOF";
    let offset = shared.log.units_end();
    let there = reached(shared, offset, on_disk);
    let is_enough = there.files >= wanted.files && there.replicas >= wanted.replicas;
    // Within a transaction nobody waits.
    if is_enough || call.held.is_some() {
        write(name.as_bytes(), &there, reply);
    } else {
        let words = vec![name.as_bytes().into(), offset.to_string().into_bytes().into()];
        let (flow, waiter) = blocking::block_for_nothing(call.worker, call.session, words, timeout_ms);
        call.flow = flow;
        if wanted.replicas == 0 {
            call.worker.wait_for_disk(offset, waiter);
        } else {
            let replicas = usize::try_from(wanted.replicas).unwrap_or(usize::MAX);
            replication::wait_for_replicas(shared, offset, replicas, on_disk, wanted.files > 0, waiter);
        }
    }
    Ok(())
}

/// Writes what the command of a client that waits no longer replies; says no when it is neither WAIT nor WAITAOF.
pub fn write_reached(shared: &Shared, words: &[Box<[u8]>], reply: &mut Reply<'_>) -> bool {
    let offset = words.get(1).and_then(|word| number::parse_u64(word)).unwrap_or(u64::MAX);
    let on_disk = case::is(&words[0], "WAITAOF");
    write(&words[0], &reached(shared, offset, on_disk), reply)
}

fn write(command: &[u8], there: &Copies, reply: &mut Reply<'_>) -> bool {
    if case::is(command, "WAIT") {
        reply.integer(there.replicas);
    } else if case::is(command, "WAITAOF") {
        reply.array(2);
        reply.integer(there.files);
        reply.integer(there.replicas);
    } else {
        return false;
    }
    true
}
