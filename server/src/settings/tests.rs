//! What this file's neighbours share in their tests, and the start as a whole.
#![cfg(test)]

use std::ffi::OsString;

use super::Settings;
use super::start::Exit;

/// Settings that were read from lines of a file.
pub(crate) fn settings(lines: &str) -> Settings {
    let store = Settings::new(None, false);
    let source = ochre_config::Source { origin: Default::default(), text: lines.as_bytes().to_vec() };
    let rules = ochre_config::FileOnly {
        ignored: super::IGNORED,
        of_modules: &[],
        is_sentinel: false,
        on_line: &|_, _| Ok(()),
    };
    store.store().load(&[source], &rules).expect("the test gives valid lines");
    store
}

fn start(words: &[&str]) -> Result<Settings, Exit> {
    let arguments: Vec<OsString> = std::iter::once(&"/usr/bin/ochre-server").chain(words).map(OsString::from).collect();
    Settings::from_args(&arguments)
}

/// Settings of a command line that is valid.
fn started(words: &[&str]) -> Settings {
    start(words).unwrap_or_else(|exit| panic!("{}", exit.text))
}

fn check(settings: &Settings, name: &str, expected: &str) {
    let value = settings.get(name).expect("the test asks for a directive");
    assert_eq!(String::from_utf8_lossy(&value), expected, "{name}");
}

fn check_refused(words: &[&str], expected: &str) {
    let exit = start(words).err().expect("the server does not start");
    let expected = format!("\n*** FATAL CONFIG FILE ERROR (Ochre {}) ***\n{expected}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(exit, Exit { text: expected, is_failure: true });
}

#[test]
fn a_command_line_makes_settings_and_its_last_word_wins() {
    let settings = started(&["--port", "7000", "--save", "", "--slave-priority", "5", "--port 7001"]);
    check(&settings, "port", "7001");
    assert_eq!(settings.network.port.get(), 7001);
    check(&settings, "save", "");
    check(&settings, "replica-priority", "5");
    check(&settings, "dir", &std::env::current_dir().expect("the test runs somewhere").to_string_lossy());
}

#[test]
fn a_wrong_option_is_reported_as_the_line_it_becomes() {
    let line = "Reading the options of the command line\n>>>";
    check_refused(&["--port", "x"], &format!("{line} 'port \"x\"'\nargument couldn't be parsed into an integer"));
    check_refused(&["--nosuch", "1"], &format!("{line} 'nosuch \"1\"'\nBad directive or wrong number of arguments"));
    check_refused(&["--dir", "/nosuch/folder"], &format!("{line} 'dir \"/nosuch/folder\"'\nNo such file or directory"));
    check_refused(&["--logfile", "/nosuch/log"], "Can't open the log file: No such file or directory");
    let both = ["--cluster-enabled", "yes", "--replicaof", "127.0.0.1", "1"];
    check_refused(&both, "replicaof directive not allowed in cluster mode");
    let missing = start(&["/nosuch.conf"]).err().expect("there is no such file");
    assert_eq!(missing.text, "Fatal error, can't open config file '/nosuch.conf': No such file or directory\n");
}

#[test]
fn questions_about_the_program_are_answered_without_starting() {
    for (word, answer) in [("-v", "Ochre server v="), ("--help", "Usage: "), ("--print-directives", "# Configuration")]
    {
        let exit = start(&[word]).err().expect("nothing starts");
        assert!(!exit.is_failure && exit.text.starts_with(answer), "{}", exit.text);
    }
    assert!(start(&["--test-memory", "100"]).err().expect("nothing starts").is_failure);
}

#[test]
fn lines_for_others_are_handed_over() {
    let settings = started(&["--user", "a on", "--rename-command", "KEYS", "", "--loadmodule", "/m/rejson.so"]);
    let found = settings.lines();
    assert_eq!((found.users.len(), found.renamed.len(), found.modules.len()), (1, 1, 1));
    assert_eq!(found.users[0].words[1], b"a on");
}

#[test]
fn what_is_not_there_is_refused_rather_than_left_out() {
    let line = "Reading the options of the command line\n>>>";
    let reason = "This server cannot load modules";
    check_refused(&["--loadmodule", "/m.so"], &format!("{line} 'loadmodule \"/m.so\"'\n{reason}"));
    check_refused(&["--m.a", "1"], &format!("{line} 'm.a \"1\"'\n{reason}, so their settings are unknown"));
    let sentinel = start(&["--sentinel"]).err().expect("nothing starts");
    assert!(sentinel.is_failure && sentinel.text.starts_with("This version cannot run as a Sentinel"));
    // What comes with Redis 8 is said in the log only, so that its files work.
    assert_eq!(started(&["--search-timeout", "1", "--ts-num-threads", "3"]).lines().module_settings.len(), 2);
}

#[test]
fn protected_settings_obey_the_setting_that_protects_them() {
    let pair: &[(&[u8], &[u8])] = &[(b"dbfilename", b"x.rdb")];
    let check = |line: &str, client_is_local, expected| {
        let set = settings(line).set_many(pair, client_is_local, false);
        assert_eq!(set.is_ok(), expected, "{line}, local: {client_is_local}");
    };
    check("", true, false);
    check("enable-protected-configs local", false, false);
    check("enable-protected-configs local", true, true);
    check("enable-protected-configs yes", false, true);
}

#[test]
fn a_rewrite_needs_a_file_and_reads_back() {
    assert_eq!(
        settings("").rewrite(&[], false).expect_err("there is no file").to_string(),
        "ERR The server is running without a config file"
    );
    let path = std::env::temp_dir().join(format!("ochre-settings-rewrite-{}.conf", std::process::id()));
    std::fs::write(&path, "# mine\nport 7000\n").expect("the temporary folder can be written");
    let settings = started(&[path.to_str().expect("the path is text")]);
    settings.set_many(&[(b"maxmemory", b"1gb"), (b"requirepass", b"a b")], true, false).expect("the values are valid");
    settings.rewrite(&[], false).expect("the temporary folder can be written");
    let text = std::fs::read_to_string(&path).expect("the file was written");
    assert!(text.starts_with("# mine\nport 7000\n\n# Generated by CONFIG REWRITE\nmaxmemory 1gb\n"), "{text}");
    let again = started(&[path.to_str().expect("the path is text")]);
    check(&again, "requirepass", "a b");
    assert_eq!(again.get_matching(&[b"*"]), settings.get_matching(&[b"*"]));
    std::fs::remove_file(&path).expect("the file is there");
}

#[test]
fn output_limits_are_live_by_class() {
    use super::network::OutputClass;
    let settings = settings("client-output-buffer-limit replica 1mb 2kb 3");
    let limit = settings.network.client_output_buffer_limit.get(OutputClass::Replica);
    assert_eq!((limit.hard_bytes, limit.soft_bytes, limit.soft_seconds), (1 << 20, 2048, 3));
    assert_eq!(settings.network.client_output_buffer_limit.get(OutputClass::Normal).hard_bytes, 0);
}
