//! How many elements sketches have seen: PFCOUNT.

use super::{damaged, sketch_in};
use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Key, Locked, Reply};
use ochre_values::hyperloglog::{self, REGISTERS, estimate};

pub(super) const PFCOUNT: Command = Command::new(Group::Hyperloglog, "PFCOUNT", "key [key ...]", pfcount)
    .summary("Replies about how many different elements the sketches at some keys have seen together.")
    .cost("O(1) for one key; O(N) for N keys, with a larger constant")
    .since("2.8.9")
    .keys(&[KeySpec::span(1, -1, 1, RW | ACCESS)])
    .flags(READONLY);

fn pfcount(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    if args.remaining() == 1 {
        let count = count_one(data, &args.key())?;
        reply.integer(count as i64);
        return Ok(());
    }
    let mut registers = [0; REGISTERS];
    while args.remaining() > 0 {
        if let Some(text) = data.text(&args.key())? {
            sketch_in(text)?.raise(&mut registers).map_err(damaged)?;
        }
    }
    reply.integer(estimate(&registers) as i64);
    Ok(())
}

/// Counts one sketch, and keeps the count in its header for the next time. That is a change of the string, and logged as one, so
/// that all copies have the same bytes.
fn count_one(data: &mut Locked<'_>, key: &Key<'_>) -> Result<u64, Error> {
    let Some(text) = data.text(key)? else { return Ok(0) };
    let sketch = sketch_in(text)?;
    if let Some(count) = sketch.count_if_fresh() {
        return Ok(count);
    }
    let count = estimate(&sketch.registers().map_err(damaged)?);
    data.change_text(key, super::WHOLE, |bytes| hyperloglog::note_count(bytes, count))?;
    data.changed(key, Class::NONE, "");
    Ok(count)
}

#[cfg(test)]
mod tests {
    use crate::testing::Db;

    #[test]
    fn pfcount_keeps_its_count() {
        let mut db = Db::new();
        db.check_quiet("PFCOUNT h", 0);
        db.check("PFADD h a b c", 1);
        db.check("PFCOUNT h", 3);
        assert_eq!((db.events(), db.logged()), (vec![], "verbatim".into()));
        db.check_quiet("PFCOUNT h", 3);
        db.check("PFADD h d", 1);
        db.check("PFCOUNT h", 4);
        // The header's count is believed.
        db.check("SETRANGE h 8 \"\\x07\\x00\"", 30);
        db.check_quiet("PFCOUNT h", 7);
    }

    #[test]
    fn pfcount_of_several_keys_counts_their_union() {
        let mut db = Db::new();
        db.check("PFADD a 1 2 3", 1);
        db.check("PFADD b 3 4", 1);
        db.check_quiet("PFCOUNT a b missing", 4);
        db.check_quiet("PFCOUNT missing gone", 0);
    }
}
