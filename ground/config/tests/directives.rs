//! A small table of directives, read from files and command lines, asked, set, rewritten and read again.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use ochre_config::*;
use proptest::prelude::*;

type Row = Directive<Lives>;

/// The live values of the small table.
#[derive(Default)]
struct Lives {
    timeout_s: Live<i64>,
    level: Live<Level>,
    password: Shared<Vec<u8>>,
}

ochre_config::choices! {
    enum Level {
        Debug = "debug",
        Notice = "notice",
    }
}

const ROWS: &[Row] = &[
    Row::number("timeout", 0..=1000, "0", "…").mirrored(|live| &live.timeout_s),
    Row::choice::<Level>("loglevel", "notice", "…").mirrored(|live| &live.level),
    Row::optional("requirepass", "…").secret().mirrored(|live| &live.password),
    Row::text("dbfilename", "dump.rdb", "…").protected(),
    Row::bytes("maxmemory", 0..=u64::MAX as i128, "0", "…"),
    Row::number("replica-priority", 0..=100, "100", "…").or(&["slave-priority"]),
    Row::switch("daemonize", false, "…").at_start(),
    Row::switch("appendonly", false, "…").after_loading(),
    Row::switch("watchful", false, "…").hidden(),
    Row::list("save", &SavePoints, "3600 1 300 100", "…"),
    Row::list("bind", &Addresses, "* -::*", "…"),
    Row::list("client-output-buffer-limit", &BufferLimits, "normal 0 0 0 slave 256mb 64mb 60 pubsub 32mb 8mb 60", "…"),
    Row::list("notify-keyspace-events", &EventClasses, "", "…"),
    Row::optional("tls-cert-file", "…").applied_always(),
];

fn store() -> Store<Lives> {
    Store::new(&[ROWS], Lives::default())
}

fn load(store: &Store<Lives>, text: &[u8]) -> Result<Loaded, LoadError> {
    let rules = FileOnly { ignored: &["old-one"], of_modules: &["mod-"], is_sentinel: false, on_line: &|_, _| Ok(()) };
    store.load(&[Source { origin: Origin::Input, text: text.to_vec() }], &rules)
}

/// A store that has read `text`.
fn loaded(text: &str) -> Store<Lives> {
    let store = store();
    load(&store, text.as_bytes()).expect("the test gives valid lines");
    store
}

fn check(store: &Store<Lives>, name: &str, expected: &str) {
    let value = store.get(name.as_bytes()).expect("the test asks for a directive");
    assert_eq!(String::from_utf8_lossy(&value), expected, "{name}");
}

/// CONFIG SET with pairs of words; the names that changed, or the error.
fn set(store: &Store<Lives>, pairs: &[(&str, &str)]) -> Result<Vec<&'static str>, String> {
    set_by(store, pairs, Caller::default())
}

fn set_by(store: &Store<Lives>, pairs: &[(&str, &str)], caller: Caller) -> Result<Vec<&'static str>, String> {
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    let changed = store.set_many(&pairs, caller).map_err(|error| error.to_string())?;
    Ok(changed.iter().map(|changed| changed.name).collect())
}

#[test]
fn later_lines_win_and_names_are_known_in_any_case_and_by_their_aliases() {
    let store = loaded("# a comment\n\n timeout 5\r\nTIMEOUT 7\nslave-priority 9\nold-one x\n");
    check(&store, "timeout", "7");
    check(&store, "Replica-Priority", "9");
    check(&store, "slave-priority", "9");
    assert_eq!(store.live.timeout_s.get(), 7);
}

#[test]
fn live_values_follow_the_default_the_file_and_every_change() {
    let store = loaded("requirepass \"\\x00a\"");
    assert_eq!(store.live.level.get(), Level::Notice);
    assert_eq!(*store.live.password.get(), b"\0a");
    assert_eq!(set(&store, &[("loglevel", "debug")]), Ok(vec!["loglevel"]));
    assert_eq!(store.live.level.get(), Level::Debug);
}

