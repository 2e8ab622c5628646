//! SORT: the elements of a list, set or sorted set in order, by themselves or by what other keys say of them.

use crate::keys::*;
use crate::reply_item::reply_item;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Expiry, Key, Locked, Reply, Text};
use ochre_collections::listpack::{INTEGER_TEXT_MAX, Item};
use ochre_keyspace::collection_of;
use ochre_resp::Args as Words;
use ochre_text::{case, number};
use ochre_values::list::{End, ListRef};
use ochre_values::set::SetRef;
use ochre_values::sorted_set::SortedSetRef;
use ochre_values::{Collection, Hash, Kind, Limits, List, Set, SortedSet};
use std::cmp::Ordering;
use std::ops::Range;

const BAD_SCORE: Error = Error::fixed("ERR One or more scores can't be converted into double");

pub(super) const SORT: Command = Command::new(
    Group::Generic,
    "SORT",
    "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA] [STORE destination]",
    |data, args, reply| run(data, args, reply, true),
)
.summary("Replies the elements of a list, set or sorted set in order, or stores them as a list.")
.cost("O(N) for N elements, and O(M log M) for the M that LIMIT leaves; each pattern costs a look-up for each element")
.keys(&[KeySpec::at(1, RO | ACCESS), KeySpec::unknown(RO | ACCESS), KeySpec::unknown(OW | UPDATE)])
.locks(Locks::Words(words_that_are_keys))
.flags(WRITE | DENYOOM)
.categories(CAT_DANGEROUS | CAT_LIST | CAT_SET | CAT_SORTEDSET)
.not_in(CAT_KEYSPACE);

pub(super) const SORT_RO: Command = Command::new(
    Group::Generic,
    "SORT_RO",
    "key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA]",
    |data, args, reply| run(data, args, reply, false),
)
.summary("As SORT, without its STORE.")
.cost("As SORT")
.since("7.0.0")
.keys(&[KeySpec::at(1, RO | ACCESS), KeySpec::unknown(RO | ACCESS)])
.locks(Locks::Words(words_that_are_keys))
.flags(READONLY)
.categories(CAT_DANGEROUS | CAT_LIST | CAT_SET | CAT_SORTEDSET)
.not_in(CAT_KEYSPACE);

/// Which words are keys: the first, and what STORE stands before. `None` when a pattern names further ones.
fn words_that_are_keys(words: Words<'_>) -> Option<Vec<usize>> {
    let mut keys = vec![1];
    let mut at = 2;
    while at < words.len() {
        let is = |option| case::is(words.at(at), option);
        let names_keys = |pattern: Option<&[u8]>| pattern.is_some_and(|pattern| pattern.contains(&b'*'));
        if is("LIMIT") {
            at += 2;
        } else if is("STORE") {
            at += 1;
            keys.push(at.min(words.len() - 1));
        } else if is("BY") || is("GET") {
            at += 1;
            if names_keys(words.get(at)) {
                return None;
            }
        }
        at += 1;
    }
    Some(keys)
}

/// What the words ask for.
struct Plan<'a> {
    /// By what the elements are compared; `None` is by themselves.
    by: Option<Pattern<'a>>,
    /// BY with a pattern that names no key leaves the elements in the order that they have.
    sorted: bool,
    offset: i64,
    /// Negative is without a limit.
    count: i64,
    get: Vec<Pattern<'a>>,
    descending: bool,
    /// Compared as bytes, not as numbers.
    alpha: bool,
    store: Option<Key<'a>>,
}

