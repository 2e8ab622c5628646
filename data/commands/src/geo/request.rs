//! What a search asks for: around which point, in which shape, how much and in which order.

use super::cell::Point;
use super::measures::{read_length, read_point, read_unit};
use super::places::place;
use super::shape::Shape;
use crate::{Args, Error, Key};
use ochre_text::case;
use ochre_values::sorted_set::SortedSetRef;
use std::cmp::Ordering;

/// The commands that search: their words differ, what they do does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Search,
    SearchStore,
    /// GEORADIUS; `stores` is false for the form that only reads.
    Radius {
        stores: bool,
    },
    RadiusByMember {
        stores: bool,
    },
}

impl Form {
    /// Whether point and shape are options.
    fn is_search(self) -> bool {
        matches!(self, Form::Search | Form::SearchStore)
    }

    fn takes_store(self) -> bool {
        matches!(self, Form::Radius { stores: true } | Form::RadiusByMember { stores: true })
    }
}

/// In which order places are replied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Nearest,
    Farthest,
}

impl Order {
    pub(super) fn compare(self, left_m: f64, right_m: f64) -> Ordering {
        let nearest = left_m.partial_cmp(&right_m).unwrap_or(Ordering::Equal);
        if self == Order::Nearest { nearest } else { nearest.reverse() }
    }
}

/// A search as a client asks for it.
pub(super) struct Request<'a> {
    /// `None` where only a missing key could tell: then nothing will be found.
    pub(super) centre: Option<Point>,
    pub(super) shape: Shape,
    /// Metres of the unit in which distances are replied.
    pub(super) unit_m: f64,
    pub(super) with_distance: bool,
    pub(super) with_hash: bool,
    pub(super) with_point: bool,
    pub(super) order: Option<Order>,
    /// Places to reply at most.
    pub(super) count: Option<usize>,
    /// Whether any `count` places will do, not only the nearest.
    pub(super) any: bool,
    pub(super) destination: Option<Key<'a>>,
    /// Whether distances are stored as scores, in place of the places' own.
    pub(super) stores_distance: bool,
}

/// Where the point of a search came from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    Member,
    Point,
}

impl<'a> Request<'a> {
    /// Reads all words behind the key. `set` is the value of the key: members are looked up while words are read.
    pub(super) fn read(
        args: &mut Args<'a>,
        form: Form,
        set: Option<SortedSetRef<'_>>,
        destination: Option<Key<'a>>,
    ) -> Result<Self, Error> {
        let mut request = Request {
            centre: None,
            shape: Shape::Circle { radius_m: 0.0 },
            unit_m: 1.0,
            with_distance: false,
            with_hash: false,
            with_point: false,
            order: None,
            count: None,
            any: false,
            destination,
            stores_distance: false,
        };
        match (form, set) {
            (Form::Radius { .. }, _) => {
                request.centre = Some(read_point(args)?);
                request.read_circle(args)?;
            }
            (Form::RadiusByMember { .. }, Some(set)) => {
                request.centre = Some(member_place(set, args.word())?);
                request.read_circle(args)?;
            }
            // Of a missing key only the options are judged.
            (Form::RadiusByMember { .. }, None) => args.seek(args.position() + 3),
            _ => {}
        }
        let (from, has_shape) = request.read_options(args, form, set)?;
        request.judge(args, form, from.is_some(), has_shape)?;
        Ok(request)
    }

