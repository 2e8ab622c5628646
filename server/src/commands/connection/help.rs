//! CLIENT HELP.

use crate::commands::{Command, SessionCall};
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_resp::Reply;

pub(super) const CLIENT_HELP: Command = Command::new(Group::Connection, "HELP", "", client_help)
    .summary("Lists the subcommands of CLIENT.")
    .cost("O(1)")
    .since("5.0.0")
    .flags(LOADING | STALE);

const LINES: &[&str] = &[
    "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
    "CACHING (YES|NO)",
    "    Tracks the keys of the next command, or does not.",
    "CAPA <capability> [<capability> ...]",
    "    Notes what the client can do.",
    "GETNAME",
    "    Replies the name of this connection.",
    "GETREDIR",
    "    Replies the client that gets this connection's tracking messages.",
    "ID",
    "    Replies the id of this connection.",
    "INFO",
    "    Replies what LIST says of this connection.",
    "KILL <ip:port>",
    "    Closes the connection from this address.",
    "KILL <filter> <value> [<filter> <value> ...]",
    "    Closes connections by ID, TYPE, USER, ADDR, LADDR, SKIPME, MAXAGE, NAME, IDLE, FLAGS,",
    "    LIB-NAME, LIB-VER, DB, CAPA, IP; each but SKIPME also with NOT- before it.",
    "LIST [<filter> <value> ...]",
    "    Replies a line for each connection; the filters are those of KILL.",
    "NO-EVICT (ON|OFF)",
    "    Protects this connection from being closed when clients take too much memory.",
    "NO-TOUCH (ON|OFF)",
    "    Lets the reads of this connection leave keys as cold as they are.",
    "PAUSE <timeout> [WRITE|ALL]",
    "    Lets commands that write, or all, wait for so many milliseconds.",
    "REPLY (ON|OFF|SKIP)",
    "    Says which replies this connection gets.",
    "SETINFO <option> <value>",
    "    Notes LIB-NAME or LIB-VER of the client's library.",
    "SETNAME <name>",
    "    Names this connection.",
    "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
    "         [OPTIN] [OPTOUT] [NOLOOP]",
    "    Tells this connection of changes to keys that it has read.",
    "TRACKINGINFO",
    "    Replies how this connection is told of changes.",
    "UNBLOCK <client-id> [TIMEOUT|ERROR]",
    "    Ends the wait of a blocked client.",
    "UNPAUSE",
    "    Ends a pause.",
    "HELP",
    "    Prints this help.",
];

fn client_help(_: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    reply.array(LINES.len());
    LINES.iter().for_each(|line| reply.status(line));
    Ok(())
}
