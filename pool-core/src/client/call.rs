//! One request on its way: chooses, waits, sends, repeats what may be repeated, answers.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

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
use crate::exchange::{Exchange, Next, Progress, Repeatable, Usage};
use crate::runtime::{Connect, Runtime};
use crate::time::Instant;
use crate::wire::h1::{BodyKind, Event, RequestHead, TargetForm};

/// The future of a response. Dropping it gives the request up at any moment; its connection goes
/// back to the pool if nothing was written, and is closed otherwise.
#[must_use = "a call does nothing until it is polled"]
pub struct Call<R: Runtime, C: Connect, B> {
    shared: Arc<Shared<R, C>>,
    nursery: Arc<Nursery<R, C, B>>,
    head: request::Parts,
    exchange: Exchange,
    stage: Stage<R, C, B>,
    span: tracing::Span,
}

enum Stage<R: Runtime, C: Connect, B> {
    /// Asks a pool at the next poll.
    Choosing { body: RequestBody<B>, entry: Entry },
    /// Waits in a pool's queue.
    Queued { body: RequestBody<B>, ticket: Ticket },
    /// Waits before it asks again.
    BackingOff { body: RequestBody<B>, sleep: Pin<Box<R::Sleep>> },
    /// Has a connection.
    Bound { attempt: Attempt<R, C, B> },
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
        Self { shared, nursery, head, exchange, stage: Stage::Choosing { body, entry: Entry::New }, span }
    }

    /// Asks for a connection. Connections that turn out to be dead before a byte was written do not
    /// count as attempts.
    fn choose(
        &mut self,
        cx: &mut Context<'_>,
        body: RequestBody<B>,
        mut entry: Entry,
    ) -> Result<Stage<R, C, B>, Error> {
        let origin = Origin::of(&self.head.uri)
            .map_err(|fault| Error::new(ErrorKind::Origin(fault), Verdict::NeverSent))?;
        loop {
            let now = self.shared.runtime.now();
            match self.shared.acquire(now, &origin, entry) {
                Outcome::Bound(conn) => match probe(&self.shared, cx, conn) {
                    Probed::Alive(conn) => return Ok(self.bound(now, conn, body)),
                    Probed::DeadWhileIdle => {
                        entry = Entry::Again { deadline: self.exchange.queue_deadline() };
                    }
                    Probed::DeadOnArrival => {
                        return self.unbound(PoolFailure::RemoteConnectionFailure, None, body);
                    }
                },
                Outcome::Queued(ticket) => {
                    let deadline = match entry {
                        Entry::Again { deadline: Some(deadline) } => Some(deadline),
                        Entry::New | Entry::Again { deadline: None } => {
                            self.shared.options.pool.pending_timeout().map(|limit| now + limit)
                        }
                    };
                    self.exchange.handle_queued(now, deadline);
                    return Ok(Stage::Queued { body, ticket });
                }
                Outcome::Failed(failure, cause) => return self.unbound(failure, cause, body),
                Outcome::Closed => return Err(Error::new(ErrorKind::Closed, self.exchange.verdict())),
            }
        }
    }

    /// A connection is the request's own.
    fn bound(&mut self, now: Instant, conn: Box<Conn<C::Io>>, body: RequestBody<B>) -> Stage<R, C, B> {
        self.exchange.handle_bound(now, conn.usage);
        Stage::Bound { attempt: Attempt::new(self.shared.clone(), conn, body) }
    }

    /// The pool gave the request back.
    fn unbound(
        &mut self,
        failure: PoolFailure,
        cause: Option<Arc<io::Error>>,
        body: RequestBody<B>,
    ) -> Result<Stage<R, C, B>, Error> {
        match self.exchange.handle_pool_failure(self.shared.runtime.now(), failure) {
            Next::RetryAt(at) => {
                tracing::debug!(%failure, "retry after a back-off");
                Ok(Stage::BackingOff { body, sleep: Box::pin(self.shared.runtime.sleep(at)) })
            }
            Next::Requeue { deadline: _ } => Ok(Stage::Choosing { body, entry: Entry::New }),
            Next::Fail(verdict) => {
                // Only a failed connect has the transport's words.
                let cause = match failure {
                    PoolFailure::LocalConnectionFailure | PoolFailure::RemoteConnectionFailure => cause,
                    PoolFailure::Overflow | PoolFailure::ConnectTimeout | PoolFailure::PendingTimeout => None,
                };
                Err(Error::new(ErrorKind::Pool(failure), verdict).caused_by(cause))
            }
        }
    }

    /// The exchange broke on its connection.
    fn broke(&mut self, fault: Fault, mut body: RequestBody<B>) -> Result<Stage<R, C, B>, Error> {
        let Fault { kind, progress } = fault;
        let final_fault =
            matches!(kind, ErrorKind::Request(_) | ErrorKind::RequestBody(_) | ErrorKind::ClosedByPool);
        if final_fault {
            self.exchange.handle_done();
            return Err(Error::new(kind, crate::exchange::verdict(progress, Usage::Fresh)));
        }
        match self.exchange.handle_attempt_failed(progress, None, body.replay()) {
            Next::Requeue { deadline } => {
                tracing::debug!(%kind, "replay");
                body.rewind();
                // Connections that are kept alive die together: when their server goes. The last
                // replay is not left to one of which that is only not known yet.
                let is_last = self.exchange.replays() == self.shared.options.retry.max_replays;
                if let (true, Progress::RequestSent, Ok(origin)) =
                    (is_last, progress, Origin::of(&self.head.uri))
                {
                    self.shared.retire_idle(self.shared.runtime.now(), &origin);
                }
                Ok(Stage::Choosing { body, entry: Entry::Again { deadline } })
            }
            Next::RetryAt(at) => {
                Ok(Stage::BackingOff { body, sleep: Box::pin(self.shared.runtime.sleep(at)) })
            }
            Next::Fail(verdict) => Err(Error::new(kind, verdict)),
        }
    }

    /// The head of the final response is here.
    fn answer(
        &mut self,
        response: Response<()>,
        kind: BodyKind,
        attempt: Attempt<R, C, B>,
    ) -> Response<Body<R, C, B>> {
        self.exchange.handle_done();
        let mut response = response;
        response.extensions_mut().insert(ConnectionInfo::new(
            attempt.serial(),
            attempt.usage(),
            self.exchange.queue_time(),
            self.exchange.replays(),
            self.exchange.retries(),
        ));
        response.map(|()| Body::new(attempt, kind, &self.nursery))
    }
}

