//! All users, and the files that tell of them.

use crate::catalogue::Catalogue;
use crate::error::{RuleError, SetError};
use crate::rules::{has_spaces, merge_selectors};
use crate::user::User;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

/// The user that clients are until they log in. There always is one.
pub const DEFAULT: &[u8] = b"default";

/// All users by name. Cheap to copy: users are shared.
#[derive(Clone, Debug)]
pub struct Users {
    users: BTreeMap<Vec<u8>, Arc<User>>,
}

impl Users {
    /// The default user alone, who may do everything and needs no password.
    pub fn new(catalogue: &Catalogue) -> Self {
        let mut user = User::new(DEFAULT, false);
        let rules: [&[u8]; 5] = [b"on", b"nopass", b"+@all", b"~*", b"&*"];
        user.apply_all(rules, false, catalogue).expect("these rules are right");
        Users { users: BTreeMap::from([(DEFAULT.to_vec(), Arc::new(user))]) }
    }

    pub fn get(&self, name: &[u8]) -> Option<&Arc<User>> {
        self.users.get(name)
    }

    pub fn default_user(&self) -> &Arc<User> {
        self.get(DEFAULT).expect("there always is a default user")
    }

    /// Every user, in the order of their names.
    pub fn all(&self) -> impl ExactSizeIterator<Item = &Arc<User>> {
        self.users.values()
    }

    /// Puts a user in the place of the one of its name.
    pub fn put(&mut self, user: User) {
        self.users.insert(user.name.clone(), Arc::new(user));
    }

    /// Takes a user away; says whether there was one. The default user stays.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        name != DEFAULT && self.users.remove(name).is_some()
    }

    /// Changes a user, or makes one: all of the rules apply or none.
    ///
    /// # Errors
    /// The first rule that is wrong.
    pub fn set<'a>(
        &mut self,
        name: &[u8],
        rules: impl IntoIterator<Item = &'a [u8]>,
        every_channel: bool,
        catalogue: &Catalogue,
    ) -> Result<(), SetError> {
        let known = self.get(name).map(|user| User::clone(user));
        let mut user = known.unwrap_or_else(|| User::new(name, every_channel));
        user.apply_all(rules, every_channel, catalogue)?;
        self.put(user);
        Ok(())
    }

    /// Makes the user of a `user` line of a config file; the words begin with the name.
    ///
    /// # Errors
    /// What is wrong with the line.
    pub fn add_from_config(
        &mut self,
        words: &[Vec<u8>],
        every_channel: bool,
        catalogue: &Catalogue,
    ) -> Result<(), String> {
        let (name, rules) = words.split_first().ok_or("Syntax error")?;
        if !is_valid_name(name) {
            return Err("Spaces not allowed in ACL usernames".to_owned());
        }
        let mut user = User::new(name, every_channel);
        let shown = String::from_utf8_lossy;
        user.apply_all(rules.iter().map(Vec::as_slice), every_channel, catalogue).map_err(|error| match error {
            SetError::Unmatched(_) => error.to_string(),
            SetError::Rule(rule, error) if error == RuleError::UnknownCommand => {
                format!("Error loading ACL rule '{}' for the user named '{}': {error}", shown(&rule), shown(name))
            }
            // A rule may hold a password.
            SetError::Rule(_, error) => format!("Error in user declaration '{}': {error}", shown(name)),
        })?;
        self.put(user);
        Ok(())
    }

    /// The users of an ACL file; `default` is the default user if the file has none.
    ///
    /// # Errors
    /// All that is wrong with the file, in one line.
    pub fn load(
        path: &str,
        text: &[u8],
        default: &Arc<User>,
        every_channel: bool,
        catalogue: &Catalogue,
    ) -> Result<Users, String> {
        let mut users = Users { users: BTreeMap::new() };
        let mut errors = String::new();
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            if let Err(error) = users.load_line(path, index + 1, line, every_channel, catalogue) {
                errors.push_str(&error);
            }
        }
        if !errors.is_empty() {
            errors.push_str("WARNING: ACL errors detected, no change to the previously active ACL rules was performed");
            return Err(errors);
        }
        users.users.entry(DEFAULT.to_vec()).or_insert_with(|| Arc::clone(default));
        Ok(users)
    }

    fn load_line(
        &mut self,
        path: &str,
        number: usize,
        line: &[u8],
        every_channel: bool,
        catalogue: &Catalogue,
    ) -> Result<(), String> {
        let words: Vec<&[u8]> = line.split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty()).collect();
        let (name, rules) = match words.as_slice() {
            [] => return Ok(()),
            [b"user", name, rules @ ..] => (*name, rules),
            _ => return Err(format!("{path}:{number} should start with user keyword followed by the username. ")),
        };
        let shown = String::from_utf8_lossy(name);
        if !is_valid_name(name) {
            return Err(format!("{path}:{number}: username '{shown}' contains invalid characters. "));
        }
        if self.get(name).is_some() {
            return Err(format!("WARNING: Duplicate user '{shown}' found on line {number}. "));
        }
        let mut user = User::new(name, every_channel);
        let mut errors = String::new();
        let Ok(rules) = merge_selectors(rules.iter().copied()) else {
            return Err(format!("{path}:{number}: Unmatched parenthesis in selector definition. "));
        };
        for rule in rules {
            match user.apply(&rule, every_channel, catalogue) {
                Ok(()) => {}
                // An unknown command is named: that tells no secret. Of the others, the first one is enough.
                Err(error @ RuleError::UnknownCommand) => {
                    let rule = String::from_utf8_lossy(&rule);
                    let _ = write!(errors, "{path}:{number}: Error in applying operation '{rule}': {error}. ");
                }
                Err(error) => {
                    let _ = write!(errors, "{path}:{number}: {error}. ");
                    break;
                }
            }
        }
        self.put(user);
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// The text of an ACL file with all users.
    pub fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for user in self.all() {
            text.extend_from_slice(&user.line());
            text.push(b'\n');
        }
        text
    }
}

/// Whether a user can be called so.
pub fn is_valid_name(name: &[u8]) -> bool {
    !has_spaces(name)
}
