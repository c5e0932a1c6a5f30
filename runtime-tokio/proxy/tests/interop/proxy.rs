//! The proxy: its configuration as text, its process, and what its admin port says.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Folder, Process, until};
use crate::socket::Peer;

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_pool-proxy");

/// The configuration of a proxy with one listener and one cluster, in pieces that tests replace.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) upstream: String,
    pub(crate) port: u16,
    pub(crate) discovery: &'static str,
    /// Further fields of the connection manager, of the route action and of the cluster: lines without
    /// indentation.
    pub(crate) manager: &'static str,
    pub(crate) route: &'static str,
    pub(crate) cluster: &'static str,
    /// Further routes, before the one to the cluster.
    pub(crate) routes: &'static str,
    /// What the only other route matches.
    pub(crate) prefix: &'static str,
    /// HTTP/1 protocol options upstream.
    pub(crate) upstream_http: &'static str,
    pub(crate) log_format: &'static str,
    pub(crate) listener_port: u16,
    pub(crate) workers: usize,
    pub(crate) flags: &'static [&'static str],
}

/// What tests look at, one field each.
pub(crate) const LOG_FORMAT: &str = "%REQ(:METHOD)% %REQ(:PATH)% %PROTOCOL% %RESPONSE_CODE% %RESPONSE_FLAGS% \
     %BYTES_RECEIVED% %BYTES_SENT% %RESPONSE_CODE_DETAILS% %UPSTREAM_HOST% %UPSTREAM_CONNECTION_REUSED%\\n";

/// `connect-failure` and `reset-before-request`: only what cannot have been acted on.
pub(crate) const RETRIES: &str = "
retry_policy:
  retry_on: connect-failure,reset-before-request
  num_retries: 3";

impl Config {
    pub(crate) fn new(upstream: SocketAddr) -> Self {
        Self {
            upstream: upstream.ip().to_string(),
            port: upstream.port(),
            discovery: "STATIC",
            manager: "",
            route: "",
            cluster: "",
            routes: "",
            prefix: "/",
            upstream_http: "{}",
            log_format: LOG_FORMAT,
            listener_port: 0,
            workers: 1,
            flags: &[],
        }
    }

    fn yaml(&self, folder: &Path) -> String {
        let indented = |text: &str, by: usize| {
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            lines.map(|line| format!("{:by$}{line}\n", "")).collect::<String>()
        };
        format!(
            r#"admin:
  address: {{ socket_address: {{ address: 127.0.0.1, port_value: 0 }} }}
static_resources:
  listeners:
  - name: ingress
    address: {{ socket_address: {{ address: 127.0.0.1, port_value: {listener_port} }} }}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: ingress
{manager}          access_log:
          - name: envoy.access_loggers.file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: {log}
              log_format:
                text_format_source: {{ inline_string: "{log_format}" }}
          route_config:
            virtual_hosts:
            - name: everyone
              domains: ["*"]
              routes:
{routes}              - match: {{ prefix: "{prefix}" }}
                route:
                  cluster: origin
{route}          http_filters:
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
  - name: origin
    type: {discovery}
    connect_timeout: 2s
{cluster}    load_assignment:
      cluster_name: origin
      endpoints:
      - lb_endpoints:
        - endpoint:
            address: {{ socket_address: {{ address: {upstream}, port_value: {port} }} }}
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config:
          http_protocol_options: {upstream_http}
"#,
            listener_port = self.listener_port,
            manager = indented(self.manager, 10),
            log = folder.join("access.log").display(),
            log_format = self.log_format,
            routes = indented(self.routes, 14),
            route = indented(self.route, 18),
            discovery = self.discovery,
            cluster = indented(self.cluster, 4),
            upstream = self.upstream,
            port = self.port,
            prefix = self.prefix,
            upstream_http = self.upstream_http,
        )
    }

    /// Writes the configuration into a folder of its own.
    pub(crate) fn file(&self) -> (Folder, PathBuf) {
        let folder = Folder::new("config");
        let yaml = self.yaml(folder.path());
        let file = folder.write("proxy.yaml", yaml);
        (folder, file)
    }

    /// Starts the proxy and waits until it is live.
    pub(crate) fn start(&self) -> Proxy {
        self.start_by(Command::new(PROGRAM))
    }

    /// Starts the proxy by a command that ends with the program.
    pub(crate) fn start_by(&self, mut command: Command) -> Proxy {
        let (folder, file) = self.file();
        let admin = folder.path().join("admin");
        command.arg("-c").arg(file).arg("--concurrency").arg(self.workers.to_string());
        command.arg("--admin-address-path").arg(&admin).args(["--file-flush-interval-msec", "20"]);
        command.args(self.flags);
        let mut process = Process::start(&mut command, &folder.path().join("output"));
        let admin = until("the admin address", || {
            let said = || folder.lines("output").join("\n");
            assert!(process.ended().is_none(), "the proxy ended: {}", said());
            std::fs::read_to_string(&admin).ok()?.parse().ok()
        });
        let mut proxy = Proxy { address: admin, admin, process, folder };
        let listeners = until("the listener", || {
            let answer = Peer::connect(admin).ask("GET", "/ready");
            (answer.status == 200).then(|| proxy.admin("/listeners"))
        });
        let address = listeners.lines().find_map(|line| line.strip_prefix("ingress::")).map(str::parse);
        proxy.address = address.expect("the listener is listed").expect("an address");
        proxy
    }
}

/// A running proxy.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    admin: SocketAddr,
    pub(crate) process: Process,
    pub(crate) folder: Folder,
}

impl Proxy {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What the admin port answers to a GET.
    pub(crate) fn admin(&self, path: &str) -> String {
        let answer = Peer::connect(self.admin).ask("GET", path);
        assert_eq!(answer.status, 200, "{path}");
        String::from_utf8(answer.content).expect("text")
    }

    /// A counter or gauge of the cluster.
    pub(crate) fn cluster(&self, name: &str) -> usize {
        self.stat(&format!("cluster.origin.{name}"))
    }

    /// A counter or gauge of the connection manager.
    pub(crate) fn http(&self, name: &str) -> usize {
        self.stat(&format!("http.ingress.{name}"))
    }

    #[track_caller]
    pub(crate) fn stat(&self, name: &str) -> usize {
        let stats = self.admin("/stats");
        let found = stats.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let found = found.unwrap_or_else(|| panic!("no stat {name} in\n{stats}"));
        found.parse().unwrap_or_else(|_| panic!("{name}: {found}"))
    }

    /// What it has said on standard output and error.
    pub(crate) fn output(&self) -> String {
        self.folder.lines("output").join("\n")
    }

    /// The access log, when it has this many lines.
    #[track_caller]
    pub(crate) fn log(&self, lines: usize) -> Vec<String> {
        until("lines in the access log", || {
            let found = self.folder.lines("access.log");
            (found.len() >= lines).then_some(found)
        })
    }

    /// Ends it in order.
    #[track_caller]
    pub(crate) fn terminate(mut self) {
        self.process.signal("TERM");
        let status = self.process.wait();
        assert_eq!(status.code(), Some(0), "{}", self.output());
    }
}
