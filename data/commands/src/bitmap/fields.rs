//! Bitmaps as arrays of small integers: BITFIELD.

use super::offset::bit_offset;
use crate::keys::*;
use crate::spec::*;
use crate::{Args, Class, Command, Error, Expiry, Key, Locked, Reply};
use ochre_text::number;
use std::ops::Range;

pub(super) const BITFIELD: Command = Command::new(
    Group::Bitmap,
    "BITFIELD",
    "key [GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] <SET encoding offset value | INCRBY encoding offset \
     increment> [GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] <SET encoding offset value | INCRBY encoding \
     offset increment> ...]]",
    bitfield,
)
.summary("Reads, sets and adds to integers of any width that lie in the bits of the string at a key.")
.cost("O(1) for each operation")
.since("3.2.0")
.keys(&[KeySpec::at(1, RW | ACCESS | UPDATE | VARIABLE)])
.flags(WRITE | DENYOOM);

fn bitfield(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    Operations::read(data, args)?.run(data, &key, reply)
}

pub(super) const BITFIELD_RO: Command =
    Command::new(Group::Bitmap, "BITFIELD_RO", "key [GET encoding offset [GET encoding offset ...]]", bitfield_ro)
        .summary("Reads integers of any width that lie in the bits of the string at a key.")
        .cost("O(1) for each operation")
        .since("6.0.0")
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | FAST);

fn bitfield_ro(data: &mut Locked<'_>, args: &mut Args<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
    let key = args.key();
    let operations = Operations::read(data, args)?;
    if operations.bytes_needed > 0 {
        return Err(Error::fixed("ERR BITFIELD_RO only supports the GET subcommand"));
    }
    operations.run(data, &key, reply)
}

/// Where an integer lies and how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Field {
    signed: bool,
    /// 1 to 64 for a signed field, 1 to 63 for an unsigned one.
    bits: u32,
    /// Number of its first bit.
    offset: u64,
}

/// What happens when a number does not fit its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overflow {
    Wrap,
    Saturate,
    Fail,
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Get,
    Set(i64),
    Add(i64),
}

/// The operations of a command, all found well-formed.
struct Operations {
    list: Vec<(Operation, Field, Overflow)>,
    /// Length of the string that all writes reach; 0 when there are none.
    bytes_needed: usize,
}

impl Operations {
    fn read(data: &Locked<'_>, args: &mut Args<'_>) -> Result<Operations, Error> {
        let mut operations = Operations { list: Vec::new(), bytes_needed: 0 };
        let mut overflow = Overflow::Wrap;
        while let Some((operation, field)) = next_operation(data, args, &mut overflow)? {
            operations.list.push((operation, field, overflow));
            if !matches!(operation, Operation::Get) {
                let end = (field.offset + u64::from(field.bits)).div_ceil(8) as usize;
                operations.bytes_needed = operations.bytes_needed.max(end);
            }
        }
        Ok(operations)
    }

    /// The bytes that are written.
    fn written(&self) -> Vec<Range<usize>> {
        let writes = self.list.iter().filter(|(operation, ..)| !matches!(operation, Operation::Get));
        writes
            .map(|(_, field, _)| {
                (field.offset / 8) as usize..(field.offset + u64::from(field.bits)).div_ceil(8) as usize
            })
            .collect()
    }

    fn run(&self, data: &mut Locked<'_>, key: &Key<'_>, reply: &mut Reply<'_>) -> Result<(), Error> {
        if self.bytes_needed == 0 {
            let mut buffer = Vec::new();
            let bytes = data.text(key)?.map_or(&[][..], |text| text.bytes(&mut buffer));
            reply.array(self.list.len());
            self.list.iter().for_each(|(_, field, _)| reply.integer(field.read(bytes)));
            return Ok(());
        }
        let length = data.peek_text(key)?.map(|text| text.len());
        reply.array(self.list.len());
        let changed = match length {
            Some(length) if self.bytes_needed <= length => {
                data.change_text(key, &self.written(), |bytes| self.apply(bytes, reply))?.unwrap_or(false)
            }
            Some(_) => {
                data.edit_text(key, &self.written(), |bytes| {
                    bytes.resize(self.bytes_needed, 0);
                    self.apply(bytes, reply)
                })?;
                true
            }
            None => {
                let mut bytes = vec![0; self.bytes_needed];
                self.apply(&mut bytes, reply);
                data.set_raw_text(key, bytes, Expiry::Clear);
                true
            }
        };
        if changed {
            data.changed(key, Class::STRING, "setbit");
        }
        Ok(())
    }

