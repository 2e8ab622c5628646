//! Reading: the lines of files, of standard input and of the command line set the values of a store.

use ochre_text::quote::split_args;

use crate::kind::WRONG_COUNT;
use crate::source::{Line, LoadError, Source};
use crate::{Store, Value};

/// Directives of files that are no settings.
pub struct FileOnly<'a> {
    /// Old directives of one value, which are read over.
    pub ignored: &'static [&'static str],
    /// How names of modules' settings begin, beside those that hold a dot.
    pub of_modules: &'static [&'static str],
    /// Whether `sentinel` lines are welcome.
    pub is_sentinel: bool,
    /// Called after each line that set something, for what has to happen before the next line is read.
    pub on_line: &'a dyn Fn(&'static str, &Value) -> Result<(), String>,
}

/// Lines that are no settings, for the program to interpret; in the order in which they were read.
#[derive(Debug, Default)]
pub struct Loaded {
    /// `user` lines: a name and its rules.
    pub users: Vec<Line>,
    /// `rename-command` lines: a command and its new name, empty for none.
    pub renamed: Vec<Line>,
    /// `loadmodule` lines: a path and its arguments.
    pub modules: Vec<Line>,
    /// Lines of modules' own settings: their names hold a dot, or begin as [`FileOnly::of_modules`] says.
    pub module_settings: Vec<Line>,
    /// `sentinel` lines of at least two words.
    pub sentinel: Vec<Line>,
}

impl<H> Store<H> {
    /// Reads the sources line by line and sets what they say; a later line wins over an earlier one. Stops at the first error.
    ///
    /// For the start only: hooks are not run.
    pub fn load(&self, sources: &[Source], rules: &FileOnly<'_>) -> Result<Loaded, LoadError> {
        let mut loaded = Loaded::default();
        let mut reading = Reading { store: self, rules, seen: vec![false; self.rows().len()], loaded: &mut loaded };
        sources.iter().try_for_each(|source| reading.read(source, 0))?;
        Ok(loaded)
    }
}

/// What is remembered from one line to the next.
struct Reading<'a, H: 'static> {
    store: &'a Store<H>,
    rules: &'a FileOnly<'a>,
    /// By row: whether a line has set it.
    seen: Vec<bool>,
    loaded: &'a mut Loaded,
}

impl<H> Reading<'_, H> {
    fn read(&mut self, source: &Source, depth: usize) -> Result<(), LoadError> {
        for (index, text) in source.text.split(|byte| *byte == b'\n').enumerate() {
            let text = trimmed(text);
            if text.is_empty() || text[0] == b'#' {
                continue;
            }
            let words = split_args(text).unwrap_or_default();
            let mut line = Line { origin: source.origin.clone(), number: index + 1, text: text.to_vec(), words };
            let Some(directive) = line.words.first_mut() else {
                return Err(line.error("Unbalanced quotes in configuration line"));
            };
            directive.make_ascii_lowercase();
            self.take(line, depth)?;
        }
        Ok(())
    }

    fn take(&mut self, line: Line, depth: usize) -> Result<(), LoadError> {
        if let Some(row) = self.store.row_of(&line.words[0]) {
            return self.set(row, &line).map_err(|reason| line.error(reason));
        }
        match (line.words[0].as_slice(), line.words.len()) {
            (name, 2) if self.rules.ignored.iter().any(|ignored| ignored.as_bytes() == name) => {}
            (b"include", 2) => self.include(&line, depth)?,
            (b"rename-command", 3) => self.loaded.renamed.push(line),
            (b"user", 2..) => self.loaded.users.push(line),
            (b"loadmodule", 2..) => self.loaded.modules.push(line),
            (b"sentinel", 1) => {}
            (b"sentinel", _) if self.rules.is_sentinel => self.loaded.sentinel.push(line),
            (b"sentinel", _) => return Err(line.error("sentinel directive while not in sentinel mode")),
            (name, 1) if self.is_of_module(name) => {
                return Err(line.error("Module config specified without value"));
            }
            (name, _) if self.is_of_module(name) => self.loaded.module_settings.push(line),
            _ => return Err(line.error("Bad directive or wrong number of arguments")),
        }
        Ok(())
    }

    fn is_of_module(&self, name: &[u8]) -> bool {
        name.contains(&b'.') || self.rules.of_modules.iter().any(|start| name.starts_with(start.as_bytes()))
    }

    fn set(&mut self, row: usize, line: &Line) -> Result<(), String> {
        let directive = self.store.rows()[row];
        let words = &line.words[1..];
        // A value of many words may come as one quoted word, as it does from `--save "900 1"`.
        let split = match words {
            [word] if directive.kind.takes_many_words() && !word.is_empty() => split_args(word).ok(),
            _ => None,
        };
        let words = split.as_deref().unwrap_or(words);
        if !directive.kind.takes_many_words() && words.len() != 1 {
            return Err(WRONG_COUNT.to_string());
        }
        let value = directive.parse(words, &self.store.value_at(row), self.seen[row])?;
        self.seen[row] = true;
        self.store.put_at(row, value.clone());
        (self.rules.on_line)(directive.name, &value)
    }

    fn include(&mut self, line: &Line, depth: usize) -> Result<(), LoadError> {
        if depth == MAX_INCLUDES {
            return Err(line.error("Too many levels of included files"));
        }
        let path = String::from_utf8_lossy(&line.words[1]).into_owned();
        let sources = Source::read(&path).map_err(|error| line.error(error.to_string()))?;
        sources.iter().try_for_each(|source| self.read(source, depth + 1))
    }
}

/// Without the white space around it.
pub(crate) fn trimmed(line: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let start = line.iter().take_while(|byte| is_space(byte)).count();
    let end = line.iter().rev().take_while(|byte| is_space(byte)).count();
    line.get(start..line.len() - end).unwrap_or_default()
}

/// Files that include each other end here.
const MAX_INCLUDES: usize = 32;
