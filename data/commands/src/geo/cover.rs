//! The cells that cover a shape: the one around its centre and those of the eight around it that it reaches.

use super::cell::{Area, Cell, LATITUDE_MAX, Point, STEPS_MAX};
use super::shape::{Bounds, Shape};

/// The way from the middle cell to the others, to the east and to the north, in the order in which they are searched.
const DIRECTIONS: [(i32, i32); 9] = [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];

/// The cells to look for places of `shape` in, each once.
pub(super) fn cells(shape: &Shape, centre: Point) -> Vec<Cell> {
    let bounds = shape.bounds(centre);
    // The middle of a polygon around a pole may lie where there are no cells. Places may lie on the northernmost latitude itself,
    // in a row of cells of their own, whose scores are beyond those of all others: it is searched from there.
    let centre = match shape {
        Shape::Polygon { .. } => {
            Point { latitude: centre.latitude.clamp(-LATITUDE_MAX + 1e-6, LATITUDE_MAX - 1e-6), ..centre }
        }
        _ => centre,
    };
    let mut steps = steps_for(shape.reach_m(centre, &bounds), centre.latitude);
    let mut middle = Cell::of(centre, steps);
    // Where the centre is near an edge of its cell, the neighbours may be too small.
    let too_small = middle.neighbour(0, 1).area().max.latitude < bounds.max.latitude
        || middle.neighbour(0, -1).area().min.latitude > bounds.min.latitude
        || middle.neighbour(1, 0).area().max.longitude < bounds.max.longitude
        || middle.neighbour(-1, 0).area().min.longitude > bounds.min.longitude;
    if steps > 1 && too_small {
        steps -= 1;
        middle = Cell::of(centre, steps);
    }
    // Near a pole cells are narrow. Circles and boxes are searched as the peers do it, which may leave out places there.
    while steps > 1 && matches!(shape, Shape::Polygon { .. }) && !reaches(middle, &bounds) {
        steps -= 1;
        middle = Cell::of(centre, steps);
    }
    let area = middle.area();
    // With one step all cells are neighbours on both sides.
    let is_out_of_reach = |(east, north): (i32, i32)| {
        steps >= 2
            && (north < 0 && area.min.latitude < bounds.min.latitude
                || north > 0 && area.max.latitude > bounds.max.latitude
                || east < 0 && area.min.longitude < bounds.min.longitude
                || east > 0 && area.max.longitude > bounds.max.longitude)
    };
    let reached = DIRECTIONS.into_iter().filter(|direction| !is_out_of_reach(*direction));
    let mut cells: Vec<Cell> = reached.map(|(east, north)| middle.neighbour(east, north)).collect();
    // Of few and large cells, those on both sides are the same.
    cells.dedup();
    cells
}

/// Whether a cell and the eight around it cover all between the bounds.
fn reaches(middle: Cell, bounds: &Bounds) -> bool {
    let Area { min, max } = middle.area();
    let (width, height) = (max.longitude - min.longitude, max.latitude - min.latitude);
    min.longitude - width <= bounds.min.longitude
        && max.longitude + width >= bounds.max.longitude
        && min.latitude - height <= bounds.min.latitude
        && max.latitude + height >= bounds.max.latitude
}

/// The steps to cells of which three in a row reach `reach_m` metres to both sides at this latitude.
fn steps_for(reach_m: f64, latitude: f64) -> u8 {
    /// Half the circumference of the earth on web maps.
    const MERCATOR_MAX_M: f64 = 20_037_726.37;
    if reach_m == 0.0 {
        return STEPS_MAX;
    }
    let mut steps = 1i32;
    let mut reach_m = reach_m;
    while reach_m < MERCATOR_MAX_M {
        reach_m *= 2.0;
        steps += 1;
    }
    // Cells are wide enough to hold the reach in most places; towards the poles they are narrower.
    steps -= 2;
    steps -= i32::from(latitude.abs() > 66.0) + i32::from(latitude.abs() > 80.0);
    steps.clamp(1, i32::from(STEPS_MAX)) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_reach_of_nothing_is_the_smallest_cell() {
        assert_eq!(steps_for(0.0, 0.0), STEPS_MAX);
        assert_eq!(steps_for(f64::INFINITY, 0.0), 1);
        assert_eq!(steps_for(1e-300, 0.0), STEPS_MAX);
        assert_eq!(steps_for(5_000.0, 0.0) - steps_for(5_000.0, 85.0), 2);
    }

    #[test]
    fn a_polygon_around_a_pole_is_covered_though_cells_are_narrow_there() {
        let corners = [(-169.467, 81.112), (-144.963, 80.0), (97.186, 80.0), (166.627, 80.0)];
        let corners = corners.map(|(longitude, latitude)| Point { longitude, latitude }).to_vec();
        let shape = Shape::Polygon { corners };
        let point = Point { longitude: -129.006, latitude: 80.0 };
        let centre = shape.centre(point);
        assert!(shape.distance_inside_m(centre, point).is_some());
        let score = Cell::of(point, STEPS_MAX).score();
        assert!(cells(&shape, centre).iter().any(|cell| cell.scores().contains(&score)));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

        #[test]
        fn what_is_in_a_polygon_is_in_one_of_the_cells(
            corners in prop::collection::vec((-180.0..180.0f64, 80.0..85.0f64), 3..6),
            point in (-180.0..180.0f64, 80.0..85.0f64), shrink in 0.01..1.0f64,
        ) {
            let place = |(longitude, latitude): (f64, f64)| Point { longitude: longitude * shrink, latitude };
            let (shape, point) = (Shape::Polygon { corners: corners.into_iter().map(place).collect() }, place(point));
            let centre = shape.centre(point);
            let score = Cell::of(point, STEPS_MAX).score();
            let is_outside = shape.distance_inside_m(centre, point).is_none();
            prop_assert!(is_outside || cells(&shape, centre).iter().any(|cell| cell.scores().contains(&score)));
        }

        #[test]
        fn cells_are_few_and_different(
            longitude in -180.0..180.0f64, latitude in -85.0..85.0f64, radius_m in 0.0..2e7f64,
        ) {
            let cells = cells(&Shape::Circle { radius_m }, Point { longitude, latitude });
            prop_assert!((1..=9).contains(&cells.len()));
            for (at, cell) in cells.iter().enumerate() {
                prop_assert!(!cells[..at].contains(cell));
            }
        }

        #[test]
        fn what_is_near_is_in_one_of_the_cells(
            longitude in -170.0..170.0f64, latitude in -64.0..64.0f64,
            radius_m in 1.0..500_000f64, bearing in 0.0..6.3f64, part in 0.0..1.0f64,
        ) {
            let centre = Point { longitude, latitude };
            let shape = Shape::Circle { radius_m };
            let degrees = radius_m / 111_000.0 * part;
            let near = Point { longitude: longitude + degrees * bearing.cos(), latitude: latitude + degrees * bearing.sin() };
            prop_assume!(near.is_valid() && shape.distance_inside_m(centre, near).is_some());
            let score = Cell::of(near, STEPS_MAX).score();
            prop_assert!(cells(&shape, centre).iter().any(|cell| cell.scores().contains(&score)));
        }
    }
}
