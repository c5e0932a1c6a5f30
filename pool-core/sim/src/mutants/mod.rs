//! Bugs that are put into the pool on purpose, each with the engine that must find it and the law that
//! it must find broken: an engine that finds nothing proves nothing.
//!
//! A bug is a change of source text, so production code carries no hooks. `pool-mutants` makes the
//! change in a scratch copy, builds it and runs the engine; a test holds that each text is found exactly
//! once, so that the table cannot grow old.
//!
//! # Reading order
//!
//! [`table`] (the bugs), [`page`] (the table as a page).

pub mod page;
pub mod table;

use crate::engines::Engine;

/// A bug.
#[derive(Clone, Copy, Debug)]
pub struct Mutant {
    /// Its name.
    pub name: &'static str,
    /// What it does wrong.
    pub does: &'static str,
    /// Where it is put in, from `pool-core/src`.
    pub file: &'static str,
    /// The text that is replaced; it occurs once.
    pub find: &'static str,
    /// What takes its place.
    pub replace: &'static str,
    /// Who finds it.
    pub engine: Engine,
    /// What it finds: how its message begins. An invariant by its number in the specification, or what
    /// machine and model differ in.
    pub law: &'static str,
}
