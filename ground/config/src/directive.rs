//! A directive's row: everything that is to be said about one setting, in one place.

use std::ops::RangeInclusive;

use crate::number::Unit;
use crate::{Choices, Kind, List, Mirror, Number, Value};

/// One setting. `H` is the program's struct of live values, which [`Directive::mirrored`] points into.
pub struct Directive<H: 'static> {
    /// The name that CONFIG REWRITE writes.
    pub name: &'static str,
    /// Other names for the same setting.
    pub aliases: &'static [&'static str],
    /// What it can be set to.
    pub kind: Kind,
    /// The value when nothing is said, as a config file would say it.
    pub default: &'static str,
    /// When it may be set.
    pub change: Change,
    /// Whether it changes what the program does. If not, it is accepted and shown, for the sake of existing files.
    pub has_effect: bool,
    /// Shown by CONFIG GET only when asked for by its very name.
    pub is_hidden: bool,
    /// The value is not to appear in logs.
    pub is_secret: bool,
    /// CONFIG SET is refused while a data set is loaded.
    pub waits_for_loading: bool,
    /// Setting it to the value it has still runs the hooks, for files whose content may have changed.
    pub always_applies: bool,
    /// One sentence for the manual.
    pub about: &'static str,
    pub(crate) check: Option<Check>,
    pub(crate) mirror: Option<fn(&H) -> &dyn Mirror>,
}

/// A condition on values beyond their kind; the error says what is wrong.
pub type Check = fn(&Value) -> Result<(), String>;

/// When a directive may be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// At the start and by CONFIG SET.
    AnyTime,
    /// In the file and on the command line only.
    AtStart,
    /// By CONFIG SET only where `enable-protected-configs` allows it.
    Protected,
}

impl<H: 'static> Directive<H> {
    /// A row for a directive that may change at any time and has an effect.
    pub const fn new(name: &'static str, kind: Kind, default: &'static str, about: &'static str) -> Self {
        Directive {
            name,
            aliases: &[],
            kind,
            default,
            change: Change::AnyTime,
            has_effect: true,
            is_hidden: false,
            is_secret: false,
            waits_for_loading: false,
            always_applies: false,
            about,
            check: None,
            mirror: None,
        }
    }

    /// A directive that is `yes` or `no`.
    pub const fn switch(name: &'static str, default: bool, about: &'static str) -> Self {
        Self::new(name, Kind::Switch, if default { "yes" } else { "no" }, about)
    }

    /// A plain number.
    pub const fn number(
        name: &'static str,
        range: RangeInclusive<i128>,
        default: &'static str,
        about: &'static str,
    ) -> Self {
        Self::in_unit(name, Unit::Plain, range, default, about)
    }

    /// A number of bytes, with units of memory.
    pub const fn bytes(
        name: &'static str,
        range: RangeInclusive<i128>,
        default: &'static str,
        about: &'static str,
    ) -> Self {
        Self::in_unit(name, Unit::Bytes, range, default, about)
    }

    /// A number that is written in `unit`.
    pub const fn in_unit(
        name: &'static str,
        unit: Unit,
        range: RangeInclusive<i128>,
        default: &'static str,
        about: &'static str,
    ) -> Self {
        let number = Number { least: *range.start(), most: *range.end(), unit, clamp: None };
        Self::new(name, Kind::Number(number), default, about)
    }

    /// One of the names of `C`.
    pub const fn choice<C: Choices>(name: &'static str, default: &'static str, about: &'static str) -> Self {
        Self::new(name, Kind::Choice(C::NAMES), default, about)
    }

    /// One of `names`, for a directive whose meaning nothing here needs.
    pub const fn one_of(
        name: &'static str,
        names: &'static [&'static str],
        default: &'static str,
        about: &'static str,
    ) -> Self {
        Self::new(name, Kind::Choice(names), default, about)
    }

    /// A text that may be empty.
    pub const fn text(name: &'static str, default: &'static str, about: &'static str) -> Self {
        Self::new(name, Kind::Text { empty_is_unset: false }, default, about)
    }

    /// A text that is unset by default and when empty.
    pub const fn optional(name: &'static str, about: &'static str) -> Self {
        Self::new(name, Kind::Text { empty_is_unset: true }, "", about)
    }

    /// A value of several words.
    pub const fn list(name: &'static str, list: &'static dyn List, default: &'static str, about: &'static str) -> Self {
        Self::new(name, Kind::List(list), default, about)
    }

    /// Other names.
    pub const fn or(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// Values outside `range` are accepted and moved to its nearer end.
    pub const fn clamped(mut self, range: RangeInclusive<i128>) -> Self {
        if let Kind::Number(number) = self.kind {
            self.kind = Kind::Number(Number { clamp: Some((*range.start(), *range.end())), ..number });
        }
        self
    }

    /// Set at the start only.
    pub const fn at_start(mut self) -> Self {
        self.change = Change::AtStart;
        self
    }

    /// Set by CONFIG SET only where that is allowed.
    pub const fn protected(mut self) -> Self {
        self.change = Change::Protected;
        self
    }

    /// Accepted and shown, but without effect.
    pub const fn without_effect(mut self) -> Self {
        self.has_effect = false;
        self
    }

    /// Not matched by patterns.
    pub const fn hidden(mut self) -> Self {
        self.is_hidden = true;
        self
    }

    /// Kept out of logs.
    pub const fn secret(mut self) -> Self {
        self.is_secret = true;
        self
    }

    /// Refused while loading.
    pub const fn after_loading(mut self) -> Self {
        self.waits_for_loading = true;
        self
    }

    /// Applied again even when unchanged.
    pub const fn applied_always(mut self) -> Self {
        self.always_applies = true;
        self
    }

    /// A further condition, checked after the kind's own.
    pub const fn checked(mut self, check: Check) -> Self {
        self.check = Some(check);
        self
    }

    /// The live copy of the value.
    pub const fn mirrored(mut self, mirror: fn(&H) -> &dyn Mirror) -> Self {
        self.mirror = Some(mirror);
        self
    }

    /// Reads the words of a line or of CONFIG SET. See [`List::parse`].
    pub(crate) fn parse(&self, words: &[Vec<u8>], current: &Value, again: bool) -> Result<Value, String> {
        let value = self.kind.parse(words, current, again)?;
        if let Some(check) = self.check {
            check(&value)?;
        }
        Ok(value)
    }

    /// The default as a value.
    pub fn default_value(&self) -> Value {
        let words = match self.kind.takes_many_words() {
            true => ochre_text::quote::split_args(self.default.as_bytes()).unwrap_or_default(),
            false => vec![self.default.as_bytes().to_vec()],
        };
        // A list that builds on the value so far starts from nothing, which no variant of a list is.
        self.parse(&words, &Value::Switch(false), false)
            .unwrap_or_else(|error| panic!("the default of {} is not a value of it: {error}", self.name))
    }
}
