//! Users as rules make them, and what they are then allowed.

use crate::*;
use proptest::prelude::*;

const READ: u32 = 1;
const WRITE: u32 = 2;
const ADMIN: u32 = 4;

fn catalogue() -> Catalogue {
    let entry = |name: &str, categories, container| Entry { name: name.into(), categories, container };
    let entries = vec![
        entry("get", READ, None),
        entry("set", WRITE, None),
        entry("mget", READ, None),
        entry("config", 0, None),
        entry("config|get", ADMIN, Some(3)),
        entry("config|set", ADMIN, Some(3)),
        entry("select", 0, None),
        entry("publish", 0, None),
        entry("auth", 0, None),
    ];
    Catalogue::new(entries, &[(READ, "@read"), (WRITE, "@write"), (ADMIN, "@admin")])
}

fn user(rules: &str) -> User {
    let mut user = User::new(b"u", false);
    let words: Vec<&[u8]> = rules.split(' ').filter(|word| !word.is_empty()).map(str::as_bytes).collect();
    user.apply_all(words, false, &catalogue()).expect("the test's rules are right");
    user
}

fn refusal(rule: &str) -> RuleError {
    let before = user("");
    let mut user = before.clone();
    let error = user.apply(rule.as_bytes(), false, &catalogue()).expect_err("the rule is wrong");
    assert_eq!(user, before, "{rule}");
    error
}

/// A command line; `GET`, `MGET` and `SET` have keys, `PUBLISH` has a channel.
struct Line<'a>(Vec<&'a str>);

impl Call for Line<'_> {
    fn command(&self) -> usize {
        let both = self.0.get(1).and_then(|second| catalogue().find(format!("{}|{second}", self.0[0]).as_bytes()));
        both.or_else(|| catalogue().find(self.0[0].as_bytes())).expect("the test knows its commands")
    }

    fn is_for_everybody(&self) -> bool {
        self.0[0] == "auth"
    }

    fn first_argument(&self) -> Option<&[u8]> {
        self.0.get(1).map(|word| word.as_bytes())
    }

    fn keys(&self, visit: &mut dyn FnMut(usize, &[u8], Access) -> bool) {
        let (last, access) = match self.0[0] {
            "get" => (1, Access::READ),
            "mget" => (usize::MAX, Access::READ),
            "set" => (1, if self.0.last() == Some(&"GET") { Access::BOTH } else { Access::WRITE }),
            _ => return,
        };
        for (at, key) in self.0.iter().enumerate().skip(1) {
            if at > last || !visit(at, key.as_bytes(), access) {
                break;
            }
        }
    }

    fn channels(&self, visit: &mut dyn FnMut(usize, &[u8], bool) -> bool) {
        if self.0[0] == "publish" {
            visit(1, self.0[1].as_bytes(), false);
        }
    }

    fn databases(&self, visit: &mut dyn FnMut(usize, u32) -> bool) {
        if self.0[0] == "select" {
            visit(1, self.0[1].parse().expect("the test selects numbers"));
        } else {
            visit(0, 0);
        }
    }
}

/// What the user lacks for the line, and at which word.
fn lacks(user: &User, line: &str) -> Option<(Reason, usize)> {
    let refused = user.check(&Line(line.split(' ').collect())).err()?;
    Some((refused.reason, refused.at))
}

#[test]
fn a_new_user_may_do_nothing_and_cannot_log_in() {
    let new = user("");
    assert_eq!(new.line(), b"user u off resetchannels -@all");
    assert!(!new.accepts(b""));
    assert_eq!(lacks(&new, "get x"), Some((Reason::Command, 0)));
    assert_eq!(lacks(&new, "auth x"), None);
    assert!(!new.is_unrestricted());
    assert!(user("+@all ~* &*").is_unrestricted());
    assert!(!user("+@all ~* &* -get").is_unrestricted());
    assert!(!user("+@all ~* &* db=0").is_unrestricted());
}

