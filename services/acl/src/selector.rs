//! A set of rights that allows a call or does not: commands, keys, channels, databases.

use crate::call::{Access, Call, Denied, Reason};
use crate::catalogue::Catalogue;
use crate::error::RuleError;
use crate::rules::has_spaces;
use ochre_text::{case, glob, number};
use std::collections::{BTreeMap, BTreeSet};

/// Patterns of keys, with what may be done to those that match.
#[derive(Clone, Debug, PartialEq, Eq)]
struct KeyPattern {
    pattern: Box<[u8]>,
    access: Access,
}

/// A set of rights. A user's first one is changed rule by rule; others are given whole, in parentheses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// Nothing was taken away since `+@all`.
    every_command: bool,
    /// The rules began with `+@all`, so that commands that come into being later are allowed.
    begins_with_all: bool,
    /// A bit for each command by its number.
    commands: Vec<u64>,
    /// Commands that are allowed with these words behind the name only.
    first_arguments: BTreeMap<usize, Vec<Box<[u8]>>>,
    /// What was said of commands since the last `+@all` or `-@all`, without what a later rule made meaningless.
    rules: Vec<String>,
    every_key: bool,
    keys: Vec<KeyPattern>,
    every_channel: bool,
    channels: Vec<Box<[u8]>>,
    /// `None` is all of them.
    databases: Option<BTreeSet<u32>>,
}

impl Selector {
    /// A selector that allows nothing but, perhaps, all channels (`acl-pubsub-default`); there is nothing in any database
    /// to keep from it.
    pub fn new(every_channel: bool) -> Self {
        Selector {
            every_command: false,
            begins_with_all: false,
            commands: Vec::new(),
            first_arguments: BTreeMap::new(),
            rules: Vec::new(),
            every_key: false,
            keys: Vec::new(),
            every_channel,
            channels: Vec::new(),
            databases: None,
        }
    }

    /// Reads a selector in parentheses.
    pub(crate) fn read(rule: &[u8], every_channel: bool, catalogue: &Catalogue) -> Result<Selector, RuleError> {
        let inner = rule.strip_prefix(b"(").and_then(|rule| rule.strip_suffix(b")")).ok_or(RuleError::Syntax)?;
        let mut selector = Selector::new(every_channel);
        for word in inner.split(|byte| *byte == b' ').filter(|word| !word.is_empty()) {
            selector.apply(word, catalogue)?;
        }
        Ok(selector)
    }

    /// Applies one rule.
    ///
    /// # Errors
    /// The rule is none; nothing has changed then.
    pub(crate) fn apply(&mut self, rule: &[u8], catalogue: &Catalogue) -> Result<(), RuleError> {
        let is = |word: &str| case::eq_ignore_case(rule, word.as_bytes());
        if is("allkeys") || rule == b"~*" {
            self.every_key = true;
            self.keys.clear();
        } else if is("resetkeys") {
            self.every_key = false;
            self.keys.clear();
        } else if is("allchannels") || rule == b"&*" {
            self.every_channel = true;
            self.channels.clear();
        } else if is("resetchannels") {
            self.every_channel = false;
            self.channels.clear();
        } else if is("alldbs") {
            self.databases = None;
        } else if is("resetdbs") {
            self.databases = Some(BTreeSet::new());
        } else if is("allcommands") || is("+@all") {
            self.set_all(true, catalogue);
        } else if is("nocommands") || is("-@all") {
            self.set_all(false, catalogue);
        } else if rule.len() >= 3 && rule[..3].eq_ignore_ascii_case(b"db=") {
            self.set_databases(&rule[3..])?;
        } else {
            match rule {
                [b'~', pattern @ ..] => self.add_keys(pattern, Access::BOTH)?,
                [b'%', rest @ ..] => {
                    let (access, pattern) = read_access(rest)?;
                    self.add_keys(pattern, access)?;
                }
                [b'&', pattern @ ..] => self.add_channels(pattern)?,
                [sign @ (b'+' | b'-'), name @ ..] => self.set_commands(*sign == b'+', name, catalogue)?,
                _ => return Err(RuleError::Syntax),
            }
        }
        Ok(())
    }

    fn set_databases(&mut self, list: &[u8]) -> Result<(), RuleError> {
        let mut added = BTreeSet::new();
        for word in list.split(|byte| *byte == b',') {
            let database = number::parse_i64(word).ok_or(RuleError::Syntax)?;
            let fits = i32::try_from(database).ok().and_then(|database| u32::try_from(database).ok());
            added.insert(fits.ok_or(RuleError::DatabaseOutOfRange)?);
        }
        self.databases = Some(added);
        Ok(())
    }

