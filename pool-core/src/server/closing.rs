//! The end of a connection (RFC 9112 9.6, decision D2).

use std::task::{Context, Poll};
use std::time::Duration;

use super::connection::{Flow, Over};
use super::house::By;
use super::socket::Socket;
use crate::runtime::{Io, Runtime};
use crate::time::Instant;

/// Bytes read and discarded at most; behind them the client's bytes stay in the kernel, whose window
/// stops it. An upload of ordinary size that was answered early ends within it, also where the client
/// reads nothing before it has written everything.
const DISCARD: usize = 16 * 1024 * 1024;

/// ```text
///   Flush ---- all written ----> Finish ---- FIN sent ----> Discard ---- FIN or RST ----> closed
///                                                              |                             ^
///                                                              +-- bound --> Wait -- timer --+
/// ```
///
/// Closing a socket that has unread bytes, or that receives some later, sends RST, and RST may
/// destroy what the client has not read yet. So the client is told that nothing more will come, and
/// what it still sends is taken from it until it has seen that.
#[derive(Debug)]
pub(super) struct Closing {
    step: Step,
    timeout: Option<Duration>,
    /// Restarted by progress in writing (Envoy: `delayed_close_timeout`).
    since: Instant,
}

#[derive(Debug)]
enum Step {
    /// Bytes are to be written, this many.
    Flush(usize),
    /// Our direction is to be ended.
    Finish,
    /// What comes is discarded; this much may still.
    Discard(usize),
    /// Enough was discarded.
    Wait,
}

impl Closing {
    pub(super) fn new(timeout: Option<Duration>, now: Instant) -> Self {
        Self { step: Step::Flush(usize::MAX), timeout, since: now }
    }

    /// When it has taken long enough; never without a timeout.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.timeout.map(|timeout| self.since + timeout)
    }

    pub(super) fn turn<I: Io, R: Runtime>(
        &mut self,
        cx: &mut Context<'_>,
        socket: &mut Socket<I>,
        runtime: &R,
    ) -> Result<Flow, Over> {
        match &mut self.step {
            Step::Flush(before) => match socket.poll_write(cx) {
                Poll::Ready(Ok(())) => {
                    self.since = runtime.now();
                    self.step = Step::Finish;
                    Ok(Flow::Again)
                }
                Poll::Ready(Err(_)) => Err(Over::Close(By::Client)),
                Poll::Pending => {
                    let left = socket.outbox.len();
                    if left < *before {
                        *before = left;
                        self.since = runtime.now();
                    }
                    Ok(Flow::Wait)
                }
            },
            // Without a timeout nobody waits (as in Envoy).
            Step::Finish if self.timeout.is_none() => Err(Over::Close(By::Us)),
            Step::Finish => match socket.io.poll_shutdown(cx) {
                Poll::Ready(Ok(())) => {
                    self.step = Step::Discard(DISCARD);
                    Ok(Flow::Again)
                }
                Poll::Ready(Err(_)) => Err(Over::Close(By::Client)),
                Poll::Pending => Ok(Flow::Wait),
            },
            Step::Discard(left) => match socket.poll_discard(cx) {
                Poll::Ready(Ok(0) | Err(_)) => Err(Over::Close(By::Client)),
                Poll::Ready(Ok(n)) if n < *left => {
                    *left -= n;
                    Ok(Flow::Again)
                }
                Poll::Ready(Ok(_)) => {
                    self.step = Step::Wait;
                    Ok(Flow::Again)
                }
                Poll::Pending => Ok(Flow::Wait),
            },
            Step::Wait => Ok(Flow::Wait),
        }
    }
}