    /// Runs all operations in their order and replies their results; says whether a bit changed.
    fn apply(&self, bytes: &mut [u8], reply: &mut Reply<'_>) -> bool {
        let mut changed = false;
        for (operation, field, overflow) in &self.list {
            changed |= field.apply(*operation, *overflow, bytes, reply);
        }
        changed
    }
}

/// Reads the next operation, and before it any OVERFLOW, which counts from there on; `None` at the end.
fn next_operation(
    data: &Locked<'_>,
    args: &mut Args<'_>,
    overflow: &mut Overflow,
) -> Result<Option<(Operation, Field)>, Error> {
    while args.remaining() > 0 {
        if args.remaining() >= 2 && args.option("OVERFLOW") {
            *overflow = if args.option("WRAP") {
                Overflow::Wrap
            } else if args.option("SAT") {
                Overflow::Saturate
            } else if args.option("FAIL") {
                Overflow::Fail
            } else {
                return Err(Error::fixed("ERR Invalid OVERFLOW type specified"));
            };
            continue;
        }
        let words = args.remaining();
        let kind = if words >= 3 && args.option("GET") {
            Kind::Get
        } else if words >= 4 && args.option("SET") {
            Kind::Set
        } else if words >= 4 && args.option("INCRBY") {
            Kind::Add
        } else {
            return Err(Error::SYNTAX);
        };
        let field = Field::read_words(data, args)?;
        let operation = match kind {
            Kind::Get => Operation::Get,
            Kind::Set => Operation::Set(args.int()?),
            Kind::Add => Operation::Add(args.int()?),
        };
        return Ok(Some((operation, field)));
    }
    Ok(None)
}

enum Kind {
    Get,
    Set,
    Add,
}

impl Field {
    /// Reads an encoding (`i16`, `u8`) and an offset (`100`, `#3`).
    fn read_words(data: &Locked<'_>, args: &mut Args<'_>) -> Result<Field, Error> {
        let encoding = args.word();
        let (signed, bits_max, digits) = match encoding {
            [b'i', digits @ ..] => (true, 64, digits),
            [b'u', digits @ ..] => (false, 63, digits),
            _ => return Err(ENCODING),
        };
        let bits = number::parse_u64(digits).filter(|bits| (1..=bits_max).contains(bits)).ok_or(ENCODING)?;
        let offset = bit_offset(data, args.word(), Some(bits))?;
        Ok(Field { signed, bits: bits as u32, offset })
    }

    /// The number in the field; bits behind the end of `bytes` are clear.
    fn read(&self, bytes: &[u8]) -> i64 {
        let start = (self.offset / 8) as usize;
        // Nine bytes hold any field.
        let mut window = [0; 16];
        if let Some(rest) = bytes.get(start..) {
            let count = rest.len().min(9);
            window[..count].copy_from_slice(&rest[..count]);
        }
        let bits = u128::from_be_bytes(window) << (self.offset % 8);
        let unused = 128 - self.bits;
        if self.signed { (bits as i128 >> unused) as i64 } else { (bits >> unused) as i64 }
    }

