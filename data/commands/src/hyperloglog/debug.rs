//! A look into sketches: PFDEBUG and PFSELFTEST.

use super::{damaged, sketch_in};
use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Key, Locked, Reply};
use ochre_text::case;
use ochre_values::hyperloglog::{self, Cursor, REGISTERS, Run, Sketch, estimate, place_of};

pub(super) const PFDEBUG: Command = Command::new(Group::Hyperloglog, "PFDEBUG", "subcommand key", pfdebug)
    .summary("Shows the registers, runs or encoding of the sketch at a key, or makes it dense.")
    .cost("O(1), with a large constant")
    .since("2.8.9")
    .keys(&[KeySpec::at(2, RW | ACCESS)])
    .flags(WRITE | DENYOOM | ADMIN);

fn pfdebug(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let subcommand = args.word();
    if case::is(subcommand, "SIMD") {
        return simd(args.word(), reply);
    }
    let key = args.key();
    let Some(text) = data.peek_text(&key)? else { return Err(Error::fixed("ERR The specified key does not exist")) };
    let sketch = sketch_in(text)?;
    if case::is(subcommand, "GETREG") {
        let registers = sketch.registers().map_err(damaged)?;
        make_dense(data, &key)?;
        reply.array(REGISTERS);
        registers.iter().for_each(|rank| reply.integer(i64::from(*rank)));
    } else if case::is(subcommand, "DECODE") {
        if !sketch.is_sparse() {
            return Err(Error::fixed("ERR HLL encoding is not sparse"));
        }
        let runs: Vec<String> = sketch.runs().map(shown).collect();
        reply.bulk(runs.join(" ").as_bytes());
    } else if case::is(subcommand, "ENCODING") {
        reply.status(if sketch.is_sparse() { "sparse" } else { "dense" });
    } else if case::is(subcommand, "TODENSE") {
        sketch.registers().map_err(damaged)?;
        let was_sparse = make_dense(data, &key)?;
        reply.integer(i64::from(was_sparse));
    } else {
        let name = String::from_utf8_lossy(subcommand);
        return Err(Error::text(format!("ERR Unknown PFDEBUG subcommand '{name}'")));
    }
    Ok(())
}

/// There is nothing to switch here: the answer is what the peers give.
fn simd(switch: &[u8], reply: &mut Reply<'_>) -> Result<(), Error> {
    if case::is(switch, "ON") {
        reply.status("enabled");
    } else if case::is(switch, "OFF") {
        reply.status("disabled");
    } else {
        return Err(Error::fixed("ERR Argument must be ON or OFF"));
    }
    Ok(())
}

/// Makes the sketch at `key`, which is sound, dense; says whether it was sparse.
fn make_dense(data: &mut Locked<'_>, key: &Key<'_>) -> Result<bool, Error> {
    let was_sparse = data.edit_text(key, super::WHOLE, hyperloglog::make_dense)?.unwrap_or(false);
    if was_sparse {
        data.changed(key, Class::NONE, "");
    }
    Ok(was_sparse)
}

/// A run as the peers show it: zeros in one byte, zeros in two bytes, or rank and number.
fn shown(run: Run) -> String {
    match run {
        Run { rank: 0, length, wide: false } => format!("z:{length}"),
        Run { rank: 0, length, .. } => format!("Z:{length}"),
        Run { rank, length, .. } => format!("v:{rank},{length}"),
    }
}

pub(super) const PFSELFTEST: Command = Command::new(Group::Hyperloglog, "PFSELFTEST", "", pfselftest)
    .summary("Tests the sketches of this server against what they promise.")
    .cost("O(1), with a large constant")
    .since("2.8.9")
    .flags(ADMIN);

/// Counts up to this many elements are tested.
const TESTED_COUNT_MAX: u64 = 100_000;
/// Six times the standard error of 1.04 / √16384.
const TESTED_ERROR_MAX: f64 = 6.0 * 1.04 / 128.0;

fn pfselftest(data: &mut Locked<'_>, _: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let mut expected = [0; REGISTERS];
    let mut bytes = hyperloglog::empty();
    let mut checkpoint = 1;
    for seen in 1..=TESTED_COUNT_MAX {
        let (index, rank) = place_of(&seen.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
        if rank > expected[index] {
            expected[index] = rank;
            let limit = data.limits().hll_sparse_max_bytes;
            hyperloglog::set_register(&mut bytes, index, rank, limit, &mut Cursor::default());
        }
        if seen == checkpoint {
            checkpoint *= 10;
            let registers = Sketch::read(&bytes).and_then(|sketch| sketch.registers()).map_err(damaged)?;
            if registers != expected {
                return Err(Error::text(format!("TESTFAILED the sketch lost a register at {seen} elements")));
            }
            let count = estimate(&registers);
            if count.abs_diff(seen) as f64 > (seen as f64 * TESTED_ERROR_MAX).max(1.0) {
                return Err(Error::text(format!("TESTFAILED {seen} elements are counted as {count}")));
            }
        }
    }
    reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::Db;

    #[test]
    fn pfdebug_shows_a_sketch() {
        let mut db = Db::new();
        db.check_quiet("PFDEBUG GETREG h", "-ERR The specified key does not exist");
        db.check("PFADD h a b c", 1);
        db.check_quiet("PFDEBUG ENCODING h", "sparse");
        db.check_quiet("PFDEBUG decode h", "Z:8436 v:1,1 Z:4274 v:2,1 Z:3068 v:1,1 Z:603");
        db.check("PFDEBUG TODENSE h", 1);
        assert_eq!(db.logged(), "verbatim");
        db.check_quiet("PFDEBUG TODENSE h", 0);
        db.check_quiet("PFDEBUG DECODE h", "-ERR HLL encoding is not sparse");
        let registers = db.run("PFDEBUG GETREG h");
        let ranks = registers.trim_matches(['[', ']']).split(' ');
        assert_eq!(ranks.filter(|rank| *rank != "0").collect::<Vec<_>>(), ["1", "2", "1"]);
        db.check("SET s text", "OK");
        db.check_quiet("PFDEBUG ENCODING s", super::super::NOT_A_SKETCH);
        db.check_quiet("PFDEBUG FOO h", Error::fixed("ERR Unknown PFDEBUG subcommand 'FOO'"));
        db.check_quiet("PFDEBUG SIMD on", "enabled");
        db.check_quiet("PFDEBUG SIMD off", "disabled");
        db.check_quiet("PFDEBUG SIMD x", "-ERR Argument must be ON or OFF");
    }

    #[test]
    fn pfselftest_passes() {
        Db::new().check_quiet("PFSELFTEST", "OK");
    }
}