#[test]
fn passwords_are_added_and_removed_and_only_their_hashes_are_kept() {
    let two = user("on >a >b >a");
    assert_eq!(two.passwords().len(), 2);
    assert!(two.accepts(b"a") && two.accepts(b"b") && !two.accepts(b"c") && !two.accepts(b""));
    assert!(!user("on >a >b <a").accepts(b"a"));
    assert!(!user("off >a").accepts(b"a"));
    assert!(user("on nopass").accepts(b"anything"));
    assert!(!user("on nopass resetpass").accepts(b"anything"));
    assert!(!user("on nopass >a").accepts(b"b"));
    let hash = String::from_utf8(ochre_digest::sha256_hex(b"a").to_vec()).expect("digits");
    assert!(user(&format!("on #{hash}")).accepts(b"a"));
    assert!(!user(&format!("on >a !{hash}")).accepts(b"a"));
    assert_eq!(refusal("<a"), RuleError::NoSuchPassword);
    assert_eq!(refusal("#12"), RuleError::BadHash);
}

#[test]
fn commands_are_allowed_one_by_one_by_category_and_by_subcommand() {
    let reader = user("~* +@read -mget +config|get");
    assert_eq!(lacks(&reader, "get x"), None);
    assert_eq!(lacks(&reader, "mget x"), Some((Reason::Command, 0)));
    assert_eq!(lacks(&reader, "config get"), None);
    assert_eq!(lacks(&reader, "config set"), Some((Reason::Command, 0)));
    assert_eq!(reader.selectors().0.commands(), "-@all +@read -mget +config|get");
    // A container stands for all of its subcommands.
    assert_eq!(lacks(&user("+config"), "config set"), None);
    assert_eq!(lacks(&user("+@all -config"), "config get"), Some((Reason::Command, 0)));
    assert_eq!(lacks(&user("+SELECT|1"), "select 1"), None);
    assert_eq!(lacks(&user("+select|1"), "select 2"), Some((Reason::Command, 0)));
    assert_eq!(lacks(&user("+select|1 -select"), "select 1"), Some((Reason::Command, 0)));
}

#[test]
fn rules_that_are_overridden_are_not_shown() {
    let commands = |rules: &str| user(rules).selectors().0.commands();
    assert_eq!(commands("+config|get +config|set -config"), "-@all -config");
    assert_eq!(commands("+get -@ALL +@READ +GET -get"), "-@all +@read -get");
    assert_eq!(commands("+get +@all"), "+@all");
    assert_eq!(commands("+@all -select +select|0"), "+@all -select +select|0");
    assert_eq!(commands("allcommands nocommands"), "-@all");
}

#[test]
fn rules_about_commands_that_are_none_are_refused() {
    for unknown in ["+nosuch", "-nosuch", "+@nosuch", "+config|nosuch", "-select|0", "+get|a|b", "+nosuch|a"] {
        assert_eq!(refusal(unknown), RuleError::UnknownCommand, "{unknown}");
    }
    assert_eq!(refusal("+config|get|x"), RuleError::FirstArgumentOfSubcommand);
    assert_eq!(refusal("+get|"), RuleError::Syntax);
}

#[test]
fn keys_are_allowed_by_patterns_for_reading_and_writing() {
    let user = user("+@all %R~r* %W~w* ~b*");
    assert_eq!(lacks(&user, "get r1"), None);
    assert_eq!(lacks(&user, "set r1 v"), Some((Reason::Key, 1)));
    assert_eq!(lacks(&user, "set w1 v"), None);
    assert_eq!(lacks(&user, "set w1 v GET"), Some((Reason::Key, 1)));
    assert_eq!(lacks(&user, "set b1 v GET"), None);
    assert_eq!(lacks(&user, "mget r1 b1 x r2"), Some((Reason::Key, 3)));
    assert_eq!(user.selectors().0.keys(), b"%R~r* %W~w* ~b*");
    assert!(!user.may_use_every_key(&Line(vec!["get", "r1"]), Access::READ));
}

