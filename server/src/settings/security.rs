//! Settings of security: passwords, users, and what only trusted clients may do.

use ochre_config::{Live, Shared, choices};

use super::{LONG, Row, Settings};

/// Live values of this file's settings.
#[derive(Default)]
pub(crate) struct Security {
    pub(crate) requirepass: Shared<Vec<u8>>,
    pub(crate) requirepass_file: Shared<String>,
    pub(crate) aclfile: Shared<String>,
    pub(crate) acllog_max_len: Live<usize>,
    pub(crate) acl_pubsub_default: Live<PubsubDefault>,
    pub(crate) enable_protected_configs: Live<ProtectedAction>,
    pub(crate) enable_debug_command: Live<ProtectedAction>,
    pub(crate) enable_module_command: Live<ProtectedAction>,
    pub(crate) busy_reply_threshold_ms: Live<u64>,
    pub(crate) command_aliases: Live<bool>,
}

choices! {
    /// Which channels a new user may use.
    pub(crate) enum PubsubDefault {
        AllChannels = "allchannels",
        ResetChannels = "resetchannels",
    }
}

choices! {
    /// Who may do something dangerous.
    pub(crate) enum ProtectedAction {
        No = "no",
        Yes = "yes",
        /// Clients of this machine.
        Local = "local",
    }
}

impl ProtectedAction {
    /// Whether a client may do it.
    pub(crate) fn allows(self, client_is_local: bool) -> bool {
        match self {
            ProtectedAction::No => false,
            ProtectedAction::Yes => true,
            ProtectedAction::Local => client_is_local,
        }
    }
}

impl Settings {
    /// Whether CONFIG SET may change protected settings for such a client.
    pub(crate) fn may_set_protected(&self, client_is_local: bool) -> bool {
        self.security.enable_protected_configs.get().allows(client_is_local)
    }
}

pub(super) const ROWS: &[Row] = &[
    Row::optional("requirepass", "Password of the default user.").secret().mirrored(|live| &live.security.requirepass),
    Row::optional("requirepass-file", "File whose first line is that password, so that it stands in no settings.")
        .at_start()
        .mirrored(|live| &live.security.requirepass_file),
    Row::text("aclfile", "", "File of users and their rules.").at_start().mirrored(|live| &live.security.aclfile),
    Row::number("acllog-max-len", LONG, "128", "Refusals that ACL LOG remembers.")
        .mirrored(|live| &live.security.acllog_max_len),
    Row::choice::<PubsubDefault>("acl-pubsub-default", "resetchannels", "Channels that a new user may use.")
        .mirrored(|live| &live.security.acl_pubsub_default),
    Row::choice::<ProtectedAction>("enable-protected-configs", "no", "Who may change protected settings.")
        .at_start()
        .mirrored(|live| &live.security.enable_protected_configs),
    Row::choice::<ProtectedAction>("enable-debug-command", "no", "Who may use DEBUG.")
        .at_start()
        .mirrored(|live| &live.security.enable_debug_command),
    Row::choice::<ProtectedAction>("enable-module-command", "no", "Who may use MODULE.")
        .at_start()
        .mirrored(|live| &live.security.enable_module_command),
    Row::switch(
        "lua-enable-insecure-api",
        false,
        "Would give scripts the functions that were taken from them for safety.",
    )
    .or(&["lua-enable-deprecated-api"])
    .hidden()
    .protected()
    .without_effect(),
    Row::number("busy-reply-threshold", LONG, "5000", "Milliseconds after which a script counts as busy.")
        .or(&["lua-time-limit"])
        .mirrored(|live| &live.security.busy_reply_threshold_ms),
    Row::switch("command-aliases", true, "Know commands also by the names that other servers give them.")
        .at_start()
        .mirrored(|live| &live.security.command_aliases),
];
