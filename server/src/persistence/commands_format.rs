//! A snapshot as commands (`aof-use-rdb-preamble no`): strings as SET, everything else as RESTORE.

use super::snapshot::{Encoder, Format};
use crate::shared::Shared;
use ochre_collections::{EntryRef, View};
use ochre_digest::Crc64;
use ochre_keyspace::{Cut, write_command, write_select};
use ochre_persistence::frame::timestamp_line;
use ochre_rdb::{Dialect, dump};
use ochre_values::Object;

/// Commands, as the settings of this moment want them.
pub struct CommandsFormat {
    shared: &'static Shared,
    dialect: Dialect,
}

impl CommandsFormat {
    pub fn new(shared: &'static Shared) -> CommandsFormat {
        CommandsFormat { shared, dialect: crate::settings_view::dialect(&shared.settings) }
    }
}

impl Format for CommandsFormat {
    fn begin(&self, _: &Cut, out: &mut Vec<u8>) {
        if self.shared.settings.persistence.aof_timestamp_enabled.get() {
            out.extend_from_slice(timestamp_line(ochre_clock::now_ms() / 1000).as_bytes());
        }
        for source in self.shared.saves.function_sources() {
            write_command(out, [&b"FUNCTION"[..], b"LOAD", &source].into_iter());
        }
    }

    fn encoder(&self) -> Box<dyn Encoder> {
        Box::new(CommandsEncoder { bytes: Vec::new(), dialect: self.dialect })
    }

    fn end(&self, _: Crc64, _: &mut Vec<u8>) {}

    fn has_checksum(&self) -> bool {
        false
    }
}

struct CommandsEncoder {
    bytes: Vec<u8>,
    dialect: Dialect,
}

impl Encoder for CommandsEncoder {
    fn select(&mut self, db: usize) {
        write_select(&mut self.bytes, db);
    }

    fn entry(&mut self, entry: EntryRef<'_, Object>) {
        let (key, out) = (entry.key(), &mut self.bytes);
        let deadline = entry.expiry_ms().map(|deadline_ms| deadline_ms.to_string());
        let mut number = Vec::new();
        let text = match entry.view() {
            View::Int(value) => {
                ochre_text::number::write_i64(&mut number, value);
                Some(&number[..])
            }
            View::Str { bytes, .. } => Some(bytes),
            _ => None,
        };
        match (text, deadline) {
            (Some(text), None) => write_command(out, [&b"SET"[..], key, text].into_iter()),
            (Some(text), Some(deadline)) => {
                write_command(out, [&b"SET"[..], key, text, b"PXAT", deadline.as_bytes()].into_iter());
            }
            (None, deadline) => {
                let payload = dump(entry.view(), self.dialect);
                let deadline = deadline.unwrap_or_else(|| "0".into());
                let words: [&[u8]; 5] = [b"RESTORE", key, deadline.as_bytes(), &payload, b"ABSTTL"];
                write_command(out, words.into_iter());
            }
        }
    }

    fn len(&self) -> usize {
        self.bytes.len()
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}
