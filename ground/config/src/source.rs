//! Sources: the text that settings are read from, its lines, and the report of a line that is wrong.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::include;

/// Text to read settings from.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// Where it was read.
    pub origin: Origin,
    /// The lines.
    pub text: Vec<u8>,
}

/// Where lines come from, for reports of what is wrong with them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// A file.
    File(Arc<Path>),
    /// Variables of the environment.
    Environment,
    /// Standard input.
    #[default]
    Input,
    /// Options of the command line.
    Options,
}

impl Source {
    /// The content of a file, or of each file that matches a pattern, which may be none.
    pub fn read(path: &str) -> Result<Vec<Source>, LoadError> {
        let paths =
            if include::is_pattern(path.as_bytes()) { include::expand(path) } else { vec![PathBuf::from(path)] };
        let read = |path: PathBuf| match std::fs::read(&path) {
            Ok(text) => Ok(Source { origin: Origin::File(path.into()), text }),
            Err(error) => Err(LoadError::Unreadable { path: path.display().to_string(), reason: reason_of(&error) }),
        };
        paths.into_iter().map(read).collect()
    }
}

/// A line that says something, with the place where it stands.
#[derive(Clone, Debug)]
pub struct Line {
    /// Where it was read.
    pub origin: Origin,
    /// From 1.
    pub number: usize,
    /// Without the white space around it.
    pub text: Vec<u8>,
    /// At least one; the first is the directive in lower case.
    pub words: Vec<Vec<u8>>,
}

impl Line {
    /// The error that this line is wrong for `reason`.
    pub fn error(&self, reason: impl Into<String>) -> LoadError {
        let text = String::from_utf8_lossy(&self.text).into_owned();
        LoadError::AtLine { origin: self.origin.clone(), number: self.number, text, reason: reason.into() }
    }
}

/// Why a server cannot start with these settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// A line is wrong.
    AtLine {
        /// Where it was read.
        origin: Origin,
        /// From 1.
        number: usize,
        /// The line.
        text: String,
        /// What is wrong.
        reason: String,
    },
    /// The settings do not fit together.
    Overall(String),
    /// A file cannot be read.
    Unreadable {
        /// Its path.
        path: String,
        /// What the system says.
        reason: String,
    },
}

impl LoadError {
    /// The report for people on the terminal; `program` is a name and a version. Ends with a line feed.
    pub fn report(&self, program: &str) -> String {
        if let LoadError::Unreadable { .. } = self {
            return format!("{self}\n");
        }
        format!("\n*** FATAL CONFIG FILE ERROR ({program}) ***\n{self}\n")
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::AtLine { origin, number, text, reason } => {
                match origin {
                    Origin::File(file) => {
                        write!(out, "Reading the configuration file '{}', at line {number}", file.display())
                    }
                    Origin::Input => write!(out, "Reading standard input, at line {number}"),
                    // These lines are made here: nobody could count them.
                    Origin::Environment => write!(out, "Reading the variables of the environment (OCHRE_*)"),
                    Origin::Options => write!(out, "Reading the options of the command line"),
                }?;
                write!(out, "\n>>> '{text}'\n{reason}")
            }
            LoadError::Overall(reason) => out.write_str(reason),
            LoadError::Unreadable { path, reason } => {
                write!(out, "Fatal error, can't open config file '{path}': {reason}")
            }
        }
    }
}

impl std::error::Error for LoadError {}

/// What the system calls an error, without the number that Rust puts behind it.
pub fn reason_of(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_string()
}
