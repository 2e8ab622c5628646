//! Walking over all members in small steps.

use crate::keys::*;
use crate::reply_item::reply_item;
use crate::scan_options::{ScanOptions, Walks, cursor};
use crate::scan_step::{reply_nothing, reply_step};
use crate::spec::*;
use crate::{Args, Command, Error, Locked, Reply};
use ochre_text::number::write_f64_17;
use ochre_values::SortedSet;
use ochre_values::sorted_set::Score;

pub(super) const ZSCAN: Command =
    Command::new(Group::SortedSet, "ZSCAN", "key cursor [MATCH pattern] [COUNT count] [NOSCORES]", zscan)
        .summary("Walks over the members and their scores in steps.")
        .cost("O(1) for every step, O(N) for a whole walk, N being the size of the sorted set")
        .since("2.8.0")
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .tips(&["nondeterministic_output"]);

fn zscan(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let cursor = cursor(args.word())?;
    let Some(set) = data.read::<SortedSet>(&key)? else {
        reply_nothing(reply);
        return Ok(());
    };
    let options = ScanOptions::read(args, Walks::Scored)?;
    reply_step(reply, &options, cursor, |cursor, step| {
        set.scan(cursor, |item| {
            let score = |reply: &mut Reply<'_>| match item.score {
                Score::Packed(score) => reply_item(reply, score),
                Score::Double(score) => reply.bulk_with(|out| write_f64_17(out, score)),
            };
            step.visit(item.member, Some(score));
        })
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::Error;
    use crate::testing::Db;
    use std::collections::BTreeSet;

    #[test]
    fn a_packed_set_is_walked_in_one_step() {
        let mut db = Db::new();
        db.run("ZADD z 1 a 2.5 b 1e17 10");
        db.check("ZSCAN z 0", "[0 [a 1 b 2.5 10 100000000000000000]]");
        db.check("ZSCAN z 0 NOSCORES COUNT 1", "[0 [a b 10]]");
        db.check("ZSCAN z 0 MATCH 1*", "[0 [10 100000000000000000]]");
        db.check("ZSCAN z 0 MATCH x", "[0 []]");
        db.check("ZSCAN z 77", "[0 [a 1 b 2.5 10 100000000000000000]]");
    }

    #[test]
    fn every_member_of_a_tree_is_visited() {
        let mut db = Db::new();
        db.run(&(0..500).fold("ZADD z".to_string(), |words, number| format!("{words} 0.1 m{number}")));
        let (mut cursor, mut seen, mut steps) = ("0".to_string(), BTreeSet::new(), 0);
        loop {
            let shown = db.run(&format!("ZSCAN z {cursor} COUNT 20"));
            let words: Vec<String> =
                shown.split(['[', ']', ' ']).filter(|word| !word.is_empty()).map(String::from).collect();
            assert!(words[1..].chunks(2).all(|pair| pair[1] == "0.10000000000000001"), "{words:?}");
            seen.extend(words[1..].iter().step_by(2).cloned());
            cursor = words[0].clone();
            steps += 1;
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(seen.len(), 500);
        assert!((5..=40).contains(&steps), "{steps} steps");
    }

    #[test]
    fn options_are_judged_only_where_there_is_something_to_walk() {
        let mut db = Db::new();
        db.run("SET text x");
        db.run("ZADD z 1 a");
        db.check("ZSCAN missing 0 what", "[0 []]");
        db.check_quiet("ZSCAN missing x", Error::INVALID_CURSOR);
        db.check_quiet("ZSCAN text 0 what", Error::WRONG_TYPE);
        db.check_quiet("ZSCAN z 0 what", Error::SYNTAX);
        db.check_quiet("ZSCAN z 0 COUNT 0", Error::SYNTAX);
        db.check_quiet("ZSCAN z 0 NOVALUES", Error::NOVALUES);
    }
}
