//! What a CONFIG SET does at once, beyond the values that everybody reads: listeners, the log, the file limit.

use crate::settings::tls::TLS_NAMES;
use crate::shared::Shared;
use crate::{access, listen, log, oom, tls};

/// Registers the hooks. Loops take over their own copies by themselves, see `Shared::settings_changed`.
pub fn register(shared: &'static Shared) {
    let settings = &shared.settings;
    settings.on_change(&["loglevel", "log-format", "log-timestamp-format", "hide-user-data-from-log"], move |_| {
        log::apply(settings);
        Ok(())
    });
    settings.on_change(&["oom-score-adj", "oom-score-adj-values"], move |_| oom::apply(settings));
    settings.on_change(&["requirepass"], move |_| {
        let password = settings.security.requirepass.get();
        access::change(shared, |users| {
            access::set_default_password(users, &password, &shared.access.catalogue);
            Ok(())
        })
    });
    // Before the ports, which are of no use without it.
    settings.on_change(TLS_NAMES, move |_| tls::apply(shared));
    settings.on_change(&["appendonly"], move |_| {
        if crate::persistence::aof::is_wanted(shared) {
            return crate::persistence::aof::turn_on(shared);
        }
        crate::persistence::aof::turn_off(shared);
        Ok(())
    });
    settings.on_change(&["appendfsync", "aof-timestamp-enabled"], move |_| {
        crate::persistence::aof::apply_settings(shared);
        Ok(())
    });
    settings.on_change(&["repl-backlog-size"], move |_| {
        shared.log.resize_backlog(settings.replication.repl_backlog_size_bytes.get());
        Ok(())
    });
    crate::replication::note_replicas(shared);
    settings.on_change(&["min-replicas-to-write", "min-replicas-max-lag"], move |_| {
        crate::replication::note_replicas(shared);
        Ok(())
    });
    settings.on_change(&["port", "tls-port"], move |_| {
        listen::listen_anew(shared).map_err(|_| "Unable to listen on this port. Check server logs.".to_owned())
    });
    settings.on_change(&["bind"], move |_| {
        listen::listen_anew(shared).map_err(|_| "Failed to bind to specified addresses.".to_owned())
    });
    settings.on_change(&["maxclients"], move |_| {
        let wanted = settings.network.maxclients.get() as u64 + FILES_OF_THE_SERVER;
        match crate::system::open_files_max() {
            Some(limit) if limit < wanted => Err(format!(
                "The operating system is not able to handle the specified number of clients, try with {}",
                limit.saturating_sub(FILES_OF_THE_SERVER)
            )),
            _ => Ok(()),
        }
    });
}

/// Open files that are no clients: listeners, logs, data files.
const FILES_OF_THE_SERVER: u64 = 32;
