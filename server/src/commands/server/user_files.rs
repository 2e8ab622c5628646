//! ACL LOAD and SAVE: the file of users.

use super::users::FLAGS;
use crate::access;
use crate::commands::{Command, SessionCall};
use crate::log;
use ochre_commands::spec::*;
use ochre_commands::{Args, Error};
use ochre_resp::Reply;
use std::path::Path;

const NO_FILE: Error = Error::fixed(
    "ERR This instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command \
     and then issue a CONFIG REWRITE (assuming you have a configuration file set) in order to store users in the \
     configuration.",
);

pub(super) const LOAD: Command = Command::new(Group::Server, "LOAD", "", load)
    .summary("Makes the users those of the ACL file, all or none.")
    .cost("O(N) in the number of users")
    .since("6.0.0")
    .flags(FLAGS);

fn load(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let shared = call.shared();
    let file = shared.settings.security.aclfile.get();
    if file.is_empty() {
        return Err(NO_FILE);
    }
    let every_channel = access::every_channel(&shared.settings);
    let default = shared.access.users().default_user().clone();
    let loaded = access::read_file(&file, &default, every_channel, &shared.access.catalogue)
        .map_err(|errors| Error::text(format!("ERR {errors}")))?;
    access::change(shared, |users| {
        *users = loaded;
        Ok::<_, Error>(())
    })?;
    access::enforce(call, |_| true);
    reply.ok();
    Ok(())
}

pub(super) const SAVE: Command = Command::new(Group::Server, "SAVE", "", save)
    .summary("Writes the users to the ACL file.")
    .cost("O(N) in the number of users")
    .since("6.0.0")
    .flags(FLAGS)
    .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]);

fn save(call: &mut SessionCall<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let shared = call.shared();
    let file = shared.settings.security.aclfile.get();
    if file.is_empty() {
        return Err(NO_FILE);
    }
    let text = shared.access.users().text();
    if let Err(error) = ochre_config::replace_file(Path::new(file.as_str()), &text) {
        log::warning(format_args!("Writing the ACL file {file} failed: {error}"));
        return Err(Error::fixed(
            "ERR There was an error trying to save the ACLs. Please check the server logs for more information",
        ));
    }
    reply.ok();
    Ok(())
}
