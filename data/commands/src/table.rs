//! Finding a command by its name: a perfect hash, built at start from the lists of all families.

use crate::keys::legacy_range;
use crate::spec::{Categories, Command, Flags, Locks, MOVABLEKEYS, Spec};
use ochre_text::case;

/// A command as dispatch sees it: everything that a spec says, computed once.
pub struct Row<R> {
    pub spec: &'static Spec,
    pub run: Option<R>,
    /// Exact number of words when positive, a minimum when negative.
    pub arity: i16,
    pub flags: Flags,
    pub categories: Categories,
    /// First key, last key and step as COMMAND INFO shows them.
    pub legacy_keys: (i32, i32, i32),
    /// Word of the one key, when the command has exactly one and its place is fixed; else 0.
    pub only_key: usize,
    /// The word of a key that is worth fetching before the command's turn: its only one, or the first of those that are counted.
    pub first_key: usize,
    pub locks: Locks,
    /// Words of a member that the command looks for at its only key, and of the score that this gets: see `Spec`. 0 for none.
    pub member_word: u8,
    pub score_word: u8,
    /// Name in lower case, a subcommand's with its container's: `client|kill`.
    pub full_name: String,
    /// Number of words in the name: 2 for a subcommand.
    pub name_words: usize,
    /// A number from 0 up, unique in its table: the index of the command's counters.
    pub id: usize,
    pub subcommands: Vec<Row<R>>,
}

impl<R> Row<R> {
    /// The row of `command` and the rows of its subcommands; `wrap` turns its function into the table's kind, `ids` is the
    /// next free number.
    pub fn new<F: Copy>(
        command: &'static Command<F>,
        container: Option<&str>,
        ids: &mut usize,
        wrap: fn(F) -> R,
    ) -> Self {
        let spec = &command.spec;
        let name = spec.name.to_ascii_lowercase();
        let full_name = match container {
            Some(container) => format!("{container}|{name}"),
            None => name,
        };
        let movable = spec.keys.iter().any(|key| {
            !matches!((key.begin, key.find), (crate::keys::Begin::Index(_), crate::keys::Find::Range { limit: 0, .. }))
        });
        let flags = if movable { spec.flags.with(MOVABLEKEYS) } else { spec.flags };
        let id = *ids;
        *ids += 1;
        let only_key = match spec.keys {
            [key] => match (key.begin, key.find) {
                (crate::keys::Begin::Index(at), crate::keys::Find::Range { last: 0, .. }) => at as usize,
                _ => 0,
            },
            _ => 0,
        };
        let first_key = match spec.keys {
            [key] => match (key.begin, key.find) {
                (crate::keys::Begin::Index(at), crate::keys::Find::Count { count: 0, first, .. }) => {
                    (at + first) as usize
                }
                _ => only_key,
            },
            _ => only_key,
        };
        let subcommands =
            command.subcommands.iter().map(|subcommand| Row::new(subcommand, Some(&full_name), ids, wrap)).collect();
        Row {
            spec,
            run: command.run.map(wrap),
            arity: spec.arity(i16::from(container.is_some())),
            flags,
            categories: spec.categories(),
            legacy_keys: legacy_range(spec.keys),
            only_key,
            first_key,
            locks: spec.locks,
            member_word: if only_key == 0 { 0 } else { spec.member_word },
            score_word: spec.score_word,
            full_name,
            name_words: 1 + usize::from(container.is_some()),
            id,
            subcommands,
        }
    }

    /// Whether a command of `words` words, the name included, has the right number of them.
    pub fn accepts(&self, words: usize) -> bool {
        let wanted = usize::from(self.arity.unsigned_abs());
        words == wanted || (self.arity < 0 && words > wanted)
    }

    /// Whether a command of `words` words is complete as it is: no subcommand has to be found, and the number is right.
    #[inline]
    pub fn is_whole(&self, words: usize) -> bool {
        self.subcommands.is_empty() && self.accepts(words)
    }

