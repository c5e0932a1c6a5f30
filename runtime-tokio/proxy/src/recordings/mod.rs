//! Recordings of what the pools did: made while the proxy runs, proved, explained and drawn later.
//!
//! ```text
//!   workers --> record --> DIR/worker-N.pooltrace --> files --+--> replay    equal, or where not
//!                                                             +--> explain   one request's story
//!                                                             +--> timeline  a page to look at
//! ```
//!
//! Everything but [`record`] is a pure function over [`History`](pool_core::trace::History) or the bytes
//! of a file; [`command`] is what the program's subcommands call.

pub mod command;
pub mod explain;
pub mod files;
pub mod record;
pub mod replay;
pub mod summary;
pub mod timeline;