    /// Reads the options; answers what the point came from, and whether there is a shape.
    fn read_options(
        &mut self,
        args: &mut Args<'a>,
        form: Form,
        set: Option<SortedSetRef<'_>>,
    ) -> Result<(Option<From>, bool), Error> {
        let mut from = None;
        let mut has_shape = false;
        let is_polygon = |shape: &Shape| matches!(shape, Shape::Polygon { .. });
        while args.remaining() > 0 {
            // How many words there are behind the option.
            let behind = args.remaining() - 1;
            let may_be_from = |other| form.is_search() && from != Some(other) && !is_polygon(&self.shape);
            if args.option("WITHDIST") {
                self.with_distance = true;
            } else if args.option("WITHHASH") {
                self.with_hash = true;
            } else if args.option("WITHCOORD") {
                self.with_point = true;
            } else if args.option("ANY") {
                self.any = true;
            } else if args.option("ASC") {
                self.order = Some(Order::Nearest);
            } else if args.option("DESC") {
                self.order = Some(Order::Farthest);
            } else if behind >= 1 && args.option("COUNT") {
                let count = args.int()?;
                if count <= 0 {
                    return Err(Error::GEO_COUNT);
                }
                self.count = Some(usize::try_from(count).unwrap_or(usize::MAX));
            } else if behind >= 1 && form.takes_store() && args.option("STORE") {
                self.destination = Some(read_destination(args)?);
                self.stores_distance = false;
            } else if behind >= 1 && form.takes_store() && args.option("STOREDIST") {
                self.destination = Some(read_destination(args)?);
                self.stores_distance = true;
            } else if form == Form::SearchStore && args.option("STOREDIST") {
                self.stores_distance = true;
            } else if behind >= 1 && may_be_from(From::Point) && args.option("FROMMEMBER") {
                let member = args.word();
                if let Some(set) = set {
                    self.centre = Some(member_place(set, member)?);
                }
                from = Some(From::Member);
            } else if behind >= 2 && may_be_from(From::Member) && args.option("FROMLONLAT") {
                self.centre = Some(read_point(args)?);
                from = Some(From::Point);
            } else if form.is_search() && self.read_shape(args, behind, has_shape, from.is_some())? {
                has_shape = true;
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok((from, has_shape))
    }

    /// Reads a shape if the next word names one that may stand here; says whether it does.
    fn read_shape(&mut self, args: &mut Args<'a>, behind: usize, again: bool, has_point: bool) -> Result<bool, Error> {
        // The same shape may come again, but not another one.
        let (circle, square, polygon) = match self.shape {
            _ if !again => (true, true, !has_point),
            Shape::Circle { .. } => (true, false, false),
            Shape::Box { .. } => (false, true, false),
            Shape::Polygon { .. } => (false, false, true),
        };
        if behind >= 2 && circle && args.option("BYRADIUS") {
            self.read_circle(args)?;
        } else if behind >= 3 && square && args.option("BYBOX") {
            self.read_box(args)?;
        } else if behind >= 2 && polygon && args.option("BYPOLYGON") {
            self.read_polygon(args)?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Reads a radius and its unit.
    fn read_circle(&mut self, args: &mut Args<'_>) -> Result<(), Error> {
        let radius = read_length(args, Error::GEO_RADIUS)?;
        if radius < 0.0 {
            return Err(Error::GEO_NEGATIVE_RADIUS);
        }
        self.unit_m = read_unit(args)?;
        self.shape = Shape::Circle { radius_m: radius * self.unit_m };
        Ok(())
    }

    /// Reads a width, a height and their unit.
    fn read_box(&mut self, args: &mut Args<'_>) -> Result<(), Error> {
        let width = read_length(args, Error::GEO_WIDTH)?;
        let height = read_length(args, Error::GEO_HEIGHT)?;
        if width < 0.0 || height < 0.0 {
            return Err(Error::GEO_NEGATIVE_BOX);
        }
        self.unit_m = read_unit(args)?;
        self.shape = Shape::Box { width_m: width * self.unit_m, height_m: height * self.unit_m };
        Ok(())
    }

    /// Reads a number of corners and the corners.
    fn read_polygon(&mut self, args: &mut Args<'_>) -> Result<(), Error> {
        let corners = args.int().ok().and_then(|corners| i32::try_from(corners).ok()).ok_or(Error::GEO_CORNERS)?;
        let corners = usize::try_from(corners).unwrap_or(0);
        if corners < 3 || args.remaining() / 2 < corners {
            return Err(Error::GEO_FEW_CORNERS);
        }
        let corners = (0..corners).map(|_| read_point(args)).collect::<Result<_, _>>()?;
        self.unit_m = 1.0;
        self.shape = Shape::Polygon { corners };
        Ok(())
    }

    /// What can only be judged when all words are read.
    fn judge(&mut self, args: &Args<'_>, form: Form, has_point: bool, has_shape: bool) -> Result<(), Error> {
        if self.destination.is_some() && (self.with_distance || self.with_hash || self.with_point) {
            return Err(if form == Form::SearchStore { Error::GEO_SEARCH_STORE_WITH } else { Error::GEO_STORE_WITH });
        }
        let is_polygon = matches!(self.shape, Shape::Polygon { .. });
        if form.is_search() && !has_point && !is_polygon {
            return Err(Error::geo_without_point(args.argv().at(0)));
        }
        if form.is_search() && !has_shape {
            return Err(Error::geo_without_shape(args.argv().at(0)));
        }
        if self.any && self.count.is_none() {
            return Err(Error::GEO_ANY);
        }
        if is_polygon {
            // A polygon brings its own centre.
            self.centre = Some(self.shape.centre(Point { longitude: 0.0, latitude: 0.0 }));
        }
        // Only the nearest make sense when some are left out, unless any will do.
        if self.count.is_some() && !self.any {
            self.order.get_or_insert(Order::Nearest);
        }
        Ok(())
    }
}

/// Reads the key behind STORE or STOREDIST. It cannot itself be called so: the key specification would take it for the option,
/// and another key would be locked.
fn read_destination<'a>(args: &mut Args<'a>) -> Result<Key<'a>, Error> {
    match args.peek() {
        Some(word) if case::is(word, "STORE") || case::is(word, "STOREDIST") => Err(Error::SYNTAX),
        _ => Ok(args.key()),
    }
}

/// The place of a member that must be there.
fn member_place(set: SortedSetRef<'_>, member: &[u8]) -> Result<Point, Error> {
    set.score(member).map(place).ok_or_else(|| Error::no_such_place(member))
}
