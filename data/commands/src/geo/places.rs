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

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::sorted_set::testing::in_both_encodings;
    use crate::testing::{Db, Null};
    use ochre_resp::Protocol;

    const SICILY: &str = "GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania";

    #[test]
    fn geoadd_is_logged_as_the_zadd_that_it_is() {
        in_both_encodings(|db| {
            db.check(SICILY, 2);
            assert_eq!(db.events(), ["zadd g"]);
            assert_eq!(db.logged(), "ZADD g 3479099956230698 Palermo 3479447370796909 Catania");
            db.check_quiet(SICILY, 0);
            db.check("ZSCORE g Palermo", "3479099956230698");
            db.check("GEOADD g XX CH 13.5 38 Palermo 1 1 nowhere", 1);
            assert_eq!(db.logged(), "ZADD g XX CH 3479097324432493 Palermo 3377822707026402 nowhere");
            db.check_quiet("GEOADD g NX 0 0 Palermo", 0);
            db.check_quiet("GEOADD missing XX 0 0 a", 0);
            db.context.log_wanted = false;
            db.check("GEOADD g 0 0 a", 1);
        });
    }

    #[test]
    fn geoadd_judges_all_words_before_the_key() {
        let mut db = Db::new();
        db.run("SET text x");
        for (words, error) in [
            ("text CH 0 0", Error::SYNTAX),
            ("text 0 0 a 1", Error::SYNTAX),
            ("text NX XX 0 0 a", Error::SYNTAX),
            ("text NX XX CH CH", Error::SYNTAX),
            ("text GT 0 a", Error::NOT_A_FLOAT),
            ("text 0 x a", Error::NOT_A_FLOAT),
            ("text 200 100 a", Error::fixed("ERR invalid longitude,latitude pair 200.000000,100.000000")),
            ("text 0 0 a 0 85.06 b", Error::fixed("ERR invalid longitude,latitude pair 0.000000,85.060000")),
            ("text 0 0 a", Error::WRONG_TYPE),
        ] {
            db.check_quiet(&format!("GEOADD {words} "), error);
        }
    }

    #[test]
    fn places_are_told_as_points_texts_and_distances() {
        in_both_encodings(|db| {
            db.run(SICILY);
            db.check(
                "GEOPOS g Palermo x Catania",
                "[[13.36138933897018433 38.11555639549629859] nil [15.08726745843887329 37.50266842333162032]]",
            );
            db.check("GEOHASH g Palermo x Catania", "[sqc8b49rny0 nil sqdtr74hyu0]");
            db.check("GEODIST g Palermo Catania", "166274.1516");
            db.check("GEODIST g Palermo Catania km", "166.2742");
            db.check("GEODIST g Palermo Catania MI", "103.3182");
            db.check("GEODIST g Palermo Palermo", "0.0000");
            db.check("GEODIST g Palermo x", Null);
            db.check("GEODIST missing Palermo x", Null);
            db.check("GEOPOS g", [0_i64; 0]);
            assert_eq!(db.run_raw(&[b"GEOPOS", b"missing", b"x"]), b"*1\r\n*-1\r\n");
            assert_eq!(db.run_raw(&[b"GEOHASH", b"missing", b"x"]), b"*1\r\n$-1\r\n");
            db.run("ZADD g 4503599627370495 corner 0 zero");
            db.check("GEOPOS g zero", "[[-179.99999731779098511 -85.05112751263942528]]");
            db.protocol = Protocol::Resp3;
            assert_eq!(
                db.run_raw(&[b"GEOPOS", b"g", b"Palermo", b"x"]),
                b"*2\r\n*2\r\n,13.36138933897018433\r\n,38.11555639549629859\r\n_\r\n"
            );
            assert_eq!(db.run_raw(&[b"GEODIST", b"g", b"Palermo", b"Palermo"]), b"$6\r\n0.0000\r\n");
        });
    }

    #[test]
    fn units_are_judged_before_the_key() {
        let mut db = Db::new();
        db.run("SET text x");
        db.check_quiet("GEODIST text a b yd", Error::GEO_UNIT);
        db.check_quiet("GEODIST text a b m m", Error::SYNTAX);
        for command in ["GEODIST text a b m", "GEOPOS text", "GEOHASH text a"] {
            db.check_quiet(command, Error::WRONG_TYPE);
        }
    }
}
