//! Blocks of cells and what is read from them, declared once by name.

use super::cell::{Counter, Gauge};
use super::codes::CodeValues;
use super::distribution::Distribution;
use super::histogram::Histogram;

/// What kind of stat a name is (Envoy's words).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Samples.
    Histogram,
}

impl Kind {
    /// Envoy's name of it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "Counter",
            Self::Gauge => "Gauge",
            Self::Histogram => "Histogram",
        }
    }
}

/// A stat as it is declared: its name within its scope and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Described {
    /// Envoy's name, without the scope.
    pub name: &'static str,
    /// What kind it is.
    pub kind: Kind,
    /// One sentence.
    pub doc: &'static str,
}

/// A counter, read: the sum over all workers, resets left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count(u64);

impl Count {
    /// Since the start.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0
    }

    /// Adds a part of the sum.
    pub fn add(&mut self, amount: u64) {
        self.0 = self.0.wrapping_add(amount);
    }
}

/// A gauge, read: the sum over all workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    value: u64,
    used: bool,
}

impl Level {
    /// Now.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.value
    }

    /// Whether it was ever changed.
    #[must_use]
    pub fn is_used(&self) -> bool {
        self.used
    }

    /// Adds a part of the sum. A part that is zero does not make it used.
    pub fn add(&mut self, amount: u64) {
        self.value = self.value.saturating_add(amount);
        self.used |= amount > 0;
    }

    /// Says that it was used although it may be zero now.
    pub fn mark_used(&mut self) {
        self.used = true;
    }
}

/// A cell of a block.
pub(crate) trait Cell {
    const KIND: Kind;
    type Value: Reading;
    fn read_into(&self, value: &mut Self::Value);
}

/// What is read from cells.
pub(crate) trait Reading {
    fn value(&self) -> ValueRef<'_>;
}

/// Any value, borrowed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ValueRef<'a> {
    Counter(Count),
    Gauge(Level),
    Histogram(&'a Distribution),
    Codes(&'a CodeValues),
}

impl Cell for Counter {
    const KIND: Kind = Kind::Counter;
    type Value = Count;

    fn read_into(&self, value: &mut Count) {
        value.add(self.get());
    }
}

impl Cell for Gauge {
    const KIND: Kind = Kind::Gauge;
    type Value = Level;

    fn read_into(&self, value: &mut Level) {
        value.add(self.get());
        value.used |= self.is_used();
    }
}

impl Cell for Histogram {
    const KIND: Kind = Kind::Histogram;
    type Value = Distribution;

    fn read_into(&self, value: &mut Distribution) {
        self.add_to(value);
    }
}

impl Reading for Count {
    fn value(&self) -> ValueRef<'_> {
        ValueRef::Counter(*self)
    }
}

impl Reading for Level {
    fn value(&self) -> ValueRef<'_> {
        ValueRef::Gauge(*self)
    }
}

impl Reading for Distribution {
    fn value(&self) -> ValueRef<'_> {
        ValueRef::Histogram(self)
    }
}

/// Declares a block of cells, and what is read from it. Two blocks never share a cache line (128
/// bytes: lines are fetched in pairs).
macro_rules! block {
    (
        $(#[$cells_meta:meta])* $cells:ident;
        $(#[$values_meta:meta])* $values:ident;
        $( #[doc = $doc:literal] $field:ident: $kind:ident $(= $name:literal)?, )*
    ) => {
        $(#[$cells_meta])*
        #[derive(Debug, Default)]
        #[repr(align(128))]
        pub struct $cells {
            $( #[doc = $doc] pub $field: $kind, )*
        }

        impl $values {
            /// Adds one worker's cells.
            pub(crate) fn absorb(&mut self, cells: &$cells) {
                $( $crate::stats::block::Cell::read_into(&cells.$field, &mut self.$field); )*
            }
        }

        $crate::stats::block::values! {
            $(#[$values_meta])* $values;
            $( #[doc = $doc] $field: $kind $(= $name)?, )*
        }
    };
}

/// Declares values that are read, and the list of their names.
macro_rules! values {
    (
        $(#[$meta:meta])* $values:ident;
        $( #[doc = $doc:literal] $field:ident: $kind:ident $(= $name:literal)?, )*
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default)]
        pub struct $values {
            $( #[doc = $doc] pub $field: $crate::stats::block::value!($kind), )*
        }

        impl $values {
            /// The names of these stats within their scope.
            pub const NAMES: &'static [$crate::stats::Described] = &[$(
                $crate::stats::Described {
                    name: $crate::stats::block::name!($field $($name)?),
                    kind: <$kind as $crate::stats::block::Cell>::KIND,
                    doc: $doc,
                },
            )*];

            /// Shows every value by its name.
            pub(crate) fn each(&self, show: &mut dyn FnMut(&'static str, $crate::stats::block::ValueRef<'_>)) {
                $( show(
                    $crate::stats::block::name!($field $($name)?),
                    $crate::stats::block::Reading::value(&self.$field),
                ); )*
            }
        }
    };
}

/// The name of a field, if it is not that of the stat.
macro_rules! name {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $name:literal) => {
        $name
    };
}

/// What a kind of cell is read as.
macro_rules! value {
    (Counter) => {
        $crate::stats::Count
    };
    (Gauge) => {
        $crate::stats::Level
    };
    (Histogram) => {
        $crate::stats::Distribution
    };
    (Codes) => {
        $crate::stats::CodeValues
    };
}

pub(crate) use {block, name, value, values};
