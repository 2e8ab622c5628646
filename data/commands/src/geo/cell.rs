//! The earth cut into cells: each step halves longitude and latitude once more, and a cell's number orders near cells near.
//!
//! The bits of a cell's number are by turns those of its column (longitude, the upper one of each pair) and its row (latitude). A
//! place's score is the number of its cell after 26 steps: 52 bits, which a double holds exactly. All cells of a larger cell have
//! numbers in one range, so a search is a few ranges of scores.

use std::ops::Range;

/// Longitude and latitude in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) longitude: f64,
    pub(super) latitude: f64,
}

pub(super) const LONGITUDE_MAX: f64 = 180.0;
/// Beyond it the Mercator projection of the web's maps ends.
pub(super) const LATITUDE_MAX: f64 = 85.051_128_78;

impl Point {
    /// Whether places may lie here.
    pub(super) fn is_valid(self) -> bool {
        self.longitude.abs() <= LONGITUDE_MAX && self.latitude.abs() <= LATITUDE_MAX
    }
}

/// The number of steps to the smallest cells: about 0.6 m wide at the equator.
pub(super) const STEPS_MAX: u8 = 26;

/// A cell of the earth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    /// Longitude, counted from west to east.
    column: u32,
    /// Latitude, counted from south to north.
    row: u32,
    /// How often the earth was halved both ways: 1 to `STEPS_MAX`.
    steps: u8,
}

/// What a cell covers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Area {
    pub(super) min: Point,
    pub(super) max: Point,
}

impl Cell {
    /// The cell that `point` lies in.
    pub(super) fn of(point: Point, steps: u8) -> Cell {
        Cell::between(point, LATITUDE_MAX, steps)
    }

    /// The cell that `point` lies in where latitudes up to `latitude_max` are cut into cells.
    fn between(point: Point, latitude_max: f64, steps: u8) -> Cell {
        let place = |value: f64, max: f64| ((value + max) / (max + max) * f64::from(1 << steps)) as u32;
        Cell { column: place(point.longitude, LONGITUDE_MAX), row: place(point.latitude, latitude_max), steps }
    }

    /// The smallest cell that a score stands for. Scores that no place has give some cell, the same as in the peers.
    pub(super) fn of_score(score: f64) -> Cell {
        // A score too large for 64 bits is taken as the processor's conversion takes it.
        const TOO_LARGE: f64 = 18_446_744_073_709_551_616.0;
        let number = match score {
            _ if score < 0.0 => score as i64 as u64,
            _ if score >= TOO_LARGE => 0,
            _ => score as u64,
        };
        Cell { column: every_other_bit(number >> 1), row: every_other_bit(number), steps: STEPS_MAX }
    }

    fn number(self) -> u64 {
        spread(self.column) << 1 | spread(self.row)
    }

    /// The score of a place in this cell, which is a smallest one.
    pub(super) fn score(self) -> f64 {
        debug_assert_eq!(self.steps, STEPS_MAX);
        self.number() as f64
    }

    /// The scores of all places in the cell.
    pub(super) fn scores(self) -> Range<f64> {
        let unused_bits = 2 * (STEPS_MAX - self.steps);
        (self.number() << unused_bits) as f64..((self.number() + 1) << unused_bits) as f64
    }

    pub(super) fn area(self) -> Area {
        let edge = |place: u32, max: f64| -max + f64::from(place) / f64::from(1 << self.steps) * (max + max);
        let corner = |column, row| Point { longitude: edge(column, LONGITUDE_MAX), latitude: edge(row, LATITUDE_MAX) };
        Area { min: corner(self.column, self.row), max: corner(self.column.wrapping_add(1), self.row.wrapping_add(1)) }
    }

    /// The middle of the cell.
    pub(super) fn middle(self) -> Point {
        let Area { min, max } = self.area();
        let between = |min: f64, max: f64, limit: f64| ((min + max) / 2.0).clamp(-limit, limit);
        Point {
            longitude: between(min.longitude, max.longitude, LONGITUDE_MAX),
            latitude: between(min.latitude, max.latitude, LATITUDE_MAX),
        }
    }

    /// The cell of the same size so many columns to the east and rows to the north (-1, 0 or 1 each), around the earth.
    pub(super) fn neighbour(self, east: i32, north: i32) -> Cell {
        let moved =
            |place: u32, by: i32| if by == 0 { place } else { place.wrapping_add_signed(by) & ((1 << self.steps) - 1) };
        Cell { column: moved(self.column, east), row: moved(self.row, north), steps: self.steps }
    }
}