    /// Writes the lower bits of `value` into the field, which must lie in `bytes`.
    fn write(&self, bytes: &mut [u8], value: i64) {
        let start = (self.offset / 8) as usize;
        let end = (self.offset + u64::from(self.bits)).div_ceil(8) as usize;
        let window_bytes = &mut bytes[start..end];
        let mut window = [0; 16];
        window[..end - start].copy_from_slice(window_bytes);
        let unused = 128 - self.bits;
        let behind = unused - (self.offset % 8) as u32;
        let mask = u128::MAX >> unused << behind;
        let bits = u128::from_be_bytes(window) & !mask | (value as u128) << behind & mask;
        window_bytes.copy_from_slice(&bits.to_be_bytes()[..end - start]);
    }

    /// The smallest and the largest number that fits.
    fn limits(&self) -> (i128, i128) {
        if self.signed { (-(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1) } else { (0, (1 << self.bits) - 1) }
    }

    /// What is stored for `value`; `None` when it does not fit and must not be changed.
    fn fit(&self, value: i128, overflow: Overflow) -> Option<i64> {
        let (min, max) = self.limits();
        let fitting = match overflow {
            _ if (min..=max).contains(&value) => value,
            Overflow::Saturate => value.clamp(min, max),
            Overflow::Fail => return None,
            Overflow::Wrap => {
                let unused = 128 - self.bits;
                let bits = value << unused;
                if self.signed { bits >> unused } else { (bits as u128 >> unused) as i128 }
            }
        };
        Some(fitting as i64)
    }

    /// Runs an operation on a string that is long enough for it, and replies its result; says whether it changed anything.
    fn apply(&self, operation: Operation, overflow: Overflow, bytes: &mut [u8], reply: &mut Reply<'_>) -> bool {
        let old = self.read(bytes);
        let (new, shown) = match operation {
            Operation::Get => (Some(old), Some(old)),
            Operation::Set(value) => {
                // For an unsigned field a negative number stands for a very large one.
                let value = if self.signed { i128::from(value) } else { i128::from(value as u64) };
                let new = self.fit(value, overflow);
                (new, new.map(|_| old))
            }
            Operation::Add(increment) => {
                let new = self.fit(i128::from(old) + i128::from(increment), overflow);
                (new, new)
            }
        };
        match shown {
            Some(value) => reply.integer(value),
            None => reply.null(),
        }
        let Some(new) = new.filter(|new| *new != old) else { return false };
        self.write(bytes, new);
        true
    }
}

const ENCODING: Error =
    Error::fixed("ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Db, Null};
    use proptest::prelude::*;

    #[test]
    fn bitfield_reads_sets_and_adds() {
        let mut db = Db::new();
        db.check_quiet("BITFIELD b", "[]");
        db.check_quiet("BITFIELD b GET u8 0 GET i63 #100", [0, 0]);
        db.check_quiet("GET b", Null);
        db.check("BITFIELD b SET u8 0 255 GET u4 2 INCRBY i5 100 -3", [0, 15, -3]);
        assert_eq!((db.events(), db.logged()), (vec!["setbit b".into()], "verbatim".into()));
        db.check_quiet("STRLEN b", 14);
        db.check_quiet("BITFIELD b SET u8 0 255", "[255]");
        db.check_quiet("BITFIELD_RO b GET u8 0 OVERFLOW SAT GET i5 100", [255, -3]);
        db.check("SET n 12", "OK");
        db.check("BITFIELD n SET u8 #1 51", "[50]");
        db.check_quiet("GET n", "13");
        db.check("BITFIELD n SET u8 2000 1", "[0]");
        db.check_quiet("STRLEN n", 251);
    }

    #[test]
    fn a_number_that_does_not_fit_wraps_saturates_or_fails() {
        let mut db = Db::new();
        db.check("BITFIELD b SET u8 0 256", "[0]");
        db.check("BITFIELD b SET i8 0 200 GET i8 0", [0, -56]);
        db.check("BITFIELD b OVERFLOW SAT SET i8 0 200 GET i8 0 SET i8 0 -200 GET i8 0", [-56, 127, 127, -128]);
        db.check_quiet("BITFIELD b OVERFLOW FAIL SET i8 0 -200 INCRBY i8 0 -1", "[nil nil]");
        db.check("BITFIELD b OVERFLOW FAIL SET i8 0 -200 INCRBY i8 0 1", "[nil -127]");
        db.check(
            "BITFIELD b OVERFLOW SAT INCRBY i8 0 -100 INCRBY i8 0 5 OVERFLOW WRAP INCRBY i8 0 -100",
            [-128, -123, 33],
        );
        db.check(
            "BITFIELD b SET u63 0 -1 OVERFLOW SAT INCRBY u63 0 1 INCRBY u63 0 -9223372036854775808",
            "[1188950301625810944 9223372036854775807 0]",
        );
        db.check("BITFIELD b SET i64 0 9223372036854775807 INCRBY i64 0 1", "[0 -9223372036854775808]");
        db.check("BITFIELD b OVERFLOW SAT SET u8 0 -1 SET u8 8 -300", [128, 0]);
        db.check_quiet("BITFIELD b GET u8 0 GET u8 8", [255, 255]);
    }

    #[test]
    fn a_failed_operation_still_makes_room() {
        let mut db = Db::new();
        db.check("BITFIELD b OVERFLOW FAIL INCRBY u8 100 500", "[nil]");
        // Unlike in the peers this is logged: there the key exists without anybody knowing.
        assert_eq!(db.logged(), "verbatim");
        db.check_quiet("STRLEN b", 14);
    }

    #[test]
    fn bitfield_judges_its_words_first() {
        let mut db = Db::new();
        for words in ["FOO u8 0", "GET u8", "GET", "SET u8 0", "OVERFLOW", "GET u8 0 INCRBY u8 0"] {
            db.check_quiet(&format!("BITFIELD b {words}"), Error::SYNTAX);
        }
        for encoding in ["u64", "i65", "u0", "i0", "i", "x8", "I8", "u08", "u+8", "\"u 8\""] {
            db.check_quiet(&format!("BITFIELD b GET {encoding} 0"), ENCODING);
        }
        for offset in ["-1", "#-1", "#", "x", "4294967296", "#536870912", "#9223372036854775807", "+1", "01"] {
            db.check_quiet(&format!("BITFIELD b GET u8 {offset}"), Error::BIT_OFFSET);
        }
        db.check_quiet("BITFIELD b GET u8 #536870911", "[0]");
        db.check_quiet("BITFIELD b OVERFLOW FOO", "-ERR Invalid OVERFLOW type specified");
        db.check_quiet("BITFIELD b OVERFLOW SAT", "[]");
        db.check_quiet("BITFIELD b SET u8 0 x", Error::NOT_AN_INTEGER);
        db.check_quiet("BITFIELD b SET u8 0 1 GET x 0", ENCODING);
        db.check_quiet("BITFIELD_RO b SET u8 0 x", Error::NOT_AN_INTEGER);
        db.check_quiet("BITFIELD_RO b SET u8 0 1", "-ERR BITFIELD_RO only supports the GET subcommand");
        db.check_quiet("GET b", Null);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_nothing_else_changes(
            bytes in prop::collection::vec(any::<u8>(), 20),
            signed: bool,
            bits in 1..=64u32,
            offset in 0..96u64,
            value: i64,
        ) {
            let field = Field { signed, bits: bits.min(if signed { 64 } else { 63 }), offset };
            let mut written = bytes.clone();
            let stored = field.fit(value.into(), Overflow::Wrap).unwrap();
            field.write(&mut written, value);
            prop_assert_eq!(field.read(&written), stored);
            let (min, max) = field.limits();
            prop_assert!((min..=max).contains(&stored.into()));
            let bit = |bytes: &[u8], at: u64| bytes[(at / 8) as usize] & (0x80 >> (at % 8)) != 0;
            for at in 0..160 {
                let inside = (offset..offset + u64::from(field.bits)).contains(&at);
                prop_assert!(inside || bit(&bytes, at) == bit(&written, at));
            }
        }
    }
}
