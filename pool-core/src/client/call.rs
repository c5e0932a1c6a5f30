//! One request on its way: chooses, waits, sends, repeats what may be repeated, answers.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, Response, request};
use http_body::Body as HttpBody;

use super::adopted::Nursery;
use super::attempt::{Attempt, Fault};
use super::body::Body;
use super::cluster::Cluster;
use super::conn::{Conn, Idle};
use super::error::{BodyError, Error, ErrorKind, OriginFault};
use super::info::{CallInfo, Carried, ConnectionInfo};
use super::line::Path;
use super::options::Options;
use super::origin::Origin;
use super::policy::{CallPolicy, Rewrite};
use super::request_body::{RemakeBody, RequestBody};
use super::retry_seat::RetrySeat;
use super::shared::{Entry, Shared};
use super::state::{Outcome, Ticket};
use crate::error::{PoolFailure, Verdict};
use crate::exchange::{Exchange, Next, Progress, Repeatable, RetryDenied, RetryPolicy, Usage};
use crate::report::{ClosedBy, Report};
use crate::runtime::worker::keep_map;
use crate::runtime::{Connect, Runtime};
use crate::time::Instant;
use crate::wire::h1::{BodyKind, Event, RequestHead, TargetForm};

/// What a client lends to its calls, behind one pointer: counting references costs.
pub(crate) struct Core<R: Runtime, C: Connect, B> {
    pub(crate) shared: Arc<Shared<R, C>>,
    pub(crate) nursery: Arc<Nursery<R, C, B>>,
}

/// The future of a response. Dropping it gives the request up at any moment; its connection goes
/// back to the pool if nothing was written, and is closed otherwise.
#[must_use = "a call does nothing until it is polled"]
pub struct Call<R: Runtime, C: Connect, B> {
    core: Arc<Core<R, C, B>>,
    head: request::Parts,
    /// While no attempt has it.
    body: RequestBody<B>,
    exchange: Exchange,
    /// Unique within the client.
    number: u64,
    route: Route,
    /// The connection of the last attempt.
    carried: Option<Carried>,
    /// When the response was complete, if that was before its head was given out.
    completed_at: Option<Instant>,
    /// When it is polled first, if the caller knows.
    begins_at: Option<Instant>,
    /// While a retry is under way.
    retrying: Option<RetrySeat>,
    stage: Stage<R, C, B>,
    span: tracing::Span,
}

/// Who says where the request goes.
enum Route {
    /// Its URI.
    Url,
    /// The balancer of a cluster.
    Cluster(Path),
}

/// An answer of the peer.
pub enum Answered<R: Runtime, C: Connect, B> {
    /// An interim response (1xx but 101); more follows.
    Interim(Response<()>),
    /// The response. Nothing follows.
    Final(Response<Body<R, C, B>>),
}

enum Stage<R: Runtime, C: Connect, B> {
    /// Asks a pool at the next poll.
    Choosing(Entry),
    /// Waits in a pool's queue.
    Queued(Ticket),
    /// Waits before it asks again.
    BackingOff(Pin<Box<R::Sleep>>),
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
    /// A request to the origin that its URI names.
    pub(crate) fn to_url(core: Arc<Core<R, C, B>>, request: Request<B>) -> Self
    where
        B: 'static,
    {
        let Options { retry, replay_limit, .. } = core.shared.options;
        Self::new(core, request, Route::Url, retry, replay_limit)
    }

    /// A request to a host of a cluster.
    pub(crate) fn to_cluster(
        core: Arc<Core<R, C, B>>,
        cluster: &Cluster,
        policy: &CallPolicy,
        request: Request<B>,
    ) -> Self
    where
        B: 'static,
    {
        let CallPolicy { retry, priority, replay_limit, rewrite } = *policy;
        let line = core.shared.line(cluster.inner());
        let path = Path { line, host: None, priority, rewrite };
        Self::new(core, request, Route::Cluster(path), retry, replay_limit)
    }