impl<'a> Plan<'a> {
    fn read(args: &mut Args<'a>, may_store: bool) -> Result<Plan<'a>, Error> {
        let mut plan = Plan {
            by: None,
            sorted: true,
            offset: 0,
            count: -1,
            get: Vec::new(),
            descending: false,
            alpha: false,
            store: None,
        };
        while let Some(option) = args.next() {
            let is = |word| case::is(option, word);
            if is("ASC") {
                plan.descending = false;
            } else if is("DESC") {
                plan.descending = true;
            } else if is("ALPHA") {
                plan.alpha = true;
            } else if is("LIMIT") && args.remaining() >= 2 {
                plan.offset = args.int()?;
                plan.count = args.int()?;
            } else if may_store && is("STORE") && args.remaining() >= 1 {
                plan.store = Some(args.key());
            } else if is("BY") && args.remaining() >= 1 {
                let pattern = args.word();
                // As in the peers one BY without an asterisk switches sorting off, whatever else follows.
                plan.sorted &= pattern.contains(&b'*');
                plan.by = Some(Pattern::read(pattern));
            } else if is("GET") && args.remaining() >= 1 {
                plan.get.push(Pattern::read(args.word()));
            } else {
                return Err(Error::SYNTAX);
            }
        }
        Ok(plan)
    }

    /// The places that LIMIT leaves of `len`.
    fn range(&self, len: usize) -> Range<usize> {
        let start = usize::try_from(self.offset.max(0)).map_or(len, |offset| offset.min(len));
        let count = usize::try_from(self.count).unwrap_or(usize::MAX);
        start..start.saturating_add(count).min(len)
    }
}

/// Where a value is found for an element.
enum Pattern<'a> {
    /// `#`: the element itself.
    Element,
    /// No asterisk: nothing.
    Nothing,
    /// The string at the key of which the asterisk stands for the element, or a field of the hash there.
    Key { prefix: &'a [u8], suffix: &'a [u8], field: Option<&'a [u8]> },
}

impl<'a> Pattern<'a> {
    fn read(pattern: &'a [u8]) -> Pattern<'a> {
        if pattern == b"#" {
            return Pattern::Element;
        }
        let Some(asterisk) = pattern.iter().position(|&byte| byte == b'*') else { return Pattern::Nothing };
        let (prefix, rest) = (&pattern[..asterisk], &pattern[asterisk + 1..]);
        match rest.windows(2).position(|pair| pair == b"->") {
            Some(arrow) if arrow + 2 < rest.len() => {
                Pattern::Key { prefix, suffix: &rest[..arrow], field: Some(&rest[arrow + 2..]) }
            }
            _ => Pattern::Key { prefix, suffix: rest, field: None },
        }
    }

    /// The value for `element`; `key` is room to write the key's name into.
    fn value<'d>(&self, data: &'d Locked<'_>, element: Item<'d>, key: &mut Vec<u8>) -> Option<Item<'d>> {
        let (prefix, suffix, field) = match self {
            Pattern::Element => return Some(element),
            Pattern::Nothing => return None,
            Pattern::Key { prefix, suffix, field } => (prefix, suffix, field),
        };
        key.clear();
        key.extend_from_slice(prefix);
        element.write_to(key);
        key.extend_from_slice(suffix);
        let key = Key::new(key);
        match field {
            Some(field) => data.read::<Hash>(&key).ok()??.get(field, data.expiry_clock_ms()),
            None => Some(match data.text(&key).ok()?? {
                Text::Int(value) => Item::Int(value),
                Text::Bytes(bytes) => Item::Bytes(bytes),
            }),
        }
    }
}

