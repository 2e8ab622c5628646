//! Settings from the environment: `OCHRE_MAXMEMORY=1gb` is the line `maxmemory 1gb`.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use ochre_config::Store;
use ochre_text::quote;

use super::Live;

const PREFIX: &[u8] = b"OCHRE_";

/// What the environment has to say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Environment {
    /// Lines as those of a config file.
    pub(super) lines: Vec<u8>,
    /// Variables that look like settings and are none.
    pub(super) ignored: Vec<String>,
}

/// Reads the variables that begin with `OCHRE_`. Others of that kind are ignored, because container systems make variables of
/// the names of services: one that is called `ochre` gives every container `OCHRE_PORT=tcp://…`.
pub(super) fn read(store: &Store<Live>, variables: impl Iterator<Item = (OsString, OsString)>) -> Environment {
    let mut environment = Environment::default();
    let mut variables: Vec<_> = variables.filter(|(name, _)| name.as_bytes().starts_with(PREFIX)).collect();
    variables.sort();
    for (variable, value) in variables {
        let name = variable.as_bytes()[PREFIX.len()..].to_ascii_lowercase();
        let dashed: Vec<u8> = name.iter().map(|&byte| if byte == b'_' { b'-' } else { byte }).collect();
        let value = value.into_vec();
        let row = store.directive(&dashed).or_else(|| store.directive(&name));
        match row {
            Some(row) if !value.starts_with(b"tcp://") => {
                let lines = &mut environment.lines;
                lines.extend_from_slice(row.name.as_bytes());
                lines.push(b' ');
                if row.kind.takes_many_words() && !value.is_empty() {
                    lines.extend(value.iter().map(|&byte| if byte == b'\n' { b' ' } else { byte }));
                } else {
                    quote::write_quoted(lines, &value);
                }
                lines.push(b'\n');
            }
            _ => environment.ignored.push(variable.to_string_lossy().into_owned()),
        }
    }
    environment
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    #[test]
    fn variables_are_lines_and_foreign_ones_are_left_alone() {
        let settings = Settings::new(None, false);
        let variables = [
            ("OCHRE_SAVE", "3600 1 300 100"),
            ("OCHRE_REQUIREPASS", "two words \"and\nmore"),
            ("OCHRE_PORT", "tcp://10.0.0.1:6379"),
            ("OCHRE_SERVER", "/bin/ochre-server"),
            ("PATH", "/bin"),
        ];
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        let environment = read(settings.store(), variables);
        let lines = "requirepass \"two words \\\"and\\nmore\"\nsave 3600 1 300 100\n";
        assert_eq!(String::from_utf8_lossy(&environment.lines), lines);
        assert_eq!(environment.ignored, ["OCHRE_PORT", "OCHRE_SERVER"]);
    }
}
