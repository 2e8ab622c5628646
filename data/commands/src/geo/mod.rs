//! Group geo: places on the earth as members of a sorted set, each scored by the cell that it lies in.

mod cell;
mod cover;
mod measures;
mod places;
mod query;
mod request;
mod shape;

use crate::Command;

pub const COMMANDS: &[Command] = &[
    places::GEOADD,
    places::GEOPOS,
    places::GEOHASH,
    places::GEODIST,
    query::GEOSEARCH,
    query::GEOSEARCHSTORE,
    query::GEORADIUS,
    query::GEORADIUS_RO,
    query::GEORADIUSBYMEMBER,
    query::GEORADIUSBYMEMBER_RO,
];
