//! A proxy between raw sockets: what goes in and comes out is written and read byte by byte.
#![allow(dead_code, unused_imports, reason = "each test binary uses a part of it")]
#![allow(clippy::disallowed_methods, reason = "clients and upstreams are blocking sockets on threads")]

pub(crate) mod config;
pub(crate) mod socket;

use std::net::SocketAddr;

use pool_proxy::config::model::Bootstrap;
use pool_proxy::{RunOptions, Running, run};

pub(crate) use socket::{Peer, Upstream};

/// A proxy that ends with its test.
pub(crate) struct Proxy {
    running: Option<Running>,
}

impl Proxy {
    /// One worker.
    pub(crate) fn start(config: Bootstrap) -> Self {
        Self::with_workers(config, 1)
    }

    /// Several.
    pub(crate) fn with_workers(config: Bootstrap, workers: usize) -> Self {
        let mut options = RunOptions::default();
        options.concurrency = Some(workers);
        Self { running: Some(run(config, options).expect("a proxy")) }
    }

    pub(crate) fn running(&self) -> &Running {
        self.running.as_ref().expect("it runs")
    }

    /// Where its first listener is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.running().addresses()[0]
    }

    /// A client's connection.
    pub(crate) fn connect(&self) -> Peer {
        Peer::connect(self.address())
    }

    /// Sends a request without content on a new connection; the response, head and content.
    pub(crate) fn get(&self, path: &str) -> (String, String) {
        let mut client = self.connect();
        client.send(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n"));
        client.response()
    }

    /// Waits until it has ended.
    pub(crate) fn wait(mut self) {
        self.running.take().expect("it runs").wait().expect("an end in order");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop();
            running.stop();
            let _ = running.wait();
        }
    }
}