/// What a look at the socket of a bound connection found, before a byte was written.
enum Probed<I> {
    Alive(Box<Conn<I>>),
    /// The peer closed a connection that had served before: asking again costs nothing, because
    /// there are only so many of them.
    DeadWhileIdle,
    /// The peer closed it before its first request: a connect failure as far as this request goes.
    DeadOnArrival,
}

/// Looks at a socket that nobody has looked at since it was connected, or that had an event since.
fn probe<R: Runtime, C: Connect>(
    shared: &Shared<R, C>,
    cx: &mut Context<'_>,
    mut conn: Box<Conn<C::Io>>,
) -> Probed<C::Io> {
    let usage = conn.usage;
    if usage == Usage::Reused && !conn.leash.is_listed() {
        return Probed::Alive(conn);
    }
    match conn.probe(cx) {
        Idle::Quiet => Probed::Alive(conn),
        Idle::Over(report, by) => {
            shared.bury(shared.runtime.now(), conn, None, report, by);
            match usage {
                Usage::Reused => Probed::DeadWhileIdle,
                Usage::Fresh => Probed::DeadOnArrival,
            }
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
    type Output = Result<Response<Body<R, C, B>>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let span = this.span.clone();
        let _entered = span.enter();
        loop {
            let next = match std::mem::replace(&mut this.stage, Stage::Done) {
                Stage::Choosing { body, entry } => this.choose(cx, body, entry),
                Stage::Queued { body, ticket } => match this.shared.poll_ticket(ticket, cx.waker()) {
                    None => {
                        this.stage = Stage::Queued { body, ticket };
                        return Poll::Pending;
                    }
                    Some(Outcome::Bound(conn)) => match probe(&this.shared, cx, conn) {
                        Probed::Alive(conn) => Ok(this.bound(this.shared.runtime.now(), conn, body)),
                        Probed::DeadWhileIdle => {
                            let entry = Entry::Again { deadline: this.exchange.queue_deadline() };
                            Ok(Stage::Choosing { body, entry })
                        }
                        Probed::DeadOnArrival => {
                            this.unbound(PoolFailure::RemoteConnectionFailure, None, body)
                        }
                    },
                    Some(Outcome::Failed(failure, cause)) => this.unbound(failure, cause, body),
                    Some(Outcome::Queued(ticket)) => Ok(Stage::Queued { body, ticket }),
                    Some(Outcome::Closed) => Err(Error::new(ErrorKind::Closed, this.exchange.verdict())),
                },
                Stage::BackingOff { body, mut sleep } => {
                    if sleep.as_mut().poll(cx).is_pending() {
                        this.stage = Stage::BackingOff { body, sleep };
                        return Poll::Pending;
                    }
                    this.exchange.handle_back_off_over();
                    Ok(Stage::Choosing { body, entry: Entry::New })
                }
                Stage::Bound { mut attempt } => {
                    let head = RequestHead {
                        method: &this.head.method,
                        uri: &this.head.uri,
                        form: TargetForm::Origin,
                        headers: &this.head.headers,
                    };
                    match attempt.poll_event(cx, Some(head)) {
                        Poll::Pending => {
                            this.stage = Stage::Bound { attempt };
                            return Poll::Pending;
                        }
                        Poll::Ready(Ok(Event::Head(response, kind))) => {
                            return Poll::Ready(Ok(this.answer(response, kind, attempt)));
                        }
                        // Interim responses ask for nothing here: the body is sent unasked.
                        Poll::Ready(Ok(_)) => Ok(Stage::Bound { attempt }),
                        Poll::Ready(Err(fault)) => {
                            let body = attempt.into_body();
                            this.broke(fault, body)
                        }
                    }
                }
                Stage::Done => return Poll::Pending,
            };
            match next {
                Ok(stage) => this.stage = stage,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl<R: Runtime, C: Connect, B> Drop for Call<R, C, B> {
    fn drop(&mut self) {
        if let Stage::Queued { ticket, .. } = self.stage {
            self.shared.cancel(self.shared.runtime.now(), ticket);
        }
    }
}
