//! HELP of every container of commands, made from the specs of its subcommands.

use super::SessionCall;
use crate::shared::CommandRow;
use ochre_commands::{Args, Error};
use ochre_resp::Reply;

/// Replies what the container of the command that runs can do, two lines a subcommand.
pub fn help(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let container = call.row.full_name.split('|').next().unwrap_or_default();
    let rows = call.shared().commands.rows();
    let row = rows.iter().find(|row| row.full_name == container).expect("HELP is a subcommand of a container");
    let others = row.subcommands.iter().filter(|row| row.spec.name != "HELP");
    let lines: Vec<_> = others.map(usage).collect();
    write(row.spec.name, &lines, reply);
    Ok(())
}

fn usage(row: &CommandRow) -> (String, &str) {
    (format!("{} {}", row.spec.name, row.spec.synopsis).trim_end().to_owned(), row.spec.summary)
}

/// Replies with a head line, each usage with its explanation below, and HELP itself.
pub fn write(container: &str, lines: &[(impl AsRef<str>, &str)], reply: &mut Reply<'_>) {
    reply.array(2 * lines.len() + 3);
    reply.status(&format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    for (usage, about) in lines {
        reply.status(usage.as_ref());
        reply.status(&format!("    {about}"));
    }
    reply.status("HELP");
    reply.status("    Prints this help.");
}
