//! One request on its way: chooses, waits, sends, repeats what may be repeated, answers.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response, request};
use http_body::Body as HttpBody;

use super::adopted::Nursery;
use super::attempt::{Attempt, Fault};
use super::body::Body;
use super::conn::{Conn, Idle};
use super::error::{BodyError, Error, ErrorKind};
use super::info::ConnectionInfo;
use super::origin::Origin;
use super::request_body::{RemakeBody, RequestBody};
use super::shared::{Entry, Shared};
use super::state::{Outcome, Ticket};
use crate::error::{PoolFailure, Verdict};
use crate::exchange::{Exchange, Next, Repeatable, Usage};
use crate::id::PoolId;
use crate::runtime::{Connect, Runtime};
use crate::wire::h1::{BodyKind, Event, RequestHead, TargetForm};

/// The future of a response. Dropping it gives the request up at any moment; its connection goes
/// back to the pool if nothing was written, and is closed otherwise.
#[must_use = "a call does nothing until it is polled"]
pub struct Call<R: Runtime, C: Connect, B> {
    shared: Arc<Shared<R, C>>,
    nursery: Arc<Nursery<R, C, B>>,
    head: request::Parts,
    /// While no attempt has it.
    body: RequestBody<B>,
    exchange: Exchange,
    stage: Stage<R, C, B>,
    span: tracing::Span,
}

enum Stage<R: Runtime, C: Connect, B> {
    /// Asks a pool at the next poll.
    Choosing(Entry),
    /// Waits in a pool's queue.
    Queued(Ticket),
    /// Waits before it asks again.
    BackingOff(Pin<Box<R::Sleep>>),
    /// Has a connection.
    Bound { attempt: Attempt<R, C, B>, pool: PoolId },
    /// Gave its outcome.
    Done,
}

