//! The forms of a line of the log.

use super::Level;
use crate::calendar;
use crate::settings::logging::{LogFormat, LogTimestamps};
use std::fmt::Write;

/// `log-format` and `log-timestamp-format`.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    pub format: LogFormat,
    pub timestamps: LogTimestamps,
}

impl Form {
    pub const LEGACY: Form = Form { format: LogFormat::Legacy, timestamps: LogTimestamps::Legacy };

    /// The whole line with its end.
    pub fn line(self, level: Level, now_ms: u64, message: &str) -> String {
        let time = match self.timestamps {
            LogTimestamps::Legacy => calendar::local_text(now_ms),
            LogTimestamps::Iso8601 => calendar::iso_text(now_ms),
            LogTimestamps::Milliseconds => now_ms.to_string(),
        };
        let pid = std::process::id();
        match self.format {
            LogFormat::Legacy => format!("{pid}:M {time} {} {message}\n", mark(level)),
            LogFormat::Logfmt => format!(
                "pid={pid} role=primary timestamp=\"{time}\" level={} message=\"{}\"\n",
                name(level),
                escaped(message)
            ),
            LogFormat::Json => format!(
                "{{\"pid\":{pid},\"role\":\"primary\",\"timestamp\":\"{time}\",\"level\":\"{}\",\"message\":\"{}\"}}\n",
                name(level),
                escaped(message)
            ),
        }
    }
}

fn mark(level: Level) -> char {
    match level {
        Level::Debug => '.',
        Level::Verbose => '-',
        Level::Notice => '*',
        Level::Warning | Level::Nothing => '#',
    }
}

fn name(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Verbose => "info",
        Level::Notice => "notice",
        Level::Warning | Level::Nothing => "warning",
    }
}

/// The inside of a JSON string, which readers of logfmt understand, too.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        match letter {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            letter if u32::from(letter) < 0x20 => {
                // Writing to a string does not fail.
                let _ = write!(escaped, "\\u{:04x}", u32::from(letter));
            }
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(format: LogFormat, timestamps: LogTimestamps) -> String {
        let line = Form { format, timestamps }.line(Level::Verbose, 1_795_200_125_123, "a \"b\"\n\u{1}");
        line.replace(&std::process::id().to_string(), "7")
    }

    #[test]
    fn each_form_is_one_line_that_its_readers_understand() {
        assert_eq!(line(LogFormat::Legacy, LogTimestamps::Legacy), "7:M 20 Nov 2026 18:42:05.123 - a \"b\"\n\u{1}\n");
        assert_eq!(
            line(LogFormat::Logfmt, LogTimestamps::Iso8601),
            "pid=7 role=primary timestamp=\"2026-11-20T18:42:05.123+00:00\" level=info message=\"a \\\"b\\\"\\n\\u0001\"\n"
        );
        let json = Form { format: LogFormat::Json, timestamps: LogTimestamps::Milliseconds };
        assert_eq!(
            json.line(Level::Warning, 5, "x\\y").replace(&std::process::id().to_string(), "7"),
            "{\"pid\":7,\"role\":\"primary\",\"timestamp\":\"5\",\"level\":\"warning\",\"message\":\"x\\\\y\"}\n"
        );
    }
}
