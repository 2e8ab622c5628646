//! The commands and categories that rules speak of.

use std::collections::HashMap;

/// A command, or a subcommand.
#[derive(Clone, Debug)]
pub struct Entry {
    /// In lower case; a subcommand's with its container's: `client|kill`.
    pub name: String,
    /// Bits of its categories.
    pub categories: u32,
    /// The number of its container.
    pub container: Option<usize>,
}

/// All commands by number and by name, and the names of the categories.
#[derive(Debug, Default)]
pub struct Catalogue {
    entries: Vec<Entry>,
    numbers: HashMap<String, usize>,
    subcommands: HashMap<usize, Vec<usize>>,
    categories: Vec<(u32, &'static str)>,
}

impl Catalogue {
    /// The catalogue of `entries`, which are numbered from 0, and of categories: a bit and a name with its `@`.
    pub fn new(entries: Vec<Entry>, categories: &[(u32, &'static str)]) -> Self {
        let numbers = entries.iter().enumerate().map(|(number, entry)| (entry.name.clone(), number)).collect();
        let mut subcommands: HashMap<usize, Vec<usize>> = HashMap::new();
        for (number, entry) in entries.iter().enumerate() {
            if let Some(container) = entry.container {
                subcommands.entry(container).or_default().push(number);
            }
        }
        Catalogue { entries, numbers, subcommands, categories: categories.to_vec() }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn entry(&self, number: usize) -> &Entry {
        &self.entries[number]
    }

    /// The number of a command, whatever its case.
    pub(crate) fn find(&self, name: &[u8]) -> Option<usize> {
        let name = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
        self.numbers.get(&name).copied()
    }

    pub(crate) fn subcommands(&self, container: usize) -> &[usize] {
        self.subcommands.get(&container).map_or(&[], Vec::as_slice)
    }

    /// The bit of a category, given with its `@`, whatever its case; and its name.
    pub(crate) fn category(&self, name: &[u8]) -> Option<(u32, &'static str)> {
        self.categories.iter().find(|(_, word)| name.eq_ignore_ascii_case(word.as_bytes())).copied()
    }

    pub(crate) fn in_category(&self, bit: u32) -> impl Iterator<Item = usize> {
        let entries = self.entries.iter().enumerate();
        entries.filter(move |(_, entry)| entry.categories & bit != 0).map(|(number, _)| number)
    }
}
