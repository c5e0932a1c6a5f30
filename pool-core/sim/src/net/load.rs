//! Callers of the client: each makes one request, reads its response as it likes, and checks it.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use http_body::Body as _;
use pool_core::client::{Body, Client, ConnectionSnapshot, Error, ErrorKind, PoolSnapshot};
use pool_core::config::{Admission, PoolConfig};
use pool_core::error::PoolFailure;
use pool_core::pool::State;
use pool_core::runtime::Resolved;
use pool_core::wire::h1;

use super::account::{Effect, Outcome};
use super::content::{Check, Content, Pace};
use super::counted::Counted;
use super::fabric::{Dialer, Names};
use super::world::{Moment, Sleep, World};

/// How the clients of the simulation reach the network.
pub type Line = Counted<Resolved<World, Names, Dialer>>;
/// The client under test, whole.
pub type Caller = Client<World, Line, Content>;

/// One request that will be made.
#[derive(Clone, Debug)]
pub struct Ask {
    /// When, in nanoseconds.
    pub at: u64,
    /// Which client makes it.
    pub worker: usize,
    /// The method.
    pub method: Method,
    /// Host and port.
    pub authority: String,
    /// Bytes of content that it brings.
    pub upload: u64,
    /// How they are produced.
    pub pace: Pace,
    /// Bytes of content that it wants.
    pub want: u64,
    /// When its caller has waited long enough.
    pub patience: Duration,
    /// What its caller does to it.
    pub whim: Whim,
}

/// What a caller does to its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whim {
    /// Reads the response to its end.
    None,
    /// Gives up at its so-many-th wait, wherever that is.
    GivesUpAtWait(u32),
    /// Drops the response after so many frames.
    DropsAfter(u32),
    /// Waits before every frame.
    ReadsSlowly(Duration),
    /// Holds the response for a while without reading, then drops it.
    Holds(Duration),
}

impl Ask {
    /// What delivering it twice would do.
    #[must_use]
    pub fn effect(&self) -> Effect {
        if self.method.is_idempotent() { Effect::Idempotent } else { Effect::Once }
    }

    /// Makes the request, and tells the account how it ended.
    pub async fn make(self, world: World, client: Caller, id: u64) {
        let waits = match self.whim {
            Whim::GivesUpAtWait(waits) => Some(waits),
            Whim::None | Whim::DropsAfter(_) | Whim::ReadsSlowly(_) | Whim::Holds(_) => None,
        };
        let sleep = world.pause(self.patience);
        let inner = Some(Box::pin(self.follow(world.clone(), client, id)));
        let outcome = Bounded { inner, waits, sleep }.await;
        world.say(|| format!("request {id} {outcome:?}"));
        world.account().outcome(id, outcome);
    }

    async fn follow(self, world: World, client: Caller, id: u64) -> Outcome {
        world.say(|| format!("request {id} begins: {} {}", self.method, self.authority));
        let request = Request::builder()
            .method(self.method.clone())
            .uri(format!("http://{}/{id}", self.authority))
            .header("x-id", id)
            .header("x-upload", self.upload)
            .header("x-want", self.want)
            .body(Content::new(world.clone(), id, self.upload, self.pace.clone()));
        let Ok(request) = request else {
            world.object(|| format!("request {id} cannot be written"));
            return Outcome::Cancelled;
        };
        let call = client.call(request);
        // From here on only the call keeps the client alive.
        drop(client);
        match call.await {
            Ok(response) => self.read(&world, id, response).await,
            Err(error) => {
                world.say(|| format!("request {id} failed: {error}"));
                if let ErrorKind::Request(words) = error.kind() {
                    // Nothing that is asked for here is malformed.
                    world.object(|| format!("request {id} was refused by the client: {words}"));
                }
                Outcome::Failed(name_of(&error), error.verdict())
            }
        }
    }

