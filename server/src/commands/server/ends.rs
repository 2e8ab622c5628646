//! SHUTDOWN: the end of the server.

use crate::commands::{Command, SessionCall};
use crate::dispatch::Flow;
use crate::persistence::shutdown::{self, Manner};
use crate::session::Wait;
use crate::shared::Message;
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_resp::Reply;
use std::sync::atomic::Ordering;

pub const SHUTDOWN: Command =
    Command::new(Group::Server, "SHUTDOWN", "[[NOSAVE | SAVE] [NOW] [FORCE] [SAFE] [FAILOVER] | ABORT]", shutdown)
        .summary("Ends the server, after saving the data where that is set up.")
        .cost("O(N) when saving, where N is the number of keys")
        .history(&[("7.0.0", "Takes `NOW`, `FORCE` and `ABORT`.")])
        .flags(ADMIN | NOSCRIPT | LOADING | STALE | NO_MULTI | ALLOW_BUSY);

fn shutdown(call: &mut SessionCall<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (mut manner, mut abort, mut other) = (Manner::default(), false, false);
    while args.remaining() > 0 {
        if args.option("SAVE") {
            manner.save = true;
        } else if args.option("NOSAVE") {
            manner.nosave = true;
        } else if args.option("NOW") {
            manner.now = true;
        } else if args.option("FORCE") {
            manner.force = true;
        } else if args.option("ABORT") {
            abort = true;
        } else if args.option("SAFE") || args.option("FAILOVER") {
            other = true;
        } else {
            return Err(Error::SYNTAX);
        }
    }
    if (manner.save && manner.nosave) || (abort && (other || manner != Manner::default())) {
        return Err(Error::SYNTAX);
    }
    let shared = call.shared();
    if abort {
        if !shutdown::abort(shared) {
            return Err(Error::fixed("ERR No shutdown in progress."));
        }
        reply.ok();
        return Ok(());
    }
    let (thread, client) = (call.worker.id, call.session.id());
    shutdown::begin(
        shared,
        manner,
        Box::new(move |_| {
            let write = Box::new(|reply: &mut Reply<'_>| reply.error("ERR Errors trying to SHUTDOWN. Check logs."));
            shared.desks[thread].post(Message::Answer { client, write });
        }),
    );
    // Who ends the server is not answered: the connection just ends with it.
    if shared.shutting_down.load(Ordering::SeqCst) {
        call.flow = Flow::Close;
    } else {
        call.session.wait = Wait::Answer;
        call.flow = Flow::Blocked;
    }
    Ok(())
}
