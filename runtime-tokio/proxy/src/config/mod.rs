//! The configuration: read, checked, and turned into what the proxy runs from.

pub mod model;
pub(crate) mod nearest;
