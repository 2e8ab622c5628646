//! Live values: copies of settings that every thread reads with one relaxed load or one short lock.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use crate::kind::mismatch;
use crate::{BufferLimit, SavePoint, Value};

/// Something that follows a setting. [`crate::Store`] calls it with the default, and again after every change.
pub trait Mirror: Send + Sync {
    /// Takes over `value`, whose variant is always that of the row's kind.
    fn put(&self, value: &Value);
}

/// A setting that fits a word: a number, a switch, a choice. Reading it is a relaxed load.
pub struct Live<T>(AtomicU64, PhantomData<fn() -> T>);

impl<T: Word> Live<T> {
    /// The value now. Two settings that are set together may be seen one after the other.
    #[inline]
    pub fn get(&self) -> T {
        T::from_word(self.0.load(Relaxed))
    }
}

impl<T> Default for Live<T> {
    fn default() -> Self {
        Live(AtomicU64::new(0), PhantomData)
    }
}

impl<T: Word> Mirror for Live<T> {
    fn put(&self, value: &Value) {
        self.0.store(T::word_of(value), Relaxed);
    }
}

/// A type that [`Live`] can hold.
pub trait Word: Copy {
    /// The word for a value of a fitting kind.
    fn word_of(value: &Value) -> u64;
    /// Back from [`Word::word_of`].
    fn from_word(word: u64) -> Self;
}

/// The Rust side of a choice: the variants in the order of their names.
pub trait Choices: Copy + 'static {
    /// Every variant.
    const ALL: &'static [Self];
    /// The names of [`Choices::ALL`], as files and CONFIG GET say them.
    const NAMES: &'static [&'static str];
}

/// Declares an enum of [`Choices`] with each variant's name beside it, so that the two lists cannot fall out of step.
#[macro_export]
macro_rules! choices {
    ($(#[$attribute:meta])* $visibility:vis enum $enum:ident { $($(#[$about:meta])* $variant:ident = $name:literal,)+ }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        $visibility enum $enum { $($(#[$about])* $variant,)+ }

        impl $crate::Choices for $enum {
            const ALL: &'static [Self] = &[$($enum::$variant),+];
            const NAMES: &'static [&'static str] = &[$($name),+];
        }
    };
}

impl<C: Choices> Word for C {
    fn word_of(value: &Value) -> u64 {
        let Value::Choice(place) = value else { mismatch(value) };
        *place as u64
    }

    #[inline]
    fn from_word(word: u64) -> Self {
        Self::ALL[word as usize]
    }
}

impl Word for bool {
    fn word_of(value: &Value) -> u64 {
        let Value::Switch(on) = value else { mismatch(value) };
        u64::from(*on)
    }

    #[inline]
    fn from_word(word: u64) -> Self {
        word != 0
    }
}

impl Word for i64 {
    fn word_of(value: &Value) -> u64 {
        let Value::Number(number) = value else { mismatch(value) };
        // The bits of a signed or an unsigned 64-bit number alike.
        *number as u64
    }

    #[inline]
    fn from_word(word: u64) -> Self {
        word as i64
    }
}

impl Word for u64 {
    fn word_of(value: &Value) -> u64 {
        i64::word_of(value)
    }

    #[inline]
    fn from_word(word: u64) -> Self {
        word
    }
}

impl Word for usize {
    fn word_of(value: &Value) -> u64 {
        i64::word_of(value)
    }

    #[inline]
    fn from_word(word: u64) -> Self {
        word as usize
    }
}

impl Word for u16 {
    fn word_of(value: &Value) -> u64 {
        i64::word_of(value)
    }

    #[inline]
    fn from_word(word: u64) -> Self {
        word as u16
    }
}

/// A set of flags.
impl Word for u32 {
    fn word_of(value: &Value) -> u64 {
        let Value::Flags(bits) = value else { mismatch(value) };
        u64::from(*bits)
    }

    #[inline]
    fn from_word(word: u64) -> Self {
        word as u32
    }
}

/// A setting that does not fit a word. Reading it takes a short lock and shares the value.
#[derive(Default)]
pub struct Shared<T>(Mutex<Arc<T>>);

impl<T> Shared<T> {
    /// The value now.
    pub fn get(&self) -> Arc<T> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T: FromValue + Send + Sync> Mirror for Shared<T> {
    fn put(&self, value: &Value) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(T::from_value(value));
    }
}

/// A type that [`Shared`] can hold.
pub trait FromValue {
    /// The content of a value of a fitting kind.
    fn from_value(value: &Value) -> Self;
}

impl FromValue for Vec<u8> {
    fn from_value(value: &Value) -> Self {
        let Value::Text(text) = value else { mismatch(value) };
        text.clone()
    }
}

/// For paths, names and addresses; what is no UTF-8 is replaced.
impl FromValue for String {
    fn from_value(value: &Value) -> Self {
        let Value::Text(text) = value else { mismatch(value) };
        String::from_utf8_lossy(text).into_owned()
    }
}

impl FromValue for Vec<SavePoint> {
    fn from_value(value: &Value) -> Self {
        let Value::SavePoints(points) = value else { mismatch(value) };
        points.clone()
    }
}

impl FromValue for [BufferLimit; 3] {
    fn from_value(value: &Value) -> Self {
        let Value::BufferLimits(limits) = value else { mismatch(value) };
        *limits
    }
}

impl FromValue for Vec<String> {
    fn from_value(value: &Value) -> Self {
        let Value::Words(words) = value else { mismatch(value) };
        words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect()
    }
}

impl FromValue for Vec<i64> {
    fn from_value(value: &Value) -> Self {
        let Value::Integers(numbers) = value else { mismatch(value) };
        numbers.clone()
    }
}

impl FromValue for Vec<f64> {
    fn from_value(value: &Value) -> Self {
        let Value::Decimals(numbers) = value else { mismatch(value) };
        numbers.clone()
    }
}

impl FromValue for Option<(String, u16)> {
    fn from_value(value: &Value) -> Self {
        let Value::Address(address) = value else { mismatch(value) };
        address.as_ref().map(|(host, port)| (String::from_utf8_lossy(host).into_owned(), *port))
    }
}
