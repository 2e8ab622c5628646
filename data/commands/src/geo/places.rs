//! Adding places, and telling where they are and how far apart.

use super::cell::{Cell, Point, STEPS_MAX, geohash_text};
use super::measures::{read_point, read_unit, reply_distance, reply_point};
use super::shape::distance_m;
use crate::keys::*;
use crate::sorted_set::{AddOptions, Pairs, add_pairs};
use crate::spec::*;
use crate::{Args, Command, Error, Locked, Reply};
use ochre_values::SortedSet;

pub(super) const GEOADD: Command = Command::new(
    Group::Geo,
    "GEOADD",
    "key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]",
    geoadd,
)
.summary("Adds places to a sorted set, or moves them; replies how many were new.")
.cost("O(log(N)) for each place, N being the size of the sorted set")
.since("3.2.0")
.history(&[("6.2.0", "The options CH, NX and XX.")])
.keys(&[KeySpec::at(1, RW | UPDATE)])
.flags(WRITE | DENYOOM);

fn geoadd(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let options_at = args.position();
    let mut options = AddOptions::default();
    loop {
        if args.option("NX") {
            options.only_new = true;
        } else if args.option("XX") {
            options.only_known = true;
        } else if args.option("CH") {
            options.count_changed = true;
        } else {
            break;
        }
    }
    let (places_at, words) = (args.position(), args.remaining());
    if words == 0 || words % 3 != 0 || options.only_new && options.only_known {
        return Err(Error::SYNTAX);
    }
    let mut scores = Vec::with_capacity(words / 3);
    while args.remaining() > 0 {
        scores.push(Cell::of(read_point(args)?, STEPS_MAX).score());
        args.word();
    }
    let argv = args.argv();
    let pairs = Pairs::of(&scores, argv.from(places_at), 3);
    add_pairs(data, &key, &options, &pairs, reply)?;
    if data.effects.changes > 0 && data.log_wanted() {
        let texts: Vec<String> = scores.iter().map(|score| (*score as u64).to_string()).collect();
        let mut logged: Vec<&[u8]> = vec![b"ZADD", key.bytes()];
        logged.extend((options_at..places_at).map(|at| argv.at(at)));
        for (number, text) in texts.iter().enumerate() {
            logged.extend([text.as_bytes(), argv.at(places_at + number * 3 + 2)]);
        }
        data.log(&logged);
    }
    Ok(())
}

/// The place of a member.
pub(super) fn place(score: f64) -> Point {
    Cell::of_score(score).middle()
}

pub(super) const GEOPOS: Command = Command::new(Group::Geo, "GEOPOS", "key [member [member ...]]", geopos)
    .summary("Replies longitude and latitude of places.")
    .cost("O(1) for each place")
    .since("3.2.0")
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .flags(READONLY);

fn geopos(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let set = data.read::<SortedSet>(&args.key())?;
    let members = args.rest();
    reply.array(members.len());
    for member in members {
        match set.and_then(|set| set.score(member)) {
            Some(score) => reply_point(reply, place(score)),
            None => reply.null_array(),
        }
    }
    Ok(())
}

pub(super) const GEOHASH: Command = Command::new(Group::Geo, "GEOHASH", "key [member [member ...]]", geohash)
    .summary("Replies places as geohash texts of eleven characters.")
    .cost("O(1) for each place")
    .since("3.2.0")
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .flags(READONLY);

fn geohash(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let set = data.read::<SortedSet>(&args.key())?;
    let members = args.rest();
    reply.array(members.len());
    for member in members {
        match set.and_then(|set| set.score(member)) {
            Some(score) => reply.bulk(&geohash_text(place(score))),
            None => reply.null(),
        }
    }
    Ok(())
}

pub(super) const GEODIST: Command =
    Command::new(Group::Geo, "GEODIST", "key member1 member2 [m | km | ft | mi]", geodist)
        .summary("Replies the distance between two places.")
        .cost("O(1)")
        .since("3.2.0")
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY);

fn geodist(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let (key, one, other) = (args.key(), args.word(), args.word());
    let unit_m = match args.remaining() {
        0 => 1.0,
        1 => read_unit(args)?,
        _ => return Err(Error::SYNTAX),
    };
    let set = data.read::<SortedSet>(&key)?;
    match set.and_then(|set| Some((set.score(one)?, set.score(other)?))) {
        Some((one, other)) => reply_distance(reply, distance_m(place(one), place(other)) / unit_m),
        None => reply.null(),
    }
    Ok(())
}