/// The collection to sort.
enum Source<'a> {
    Nothing,
    List(ListRef<'a>),
    Set(SetRef<'a>),
    SortedSet(SortedSetRef<'a>),
}

impl<'a> Source<'a> {
    fn of(data: &'a Locked<'_>, key: &Key<'_>) -> Result<Source<'a>, Error> {
        let Some(entry) = data.lookup(key) else { return Ok(Source::Nothing) };
        let view = entry.view();
        match ochre_keyspace::kind_of(view) {
            Kind::List => collection_of::<List>(view).map(Source::List),
            Kind::Set => collection_of::<Set>(view).map(Source::Set),
            Kind::SortedSet => collection_of::<SortedSet>(view).map(Source::SortedSet),
            _ => None,
        }
        .ok_or(Error::WRONG_TYPE)
    }

    fn len(&self) -> usize {
        match self {
            Source::Nothing => 0,
            Source::List(list) => list.len(),
            Source::Set(set) => set.len(),
            Source::SortedSet(set) => set.len(),
        }
    }

    /// The elements of these places in the collection's own order, or in its reverse; a set has only one.
    fn elements(&self, places: Range<usize>, reverse: bool) -> Vec<Item<'a>> {
        let len = self.len();
        let from_end = len - places.end..len - places.start;
        match self {
            Source::Nothing => Vec::new(),
            Source::List(list) if reverse => list.range_rev(from_end).collect(),
            Source::List(list) => list.range(places).collect(),
            Source::Set(set) => set.iter().skip(places.start).take(places.len()).collect(),
            Source::SortedSet(set) if reverse => set.range_rev(from_end).map(|scored| scored.member).collect(),
            Source::SortedSet(set) => set.range(places).map(|scored| scored.member).collect(),
        }
    }
}

fn run(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>, may_store: bool) -> Result<(), Error> {
    let key = args.key();
    let mut plan = Plan::read(args, may_store)?;
    let source = Source::of(data, &key)?;
    let is_stored = plan.store.is_some() || data.context().in_script;
    if matches!(source, Source::Set(_)) && !plan.sorted && is_stored {
        // A set has no order of its own, and what is stored has to be the same wherever the command is replayed. Scripts
        // expect an order, too.
        (plan.sorted, plan.alpha, plan.by) = (true, true, None);
    }
    let places = plan.range(source.len());
    let elements = if plan.sorted {
        sorted(data, source.elements(0..source.len(), false), &plan, places)?
    } else {
        source.elements(places, plan.descending)
    };
    match plan.store.take() {
        None => {
            send(data, &elements, &plan.get, reply);
            Ok(())
        }
        Some(destination) => {
            let list = list_of(data, &elements, &plan.get);
            store(data, &destination, list, reply);
            Ok(())
        }
    }
}

/// An element and what it is compared by.
struct Row<'a> {
    element: Item<'a>,
    weight: Weight<'a>,
    /// Decides between those that compare as equal.
    place: usize,
}

enum Weight<'a> {
    Score(f64),
    /// A missing one comes first.
    Text(Option<Item<'a>>),
}

/// The elements of these places of the sorted row.
fn sorted<'d>(
    data: &'d Locked<'_>,
    elements: Vec<Item<'d>>,
    plan: &Plan<'_>,
    places: Range<usize>,
) -> Result<Vec<Item<'d>>, Error> {
    let mut key = Vec::new();
    let mut rows = Vec::with_capacity(elements.len());
    for (place, element) in elements.into_iter().enumerate() {
        let value = match &plan.by {
            Some(pattern) => pattern.value(data, element, &mut key),
            None => Some(element),
        };
        let weight = match value {
            text if plan.alpha => Weight::Text(text),
            Some(value) => Weight::Score(score_of(value).ok_or(BAD_SCORE)?),
            None => Weight::Score(0.0),
        };
        rows.push(Row { element, weight, place });
    }
    let compare = |one: &Row<'_>, other: &Row<'_>| {
        let order = compare_rows(one, other);
        let order = if plan.descending { order.reverse() } else { order };
        order.then(one.place.cmp(&other.place))
    };
    // What LIMIT leaves out is not sorted.
    if places.end < rows.len() {
        rows.select_nth_unstable_by(places.end, compare);
        rows.truncate(places.end);
    }
    if places.start > 0 && places.start < rows.len() {
        rows.select_nth_unstable_by(places.start, compare);
    }
    let rows = &mut rows[places.start..];
    rows.sort_unstable_by(compare);
    Ok(rows.iter().map(|row| row.element).collect())
}