#[test]
fn read_and_write_of_one_pattern_are_both() {
    assert_eq!(user("%R~x %W~x %RW~y").selectors().0.keys(), b"~x ~y");
    for wrong in ["%~x", "%X~x", "%RR~x", "%", "%RWx", "~a b"] {
        assert_eq!(refusal(wrong), RuleError::Syntax, "{wrong}");
    }
}

#[test]
fn after_all_no_pattern_makes_sense() {
    let all = |rules: &str, rule: &str| user(rules).apply(rule.as_bytes(), false, &catalogue());
    assert_eq!(all("~*", "~x"), Err(RuleError::PatternAfterAllKeys));
    assert_eq!(all("&*", "&x"), Err(RuleError::PatternAfterAllChannels));
    assert_eq!(user("~* resetkeys ~x").selectors().0.keys(), b"~x");
}

#[test]
fn channels_match_patterns_and_patterns_only_themselves() {
    let user = user("+publish &news:*");
    assert_eq!(lacks(&user, "publish news:1"), None);
    assert_eq!(lacks(&user, "publish other"), Some((Reason::Channel, 1)));
    assert!(user.may_listen(b"news:1", false) && user.may_listen(b"news:*", true));
    assert!(!user.may_listen(b"news:1", true) && !user.may_listen(b"*", true));
}

#[test]
fn databases_are_allowed_by_number() {
    let user = user("+@all ~* db=7 db=1,2");
    assert_eq!(lacks(&user, "select 2"), None);
    assert_eq!(lacks(&user, "select 0"), Some((Reason::Database, 1)));
    assert_eq!(lacks(&user, "get x"), Some((Reason::Database, 0)));
    assert_eq!(user.selectors().0.databases(), "db=1,2");
    for wrong in ["db=", "db=x", "db=1,,2"] {
        assert_eq!(refusal(wrong), RuleError::Syntax, "{wrong}");
    }
    assert_eq!(refusal("db=-1"), RuleError::DatabaseOutOfRange);
    assert_eq!(refusal("db=99999999999"), RuleError::DatabaseOutOfRange);
}

#[test]
fn one_selector_must_allow_all_of_a_call() {
    let user = user("-@all +get ~app:* (+set ~sel:*) (+@read ~r:* -mget)");
    assert_eq!(lacks(&user, "get app:1"), None);
    assert_eq!(lacks(&user, "set sel:1 v"), None);
    assert_eq!(lacks(&user, "set app:1 v"), Some((Reason::Key, 1)));
    assert_eq!(lacks(&user, "get r:1"), None);
    assert_eq!(lacks(&user, "mget app:1"), Some((Reason::Command, 0)));
    assert_eq!(refusal("(on)"), RuleError::Syntax);
    assert_eq!(refusal(" () "), RuleError::Syntax);
    assert_eq!(refusal(")"), RuleError::Syntax);
}

#[test]
fn of_several_refusals_the_most_telling_one_is_shown() {
    let user = user("+mget ~key (+mget ~key ~other)");
    assert_eq!(lacks(&user, "get key"), Some((Reason::Command, 0)));
    assert_eq!(lacks(&user, "mget other some"), Some((Reason::Key, 2)));
    assert_eq!(lacks(&user, "mget key other some"), Some((Reason::Key, 3)));
}

#[test]
fn a_list_of_rules_applies_as_a_whole_or_not_at_all() {
    let catalogue = catalogue();
    let mut users = Users::new(&catalogue);
    let mut set = |rules: &[&str]| users.set(b"a", rules.iter().map(|rule| rule.as_bytes()), false, &catalogue);
    assert_eq!(set(&["on", "+get"]), Ok(()));
    let wrong = set(&["off", "nonsense", "+set"]).expect_err("there is no such rule");
    assert_eq!(wrong.to_string(), "Error in ACL SETUSER modifier 'nonsense': Syntax error");
    assert_eq!(users.get(b"a").map(|user| user.line()), Some(b"user a on resetchannels -@all +get".to_vec()));
    assert!(!users.remove(DEFAULT));
    assert!(users.remove(b"a") && !users.remove(b"a"));
}

