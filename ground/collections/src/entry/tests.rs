//! Entries in every shape, and their way from one to another.

use std::rc::Rc;

use proptest::prelude::*;

use super::*;
use crate::{Lookup, Table, hash};

/// A value that knows how many of its kind are alive; three words, as the keyspace's is.
#[derive(Debug, Clone, PartialEq)]
struct Big(Rc<()>, u64, u64);

/// A value that outlives what it was made from.
#[derive(Debug, Clone, PartialEq)]
enum Plain {
    Int(i64),
    Str { bytes: Vec<u8>, raw: bool },
    Packed { kind: u8, bytes: Vec<u8> },
    Object(u64),
}

impl Plain {
    fn value(&self, alive: &Rc<()>) -> Value<'_, Big> {
        match self {
            Plain::Int(number) => Value::Int(*number),
            Plain::Str { bytes, raw } => Value::Str { bytes, raw: *raw },
            Plain::Packed { kind, bytes } => Value::Packed { kind: *kind, bytes },
            Plain::Object(id) => Value::Object(Big(alive.clone(), *id, !id)),
        }
    }

    fn of(view: View<'_, Big>) -> Plain {
        match view {
            View::Int(number) => Plain::Int(number),
            View::Str { bytes, raw } => Plain::Str { bytes: bytes.to_vec(), raw },
            View::Packed { kind, bytes } => Plain::Packed { kind, bytes: bytes.to_vec() },
            View::Object(Big(_, id, check)) => {
                assert_eq!(*check, !id);
                Plain::Object(*id)
            }
        }
    }

    fn of_owned(value: OwnedValue<Big>) -> Plain {
        match &value {
            OwnedValue::Int(number) => Plain::of(View::Int(*number)),
            OwnedValue::Str { bytes, raw } => Plain::of(View::Str { bytes, raw: *raw }),
            OwnedValue::Packed { kind, bytes } => Plain::of(View::Packed { kind: *kind, bytes }),
            OwnedValue::Object(object) => Plain::of(View::Object(object)),
        }
    }
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    let bytes = |length| prop::collection::vec(any::<u8>(), length);
    prop_oneof![6 => bytes(0..40), 2 => bytes(240..270), 1 => bytes(1000..1100), 1 => bytes(40_000..40_100)]
}

fn plain() -> impl Strategy<Value = Plain> {
    prop_oneof![
        any::<i64>().prop_map(Plain::Int),
        (text(), any::<bool>()).prop_map(|(bytes, raw)| Plain::Str { bytes, raw }),
        (any::<u8>(), text()).prop_map(|(kind, bytes)| Plain::Packed { kind, bytes }),
        any::<u64>().prop_map(Plain::Object),
    ]
}

#[derive(Debug, Clone)]
enum Step {
    Value(Plain),
    Expiry(Option<u64>),
    Clock(u32),
    Epoch(u8),
    Marks(u8),
    Rename(Vec<u8>),
    Take,
    Touch,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => plain().prop_map(Step::Value),
        3 => prop::option::of(any::<u64>()).prop_map(Step::Expiry),
        1 => any::<u32>().prop_map(Step::Clock),
        1 => any::<u8>().prop_map(Step::Epoch),
        1 => any::<u8>().prop_map(Step::Marks),
        1 => text().prop_map(Step::Rename),
        1 => Just(Step::Take),
        3 => Just(Step::Touch),
    ]
}

/// What an entry should say.
struct Model {
    key: Vec<u8>,
    value: Plain,
    expiry_ms: Option<u64>,
    clock: u32,
    epoch: u8,
    marks: u8,
}

impl Model {
    fn check(&self, entry: EntryRef<'_, Big>, alive: &Rc<()>) {
        assert_eq!(entry.key(), self.key);
        assert_eq!(Plain::of(entry.view()), self.value);
        assert_eq!(entry.expiry_ms(), self.expiry_ms);
        assert_eq!((entry.clock(), entry.epoch(), entry.marks()), (self.clock, self.epoch, self.marks));
        assert!(entry.memory_bytes() >= 8 + self.key.len());
        assert_eq!(Rc::strong_count(alive), 1 + usize::from(matches!(self.value, Plain::Object(_))));
    }
}

