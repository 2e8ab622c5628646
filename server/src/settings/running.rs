//! The settings of a running server: CONFIG GET, SET and REWRITE, and the hooks that apply a change.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::{fmt, io};

use ochre_config::{Caller, Changed, ExtraLines, Loaded, SetError, Store, Value, replace_file};

use super::{Live, THEMES};

/// The settings of a server. All threads share it; it dereferences to its live values.
pub(crate) struct Settings {
    store: Store<Live>,
    /// Absolute.
    file: Option<PathBuf>,
    is_sentinel: bool,
    lines: Loaded,
    ignored_variables: Vec<String>,
}

impl Deref for Settings {
    type Target = Live;

    fn deref(&self) -> &Live {
        &self.store.live
    }
}

impl Settings {
    /// Every setting at its default, with `dir` the folder that the process is in.
    pub(super) fn new(file: Option<PathBuf>, is_sentinel: bool) -> Self {
        let groups: Vec<_> = THEMES.iter().map(|(_, rows)| *rows).collect();
        let store = Store::new(&groups, Live::default());
        let settings = Settings { store, file, is_sentinel, lines: Loaded::default(), ignored_variables: Vec::new() };
        settings.note_folder();
        settings
    }

    /// These settings with the lines that others are to interpret.
    pub(super) fn with_lines(self, lines: Loaded) -> Self {
        Settings { lines, ..self }
    }

    /// These settings, noting variables of the environment that have no effect.
    pub(super) fn with_ignored_variables(self, ignored_variables: Vec<String>) -> Self {
        Settings { ignored_variables, ..self }
    }

    /// Variables of the environment that look like settings and are none.
    pub(crate) fn ignored_variables(&self) -> &[String] {
        &self.ignored_variables
    }

    pub(super) fn store(&self) -> &Store<Live> {
        &self.store
    }

    /// CONFIG GET of one name or alias, in any case.
    pub(crate) fn get(&self, name: &str) -> Option<Vec<u8>> {
        self.store.get(name.as_bytes())
    }

    /// CONFIG GET: names and values for names and patterns.
    pub(crate) fn get_matching(&self, patterns: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.store.get_matching(patterns)
    }

    /// CONFIG SET: all of the pairs or none. The error's text is the reply.
    pub(crate) fn set_many(
        &self,
        pairs: &[(&[u8], &[u8])],
        client_is_local: bool,
        is_loading: bool,
    ) -> Result<Vec<Changed>, SetError> {
        let caller = Caller { may_set_protected: self.may_set_protected(client_is_local), is_loading };
        self.store.set_many(pairs, caller)
    }

    /// Calls `apply` after each CONFIG SET that changed one of `names`; see [`Store::on_change`].
    pub(crate) fn on_change(
        &self,
        names: &'static [&'static str],
        apply: impl Fn(&[Changed]) -> Result<(), String> + Send + Sync + 'static,
    ) {
        self.store.on_change(names, apply);
    }

    /// Takes over a value that changed by other means than CONFIG SET, such as `replicaof` by REPLICAOF. Runs no hooks.
    pub(crate) fn put(&self, name: &str, value: Value) {
        self.store.put(name, value);
    }

    /// Whether the value given for `name` is to be kept out of logs.
    pub(crate) fn is_secret(&self, name: &[u8]) -> bool {
        self.store.directive(name).is_some_and(|row| row.is_secret)
    }

    /// Whether this is a Sentinel.
    pub(crate) fn is_sentinel(&self) -> bool {
        self.is_sentinel
    }

    /// The lines of the start that are no settings: users, renamed commands, modules, Sentinel's. Their interpreters tell of
    /// an error as [`super::start::Exit::of_line`] of [`ochre_config::Line::error`].
    pub(crate) fn lines(&self) -> &Loaded {
        &self.lines
    }

    /// The config file, absolute, if there is one.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// CONFIG REWRITE: writes what is set now to the config file. `extra` are the lines that are no settings, such as users
    /// (with no lines at all when they have a file of their own); `everything` writes defaults, too.
    pub(crate) fn rewrite(&self, extra: &[ExtraLines], everything: bool) -> Result<(), RewriteError> {
        let file = self.file().ok_or(RewriteError::NoFile)?;
        let old = match std::fs::read(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read.map_err(RewriteError::Unwritable)?,
        };
        let mut text = self.store.rewritten(&old, extra, everything);
        if !self.security.requirepass_file.get().is_empty() {
            // It stays where it is.
            text = without_lines_of(&text, b"requirepass");
        }
        replace_file(file, &text).map_err(RewriteError::Unwritable)
    }

    /// Makes `dir` say where the process is now.
    pub(super) fn note_folder(&self) {
        let folder = std::env::current_dir().map(|folder| folder.into_os_string().into_encoded_bytes());
        self.store.put("dir", Value::Text(folder.unwrap_or_default()));
    }
}

/// The text without the lines that set `name`.
fn without_lines_of(text: &[u8], name: &[u8]) -> Vec<u8> {
    let sets = |line: &[u8]| line.split(|byte| byte.is_ascii_whitespace()).next() == Some(name);
    text.split_inclusive(|byte| *byte == b'\n').filter(|line| !sets(line)).flatten().copied().collect()
}

/// Why CONFIG REWRITE failed; its text is the reply.
#[derive(Debug)]
pub(crate) enum RewriteError {
    NoFile,
    Unwritable(io::Error),
}

impl fmt::Display for RewriteError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RewriteError::NoFile => out.write_str("ERR The server is running without a config file"),
            RewriteError::Unwritable(error) => {
                write!(out, "ERR Rewriting config file: {}", ochre_config::reason_of(error))
            }
        }
    }
}

impl std::error::Error for RewriteError {}
