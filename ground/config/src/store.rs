//! The store: the values of a table of directives, CONFIG GET and SET on them, and the hooks that a change runs.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use ochre_text::glob;

use crate::include::is_pattern;
use crate::{Change, Directive, Value};

/// The values of a table of directives. Threads share it; `live` is read without a lock.
pub struct Store<H: 'static> {
    /// Live copies of the values, see [`Directive::mirrored`].
    pub live: H,
    rows: Vec<&'static Directive<H>>,
    /// Row and place of the name by every name in lower case; place 0 is the row's own name.
    names: HashMap<&'static str, (usize, usize)>,
    values: RwLock<Vec<Value>>,
    hooks: Mutex<Vec<Hook>>,
    /// Held during a whole CONFIG SET, hooks included, so that one is all or nothing to the next.
    changing: Mutex<()>,
}

/// Runs after one of its directives has changed.
#[derive(Clone)]
struct Hook {
    names: &'static [&'static str],
    apply: Arc<Apply>,
}

type Apply = dyn Fn(&[Changed]) -> Result<(), String> + Send + Sync;

/// One directive that a CONFIG SET has changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// The row's name, whichever alias was used.
    pub name: &'static str,
    /// The value before.
    pub old: Value,
    /// The value now.
    pub new: Value,
}

impl Changed {
    fn turned_round(&self) -> Self {
        Changed { name: self.name, old: self.new.clone(), new: self.old.clone() }
    }
}

/// Who asks for a change.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller {
    /// Whether directives that are [`Change::Protected`] may be set.
    pub may_set_protected: bool,
    /// Whether a data set is being loaded.
    pub is_loading: bool,
}

/// Why CONFIG SET changed nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetError {
    /// There is no such directive.
    Unknown(Vec<u8>),
    /// One of the directives cannot change while a data set is loaded.
    Loading,
    /// A value is wrong, or could not be applied.
    Failed {
        /// The directive's name as it was given.
        name: Vec<u8>,
        /// Why.
        reason: String,
    },
}

impl fmt::Display for SetError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetError::Unknown(name) => {
                let name = String::from_utf8_lossy(name);
                write!(out, "ERR Unknown option or number of arguments for CONFIG SET - '{name}'")
            }
            SetError::Loading => out.write_str("LOADING Redis is loading the dataset in memory"),
            SetError::Failed { name, reason } => {
                let name = String::from_utf8_lossy(name);
                write!(out, "ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}")
            }
        }
    }
}

impl std::error::Error for SetError {}