/// The number in a value; an empty one counts as 0, as it does in Redis.
fn score_of(value: Item<'_>) -> Option<f64> {
    match value {
        Item::Int(value) => Some(value as f64),
        Item::Bytes(b"") => Some(0.0),
        Item::Bytes(text) => number::parse_f64(text),
    }
}

fn compare_rows(one: &Row<'_>, other: &Row<'_>) -> Ordering {
    match (&one.weight, &other.weight) {
        (Weight::Score(score), Weight::Score(than)) => {
            let order = score.partial_cmp(than).expect("what is no number was refused");
            order.then_with(|| compare_texts(one.element, other.element))
        }
        (Weight::Text(Some(text)), Weight::Text(Some(than))) => compare_texts(*text, *than),
        (Weight::Text(text), Weight::Text(than)) => text.is_some().cmp(&than.is_some()),
        _ => unreachable!("all weights of a command are of one kind"),
    }
}

fn compare_texts(one: Item<'_>, other: Item<'_>) -> Ordering {
    one.as_bytes(&mut [0; INTEGER_TEXT_MAX]).cmp(other.as_bytes(&mut [0; INTEGER_TEXT_MAX]))
}

/// Replies the elements, or in place of each what GET asks for.
fn send(data: &Locked<'_>, elements: &[Item<'_>], get: &[Pattern<'_>], reply: &mut Reply<'_>) {
    if get.is_empty() {
        reply.array(elements.len());
        elements.iter().for_each(|element| reply_item(reply, *element));
        return;
    }
    reply.array(elements.len() * get.len());
    let mut key = Vec::new();
    for element in elements {
        for pattern in get {
            match pattern.value(data, *element, &mut key) {
                Some(value) => reply_item(reply, value),
                None => reply.null(),
            }
        }
    }
}

/// A list of the elements, or in place of each of what GET asks for; what is missing becomes an empty string.
fn list_of(data: &Locked<'_>, elements: &[Item<'_>], get: &[Pattern<'_>]) -> List {
    if get.is_empty() {
        return build(elements, data.limits());
    }
    let mut key = Vec::new();
    let values = elements.iter().flat_map(|element| get.iter().map(move |pattern| (*element, pattern)));
    let values = values.map(|(element, pattern)| pattern.value(data, element, &mut key).unwrap_or(Item::Bytes(b"")));
    build(&values.collect::<Vec<_>>(), data.limits())
}

