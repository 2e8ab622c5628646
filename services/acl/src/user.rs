//! A user: how one logs in, and the selectors that say what one may do.

use crate::call::{Access, Call, Denied};
use crate::catalogue::Catalogue;
use crate::error::{RuleError, SetError};
use crate::rules::{Hash, equal_in_constant_time, merge_selectors, read_hash};
use crate::selector::Selector;

/// A user. Who is logged in as one holds a copy of what it was, until told that there is a newer one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub name: Vec<u8>,
    is_on: bool,
    needs_no_password: bool,
    passwords: Vec<Hash>,
    /// At least one: the first is the user's own.
    selectors: Vec<Selector>,
}

impl User {
    /// A user who may do nothing, and cannot log in; with all channels if `acl-pubsub-default` says so.
    pub fn new(name: &[u8], every_channel: bool) -> Self {
        User {
            name: name.to_vec(),
            is_on: false,
            needs_no_password: false,
            passwords: Vec::new(),
            selectors: vec![Selector::new(every_channel)],
        }
    }

    /// Applies rules in their order.
    ///
    /// # Errors
    /// The first rule that is wrong; those before it have been applied.
    pub fn apply_all<'a>(
        &mut self,
        words: impl IntoIterator<Item = &'a [u8]>,
        every_channel: bool,
        catalogue: &Catalogue,
    ) -> Result<(), SetError> {
        for rule in merge_selectors(words)? {
            self.apply(&rule, every_channel, catalogue).map_err(|error| SetError::Rule(rule, error))?;
        }
        Ok(())
    }

    /// Applies one rule.
    ///
    /// # Errors
    /// The rule is none; nothing has changed then.
    pub fn apply(&mut self, rule: &[u8], every_channel: bool, catalogue: &Catalogue) -> Result<(), RuleError> {
        match rule.to_ascii_lowercase().as_slice() {
            b"on" => self.is_on = true,
            b"off" => self.is_on = false,
            b"nopass" => {
                self.needs_no_password = true;
                self.passwords.clear();
            }
            b"resetpass" => {
                self.needs_no_password = false;
                self.passwords.clear();
            }
            // Payloads of RESTORE are always checked here.
            b"" | b"sanitize-payload" | b"skip-sanitize-payload" => {}
            b"clearselectors" => self.selectors.truncate(1),
            b"reset" => *self = User::new(&self.name, every_channel),
            _ => return self.apply_other(rule, every_channel, catalogue),
        }
        Ok(())
    }

    fn apply_other(&mut self, rule: &[u8], every_channel: bool, catalogue: &Catalogue) -> Result<(), RuleError> {
        match rule {
            [b'>', password @ ..] => self.add_password(ochre_digest::sha256_hex(password)),
            [b'#', hash @ ..] => self.add_password(read_hash(hash).ok_or(RuleError::BadHash)?),
            [b'<', password @ ..] => self.remove_password(&ochre_digest::sha256_hex(password))?,
            [b'!', hash @ ..] => self.remove_password(&read_hash(hash).ok_or(RuleError::BadHash)?)?,
            [b'(', ..] => self.selectors.push(Selector::read(rule, every_channel, catalogue)?),
            _ => self.selectors[0].apply(rule, catalogue)?,
        }
        Ok(())
    }

    fn add_password(&mut self, hash: Hash) {
        if !self.passwords.contains(&hash) {
            self.passwords.push(hash);
        }
        self.needs_no_password = false;
    }

    fn remove_password(&mut self, hash: &Hash) -> Result<(), RuleError> {
        let at = self.passwords.iter().position(|known| known == hash).ok_or(RuleError::NoSuchPassword)?;
        self.passwords.remove(at);
        Ok(())
    }

    // ---- questions ----

    /// Whether one may log in with `password`.
    pub fn accepts(&self, password: &[u8]) -> bool {
        if !self.is_on || self.needs_no_password {
            return self.is_on;
        }
        let given = ochre_digest::sha256_hex(password);
        self.passwords.iter().fold(false, |found, known| found | equal_in_constant_time(known, &given))
    }

    pub fn is_on(&self) -> bool {
        self.is_on
    }

    /// Whether any password will do.
    pub fn needs_no_password(&self) -> bool {
        self.needs_no_password
    }

    /// Whether no call can be refused.
    pub fn is_unrestricted(&self) -> bool {
        self.selectors.iter().any(Selector::allows_everything)
    }

    /// Whether one selector allows all of `call`.
    ///
    /// # Errors
    /// Of all selectors' refusals the one that is the most telling.
    pub fn check(&self, call: &dyn Call) -> Result<(), Denied> {
        let mut refusal = None;
        for selector in &self.selectors {
            match selector.check(call) {
                Ok(()) => return Ok(()),
                Err(denied) => refusal = refusal.max(Some(denied)),
            }
        }
        refusal.map_or(Ok(()), Err)
    }

    /// Whether a selector that allows `call` also allows `access` to all keys: for patterns that make up keys (SORT BY).
    pub fn may_use_every_key(&self, call: &dyn Call, access: Access) -> bool {
        let mut selectors = self.selectors.iter();
        selectors.any(|selector| selector.allows_every_key(access) && selector.check(call).is_ok())
    }

    /// Whether any selector allows to listen to this channel or pattern.
    pub fn may_listen(&self, name: &[u8], is_pattern: bool) -> bool {
        self.selectors.iter().any(|selector| selector.allows_channel(name, is_pattern))
    }

    // ---- descriptions ----

    /// The words that ACL GETUSER shows of a user's state.
    pub fn flags(&self) -> Vec<&'static str> {
        let mut flags = vec![if self.is_on { "on" } else { "off" }];
        if self.needs_no_password {
            flags.push("nopass");
        }
        flags
    }

    /// The hidden passwords.
    pub fn passwords(&self) -> &[[u8; 64]] {
        &self.passwords
    }

    /// The user's own selector, then the others.
    pub fn selectors(&self) -> (&Selector, &[Selector]) {
        let (first, rest) = self.selectors.split_first().expect("a user has a selector");
        (first, rest)
    }

    /// The line of a config file that makes this user.
    pub fn line(&self) -> Vec<u8> {
        let mut line = b"user ".to_vec();
        line.extend_from_slice(&self.name);
        for flag in self.flags() {
            line.push(b' ');
            line.extend_from_slice(flag.as_bytes());
        }
        for hash in &self.passwords {
            line.extend_from_slice(b" #");
            line.extend_from_slice(hash);
        }
        line.push(b' ');
        self.selectors[0].describe(&mut line);
        for selector in &self.selectors[1..] {
            line.extend_from_slice(b" (");
            selector.describe(&mut line);
            line.push(b')');
        }
        line
    }
}