    fn new(
        core: Arc<Core<R, C, B>>,
        request: Request<B>,
        route: Route,
        retry: RetryPolicy,
        replay_limit: usize,
    ) -> Self
    where
        B: 'static,
    {
        let (mut head, body) = request.into_parts();
        let remake =
            if head.extensions.is_empty() { None } else { head.extensions.remove::<RemakeBody<B>>() };
        let number = core.shared.next_serial();
        let seed = core.shared.options.seed ^ number;
        let exchange = Exchange::new(Repeatable::from(&head.method), retry, seed);
        let span = tracing::debug_span!("request", method = %head.method, uri = %head.uri);
        let keep = if exchange.may_replay() { replay_limit } else { 0 };
        let body = RequestBody::new(body, remake, keep);
        let stage = Stage::Choosing(Entry::New);
        Self {
            core,
            head,
            body,
            exchange,
            number,
            route,
            carried: None,
            completed_at: None,
            begins_at: None,
            retrying: None,
            stage,
            span,
        }
    }

    /// Takes the caller's word for the time of the first poll, by the clock of the client's runtime: who
    /// has just looked at it spares the call a look.
    pub fn set_begin(&mut self, now: Instant) {
        self.begins_at = Some(now);
    }

    /// What is known of the call so far; complete once it has its response or has failed.
    pub fn info(&self) -> CallInfo<'_> {
        let host = match &self.route {
            Route::Url => None,
            Route::Cluster(path) => path.host.as_ref().map(|local| &local.host),
        };
        CallInfo::new(self.number, host, self.carried.as_ref(), self.completed_at, &self.exchange)
    }

    /// The next answer of the peer. As a future a call passes interim responses over.
    ///
    /// # Errors
    /// As awaiting the call. After an error or the final response it is never ready again.
    pub fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Result<Answered<R, C, B>, Error>> {
        let span = self.entered();
        let _entered = span.enter();
        let mut interim = None;
        loop {
            let answer = ready!(self.step(cx, &mut interim));
            if let Some(interim) = interim {
                return Poll::Ready(Ok(Answered::Interim(interim)));
            }
            if let Some(answer) = answer {
                return Poll::Ready(answer.map(Answered::Final));
            }
        }
    }

    /// A span that nobody subscribed to is not worth a clone.
    #[inline]
    fn entered(&self) -> tracing::Span {
        if self.span.is_disabled() { tracing::Span::none() } else { self.span.clone() }
    }

    fn acquire(&mut self, now: Instant, entry: Entry) -> Result<Outcome<C::Io>, OriginFault> {
        let shared = &self.core.shared;
        Ok(match &mut self.route {
            Route::Url => shared.acquire(now, &Origin::of(&self.head.uri)?, entry, self.number),
            Route::Cluster(path) => shared.acquire_in(now, path, entry, self.number),
        })
    }

    /// How long it may be queued.
    fn pending_timeout(&self) -> Option<Duration> {
        match &self.route {
            Route::Url => self.core.shared.options.pool.pending_timeout(),
            Route::Cluster(path) => path.line.cluster.pool.pending_timeout(),
        }
    }

    /// Asks for a connection. Connections that turn out to be dead before a byte was written do not
    /// count as attempts.
    #[inline]
    fn choose(&mut self, cx: &mut Context<'_>, mut entry: Entry) -> Result<(), Error> {
        loop {
            let now = self.begins_at.take().unwrap_or_else(|| self.core.shared.runtime.now());
            let outcome = self
                .acquire(now, entry)
                .map_err(|fault| Error::new(ErrorKind::Origin(fault), Verdict::NeverSent))?;
            match outcome {
                Outcome::Bound(conn) => match probe(&self.core.shared, cx, conn) {
                    Probed::Alive(conn) => {
                        self.bind(now, conn);
                        return Ok(());
                    }
                    Probed::DeadWhileIdle => {
                        entry = Entry::Again { deadline: self.exchange.queue_deadline() };
                    }
                    Probed::DeadOnArrival => {
                        return self.unbound(PoolFailure::RemoteConnectionFailure, None);
                    }
                },
                Outcome::Queued(ticket) => {
                    tracing::trace!(pool = ?ticket.pool, reason = ?ticket.reason, "queued");
                    let deadline = match entry {
                        Entry::Again { deadline: Some(deadline) } => Some(deadline),
                        Entry::New | Entry::Again { deadline: None } => {
                            self.pending_timeout().map(|limit| now + limit)
                        }
                    };
                    self.exchange.handle_queued(now, deadline);
                    self.stage = Stage::Queued(ticket);
                    return Ok(());
                }
                Outcome::Failed(failure, cause) => return self.unbound(failure, cause),
                Outcome::NoHost => return Err(self.refused(ErrorKind::NoHost)),
                Outcome::NoPool => return Err(self.refused(ErrorKind::NoPool)),
                Outcome::Closed => return Err(self.refused(ErrorKind::Closed)),
            }
        }
    }

    /// There is nothing to ask.
    #[cold]
    fn refused(&mut self, kind: ErrorKind) -> Error {
        let verdict = self.exchange.verdict();
        self.exchange.handle_done();
        Error::new(kind, verdict)
    }

    /// A connection is the request's own.
    #[inline]
    fn bind(&mut self, now: Instant, conn: Box<Conn<C::Io>>) {
        self.exchange.handle_bound(now, conn.usage);
        self.carried =
            Some(Carried { id: conn.serial, usage: conn.usage, addresses: conn.addresses.clone() });
        if let Route::Cluster(path) = &self.route {
            if path.rewrite != Rewrite::default() {
                let before = u32::from(self.exchange.replays()) + u32::from(self.exchange.retries());
                path.rewrite_head(&mut self.head.headers, before + 1);
            }
        }
        let body = self.body.take();
        self.stage = Stage::Bound { attempt: Attempt::new(self.core.shared.clone(), conn, body) };
    }

    /// The queue has an outcome.
    fn dequeued(&mut self, cx: &mut Context<'_>, outcome: Outcome<C::Io>) -> Result<(), Error> {
        match outcome {
            Outcome::Bound(conn) => match probe(&self.core.shared, cx, conn) {
                Probed::Alive(conn) => self.bind(self.core.shared.runtime.now(), conn),
                Probed::DeadWhileIdle => {
                    let deadline = self.exchange.queue_deadline();
                    self.stage = Stage::Choosing(Entry::Again { deadline });
                }
                Probed::DeadOnArrival => {
                    return self.unbound(PoolFailure::RemoteConnectionFailure, None);
                }
            },
            Outcome::Failed(failure, cause) => return self.unbound(failure, cause),
            Outcome::Queued(ticket) => self.stage = Stage::Queued(ticket),
            Outcome::NoHost => return Err(self.refused(ErrorKind::NoHost)),
            Outcome::NoPool => return Err(self.refused(ErrorKind::NoPool)),
            Outcome::Closed => return Err(self.refused(ErrorKind::Closed)),
        }
        Ok(())
    }

    /// The pool gave the request back.
    #[cold]
    fn unbound(&mut self, failure: PoolFailure, cause: Option<Arc<io::Error>>) -> Result<(), Error> {
        // Only a failed connect has the transport's words.
        let cause = match failure {
            PoolFailure::LocalConnectionFailure | PoolFailure::RemoteConnectionFailure => cause,
            PoolFailure::Overflow | PoolFailure::ConnectTimeout | PoolFailure::PendingTimeout => None,
        };
        let next = self.exchange.handle_pool_failure(self.core.shared.runtime.now(), failure);
        self.go_on(next, ErrorKind::Pool(failure), cause)
    }

    /// The exchange broke on its connection; its body is back.
    #[cold]
    fn broke(&mut self, fault: Fault) -> Result<(), Error> {
        let Fault { kind, progress } = fault;
        let final_fault =
            matches!(kind, ErrorKind::Request(_) | ErrorKind::RequestBody(_) | ErrorKind::ClosedByPool);
        if final_fault {
            self.exchange.handle_done();
            // An attempt before this one may have come further.
            let verdict = crate::exchange::verdict(progress, Usage::Fresh).max(self.exchange.verdict());
            return Err(Error::new(kind, verdict));
        }
        let now = self.core.shared.runtime.now();
        let next = self.exchange.handle_attempt_failed(now, progress, None, self.body.replay());
        self.core.shared.note_broken(self.number, progress, &next);
        if let Next::Requeue { .. } | Next::RetryAt(_) = next {
            self.body.rewind();
        }
        // Connections that are kept alive die together: when their server goes. The last replay is not
        // left to one of which that is only not known yet.
        if let Next::Requeue { .. } = next {
            if progress == Progress::RequestSent && !self.exchange.may_replay_again() {
                self.retire_idle();
            }
        }
        self.go_on(next, kind, None)
    }

    /// What follows from a failure.
    #[cold]
    fn go_on(&mut self, next: Next, kind: ErrorKind, cause: Option<Arc<io::Error>>) -> Result<(), Error> {
        let next = match next {
            // There is nothing to wait for.
            Next::RetryAt(_) if self.core.shared.is_closing() => {
                return Err(Error::new(ErrorKind::Closed, self.exchange.verdict()));
            }
            Next::RetryAt(at) => self.take_retry_seat(at),
            Next::Requeue { .. } | Next::Fail(_) => next,
        };
        match next {
            Next::Requeue { deadline } => {
                tracing::debug!(%kind, "replay");
                self.stage = Stage::Choosing(Entry::Again { deadline });
            }
            Next::RetryAt(at) => {
                tracing::debug!(%kind, "retry after a back-off");
                self.stage = Stage::BackingOff(Box::pin(self.core.shared.runtime.sleep(at)));
            }
            Next::Fail(verdict) => {
                self.retrying = None;
                if let (Route::Cluster(path), Some(RetryDenied::Exhausted)) =
                    (&self.route, self.exchange.retry_denied())
                {
                    path.line.cluster.counters.retry_limit_exceeded.count();
                }
                return Err(Error::new(kind, verdict).caused_by(cause));
            }
        }
        Ok(())
    }

    /// A retry of a cluster's request needs a seat. The retry before it, if there was one, is over.
    #[cold]
    fn take_retry_seat(&mut self, at: Instant) -> Next {
        let Route::Cluster(Path { line, priority, .. }) = &self.route else { return Next::RetryAt(at) };
        let counters = &line.cluster.counters;
        self.retrying = None;
        self.retrying = RetrySeat::take(&line.cluster, *priority);
        if self.retrying.is_none() {
            counters.retry_overflow.count();
            return self.exchange.handle_retry_refused();
        }
        counters.retry.count();
        Next::RetryAt(at)
    }

    /// A response to a retry came.
    #[cold]
    fn retry_succeeded(&mut self) {
        self.retrying = None;
        if let Route::Cluster(path) = &self.route {
            path.line.cluster.counters.retry_success.count();
        }
    }

    /// Takes idle connections of its pool out of service.
    #[cold]
    fn retire_idle(&self) {
        let shared = &self.core.shared;
        match &self.route {
            Route::Url => {
                if let Ok(origin) = Origin::of(&self.head.uri) {
                    shared.retire_idle(shared.runtime.now(), &origin.key());
                }
            }
            Route::Cluster(path) => {
                if let Some(local) = &path.host {
                    shared.retire_idle(shared.runtime.now(), &local.host.key(path.priority));
                }
            }
        }
    }

    /// One step from where it stands; `None` if there is more to do at once. An interim response is put
    /// beside: what is returned is moved often enough.
    #[inline]
    fn step(
        &mut self,
        cx: &mut Context<'_>,
        interim: &mut Option<Response<()>>,
    ) -> Poll<Option<Answer<R, C, B>>> {
        let moved = match &mut self.stage {
            Stage::Bound { attempt } => {
                let head = RequestHead {
                    method: &self.head.method,
                    uri: &self.head.uri,
                    form: TargetForm::Origin,
                    headers: &self.head.headers,
                };
                match ready!(attempt.poll_event(cx, Some(head))) {
                    Ok(Event::Head(mut response, kind)) => {
                        self.exchange.handle_done();
                        // The head will not be sent again.
                        keep_map(std::mem::take(&mut self.head.headers));
                        let status = response.status().as_u16();
                        self.core.shared.note_answered(self.number, status, attempt.conn_at_end());
                        if let Route::Url = self.route {
                            response.extensions_mut().insert(ConnectionInfo::new(
                                attempt.serial(),
                                attempt.usage(),
                                self.exchange.queue_time(),
                                self.exchange.replays(),
                                self.exchange.retries(),
                            ));
                        }
                        // A response that is all here leaves nothing of its attempt to move out.
                        let read = if kind == BodyKind::Tunnel { None } else { attempt.take_read() };
                        let body = match read {
                            Some(read) => {
                                self.completed_at = attempt.ended();
                                Body::of_read(read, kind)
                            }
                            None => Body::of_live(attempt.take(), kind, &self.core.nursery),
                        };
                        self.stage = Stage::Done;
                        if self.retrying.is_some() {
                            self.retry_succeeded();
                        }
                        return Poll::Ready(Some(Ok(response.map(|()| body))));
                    }
                    // Nothing waits for it here: the body is sent unasked.
                    Ok(Event::Informational(response)) => {
                        *interim = Some(response);
                        Ok(())
                    }
                    Ok(Event::Data(_) | Event::Trailers(_) | Event::End(_) | Event::Idle(_)) => Ok(()),
                    Err(fault) => {
                        self.body = attempt.take_body();
                        self.stage = Stage::Done;
                        self.broke(fault)
                    }
                }
            }
            Stage::Choosing(entry) => {
                let entry = *entry;
                self.choose(cx, entry)
            }
            Stage::Queued(ticket) => {
                let ticket = *ticket;
                let Some(outcome) = self.core.shared.poll_ticket(ticket, cx.waker()) else {
                    return Poll::Pending;
                };
                // The ticket is used up, whatever follows.
                self.stage = Stage::Done;
                self.dequeued(cx, outcome)
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
                self.retrying = None;
                self.core.shared.note_failed(self.number, error.verdict());
                Some(Err(error.after(self.exchange.retries(), self.exchange.retry_denied())))
            }
        })
    }
}