    /// The subcommand called `name`, whatever its case.
    pub fn subcommand(&self, name: &[u8]) -> Option<&Row<R>> {
        self.subcommands.iter().find(|row| case::eq_ignore_case(name, row.spec.name.as_bytes()))
    }
}

/// All commands by name.
pub struct Table<R> {
    rows: Vec<Row<R>>,
    /// Open addressing, a power of two long and at most an eighth full, so that the first slot nearly always decides.
    slots: Vec<Slot>,
    /// Every name in lower case and the position of its row.
    names: Vec<(Vec<u8>, usize)>,
    ids: usize,
}

/// A name's place in the table.
#[derive(Clone, Copy)]
struct Slot {
    /// Beginning and end of the name: see `ends`.
    ends: (u64, u64),
    length: u32,
    /// Whether `ends` and `length` tell the name from every other text.
    is_exact: bool,
    /// Position in `Table::names`; `EMPTY` when there is none.
    name: u16,
    row: u16,
}

const EMPTY: u16 = u16::MAX;

impl<R> Table<R> {
    /// The table of these rows, numbered up to `ids`. Two commands of one name are a mistake in the lists, and panic.
    pub fn new(rows: Vec<Row<R>>, ids: usize) -> Self {
        let names = rows.iter().enumerate().map(|(at, row)| (row.full_name.clone().into_bytes(), at)).collect();
        let mut table = Table { rows, slots: Vec::new(), names, ids };
        table.build();
        table
    }

    fn build(&mut self) {
        let size = (self.names.len() * 8).next_power_of_two().max(64);
        let empty = Slot { ends: (0, 0), length: 0, is_exact: false, name: EMPTY, row: 0 };
        self.slots = vec![empty; size];
        for (number, (name, row)) in self.names.iter().enumerate() {
            let twin = self.position(name);
            assert!(twin.is_none(), "the command {} is listed twice", String::from_utf8_lossy(name));
            let ends = ends(name);
            let mut at = start_of(ends, name.len());
            while self.slots[at & (size - 1)].name != EMPTY {
                at += 1;
            }
            let is_exact = name.len() <= 16 && name.iter().all(u8::is_ascii_lowercase);
            let (number, row) = (number as u16, *row as u16);
            self.slots[at & (size - 1)] = Slot { ends, length: name.len() as u32, is_exact, name: number, row };
        }
    }

    /// The command called `name`, whatever its case.
    #[inline(always)]
    pub fn find(&self, name: &[u8]) -> Option<&Row<R>> {
        self.position(name).map(|at| &self.rows[at])
    }

    /// The place in `rows` of the command called `name`, whatever its case.
    #[inline(always)]
    pub fn position(&self, name: &[u8]) -> Option<usize> {
        let wanted = ends(name);
        let mut at = start_of(wanted, name.len());
        loop {
            let slot = &self.slots[at & (self.slots.len() - 1)];
            if slot.name == EMPTY {
                return None;
            }
            if slot.ends == wanted
                && slot.length as usize == name.len()
                && (slot.is_exact || case::eq_ignore_case(name, &self.names[slot.name as usize].0))
            {
                return Some(slot.row as usize);
            }
            at += 1;
        }
    }