#[test]
fn save_lines_of_the_files_add_up_and_config_set_starts_anew() {
    let store = loaded("save 900 1\nsave \"300 10\"");
    check(&store, "save", "900 1 300 10");
    set(&store, &[("save", "60 1")]).expect("the value is valid");
    check(&store, "save", "60 1");
    set(&store, &[("save", "")]).expect("the value is valid");
    check(&store, "save", "");
}

#[test]
fn a_wrong_line_is_reported_with_its_place_and_reason() {
    let report = |text: &str| load(&store(), text.as_bytes()).expect_err("the line is wrong").report("Ochre 1.0");
    let expected = "\n*** FATAL CONFIG FILE ERROR (Ochre 1.0) ***\nReading standard input, at line 2\n";
    let expected = |rest: &str| format!("{expected}{rest}\n");
    let check = |text: &str, rest: &str| assert_eq!(report(text), expected(rest));
    check("\n timeout \"x\" ", ">>> 'timeout \"x\"'\nargument couldn't be parsed into an integer");
    check("\ntimeout 1 2", ">>> 'timeout 1 2'\nwrong number of arguments");
    check("\ntimeout", ">>> 'timeout'\nwrong number of arguments");
    check("\ntimeout \"1", ">>> 'timeout \"1'\nUnbalanced quotes in configuration line");
    check("\nold-one 1 2", ">>> 'old-one 1 2'\nBad directive or wrong number of arguments");
    check("\nnonsense", ">>> 'nonsense'\nBad directive or wrong number of arguments");
    check("\nrename-command a", ">>> 'rename-command a'\nBad directive or wrong number of arguments");
    check("\na.b", ">>> 'a.b'\nModule config specified without value");
    check("\nmod-b", ">>> 'mod-b'\nModule config specified without value");
    check("\nsentinel x", ">>> 'sentinel x'\nsentinel directive while not in sentinel mode");
}

#[test]
fn lines_that_are_no_settings_are_handed_over_in_order() {
    let text = b"user a on\nrename-command FLUSHALL \"\"\nuser b off\nloadmodule /m.so x\nm.setting 1\nmod-setting 2 3\nsentinel\n";
    let found = load(&store(), text).expect("the lines are valid");
    let numbers = |lines: &[Line]| lines.iter().map(|line| line.number).collect::<Vec<_>>();
    assert_eq!(numbers(&found.users), [1, 3]);
    assert_eq!(numbers(&found.renamed), [2]);
    assert_eq!(numbers(&found.modules), [4]);
    assert_eq!(numbers(&found.module_settings), [5, 6]);
    assert_eq!(found.renamed[0].words, [b"rename-command".to_vec(), b"FLUSHALL".to_vec(), Vec::new()]);
}

