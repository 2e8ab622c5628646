//! The keys in a whole command, with what is done to each (COMMAND GETKEYS).

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
    let mut keys = Vec::new();
    let all_fit = each(row, words, &mut |at, flags| keys.push((words.at(at), flags)));
    match keys.is_empty() {
        false if all_fit => Ok(keys),
        _ if row.flags.has(NO_MANDATORY_KEYS) => Ok(Vec::new()),
        _ => Err(Error::INVALID_KEYS),
    }
}

/// Visits the words of a command that are keys, with what is done to each. Says no when the words do not fit its key specs: then
/// those are visited that do.
///
/// A few commands say more than their key specs can.
pub fn each(row: &CommandRow, words: Words<'_>, visit: &mut dyn FnMut(usize, KeyFlags)) -> bool {
    let has_word = |word: &str, from: usize| words.from(from).iter().any(|argument| case::is(argument, word));
    let flags = |bits: u16| KeyFlags(bits);
    match row.full_name.as_str() {
        "set" => {
            let reads = has_word("GET", 3);
            visit(1, if reads { flags(RW | ACCESS | UPDATE) } else { flags(OW | UPDATE) });
        }
        "bitfield" => {
            let writes = has_word("SET", 2) || has_word("INCRBY", 2);
            visit(1, if writes { flags(RW | ACCESS | UPDATE) } else { flags(RO | ACCESS) });
        }
        "sort" => {
            visit(1, flags(RO | ACCESS));
            // The last STORE counts.
            if let Some(store) = (2..words.len() - 1).rfind(|at| case::is(words.at(*at), "STORE")) {
                visit(store + 1, flags(OW | UPDATE));
            }
        }
        "georadius" | "georadiusbymember" => {
            visit(1, flags(RO | ACCESS));
            // Here, too.
            let stores = |at: &usize| case::position(words.at(*at), &["STORE", "STOREDIST"]).is_some();
            if let Some(store) = (4..words.len() - 1).rfind(stores) {
                visit(store + 1, flags(OW | UPDATE));
            }
        }
        "sort_ro" => visit(1, flags(RO | ACCESS)),
        "migrate" => {
            let keys = words_of_migrate(words);
            keys.for_each(|at| visit(at, flags(RW | ACCESS | DELETE)));
        }
        _ => {
            let mut all_fit = true;
            for spec in row.spec.keys.iter().filter(|spec| !spec.flags.has(NOT_KEY)) {
                match spec.locate(words) {
                    Ok(Some((first, count, step))) => {
                        (0..count).for_each(|number| visit(first + number * step, spec.flags));
                    }
                    Ok(None) => {}
                    Err(_) => all_fit = false,
                }
            }
            return all_fit;
        }
    }
    true
}

/// The keys of MIGRATE: the third word, or if that is empty, all behind KEYS, which may be a password, too.
pub fn words_of_migrate(words: Words<'_>) -> std::ops::Range<usize> {
    if !words.at(3).is_empty() {
        return 3..4;
    }
    let mut at = 6;
    while at < words.len() {
        let word = words.at(at);
        at += match word {
            _ if case::is(word, "KEYS") => return at + 1..words.len(),
            _ if case::is(word, "AUTH") => 2,
            _ if case::is(word, "AUTH2") => 3,
            _ => 1,
        };
    }
    3..4
}
