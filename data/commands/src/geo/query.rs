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
.summary("Replies the places inside a circle, a box or a polygon.")
.cost("O(N+log(M)), N being the number of places in the cells that cover the shape and M the size of the sorted set")
.since("6.2.0")
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
.summary("Stores the places inside a circle, a box or a polygon; replies how many there are.")
.cost("O(N+log(M)), N being the number of places in the cells that cover the shape and M the size of the sorted set")
.since("6.2.0")
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