#[test]
fn included_files_are_read_in_place_and_patterns_may_match_none() {
    let folder = std::env::temp_dir().join(format!("ochre-config-include-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("d")).expect("the temporary folder can be written");
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).expect("the folder can be written");
    write("d/1.conf", "timeout 1\nloglevel debug\n");
    write("d/2.conf", "timeout 2\n");
    write("d/.hidden.conf", "nonsense\n");
    write("loop.conf", &format!("include {}/loop.conf\n", folder.display()));
    write("wrong.conf", "\ntimeout x\n");
    let include = |name: &str| load(&store(), format!("include {}/{name}\n", folder.display()).as_bytes());

    let store = loaded(&format!("timeout 9\ninclude {0}/d/*.conf\ninclude {0}/none/*\n", folder.display()));
    check(&store, "timeout", "2");
    check(&store, "loglevel", "debug");
    let missing = include("missing.conf").expect_err("there is no such file");
    let path = format!("{}/missing.conf", folder.display());
    let reason = format!("Fatal error, can't open config file '{path}': No such file or directory");
    let line = format!("Reading standard input, at line 1\n>>> 'include {path}'\n{reason}");
    assert_eq!(missing.to_string(), line);
    let wrong = include("wrong.conf").expect_err("the line is wrong").to_string();
    let place = format!("Reading the configuration file '{}/wrong.conf', at line 2\n", folder.display());
    assert!(wrong.starts_with(&place), "{wrong}");
    let endless = include("loop.conf").expect_err("the file includes itself").to_string();
    assert!(endless.ends_with("Too many levels of included files"), "{endless}");
    std::fs::remove_dir_all(&folder).expect("the temporary folder can be removed");
}

#[test]
fn each_line_is_told_before_the_next_is_read_and_may_be_refused() {
    let told = RefCell::new(Vec::new());
    let on_line = |name: &'static str, _: &Value| {
        told.borrow_mut().push(name);
        if name == "maxmemory" { Err("not here".to_string()) } else { Ok(()) }
    };
    let rules = FileOnly { ignored: &[], of_modules: &[], is_sentinel: true, on_line: &on_line };
    let text = b"timeout 1\nsentinel myid x\nmaxmemory 1\ntimeout 2\n".to_vec();
    let error = store().load(&[Source { origin: Origin::Options, text }], &rules).expect_err("the line is refused");
    assert_eq!(error.to_string(), "Reading the options of the command line\n>>> 'maxmemory 1'\nnot here");
    assert_eq!(*told.borrow(), ["timeout", "maxmemory"]);
}

#[test]
fn config_get_answers_names_as_asked_and_patterns_with_every_alias_but_nothing_hidden() {
    let store = store();
    let names = |patterns: &[&str]| {
        let patterns: Vec<_> = patterns.iter().map(|pattern| pattern.as_bytes()).collect();
        let found = store.get_matching(&patterns).into_iter();
        found.map(|(name, _)| String::from_utf8(name).expect("names are text")).collect::<Vec<_>>()
    };
    assert_eq!(names(&["TimeOut", "nonsense"]), ["TimeOut"]);
    assert_eq!(names(&["timeout", "TIME*", "t*"]), ["timeout", "tls-cert-file"]);
    assert_eq!(names(&["*priority"]), ["replica-priority", "slave-priority"]);
    assert_eq!(names(&["watch*"]), [""; 0]);
    assert_eq!(names(&["watchful"]), ["watchful"]);
    assert_eq!(names(&["*"]).len(), ROWS.len());
}

#[test]
fn config_set_says_what_is_wrong_and_changes_nothing() {
    let store = store();
    let check_error = |pairs: &[(&str, &str)], expected: &str| {
        assert_eq!(set(&store, pairs), Err(expected.to_string()));
        check(&store, "timeout", "0");
        assert_eq!(store.live.timeout_s.get(), 0);
    };
    let failed =
        |name: &str, reason: &str| format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}");
    let unknown = "ERR Unknown option or number of arguments for CONFIG SET - 'Nosuch'";
    check_error(&[("timeout", "5"), ("Nosuch", "1"), ("daemonize", "yes")], unknown);
    let range = "argument must be between 0 and 100 inclusive";
    check_error(&[("timeout", "5"), ("Slave-Priority", "101")], &failed("slave-priority", range));
    check_error(&[("timeout", "5"), ("Daemonize", "yes")], &failed("Daemonize", "can't set immutable config"));
    check_error(&[("timeout", "5"), ("dbfilename", "x")], &failed("dbfilename", "can't set protected config"));
    check_error(&[("timeout", "5"), ("TIMEOUT", "6")], &failed("TIMEOUT", "duplicate parameter"));
    check_error(&[("timeout", "5"), ("save", "1")], &failed("save", "Invalid save parameters"));
}

