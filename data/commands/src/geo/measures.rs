//! Coordinates, lengths and units as clients write and read them.

use super::cell::Point;
use crate::{Args, Error, Reply};
use ochre_text::{case, number};

/// Reads a longitude and a latitude.
pub(super) fn read_point(args: &mut Args<'_>) -> Result<Point, Error> {
    let (longitude, latitude) = (args.float()?, args.float()?);
    let point = Point { longitude, latitude };
    if point.is_valid() { Ok(point) } else { Err(Error::invalid_place(longitude, latitude)) }
}

/// Reads a unit and answers how many metres it has.
pub(super) fn read_unit(args: &mut Args<'_>) -> Result<f64, Error> {
    const UNITS: [(&str, f64); 4] = [("M", 1.0), ("KM", 1000.0), ("FT", 0.3048), ("MI", 1609.34)];
    let word = args.value()?;
    let unit = UNITS.iter().find(|(name, _)| case::is(word, name));
    unit.map(|(_, metres)| *metres).ok_or(Error::GEO_UNIT)
}

/// Reads a length without its unit; `error` says which one it should have been.
pub(super) fn read_length(args: &mut Args<'_>, error: Error) -> Result<f64, Error> {
    number::parse_f64(args.value()?).ok_or(error)
}

/// Replies a distance with four digits behind the point: a text in either version of the protocol.
pub(super) fn reply_distance(reply: &mut Reply<'_>, distance: f64) {
    let tenths_of_mm = (distance * 10_000.0).round_ties_even() as u64;
    reply.bulk_fmt(format_args!("{}.{:04}", tenths_of_mm / 10_000, tenths_of_mm % 10_000));
}

/// Replies longitude and latitude, each with up to 17 digits behind the point.
pub(super) fn reply_point(reply: &mut Reply<'_>, point: Point) {
    reply.array(2);
    for value in [point.longitude, point.latitude] {
        let mut text = Vec::with_capacity(24);
        number::write_fixed(&mut text, value, 17);
        let zeros = text.iter().rev().take_while(|byte| **byte == b'0').count();
        text.truncate(text.len() - zeros);
        if text.last() == Some(&b'.') {
            text.pop();
        }
        if text == b"-0" {
            text.remove(0);
        }
        if reply.is_resp3() {
            reply.raw(b",");
            reply.raw(&text);
            reply.raw(b"\r\n");
        } else {
            reply.bulk(&text);
        }
    }
}
