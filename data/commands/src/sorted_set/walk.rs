//! Walking over all members in small steps.

use crate::keys::*;
use crate::reply_item::reply_item;
use crate::scan_options::{ScanOptions, Walks, cursor};
use crate::spec::*;
use crate::{Args, Command, Error, Locked, Reply};
use ochre_collections::listpack::INTEGER_TEXT_MAX;
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
    let mut cursor = cursor(args.word())?;
    let Some(set) = data.read::<SortedSet>(&key)? else {
        reply.array(2);
        reply.bulk_i64(0);
        reply.array(0);
        return Ok(());
    };
    let options = ScanOptions::read(args, Walks::Scored)?;
    // The cursor stands before the members but is known after them.
    let mut bytes = Vec::new();
    let mut members = Reply::new(&mut bytes, reply.protocol());
    let (mut replied, mut visited, mut steps) = (0, 0, 0_usize);
    loop {
        cursor = set.scan(cursor, |item| {
            visited += 1;
            if !options.matches(item.member.as_bytes(&mut [0; INTEGER_TEXT_MAX])) {
                return;
            }
            reply_item(&mut members, item.member);
            replied += 1;
            if options.no_values {
                return;
            }
            replied += 1;
            match item.score {
                Score::Packed(score) => reply_item(&mut members, score),
                Score::Double(score) => members.bulk_with(|out| write_f64_17(out, score)),
            }
        });
        steps += 1;
        if cursor == 0 || visited >= options.count || steps >= options.count.saturating_mul(10) {
            break;
        }
    }
    reply.array(2);
    reply.bulk_fmt(format_args!("{cursor}"));
    reply.array(replied);
    reply.raw(&bytes);
    Ok(())
}
