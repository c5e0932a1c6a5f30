//! Ends of exchanges and connections, regular and other.

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};

use super::closing::Closing;
use super::connection::{Content, Flow, Inner, Over, Stage};
use super::counters::{add, count};
use super::house::{By, During};
use super::incoming::IncomingError;
use super::local_reply::{Known, LocalReply, compose};
use super::report::{Outcome, Reason, Report};
use super::service::{BoxError, HttpService};
use crate::runtime::Runtime;
use crate::wire::h1::{BodyLength, Error as WireError, ResponseHead, SendError};

impl<R: Runtime, I, S: HttpService<I>> Inner<R, I, S> {
    /// The exchange, if there is one, has ended so: counts it, and tells whoever asks. What the
    /// service had of it is dropped after this, so that it finds the report.
    pub(super) fn conclude(&mut self, outcome: Outcome) {
        if !self.tally.is_open() {
            return;
        }
        let report = self.count_end(outcome);
        self.link.close(report);
    }

    /// As [`conclude`](Self::conclude), for an exchange whose connection is handed over.
    pub(super) fn settle(&mut self, outcome: Outcome) {
        let report = self.count_end(outcome);
        self.link.settle(report);
    }

    fn count_end(&mut self, outcome: Outcome) -> Option<Report> {
        self.tally.close();
        let counters = &self.place.house().counters;
        count(&counters.completed);
        match outcome {
            Outcome::Complete | Outcome::Upgraded => {}
            Outcome::ClientGone => count(&counters.rx_reset),
            Outcome::Cut => count(&counters.tx_reset),
            Outcome::Stopped(reason) => {
                counters.stopped(reason);
                if matches!(self.stage, Stage::Sending | Stage::Flushing) {
                    count(&counters.tx_reset);
                }
            }
        }
        self.count_traffic();
        // The clock is read for those only who asked for a handle.
        self.link.is_watched().then(|| {
            let now = self.runtime.now();
            self.idle_since = Some(now);
            self.tally.report(outcome, now)
        })
    }

    /// Bytes of the socket that were not counted yet.
    pub(super) fn count_traffic(&mut self) {
        let traffic = std::mem::take(&mut self.socket.traffic);
        let counters = &self.place.house().counters;
        if traffic.read > 0 {
            add(&counters.rx_bytes, traffic.read);
        }
        if traffic.written > 0 {
            add(&counters.tx_bytes, traffic.written);
        }
    }

    /// The connection ends, and with it what is in progress.
    pub(super) fn leave(&mut self, by: By) {
        if self.tally.is_open() {
            self.place.leaves.during = During::Exchange;
        }
        self.conclude(match by {
            By::Us => Outcome::Cut,
            By::Client => Outcome::ClientGone,
        });
        self.count_traffic();
        self.place.leaves.by = by;
        self.place.leaves.after = Some(self.runtime.now().since(self.accepted));
    }

    /// Answers a request that broke the protocol, as far as that can be, and closes.
    pub(super) fn refuse(&mut self, error: WireError) -> Result<Flow, Over> {
        tracing::debug!(peer = %self.peer, %error, "request refused");
        self.link.fail(IncomingError::Protocol(error));
        if matches!(error, WireError::Eof(_)) {
            return Err(Over::Close(By::Client));
        }
        self.reject(Reason::Protocol(error), error.status().unwrap_or(StatusCode::BAD_REQUEST));
        Ok(self.close())
    }

    /// The last response of a connection whose protocol machine has no request that it could answer.
    pub(super) fn reject(&mut self, reason: Reason, status: StatusCode) {
        let known = if self.tally.is_open() { Known::ToService } else { Known::Here };
        if self.tally.status.is_none() || known == Known::Here {
            let reply = LocalReply { reason, peer: self.peer, request: None, known };
            let response = compose(status, &reply, self.place.house().options.hook.as_ref());
            let head = ResponseHead { status: response.status(), headers: response.headers() };
            let socket = &mut self.socket;
            let before = socket.outbox.len();
            let sent = match socket.wire.send_refusal_with(head, response.body(), &mut socket.outbox) {
                Ok(()) | Err(SendError::Busy) => Ok(()),
                Err(error) => {
                    tracing::warn!(%error, "local reply cannot be sent as it was changed");
                    let plain = ResponseHead { status, headers: &HeaderMap::new() };
                    socket.wire.send_refusal_with(plain, &[], &mut socket.outbox)
                }
            };
            if sent.is_ok() && socket.outbox.len() > before {
                let content = response.body().len();
                let head = (socket.outbox.len() - before).saturating_sub(content);
                self.tally.head_sent(head, Some(response.status()));
                self.tally.sent.content += content as u64;
            }
        }
        if known == Known::Here {
            self.place.house().counters.stopped(reason);
        }
        self.abandon(Outcome::Stopped(reason));
    }

