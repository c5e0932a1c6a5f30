//! Origins made of this project's own server, with services that have manners too.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body as _;
use pool_core::server::{BoxError, Builder, Incoming, PeerAddr, ServerHandle, service_fn};

use super::content::{Check, Content, Pace};
use super::fabric::Net;
use super::origin::Asked;
use super::rng::Rng;
use super::stream::Stream;
use super::world::World;

/// How a service and its server behave. Chances in thousandths per request.
#[derive(Clone, Debug, Default)]
pub struct Habits {
    /// Before a response, in microseconds.
    pub think: (u64, u64),
    /// The content is produced slowly.
    pub slow: u32,
    /// The request's content is dropped unread.
    pub early: u32,
    /// The service fails.
    pub fails: u32,
    /// The content of the response breaks.
    pub breaks: u32,
    /// 103 is sent first.
    pub interim: u32,
    /// Envoy's `max_requests_per_connection`.
    pub max_requests: Option<u64>,
    /// Envoy's `idle_timeout`.
    pub idle: Option<Duration>,
    /// Envoy's `max_connection_duration`.
    pub lifetime: Option<Duration>,
    /// Envoy's `request_headers_timeout`.
    pub headers: Option<Duration>,
    /// Connections at a time.
    pub max_connections: Option<usize>,
}

impl Habits {
    /// Drawn at random; without `faults` the service answers every request.
    #[must_use]
    pub fn draw(rng: &mut Rng, faults: bool) -> Self {
        let faulty = u32::from(faults);
        Self {
            think: *rng.pick(&[(0, 0), (0, 100), (1000, 20_000)]),
            slow: *rng.pick(&[0, 50]),
            early: faulty * *rng.pick(&[0, 100]),
            fails: faulty * *rng.pick(&[0, 50]),
            breaks: faulty * *rng.pick(&[0, 50]),
            interim: *rng.pick(&[0, 100]),
            max_requests: *rng.pick(&[None, None, Some(1), Some(3), Some(20)]),
            idle: *rng.pick(&[None, Some(Duration::from_millis(2)), Some(Duration::from_secs(1))]),
            lifetime: *rng.pick(&[None, None, Some(Duration::from_millis(30))]),
            headers: *rng.pick(&[None, Some(Duration::from_millis(500))]),
            max_connections: *rng.pick(&[None, None, Some(1), Some(4)]),
        }
    }
}

/// Where the server is, and what its service keeps.
pub struct House {
    /// The network that it is in.
    pub net: Net,
    /// Its address.
    pub address: SocketAddr,
    /// How it behaves.
    pub habits: Habits,
    /// Its own chance.
    pub rng: RefCell<Rng>,
    /// Requests by connection, of the present incarnation.
    pub dispatched: RefCell<BTreeMap<SocketAddr, u64>>,
}

impl House {
    /// Starts the server.
    pub fn open(self: &Rc<Self>) -> ServerHandle<World> {
        let habits = &self.habits;
        let house = self.clone();
        self.dispatched.borrow_mut().clear();
        let service = service_fn(move |request: Request<Incoming<Stream>>| {
            let house = house.clone();
            async move { house.answer(request).await }
        });
        Builder::new(self.net.world().clone())
            .idle_timeout(habits.idle.or(Some(Duration::from_secs(60))))
            .request_headers_timeout(habits.headers)
            .max_requests_per_connection(habits.max_requests)
            .max_connection_duration(habits.lifetime)
            .max_connections(habits.max_connections)
            .delayed_close_timeout(Duration::from_millis(200))
            .serve(self.net.listen(self.address), service)
    }

    /// Ends it, and checks that it kept its word about being over.
    pub async fn shut(&self, handle: &ServerHandle<World>, grace: Duration) {
        let world = self.net.world();
        let cut = handle.shutdown(grace).await;
        world.say(|| format!("server {} is down, {cut} connections cut", self.address));
        world.account().count("server: shut down");
        if cut > 0 {
            world.account().count("server: shut down with connections cut");
        }
        let (there, active) = (self.net.served(self.address), handle.snapshot().active);
        if there > 0 || active > 0 {
            world.object(|| {
                format!(
                    "server {} said that it is down with {there} sockets and {active} connections",
                    self.address
                )
            });
        }
    }

    fn chance(&self, permille: u32, fault: &'static str) -> bool {
        let happens = self.rng.borrow_mut().permille(permille);
        if happens {
            self.net.world().account().count(fault);
        }
        happens
    }

    async fn answer(&self, request: Request<Incoming<Stream>>) -> Result<Response<Content>, BoxError> {
        let (world, habits) = (self.net.world(), &self.habits);
        let Some(asked) = Asked::of(&request) else {
            world.object(|| format!("a service received a request without a number: {:?}", request.uri()));
            return Err("no number".into());
        };
        world.say(|| format!("request {} delivered: {} {}", asked.id, request.method(), request.uri()));
        world.account().delivered(asked.id);
        self.count_dispatch(&request);
        let mut body = request.into_body();
        if self.chance(habits.interim, "server: interim response") {
            body.send_interim(StatusCode::EARLY_HINTS, HeaderMap::new());
        }
        let is_early = asked.upload > 0 && self.chance(habits.early, "server: answered without reading");
        if !is_early && !self.read_upload(&asked, &mut body).await {
            return Err("the upload broke".into());
        }
        drop(body);
        let think = self.rng.borrow_mut().micros(habits.think.0, habits.think.1);
        if !think.is_zero() {
            world.pause(think).await;
        }
        if self.chance(habits.fails, "server: service failed") {
            return Err("told to fail".into());
        }
        let mut pace = Pace::draw(&mut self.rng.borrow_mut(), habits.slow);
        if asked.want > 0 && !asked.is_head && self.chance(habits.breaks, "server: response broke") {
            pace.breaks_at = Some(self.rng.borrow_mut().below(asked.want));
        }
        let content = Content::new(world.clone(), asked.id, asked.want, pace);
        Response::builder()
            .header("x-id", asked.id)
            .header("x-want", asked.want)
            .body(content)
            .map_err(Into::into)
    }

    /// No connection carries more requests than it may.
    fn count_dispatch(&self, request: &Request<Incoming<Stream>>) {
        let Some(PeerAddr(peer)) = request.extensions().get().copied() else { return };
        let mut dispatched = self.dispatched.borrow_mut();
        let count = dispatched.entry(peer).or_default();
        *count += 1;
        if self.habits.max_requests.is_some_and(|limit| *count > limit) {
            let count = *count;
            self.net
                .world()
                .object(|| format!("{count} requests were served on one connection, from {peer}"));
        }
    }

    async fn read_upload(&self, asked: &Asked, body: &mut Incoming<Stream>) -> bool {
        let world = self.net.world();
        let mut check = Check::new(asked.id);
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
            let Ok(frame) = frame else { return false };
            let Ok(data) = frame.into_data() else { continue };
            if let Err(at) = check.feed(&data) {
                world.object(|| format!("request {}: byte {at} of its content is wrong", asked.id));
                return false;
            }
        }
        if check.length() != asked.upload {
            world.object(|| {
                format!("request {} ended after {} of {} bytes", asked.id, check.length(), asked.upload)
            });
        }
        true
    }
}
