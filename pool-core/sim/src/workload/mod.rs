//! Load without bytes: an engine that drives pools from event to event, and a model of load for it.
//!
//! # Reading order
//!
//! [`model`] (who asks, how far, how long), [`engine`] (pools and time), [`books`] (what came of it),
//! [`sweep`] (one setting through several values), [`table`] and [`plot`] (how it is shown),
//! [`settings`], [`histogram`], [`random`].

pub mod books;
pub mod command;
pub mod engine;
pub mod histogram;
pub mod model;
pub mod plot;
pub mod random;
pub mod settings;
pub mod sweep;
pub mod table;
