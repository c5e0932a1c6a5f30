//! Bugs that the simulation found, each as a small script with the timing that it takes.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use http::{Request, StatusCode};
use http_body::Body as _;
use pool_core::client::{Breakers, Builder, Client, Error, ErrorKind};
use pool_core::config::{Multiplexing, PoolConfig, PoolConfigBuilder};
use pool_core::error::Verdict;
use pool_core::limits::{Limits, Thresholds};
use pool_core::runtime::Accept;
use pool_sim::net::content::{Content, Pace};
use pool_sim::net::fabric::{Dialer, Listener, Net};
use pool_sim::net::peer::{Got, Session, Stop};
use pool_sim::net::trace::Tracing;
use pool_sim::net::weather::Weather;
use pool_sim::net::world::{Halt, World};

type TestClient = Client<World, Dialer, Content>;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

struct Room {
    world: World,
    net: Net,
    address: SocketAddr,
}

impl Room {
    fn new() -> Self {
        Self::with(Weather::default())
    }

    fn with(weather: Weather) -> Self {
        let world = World::new(1, Tracing::On);
        let net = Net::new(world.clone(), 1, weather);
        Self { world, net, address: SocketAddr::from(([192, 0, 2, 1], 80)) }
    }

    fn client(&self, settings: PoolConfigBuilder, connections: u32) -> TestClient {
        Builder::new(self.world.clone(), Dialer(self.net.clone()))
            .pool(settings.build().expect("settings in range"))
            .breakers(Breakers::new(Limits::both(Thresholds::default().max_connections(connections))))
            .seed(1)
            .build()
    }

    /// Runs until nothing can happen any more, and expects that nobody waits then.
    fn run(&self) {
        let halt = self.world.run(1_000_000, 1, &|_| ());
        assert_eq!(halt, Halt::Done, "{}\n{}", self.world.trace().take(), self.world.dump());
        assert_eq!(self.net.open_ends(), 0);
    }
}

fn settings() -> PoolConfigBuilder {
    PoolConfig::builder(Multiplexing::Exclusive)
}

async fn accept(listener: &mut Listener, room: &World) -> Session {
    let (io, _) = poll_fn(|cx| listener.poll_accept(cx)).await.expect("a connection");
    Session::new(room.clone(), io, Stop::default().watch())
}

async fn expect_request(session: &mut Session) {
    loop {
        match session.next(None).await {
            Got::End => return,
            Got::Head(_) | Got::Data(_) => {}
            Got::Gone | Got::Late | Got::Stopped => panic!("no request"),
        }
    }
}

/// Fetches the whole response; its status.
async fn fetch(room: &World, client: &TestClient) -> Result<StatusCode, Error> {
    let body = Content::new(room.clone(), 0, 0, still());
    let request = Request::get("http://192.0.2.1/").body(body).expect("a request");
    let response = client.call(request).await?;
    let status = response.status();
    let mut body = pin!(response.into_body());
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        frame?;
    }
    Ok(status)
}

fn still() -> Pace {
    Pace { frame: 1, pause: Duration::ZERO, announces: true, trailers: false, breaks_at: None }
}

fn ignored_facts(client: &TestClient) -> u64 {
    client.snapshot().pools.iter().map(|pool| pool.stats.ignored_facts).sum()
}

/// The first half of a 408 had been read from an idle connection, which was then given to a request:
/// it failed with "cannot be sent" instead of going out on another connection.
#[test]
fn half_of_a_408_keeps_requests_off_an_idle_connection() {
    let room = Room::new();
    let mut listener = room.net.listen(room.address);
    let world = room.world.clone();
    room.world.start("origin", async move {
        let mut first = accept(&mut listener, &world).await;
        expect_request(&mut first).await;
        assert!(first.write(OK).await);
        first.pause(Duration::from_secs(1)).await;
        assert!(first.write(b"HTTP/1.1 4").await);
        let mut second = accept(&mut listener, &world).await;
        expect_request(&mut second).await;
        assert!(second.write(OK).await);
        second.drain(Duration::from_secs(60)).await;
        drop(first);
    });
    let (world, client) = (room.world.clone(), room.client(settings(), 1));
    room.world.start("caller", async move {
        assert_eq!(fetch(&world, &client).await.expect("a response"), 200);
        world.pause(Duration::from_secs(2)).await;
        assert_eq!(fetch(&world, &client).await.expect("a response, on a new connection"), 200);
    });
    room.run();
}

/// A 408 that arrives in two pieces on an idle connection is still the peer's right, and no error.
#[test]
fn a_408_in_two_pieces_is_no_protocol_error() {
    let room = Room::new();
    let mut listener = room.net.listen(room.address);
    let world = room.world.clone();
    room.world.start("origin", async move {
        let (mut first, mut second) =
            (accept(&mut listener, &world).await, accept(&mut listener, &world).await);
        expect_request(&mut first).await;
        expect_request(&mut second).await;
        assert!(first.write(OK).await);
        first.pause(Duration::from_secs(1)).await;
        assert!(first.write(b"HTTP/1.1 4").await);
        first.pause(Duration::from_millis(10)).await;
        assert!(first.write(b"08 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").await);
        first.pause(Duration::from_secs(1)).await;
        assert!(second.write(OK).await);
    });
    let (world, client) = (room.world.clone(), room.client(settings(), 2));
    // The second request keeps the pool, so that its counters can be read.
    for name in ["caller", "second caller"] {
        let (world, client) = (world.clone(), client.clone());
        room.world.start(name, async move {
            assert_eq!(fetch(&world, &client).await.expect("a response"), 200);
        });
    }
    room.world.start("observer", async move {
        world.pause(Duration::from_millis(1500)).await;
        let stats = client.snapshot().pools[0].stats.clone();
        assert_eq!((stats.cx_total, stats.cx_destroy), (2, 1));
        assert_eq!((stats.cx_protocol_error, stats.ignored_facts), (0, 0));
    });
    room.run();
}

