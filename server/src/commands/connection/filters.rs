//! The filters of CLIENT LIST and CLIENT KILL: every one that is given must fit, every NOT- one must not.

use crate::clients::{Client, Texts, traits};
use crate::shared::Shared;
use ochre_commands::{Args, Error};
use ochre_text::{case, number};
use std::sync::atomic::Ordering;

enum What {
    Ids(Vec<u64>),
    Kind(Kind),
    User(Vec<u8>),
    Address(Vec<u8>),
    LocalAddress(Vec<u8>),
    MaxAge(u64),
    Name(Vec<u8>),
    Idle(u64),
    Flags(Vec<u8>),
    LibraryName(Vec<u8>),
    LibraryVersion(Vec<u8>),
    Db(usize),
    Capability(Vec<u8>),
    Ip(Vec<u8>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Normal,
    Master,
    Replica,
    Pubsub,
}

/// All filters of a command.
#[derive(Default)]
pub(super) struct Filters {
    filters: Vec<(bool, What)>,
    pub(super) skip_me: Option<bool>,
}

impl Filters {
    /// Reads filters up to the end of the words.
    pub(super) fn read(args: &mut Args<'_>, shared: &Shared) -> Result<Filters, Error> {
        let mut all = Filters::default();
        while let Some(word) = args.next() {
            let name = word.to_ascii_uppercase();
            let (negated, name) = match name.strip_prefix(b"NOT-") {
                Some(rest) => (true, rest),
                None => (false, name.as_slice()),
            };
            if name == b"SKIPME" && !negated {
                all.skip_me = Some(if args.option("YES") {
                    true
                } else if args.option("NO") {
                    false
                } else {
                    return Err(Error::SYNTAX);
                });
                continue;
            }
            all.add(negated, What::read(name, args, shared)?);
        }
        Ok(all)
    }

    /// Of filters of one kind the last counts, but ids come together.
    fn add(&mut self, negated: bool, what: What) {
        let is_same = |(known_negated, known): &&mut (bool, What)| {
            *known_negated == negated && std::mem::discriminant(known) == std::mem::discriminant(&what)
        };
        match (self.filters.iter_mut().find(is_same), what) {
            (Some((_, What::Ids(known))), What::Ids(ids)) => known.extend(ids),
            (Some((_, known)), what) => *known = what,
            (None, what) => self.filters.push((negated, what)),
        }
    }

    /// Whether `client` passes all filters.
    pub(super) fn fits(&self, client: &Client, now_ms: u64) -> bool {
        let texts = client.texts();
        self.filters.iter().all(|(negated, what)| what.fits(client, &texts, now_ms) != *negated)
    }
}

impl What {
    fn read(name: &[u8], args: &mut Args<'_>, shared: &Shared) -> Result<What, Error> {
        let text = |args: &mut Args<'_>| args.value().map(<[u8]>::to_vec);
        Ok(match name {
            b"ID" => {
                let mut ids = vec![read_id(args.value()?)?];
                while let Some(id) = args.peek().and_then(number::parse_i64) {
                    ids.push(positive(id)?);
                    args.next();
                }
                What::Ids(ids)
            }
            b"TYPE" => What::Kind(read_kind(args.value()?)?),
            b"USER" => {
                let user = args.value()?;
                if shared.access.users().get(user).is_none() {
                    return Err(Error::text(format!("ERR No such user '{}'", String::from_utf8_lossy(user))));
                }
                What::User(user.to_vec())
            }
            b"ADDR" => What::Address(text(args)?),
            b"LADDR" => What::LocalAddress(text(args)?),
            b"MAXAGE" => What::MaxAge(read_seconds(args, "maxage")?),
            b"NAME" => What::Name(text(args)?),
            b"IDLE" => What::Idle(read_seconds(args, "idle")?),
            b"FLAGS" => What::Flags(read_flags(args.value()?)?),
            b"LIB-NAME" => What::LibraryName(text(args)?),
            b"LIB-VER" => What::LibraryVersion(text(args)?),
            b"DB" => {
                let db = number::parse_i64(args.value()?).and_then(|db| usize::try_from(db).ok());
                What::Db(db.ok_or(Error::fixed("ERR DB is not an integer or out of range"))?)
            }
            b"CAPA" => What::Capability(text(args)?),
            b"IP" => What::Ip(text(args)?),
            _ => return Err(Error::SYNTAX),
        })
    }