    /// The server ends an exchange in the service's stead: with a response of its own if none has
    /// begun, else by cutting the connection. `head` is the request's, if the service has not got it.
    pub(super) fn stop(&mut self, reason: Reason, head: Option<&Request<()>>) -> Result<Flow, Over> {
        if self.tally.status.is_some() {
            self.place.leaves.during = During::Exchange;
            self.conclude(Outcome::Stopped(reason));
            return Err(Over::Close(By::Us));
        }
        let status = match (reason, self.content) {
            (Reason::Http10, _) => StatusCode::UPGRADE_REQUIRED,
            (Reason::Service, _) => StatusCode::INTERNAL_SERVER_ERROR,
            (Reason::Protocol(_), _) => StatusCode::BAD_REQUEST,
            (
                Reason::HeadersTimeout
                | Reason::StreamIdleTimeout
                | Reason::RequestTimeout
                | Reason::MaxStreamDuration,
                content,
            ) => match content {
                Content::Open => StatusCode::REQUEST_TIMEOUT,
                Content::Read => StatusCode::GATEWAY_TIMEOUT,
            },
        };
        if self.content == Content::Open {
            self.socket.wire.close_after();
        }
        let known = if head.is_some() { Known::Here } else { Known::ToService };
        let reply = LocalReply { reason, peer: self.peer, request: head, known };
        let response = compose(status, &reply, self.place.house().options.hook.as_ref());
        if let Err(error) = self.send_whole(&response) {
            tracing::warn!(%error, "local reply cannot be sent as it was changed");
            let mut plain = Response::new(Bytes::new());
            *plain.status_mut() = status;
            if let Err(error) = self.send_whole(&plain) {
                tracing::debug!(%error, "no answer either");
                self.abandon(Outcome::Stopped(reason));
                return Ok(self.close());
            }
        }
        self.abandon(Outcome::Stopped(reason));
        if self.socket.wire.keeps_alive() {
            self.pace.spare(&self.place.house().options);
            self.stage = Stage::Flushing;
            return Ok(Flow::Again);
        }
        Ok(self.close())
    }

    /// Writes a response that is all there.
    fn send_whole(&mut self, response: &Response<Bytes>) -> Result<(), SendError> {
        let socket = &mut self.socket;
        let before = socket.outbox.len();
        let head = ResponseHead { status: response.status(), headers: response.headers() };
        let body = response.body();
        socket.wire.send_response(head, BodyLength::Known(body.len() as u64), &mut socket.outbox)?;
        self.tally.head_sent(socket.outbox.len() - before, Some(response.status()));
        // Nothing to HEAD.
        if socket.wire.wants_data() {
            socket.wire.send_data(body.clone(), &mut socket.outbox)?;
            self.tally.sent.content += body.len() as u64;
        }
        Ok(())
    }

    /// The service gave no response that could be sent: 500, and the end of the connection.
    pub(super) fn fail(&mut self, error: &BoxError) -> Result<Flow, Over> {
        tracing::debug!(%error, "service failed");
        self.socket.wire.close_after();
        self.stop(Reason::Service, None)
    }

    /// A response that cannot be completed: closing without its end tells the client.
    pub(super) fn break_off(&mut self, error: &BoxError) -> Over {
        tracing::debug!(%error, "response broke off");
        self.place.leaves.during = During::Exchange;
        self.conclude(Outcome::Stopped(Reason::Service));
        Over::Close(By::Us)
    }

    /// Drops what the service was doing.
    fn abandon(&mut self, outcome: Outcome) {
        self.conclude(outcome);
        self.request = None;
        self.call.set(None);
        self.body.set(None);
        self.content = Content::Read;
    }

    /// Closes in the way of RFC 9112 9.6, so that what was written can be read.
    pub(super) fn close(&mut self) -> Flow {
        let closing = Closing::new(self.place.house().options.delayed_close_timeout, self.runtime.now());
        self.stage = Stage::Closing(closing);
        Flow::Again
    }
}
