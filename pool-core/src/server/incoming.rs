//! The body of a request.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::control::Control;
use super::link::Link;
use super::upgrade::Upgrade;
use crate::wire::h1;

/// The address that a request came from: an extension of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerAddr(pub SocketAddr);

/// The body of a request, read from its connection as it is polled: whoever does not read stops the
/// client. One chunk is on its way at most.
///
/// A client that waits for `100 Continue` gets it when the body is polled for the first time, unless
/// [`Control::withhold_continue`] left that to the service.
///
/// Dropping it unread is no error: what has arrived of the content is discarded, and if the rest
/// has not, the connection ends with the response. Once the response is complete nothing more is
/// read, and polling gives [`IncomingError::Closed`].
pub struct Incoming<I> {
    link: Arc<Link<I>>,
    serial: u64,
    peer: SocketAddr,
    left: Left,
    offer: Offer,
}

/// How much content is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// None.
    Nothing,
    /// This many bytes.
    Bytes(u64),
    /// Chunks.
    Unknown,
}

/// Whether the client offered to speak another protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    /// It did not.
    None,
    /// CONNECT, or `Upgrade`.
    Tunnel,
}

/// Why the rest of a request's content cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IncomingError {
    /// The client broke the protocol or a limit, or closed in the middle.
    Protocol(h1::Error),
    /// The response was complete first, or the connection is gone.
    Closed,
}

impl fmt::Display for IncomingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol(error) => write!(f, "{error}"),
            Self::Closed => f.write_str("the exchange is over"),
        }
    }
}

impl std::error::Error for IncomingError {}

impl<I> Incoming<I> {
    pub(crate) fn new(link: Arc<Link<I>>, serial: u64, peer: SocketAddr, left: Left, offer: Offer) -> Self {
        Self { link, serial, peer, left, offer }
    }

    /// The address of the client.
    #[must_use]
    pub fn peer_addr(&self) -> SocketAddr {
        self.peer
    }

    /// A handle to the exchange of this request, for interim responses and the like while the body
    /// is being read elsewhere.
    #[must_use]
    pub fn control(&self) -> Control<I> {
        self.link.watch();
        Control::new(self.link.clone(), self.serial)
    }

    /// Sends an interim response, as [`Control::send_interim`] does.
    pub fn send_interim(&self, status: StatusCode, headers: HeaderMap) {
        Control::new(self.link.clone(), self.serial).send_interim(status, headers);
    }

    /// The connection as a byte stream, if the client sent CONNECT or `Upgrade` and the service
    /// answers with success or 101. Ask before the response is returned. `None` if the client
    /// offered nothing, or if it was asked before.
    #[must_use]
    pub fn upgrade(&self) -> Option<Upgrade<I>> {
        match self.offer {
            Offer::None => None,
            Offer::Tunnel => Upgrade::new(self.link.clone(), self.serial),
        }
    }
}

impl<I> HttpBody for Incoming<I> {
    type Data = Bytes;
    type Error = IncomingError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, IncomingError>>> {
        if self.left == Left::Nothing {
            return Poll::Ready(None);
        }
        let frame = self.link.poll_frame(self.serial, cx);
        if let (Poll::Ready(Some(Ok(frame))), Left::Bytes(left)) = (&frame, &mut self.left) {
            *left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len) as u64);
        }
        match &frame {
            Poll::Ready(None | Some(Err(_))) => self.finish(),
            Poll::Ready(Some(Ok(_))) if self.left == Left::Bytes(0) => self.finish(),
            Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.left == Left::Nothing
    }

    fn size_hint(&self) -> SizeHint {
        match self.left {
            Left::Nothing => SizeHint::with_exact(0),
            Left::Bytes(left) => SizeHint::with_exact(left),
            Left::Unknown => SizeHint::default(),
        }
    }
}

impl<I> Incoming<I> {
    /// Nothing more is to come, or wanted.
    fn finish(&mut self) {
        if self.left != Left::Nothing {
            self.left = Left::Nothing;
            self.link.leave(self.serial);
        }
    }
}

impl<I> Drop for Incoming<I> {
    fn drop(&mut self) {
        self.finish();
    }
}

impl<I> fmt::Debug for Incoming<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").field("peer", &self.peer).field("left", &self.left).finish_non_exhaustive()
    }
}
