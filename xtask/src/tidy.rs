//! The repository's own rules, each one check: what a reader may rely on without looking.

mod dependencies;
mod floors;
mod sources;

use crate::child::Tally;

/// A rule: its sentence, and what does not keep it.
struct Rule {
    says: &'static str,
    complaints: fn() -> Vec<String>,
}

const RULES: &[Rule] = &[
    Rule { says: "imports go down the floors only", complaints: floors::complaints },
    Rule { says: "unsafe code has two addresses", complaints: sources::unsafe_elsewhere },
    Rule { says: "a file is a page", complaints: sources::too_long },
    Rule { says: "a module opens with a sentence", complaints: sources::without_a_sentence },
    Rule { says: "nothing is left unfinished or untested", complaints: sources::unfinished },
    Rule { says: "tests wait for events, not for time", complaints: sources::sleeping },
    Rule { says: "every dependency has a reason", complaints: dependencies::without_a_reason },
    Rule { says: "every licence is permissive", complaints: dependencies::with_a_foreign_licence },
];

/// Checks all rules and says what does not keep them.
pub fn run() -> Tally {
    let mut tally = Tally::default();
    for rule in RULES {
        let complaints = (rule.complaints)();
        println!("{}: {}", if complaints.is_empty() { "ok" } else { "NOT OK" }, rule.says);
        for complaint in &complaints {
            println!("    {complaint}");
        }
        tally.add(Tally::one(complaints.is_empty()));
    }
    tally
}
