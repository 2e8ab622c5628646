//! SHUTDOWN: the end of the server.

use crate::commands::{Command, SessionCall};
use crate::dispatch::Flow;
use crate::log;
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_resp::Reply;

pub const SHUTDOWN: Command =
    Command::new(Group::Server, "SHUTDOWN", "[[NOSAVE | SAVE] [NOW] [FORCE] [SAFE] [FAILOVER] | ABORT]", shutdown)
        .summary("Ends the server, after saving the data where that is set up.")
        .cost("O(N) when saving, where N is the number of keys")
        .history(&[("7.0.0", "Takes `NOW`, `FORCE` and `ABORT`.")])
        .flags(ADMIN | NOSCRIPT | LOADING | STALE | NO_MULTI | ALLOW_BUSY);

fn shutdown(call: &mut SessionCall<'_>, args: &mut Args<'_>, _: &mut Reply<'_>) -> Result<(), Error> {
    let (mut save, mut nosave, mut abort, mut other) = (false, false, false, false);
    while args.remaining() > 0 {
        if args.option("SAVE") {
            save = true;
        } else if args.option("NOSAVE") {
            nosave = true;
        } else if args.option("ABORT") {
            abort = true;
        } else if ["NOW", "FORCE", "SAFE", "FAILOVER"].into_iter().any(|option| args.option(option)) {
            other = true;
        } else {
            return Err(Error::SYNTAX);
        }
    }
    if (save && nosave) || (abort && (save || nosave || other)) {
        return Err(Error::SYNTAX);
    }
    if abort {
        return Err(Error::fixed("ERR No shutdown in progress."));
    }
    log::warning(format_args!("User requested shutdown..."));
    call.shared().stop();
    // There is nobody left to answer: the connection just ends.
    call.flow = Flow::Close;
    Ok(())
}