    async fn read(&self, world: &World, id: u64, response: Response<Body<World, Line, Content>>) -> Outcome {
        let status = response.status();
        if status != StatusCode::OK {
            world.say(|| format!("request {id} got {status}"));
            let is_expected =
                matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::INTERNAL_SERVER_ERROR);
            if !is_expected {
                world.object(|| format!("request {id} got {status}"));
            }
            return Outcome::Refused;
        }
        let number = response.headers().get("x-id");
        let number: Option<u64> = number.and_then(|value| value.to_str().ok()?.parse().ok());
        // Nonsense has no number: it may begin as a response, and may not end as one.
        if number.is_some_and(|number| number != id) {
            world.object(|| format!("request {id} got the response of {number:?}: {:?}", response.headers()));
        }
        if number.is_none() && self.method == Method::HEAD {
            // What is wrong with it is in its content, which HEAD does not have.
            return Outcome::Refused;
        }
        if let Whim::Holds(time) = self.whim {
            world.pause(time).await;
            world.account().count("caller: held a response unread");
            return Outcome::Cancelled;
        }
        let mut body = pin!(response.into_body());
        let (mut check, mut frames) = (Check::new(id), 0);
        loop {
            if self.whim == Whim::DropsAfter(frames) {
                world.account().count("caller: dropped a response");
                return Outcome::Cancelled;
            }
            if let Whim::ReadsSlowly(pause) = self.whim {
                world.pause(pause).await;
            }
            frames += 1;
            match poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
                Some(Ok(frame)) => {
                    let Some(data) = frame.data_ref() else { continue };
                    if let Err(at) = check.feed(data) {
                        world.object(|| format!("request {id}: byte {at} of the response is wrong"));
                    }
                }
                Some(Err(error)) => {
                    world.say(|| format!("request {id}: response broke: {error}"));
                    return Outcome::BodyBroke;
                }
                None => break,
            }
        }
        let (got, want) = (check.length(), if self.method == Method::HEAD { 0 } else { self.want });
        if number.is_none() {
            world.object(|| format!("request {id} got something that is no response to it"));
        }
        if got != want && !(got < want && world.account().may_be_short(id)) {
            world.object(|| format!("request {id}: the response ended after {got} of {want} bytes"));
        }
        Outcome::Complete
    }
}

/// Lets a caller give up: after a number of waits, or at its deadline.
struct Bounded<F> {
    inner: Option<Pin<Box<F>>>,
    waits: Option<u32>,
    sleep: Sleep,
}

impl<F: Future<Output = Outcome>> Future for Bounded<F> {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let this = &mut *self;
        if this.waits == Some(0) {
            this.inner = None;
        }
        let Some(inner) = &mut this.inner else { return Poll::Ready(Outcome::Cancelled) };
        if let Poll::Ready(outcome) = inner.as_mut().poll(cx) {
            return Poll::Ready(outcome);
        }
        match &mut this.waits {
            Some(1) => {
                // The moment right after a wait began.
                this.inner = None;
                return Poll::Ready(Outcome::Cancelled);
            }
            Some(waits) => *waits -= 1,
            None => {}
        }
        std::task::ready!(Pin::new(&mut this.sleep).poll(cx));
        this.inner = None;
        Poll::Ready(Outcome::TimedOut)
    }
}

fn name_of(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::Pool(PoolFailure::Overflow) => "outcome: overflow",
        ErrorKind::Pool(PoolFailure::ConnectTimeout) => "outcome: connect timeout",
        ErrorKind::Pool(PoolFailure::LocalConnectionFailure) => "outcome: local connection failure",
        ErrorKind::Pool(PoolFailure::RemoteConnectionFailure) => "outcome: remote connection failure",
        ErrorKind::Pool(PoolFailure::PendingTimeout) => "outcome: pending timeout",
        ErrorKind::Closed => "outcome: client closed",
        ErrorKind::ClosedByPool => "outcome: closed by the pool",
        ErrorKind::Connection(_) => "outcome: connection broke",
        ErrorKind::Protocol(h1::Error::Eof(_)) => "outcome: closed by the peer",
        ErrorKind::Protocol(h1::Error::Peer(_) | h1::Error::Limit(_)) => "outcome: protocol error",
        ErrorKind::RequestBody(_) => "outcome: request body broke",
        ErrorKind::Request(_) => "outcome: request refused by the client",
        _ => "outcome: another error",
    }
}

