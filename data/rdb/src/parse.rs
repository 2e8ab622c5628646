//! One item of a file: its parts, as places in the bytes.

use crate::build::{self, Built};
use crate::error::Fault;
use crate::format::{Version, opcode};
use crate::input::{Encoded, Input};
use crate::skip::{module_name, skip_module_data, skip_value};
use ochre_values::Limits;
use std::borrow::Cow;
use std::ops::Range;

/// A key with its value, as it is written.
#[derive(Clone, Copy, Debug)]
pub struct RawEntry<'a> {
    /// When the key expires, Unix time in ms.
    pub expiry_ms: Option<u64>,
    /// How long nobody had used the key, seconds.
    pub idle_s: Option<u64>,
    /// How often it was used, as a logarithm.
    pub frequency: Option<u8>,
    pub(crate) key: &'a [u8],
    pub value: RawValue<'a>,
}

impl<'a> RawEntry<'a> {
    /// The key.
    pub fn key(&self) -> Result<Cow<'a, [u8]>, Fault> {
        Input::new(self.key).text()?.to_bytes()
    }
}

/// A value as it is written.
#[derive(Clone, Copy, Debug)]
pub struct RawValue<'a> {
    /// The number of its type.
    pub kind: u8,
    pub(crate) version: Version,
    pub(crate) bytes: &'a [u8],
}

impl<'a> RawValue<'a> {
    /// Builds the value after a check of every part, packed as the limits say. Needs nothing else, so that any thread can do it.
    pub fn build(&self, limits: &Limits) -> Result<Built<'a>, Fault> {
        build::build(self.kind, self.version, self.bytes, limits)
    }

    /// The size of what is written.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }
}

/// The parts of an item, as places in the bytes that it was found in.
pub(crate) enum Parsed {
    Aux { name: Range<usize>, value: Range<usize> },
    SelectDb(u64),
    ResizeDb { keys: u64, deadlines: u64 },
    SlotInfo { slot: u64 },
    Function(Range<usize>),
    ModuleAux(String),
    Entry(Places),
    End,
}

/// Where the parts of an entry are.
pub(crate) struct Places {
    expiry_ms: Option<u64>,
    idle_s: Option<u64>,
    frequency: Option<u8>,
    kind: u8,
    key: Range<usize>,
    value: Range<usize>,
}

impl Places {
    pub(crate) fn entry<'a>(&self, bytes: &'a [u8], version: Version) -> RawEntry<'a> {
        let value = RawValue { kind: self.kind, version, bytes: &bytes[self.value.clone()] };
        RawEntry {
            expiry_ms: self.expiry_ms,
            idle_s: self.idle_s,
            frequency: self.frequency,
            key: &bytes[self.key.clone()],
            value,
        }
    }
}

/// The next item. The places are counted as `input` counts; `Truncated` may also mean that more bytes are still to come.
pub(crate) fn parse(version: Version, input: &mut Input<'_>) -> Result<Parsed, Fault> {
    let (mut expiry_ms, mut idle_s, mut frequency) = (None, None, None);
    loop {
        let kind = input.byte()?;
        match kind {
            opcode::EXPIRY_MS => expiry_ms = deadline(input.time_ms()?)?,
            opcode::EXPIRY_S => expiry_ms = deadline(i64::from(i32::from_le_bytes(input.array()?)) * 1000)?,
            opcode::IDLE => idle_s = Some(input.length()?),
            opcode::FREQUENCY => frequency = Some(input.byte()?),
            opcode::AUX => return Ok(Parsed::Aux { name: text(input)?, value: text(input)? }),
            opcode::SELECT_DB => return Ok(Parsed::SelectDb(input.length()?)),
            opcode::RESIZE_DB => return Ok(Parsed::ResizeDb { keys: input.length()?, deadlines: input.length()? }),
            opcode::SLOT_INFO => {
                let slot = input.length()?;
                input.length()?;
                input.length()?;
                return Ok(Parsed::SlotInfo { slot });
            }
            opcode::SLOT_IMPORT if version.is_valkey() => {
                // The job's name, and ranges of slots.
                input.skip_text()?;
                for _ in 0..input.length()? {
                    input.length()?;
                    input.length()?;
                }
                return Ok(Parsed::SlotInfo { slot: 0 });
            }
            opcode::KEY_META if !version.is_valkey() => {
                for _ in 0..input.length()? {
                    input.skip(4)?;
                    skip_module_data(input)?;
                }
            }
            opcode::FUNCTION => return Ok(Parsed::Function(text(input)?)),
            opcode::EARLY_FUNCTION => return Err(Fault::EarlyFunctions),
            opcode::MODULE_AUX => {
                let name = module_name(input.length()?);
                skip_module_data(input)?;
                return Ok(Parsed::ModuleAux(name));
            }
            opcode::END => return Ok(Parsed::End),
            kind => {
                let key = text(input)?;
                let start = input.position();
                skip_value(kind, version, input)?;
                let value = start..input.position();
                return Ok(Parsed::Entry(Places { expiry_ms, idle_s, frequency, kind, key, value }));
            }
        }
    }
}

/// A deadline before 1970 is one that has passed.
fn deadline(time_ms: i64) -> Result<Option<u64>, Fault> {
    Ok(match time_ms {
        -1 => None,
        time_ms => Some(u64::try_from(time_ms).unwrap_or(0)),
    })
}

#[inline]
fn text(input: &mut Input<'_>) -> Result<Range<usize>, Fault> {
    let start = input.position();
    input.skip_text()?;
    Ok(start..input.position())
}

/// The text at a place that [`parse`] gave.
pub(crate) fn text_at<'a>(bytes: &'a [u8], place: &Range<usize>) -> Result<Cow<'a, [u8]>, Fault> {
    let encoded: Encoded<'a> = Input::new(&bytes[place.clone()]).text()?;
    encoded.to_bytes()
}