proptest! {
    #[test]
    fn an_entry_remembers_what_it_was_told_last(
        key in text(),
        value in plain(),
        expiry_ms in prop::option::of(any::<u64>()),
        steps in prop::collection::vec(step(), 0..20),
    ) {
        let alive = Rc::new(());
        let mut entry = Entry::new(&key, value.value(&alive), expiry_ms);
        let mut model = Model { key, value, expiry_ms, clock: 0, epoch: 0, marks: 0 };
        for step in steps {
            model.check(entry.as_ref(), &alive);
            match step {
                Step::Value(value) => {
                    entry.set_value(value.value(&alive));
                    model.value = value;
                }
                Step::Expiry(expiry_ms) => {
                    entry.set_expiry(expiry_ms);
                    model.expiry_ms = expiry_ms;
                }
                Step::Clock(clock) => {
                    if clock.is_multiple_of(2) { entry.as_mut().set_clock(clock) } else { entry.as_ref().touch(clock) }
                    model.clock = clock & 0xff_ffff;
                }
                Step::Epoch(epoch) => {
                    entry.as_mut().set_epoch(epoch);
                    model.epoch = epoch;
                }
                Step::Marks(marks) => {
                    entry.as_mut().set_marks(marks);
                    model.marks = marks & 15;
                }
                Step::Rename(key) => {
                    entry = entry.with_key(&key);
                    model.key = key;
                }
                Step::Take => {
                    prop_assert_eq!(Plain::of_owned(entry.take_value()), model.value);
                    model.value = Plain::Str { bytes: Vec::new(), raw: false };
                }
                Step::Touch => {
                    if let Some(number) = entry.as_mut().int() {
                        *number = number.wrapping_add(1);
                    }
                    if let Some(bytes) = entry.as_mut().str() {
                        bytes.iter_mut().for_each(|byte| *byte ^= 0x55);
                    }
                    if let Some(object) = entry.as_mut().object() {
                        *object = Big(alive.clone(), 7, !7);
                    }
                    match &mut model.value {
                        Plain::Int(number) => *number = number.wrapping_add(1),
                        Plain::Str { bytes, .. } => bytes.iter_mut().for_each(|byte| *byte ^= 0x55),
                        Plain::Packed { .. } => {}
                        Plain::Object(id) => *id = 7,
                    }
                }
            }
        }
        model.check(entry.as_ref(), &alive);
        prop_assert_eq!(Plain::of_owned(entry.into_value()), model.value);
        prop_assert_eq!(Rc::strong_count(&alive), 1);
    }
}

#[test]
fn sizes_are_as_small_as_promised() {
    let size = |key: usize, value: Value<'_, Big>, expiry_ms| {
        Entry::new(&vec![b'k'; key], value, expiry_ms).as_ref().memory_bytes()
    };
    assert_eq!(size(16, Value::Str { bytes: &[0; 16], raw: false }, None), 40);
    assert_eq!(size(16, Value::Str { bytes: &[0; 16], raw: false }, Some(1)), 48);
    assert_eq!(size(16, Value::Int(1), None), 32);
    assert_eq!(size(13, Value::Int(1), None), 32);
    assert_eq!(size(16, Value::Object(Big(Rc::new(()), 0, 0)), None), 48);
    assert_eq!(size(8, Value::Packed { kind: 3, bytes: &[0; 8] }, None), 24);
}

