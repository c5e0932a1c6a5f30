//! Drains that the admin port asks for.

mod support;

use std::net::{SocketAddr, TcpStream};

use pool_proxy::config::model::{Admin, Bootstrap, DrainType, RouteAction};
use pool_proxy::flags::DrainStrategy;
use pool_proxy::{RunOptions, Running, run};
use support::Peer;
use support::config::simple;
use support::socket::{field, nobody};

/// A proxy that answers by itself, with an admin port.
struct Drained(Running);

impl Drained {
    fn start(change: impl FnOnce(&mut Bootstrap), options: impl FnOnce(&mut RunOptions)) -> Self {
        let mut config = simple(nobody());
        let route = &mut config.listeners[0].manager.routes.virtual_hosts[0].routes[0];
        route.action = RouteAction::Direct { status: http::StatusCode::OK, body: "ok".to_owned() };
        config.admin = Some(Admin { address: SocketAddr::from(([127, 0, 0, 1], 0)), access_log: Vec::new() });
        change(&mut config);
        let mut chosen = RunOptions::default();
        chosen.concurrency = Some(1);
        options(&mut chosen);
        Self(run(config, chosen).expect("a proxy"))
    }

    fn post(&self, path: &str) {
        let mut admin = Peer::connect(self.0.admin_address().expect("an admin port"));
        admin.send(format!("POST {path} HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n\r\n"));
        let (head, _) = admin.response();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    }

    fn state(&self) -> String {
        let mut admin = Peer::connect(self.0.admin_address().expect("an admin port"));
        admin.send("GET /ready HTTP/1.1\r\nhost: h\r\n\r\n");
        admin.response().1.trim().to_owned()
    }

    fn client(&self) -> Peer {
        Peer::connect(self.0.addresses()[0])
    }
}

/// Whether the connection is to close after a request.
fn is_asked_to_close(client: &mut Peer) -> bool {
    client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n");
    let (head, content) = client.response();
    assert_eq!(content, "ok", "{head}");
    field(&head, "connection") == Some("close")
}

#[test]
fn clients_leave_a_proxy_that_fails_its_health_checks_and_stay_when_it_recovers() {
    let proxy = Drained::start(|_| {}, |_| {});
    let mut client = proxy.client();
    assert!(!is_asked_to_close(&mut client));
    proxy.post("/healthcheck/fail");
    assert_eq!(proxy.state(), "DRAINING");
    assert!(is_asked_to_close(&mut client));
    assert!(client.is_closed());
    assert!(is_asked_to_close(&mut proxy.client()), "new connections are served meanwhile");
    proxy.post("/healthcheck/ok");
    assert_eq!(proxy.state(), "LIVE");
    assert!(!is_asked_to_close(&mut proxy.client()));
}

#[test]
fn a_listener_that_is_modify_only_does_not_care() {
    let proxy = Drained::start(|config| config.listeners[0].drain_type = DrainType::ModifyOnly, |_| {});
    proxy.post("/healthcheck/fail");
    assert!(!is_asked_to_close(&mut proxy.client()));
}

#[test]
fn an_immediate_graceful_drain_asks_all_and_keeps_the_listeners_if_told_to() {
    let immediate = |options: &mut RunOptions| options.drain_strategy = DrainStrategy::Immediate;
    let proxy = Drained::start(|_| {}, immediate);
    let mut client = proxy.client();
    assert!(!is_asked_to_close(&mut client));
    proxy.post("/drain_listeners?graceful&skip_exit");
    // The control thread hears of it by a message.
    while !is_asked_to_close(&mut client) {}
    assert!(client.is_closed());
    assert!(is_asked_to_close(&mut proxy.client()), "still listening");
    assert_eq!(proxy.state(), "LIVE", "only failed health checks make it DRAINING");
}

#[test]
fn listeners_close_when_a_graceful_drain_is_over() {
    let at_once = |options: &mut RunOptions| options.drain_time = std::time::Duration::ZERO;
    let proxy = Drained::start(|_| {}, at_once);
    proxy.post("/drain_listeners?graceful");
    while TcpStream::connect(proxy.0.addresses()[0]).is_ok() {
        std::thread::yield_now();
    }
    assert_eq!(proxy.state(), "LIVE", "the process lives on");
}
