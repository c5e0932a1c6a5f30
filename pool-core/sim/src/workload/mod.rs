//! Load without bytes: an engine that drives pools from event to event, and a model of load for it.
pub mod books;
pub mod engine;
pub mod histogram;
pub mod model;
pub mod random;
pub mod settings;
