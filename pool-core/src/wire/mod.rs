//! Bytes to exchanges and back, without a socket: the driver feeds what it read and writes what it
//! is given. A connection in here knows nothing of pools; what it learns reaches a pool as
//! [`report`](crate::report).
//!
//! * [`h1`]: HTTP/1.1 and HTTP/1.0 (RFC 9112), client and server role.

pub mod h1;