/// A drain deadline closed a connection in use, and its caller then reported the end of a stream that
/// the pool had ended by itself.
#[test]
fn a_connection_cut_by_the_drain_deadline_reports_nothing_twice() {
    let room = Room::new();
    let mut listener = room.net.listen(room.address);
    let world = room.world.clone();
    room.world.start("origin", async move {
        let mut first = accept(&mut listener, &world).await;
        expect_request(&mut first).await;
        let mut second = accept(&mut listener, &world).await;
        expect_request(&mut second).await;
        assert!(second.write(OK).await);
        first.drain(Duration::from_secs(60)).await;
    });
    let drain = Duration::from_millis(20);
    let settings = settings().max_requests_per_connection(Some(1)).drain_timeout(Some(drain));
    let (world, client) = (room.world.clone(), room.client(settings, 1));
    let (other_world, other) = (world.clone(), client.clone());
    room.world.start("caller", async move {
        let error = fetch(&world, &client).await.expect_err("cut");
        assert!(matches!(error.kind(), ErrorKind::ClosedByPool), "{error}");
        assert_eq!(ignored_facts(&client), 0);
    });
    // Keeps the pool, so that its counters can be read.
    room.world.start("second caller", async move {
        other_world.pause(Duration::from_millis(1)).await;
        assert_eq!(fetch(&other_world, &other).await.expect("a response"), 200);
        assert_eq!(ignored_facts(&other), 0);
    });
    room.run();
}

/// Bytes behind the last response that a connection may carry: its end had closed it, and then the
/// breach of protocol was told to the pool as well.
#[test]
fn bytes_behind_the_last_response_of_a_connection_are_told_once() {
    let room = Room::new();
    let mut listener = room.net.listen(room.address);
    let world = room.world.clone();
    room.world.start("origin", async move {
        for _ in 0..2 {
            let mut session = accept(&mut listener, &world).await;
            expect_request(&mut session).await;
            assert!(session.write(&[OK, b"more"].concat()).await);
            session.drain(Duration::from_secs(60)).await;
        }
    });
    let settings = settings().max_requests_per_connection(Some(1));
    let (world, client) = (room.world.clone(), room.client(settings, 1));
    let (other_world, other) = (world.clone(), client.clone());
    room.world.start("caller", async move {
        assert_eq!(fetch(&world, &client).await.expect("a response"), 200);
    });
    room.world.start("second caller", async move {
        // It waits for the only seat when the first is served.
        let call = fetch(&other_world, &other);
        assert_eq!(call.await.expect("a response"), 200);
        assert_eq!(ignored_facts(&other), 0);
    });
    room.run();
}

/// The head of a request had left on an attempt that was repeated. The second one broke before a byte of
/// it was written, and the error then said that the request never was sent.
#[test]
fn what_an_earlier_attempt_sent_is_not_forgotten() {
    let room = Room::with(Weather { latency: 20_000_000, ..Weather::default() });
    let mut listener = room.net.listen(room.address);
    let world = room.world.clone();
    room.world.start("origin", async move {
        let mut first = accept(&mut listener, &world).await;
        expect_request(&mut first).await;
        assert!(first.write(OK).await);
        // One that is reused may have been closed by its peer meanwhile: that is why it is repeated.
        assert!(first.end_exchange());
        assert!(matches!(first.next(None).await, Got::Head(_)));
        drop(first);
        let mut second = accept(&mut listener, &world).await;
        second.drain(Duration::from_secs(60)).await;
    });
    let (world, client) = (room.world.clone(), room.client(settings(), 1));
    room.world.start("caller", async move {
        assert_eq!(fetch(&world, &client).await.expect("a response"), 200);
        let pace = Pace { pause: Duration::from_millis(50), breaks_at: Some(0), ..still() };
        let body = Content::new(world.clone(), 0, 10, pace);
        let request = Request::put("http://192.0.2.1/").body(body).expect("a request");
        let Err(error) = client.call(request).await else { panic!("the body breaks") };
        assert!(matches!(error.kind(), ErrorKind::RequestBody(_)), "{error}");
        assert_ne!(error.verdict(), Verdict::NeverSent);
    });
    room.run();
}

/// The clock stands while anything can run, and then jumps exactly to the next deadline.
#[test]
fn the_clock_jumps_to_the_deadline_and_no_further() {
    let world = World::new(1, Tracing::On);
    let inside = world.clone();
    world.start("sleeper", async move {
        inside.pause(Duration::from_nanos(1)).await;
        inside.say(|| "first".to_owned());
        inside.pause(Duration::from_secs(3600)).await;
        inside.say(|| "second".to_owned());
        drop(inside.pause(Duration::from_secs(9999)));
    });
    assert_eq!(world.run(100, 1, &|_| ()), Halt::Done);
    assert_eq!(world.nanos(), 3_600_000_000_001);
    assert_eq!(world.trace().take(), "    0.000000001 first\n 3600.000000001 second\n");
}

/// A task that waits for nothing is a deadlock, and is named.
#[test]
fn what_waits_for_ever_is_told() {
    let world = World::new(1, Tracing::Off);
    world.start("the forgotten one", poll_fn(|_| Poll::<()>::Pending));
    assert_eq!(world.run(100, 1, &|_| ()), Halt::Deadlock);
    assert!(world.dump().contains("the forgotten one"));
    world.clear();
}