#[test]
fn who_asks_decides_about_protected_directives_and_loading_about_some() {
    let store = store();
    let trusted = Caller { may_set_protected: true, ..Caller::default() };
    assert_eq!(set_by(&store, &[("dbfilename", "x")], trusted), Ok(vec!["dbfilename"]));
    let loading = Caller { is_loading: true, ..Caller::default() };
    let busy = Err("LOADING Redis is loading the dataset in memory".to_string());
    assert_eq!(set_by(&store, &[("appendonly", "yes")], loading), busy);
    assert_eq!(set_by(&store, &[("timeout", "3")], loading), Ok(vec!["timeout"]));
}

#[test]
fn a_hook_runs_once_for_what_changed_and_not_for_what_stayed() {
    let store = store();
    let runs = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&runs);
    store.on_change(&["timeout", "maxmemory", "tls-cert-file"], move |_| {
        count.fetch_add(1, Relaxed);
        Ok(())
    });
    assert_eq!(set(&store, &[("timeout", "1"), ("maxmemory", "1gb")]), Ok(vec!["timeout", "maxmemory"]));
    assert_eq!(runs.load(Relaxed), 1);
    assert_eq!(set(&store, &[("timeout", "1"), ("loglevel", "debug")]), Ok(vec!["loglevel"]));
    assert_eq!(runs.load(Relaxed), 1);
    // The file may have new content under the same name.
    assert_eq!(set(&store, &[("tls-cert-file", "")]), Ok(vec!["tls-cert-file"]));
    assert_eq!(runs.load(Relaxed), 2);
}

#[test]
fn a_hook_that_refuses_takes_everything_back() {
    let store = Arc::new(store());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (of_timeout, seen_by_hook) = (Arc::downgrade(&store), Arc::clone(&seen));
    store.on_change(&["timeout"], move |_| {
        let store = of_timeout.upgrade().expect("the store outlives its hooks' runs");
        seen_by_hook.lock().expect("no test panics here").push(store.live.timeout_s.get());
        Ok(())
    });
    store.on_change(&["maxmemory"], |_| Err("too much".to_string()));
    let expected = "ERR CONFIG SET failed (possibly related to argument 'maxmemory') - too much";
    assert_eq!(set(&store, &[("timeout", "5"), ("maxmemory", "1gb")]), Err(expected.to_string()));
    check(&store, "timeout", "0");
    check(&store, "maxmemory", "0");
    assert_eq!(*seen.lock().expect("no test panics here"), [5, 0]);
}

fn check_rewrite(store: &Store<Lives>, before: &str, after: &str) {
    let text = store.rewritten(before.as_bytes(), &[], false);
    assert_eq!(String::from_utf8_lossy(&text), after);
}

#[test]
fn a_rewrite_keeps_comments_order_and_unknown_lines_and_adds_what_is_new() {
    let before = "# mine\ntimeout   5 \n\n\n# more\nslave-priority 1\nsave 9 9\nsave 8 8\nnonsense x\ninclude a\n";
    let store = loaded("timeout 5\nslave-priority 1\nsave 900 1");
    set(&store, &[("maxmemory", "2097152"), ("timeout", "6")]).expect("the values are valid");
    let after = "# mine\ntimeout 6\n\n# more\nreplica-priority 1\nsave 900 1\n\n# ??? nonsense x\ninclude a\n\n\
                 # Generated by CONFIG REWRITE\nmaxmemory 2mb\n";
    check_rewrite(&store, before, after);
    check_rewrite(&store, after, after);
}

#[test]
fn a_rewrite_leaves_defaults_out_unless_they_were_there_and_unset_texts_go() {
    let store = store();
    check_rewrite(
        &store,
        "timeout 5\nrequirepass x\nloglevel debug\n",
        "timeout 0\n\nloglevel notice\n\n# Generated by CONFIG REWRITE\nsave 3600 1 300 100\n",
    );
    let everything = String::from_utf8(store.rewritten(b"", &[], true)).expect("the values are text");
    assert!(everything.contains("\ndbfilename \"dump.rdb\"\n"), "{everything}");
    assert!(everything.contains("\nclient-output-buffer-limit replica 256mb 64mb 60\n"), "{everything}");
}