/// What a call gives.
type Answer<R, C, B> = Result<Response<Body<R, C, B>>, Error>;

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
    // Half of what a peer says before it closes an idle connection may have been read from it, and
    // nothing else come since.
    let is_alive = conn.wire.can_reuse();
    if is_alive && usage == Usage::Reused && !conn.leash.is_listed() {
        return Probed::Alive(conn);
    }
    match conn.probe(cx) {
        Idle::Quiet if conn.wire.can_reuse() => Probed::Alive(conn),
        Idle::Quiet => dead(shared, conn, None, ClosedBy::Local),
        Idle::Over(report, by) => dead(shared, conn, report, by),
    }
}

#[cold]
fn dead<R: Runtime, C: Connect>(
    shared: &Shared<R, C>,
    conn: Box<Conn<C::Io>>,
    report: Option<Report>,
    by: ClosedBy,
) -> Probed<C::Io> {
    let usage = conn.usage;
    shared.bury(shared.runtime.now(), conn, None, report, by);
    match usage {
        Usage::Reused => Probed::DeadWhileIdle,
        Usage::Fresh => Probed::DeadOnArrival,
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
        let span = this.entered();
        let _entered = span.enter();
        loop {
            let mut passed_over = None;
            if let Some(answer) = ready!(this.step(cx, &mut passed_over)) {
                return Poll::Ready(answer);
            }
        }
    }
}

impl<R: Runtime, C: Connect, B> Drop for Call<R, C, B> {
    fn drop(&mut self) {
        if let Stage::Queued(ticket) = self.stage {
            self.core.shared.cancel(self.core.shared.runtime.now(), ticket);
        }
    }
}
