//! Access control as the loops use it: who a session is, what it may do, what is refused, and what follows when rights change.

mod call;
mod change;
mod refusal;

pub use call::RowCall;
pub use change::{change, enforce, set_default_password};
pub use refusal::{check, check_again, check_of_script, describe_refusal, may_call, note_failed_login};

use crate::session::Session;
use crate::settings::Settings;
use crate::settings::security::PubsubDefault;
use crate::settings::start::Exit;
use crate::shared::{Run, Shared};
use ochre_acl::{Catalogue, Entry, Log, User, Users};
use ochre_commands::spec::Categories;
use ochre_commands::table::{Row, Table};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

/// The users, and what was refused.
pub struct AccessControl {
    pub catalogue: Catalogue,
    users: RwLock<Users>,
    /// Grows with each change of a user: a session whose copy is older takes it anew before its next command.
    version: AtomicU64,
    log: Mutex<Log>,
    pub denied: DeniedCounts,
}

/// How often something was refused (INFO).
#[derive(Default)]
pub struct DeniedCounts {
    pub auth: AtomicU64,
    pub command: AtomicU64,
    pub key: AtomicU64,
    pub channel: AtomicU64,
    pub database: AtomicU64,
    pub certificate: AtomicU64,
}

impl AccessControl {
    /// The users that the settings tell of: `requirepass`, `user` lines or the ACL file.
    ///
    /// # Errors
    /// What is wrong with them; the server must not start then.
    pub fn at_start(settings: &Settings, commands: &Table<Run>) -> Result<AccessControl, Exit> {
        let catalogue = catalogue(commands);
        let mut users = Users::new(&catalogue);
        set_default_password(&mut users, &settings.security.requirepass.get(), &catalogue);
        let every_channel = every_channel(settings);
        let lines = &settings.lines().users;
        let file = settings.security.aclfile.get();
        if !lines.is_empty() && !file.is_empty() {
            return Err(Exit::refused(
                "Configuring Ochre with users defined in the config file and at the same time setting an ACL file \
                 path is invalid. Please define either an ACL file or declare users directly in the config file, but \
                 not both.\n",
            ));
        }
        let mut seen = std::collections::HashSet::new();
        for line in lines {
            let words = &line.words[1..];
            if !words.first().is_some_and(|name| seen.insert(name.clone())) {
                let error = line.error("Duplicate user found. A user can only be defined once in config files");
                return Err(Exit::of_line(&error));
            }
            users
                .add_from_config(words, every_channel, &catalogue)
                .map_err(|reason| Exit::of_line(&line.error(reason)))?;
        }
        if !file.is_empty() {
            users = read_file(&file, users.default_user(), every_channel, &catalogue)
                .map_err(|errors| Exit::refused(format!("Aborting the start because of ACL errors: {errors}\n")))?;
        }
        for user in users.all().filter(|user| !user.is_on()) {
            crate::log::notice(format_args!(
                "The user '{}' is disabled (there is no 'on' modifier in the user description). Make sure this is not \
                 a configuration error.",
                String::from_utf8_lossy(&user.name)
            ));
        }
        Ok(AccessControl {
            catalogue,
            users: RwLock::new(users),
            version: AtomicU64::new(1),
            log: Mutex::default(),
            denied: DeniedCounts::default(),
        })
    }

    /// The users of this moment.
    pub fn users(&self) -> RwLockReadGuard<'_, Users> {
        self.users.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[inline]
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Whether clients that have not logged in may run commands.
    pub fn is_open(&self) -> bool {
        let users = self.users();
        users.default_user().is_on() && users.default_user().needs_no_password()
    }
}

/// Whether new users may use all channels.
pub fn every_channel(settings: &Settings) -> bool {
    settings.security.acl_pubsub_default.get() == PubsubDefault::AllChannels
}

/// The users of an ACL file.
///
/// # Errors
/// All that is wrong with it, in one line.
pub fn read_file(path: &str, default: &Arc<User>, every_channel: bool, catalogue: &Catalogue) -> Result<Users, String> {
    let text = std::fs::read(path)
        .map_err(|error| format!("Error loading ACLs, opening file '{path}': {}", ochre_config::reason_of(&error)))?;
    Users::load(path, &text, default, every_channel, catalogue)
}

/// All commands by their ids. Rules speak of commands by their own names, whatever `rename-command` says.
fn catalogue(commands: &Table<Run>) -> Catalogue {
    fn add(row: &Row<Run>, container: Option<usize>, entries: &mut [Option<Entry>]) {
        let (name, categories) = (row.full_name.clone(), row.categories.0);
        entries[row.id] = Some(Entry { name, categories, container });
        row.subcommands.iter().for_each(|subcommand| add(subcommand, Some(row.id), entries));
    }
    let mut entries = vec![None; commands.ids()];
    commands.rows().iter().for_each(|row| add(row, None, &mut entries));
    let entries = entries.into_iter().map(|entry| entry.expect("every id has a row")).collect();
    Catalogue::new(entries, Categories::WORDS)
}

/// Makes a session that of `user`, who has given a password if one is needed.
pub fn log_in(session: &mut Session, user: Arc<User>) {
    session.logged_in = true;
    // The user may have changed since it was looked up: it is looked at again before the next batch of commands.
    become_user(session, user, 0, true);
}

/// Logs a client in as the first of these users that exists and is on; the names are those of its certificate.
pub fn log_in_by_certificate(shared: &Shared, session: &mut Session, names: &[Vec<u8>]) {
    let user = {
        let users = shared.access.users();
        names.iter().filter_map(|name| users.get(name)).find(|user| user.is_on()).cloned()
    };
    match (user, names.first()) {
        (Some(user), _) => log_in(session, user),
        (None, Some(name)) => refusal::note_unknown_certificate(shared, session, name),
        (None, None) => {}
    }
}

/// Makes a session what a new one is.
pub fn log_out(shared: &Shared, session: &mut Session) {
    let version = shared.access.version();
    let user = Arc::clone(shared.access.users().default_user());
    session.logged_in = user.is_on() && user.needs_no_password();
    let authenticated = session.logged_in;
    become_user(session, user, version, authenticated);
}

/// Takes over what has become of a session's user; says no when there is none any more, and the session must end.
#[cold]
pub fn refresh(shared: &Shared, session: &mut Session) -> bool {
    let version = shared.access.version();
    let is_open = shared.access.is_open();
    let Some(user) = shared.access.users().get(&session.user.name).cloned() else {
        session.authenticated = false;
        session.unrestricted = false;
        return false;
    };
    let authenticated = session.logged_in || is_open;
    become_user(session, user, version, authenticated);
    true
}

fn become_user(session: &mut Session, user: Arc<User>, version: u64, authenticated: bool) {
    session.access_version = version;
    session.authenticated = authenticated;
    // What a replica sends is looked at each time.
    let is_replica = session.replica.as_ref().is_some_and(|replica| replica.link.is_some());
    session.unrestricted = authenticated && user.is_unrestricted() && !is_replica;
    let mut texts = session.client.texts();
    if texts.user.as_bytes() != user.name {
        texts.user = String::from_utf8_lossy(&user.name).into_owned();
    }
    drop(texts);
    session.user = user;
}
