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
    pub locks: Locks,
    /// Name in lower case, a subcommand's with its container's: `client|kill`.
    pub full_name: String,
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
            locks: spec.locks,
            full_name,
            id,
            subcommands,
        }
    }

    /// Whether a command of `words` words, the name included, has the right number of them.
    pub fn accepts(&self, words: usize) -> bool {
        let words = words as i64;
        let arity = i64::from(self.arity);
        if arity >= 0 { words == arity } else { words >= -arity }
    }

    /// The subcommand called `name`, whatever its case.
    pub fn subcommand(&self, name: &[u8]) -> Option<&Row<R>> {
        self.subcommands.iter().find(|row| case::eq_ignore_case(name, row.spec.name.as_bytes()))
    }
}

/// All commands by name.
pub struct Table<R> {
    rows: Vec<Row<R>>,
    /// Row number + 1 by hash; 0 is empty. A power of two long.
    slots: Vec<u16>,
    seed: u64,
    /// Names that find the row at the same position, in lower case.
    names: Vec<Vec<u8>>,
    targets: Vec<usize>,
    ids: usize,
}

impl<R> Table<R> {
    /// The table of these rows, numbered up to `ids`. Two commands of one name are a mistake in the lists, and panic.
    pub fn new(rows: Vec<Row<R>>, ids: usize) -> Self {
        let names = rows.iter().map(|row| row.full_name.clone().into_bytes()).collect();
        let targets = (0..rows.len()).collect();
        let mut table = Table { rows, slots: Vec::new(), seed: 0, names, targets, ids };
        table.build();
        table
    }

    /// Chooses a seed under which no two names share a slot.
    fn build(&mut self) {
        for (at, name) in self.names.iter().enumerate() {
            assert!(!self.names[..at].contains(name), "the command {} is listed twice", String::from_utf8_lossy(name));
        }
        let mut size = (self.names.len() * 8).next_power_of_two().max(64);
        for attempt in 1u64.. {
            // A larger table is easier to fill without a collision.
            if attempt % 4096 == 0 {
                size *= 2;
            }
            let seed = attempt.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
            let mut slots = vec![0u16; size];
            let perfect = self.names.iter().enumerate().all(|(number, name)| {
                let slot = &mut slots[slot_of(name, seed, size)];
                let free = *slot == 0;
                *slot = number as u16 + 1;
                free
            });
            if perfect {
                (self.slots, self.seed) = (slots, seed);
                return;
            }
        }
    }

    /// The command called `name`, whatever its case.
    pub fn find(&self, name: &[u8]) -> Option<&Row<R>> {
        self.position(name).map(|at| &self.rows[at])
    }

    /// The place in `rows` of the command called `name`, whatever its case.
    #[inline]
    pub fn position(&self, name: &[u8]) -> Option<usize> {
        let number = self.slots[slot_of(name, self.seed, self.slots.len())] as usize;
        let number = number.checked_sub(1)?;
        if !case::eq_ignore_case(name, &self.names[number]) {
            return None;
        }
        Some(self.targets[number])
    }

    /// Gives the command `old` another name (an empty one takes it away): `rename-command`.
    ///
    /// # Errors
    /// A text for the configuration's error when there is no such command or the new name is taken.
    pub fn rename(&mut self, old: &[u8], new: &[u8]) -> Result<(), &'static str> {
        let old = old.to_ascii_lowercase();
        let new = new.to_ascii_lowercase();
        let Some(at) = self.names.iter().position(|name| *name == old) else {
            return Err("No such command in rename-command");
        };
        if !new.is_empty() && self.names.contains(&new) {
            return Err("Target command name already exists");
        }
        if new.is_empty() {
            self.names.remove(at);
            self.targets.remove(at);
        } else {
            self.names[at] = new;
        }
        self.build();
        Ok(())
    }

    /// Makes `alias` another name of `command`, unless it is taken.
    pub fn alias(&mut self, alias: &str, command: &str) {
        let alias = alias.to_ascii_lowercase().into_bytes();
        let command = command.to_ascii_lowercase().into_bytes();
        let target = self.names.iter().position(|name| *name == command).map(|at| self.targets[at]);
        if let Some(target) = target
            && !self.names.contains(&alias)
        {
            self.names.push(alias);
            self.targets.push(target);
            self.build();
        }
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

/// The slot of a name, whatever its case. Reads at most 16 bytes: no two commands agree in length and in all of these.
#[inline]
fn slot_of(name: &[u8], seed: u64, size: usize) -> usize {
    const LOWER: u64 = 0x2020_2020_2020_2020;
    let word = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
    let (low, high) = match name.len() {
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
    };
    let mixed = (low ^ high.rotate_left(29) ^ name.len() as u64).wrapping_mul(seed);
    ((mixed ^ mixed >> 29).wrapping_mul(seed) >> 40) as usize & (size - 1)
}
