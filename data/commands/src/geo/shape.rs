//! Distances on the earth, and what lies inside a circle, a box or a polygon.

use super::cell::{LATITUDE_MAX, LONGITUDE_MAX, Point};
use std::f64::consts::PI;

/// Mean radius of the earth in metres.
const EARTH_RADIUS_M: f64 = 6_372_797.560856;

const RADIANS_PER_DEGREE: f64 = PI / 180.0;

fn radians(degrees: f64) -> f64 {
    degrees * RADIANS_PER_DEGREE
}

fn degrees(radians: f64) -> f64 {
    radians / RADIANS_PER_DEGREE
}

/// The distance in metres between two latitudes, in degrees, along a meridian.
fn latitude_distance_m(one: f64, other: f64) -> f64 {
    EARTH_RADIUS_M * (radians(other) - radians(one)).abs()
}

/// The distance between two points in metres, by the haversine formula on a sphere.
pub(super) fn distance_m(one: Point, other: Point) -> f64 {
    /// Half the sine of longitudes that differ by some nanometres: then only latitudes count.
    const SAME_MERIDIAN: f64 = 1e-15;
    let across = ((radians(other.longitude) - radians(one.longitude)) / 2.0).sin();
    if across.abs() <= SAME_MERIDIAN {
        return latitude_distance_m(one.latitude, other.latitude);
    }
    let (latitude, other_latitude) = (radians(one.latitude), radians(other.latitude));
    let along = ((other_latitude - latitude) / 2.0).sin();
    let chord = along * along + latitude.cos() * other_latitude.cos() * across * across;
    2.0 * EARTH_RADIUS_M * chord.sqrt().asin()
}

/// A part of the earth around a point; lengths in metres.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    Circle {
        radius_m: f64,
    },
    /// Along the meridian and the parallel through the point.
    Box {
        width_m: f64,
        height_m: f64,
    },
    /// At least three corners, in longitude and latitude as on a map.
    Polygon {
        corners: Vec<Point>,
    },
}

/// The least and greatest longitude and latitude of a shape, which may lie beyond those of the earth.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) min: Point,
    pub(super) max: Point,
}

impl Shape {
    /// The distance of `point` from `centre` in metres if it is inside the shape.
    #[inline]
    pub(super) fn distance_inside_m(&self, centre: Point, point: Point) -> Option<f64> {
        match self {
            Shape::Circle { radius_m } => {
                // Never longer than the whole way, and much cheaper; the allowance is for rounding.
                if latitude_distance_m(centre.latitude, point.latitude) > radius_m * (1.0 + 1e-9) {
                    return None;
                }
                Some(distance_m(centre, point)).filter(|distance| distance <= radius_m)
            }
            Shape::Box { width_m, height_m } => {
                if latitude_distance_m(point.latitude, centre.latitude) > height_m / 2.0 {
                    return None;
                }
                let beside = Point { latitude: point.latitude, ..centre };
                if distance_m(point, beside) > width_m / 2.0 {
                    return None;
                }
                Some(distance_m(centre, point))
            }
            Shape::Polygon { corners } => is_inside(corners, point).then(|| distance_m(centre, point)),
        }
    }

    /// The point that distances are measured from: that of a polygon is the middle of its corners, `given` for others.
    pub(super) fn centre(&self, given: Point) -> Point {
        let Shape::Polygon { corners } = self else { return given };
        // The mean of the corners as vectors from the middle of the earth; its length does not matter.
        let (mut x, mut y, mut z) = (0.0, 0.0, 0.0);
        for corner in corners {
            let (longitude, latitude) = (radians(corner.longitude), radians(corner.latitude));
            x += latitude.cos() * longitude.cos();
            y += latitude.cos() * longitude.sin();
            z += latitude.sin();
        }
        Point { longitude: degrees(y.atan2(x)), latitude: degrees(z.atan2((x * x + y * y).sqrt())) }
    }

    pub(super) fn bounds(&self, centre: Point) -> Bounds {
        let (width_m, height_m) = match self {
            Shape::Circle { radius_m } => (*radius_m, *radius_m),
            Shape::Box { width_m, height_m } => (width_m / 2.0, height_m / 2.0),
            Shape::Polygon { corners } => return bounds_of(corners),
        };
        let up = degrees(height_m / EARTH_RADIUS_M);
        // Degrees of longitude are shortest where the shape is nearest to a pole.
        let widest = if centre.latitude < 0.0 { centre.latitude - up } else { centre.latitude + up };
        let aside = degrees(width_m / EARTH_RADIUS_M / radians(widest).cos());
        Bounds {
            min: Point { longitude: centre.longitude - aside, latitude: centre.latitude - up },
            max: Point { longitude: centre.longitude + aside, latitude: centre.latitude + up },
        }
    }