    fn add_keys(&mut self, pattern: &[u8], access: Access) -> Result<(), RuleError> {
        if self.every_key {
            return Err(RuleError::PatternAfterAllKeys);
        }
        if has_spaces(pattern) {
            return Err(RuleError::Syntax);
        }
        match self.keys.iter_mut().find(|known| *known.pattern == *pattern) {
            Some(known) => {
                known.access.reads |= access.reads;
                known.access.writes |= access.writes;
            }
            None => self.keys.push(KeyPattern { pattern: pattern.into(), access }),
        }
        Ok(())
    }

    fn add_channels(&mut self, pattern: &[u8]) -> Result<(), RuleError> {
        if self.every_channel {
            return Err(RuleError::PatternAfterAllChannels);
        }
        if has_spaces(pattern) {
            return Err(RuleError::Syntax);
        }
        if !self.channels.iter().any(|known| **known == *pattern) {
            self.channels.push(pattern.into());
        }
        Ok(())
    }

    fn set_all(&mut self, allowed: bool, catalogue: &Catalogue) {
        self.every_command = allowed;
        self.begins_with_all = allowed;
        self.commands = vec![if allowed { u64::MAX } else { 0 }; catalogue.len().div_ceil(64)];
        self.first_arguments.clear();
        self.rules.clear();
    }

    fn set_commands(&mut self, allowed: bool, name: &[u8], catalogue: &Catalogue) -> Result<(), RuleError> {
        if name.starts_with(b"@") {
            let (bit, name) = catalogue.category(name).ok_or(RuleError::UnknownCommand)?;
            catalogue.in_category(bit).for_each(|number| self.set_command(number, allowed, catalogue));
            self.note(allowed, name.to_owned());
            return Ok(());
        }
        if let Some(number) = catalogue.find(name) {
            self.set_command(number, allowed, catalogue);
            self.note(allowed, catalogue.entry(number).name.clone());
            return Ok(());
        }
        // A command with the word that must stand behind it: an old form that is only for allowing.
        let bar = name.iter().rposition(|byte| *byte == b'|').filter(|_| allowed).ok_or(RuleError::UnknownCommand)?;
        let number = catalogue.find(&name[..bar]).ok_or(RuleError::UnknownCommand)?;
        if catalogue.entry(number).container.is_some() {
            return Err(RuleError::FirstArgumentOfSubcommand);
        }
        let argument = &name[bar + 1..];
        if argument.is_empty() {
            return Err(RuleError::Syntax);
        }
        if !catalogue.subcommands(number).is_empty() {
            return Err(RuleError::UnknownCommand);
        }
        let text = std::str::from_utf8(argument).map_err(|_| RuleError::Syntax)?;
        let argument = argument.to_ascii_lowercase().into_boxed_slice();
        let known = self.first_arguments.entry(number).or_default();
        if !known.contains(&argument) {
            known.push(argument);
        }
        self.note(true, format!("{}|{}", catalogue.entry(number).name, text.to_ascii_lowercase()));
        Ok(())
    }

    /// Allows or forbids a command with all of its subcommands.
    fn set_command(&mut self, number: usize, allowed: bool, catalogue: &Catalogue) {
        self.commands.resize(catalogue.len().div_ceil(64), 0);
        for number in std::iter::once(&number).chain(catalogue.subcommands(number)) {
            let (word, bit) = (&mut self.commands[number / 64], 1 << (number % 64));
            if allowed { *word |= bit } else { *word &= !bit }
        }
        self.first_arguments.remove(&number);
        self.every_command &= allowed;
    }

