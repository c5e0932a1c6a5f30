//! One worker: a thread with an event loop, pools and listening sockets of its own.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;

use pool_core::client::{Builder, Cluster};
use pool_core::server::ServerHandle;
use pool_core::wire::h1;
use runtime_tokio::{Listener, Tcp, Tokio};
use tokio::sync::oneshot;

use crate::access_log::Logger;
use crate::config::model::{self, Bootstrap};
use crate::forward::body::Client;
use crate::forward::context::{Context, Parts};
use crate::forward::local_reply;
use crate::forward::{Drain, Forwarder};
use crate::recordings::record::{self, Inbox};
use crate::stats::WorkerStats;

/// What a worker is started with.
pub(super) struct Post {
    pub(super) number: usize,
    pub(super) config: Arc<Bootstrap>,
    pub(super) clusters: Vec<Cluster>,
    /// Of each listener a socket, and a log.
    pub(super) sockets: Vec<(TcpListener, Logger)>,
    pub(super) drain: Arc<Drain>,
    pub(super) stats: WorkerStats,
    pub(super) seed: u64,
    /// Of all workers, how many there are; and where a recording goes.
    pub(super) workers: usize,
    pub(super) recordings: Option<Inbox>,
}

/// A worker at work, from outside.
#[derive(Clone)]
pub(super) struct Worker {
    pub(super) client: Client,
    /// By listener.
    pub(super) servers: Vec<ServerHandle<Tokio>>,
}

/// The thread of a worker.
pub(super) struct Thread {
    pub(super) handle: JoinHandle<()>,
    /// Dropping it ends the worker, which waits for its pools.
    pub(super) leave: oneshot::Sender<()>,
}

/// Starts a worker and waits until it serves. `gone` hears of it when the thread ends.
pub(super) fn start(
    post: Post,
    gone: tokio::sync::mpsc::UnboundedSender<usize>,
) -> io::Result<(Worker, Thread)> {
    let (ready, is_ready) = mpsc::channel();
    let (leave, left) = oneshot::channel();
    let number = post.number;
    let handle = std::thread::Builder::new().name(format!("worker_{number}")).spawn(move || {
        let _gone = Gone { number, tell: gone };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            Ok(runtime) => runtime.block_on(work(post, &ready, left)),
            // Nobody waits any more only if the process is ending.
            Err(error) => drop(ready.send(Err(error))),
        }
    })?;
    let worker = is_ready.recv().unwrap_or_else(|_| Err(io::Error::other("the worker died at its start")))?;
    Ok((worker, Thread { handle, leave }))
}

/// Says that a thread has ended, however it did.
struct Gone {
    number: usize,
    tell: tokio::sync::mpsc::UnboundedSender<usize>,
}

impl Drop for Gone {
    fn drop(&mut self) {
        // Nobody listens only if the process is ending.
        let _ = self.tell.send(self.number);
    }
}

async fn work(post: Post, ready: &mpsc::Sender<io::Result<Worker>>, left: oneshot::Receiver<()>) {
    let is_recorded = post.recordings.is_some();
    let served = serve(post);
    let client = served.as_ref().ok().map(|worker| worker.client.clone());
    if ready.send(served).is_err() {
        return;
    }
    let until = async {
        // An error is the sender being dropped, which says the same.
        let _ = left.await;
    };
    match &client {
        Some(client) if is_recorded => record::flush_until(until, || client.flush_recording()).await,
        Some(_) | None => until.await,
    }
    if let Some(client) = client {
        // No request is left by now: only idle connections are.
        client.close().await;
        client.flush_recording();
    }
}

fn serve(post: Post) -> io::Result<Worker> {
    let Post { number, config, clusters, sockets, drain, stats, seed, workers, recordings } = post;
    let worker = u32::try_from(number).map_err(io::Error::other)?;
    let clock = Tokio::new();
    let builder = Builder::new(clock.clone(), Tcp).seed(seed);
    let client: Client = match recordings {
        Some(inbox) => {
            let (builder, recording) = builder.record(&record::header(worker, workers, seed));
            inbox.add(worker, recording);
            builder.build()
        }
        None => builder.build(),
    };
    let mut servers = Vec::new();
    for (index, (listener, (socket, logger))) in config.listeners.iter().zip(sockets).enumerate() {
        let parts = Parts {
            worker,
            client: client.clone(),
            clock: clock.clone(),
            clusters: clusters.clone(),
            logger,
            address: socket.local_addr()?,
            drain: drain.clone(),
            stats: stats.clone(),
            seed: seed.rotate_left(17).wrapping_add(index as u64),
        };
        let Some(context) = Context::new(&config, index, parts) else { continue };
        let context = Arc::new(context);
        let hook = context.clone();
        let server = server(&listener.manager, &clock)
            .on_local_reply(move |reply, response| local_reply(&hook, reply, response));
        servers.push(server.serve(Listener::from_std(socket)?, Forwarder::new(context)));
    }
    Ok(Worker { client, servers })
}

/// The server of a connection manager.
fn server(manager: &model::HttpManager, clock: &Tokio) -> pool_core::server::Builder<Tokio> {
    let kibibytes = usize::try_from(manager.max_request_headers_kb).unwrap_or(usize::MAX);
    let limits = h1::Limits {
        max_head_bytes: kibibytes.saturating_mul(1024),
        max_headers: usize::try_from(manager.max_headers_count).unwrap_or(usize::MAX),
        ..h1::Limits::default()
    };
    pool_core::server::Builder::new(clock.clone())
        .without_peer_extension()
        .h1_limits(limits)
        .idle_timeout(manager.idle_timeout)
        .max_connection_duration(manager.max_connection_duration)
        .max_requests_per_connection(manager.max_requests_per_connection)
        .request_headers_timeout(manager.request_headers_timeout)
        .delayed_close_timeout(manager.delayed_close_timeout)
        .stream_idle_timeout(manager.stream_idle_timeout)
        .request_timeout(manager.request_timeout)
        .max_stream_duration(manager.max_stream_duration)
        .accept_http_10(manager.accept_http_10)
}