fn build(items: &[Item<'_>], limits: &Limits) -> List {
    let mut list = List::new();
    list.prepare(items.len(), items.iter().map(Item::len).sum(), limits);
    for item in items {
        list.push(End::Right, item.as_bytes(&mut [0; INTEGER_TEXT_MAX]));
    }
    list
}

/// Makes `list` the value of `destination`, or removes that when there is nothing to keep, and replies the list's length.
fn store(data: &mut Locked<'_>, destination: &Key<'_>, list: List, reply: &mut Reply<'_>) {
    let len = list.len();
    if len > 0 {
        data.put(destination, list, Expiry::Clear);
        data.changed_times(destination, Class::LIST, "sortstore", len as u64);
    } else if data.remove(destination) {
        data.changed(destination, Class::GENERIC, "del");
    }
    reply.count(len);
}

#[cfg(test)]
mod tests {
    use super::BAD_SCORE;
    use crate::Error;
    use crate::testing::Db;

    /// A list, weights of its elements in keys and in hashes.
    fn weighted() -> Db {
        let mut db = Db::new();
        db.run("RPUSH l 3 1 2");
        for line in ["SET w1 30", "SET w2 20", "SET w3 10", "HSET h1 f b ww 2", "HSET h3 f a ww 1"] {
            db.run(line);
        }
        db
    }

    #[test]
    fn numbers_and_bytes_are_sorted_up_and_down() {
        let mut db = Db::new();
        db.run("RPUSH l 10 9 -1.5 1e1 abc");
        db.check_quiet("SORT l", BAD_SCORE);
        db.check_quiet("SORT l ALPHA", "[-1.5 10 1e1 9 abc]");
        db.check_quiet("SORT l DESC ALPHA", "[abc 9 1e1 10 -1.5]");
        db.run("RPOP l");
        db.check_quiet("SORT l", "[-1.5 9 10 1e1]");
        db.check_quiet("SORT l ASC DESC", "[1e1 10 9 -1.5]");
        db.check_quiet("SORT_RO l", "[-1.5 9 10 1e1]");
        db.check_quiet("SORT missing", "[]");
    }

    #[test]
    fn every_encoding_of_lists_sets_and_sorted_sets_is_sorted() {
        for (add, count) in [("RPUSH k", 9), ("RPUSH k", 20_000), ("SADD k", 9), ("SADD k", 2_000)] {
            let mut db = Db::new();
            for chunk in (0..count).rev().collect::<Vec<i64>>().chunks(500) {
                db.run(&format!("{add} {}", chunk.iter().map(i64::to_string).collect::<Vec<_>>().join(" ")));
            }
            db.check_quiet("SORT k LIMIT 2 3", [2, 3, 4]);
            db.check_quiet("SORT k DESC LIMIT 2 1", [count - 3]);
        }
        let mut db = Db::new();
        for count in [9, 1_000] {
            (0..count).for_each(|n| _ = db.run(&format!("ZADD z {} {n}", -n)));
            db.check_quiet("SORT z LIMIT 2 3", [2, 3, 4]);
            db.check_quiet("SORT z BY nosort LIMIT 2 2", [count - 3, count - 4]);
            db.check_quiet("SORT z BY nosort DESC LIMIT 2 2", [2, 3]);
            db.check_quiet("SORT z BY nosort DESC LIMIT 1000 2", "[]");
        }
    }

    #[test]
    fn all_of_integers_in_a_set_that_became_a_table_are_sorted_as_numbers() {
        let mut db = Db::new();
        db.run("SADD s 10 9 8 x");
        db.check_quiet("SORT s", BAD_SCORE);
        db.run("SREM s x");
        db.check_quiet("SORT s", [8, 9, 10]);
    }

    #[test]
    fn by_compares_what_other_keys_say() {
        let mut db = weighted();
        db.check_quiet("SORT l BY w*", [3, 2, 1]);
        db.check_quiet("SORT l BY w* DESC", [1, 2, 3]);
        // What is missing, or of another type, counts as 0, and as bytes before all others.
        db.check_quiet("SORT l BY h*->ww", [2, 3, 1]);
        db.check_quiet("SORT l BY h*->f ALPHA", [2, 3, 1]);
        db.check_quiet("SORT l BY h*->f", BAD_SCORE);
        db.check_quiet("SORT l BY h*", [1, 2, 3]);
        db.check_quiet("SORT l BY h*->", [1, 2, 3]);
        db.check_quiet("SORT l BY w*->f", [1, 2, 3]);
        db.check_quiet("SORT l BY missing*", [1, 2, 3]);
        db.check_quiet("SORT l BY missing* DESC", [3, 2, 1]);
        db.check_quiet("SORT l BY missing* ALPHA DESC", [3, 1, 2]);
    }

    #[test]
    fn by_without_an_asterisk_keeps_the_order() {
        let mut db = weighted();
        db.check_quiet("SORT l BY nosort", [3, 1, 2]);
        db.check_quiet("SORT l BY nosort DESC", [2, 1, 3]);
        db.check_quiet("SORT l BY nosort DESC LIMIT 0 2", [2, 1]);
        db.check_quiet("SORT l BY nosort LIMIT 1 9", [1, 2]);
        db.check_quiet("SORT l BY nosort BY w*", [3, 1, 2]);
        db.check_quiet("SORT l BY #", [3, 1, 2]);
        db.run("SADD s c b a");
        db.check("SORT s BY nosort STORE d", 3);
        db.check_quiet("LRANGE d 0 -1", ["a", "b", "c"]);
    }

    #[test]
    fn get_replies_what_other_keys_hold() {
        let mut db = weighted();
        db.check_quiet("SORT l GET # GET w* GET h*->f GET fixed", "[1 30 b nil 2 20 nil nil 3 10 a nil]");
        db.check_quiet("SORT l GET h* GET h*-> GET h*->->f LIMIT 0 1", "[nil nil nil]");
        db.check_quiet("SORT l LIMIT 3 1 GET #", "[]");
    }

    #[test]
    fn limits_are_clamped_to_what_there_is() {
        let mut db = weighted();
        db.check_quiet("SORT l LIMIT 1 -5", [2, 3]);
        db.check_quiet("SORT l LIMIT -3 2", [1, 2]);
        db.check_quiet("SORT l LIMIT 0 0", "[]");
        db.check_quiet("SORT l LIMIT 5 2", "[]");
        db.check_quiet("SORT l LIMIT 1 9223372036854775807", [2, 3]);
        db.check_quiet("SORT l LIMIT 9223372036854775807 9223372036854775807", "[]");
        db.check_quiet("SORT l BY nosort DESC LIMIT 9223372036854775807 9223372036854775807", "[]");
        db.check_quiet("SORT l BY nosort LIMIT -9223372036854775808 -9223372036854775808", [3, 1, 2]);
    }

    #[test]
    fn store_makes_a_list() {
        let mut db = weighted();
        db.run("SET d text");
        db.run("EXPIRE d 100");
        db.check("SORT l STORE d", 3);
        assert_eq!((db.events(), db.logged(), db.effects.changes), (vec!["sortstore d".into()], "verbatim".into(), 3));
        db.check_quiet("LRANGE d 0 -1", [1, 2, 3]);
        db.check_quiet("TTL d", -1);
        db.check("SORT l BY w* GET w* GET none STORE l", 6);
        db.check_quiet("LRANGE l 0 -1", ["10", "", "20", "", "30", ""]);
        db.check("SORT missing STORE d", 0);
        assert_eq!((db.events(), db.logged()), (vec!["del d".into()], "verbatim".into()));
        db.check_quiet("SORT missing STORE d", 0);
        db.check_quiet("EXISTS d", 0);
    }

    #[test]
    fn options_are_judged_before_the_key() {
        let mut db = weighted();
        for line in ["SORT w1 x", "SORT l BY", "SORT l GET", "SORT l STORE", "SORT l LIMIT 1", "SORT_RO l STORE d"] {
            db.check_quiet(line, Error::SYNTAX);
        }
        db.check_quiet("SORT w1 LIMIT x 1", Error::NOT_AN_INTEGER);
        db.check_quiet("SORT l LIMIT 1 1.5", Error::NOT_AN_INTEGER);
        db.check_quiet("SORT w1", Error::WRONG_TYPE);
        db.check_quiet("SORT h1 STORE d", Error::WRONG_TYPE);
    }

    #[test]
    fn a_part_of_the_order_is_that_of_the_whole() {
        let mut db = Db::new();
        let mut expected: Vec<i64> = (0..500).map(|n| n * 7919 % 97).collect();
        let words: Vec<String> = expected.iter().map(i64::to_string).collect();
        db.run(&format!("RPUSH l {}", words.join(" ")));
        expected.sort();
        for (offset, count) in [(0, 1), (0, 499), (1, 498), (250, 100), (499, 1), (0, 500)] {
            let part: Vec<String> = expected[offset..offset + count].iter().map(i64::to_string).collect();
            assert_eq!(db.run(&format!("SORT l LIMIT {offset} {count}")), format!("[{}]", part.join(" ")));
        }
    }
}
