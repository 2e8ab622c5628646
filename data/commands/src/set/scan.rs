//! A walk over a set in steps.

use crate::keys::*;
use crate::scan_options::{ScanOptions, Walks, cursor};
use crate::scan_step::{reply_nothing, reply_step};
use crate::spec::*;
use crate::{Args, Command, Error, Locked, Reply};
use ochre_values::Set;

pub(super) const SSCAN: Command = Command::new(Group::Set, "SSCAN", "key cursor [MATCH pattern] [COUNT count]", sscan)
    .summary("Replies some members of a set and the cursor at which the next call goes on.")
    .cost("O(1) for each call, O(N) for a whole walk, N members")
    .since("2.8.0")
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .flags(READONLY)
    .tips(&["nondeterministic_output"]);

fn sscan(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let cursor = cursor(args.word())?;
    let Some(set) = data.read::<Set>(&key)? else {
        reply_nothing(reply);
        return Ok(());
    };
    let options = ScanOptions::read(args, Walks::Members)?;
    reply_step(reply, &options, cursor, |cursor, step| {
        set.scan(cursor, &mut |item| step.visit(item, None::<fn(&mut Reply<'_>)>))
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::Db;
    use std::collections::BTreeSet;

    #[test]
    fn a_small_set_is_shown_at_once() {
        let mut db = Db::new();
        db.check_quiet("SSCAN s 0", "[0 []]");
        db.run("SADD s 3 1 2");
        db.check_quiet("SSCAN s 0", "[0 [1 2 3]]");
        db.check_quiet("SSCAN s 17 COUNT 1 MATCH [12]", "[0 [1 2]]");
        db.run("SADD s x");
        db.check_quiet("SSCAN s 0 match x", "[0 [x]]");
    }

    #[test]
    fn a_walk_shows_every_member() {
        let mut db = Db::new();
        let members: BTreeSet<String> = (0..2000).map(|number| format!("m{number}")).collect();
        for member in &members {
            db.run(&format!("SADD s {member}"));
        }
        let mut shown = BTreeSet::new();
        let mut cursor = "0".to_string();
        loop {
            let step = db.run(&format!("SSCAN s {cursor} COUNT 50"));
            let (next, found) = step.trim_matches(['[', ']']).split_once(" [").expect("a cursor and members");
            assert!(found.split(' ').count() < 100, "{step}");
            shown.extend(found.split_whitespace().map(String::from));
            cursor = next.into();
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(shown, members);
    }

    #[test]
    fn the_cursor_is_judged_before_the_key_and_that_before_the_options() {
        let mut db = Db::new();
        db.run("SET text x");
        db.run("SADD s a");
        db.check_quiet("SSCAN text x", Error::INVALID_CURSOR);
        db.check_quiet("SSCAN text 0 WHAT", Error::WRONG_TYPE);
        db.check_quiet("SSCAN missing 0 WHAT", "[0 []]");
        db.check_quiet("SSCAN s 0 WHAT", Error::SYNTAX);
        db.check_quiet("SSCAN s 0 COUNT 0", Error::SYNTAX);
    }
}
