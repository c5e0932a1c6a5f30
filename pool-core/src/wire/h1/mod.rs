//! HTTP/1.1 and HTTP/1.0 on one connection (RFC 9112), client and server role, sans-IO.
//!
//! ```text
//!              wishes                                      bytes
//!   driver -----------------> +--------+ --> Outbox ----> socket
//!          <----------------- | Client |
//!              events         | Server | <-- Input <----- socket, scratch buffer of the worker
//!                             +--------+
//! ```
//!
//! The driver owns every buffer. It reads into a scratch buffer, wraps what it read in an [`Input`]
//! and calls `poll_event` until that gives `None`; then the input has been taken and the connection
//! has kept only what it could not use yet. What is to be written is pushed to an [`Outbox`]; the
//! driver stops asking for body data at [`Outbox::HIGH_WATERMARK`] and asks again below
//! [`Outbox::LOW_WATERMARK`].
//!
//! One exchange at a time, many in sequence. Its end is told once, as
//! [`StreamEnd`](crate::report::StreamEnd) in an `End` event, or by an [`Error`] (whose
//! [`Error::stream_end`] is the end of the exchange that it hit). After an error the connection
//! answers with the same error for ever; the driver closes it.
//!
//! Both roles refuse what two implementations could read in two ways (RFC 9112 11.2). The rules, and
//! why each was chosen, are in `docs/wire-h1.md`.

mod body;
mod chunked;
mod client;
mod encode;
mod error;
mod event;
mod fields;
mod framing;
mod head_parse;
mod input;
mod known;
mod limits;
mod outbox;
mod respond;
mod rest;
mod scan;
mod sending;
mod server;
mod shared;
mod target;

pub use client::Client;
pub use error::{EofAt, Error, Exceeded, SendError, Violation};
pub use event::{BodyKind, BodyLength, Event, IdleClose, RequestHead, ResponseHead, ServerEvent, TargetForm};
pub use input::Input;
pub use limits::Limits;
pub use outbox::Outbox;
pub use server::Server;