impl<R, C, B> Call<R, C, B>
where
    R: Runtime,
    C: Connect,
    B: HttpBody + Unpin,
    B::Error: Into<BodyError>,
{
    pub(crate) fn new(shared: Arc<Shared<R, C>>, nursery: Arc<Nursery<R, C, B>>, request: Request<B>) -> Self
    where
        B: 'static,
    {
        let (mut head, body) = request.into_parts();
        let remake =
            if head.extensions.is_empty() { None } else { head.extensions.remove::<RemakeBody<B>>() };
        let options = &shared.options;
        let seed = options.seed ^ shared.next_serial();
        let exchange = Exchange::new(Repeatable::from(&head.method), options.retry, seed);
        let span = tracing::debug_span!("request", method = %head.method, uri = %head.uri);
        let body = RequestBody::new(body, remake, options.replay_limit);
        Self { shared, nursery, head, body, exchange, stage: Stage::Choosing(Entry::New), span }
    }

    /// Asks for a connection. Connections that turn out to be dead before a byte was written do not
    /// count as attempts.
    #[inline]
    fn choose(&mut self, cx: &mut Context<'_>, mut entry: Entry) -> Result<(), Error> {
        let origin = Origin::of(&self.head.uri)
            .map_err(|fault| Error::new(ErrorKind::Origin(fault), Verdict::NeverSent))?;
        loop {
            let now = self.shared.runtime.now();
            match self.shared.acquire(now, &origin, entry) {
                Outcome::Bound(conn) => {
                    let pool = conn.place().pool;
                    if let Some(conn) = alive(&self.shared, cx, conn) {
                        self.exchange.handle_bound(now, conn.usage);
                        self.bind(conn, pool);
                        return Ok(());
                    }
                    entry = Entry::Again { pool, deadline: None };
                }
                Outcome::Queued(ticket) => {
                    let deadline = self.shared.options.pool.pending_timeout().map(|limit| now + limit);
                    self.exchange.handle_queued(now, deadline);
                    self.stage = Stage::Queued(ticket);
                    return Ok(());
                }
                Outcome::Failed(failure, cause) => return self.unbound(failure, cause),
                Outcome::Closed => return Err(Error::new(ErrorKind::Closed, Verdict::NeverSent)),
            }
        }
    }

    /// Starts an attempt on a connection.
    #[inline]
    fn bind(&mut self, conn: Box<Conn<C::Io>>, pool: PoolId) {
        let body = self.body.take();
        self.stage = Stage::Bound { attempt: Attempt::new(self.shared.clone(), conn, body), pool };
    }

    /// The queue has an outcome.
    fn dequeued(
        &mut self,
        cx: &mut Context<'_>,
        ticket: Ticket,
        outcome: Outcome<C::Io>,
    ) -> Result<(), Error> {
        match outcome {
            Outcome::Bound(conn) => match alive(&self.shared, cx, conn) {
                Some(conn) => {
                    self.exchange.handle_bound(self.shared.runtime.now(), conn.usage);
                    self.bind(conn, ticket.pool);
                }
                None => self.stage = Stage::Choosing(Entry::Again { pool: ticket.pool, deadline: None }),
            },
            Outcome::Failed(failure, cause) => return self.unbound(failure, cause),
            Outcome::Queued(ticket) => self.stage = Stage::Queued(ticket),
            Outcome::Closed => return Err(Error::new(ErrorKind::Closed, Verdict::NeverSent)),
        }
        Ok(())
    }

    /// The pool gave the request back.
    #[cold]
    fn unbound(&mut self, failure: PoolFailure, cause: Option<Arc<io::Error>>) -> Result<(), Error> {
        match self.exchange.handle_pool_failure(self.shared.runtime.now(), failure) {
            Next::RetryAt(at) => {
                tracing::debug!(%failure, "retry after a back-off");
                self.stage = Stage::BackingOff(Box::pin(self.shared.runtime.sleep(at)));
            }
            Next::Requeue { deadline: _ } => self.stage = Stage::Choosing(Entry::New),
            Next::Fail(verdict) => {
                // Only a failed connect has the transport's words.
                let cause = if failure == PoolFailure::Overflow { None } else { cause };
                return Err(Error::new(ErrorKind::Pool(failure), verdict).caused_by(cause));
            }
        }
        Ok(())
    }

    /// The exchange broke on its connection; its body is back.
    #[cold]
    fn broke(&mut self, fault: Fault, pool: PoolId) -> Result<(), Error> {
        let Fault { kind, progress } = fault;
        let final_fault =
            matches!(kind, ErrorKind::Request(_) | ErrorKind::RequestBody(_) | ErrorKind::ClosedByPool);
        if final_fault {
            self.exchange.handle_done();
            return Err(Error::new(kind, crate::exchange::verdict(progress, Usage::Fresh)));
        }
        match self.exchange.handle_attempt_failed(progress, None, self.body.replay()) {
            Next::Requeue { deadline } => {
                tracing::debug!(%kind, "replay");
                self.body.rewind();
                self.stage = Stage::Choosing(Entry::Again { pool, deadline });
            }
            Next::RetryAt(at) => {
                self.stage = Stage::BackingOff(Box::pin(self.shared.runtime.sleep(at)));
            }
            Next::Fail(verdict) => return Err(Error::new(kind, verdict)),
        }
        Ok(())
    }

    /// One step from where it stands; `None` if there is more to do at once.
    #[inline]
    fn step(&mut self, cx: &mut Context<'_>) -> Poll<Option<Answer<R, C, B>>> {
        let moved = match &mut self.stage {
            Stage::Bound { attempt, pool } => {
                let pool = *pool;
                let head = RequestHead {
                    method: &self.head.method,
                    uri: &self.head.uri,
                    form: TargetForm::Origin,
                    headers: &self.head.headers,
                };
                match ready!(attempt.poll_event(cx, Some(head))) {
                    Ok(Event::Head(mut response, kind)) => {
                        self.exchange.handle_done();
                        response.extensions_mut().insert(ConnectionInfo::new(
                            attempt.serial(),
                            attempt.usage(),
                            self.exchange.queue_time(),
                            self.exchange.replays(),
                            self.exchange.retries(),
                        ));
                        // A response that is all here leaves nothing of its attempt to move out.
                        let read = if kind == BodyKind::Tunnel { None } else { attempt.take_read() };
                        let body = match read {
                            Some(read) => Body::of_read(read, kind),
                            None => Body::of_live(attempt.take(), kind, &self.nursery),
                        };
                        self.stage = Stage::Done;
                        return Poll::Ready(Some(Ok(response.map(|()| body))));
                    }
                    // Interim responses ask for nothing here: the body is sent unasked.
                    Ok(_) => Ok(()),
                    Err(fault) => {
                        self.body = attempt.take_body();
                        self.stage = Stage::Done;
                        self.broke(fault, pool)
                    }
                }
            }
            Stage::Choosing(entry) => {
                let entry = *entry;
                self.choose(cx, entry)
            }
            Stage::Queued(ticket) => {
                let ticket = *ticket;
                let Some(outcome) = self.shared.poll_ticket(ticket, cx.waker()) else {
                    return Poll::Pending;
                };
                // The ticket is used up, whatever follows.
                self.stage = Stage::Done;
                self.dequeued(cx, ticket, outcome)
            }
            Stage::BackingOff(sleep) => {
                ready!(sleep.as_mut().poll(cx));
                self.exchange.handle_back_off_over();
                self.stage = Stage::Choosing(Entry::New);
                Ok(())
            }
            Stage::Done => return Poll::Pending,
        };
        Poll::Ready(match moved {
            Ok(()) => None,
            Err(error) => {
                self.stage = Stage::Done;
                Some(Err(error))
            }
        })
    }
}

/// What a call gives.
type Answer<R, C, B> = Result<Response<Body<R, C, B>>, Error>;

/// The connection, unless its socket has already said that it is over.
fn alive<R: Runtime, C: Connect>(
    shared: &Shared<R, C>,
    cx: &mut Context<'_>,
    mut conn: Box<Conn<C::Io>>,
) -> Option<Box<Conn<C::Io>>> {
    if !conn.leash.is_listed() {
        return Some(conn);
    }
    match conn.probe(cx) {
        Idle::Quiet => Some(conn),
        Idle::Over(report, by) => {
            shared.bury(shared.runtime.now(), conn, None, report, by);
            None
        }
    }
}

impl<R, C, B> Future for Call<R, C, B>
where
    R: Runtime,
    C: Connect,
    B: HttpBody + Unpin,
    B::Error: Into<BodyError>,
{
    type Output = Answer<R, C, B>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        // A span that nobody subscribed to is not worth a clone.
        let span = if this.span.is_disabled() { tracing::Span::none() } else { this.span.clone() };
        let _entered = span.enter();
        loop {
            if let Some(answer) = ready!(this.step(cx)) {
                return Poll::Ready(answer);
            }
        }
    }
}

impl<R: Runtime, C: Connect, B> Drop for Call<R, C, B> {
    fn drop(&mut self) {
        if let Stage::Queued(ticket) = self.stage {
            self.shared.cancel(self.shared.runtime.now(), ticket);
        }
    }
}