    /// Remembers a rule about commands in place of those that it overrides.
    fn note(&mut self, allowed: bool, name: String) {
        self.rules.retain(|rule| {
            let rest = rule[1..].strip_prefix(&name);
            !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('|'))
        });
        self.rules.push(format!("{}{name}", if allowed { '+' } else { '-' }));
    }

    // ---- questions ----

    /// Whether this allows everything that there is.
    pub fn allows_everything(&self) -> bool {
        self.every_command && self.every_key && self.every_channel && self.databases.is_none()
    }

    /// Whether all of `call` is allowed.
    pub(crate) fn check(&self, call: &dyn Call) -> Result<(), Denied> {
        if let Some(databases) = &self.databases {
            let mut refused = None;
            call.databases(&mut |at, database| {
                if !databases.contains(&database) {
                    refused = Some(at);
                }
                refused.is_none()
            });
            if let Some(at) = refused {
                return Err(Denied { reason: Reason::Database, at });
            }
        }
        if !self.every_command && !call.is_for_everybody() && !self.allows_command(call) {
            return Err(Denied { reason: Reason::Command, at: 0 });
        }
        if !self.every_key {
            let mut refused = None;
            call.keys(&mut |at, key, access| {
                if !self.allows_key(key, access) {
                    refused = Some(at);
                }
                refused.is_none()
            });
            if let Some(at) = refused {
                return Err(Denied { reason: Reason::Key, at });
            }
        }
        if !self.every_channel {
            let mut refused = None;
            call.channels(&mut |at, name, is_pattern| {
                if !self.allows_channel(name, is_pattern) {
                    refused = Some(at);
                }
                refused.is_none()
            });
            if let Some(at) = refused {
                return Err(Denied { reason: Reason::Channel, at });
            }
        }
        Ok(())
    }

    fn allows_command(&self, call: &dyn Call) -> bool {
        let number = call.command();
        if self.commands.get(number / 64).is_some_and(|word| word >> (number % 64) & 1 == 1) {
            return true;
        }
        let allowed = self.first_arguments.get(&number);
        let given = call.first_argument();
        allowed.zip(given).is_some_and(|(allowed, given)| allowed.iter().any(|one| case::eq_ignore_case(one, given)))
    }

    fn allows_key(&self, key: &[u8], access: Access) -> bool {
        self.keys.iter().any(|known| known.access.covers(access) && glob::matches(&known.pattern, key, false))
    }

    /// Whether `access` to every key that could be is allowed.
    pub(crate) fn allows_every_key(&self, access: Access) -> bool {
        self.every_key || self.keys.iter().any(|known| known.access.covers(access) && *known.pattern == *b"*")
    }

    /// Whether one may listen to a channel; a pattern must be allowed letter by letter.
    pub(crate) fn allows_channel(&self, name: &[u8], is_pattern: bool) -> bool {
        self.every_channel
            || self.channels.iter().any(|allowed| match is_pattern {
                true => **allowed == *name,
                false => glob::matches(allowed, name, false),
            })
    }

    // ---- descriptions ----

    /// The rules about commands.
    pub fn commands(&self) -> String {
        let mut text = if self.begins_with_all { "+@all" } else { "-@all" }.to_owned();
        for rule in &self.rules {
            text.push(' ');
            text.push_str(rule);
        }
        text
    }

    /// The rules about keys.
    pub fn keys(&self) -> Vec<u8> {
        if self.every_key {
            return b"~*".to_vec();
        }
        let rules = self.keys.iter().map(|key| {
            let sign: &[u8] = match (key.access.reads, key.access.writes) {
                // `~*` is another rule, behind which no pattern may stand.
                (true, true) if *key.pattern == *b"*" => b"%RW~",
                (true, true) => b"~",
                (true, false) => b"%R~",
                _ => b"%W~",
            };
            [sign, &key.pattern].concat()
        });
        rules.collect::<Vec<_>>().join(&b' ')
    }

    /// The rules about channels, without the one that takes all away.
    pub fn channels(&self) -> Vec<u8> {
        if self.every_channel {
            return b"&*".to_vec();
        }
        let rules = self.channels.iter().map(|channel| [b"&", &**channel].concat());
        rules.collect::<Vec<_>>().join(&b' ')
    }

    /// The rule about databases; an empty text when there is none to use.
    pub fn databases(&self) -> String {
        match &self.databases {
            None => "alldbs".to_owned(),
            Some(databases) if databases.is_empty() => String::new(),
            Some(databases) => {
                let numbers: Vec<String> = databases.iter().map(u32::to_string).collect();
                format!("db={}", numbers.join(","))
            }
        }
    }

    /// Rules that make a new selector what this one is.
    pub(crate) fn describe(&self, text: &mut Vec<u8>) {
        let mut add = |rule: &[u8]| {
            if !rule.is_empty() {
                text.extend_from_slice(rule);
                text.push(b' ');
            }
        };
        add(&self.keys());
        if !self.every_channel {
            add(b"resetchannels");
        }
        add(&self.channels());
        match &self.databases {
            None => {}
            Some(databases) if databases.is_empty() => add(b"resetdbs"),
            Some(_) => add(self.databases().as_bytes()),
        }
        text.extend_from_slice(self.commands().as_bytes());
    }
}

/// The access of a rule `%R~…`, `%W~…` or `%RW~…`, and the pattern.
fn read_access(rest: &[u8]) -> Result<(Access, &[u8]), RuleError> {
    let mut access = Access::default();
    let mut end = rest.len();
    for (at, byte) in rest.iter().enumerate() {
        match byte.to_ascii_uppercase() {
            b'R' if !access.reads => access.reads = true,
            b'W' if !access.writes => access.writes = true,
            b'~' => {
                end = at + 1;
                break;
            }
            _ => return Err(RuleError::Syntax),
        }
    }
    if access == Access::default() { Err(RuleError::Syntax) } else { Ok((access, &rest[end..])) }
}
