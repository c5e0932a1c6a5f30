//! nginx, node and wrk.

use std::net::{SocketAddr, TcpStream};
use std::process::Command;

use crate::process::{Folder, Process, find, run, until};
use crate::socket::{Peer, nobody};

/// nginx with one worker on a port that stays the same over restarts.
#[derive(Debug)]
pub(crate) struct Nginx {
    folder: Folder,
    address: SocketAddr,
    process: Process,
}

impl Nginx {
    /// `keepalive_requests 100`, files `/100` and `/16k`, `/status`, a limit of 1 MiB under `/upload`.
    pub(crate) fn start() -> Option<Self> {
        find("nginx")?;
        let folder = Folder::new("nginx");
        std::fs::create_dir(folder.path().join("www")).expect("a folder in a folder of ours");
        folder.write("www/100", "a".repeat(100));
        folder.write("www/16k", "b".repeat(16 * 1024));
        let address = nobody();
        let dir = folder.path().display();
        let config = format!(
            "daemon off;
worker_processes 1;
worker_rlimit_nofile 4096;
pid {dir}/nginx.pid;
error_log {dir}/errors.log;
events {{ worker_connections 2048; }}
http {{
    client_body_temp_path {dir}/t1;
    proxy_temp_path {dir}/t2;
    fastcgi_temp_path {dir}/t3;
    uwsgi_temp_path {dir}/t4;
    scgi_temp_path {dir}/t5;
    access_log off;
    keepalive_requests 100;
    keepalive_timeout 60s;
    server {{
        listen {address} backlog=2048;
        root {dir}/www;
        location = /status {{ stub_status; }}
        location = /upload {{ client_max_body_size 1m; proxy_pass http://{address}/nowhere; }}
    }}
}}
"
        );
        folder.write("nginx.conf", config);
        let process = Self::spawn(&folder);
        let mut nginx = Self { folder, address, process };
        nginx.wait_until_up();
        Some(nginx)
    }

    fn spawn(folder: &Folder) -> Process {
        let mut command = Command::new(find("nginx").expect("found a moment ago"));
        command.arg("-p").arg(folder.path()).arg("-e").arg(folder.path().join("errors.log"));
        command.arg("-c").arg(folder.path().join("nginx.conf"));
        Process::start(&mut command, &folder.path().join("output"))
    }

    fn wait_until_up(&mut self) {
        until("nginx", || {
            if TcpStream::connect(self.address).is_ok() {
                return Some(());
            }
            if self.process.ended().is_some() {
                // The port may still have been held by the one before.
                self.process = Self::spawn(&self.folder);
            }
            None
        });
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// A new worker; the old one finishes what it has and closes idle connections.
    pub(crate) fn reload(&self) {
        self.process.signal("HUP");
    }

    /// Drops every connection and ends; nothing listens from here to [`Nginx::rise`].
    pub(crate) fn stop(&mut self) {
        self.process.signal("TERM");
        self.process.wait();
    }

    pub(crate) fn rise(&mut self) {
        self.process = Self::spawn(&self.folder);
        self.wait_until_up();
    }

    /// Connections open now, connections accepted ever and requests ever; this question's own are in it.
    pub(crate) fn status(&self) -> Status {
        let answer = Peer::connect(self.address).ask("GET", "/status");
        let text = String::from_utf8(answer.content).expect("text");
        let numbers: Vec<usize> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        Status { active: numbers[0], accepted: numbers[1], requests: numbers[3] }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // A killed master would leave its worker behind: TERM is nginx's fast shutdown.
        if self.process.ended().is_none() {
            self.stop();
        }
    }
}

/// What `stub_status` says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Status {
    pub(crate) active: usize,
    pub(crate) accepted: usize,
    pub(crate) requests: usize,
}

/// node with a script that prints its port as its first line.
pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    _folder: Folder,
    _process: Process,
}

impl Node {
    pub(crate) fn start(script: &str) -> Option<Self> {
        let program = find("node")?;
        let folder = Folder::new("node");
        let file = folder.write("server.js", script);
        let process = Process::start(Command::new(program).arg(file), &folder.path().join("output"));
        let port: u16 = until("node", || folder.lines("output").first()?.parse().ok());
        Some(Self { address: SocketAddr::from(([127, 0, 0, 1], port)), _folder: folder, _process: process })
    }
}

/// What wrk counted.
#[derive(Clone, Debug)]
pub(crate) struct Wrk {
    pub(crate) requests: usize,
    pub(crate) bad_statuses: usize,
    pub(crate) has_socket_errors: bool,
    pub(crate) said: String,
}

/// `wrk -t 1`; `None` if it is not installed.
pub(crate) fn wrk(url: &str, connections: usize, seconds: usize) -> Option<Wrk> {
    let mut command = Command::new(find("wrk")?);
    command.args(["-t", "1", "-c", &connections.to_string(), "-d", &format!("{seconds}s")]);
    let (code, said, errors) = run(command.args(["--timeout", "10s"]).arg(url));
    assert_eq!(code, Some(0), "{said}{errors}");
    let word = |line: &str, at: usize| line.split_whitespace().nth(at).and_then(|word| word.parse().ok());
    let requests = said.lines().find(|line| line.contains(" requests in ")).and_then(|line| word(line, 0));
    let bad = said.lines().find_map(|line| line.trim().strip_prefix("Non-2xx or 3xx responses: "));
    Some(Wrk {
        requests: requests.expect("wrk says how many requests"),
        bad_statuses: bad.map_or(0, |bad| bad.parse().expect("a number")),
        has_socket_errors: said.contains("Socket errors"),
        said,
    })
}