/// The name of the cell around a place in the common "geohash" notation, which cuts all latitudes up to the poles.
///
/// Eleven characters of five bits would need 55, so the last one is always `0`.
pub(super) fn geohash_text(point: Point) -> [u8; 11] {
    const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
    const BITS: usize = 2 * STEPS_MAX as usize;
    let number = Cell::between(point, 90.0, STEPS_MAX).number();
    std::array::from_fn(|at| match (at + 1) * 5 {
        used if used <= BITS => ALPHABET[(number >> (BITS - used)) as usize & 31],
        _ => ALPHABET[0],
    })
}

/// Puts a zero bit above each bit.
fn spread(bits: u32) -> u64 {
    let mut bits = u64::from(bits);
    bits = (bits | bits << 16) & 0x0000_FFFF_0000_FFFF;
    bits = (bits | bits << 8) & 0x00FF_00FF_00FF_00FF;
    bits = (bits | bits << 4) & 0x0F0F_0F0F_0F0F_0F0F;
    bits = (bits | bits << 2) & 0x3333_3333_3333_3333;
    (bits | bits << 1) & 0x5555_5555_5555_5555
}

/// Takes every other bit, from the lowest on: the reverse of `spread`.
fn every_other_bit(bits: u64) -> u32 {
    let mut bits = bits & 0x5555_5555_5555_5555;
    bits = (bits | bits >> 1) & 0x3333_3333_3333_3333;
    bits = (bits | bits >> 2) & 0x0F0F_0F0F_0F0F_0F0F;
    bits = (bits | bits >> 4) & 0x00FF_00FF_00FF_00FF;
    bits = (bits | bits >> 8) & 0x0000_FFFF_0000_FFFF;
    (bits | bits >> 16) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PALERMO: Point = Point { longitude: 13.361389, latitude: 38.115556 };

    /// The score and coordinates that Redis documents for its first example.
    #[test]
    fn a_place_has_the_peers_score_and_comes_back_as_the_middle_of_its_cell() {
        let cell = Cell::of(PALERMO, STEPS_MAX);
        assert_eq!(cell.score(), 3479099956230698.0);
        assert_eq!(Cell::of_score(3479099956230698.0), cell);
        let middle = cell.middle();
        assert_eq!((middle.longitude, middle.latitude), (13.361_389_338_970_184, 38.115_556_395_496_3));
        assert_eq!(&geohash_text(middle), b"sqc8b49rny0");
    }

    #[test]
    fn neighbours_go_around_the_earth() {
        let cell = Cell { column: 7, row: 0, steps: 3 };
        assert_eq!(cell.neighbour(1, 0), Cell { column: 0, row: 0, steps: 3 });
        assert_eq!(cell.neighbour(0, -1), Cell { column: 7, row: 7, steps: 3 });
        assert_eq!(cell.neighbour(-1, 1), Cell { column: 6, row: 1, steps: 3 });
    }

    #[test]
    fn any_score_gives_a_valid_point() {
        for score in [-1.0, 0.5, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300, f64::MAX, 9.3e18, 1e17] {
            assert!(Cell::of_score(score).middle().is_valid(), "{score}");
        }
    }

    proptest! {
        #[test]
        fn a_cell_holds_its_points_and_the_scores_of_its_cells(
            longitude in -180.0..180.0f64, latitude in -85.0..85.0f64, steps in 1..=STEPS_MAX,
        ) {
            let point = Point { longitude, latitude };
            let (cell, smallest) = (Cell::of(point, steps), Cell::of(point, STEPS_MAX));
            let area = cell.area();
            prop_assert!(area.min.longitude <= longitude && longitude <= area.max.longitude);
            prop_assert!(area.min.latitude <= latitude && latitude <= area.max.latitude);
            prop_assert!(cell.scores().contains(&smallest.score()));
            prop_assert_eq!(Cell::of_score(smallest.score()), smallest);
        }

        #[test]
        fn spread_bits_come_back(bits: u32) {
            prop_assert_eq!(every_other_bit(spread(bits)), bits);
            prop_assert_eq!(every_other_bit(spread(bits) << 1), 0);
        }
    }
}
