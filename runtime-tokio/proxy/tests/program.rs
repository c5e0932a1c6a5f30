//! The program itself, with the configuration that the workspace's README shows.
#![allow(clippy::disallowed_methods, reason = "clients and upstreams are blocking sockets on threads")]

mod support;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};

use pool_proxy::config::{self, Mode};
use support::{Peer, Upstream};

/// The only YAML of the README.
fn readme() -> &'static str {
    let text = include_str!("../../../README.md");
    let (_, yaml) = text.split_once("```yaml\n").expect("a configuration");
    yaml.split_once("```").expect("its end").0
}

#[test]
fn the_readme_shows_a_short_configuration_without_any_problem() {
    let (bootstrap, warnings) = config::load(readme(), "README.md", Mode::Strict).expect("no problem");
    assert_eq!(warnings, []);
    assert_eq!(bootstrap.clusters[0].name, "shop");
    assert!(readme().lines().count() <= 25);
}

/// The program at work. Killed if the test fails.
struct Program {
    child: Child,
    log: BufReader<ChildStderr>,
    listener: SocketAddr,
    admin: SocketAddr,
}

impl Program {
    fn start(upstream: SocketAddr) -> Self {
        let yaml = readme()
            .replace("port_value: 9901", "port_value: 0")
            .replace("port_value: 10000", "port_value: 0")
            .replace("port_value: 8080", &format!("port_value: {}", upstream.port()));
        let mut child = Command::new(env!("CARGO_BIN_EXE_pool-proxy"))
            .args(["--concurrency", "2", "--config-yaml", &yaml])
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program");
        let mut log = BufReader::new(child.stderr.take().expect("its log"));
        let mut address = |before: &str| {
            let line = said(&mut log, before);
            let (_, rest) = line.split_once(before).expect("what was found");
            rest.trim_matches(|c: char| !c.is_ascii_digit()).parse().expect("an address")
        };
        let admin = address("admin address: ");
        let listener = address("addresses=[");
        Self { child, log, listener, admin }
    }

    fn ended(&mut self) -> ExitStatus {
        self.child.wait().expect("an exit status")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Gone already, if the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The next line of the log with this in it.
fn said(log: &mut BufReader<ChildStderr>, what: &str) -> String {
    let mut line = String::new();
    loop {
        line.clear();
        assert!(log.read_line(&mut line).expect("text") > 0, "the log ended before '{what}'");
        if line.contains(what) {
            return line;
        }
    }
}

const GET: &str = "GET / HTTP/1.1\r\nhost: h\r\n\r\n";

#[test]
fn it_serves_and_ends_when_the_admin_port_is_told_to() {
    let upstream = Upstream::bind();
    let mut program = Program::start(upstream.address());
    let mut client = Peer::connect(program.listener);
    client.send(GET);
    let mut server = upstream.accept();
    server.head();
    server.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    assert_eq!(client.response().1, "ok");

    let mut admin = Peer::connect(program.admin);
    admin.send("GET /stats?filter=shop.upstream_rq_total HTTP/1.1\r\nhost: admin\r\n\r\n");
    assert_eq!(admin.response().1, "cluster.shop.upstream_rq_total: 1\n");
    admin.send("GET /quitquitquit HTTP/1.1\r\nhost: admin\r\n\r\n");
    assert!(admin.response().0.starts_with("HTTP/1.1 405 "));
    admin.send("POST /quitquitquit HTTP/1.1\r\nhost: admin\r\ncontent-length: 0\r\n\r\n");
    assert!(admin.response().0.starts_with("HTTP/1.1 200 "));
    assert!(program.ended().success());
}

#[cfg(unix)]
#[test]
fn a_termination_lets_a_request_in_progress_end() {
    let upstream = Upstream::bind();
    let mut program = Program::start(upstream.address());
    let mut client = Peer::connect(program.listener);
    client.send(GET);
    let mut server = upstream.accept();
    server.head();
    let kill = format!("kill -TERM {}", program.child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().expect("a shell").success());
    said(&mut program.log, "shutting down");
    server.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate");
    let (head, content) = client.response();
    assert_eq!(content, "late");
    assert!(head.contains("\r\nconnection: close\r\n"), "{head}");
    assert!(program.ended().success());
}