#[test]
fn a_file_is_read_whole_or_refused_with_all_that_is_wrong() {
    let catalogue = catalogue();
    let users = Users::new(&catalogue);
    let load = |text: &str| Users::load("f", text.as_bytes(), users.default_user(), false, &catalogue);
    let loaded = load("user a on nopass (+get\t~x)\r\n\n user b off\n").expect("the file is right");
    assert_eq!(loaded.all().map(|user| user.name.as_slice()).collect::<Vec<_>>(), [b"a".as_slice(), b"b", b"default"]);
    assert_eq!(
        loaded.get(b"a").map(|user| user.line()),
        Some(b"user a on nopass resetchannels -@all (~x resetchannels -@all +get)".to_vec())
    );
    let again = load(&String::from_utf8(loaded.text()).expect("text")).expect("what is written can be read");
    assert_eq!(again.text(), loaded.text());
    let errors = load("user a on\nuser a off\n# x\nuser b +nosuch ~* ~x >\nuser c (+get").expect_err("much is wrong");
    for error in [
        "Duplicate user 'a' found on line 2",
        "f:3 should start",
        "f:4: Error in applying operation '+nosuch'",
        "f:4: Adding a pattern",
        "f:5: Unmatched",
    ] {
        assert!(errors.contains(error), "{error}: {errors}");
    }
}

fn rule() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "on",
            "off",
            "nopass",
            "resetpass",
            ">p",
            ">q",
            "~*",
            "resetkeys",
            "&*",
            "resetchannels",
            "alldbs",
            "resetdbs",
            "db=0",
            "db=1,5",
            "+@all",
            "-@all",
            "+@read",
            "-@read",
            "+@write",
            "-@admin",
            "+@admin",
            "+config",
            "-config",
            "+config|get",
            "-config|set",
            "+get",
            "-get",
            "+set",
            "+select|0",
            "+select|1",
            "-select",
            "clearselectors",
        ])
        .prop_map(str::to_owned),
        "[~&][abc*?]{0,3}",
        "%(R|W|RW)~[abc*]{0,3}",
        "\\((\\+get|\\+@all|-set)( ~[ab*])?( &[ab])?( db=[0-3])?\\)",
    ]
}

proptest! {
    #[test]
    fn the_printed_form_of_a_user_makes_the_same_user_again(rules in prop::collection::vec(rule(), 0..20)) {
        let catalogue = catalogue();
        let mut made = User::new(b"u", false);
        for rule in &rules {
            // Patterns behind all patterns are refused, which changes nothing.
            let _ = made.apply(rule.as_bytes(), false, &catalogue);
        }
        let line = made.line();
        let mut again = User::new(b"u", false);
        let words = line.split(|byte| *byte == b' ').skip(2);
        again.apply_all(words, false, &catalogue).expect("what is printed are rules");
        prop_assert_eq!(again.line(), line);
        for line in ["get a", "get ab", "set b v", "set c v GET", "mget a b", "config get", "config set", "select 0", "select 1", "publish a", "publish c"] {
            prop_assert_eq!(lacks(&again, line), lacks(&made, line), "{}", line);
        }
        prop_assert_eq!(again.is_unrestricted() || !made.is_unrestricted(), true);
        prop_assert_eq!((again.accepts(b"p"), again.accepts(b"q")), (made.accepts(b"p"), made.accepts(b"q")));
    }

    #[test]
    fn no_rule_is_a_panic(rule in prop::collection::vec(any::<u8>(), 0..30), sign in prop::sample::select(b"~%&+-()><#!d".to_vec())) {
        let mut user = user("");
        let _ = user.apply(&[&[sign], rule.as_slice()].concat(), true, &catalogue());
        let _ = user.line();
    }
}