impl<H: 'static> Store<H> {
    /// A store of all rows of `groups` with their defaults.
    ///
    /// # Panics
    ///
    /// When two rows share a name, or a default is not a value of its row: the table is wrong then.
    pub fn new(groups: &[&'static [Directive<H>]], live: H) -> Self {
        let rows: Vec<_> = groups.iter().copied().flatten().collect();
        let mut names = HashMap::new();
        for (row, directive) in rows.iter().enumerate() {
            for (place, name) in std::iter::once(&directive.name).chain(directive.aliases).enumerate() {
                assert!(names.insert(*name, (row, place)).is_none(), "two directives are called {name}");
            }
        }
        let values: Vec<_> = rows.iter().map(|row| row.default_value()).collect();
        let values_now = values.clone();
        let hooks = Mutex::new(Vec::new());
        let store = Store { live, rows, names, values: RwLock::new(values), hooks, changing: Mutex::new(()) };
        values_now.iter().enumerate().for_each(|(row, value)| store.mirror(row, value));
        store
    }

    /// All rows, in the order of the table.
    pub fn rows(&self) -> &[&'static Directive<H>] {
        &self.rows
    }

    /// The row of a name or alias, in any case.
    pub fn directive(&self, name: &[u8]) -> Option<&'static Directive<H>> {
        self.row_of(name).map(|row| self.rows[row])
    }

    /// What CONFIG GET shows for one name or alias, in any case.
    pub fn get(&self, name: &[u8]) -> Option<Vec<u8>> {
        let row = self.row_of(name)?;
        Some(self.rows[row].kind.show(&self.value_at(row)))
    }

    /// The value of a directive by name or alias.
    pub fn value(&self, name: &str) -> Option<Value> {
        self.row_of(name.as_bytes()).map(|row| self.value_at(row))
    }

    /// CONFIG GET: names and values for plain names, which answer as they were asked, and for patterns, which find every
    /// alias and nothing hidden. Each name comes once.
    pub fn get_matching(&self, patterns: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut found: Vec<(Vec<u8>, usize)> = Vec::new();
        let mut add = |name: &[u8], row| {
            if !found.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                found.push((name.to_vec(), row));
            }
        };
        for pattern in patterns {
            if !is_pattern(pattern) {
                self.row_of(pattern).into_iter().for_each(|row| add(pattern, row));
                continue;
            }
            for (row, directive) in self.rows.iter().enumerate().filter(|(_, directive)| !directive.is_hidden) {
                let names = std::iter::once(&directive.name).chain(directive.aliases);
                names
                    .filter(|name| glob::matches(pattern, name.as_bytes(), true))
                    .for_each(|name| add(name.as_bytes(), row));
            }
        }
        let values = self.values.read().unwrap_or_else(PoisonError::into_inner);
        let shown = found.into_iter().map(|(name, row)| (name, self.rows[row].kind.show(&values[row])));
        shown.collect()
    }

    /// CONFIG SET: sets all of `pairs` or none. Values are set first, then the hooks of those that changed run in order;
    /// when one refuses, everything goes back and the hooks that had run run again with old and new exchanged.
    ///
    /// Hooks may read this store and [`Store::put`], but not set it.
    pub fn set_many(&self, pairs: &[(&[u8], &[u8])], caller: Caller) -> Result<Vec<Changed>, SetError> {
        let _changing = self.begin_change();
        let found = self.find_settable(pairs, caller)?;
        let mut changes: Vec<(usize, Changed)> = Vec::new();
        for (row, text) in found.iter().zip(pairs.iter().map(|(_, text)| *text)) {
            let directive = self.rows[row.0];
            let old = self.value_at(row.0);
            let new = directive.parse(&words_of_value(directive, text), &old, false);
            let new = new.map_err(|reason| {
                self.restore(&changes);
                SetError::Failed { name: row.1.into(), reason }
            })?;
            if new != old || directive.always_applies {
                self.put_at(row.0, new.clone());
                changes.push((row.0, Changed { name: directive.name, old, new }));
            }
        }
        let changed: Vec<Changed> = changes.iter().map(|(_, changed)| changed.clone()).collect();
        let due = self.hooks_of(&changed);
        for (place, (name, hook)) in due.iter().enumerate() {
            let Err(reason) = (hook.apply)(&changed) else { continue };
            self.restore(&changes);
            let back: Vec<Changed> = changed.iter().map(Changed::turned_round).collect();
            for (_, hook) in &due[..=place] {
                // The way back was valid before; what cannot be undone is the hook's to log.
                let _ = (hook.apply)(&back);
            }
            let given = found.iter().find(|(row, _)| self.rows[*row].name == *name).map_or(*name, |(_, given)| given);
            return Err(SetError::Failed { name: given.into(), reason });
        }
        Ok(changed)
    }

    /// Calls `apply` after each CONFIG SET that changed one of `names` (rows' names, not aliases), once however many of them
    /// changed. It sees the new values in the store; when it refuses, its message goes to the client.
    pub fn on_change(
        &self,
        names: &'static [&'static str],
        apply: impl Fn(&[Changed]) -> Result<(), String> + Send + Sync + 'static,
    ) {
        for name in names {
            assert!(self.names.get(name).is_some_and(|(_, place)| *place == 0), "no directive is called {name}");
        }
        self.lock_hooks().push(Hook { names, apply: Arc::new(apply) });
    }

    /// Takes over a value that changed by other means, such as REPLICAOF. Runs no hooks.
    ///
    /// # Panics
    ///
    /// When there is no such directive.
    pub fn put(&self, name: &str, value: Value) {
        let row = self.row_of(name.as_bytes()).expect("only names of the table are put");
        self.put_at(row, value);
    }

    pub(crate) fn row_of(&self, name: &[u8]) -> Option<usize> {
        self.place_of(name).map(|(row, _)| row)
    }

    pub(crate) fn value_at(&self, row: usize) -> Value {
        self.values.read().unwrap_or_else(PoisonError::into_inner)[row].clone()
    }

    pub(crate) fn put_at(&self, row: usize, value: Value) {
        self.mirror(row, &value);
        self.values.write().unwrap_or_else(PoisonError::into_inner)[row] = value;
    }

    fn place_of(&self, name: &[u8]) -> Option<(usize, usize)> {
        let name = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
        self.names.get(name.as_str()).copied()
    }

    fn mirror(&self, row: usize, value: &Value) {
        if let Some(mirror) = self.rows[row].mirror {
            mirror(&self.live).put(value);
        }
    }

    /// Row and own name or alias of each pair, if all may be set. The first problem answers.
    fn find_settable(&self, pairs: &[(&[u8], &[u8])], caller: Caller) -> Result<Vec<(usize, &'static str)>, SetError> {
        let mut found: Vec<(usize, &'static str)> = Vec::new();
        for (given, _) in pairs {
            let failed = |reason: &str| Err(SetError::Failed { name: given.to_vec(), reason: reason.to_string() });
            let Some((row, place)) = self.place_of(given) else { return Err(SetError::Unknown(given.to_vec())) };
            let directive = self.rows[row];
            match directive.change {
                Change::AtStart => return failed("can't set immutable config"),
                Change::Protected if !caller.may_set_protected => return failed("can't set protected config"),
                _ if directive.waits_for_loading && caller.is_loading => return Err(SetError::Loading),
                _ => {}
            }
            let name = if place == 0 { directive.name } else { directive.aliases[place - 1] };
            if found.contains(&(row, name)) {
                return failed("duplicate parameter");
            }
            found.push((row, name));
        }
        Ok(found)
    }

    /// The hooks that `changed` calls for, each once, with the first directive that called for it.
    fn hooks_of(&self, changed: &[Changed]) -> Vec<(&'static str, Hook)> {
        let hooks = self.lock_hooks();
        let mut due: Vec<(&'static str, Hook)> = Vec::new();
        for change in changed {
            for hook in hooks.iter().filter(|hook| hook.names.contains(&change.name)) {
                if !due.iter().any(|(_, known)| Arc::ptr_eq(&known.apply, &hook.apply)) {
                    due.push((change.name, hook.clone()));
                }
            }
        }
        due
    }

    fn restore(&self, changes: &[(usize, Changed)]) {
        changes.iter().rev().for_each(|(row, changed)| self.put_at(*row, changed.old.clone()));
    }

    fn begin_change(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_hooks(&self) -> MutexGuard<'_, Vec<Hook>> {
        self.hooks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The words that CONFIG SET gives: split at single spaces, without regard to quotes, where a line may hold several.
fn words_of_value<H>(directive: &Directive<H>, text: &[u8]) -> Vec<Vec<u8>> {
    if !directive.kind.takes_many_words() {
        return vec![text.to_vec()];
    }
    if text.is_empty() { Vec::new() } else { text.split(|byte| *byte == b' ').map(<[u8]>::to_vec).collect() }
}