/// What a client has promised.
#[derive(Clone, Debug)]
pub struct Promise {
    /// The settings of its pools.
    pub config: Arc<PoolConfig>,
    /// Whether the scheduler is punctual: then no deadline may pass without what it is for.
    pub is_punctual: bool,
}

/// What must hold of a client, between any two steps or when nobody can run. `callers` are all that it
/// has.
pub fn inspect(world: &World, client: &Caller, callers: usize, promise: &Promise, moment: Moment) {
    let snapshot = client.snapshot();
    let pending = snapshot.totals().pending;
    if pending > callers as u64 {
        world.object(|| format!("{pending} requests wait in the queues of a client with {callers} callers"));
    }
    for pool in snapshot.pools {
        let objection = |words: String| world.object(|| format!("pool {:?}: {words}", pool.target.host));
        let stats = &pool.stats;
        if stats.ignored_facts > 0 {
            objection(format!("{} facts made no sense to it", stats.ignored_facts));
        }
        let there = u64::from(pool.counts.active()) + u64::from(pool.counts.closing);
        if there != pool.connections.len() as u64 || stats.cx_total != there + stats.cx_destroy {
            objection(format!("13: {there} connections by state, {stats:?}"));
        }
        if stats.cx_destroy != stats.cx_destroy_local + stats.cx_destroy_remote {
            objection(format!("13: destroyed connections do not add up, {stats:?}"));
        }
        let active: u64 = pool.connections.iter().map(|conn| u64::from(conn.active)).sum();
        if active != pool.triple.active || pool.connections.iter().any(|conn| conn.active > 1) {
            objection(format!("5, 11: streams {active}, {:?}", pool.triple));
        }
        if pool.triple.pending != pool.waiters.len() as u64 {
            objection(format!("14: {} waiters, {:?}", pool.waiters.len(), pool.triple));
        }
        if promise.is_punctual {
            punctual(&pool, &promise.config, &objection);
        }
        if moment == Moment::Quiet {
            at_rest(&pool, &promise.config, &objection);
        }
        for gauge in [pool.connections_breaker, pool.requests_breaker] {
            if gauge.current > u64::from(gauge.max) {
                objection(format!("16: {gauge:?}"));
            }
        }
    }
}

fn punctual(pool: &PoolSnapshot, config: &PoolConfig, objection: &dyn Fn(String)) {
    let waited = pool.waiters.iter().max().copied().unwrap_or_default();
    if config.pending_timeout().is_some_and(|limit| waited > limit) {
        objection(format!("a request has waited for {waited:?}, its deadline is over"));
    }
    let late =
        |conn: &&ConnectionSnapshot| conn.state == State::Connecting && conn.age > config.connect_timeout();
    if let Some(conn) = pool.connections.iter().find(late) {
        objection(format!("an attempt has taken {:?}, its deadline is over", conn.age));
    }
}

/// What holds once everything is done that could be done.
fn at_rest(pool: &PoolSnapshot, config: &PoolConfig, objection: &dyn Fn(String)) {
    let (pending, counts, gauge) = (pool.triple.pending, pool.counts, pool.connections_breaker);
    if gauge.reserved > 0 {
        objection(format!("{} seats are promised to a pool that does not take them", gauge.reserved));
    }
    // Not those that close: one in the hands of a caller does so when its caller looks.
    if counts.settling > 0 {
        objection(format!("connections that settle at rest: {counts:?}"));
    }
    if pending > 0 && counts.ready > 0 {
        objection(format!("23: {pending} requests wait beside {} idle connections", counts.ready));
    }
    let may_open = gauge.remaining > 0 || config.admission() == Admission::ForceOne;
    // A forced connection that closes is waited for (P1).
    if pending > 0 && counts.active() + counts.closing == 0 && may_open {
        objection(format!("22: {pending} requests wait and no connection is on its way"));
    }
}
