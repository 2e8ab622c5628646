//! A command with its words, as access control sees it.

use crate::commands::server::command_keys;
use crate::shared::CommandRow;
use ochre_acl::{Access, Call};
use ochre_commands::keys::{ACCESS, DELETE, INSERT, KeyFlags, UPDATE};
use ochre_commands::spec::{CAT_KEYSPACE, CAT_READ, CAT_WRITE, NO_AUTH};
use ochre_resp::Args as Words;
use ochre_text::{case, number};

/// A command that somebody wants to run.
pub struct RowCall<'a> {
    pub row: &'a CommandRow,
    pub words: Words<'a>,
    /// The selected database.
    pub db: usize,
    /// How many databases there are.
    pub databases: usize,
}

impl RowCall<'_> {
    fn has_keys(&self) -> bool {
        !self.row.spec.keys.is_empty()
    }

    /// The words that are numbers of databases, if the command names any.
    fn database_words(&self) -> Option<Vec<usize>> {
        match self.row.full_name.as_str() {
            "select" => Some(vec![1]),
            "move" => Some(vec![2]),
            "swapdb" => Some(vec![1, 2]),
            "copy" => {
                // The option may be given again and again, and a number is never its name.
                let options = (3..self.words.len()).filter(|at| case::is(self.words.at(*at), "DB"));
                Some(options.map(|at| at + 1).collect())
            }
            _ => None,
        }
    }
}

/// What the flags of a key mean for whoever must be allowed to do it.
fn access_of(flags: KeyFlags) -> Access {
    Access { reads: flags.has(ACCESS), writes: flags.any(INSERT | DELETE | UPDATE) }
}

impl Call for RowCall<'_> {
    fn command(&self) -> usize {
        self.row.id
    }

    fn is_for_everybody(&self) -> bool {
        self.row.flags.has(NO_AUTH)
    }

    fn first_argument(&self) -> Option<&[u8]> {
        self.words.get(self.row.name_words)
    }

    fn keys(&self, visit: &mut dyn FnMut(usize, &[u8], Access) -> bool) {
        let mut go_on = true;
        command_keys::each(self.row, self.words, &mut |at, flags| {
            go_on = go_on && visit(at, self.words.at(at), access_of(flags));
        });
    }

    fn channels(&self, visit: &mut dyn FnMut(usize, &[u8], bool) -> bool) {
        let (last, is_pattern) = match self.row.full_name.as_str() {
            "publish" | "spublish" => (1, false),
            "subscribe" | "ssubscribe" => (usize::MAX, false),
            "psubscribe" => (usize::MAX, true),
            _ => return,
        };
        for (at, name) in self.words.iter().enumerate().skip(1) {
            if at > last || !visit(at, name, is_pattern) {
                break;
            }
        }
    }

    fn databases(&self, visit: &mut dyn FnMut(usize, u32) -> bool) {
        let current = self.db as u32;
        if let Some(named) = self.database_words() {
            for at in named {
                // What is no number of a database is for the command to refuse.
                let number = self.words.get(at).and_then(number::parse_u64).filter(|db| *db < self.databases as u64);
                if number.is_some_and(|db| !visit(at, db as u32)) {
                    return;
                }
            }
            if self.has_keys() {
                visit(0, current);
            }
        } else if self.row.full_name == "flushall" {
            let _ = (0..self.databases as u32).all(|db| visit(0, db));
        } else if self.has_keys() || self.row.categories.any(CAT_KEYSPACE | CAT_READ | CAT_WRITE) {
            visit(0, current);
        }
    }
}
