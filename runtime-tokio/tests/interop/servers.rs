//! Real servers as children of the test: a port, a folder, start, stop, and the ways to disturb
//! them. A server that is dropped is stopped and its folder removed.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Set by CI: a server that is not installed is a failure, not a skip.
const REQUIRE: &str = "POOL_REQUIRE_INTEROP";

/// How long a server may take to come up or go down.
const PATIENCE: Duration = Duration::from_secs(20);

/// A program from the path, or from where Debian puts daemons. `None` was said aloud.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let daemons = [PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")];
    let found =
        std::env::split_paths(&path).chain(daemons).map(|dir| dir.join(program)).find(|file| file.is_file());
    if found.is_none() {
        assert!(std::env::var_os(REQUIRE).is_none(), "{REQUIRE} is set and {program} is not installed");
        eprintln!("SKIPPED: {program} is not installed");
    }
    found
}

/// A folder of this test's own, removed at the end.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let unique = format!("{name}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(unique);
        fs::create_dir(&dir)?;
        Ok(Self(dir))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A leftover folder in the system's temporary folder is not worth a panic.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Which program runs, and how its folder and command line look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flavour {
    Nginx,
    Node,
}

/// One server process on a loopback port that stays the same over restarts.
#[derive(Debug)]
pub(crate) struct Server {
    flavour: Flavour,
    program: PathBuf,
    folder: Folder,
    addr: SocketAddr,
    child: Child,
}

impl Server {
    /// nginx with one worker, `keepalive_requests 100`, and logs of ids and connections.
    pub(crate) fn nginx() -> Option<Self> {
        let program = find("nginx")?;
        let folder = Folder::new("interop-nginx").expect("a temporary folder");
        let addr = free_port();
        let dir = &folder.0;
        let write = |name: &str, text: String| fs::write(dir.join(name), text).expect("a config file");
        fs::create_dir(dir.join("www")).expect("a folder for files");
        write("www/100", "a".repeat(100));
        write("www/16k", "b".repeat(16 * 1024));
        write("nginx.conf", nginx_config(dir, addr));
        Some(Self::start(Flavour::Nginx, program, folder, addr))
    }

    /// node with the server script beside this file.
    pub(crate) fn node() -> Option<Self> {
        let program = find("node")?;
        let folder = Folder::new("interop-node").expect("a temporary folder");
        let script = folder.0.join("server.js");
        fs::write(script, include_str!("server.js")).expect("a script file");
        Some(Self::start(Flavour::Node, program, folder, free_port()))
    }

    fn start(flavour: Flavour, program: PathBuf, folder: Folder, addr: SocketAddr) -> Self {
        let child = spawn(flavour, &program, &folder.0, addr);
        let mut server = Self { flavour, program, folder, addr, child };
        server.wait_until_up();
        server
    }

    pub(crate) const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The ids of the POSTs that arrived, in order, over all restarts.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.log("ids.log")
    }

    /// The distinct connections that carried a request (nginx only).
    pub(crate) fn connections(&self) -> usize {
        let mut serials = self.log("connections.log");
        serials.sort_unstable();
        serials.dedup();
        serials.len()
    }

    fn log(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.folder.0.join(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Reads the configuration again; the old worker finishes what it has and closes idle
    /// connections. The port stays open.
    pub(crate) fn reload(&self) {
        assert_eq!(self.flavour, Flavour::Nginx);
        signal("HUP", self.child.id());
    }

    /// Kills the worker; the master starts another and the port stays open.
    pub(crate) fn kill_worker(&self) {
        assert_eq!(self.flavour, Flavour::Nginx);
        for worker in children_of(self.child.id()) {
            signal("KILL", worker);
        }
    }

    /// Stops at once, dropping every connection, and starts again. For the time between, nothing
    /// listens.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.child = spawn(self.flavour, &self.program, &self.folder.0, self.addr);
        self.wait_until_up();
    }

    fn stop(&mut self) {
        match self.flavour {
            // A killed master would leave its worker behind, which keeps the port: TERM is nginx's
            // fast shutdown.
            Flavour::Nginx => signal("TERM", self.child.id()),
            Flavour::Node => self.child.kill().expect("a child that is ours"),
        }
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait().expect("a child that is ours").is_none() {
            assert!(Instant::now() < deadline, "{:?} does not stop", self.flavour);
            sleep(Duration::from_millis(1));
        }
    }

    fn wait_until_up(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect_timeout(&self.addr, Duration::from_secs(1)).is_err() {
            if self.child.try_wait().expect("a child that is ours").is_some() {
                // The port may still have been held by the one before; try again.
                self.child = spawn(self.flavour, &self.program, &self.folder.0, self.addr);
            }
            assert!(
                Instant::now() < deadline,
                "{:?} does not come up: {:?}",
                self.flavour,
                self.log("errors.log")
            );
            sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn spawn(flavour: Flavour, program: &Path, dir: &Path, addr: SocketAddr) -> Child {
    let mut command = Command::new(program);
    match flavour {
        Flavour::Nginx => {
            command.arg("-p").arg(dir).arg("-e").arg(dir.join("errors.log"));
            command.arg("-c").arg(dir.join("nginx.conf"));
        }
        Flavour::Node => {
            command.arg(dir.join("server.js")).arg(addr.port().to_string()).arg(dir.join("ids.log"));
        }
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap_or_else(|error| panic!("{}: {error}", program.display()))
}

fn nginx_config(dir: &Path, addr: SocketAddr) -> String {
    let dir = dir.display();
    format!(
        "daemon off;
worker_processes 1;
worker_rlimit_nofile 8192;
pid {dir}/nginx.pid;
error_log {dir}/errors.log;
events {{ worker_connections 4096; }}
http {{
    client_body_temp_path {dir}/t1;
    proxy_temp_path {dir}/t2;
    fastcgi_temp_path {dir}/t3;
    uwsgi_temp_path {dir}/t4;
    scgi_temp_path {dir}/t5;
    log_format id '$http_x_id';
    log_format connection '$connection';
    access_log {dir}/connections.log connection;
    keepalive_requests 100;
    keepalive_timeout 60s;
    server {{
        listen {addr} backlog=4096;
        root {dir}/www;
        location = /return {{ return 200 'ok'; }}
        location = /post {{ access_log {dir}/ids.log id; access_log {dir}/connections.log connection; return 200 'ok'; }}
    }}
}}
"
    )
}

/// A loopback port that was free a moment ago.
fn free_port() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port");
    listener.local_addr().expect("a bound socket has an address")
}

/// Sends a signal to a process of this test, by its id.
fn signal(name: &str, pid: u32) {
    let status = Command::new("sh").arg("-c").arg(format!("kill -{name} {pid} 2>/dev/null")).status();
    // Its answer does not matter: a worker that went by itself is as good as killed.
    status.expect("a shell");
}

/// The direct children of a process (Linux).
fn children_of(pid: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}
