//! A snapshot as commands (`aof-use-rdb-preamble no`): strings as SET, everything else as RESTORE.

use super::rdb_format::write_element;
use super::snapshot::{Encoder, Format};
use crate::shared::Shared;
use ochre_collections::chunked::NodeRef;
use ochre_collections::listpack::{INTEGER_TEXT_MAX, Item};
use ochre_collections::{EntryRef, View};
use ochre_digest::Crc64;
use ochre_keyspace::{Cut, LargeHead, write_command, write_select};
use ochre_persistence::frame::timestamp_line;
use ochre_rdb::{Dialect, Shape, Writer, dump, finish_payload};
use ochre_values::{Element, Object, WalkShape};

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
        Box::new(CommandsEncoder {
            bytes: Vec::new(),
            dialect: self.dialect,
            large: None,
            words: Vec::new(),
            payload: None,
        })
    }

    fn end(&self, _: Crc64, _: &mut Vec<u8>) {}

    fn has_checksum(&self) -> bool {
        false
    }
}

struct CommandsEncoder {
    bytes: Vec<u8>,
    dialect: Dialect,
    /// The large collection whose elements come now.
    large: Option<LargeHead>,
    /// The words of the command that adds its next elements.
    words: Vec<Vec<u8>>,
    /// A stream, which is restored as a whole.
    payload: Option<Box<Writer>>,
}

/// So many words a command that adds elements has, about.
const WORDS_MAX: usize = 64;

impl CommandsEncoder {
    fn add_elements(&mut self) {
        let Some(head) = &self.large else { return };
        if !self.words.is_empty() {
            let name: &[u8] = match head.shape {
                WalkShape::Set { .. } => b"SADD",
                WalkShape::SortedSet { .. } => b"ZADD",
                WalkShape::Hash { .. } => b"HSET",
                WalkShape::List { .. } => b"RPUSH",
                WalkShape::Text { .. } | WalkShape::Stream { .. } => unreachable!("these have no elements"),
            };
            let words: Vec<&[u8]> = [name, &head.key].into_iter().chain(self.words.iter().map(Vec::as_slice)).collect();
            write_command(&mut self.bytes, words.into_iter());
            self.words.clear();
        }
    }
}

impl CommandsEncoder {
    /// A part of a string, or of an element of a list.
    fn add_part(&mut self, bytes: &[u8], at: usize, total: usize) {
        let Some(head) = &self.large else { return };
        match head.shape {
            WalkShape::List { .. } if at == 0 => self.words.push(bytes.to_vec()),
            WalkShape::List { .. } => self.words.last_mut().expect("its first part came").extend_from_slice(bytes),
            _ => {
                if at == 0 {
                    let begin = format!("*3\r\n$3\r\nSET\r\n${}\r\n", head.key.len());
                    self.bytes.extend_from_slice(begin.as_bytes());
                    self.bytes.extend_from_slice(&head.key);
                    self.bytes.extend_from_slice(format!("\r\n${total}\r\n").as_bytes());
                }
                self.bytes.extend_from_slice(bytes);
                if at + bytes.len() == total {
                    self.bytes.extend_from_slice(b"\r\n");
                }
            }
        }
    }
}

fn text(item: Item<'_>) -> Vec<u8> {
    item.as_bytes(&mut [0; INTEGER_TEXT_MAX]).to_vec()
}

impl Encoder for CommandsEncoder {
    fn large(&mut self, head: &LargeHead) {
        if let WalkShape::Stream { nodes } = head.shape {
            let mut writer = Writer::new(self.dialect);
            writer.begin_payload(Shape::Stream { nodes });
            self.payload = Some(Box::new(writer));
        }
        self.large = Some(head.clone());
    }

    fn element(&mut self, element: Element<'_>) {
        if let Some(writer) = &mut self.payload {
            return write_element(writer, false, element);
        }
        match element {
            Element::Node(NodeRef::Packed(pack)) => {
                for item in pack.iter() {
                    self.words.push(text(item));
                    if self.words.len() >= WORDS_MAX {
                        self.add_elements();
                    }
                }
            }
            Element::Node(NodeRef::Plain(text)) => self.words.push(text.to_vec()),
            Element::Part { bytes, at, total } => self.add_part(bytes, at, total),
            Element::Member(member) => self.words.push(text(member)),
            Element::Scored(member, score) => {
                let mut number = Vec::new();
                ochre_text::number::write_f64(&mut number, score);
                self.words.extend([number, text(member)]);
            }
            Element::Field(pair) => {
                self.words.extend([text(pair.name), text(pair.value)]);
                if let (Some(deadline_ms), Some(head)) = (pair.deadline_ms, self.large.clone()) {
                    self.add_elements();
                    let (deadline, name) = (deadline_ms.to_string(), text(pair.name));
                    let words: [&[u8]; 6] = [b"HPEXPIREAT", &head.key, deadline.as_bytes(), b"FIELDS", b"1", &name];
                    write_command(&mut self.bytes, words.into_iter());
                }
            }
            _ => unreachable!("parts of streams go into a payload"),
        }
        let is_whole = !matches!(element, Element::Part { bytes, at, total } if at + bytes.len() < total);
        if is_whole && self.words.len() >= WORDS_MAX {
            self.add_elements();
        }
    }

    fn large_end(&mut self) {
        self.add_elements();
        let Some(head) = self.large.take() else { return };
        if let Some(mut writer) = self.payload.take() {
            let payload = finish_payload(&mut writer);
            write_command(&mut self.bytes, [&b"RESTORE"[..], &head.key, b"0", &payload].into_iter());
        }
        if let Some(expiry_ms) = head.expiry_ms {
            let deadline = expiry_ms.to_string();
            write_command(&mut self.bytes, [&b"PEXPIREAT"[..], &head.key, deadline.as_bytes()].into_iter());
        }
    }

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
        // Words that wait count about as much as they will take.
        self.bytes.len() + self.words.len() * 16
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }
}
