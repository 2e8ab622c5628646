//! Searching for places around a point.

use super::cell::Point;
use super::cover;
use super::measures::{reply_distance, reply_point};
use super::places::place;
use super::request::{Form, Request};
use crate::keys::*;
use crate::reply_item::reply_item;
use crate::sorted_set::{Combined, store_changes};
use crate::spec::*;
use crate::{Args, Command, Error, Locked, Reply};
use ochre_collections::Item;
use ochre_values::SortedSet;
use ochre_values::sorted_set::SortedSetRef;
use std::ops::Bound;

/// A place that was found.
struct Found<'a> {
    member: Item<'a>,
    score: f64,
    point: Point,
    /// From the centre of the search.
    distance_m: f64,
}

/// Any of the commands.
fn search(data: &mut Locked<'_>, args: &mut Args<'_>, form: Form, reply: &mut Reply<'_>) -> Result<(), Error> {
    let destination = (form == Form::SearchStore).then(|| args.key());
    let key = args.key();
    let set = data.read::<SortedSet>(&key)?;
    let request = Request::read(args, form, set, destination)?;
    let found = set.map(|set| find(set, &request)).unwrap_or_default();
    let Some(destination) = request.destination else {
        reply_found(&found, &request, reply);
        return Ok(());
    };
    let score =
        |place: &Found<'_>| if request.stores_distance { place.distance_m / request.unit_m } else { place.score };
    let stored = Combined::new(found.iter().map(|place| (score(place), place.member)).collect());
    let stored = stored.into_set(data.limits());
    let event = if form == Form::SearchStore { "geosearchstore" } else { "georadiusstore" };
    let changes = found.len() as u64;
    store_changes(data, &destination, stored, event, changes, reply);
    Ok(())
}

/// The places that a request asks for, in its order.
fn find<'a>(set: SortedSetRef<'a>, request: &Request<'_>) -> Vec<Found<'a>> {
    let Some(centre) = request.centre else { return Vec::new() };
    let enough = request.count.filter(|_| request.any).unwrap_or(usize::MAX);
    let mut found = Vec::new();
    'cells: for cell in cover::cells(&request.shape, centre) {
        let scores = cell.scores();
        let ranks = set.ranks_by_score(Bound::Included(scores.start), Bound::Excluded(scores.end));
        for item in set.range(ranks) {
            let score = item.score();
            let point = place(score);
            if let Some(distance_m) = request.shape.distance_inside_m(centre, point) {
                found.push(Found { member: item.member, score, point, distance_m });
                if found.len() >= enough {
                    break 'cells;
                }
            }
        }
    }
    let count = request.count.unwrap_or(usize::MAX);
    if let Some(order) = request.order {
        let compare = |left: &Found<'_>, right: &Found<'_>| order.compare(left.distance_m, right.distance_m);
        if count < found.len() {
            found.select_nth_unstable_by(count, compare);
            found.truncate(count);
        }
        found.sort_by(compare);
    }
    found.truncate(count);
    found
}

