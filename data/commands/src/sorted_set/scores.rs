//! How many members there are, and their scores.

use crate::keys::*;
use crate::spec::*;
use crate::{Args, Command, Error, Locked, Reply};
use ochre_values::SortedSet;

pub(super) const ZCARD: Command = Command::new(Group::SortedSet, "ZCARD", "key", zcard)
    .summary("Replies how many members a sorted set has.")
    .cost("O(1)")
    .since("1.2.0")
    .keys(&[KeySpec::at(1, RO)])
    .flags(READONLY | FAST);

fn zcard(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let set = data.read::<SortedSet>(&args.key())?;
    reply.count(set.map_or(0, |set| set.len()));
    Ok(())
}

pub(super) const ZSCORE: Command = Command::new(Group::SortedSet, "ZSCORE", "key member", zscore)
    .summary("Replies the score of a member.")
    .cost("O(1)")
    .since("1.2.0")
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .member(2)
    .flags(READONLY | FAST);

fn zscore(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let set = data.read::<SortedSet>(&args.key())?;
    reply_score(reply, set.and_then(|set| set.score(args.word())));
    Ok(())
}

fn reply_score(reply: &mut Reply<'_>, score: Option<f64>) {
    match score {
        Some(score) => reply.double(score),
        None => reply.null(),
    }
}

pub(super) const ZMSCORE: Command = Command::new(Group::SortedSet, "ZMSCORE", "key member [member ...]", zmscore)
    .summary("Replies the scores of several members.")
    .cost("O(N), N being the number of members asked for")
    .since("6.2.0")
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .flags(READONLY | FAST);

fn zmscore(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let set = data.read::<SortedSet>(&args.key())?;
    let members = args.rest();
    reply.array(members.len());
    for member in members {
        reply_score(reply, set.and_then(|set| set.score(member)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::in_both_encodings;
    use crate::Error;
    use crate::testing::Null;
    use ochre_resp::Protocol;

    #[test]
    fn scores_are_replied_in_the_fewest_digits() {
        in_both_encodings(|db| {
            db.run("ZADD z 1 a 0.1 b 1e20 c -inf d 3.0 e");
            db.check("ZCARD z", 5);
            db.check("ZCARD missing", 0);
            db.check("ZMSCORE z a b c d e", ["1", "0.1", "1e+20", "-inf", "3"]);
            db.check("ZSCORE z x", Null);
            db.check("ZSCORE missing x", Null);
            assert_eq!(db.run("ZMSCORE missing x y"), "[nil nil]");
            db.protocol = Protocol::Resp3;
            assert_eq!(db.run_raw(&[b"ZSCORE", b"z", b"b"]), b",0.1\r\n");
            assert_eq!(db.run_raw(&[b"ZMSCORE", b"z", b"d", b"x"]), b"*2\r\n,-inf\r\n_\r\n");
            db.run("SET text x");
            for command in ["ZCARD text", "ZSCORE text a", "ZMSCORE text a"] {
                db.check_quiet(command, Error::WRONG_TYPE);
            }
        });
    }

    #[test]
    fn only_a_tree_keeps_the_sign_of_zero() {
        let mut shown = Vec::new();
        in_both_encodings(|db| {
            db.run("ZADD z -0 a");
            assert_eq!(db.run("ZADD z CH 0 a"), "0", "zero is zero");
        });
        for packed_max in [128, 0] {
            let mut db = crate::testing::Db::new();
            db.context.limits.sorted_set_max_listpack_entries = packed_max;
            db.run("ZADD z -0 a");
            shown.push(db.run("ZSCORE z a"));
        }
        assert_eq!(shown, ["0", "-0"]);
    }
}