#[test]
fn a_value_of_the_same_class_is_written_in_place() {
    let mut entry = Entry::<Big>::new(b"0123456789abcdef", Value::Str { bytes: &[1; 16], raw: false }, None);
    let place = entry.block;
    entry.set_value(Value::Str { bytes: &[2; 9], raw: true });
    entry.set_value(Value::Packed { kind: 1, bytes: &[2; 12] });
    assert_eq!(entry.block, place);
    entry.set_value(Value::Str { bytes: &[2; 17], raw: true });
    assert_eq!(entry.as_ref().memory_bytes(), 48);
    let mut entry = Entry::<Big>::new(b"key", Value::Str { bytes: &[1; 250], raw: false }, None);
    let place = entry.block;
    entry.set_expiry(Some(77));
    assert_eq!(entry.block, place, "261 and 269 bytes are both in the class of 272");
    assert_eq!(entry.as_ref().view(), View::Str { bytes: &[1; 250], raw: false });
    entry.set_expiry(None);
    assert_eq!((entry.block, entry.as_ref().key()), (place, b"key".as_slice()));
}

#[test]
fn a_table_follows_entries_that_move() {
    let mut table = Table::<Entry<Big>>::new();
    let alive = Rc::new(());
    let keys: Vec<String> = (0..2000).map(|number| format!("key:{number}")).collect();
    for key in &keys {
        let hash = hash(key.as_bytes());
        match table.entry(hash, key.as_bytes()) {
            Lookup::Found(_) => panic!("not there yet"),
            Lookup::Vacant(vacant) => {
                let mut slot = vacant.insert(Entry::new(key.as_bytes(), Value::Int(1), None));
                slot.set_clock(5);
                slot.set_expiry(Some(900));
            }
        }
    }
    assert_eq!(table.earliest_deadline_ms(), 900);
    for (number, key) in keys.iter().enumerate() {
        let mut slot = table.find(hash(key.as_bytes()), key.as_bytes()).expect("it is there");
        *slot.int_mut().expect("an integer") += 1;
        assert_eq!(slot.view(), View::Int(2));
        slot.set_value(Value::Str { bytes: &vec![3; number], raw: false });
        slot.str_mut().expect("a string").fill(4);
        if number % 2 == 0 {
            slot.set_value(Value::Object(Big(alive.clone(), 1, 1)));
            slot.object_mut().expect("an object").1 = 9;
        }
        slot.set_epoch(3);
        slot.set_marks(2);
        slot.set_expiry(None);
    }
    assert_eq!(Rc::strong_count(&alive), 1001);
    for (number, key) in keys.iter().enumerate() {
        let entry = table.get(hash(key.as_bytes()), key.as_bytes()).expect("it is there");
        assert_eq!((entry.clock(), entry.epoch(), entry.marks(), entry.expiry_ms()), (5, 3, 2, None));
        match entry.view() {
            View::Str { bytes, raw: false } => assert_eq!(bytes, vec![4; number]),
            View::Object(object) => assert_eq!((number % 2, object.1), (0, 9)),
            other => panic!("{other:?}"),
        }
    }
    drop(table);
    assert_eq!(Rc::strong_count(&alive), 1);
}

#[test]
fn an_object_is_found_once_and_changed_where_it_is() {
    let alive = Rc::new(());
    let mut table = Table::<Entry<Big>>::new();
    table.insert_new(hash(b"key"), Entry::new(b"key", Value::Object(Big(alive.clone(), 1, 2)), Some(7)));
    table.insert_new(hash(b"text"), Entry::new(b"text", Value::Str { bytes: b"x", raw: false }, None));
    let text = table.find(hash(b"text"), b"text").expect("it is there").into_object();
    assert!(text.is_err_and(|slot| slot.key() == b"text"));
    let Ok(mut object) = table.find(hash(b"key"), b"key").expect("it is there").into_object() else {
        panic!("an object")
    };
    object.1 = 3;
    assert_eq!((object.1, object.slot().expiry_ms()), (3, Some(7)));
    object.2 += object.1;
    let slot = object.into_slot();
    assert_eq!(slot.view(), View::Object(&Big(alive.clone(), 3, 5)));
    drop(slot.remove());
    assert_eq!(Rc::strong_count(&alive), 1);
}