#[test]
fn a_rewrite_puts_the_programs_own_lines_in_place_of_the_old_ones() {
    let users = |lines: &[&str]| ExtraLines {
        directive: "user".to_string(),
        lines: lines.iter().map(|line| line.as_bytes().to_vec()).collect(),
    };
    let rewritten = |before: &str, extra: &[ExtraLines]| {
        let store = loaded("save \"\"");
        String::from_utf8(store.rewritten(before.as_bytes(), extra, false)).expect("the lines are text")
    };
    let before = "save \"\"\nuser a on\nuser b on\n";
    assert_eq!(rewritten(before, &[]), before);
    assert_eq!(rewritten(before, &[users(&["user c off"])]), "save \"\"\nuser c off\n\n");
    let monitor =
        ExtraLines { directive: "sentinel monitor".to_string(), lines: vec![b"sentinel monitor m h 1 2".to_vec()] };
    let before = "save \"\"\nsentinel myid x\nsentinel monitor m h 1 1\n";
    assert_eq!(rewritten(before, &[monitor]), "save \"\"\nsentinel myid x\nsentinel monitor m h 1 2\n");
}

/// A part of a file: something that means something somewhere, or any bytes.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let words =
        ROWS.iter().map(|row| row.name).chain(["slave-priority", "user", "sentinel", "include", "rename-command"]);
    let known =
        words.chain([" ", "\n", "\"", "'", "\\x4", "#", "yes", "1", "-1", "9kb", "normal 0 0 0", "KEA", "no one"]);
    let known = proptest::sample::select(known.collect::<Vec<_>>()).prop_map(|piece| piece.as_bytes().to_vec());
    prop_oneof![4 => known, 1 => proptest::collection::vec(any::<u8>(), 0..4)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_file_is_read_and_rewritten_without_panic(pieces in proptest::collection::vec(piece(), 0..30)) {
        let store = store();
        let text = pieces.concat();
        let _ = load(&store, &text);
        let once = store.rewritten(&text, &[], false);
        prop_assert_eq!(store.rewritten(&once, &[], false), once);
    }

    #[test]
    fn a_rewritten_file_reads_back_the_same(
        before in "(timeout [0-9]{1,3}\n|# [a-z]{0,5}\n|\n|save 9 9\n|bind a\n|requirepass x\n){0,8}",
        password in proptest::collection::vec(any::<u8>(), 0..20),
        timeout_s in 0..=1000_i64,
        memory in any::<u64>(),
        points in proptest::collection::vec((1..1_000_u32, 0..1_000_u32), 0..4),
        addresses in proptest::collection::vec("[a-z*:.-]{1,8}", 0..4),
        events in "[g$lshzxeKEtmdnA]{0,5}",
        hard in any::<u32>(),
    ) {
        let store = store();
        let save: Vec<String> = points.iter().map(|(seconds, changes)| format!("{seconds} {changes}")).collect();
        let values = [
            ("timeout", timeout_s.to_string().into_bytes()),
            ("requirepass", password),
            ("maxmemory", memory.to_string().into_bytes()),
            ("save", save.join(" ").into_bytes()),
            ("bind", addresses.join(" ").into_bytes()),
            ("notify-keyspace-events", events.into_bytes()),
            ("client-output-buffer-limit", format!("replica {hard} 1 2").into_bytes()),
        ];
        let pairs: Vec<_> = values.iter().map(|(name, value)| (name.as_bytes(), value.as_slice())).collect();
        store.set_many(&pairs, Caller::default()).expect("the values are valid");
        let again = Store::new(&[ROWS], Lives::default());
        load(&again, &store.rewritten(before.as_bytes(), &[], false)).expect("a rewritten file is valid");
        for row in ROWS {
            prop_assert_eq!(again.value(row.name), store.value(row.name), "{}", row.name);
        }
    }
}