    /// Gives the command `old` another name (an empty one takes it away): `rename-command`.
    ///
    /// # Errors
    /// A text for the configuration's error when there is no such command or the new name is taken.
    pub fn rename(&mut self, old: &[u8], new: &[u8]) -> Result<(), &'static str> {
        let old = old.to_ascii_lowercase();
        let new = new.to_ascii_lowercase();
        let Some(at) = self.names.iter().position(|(name, _)| *name == old) else {
            return Err("No such command in rename-command");
        };
        if !new.is_empty() && self.position(&new).is_some() {
            return Err("Target command name already exists");
        }
        if new.is_empty() {
            self.names.remove(at);
        } else {
            self.names[at].0 = new;
        }
        self.build();
        Ok(())
    }

    /// Every command that has a name, in the order of the lists: those that `rename` took away are left out.
    pub fn listed(&self) -> impl Iterator<Item = &Row<R>> {
        let is_named = |row: usize| self.names.iter().any(|(_, named)| *named == row);
        self.rows.iter().enumerate().filter(move |(at, _)| is_named(*at)).map(|(_, row)| row)
    }

    /// Every command, in the order of the lists.
    pub fn rows(&self) -> &[Row<R>] {
        &self.rows
    }

    /// Number of commands and subcommands: one more than the largest `Row::id`.
    pub fn ids(&self) -> usize {
        self.ids
    }
}

/// The first and the last bytes of a name in lower case, at most eight each: all of a name of up to 16 bytes.
#[inline]
fn ends(name: &[u8]) -> (u64, u64) {
    // Setting this bit makes a letter lower case. Other bytes may become equal by it, so only letters are told apart for sure.
    const LOWER: u64 = 0x2020_2020_2020_2020;
    let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
    match name.len() {
        0 => (0, 0),
        1..=3 => {
            let middle = name[name.len() / 2];
            (u64::from(name[0]) | u64::from(middle) << 8 | u64::from(name[name.len() - 1]) << 16 | LOWER, 0)
        }
        4..=7 => {
            let half = |bytes: &[u8]| u64::from(u32::from_le_bytes(bytes.try_into().expect("four bytes")));
            (half(&name[..4]) << 32 | half(&name[name.len() - 4..]) | LOWER, 0)
        }
        _ => (word(&name[..8]) | LOWER, word(&name[name.len() - 8..]) | LOWER),
    }
}

/// Where the search for a name begins, to be taken modulo the table's length.
#[inline]
fn start_of(ends: (u64, u64), length: usize) -> usize {
    let mixed = (ends.0 ^ ends.1.rotate_left(29) ^ length as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 40) as usize
}

#[cfg(test)]
mod tests {
    use super::{Row, Table};
    use crate::{DataFn, FAMILIES};

    fn table() -> Table<DataFn> {
        let mut ids = 0;
        let commands = FAMILIES.iter().flat_map(|family| family.iter());
        let rows = commands.map(|command| Row::new(command, None, &mut ids, |run| run)).collect();
        Table::new(rows, ids)
    }

    #[test]
    fn every_name_is_found_in_any_case_and_no_other() {
        let table = table();
        for row in table.rows() {
            let found = table.find(row.spec.name.as_bytes()).expect("a listed command is found");
            assert_eq!(found.full_name, row.full_name);
            let mixed: String = row
                .full_name
                .char_indices()
                .map(|(at, c)| if at % 2 == 0 { c.to_ascii_uppercase() } else { c })
                .collect();
            assert_eq!(table.find(mixed.as_bytes()).map(|row| &row.full_name), Some(&row.full_name));
            assert!(table.find(&row.full_name.as_bytes()[1..]).is_none_or(|other| other.full_name != row.full_name));
        }
        for other in ["", "g", "ge", "gett", "g\u{5}t", "no-such-command-with-a-long-name"] {
            assert!(table.find(other.as_bytes()).is_none(), "{other:?}");
        }
    }

    #[test]
    fn commands_are_renamed_and_removed() {
        let mut table = table();
        assert_eq!(table.rename(b"GET", b"fetch"), Ok(()));
        assert!(table.find(b"get").is_none());
        assert_eq!(table.find(b"FETCH").map(|row| row.spec.name), Some("GET"));
        assert_eq!(table.rename(b"set", b""), Ok(()));
        assert!(table.find(b"set").is_none());
        assert!(table.rename(b"set", b"x").is_err());
        assert!(table.rename(b"del", b"unlink").is_err());
    }
}
