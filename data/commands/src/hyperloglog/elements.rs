//! What sketches have seen: PFADD and PFMERGE.

use super::{damaged, sketch_in};
use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Expiry, Locked, Reply};
use ochre_values::hyperloglog::{self, Cursor, REGISTERS, Registers, Sketch, place_of};

pub(super) const PFADD: Command = Command::new(Group::Hyperloglog, "PFADD", "key [element [element ...]]", pfadd)
    .summary("Shows elements to the sketch at a key, a new one when there is none; replies whether its count may have changed.")
    .cost("O(1) for each element")
    .since("2.8.9")
    .keys(&[KeySpec::at(1, RW | INSERT)])
    .flags(WRITE | DENYOOM | FAST);

fn pfadd(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let mut places: Vec<(usize, u8)> = args.rest().iter().map(place_of).collect();
    let sparse_bytes_max = data.limits().hll_sparse_max_bytes;
    let raise = |bytes: &mut Vec<u8>, places: &[(usize, u8)]| {
        for (index, rank) in places {
            hyperloglog::set_register(bytes, *index, *rank, sparse_bytes_max, &mut Cursor::default());
        }
    };
    let changes = match data.peek_text(&key)? {
        None => {
            let mut bytes = hyperloglog::empty();
            Sketch::read(&bytes).and_then(|sketch| sketch.keep_higher(&mut places)).map_err(damaged)?;
            raise(&mut bytes, &places);
            data.set_raw_text(&key, bytes, Expiry::Clear);
            1 + places.len()
        }
        Some(text) => {
            let sketch = sketch_in(text)?;
            if sketch.is_sparse() {
                sketch.keep_higher(&mut places).map_err(damaged)?;
                if !places.is_empty() {
                    data.edit_text(&key, super::WHOLE, |bytes| raise(bytes, &places))?;
                }
                places.len()
            } else {
                data.change_text(&key, super::WHOLE, |bytes| hyperloglog::raise_dense(bytes, &places))?.unwrap_or(0)
            }
        }
    };
    if changes > 0 {
        data.changed_times(&key, Class::STRING, "pfadd", changes as u64);
    }
    reply.integer(i64::from(changes > 0));
    Ok(())
}

pub(super) const PFMERGE: Command =
    Command::new(Group::Hyperloglog, "PFMERGE", "destkey [sourcekey [sourcekey ...]]", pfmerge)
        .summary("Makes a sketch have seen all that it and the sketches at other keys have.")
        .cost("O(N), where N is the number of keys")
        .since("2.8.9")
        .keys(&[KeySpec::at(1, RW | ACCESS | INSERT), KeySpec::span(2, -1, 1, RO | ACCESS)])
        .flags(WRITE | DENYOOM);

fn pfmerge(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let destination = args.key();
    let mut merged = [0; REGISTERS];
    let mut dense = false;
    let mut old: Option<Registers> = None;
    for key in [destination].into_iter().chain(std::iter::from_fn(|| (args.remaining() > 0).then(|| args.key()))) {
        let Some(text) = data.text(&key)? else { continue };
        let sketch = sketch_in(text)?;
        dense |= !sketch.is_sparse();
        sketch.raise(&mut merged).map_err(damaged)?;
        // The first that is read is the destination, before any other has been merged.
        if key == destination && old.is_none() {
            old = Some(merged);
        }
    }
    let sparse_bytes_max = data.limits().hll_sparse_max_bytes;
    let before = old.unwrap_or([0; REGISTERS]);
    let raise = |bytes: &mut Vec<u8>| {
        if dense {
            hyperloglog::make_dense(bytes);
        }
        let mut cursor = Cursor::default();
        for (index, rank) in merged.iter().enumerate().filter(|(index, rank)| **rank > before[*index]) {
            hyperloglog::set_register(bytes, index, *rank, sparse_bytes_max, &mut cursor);
        }
        hyperloglog::forget_count(bytes);
    };
    if old.is_some() {
        data.edit_text(&destination, super::WHOLE, raise)?;
    } else {
        let mut bytes = hyperloglog::empty();
        raise(&mut bytes);
        data.set_raw_text(&destination, bytes, Expiry::Clear);
    }
    data.changed(&destination, Class::STRING, "pfadd");
    reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::hyperloglog::{CORRUPT, NOT_A_SKETCH};
    use crate::testing::{Db, Null};

    #[test]
    fn pfadd_says_whether_anything_was_new() {
        let mut db = Db::new();
        db.check("PFADD h", 1);
        assert_eq!((db.events(), db.logged()), (vec!["pfadd h".into()], "verbatim".into()));
        db.check_quiet("PFADD h", 0);
        db.check("PFADD h a b c", 1);
        assert_eq!(db.effects.changes, 3);
        db.check_quiet("PFADD h a c", 0);
        db.check_quiet("PFADD h a a b", 0);
        db.check("PFCOUNT h", 3);
    }

    #[test]
    fn pfadd_goes_on_in_a_dense_sketch() {
        let mut db = Db::new();
        db.context.limits.hll_sparse_max_bytes = 30;
        db.check("PFADD h a b c d e f g", 1);
        db.check_quiet("PFDEBUG ENCODING h", "dense");
        db.check_quiet("STRLEN h", 12_304);
        db.check_quiet("PFADD h a", 0);
        db.check("PFADD h x", 1);
        db.check("PFCOUNT h", 8);
    }

    #[test]
    fn pfmerge_unites_sparse_and_dense_sketches() {
        let mut db = Db::new();
        db.check("PFMERGE d", "OK");
        assert_eq!((db.events(), db.logged()), (vec!["pfadd d".into()], "verbatim".into()));
        db.check("PFADD a 1 2 3", 1);
        db.check("PFADD b 3 4", 1);
        db.check("PFMERGE d a b missing d", "OK");
        db.check("PFCOUNT d", 4);
        db.check_quiet("PFDEBUG ENCODING d", "sparse");
        db.check("PFDEBUG TODENSE b", 1);
        db.check("PFMERGE a b", "OK");
        db.check_quiet("PFDEBUG ENCODING a", "dense");
        db.check("PFCOUNT a", 4);
    }

    #[test]
    fn what_is_no_sketch_is_refused_and_left_alone() {
        let mut db = Db::new();
        db.check(
            "MSET n 5 s text bad \"HYLL\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x80\\x7f\\xfe\"",
            "OK",
        );
        for key in ["n", "s"] {
            db.check_quiet(&format!("PFADD {key} a"), NOT_A_SKETCH);
            db.check_quiet(&format!("PFMERGE d {key}"), NOT_A_SKETCH);
            db.check_quiet(&format!("PFCOUNT {key}"), NOT_A_SKETCH);
        }
        db.check_quiet("PFADD bad a", CORRUPT);
        db.check_quiet("PFMERGE bad", CORRUPT);
        db.check_quiet("PFCOUNT bad", CORRUPT);
        db.check_quiet("PFCOUNT bad d", CORRUPT);
        db.check_quiet("GET d", Null);
    }
}
