//! A real client, the crate `redis`, with replies shown on one line.

use crate::wait::PATIENCE;
use redis::{Connection, ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisError, ServerErrorKind, Value};

/// A connection of the crate `redis`.
pub struct Client {
    pub connection: Connection,
}

impl Client {
    /// Connects to a `redis://` or `unix://` address.
    pub fn connect(url: &str) -> Result<Client, RedisError> {
        Client::with(url.into_connection_info()?)
    }

    /// Connects as `info` says.
    pub fn with(info: ConnectionInfo) -> Result<Client, RedisError> {
        let client = redis::Client::open(info)?;
        let connection = loop {
            match client.get_connection_with_timeout(PATIENCE) {
                // A signal (of a child that ended, say) came while it waited.
                Err(error) if error.is_io_error() && error.to_string().contains("Interrupted") => {}
                result => break result?,
            }
        };
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.set_write_timeout(Some(PATIENCE))?;
        Ok(Client { connection })
    }

    /// Sends the words of `line`, split at spaces, and shows the reply on one line: integers and doubles as they are, strings
    /// as their text, null as `nil`, arrays in brackets, maps and sets in braces, errors behind a `-`.
    pub fn run(&mut self, line: &str) -> String {
        self.run_words(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// As [`Client::run`], for words of any bytes.
    pub fn run_words<W: AsRef<[u8]>>(&mut self, words: &[W]) -> String {
        let mut command = redis::Cmd::new();
        for word in words {
            command.arg(word.as_ref());
        }
        match command.query(&mut self.connection) {
            Ok(value) => show(&value),
            Err(error) => show_error(&error),
        }
    }

    /// Runs a line and compares the reply.
    #[track_caller]
    pub fn check(&mut self, line: &str, expected: &str) {
        assert_eq!(self.run(line), expected, "{line}");
    }

    /// Runs a line whose reply is an integer.
    #[track_caller]
    pub fn integer(&mut self, line: &str) -> i64 {
        let shown = self.run(line);
        shown.parse().unwrap_or_else(|_| panic!("{line} replied {shown}"))
    }
}

/// A reply on one line.
pub fn show(value: &Value) -> String {
    let list = |items: &[Value]| items.iter().map(show).collect::<Vec<_>>().join(" ");
    match value {
        Value::Nil => "nil".into(),
        Value::Int(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::Boolean(yes) => yes.to_string(),
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::SimpleString(text) => text.clone(),
        Value::Okay => "OK".into(),
        Value::Array(items) => format!("[{}]", list(items)),
        Value::Set(items) => format!("{{{}}}", list(items)),
        Value::Map(pairs) => {
            let pairs: Vec<_> = pairs.iter().map(|(key, value)| format!("{}: {}", show(key), show(value))).collect();
            format!("{{{}}}", pairs.join(", "))
        }
        Value::Push { kind, data } => format!("push {kind} [{}]", list(data)),
        Value::VerbatimString { text, .. } => text.clone(),
        Value::Attribute { data, .. } => show(data),
        Value::ServerError(error) => format!("-{} {}", error.code(), error.details().unwrap_or_default()),
        other => format!("{other:?}"),
    }
}

fn show_error(error: &RedisError) -> String {
    let code = match error.kind() {
        ErrorKind::Server(ServerErrorKind::ResponseError) => "ERR",
        _ => error.code().unwrap_or("(connection)"),
    };
    format!("-{code} {}", error.detail().map_or_else(|| error.to_string(), str::to_owned))
}
