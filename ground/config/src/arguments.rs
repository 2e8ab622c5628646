//! The command line: `[file] [-] [--directive value …] [-]`, which becomes lines behind those of the file.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use ochre_text::quote::{split_args, write_quoted};

/// What a command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invocation {
    /// `-v` or `--version`.
    Version,
    /// `-h` or `--help`.
    Help,
    /// `--test-memory` and its number, if there is just that.
    TestMemory(Option<OsString>),
    /// `--check-system`.
    CheckSystem,
    /// Run the server.
    Run(Arguments),
}

/// Where the settings of a server come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arguments {
    /// The config file, as it was given.
    pub file: Option<PathBuf>,
    /// Whether standard input is read behind the file.
    pub reads_stdin: bool,
    /// Lines behind both, made from the options.
    pub options: Vec<u8>,
    /// Whether `--sentinel` is among the options.
    pub is_sentinel: bool,
}

impl Invocation {
    /// Understands the arguments behind the program's name.
    pub fn parse(arguments: &[OsString]) -> Self {
        let first = arguments.first().map(|first| first.as_bytes());
        match first {
            Some(b"-v" | b"--version") => Invocation::Version,
            Some(b"-h" | b"--help") => Invocation::Help,
            Some(b"--test-memory") => {
                Invocation::TestMemory(arguments.get(1).filter(|_| arguments.len() == 2).cloned())
            }
            Some(b"--check-system") => Invocation::CheckSystem,
            _ => Invocation::Run(Arguments::parse(arguments)),
        }
    }
}

impl Arguments {
    fn parse(arguments: &[OsString]) -> Self {
        let mut parsed = Arguments::default();
        let mut rest = arguments;
        if let Some((file, others)) = arguments.split_first().filter(|(file, _)| !file.as_bytes().starts_with(b"-")) {
            parsed.file = Some(file.into());
            rest = others;
        }
        parsed.is_sentinel = arguments.iter().any(|argument| argument == "--sentinel");
        // An option's first word is its value even where it looks like an option; only then may the next one begin.
        let mut has_value = true;
        for (place, argument) in rest.iter().enumerate() {
            let (argument, next) = (argument.as_bytes(), rest.get(place + 1));
            let is_first = place == 0 && parsed.file.is_none();
            if argument == b"-" && (is_first || next.is_none()) {
                parsed.reads_stdin = true;
            } else if has_value && argument.starts_with(b"--") {
                let before_option = next.is_some_and(|next| next.as_bytes().starts_with(b"--"));
                has_value = parsed.begin_option(&argument[2..], next.is_none(), before_option);
            } else {
                write_quoted(&mut parsed.options, argument);
                parsed.options.push(b' ');
                has_value = true;
            }
        }
        parsed
    }

    /// Begins a line; whether it has its value already. `option` may hold both, as in `"--port 7000"`. `--save` without a
    /// value means no save points, and `--sentinel` needs none.
    fn begin_option(&mut self, option: &[u8], is_last: bool, before_option: bool) -> bool {
        if !self.options.is_empty() {
            self.options.push(b'\n');
        }
        self.options.extend(option);
        self.options.push(b' ');
        if split_args(option).is_ok_and(|words| words.len() > 1) {
            return true;
        }
        let needs_no_value = is_last || before_option;
        if needs_no_value && option.eq_ignore_ascii_case(b"save") {
            self.options.extend(b"\"\"");
            return true;
        }
        needs_no_value && option.eq_ignore_ascii_case(b"sentinel")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(command_line: &[&str], expected: &str) {
        let arguments: Vec<OsString> = command_line.iter().map(OsString::from).collect();
        let Invocation::Run(run) = Invocation::parse(&arguments) else { panic!("{command_line:?} does not run") };
        let file = run.file.map(|file| format!("{}|", file.display())).unwrap_or_default();
        let stdin = if run.reads_stdin { "stdin|" } else { "" };
        let options = String::from_utf8(run.options).expect("the test gives text");
        assert_eq!(format!("{file}{stdin}{options}"), expected, "{command_line:?}");
    }

    #[test]
    fn options_become_lines_with_quoted_values() {
        check(&[], "");
        check(&["a.conf"], "a.conf|");
        check(&["--port", "7000", "--loglevel", "debug"], "port \"7000\" \nloglevel \"debug\" ");
        check(&["a.conf", "--save", "900", "1"], "a.conf|save \"900\" \"1\" ");
        check(&["--port 7000", "--bind", "a", "b"], "port 7000 \nbind \"a\" \"b\" ");
    }

    #[test]
    fn the_first_word_of_a_value_may_look_like_an_option() {
        check(&["--requirepass", "--x", "--port", "1"], "requirepass \"--x\" \nport \"1\" ");
        check(&["--port", "--loglevel", "x"], "port \"--loglevel\" \"x\" ");
        check(&["--", "port", "1"], " \"port\" \"1\" ");
    }

    #[test]
    fn save_and_sentinel_may_stand_without_a_value() {
        check(&["--save", "--port", "1"], "save \"\"\nport \"1\" ");
        check(&["--port", "1", "--save"], "port \"1\" \nsave \"\"");
        check(&["--save", "", "--port", "1"], "save \"\" \nport \"1\" ");
        check(&["--sentinel", "--port", "1"], "sentinel \nport \"1\" ");
        check(&["s.conf", "--sentinel"], "s.conf|sentinel ");
    }

    #[test]
    fn a_lone_minus_first_or_last_reads_standard_input() {
        check(&["-"], "stdin|");
        check(&["-", "--port", "1"], "stdin|port \"1\" ");
        check(&["a.conf", "--port", "1", "-"], "a.conf|stdin|port \"1\" ");
        check(&["--port", "-", "x"], "port \"-\" \"x\" ");
        check(&["-x"], "\"-x\" ");
    }

    #[test]
    fn questions_about_the_program_are_seen_in_first_place_only() {
        let parse = |words: &[&str]| Invocation::parse(&words.iter().map(OsString::from).collect::<Vec<_>>());
        assert_eq!(parse(&["-v"]), Invocation::Version);
        assert_eq!(parse(&["--help"]), Invocation::Help);
        assert_eq!(parse(&["--test-memory"]), Invocation::TestMemory(None));
        assert_eq!(parse(&["--test-memory", "100"]), Invocation::TestMemory(Some("100".into())));
        assert_eq!(parse(&["--check-system"]), Invocation::CheckSystem);
        assert!(matches!(parse(&["a.conf", "-v"]), Invocation::Run(_)));
    }
}
