//! A command's words, read from left to right and judged once.

use crate::error::Error;
use ochre_keyspace::Key;
use ochre_resp::Args as Words;
use ochre_text::{case, number};

/// The words of one command and how far they have been read. Word 0 is the name.
///
/// Arity has been checked before the function runs, so `word` and `key` may be called as often as the synopsis has
/// required words.
#[derive(Clone)]
pub struct Args<'a> {
    argv: Words<'a>,
    /// The next word to read.
    at: usize,
    /// A hash that dispatch has computed already, and the word that it belongs to.
    first_key: (usize, u64),
}

impl<'a> Args<'a> {
    /// The words `argv`, read from the word after the name on.
    pub fn new(argv: Words<'a>) -> Self {
        Args { argv, at: 1, first_key: (usize::MAX, 0) }
    }

    /// As `new`, with the hash of the key at word `index` known.
    pub fn with_key_hash(argv: Words<'a>, index: usize, hash: u64) -> Self {
        Args { argv, at: 1, first_key: (index, hash) }
    }

    /// All words, the name included.
    pub fn argv(&self) -> Words<'a> {
        self.argv
    }

    /// Number of words, the name included.
    pub fn len(&self) -> usize {
        self.argv.len()
    }

    pub fn is_empty(&self) -> bool {
        self.argv.is_empty()
    }

    /// Number of words not yet read.
    pub fn remaining(&self) -> usize {
        self.argv.len() - self.at
    }

    /// The index of the next word.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Goes back or forth to word `index`.
    pub fn seek(&mut self, index: usize) {
        self.at = index.min(self.argv.len());
    }

    /// The next word; an empty one when arity was not checked and none is left.
    pub fn word(&mut self) -> &'a [u8] {
        self.next().unwrap_or_default()
    }

    /// The next word, unless all are read.
    #[expect(clippy::should_implement_trait, reason = "Args is more than an iterator: it can be peeked and typed")]
    pub fn next(&mut self) -> Option<&'a [u8]> {
        let word = self.argv.get(self.at)?;
        self.at += 1;
        Some(word)
    }

    /// The next word without reading it.
    pub fn peek(&self) -> Option<&'a [u8]> {
        self.argv.get(self.at)
    }

    /// The next word, an error when none is left: for the value behind an option.
    pub fn value(&mut self) -> Result<&'a [u8], Error> {
        self.next().ok_or(Error::SYNTAX)
    }

    /// The next word as a key.
    pub fn key(&mut self) -> Key<'a> {
        let at = self.at;
        let bytes = self.word();
        if at == self.first_key.0 { Key::with_hash(bytes, self.first_key.1) } else { Key::new(bytes) }
    }

    /// The next word as a signed integer.
    pub fn int(&mut self) -> Result<i64, Error> {
        number::parse_i64(self.value()?).ok_or(Error::NOT_AN_INTEGER)
    }

    /// The next word as an integer of at least `min`; `error` for anything else.
    pub fn int_from(&mut self, min: i64, error: Error) -> Result<i64, Error> {
        number::parse_i64(self.value()?).filter(|value| *value >= min).ok_or(error)
    }

    /// The number of keys at the next word and those keys, as SINTERCARD, LMPOP and their kin take them.
    ///
    /// # Errors
    /// A number below 1; `too_many` when there are not so many words left.
    pub fn counted_keys(
        &mut self,
        too_many: Error,
    ) -> Result<impl ExactSizeIterator<Item = Key<'a>> + Clone + use<'a>, Error> {
        let count = self.int_from(1, Error::NUMKEYS)?;
        let first = self.at;
        match usize::try_from(count) {
            Ok(count) if count <= self.remaining() => {
                self.at += count;
                let argv = self.argv;
                Ok((first..first + count).map(move |at| Key::new(argv.at(at))))
            }
            _ => Err(too_many),
        }
    }

    /// The next word as a floating-point number; infinities are numbers, NaN is not.
    pub fn float(&mut self) -> Result<f64, Error> {
        number::parse_f64(self.value()?).ok_or(Error::NOT_A_FLOAT)
    }

    /// Reads the next word if it is `option`, whatever its case.
    pub fn option(&mut self, option: &str) -> bool {
        let found = self.peek().is_some_and(|word| case::eq_ignore_case(word, option.as_bytes()));
        self.at += usize::from(found);
        found
    }

    /// The words not yet read; reading goes on behind them.
    pub fn rest(&mut self) -> Words<'a> {
        let rest = self.argv.from(self.at);
        self.at = self.argv.len();
        rest
    }

    /// A syntax error unless every word has been read.
    pub fn finish(&self) -> Result<(), Error> {
        if self.remaining() == 0 { Ok(()) } else { Err(Error::SYNTAX) }
    }
}
