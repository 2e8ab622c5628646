//! The keys in a whole command, with what is done to each (COMMAND GETKEYS).

use crate::dispatch;
use crate::shared::{CommandRow, Shared};
use ochre_commands::Error;
use ochre_commands::keys::*;
use ochre_commands::spec::NO_MANDATORY_KEYS;
use ochre_resp::Args as Words;
use ochre_text::case;

type Found<'a> = Vec<(&'a [u8], KeyFlags)>;

/// The keys in `words`, a command with all its arguments.
///
/// # Errors
/// When it is no command, has no keys, or its words do not fit.
pub fn find<'a>(shared: &'static Shared, words: Words<'a>) -> Result<Found<'a>, Error> {
    const NO_COMMAND: Error = Error::fixed("ERR Invalid command specified");
    let row = shared.commands.find(words.at(0)).ok_or(NO_COMMAND)?;
    let row = if row.subcommands.is_empty() || words.len() == 1 {
        row
    } else {
        row.subcommand(words.at(1)).ok_or(NO_COMMAND)?
    };
    if row.spec.keys.iter().all(|key| key.flags.has(NOT_KEY)) {
        return Err(Error::fixed("ERR The command has no key arguments"));
    }
    if !row.accepts(words.len()) {
        return Err(Error::fixed("ERR Invalid number of arguments specified for command"));
    }
    match keys_of(row, words) {
        Ok(keys) if !keys.is_empty() => Ok(keys),
        _ if row.flags.has(NO_MANDATORY_KEYS) => Ok(Vec::new()),
        _ => Err(Error::INVALID_KEYS),
    }
}

/// A few commands say more than their key specs can.
fn keys_of<'a>(row: &CommandRow, words: Words<'a>) -> Result<Found<'a>, Error> {
    let has_word = |word: &str, from: usize| words.from(from).iter().any(|argument| case::is(argument, word));
    let flags = |bits: u16| KeyFlags(bits);
    match row.full_name.as_str() {
        "set" => {
            let reads = has_word("GET", 3);
            Ok(vec![(words.at(1), if reads { flags(RW | ACCESS | UPDATE) } else { flags(OW | UPDATE) })])
        }
        "bitfield" => {
            let writes = has_word("SET", 2) || has_word("INCRBY", 2);
            Ok(vec![(words.at(1), if writes { flags(RW | ACCESS | UPDATE) } else { flags(RO | ACCESS) })])
        }
        "sort" => {
            let mut found = vec![(words.at(1), flags(RO | ACCESS))];
            // The last STORE counts.
            let store = (2..words.len() - 1).rfind(|at| case::is(words.at(*at), "STORE"));
            found.extend(store.map(|at| (words.at(at + 1), flags(OW | UPDATE))));
            Ok(found)
        }
        "sort_ro" => Ok(vec![(words.at(1), flags(RO | ACCESS))]),
        "migrate" => {
            let keys = (6..words.len()).find(|at| case::is(words.at(*at), "KEYS"));
            let first = if words.at(3).is_empty() { keys.map_or(words.len(), |at| at + 1) } else { 3 };
            let end = if words.at(3).is_empty() { words.len() } else { 4 };
            Ok((first..end).map(|at| (words.at(at), flags(RW | ACCESS | DELETE))).collect())
        }
        _ => {
            let located = dispatch::key_words(row.spec.keys, words)?.unwrap_or_default();
            let keys = located.into_iter().filter(|(_, spec)| !spec.flags.has(NOT_KEY));
            Ok(keys.map(|(at, spec)| (words.at(at), spec.flags)).collect())
        }
    }
}