    /// How far from the centre the shape reaches at most, in metres.
    pub(super) fn reach_m(&self, centre: Point, bounds: &Bounds) -> f64 {
        match self {
            Shape::Circle { radius_m } => *radius_m,
            Shape::Box { width_m, height_m } => {
                let (half_width, half_height) = (width_m / 2.0, height_m / 2.0);
                (half_width * half_width + half_height * half_height).sqrt()
            }
            Shape::Polygon { .. } => {
                let longitudes = [bounds.min.longitude, bounds.max.longitude];
                let latitudes = [bounds.min.latitude, bounds.max.latitude];
                let corners = longitudes
                    .into_iter()
                    .flat_map(|longitude| latitudes.into_iter().map(move |latitude| Point { longitude, latitude }));
                corners.map(|corner| distance_m(centre, corner)).fold(0.0, f64::max)
            }
        }
    }
}

fn bounds_of(corners: &[Point]) -> Bounds {
    let mut bounds = Bounds {
        min: Point { longitude: LONGITUDE_MAX, latitude: LATITUDE_MAX },
        max: Point { longitude: -LONGITUDE_MAX, latitude: -LATITUDE_MAX },
    };
    for corner in corners {
        bounds.min.longitude = bounds.min.longitude.min(corner.longitude);
        bounds.min.latitude = bounds.min.latitude.min(corner.latitude);
        bounds.max.longitude = bounds.max.longitude.max(corner.longitude);
        bounds.max.latitude = bounds.max.latitude.max(corner.latitude);
    }
    bounds
}

/// Whether a ray from `point` to the east crosses the polygon's edges an odd number of times.
fn is_inside(corners: &[Point], point: Point) -> bool {
    let Some(mut before) = corners.last() else { return false };
    let mut inside = false;
    for corner in corners {
        let crosses_parallel = (corner.latitude > point.latitude) != (before.latitude > point.latitude);
        if crosses_parallel {
            let slope = (before.longitude - corner.longitude) * (point.latitude - corner.latitude)
                / (before.latitude - corner.latitude);
            inside ^= point.longitude < slope + corner.longitude;
        }
        before = corner;
    }
    inside
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(longitude: f64, latitude: f64) -> Point {
        Point { longitude, latitude }
    }

    #[test]
    fn a_distance_is_that_of_the_peers() {
        let (palermo, catania) =
            (point(13.361389338970184, 38.1155563954963), point(15.087267458438873, 37.50266842333162));
        assert_eq!(format!("{:.4}", distance_m(palermo, catania)), "166274.1516");
        assert_eq!(distance_m(palermo, palermo), 0.0);
        let north = point(palermo.longitude, 40.0);
        assert_eq!(distance_m(palermo, north), latitude_distance_m(palermo.latitude, 40.0));
    }

    #[test]
    fn a_polygon_may_be_hollow() {
        let corners = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (5.0, 2.0), (0.0, 10.0)];
        let shape =
            Shape::Polygon { corners: corners.map(|(longitude, latitude)| point(longitude, latitude)).to_vec() };
        let centre = shape.centre(point(0.0, 0.0));
        let inside = |longitude, latitude| shape.distance_inside_m(centre, point(longitude, latitude)).is_some();
        assert!(inside(1.0, 5.0) && inside(9.0, 5.0) && inside(5.0, 1.0));
        assert!(!inside(5.0, 5.0) && !inside(11.0, 5.0) && !inside(5.0, -1.0));
    }

    #[test]
    fn whatever_is_in_a_circle_is_within_its_bounds() {
        let centre = point(10.0, 60.0);
        let shape = Shape::Circle { radius_m: 100_000.0 };
        let bounds = shape.bounds(centre);
        for step in 0..10_000 {
            let near = point(7.0 + f64::from(step % 100) * 0.06, 58.5 + f64::from(step / 100) * 0.03);
            if shape.distance_inside_m(centre, near).is_some() {
                assert!(bounds.min.longitude <= near.longitude && near.longitude <= bounds.max.longitude);
                assert!(bounds.min.latitude <= near.latitude && near.latitude <= bounds.max.latitude);
            }
        }
    }
}