    fn fits(&self, client: &Client, texts: &Texts, now_ms: u64) -> bool {
        match self {
            What::Ids(ids) => ids.contains(&client.id),
            What::Kind(kind) => kind_of(client) == *kind,
            What::User(user) => texts.user.as_bytes() == user,
            What::Address(address) => client.address.as_bytes() == address,
            What::LocalAddress(address) => client.local_address.as_bytes() == address,
            What::MaxAge(seconds) => now_ms.saturating_sub(client.created_ms) / 1000 >= *seconds,
            What::Name(name) => texts.name.as_bytes() == name,
            What::Idle(seconds) => {
                now_ms.saturating_sub(client.last_used_ms.load(Ordering::Relaxed)) / 1000 >= *seconds
            }
            What::Flags(flags) => {
                let own = super::list::flag_letters(client);
                flags.iter().all(|flag| own.as_bytes().contains(flag))
            }
            What::LibraryName(name) => texts.library.as_bytes() == name,
            What::LibraryVersion(version) => texts.library_version.as_bytes() == version,
            What::Db(db) => client.db.load(Ordering::Relaxed) == *db,
            What::Capability(letters) => letters.iter().all(|letter| texts.capabilities.as_bytes().contains(letter)),
            What::Ip(ip) => {
                let host = client.address.rsplit_once(':').map_or(client.address.as_str(), |(host, _)| host);
                host.trim_matches(['[', ']']).as_bytes() == ip
            }
        }
    }
}

fn read_id(word: &[u8]) -> Result<u64, Error> {
    number::parse_i64(word).ok_or(Error::fixed("ERR client-id should be greater than 0")).and_then(positive)
}

fn positive(id: i64) -> Result<u64, Error> {
    u64::try_from(id).ok().filter(|id| *id > 0).ok_or(Error::fixed("ERR client-id should be greater than 0"))
}

fn read_seconds(args: &mut Args<'_>, name: &str) -> Result<u64, Error> {
    let seconds = number::parse_i64(args.value()?)
        .ok_or_else(|| Error::text(format!("ERR {name} is not an integer or out of range")))?;
    u64::try_from(seconds)
        .ok()
        .filter(|seconds| *seconds > 0)
        .ok_or_else(|| Error::text(format!("ERR {name} should be greater than 0")))
}

fn read_flags(word: &[u8]) -> Result<Vec<u8>, Error> {
    if word.iter().any(|letter| !FLAGS.contains(letter)) {
        let flags = String::from_utf8_lossy(word);
        return Err(Error::text(format!("ERR Unknown flags found in the provided filter: {flags}")));
    }
    Ok(word.to_vec())
}

/// The letters of CLIENT LIST, with those that only other servers show.
const FLAGS: &[u8] = b"bcdeirtuxABEIMNOPRSTU";

fn read_kind(word: &[u8]) -> Result<Kind, Error> {
    let kinds = [
        ("normal", Kind::Normal),
        ("master", Kind::Master),
        ("primary", Kind::Master),
        ("slave", Kind::Replica),
        ("replica", Kind::Replica),
        ("pubsub", Kind::Pubsub),
    ];
    let found = kinds.iter().find(|(name, _)| case::eq_ignore_case(word, name.as_bytes()));
    found
        .map(|(_, kind)| *kind)
        .ok_or_else(|| Error::text(format!("ERR Unknown client type '{}'", String::from_utf8_lossy(word))))
}

fn kind_of(client: &Client) -> Kind {
    if client.has(traits::PRIMARY) {
        Kind::Master
    } else if client.has(traits::REPLICA) {
        Kind::Replica
    } else if client.has(traits::PUBSUB) {
        Kind::Pubsub
    } else {
        Kind::Normal
    }
}