fn reply_found(found: &[Found<'_>], request: &Request<'_>, reply: &mut Reply<'_>) {
    let extras = [request.with_distance, request.with_hash, request.with_point].iter().filter(|with| **with).count();
    reply.array(found.len());
    for place in found {
        if extras > 0 {
            reply.array(1 + extras);
        }
        reply_item(reply, place.member);
        if request.with_distance {
            reply_distance(reply, place.distance_m / request.unit_m);
        }
        if request.with_hash {
            reply.integer(place.score as i64);
        }
        if request.with_point {
            reply_point(reply, place.point);
        }
    }
}

pub(super) const GEOSEARCH: Command = Command::new(
    Group::Geo,
    "GEOSEARCH",
    "key [FROMMEMBER member | FROMLONLAT longitude latitude] <BYRADIUS radius <m | km | ft | mi> | BYBOX width height <m | km | ft | mi> | BYPOLYGON num-vertices longitude latitude [longitude latitude ...]> [ASC | DESC] [COUNT count [ANY]] [WITHCOORD] [WITHDIST] [WITHHASH]",
    geosearch,
)
.arity(-7) // a circle or a box is the least that fits
.summary("Replies the places inside a circle, a box or a polygon.")
.cost("O(N+log(M)), N being the number of places in the cells that cover the shape and M the size of the sorted set")
.since("6.2.0")
// The peers count the shortest search that has all that it needs, though the point stands in brackets.
.arity(-7)
.keys(&[KeySpec::at(1, RO | ACCESS)])
.flags(READONLY);

fn geosearch(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    search(data, args, Form::Search, reply)
}

pub(super) const GEOSEARCHSTORE: Command = Command::new(
    Group::Geo,
    "GEOSEARCHSTORE",
    "destination source [FROMMEMBER member | FROMLONLAT longitude latitude] <BYRADIUS radius <m | km | ft | mi> | BYBOX width height <m | km | ft | mi> | BYPOLYGON num-vertices longitude latitude [longitude latitude ...]> [ASC | DESC] [COUNT count [ANY]] [STOREDIST]",
    geosearchstore,
)
.arity(-8) // a circle or a box is the least that fits
.summary("Stores the places inside a circle, a box or a polygon; replies how many there are.")
.cost("O(N+log(M)), N being the number of places in the cells that cover the shape and M the size of the sorted set")
.since("6.2.0")
// As GEOSEARCH.
.arity(-8)
.keys(&[KeySpec::at(1, OW | UPDATE), KeySpec::at(2, RO | ACCESS)])
.flags(WRITE | DENYOOM);

fn geosearchstore(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    search(data, args, Form::SearchStore, reply)
}

pub(super) const GEORADIUS: Command = Command::new(
    Group::Geo,
    "GEORADIUS",
    "key longitude latitude radius <m | km | ft | mi> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC] [STORE key | STOREDIST key]",
    georadius,
)
.summary("Replies or stores the places within a distance of a point.")
.cost("O(N+log(M)), N being the number of places in the cells that cover the circle and M the size of the sorted set")
.since("3.2.0")
.deprecated("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with `BYRADIUS`")
.history(&[("6.2.0", "The option ANY of COUNT.")])
.keys(&[
    KeySpec::at(1, RO | ACCESS),
    KeySpec::after("STORE", 6, OW | UPDATE | VARIABLE),
    KeySpec::after("STOREDIST", 6, OW | UPDATE | VARIABLE),
])
.flags(WRITE | DENYOOM);

fn georadius(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    search(data, args, Form::Radius { stores: true }, reply)
}

pub(super) const GEORADIUS_RO: Command = Command::new(
    Group::Geo,
    "GEORADIUS_RO",
    "key longitude latitude radius <m | km | ft | mi> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]",
    georadius_ro,
)
.summary("Replies the places within a distance of a point.")
.cost("O(N+log(M)), N being the number of places in the cells that cover the circle and M the size of the sorted set")
.since("3.2.10")
.deprecated("6.2.0", "`GEOSEARCH` with `BYRADIUS`")
.history(&[("6.2.0", "The option ANY of COUNT.")])
.keys(&[KeySpec::at(1, RO | ACCESS)])
.flags(READONLY);

fn georadius_ro(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    search(data, args, Form::Radius { stores: false }, reply)
}

pub(super) const GEORADIUSBYMEMBER: Command = Command::new(
    Group::Geo,
    "GEORADIUSBYMEMBER",
    "key member radius <m | km | ft | mi> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC] [STORE key | STOREDIST key]",
    georadiusbymember,
)
.summary("Replies or stores the places within a distance of another place.")
.cost("O(N+log(M)), N being the number of places in the cells that cover the circle and M the size of the sorted set")
.since("3.2.0")
.deprecated("6.2.0", "`GEOSEARCH` and `GEOSEARCHSTORE` with `BYRADIUS` and `FROMMEMBER`")
.history(&[("6.2.0", "The option ANY of COUNT.")])
.keys(&[
    KeySpec::at(1, RO | ACCESS),
    KeySpec::after("STORE", 5, OW | UPDATE | VARIABLE),
    KeySpec::after("STOREDIST", 5, OW | UPDATE | VARIABLE),
])
.flags(WRITE | DENYOOM);

fn georadiusbymember(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    search(data, args, Form::RadiusByMember { stores: true }, reply)
}

pub(super) const GEORADIUSBYMEMBER_RO: Command = Command::new(
    Group::Geo,
    "GEORADIUSBYMEMBER_RO",
    "key member radius <m | km | ft | mi> [WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]",
    georadiusbymember_ro,
)
.summary("Replies the places within a distance of another place.")
.cost("O(N+log(M)), N being the number of places in the cells that cover the circle and M the size of the sorted set")
.since("3.2.10")
.deprecated("6.2.0", "`GEOSEARCH` with `BYRADIUS` and `FROMMEMBER`")
.history(&[("6.2.0", "The option ANY of COUNT.")])
.keys(&[KeySpec::at(1, RO | ACCESS)])
.flags(READONLY);

fn georadiusbymember_ro(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    search(data, args, Form::RadiusByMember { stores: false }, reply)
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::sorted_set::testing::in_both_encodings;
    use crate::testing::Db;
    use ochre_resp::Protocol;

    const NONE: [i64; 0] = [];

    fn fill(db: &mut Db) {
        db.run("GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania 12.758489 38.788135 edge1");
        db.run("GEOADD g 17.241510 38.788135 edge2");
        db.run("SET text x");
    }

    #[test]
    fn a_circle_may_be_around_a_point_or_a_place() {
        in_both_encodings(|db| {
            fill(db);
            db.check("GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km ASC", ["Catania", "Palermo"]);
            db.check("GEOSEARCH g FROMMEMBER Palermo BYRADIUS 100 km DESC", ["edge1", "Palermo"]);
            db.check("GEOSEARCH g BYRADIUS 60 mi FROMLONLAT 15 37", ["Catania"]);
            db.check("GEOSEARCH missing FROMMEMBER x BYRADIUS 1 m", NONE);
            db.check("GEOSEARCH g FROMLONLAT -100 0 BYRADIUS 1 m", NONE);
            db.check("GEORADIUS g 15 37 200 km DESC", ["Palermo", "Catania"]);
            db.check("GEORADIUS_RO g 15 37 200 km COUNT 1", ["Catania"]);
            db.check("GEORADIUSBYMEMBER g Catania 100 km", ["Catania"]);
            db.check("GEORADIUSBYMEMBER_RO missing Catania abc yd", NONE);
        });
    }

    #[test]
    fn a_box_reaches_as_far_on_every_side() {
        in_both_encodings(|db| {
            fill(db);
            db.check("GEOSEARCH g FROMLONLAT 15 37 BYBOX 400 400 km ASC", ["Catania", "Palermo", "edge2", "edge1"]);
            db.check("GEOSEARCH g FROMLONLAT 15 37 BYBOX 300 400 km ASC", ["Catania", "Palermo"]);
            db.check("GEOSEARCH g FROMLONLAT 15 37 BYBOX 400 0 km", NONE);
        });
    }

    #[test]
    fn places_on_the_northernmost_latitude_are_found_from_there() {
        let mut db = Db::new();
        db.check("GEOADD g 13.361389 85.05112878 edge", 1);
        db.check("GEORADIUSBYMEMBER_RO g edge 1000 M", "[edge]");
        db.check("GEOSEARCH g FROMLONLAT 13.361389 85.05112878 BYBOX 1000 1000 M", "[edge]");
    }

    #[test]
    fn a_polygon_needs_no_centre() {
        in_both_encodings(|db| {
            fill(db);
            db.check("GEOSEARCH g BYPOLYGON 4 13 38 14 38 14 39 13 39", ["Palermo"]);
            db.check("GEOSEARCH g ASC BYPOLYGON 3 12 36 18 36 15 42 COUNT 9", ["Catania", "Palermo"]);
            db.check("GEOSEARCHSTORE d g BYPOLYGON 3 12 36 18 36 15 42 STOREDIST", 2);
        });
    }

    #[test]
    fn more_is_told_on_demand() {
        in_both_encodings(|db| {
            fill(db);
            db.check(
                "GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 100 km WITHHASH WITHDIST WITHCOORD",
                "[[Catania 56.4413 3479447370796909 [15.08726745843887329 37.50266842333162032]]]",
            );
            db.check("GEORADIUS g 15 37 100 km WITHDIST", "[[Catania 56.4413]]");
            db.protocol = Protocol::Resp3;
            assert_eq!(
                db.run_raw(
                    &b"GEORADIUS g 15 37 100 km WITHDIST WITHHASH".split(|byte| *byte == b' ').collect::<Vec<_>>()
                ),
                b"*1\r\n*3\r\n$7\r\nCatania\r\n$7\r\n56.4413\r\n:3479447370796909\r\n"
            );
        });
    }

    #[test]
    fn a_count_means_the_nearest_unless_any_will_do() {
        in_both_encodings(|db| {
            for place in 0..200 {
                db.run(&format!("GEOADD g {} 0 p{place}", f64::from(place) / 100.0));
            }
            let search = "GEOSEARCH g FROMLONLAT 0 0 BYRADIUS 500 km";
            db.check(&format!("{search} COUNT 3"), ["p0", "p1", "p2"]);
            db.check(&format!("{search} COUNT 2 DESC"), ["p199", "p198"]);
            let any = db.run(&format!("{search} COUNT 3 ANY"));
            assert_eq!(any.split(' ').count(), 3);
            assert_eq!(db.run(search).split(' ').count(), 200);
        });
    }

    #[test]
    fn results_are_stored_with_their_cells_or_distances() {
        in_both_encodings(|db| {
            fill(db);
            db.check("GEOSEARCHSTORE d g FROMLONLAT 15 37 BYRADIUS 200 km", 2);
            assert_eq!((db.events(), db.logged()), (vec!["geosearchstore d".into()], "verbatim".into()));
            assert_eq!(db.effects.changes, 2);
            db.check("ZRANGE d 0 -1 WITHSCORES", ["Palermo", "3479099956230698", "Catania", "3479447370796909"]);
            db.check("GEORADIUS g 15 37 100 km STOREDIST d", 1);
            assert_eq!(db.events(), ["georadiusstore d"]);
            let score = db.run("ZSCORE d Catania");
            assert!(score.starts_with("56.44125787"), "{score}");
            db.check("GEORADIUS g 15 37 100 km STOREDIST e STORE f STORE d", 1);
            db.check("ZSCORE d Catania", "3479447370796909");
            db.check("EXISTS e f", 0);
            db.check("GEORADIUSBYMEMBER g Palermo 100 km COUNT 1 STORE text", 1);
            db.check("ZRANGE text 0 -1", ["Palermo"]);
            db.check("GEOSEARCHSTORE d g FROMLONLAT 0 0 BYRADIUS 1 m", 0);
            assert_eq!(db.events(), ["del d"]);
            db.check("GEORADIUSBYMEMBER missing x y z STORE text", 0);
            assert_eq!(db.events(), ["del text"]);
            db.check_quiet("GEOSEARCHSTORE d missing FROMMEMBER x BYRADIUS 1 m", 0);
        });
    }

    #[test]
    fn words_are_judged_as_they_come() {
        let mut db = Db::new();
        fill(&mut db);
        let fixed = Error::fixed;
        for (command, error) in [
            ("GEOSEARCH text what 1 2 3 4", Error::WRONG_TYPE),
            ("GEOSEARCH g FROMMEMBER x BYRADIUS a m what", Error::no_such_place(b"x")),
            ("GEOSEARCH g FROMMEMBER Palermo BYRADIUS a m what", Error::GEO_RADIUS),
            ("GEOSEARCH g FROMMEMBER Palermo BYRADIUS -1 m what", Error::GEO_NEGATIVE_RADIUS),
            ("GEOSEARCH g FROMMEMBER Palermo BYRADIUS 1 yd what", Error::GEO_UNIT),
            ("GEOSEARCH g FROMMEMBER Palermo BYBOX a 1 m", Error::GEO_WIDTH),
            ("GEOSEARCH g FROMMEMBER Palermo BYBOX 1 a m", Error::GEO_HEIGHT),
            ("GEOSEARCH g FROMMEMBER Palermo BYBOX 1 -1 m", Error::GEO_NEGATIVE_BOX),
            ("GEOSEARCH g FROMMEMBER Palermo BYBOX 1 1 m BYRADIUS 1 m", Error::SYNTAX),
            ("GEOSEARCH g FROMMEMBER Palermo FROMLONLAT 1 1 BYRADIUS 1 m", Error::SYNTAX),
            ("GEOSEARCH g FROMLONLAT 1 1 FROMMEMBER Palermo BYRADIUS 1 m", Error::SYNTAX),
            (
                "GEOSEARCH g FROMLONLAT 1 100 BYRADIUS 1 m",
                fixed("ERR invalid longitude,latitude pair 1.000000,100.000000"),
            ),
            (
                "GEOSEARCH g BYRADIUS 1 m ASC ASC ASC",
                fixed("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for GEOSEARCH"),
            ),
            (
                "GEOSEARCH g FROMLONLAT 1 1 ASC ASC",
                fixed("ERR exactly one of BYRADIUS, BYBOX and BYPOLYGON can be specified for GEOSEARCH"),
            ),
            ("GEOSEARCH g BYPOLYGON a 1 1 1 1", Error::GEO_CORNERS),
            ("GEOSEARCH g BYPOLYGON 2 1 1 2 2", Error::GEO_FEW_CORNERS),
            ("GEOSEARCH g BYPOLYGON 4 1 1 2 2 3 1", Error::GEO_FEW_CORNERS),
            ("GEOSEARCH g BYPOLYGON 3 1 1 2 2 3 1 FROMMEMBER Palermo", Error::SYNTAX),
            ("GEOSEARCH g BYPOLYGON 3 1 1 2 2 3 1 BYRADIUS 1 m", Error::SYNTAX),
            ("GEOSEARCH g FROMLONLAT 1 1 BYRADIUS 1 m COUNT 0", Error::GEO_COUNT),
            ("GEOSEARCH g FROMLONLAT 1 1 BYRADIUS 1 m COUNT a", Error::NOT_AN_INTEGER),
            ("GEOSEARCH g FROMLONLAT 1 1 BYRADIUS 1 m COUNT", Error::SYNTAX),
            ("GEOSEARCH g FROMLONLAT 1 1 BYRADIUS 1 m ANY", Error::GEO_ANY),
            ("GEOSEARCH g FROMLONLAT 1 1 BYRADIUS 1 m STOREDIST", Error::SYNTAX),
            ("GEOSEARCH g FROMLONLAT 1 1 BYRADIUS 1 m STORE d", Error::SYNTAX),
            ("GEOSEARCHSTORE d g FROMLONLAT 1 1 BYRADIUS 1 m WITHDIST", Error::GEO_SEARCH_STORE_WITH),
            ("GEORADIUS g 1 1 1 m WITHHASH STORE d", Error::GEO_STORE_WITH),
            ("GEORADIUS g 1 1 1 m STORE STORE ASC", Error::SYNTAX),
            ("GEORADIUS g 1 1 1 m STOREDIST STORE STORE d", Error::SYNTAX),
            ("GEORADIUS_RO g 1 1 1 m STORE d", Error::SYNTAX),
            ("GEORADIUS g a 1 1 m", Error::NOT_A_FLOAT),
            ("GEORADIUS g 1 1 a m", Error::GEO_RADIUS),
            ("GEORADIUSBYMEMBER g x 1 m", Error::no_such_place(b"x")),
            ("GEORADIUSBYMEMBER missing x 1 m what", Error::SYNTAX),
        ] {
            db.check_quiet(command, error);
        }
    }
}
