//! The thread that is no worker: names, admin port, signals, and the end.

use std::collections::hash_map::RandomState;
use std::future::{Future as _, poll_fn};
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::Duration;

use pool_core::client::Cluster;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::listen;
use super::options::{RunError, RunOptions, Signals, StartError};
use super::source::Proxy;
use super::thread::{self, Post, Thread};
use crate::access_log::Logs;
use crate::admin;
use crate::config::model::Bootstrap;
use crate::forward::Drain;
use crate::recordings::record::{Inbox, Recorder};
use crate::stats::Store;
use crate::upstream::{self, Counts, Refresh, System};

/// What the control thread is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// End in order; at once if that was asked for before.
    Stop,
    /// End at once.
    Cut,
    /// Take no more connections, and go on with those that are there.
    CloseListeners,
    /// Ask clients to leave over the drain time.
    Drain(AfterDrain),
    /// Open the access logs anew.
    ReopenLogs,
}

/// What becomes of listeners that have drained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterDrain {
    Close,
    StayOpen,
}

/// Tells the control thread.
#[derive(Clone, Debug)]
pub(super) struct Commands(UnboundedSender<Command>);

impl Commands {
    pub(super) fn send(&self, command: Command) {
        // Nobody listens any more only if the proxy has ended.
        let _ = self.0.send(command);
    }
}

type Started = (Arc<Proxy>, Commands, JoinHandle<Result<(), RunError>>);

/// Makes everything and starts the control thread, which starts the workers.
pub(super) fn start(config: Bootstrap, options: RunOptions) -> Result<Started, StartError> {
    let config = Arc::new(config);
    let workers = options.workers();
    let made: Vec<_> = config.clusters.iter().map(upstream::make).collect();
    let counts = made.iter().map(|made| made.refresh.as_ref().map(|refresh| refresh.counts().clone()));
    let counts: Vec<Option<Arc<Counts>>> = counts.collect();
    let (clusters, refreshes): (Vec<_>, Vec<_>) =
        made.into_iter().map(|made| (made.cluster, made.refresh)).unzip();
    let mut addresses = Vec::new();
    let mut sockets = Vec::new();
    for listener in &config.listeners {
        let bound = listen::bind(listener, workers).map_err(|error| StartError::Bind {
            listener: listener.name.clone(),
            address: listener.address,
            error,
        })?;
        addresses.push(bound.0);
        sockets.push(bound.1);
    }
    let admin = config.admin.as_ref().map(|admin| bind_admin(admin.address)).transpose()?;
    let logs = Logs::start(options.access_log).map_err(StartError::Thread)?;
    let (sender, receiver) = unbounded_channel();
    let commands = Commands(sender);
    let admin_address = admin.as_ref().and_then(|admin| admin.local_addr().ok());
    let drain = Arc::new(Drain::new(options.drain_strategy, options.drain_time));
    let proxy = Arc::new(Proxy::new(super::source::Made {
        store: Store::new(&config, workers),
        config,
        config_text: options.config_text.clone(),
        command_line: options.command_line.clone(),
        addresses,
        admin_address,
        clusters,
        counts,
        logs,
        commands: commands.clone(),
        drain,
    }));
    let control = Control { proxy: proxy.clone(), options, refreshes, sockets, admin, receiver };
    let (ready, is_ready) = mpsc::channel();
    let handle = std::thread::Builder::new()
        .name("control".to_owned())
        .spawn(move || control.run(&ready))
        .map_err(StartError::Thread)?;
    match is_ready.recv() {
        Ok(Ok(())) => Ok((proxy, commands, handle)),
        Ok(Err(error)) => Err(error),
        Err(mpsc::RecvError) => Err(StartError::Thread(io::Error::other("the control thread died"))),
    }
}

fn bind_admin(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).map_err(|error| StartError::Bind {
        listener: "admin".to_owned(),
        address,
        error,
    })
}

/// What the control thread begins with.
struct Control {
    proxy: Arc<Proxy>,
    options: RunOptions,
    refreshes: Vec<Option<Refresh>>,
    /// Of each listener a socket per worker.
    sockets: Vec<Vec<TcpListener>>,
    admin: Option<TcpListener>,
    receiver: UnboundedReceiver<Command>,
}

impl Control {
    fn run(self, ready: &mpsc::Sender<Result<(), StartError>>) -> Result<(), RunError> {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                drop(ready.send(Err(StartError::Thread(error))));
                return Err(RunError::Died);
            }
        };
        let logs = self.proxy.logs().clone();
        let ended = runtime.block_on(self.work(ready));
        // A look-up that hangs is not waited for.
        runtime.shutdown_background();
        logs.close();
        ended
    }

    async fn work(self, ready: &mpsc::Sender<Result<(), StartError>>) -> Result<(), RunError> {
        let Self { proxy, options, refreshes, sockets, admin, receiver } = self;
        let seed = options.seed.unwrap_or_else(|| RandomState::new().build_hasher().finish());
        if let Some(address) = proxy.admin_address() {
            tracing::info!("admin address: {address}");
        }
        let admin = admin.and_then(|listener| serve_admin(&proxy, listener));
        let lookups = look_up(refreshes, seed, options.initial_lookup_timeout).await;
        let (gone, mut is_gone) = unbounded_channel();
        let recorder = options.record.as_deref().and_then(start_recorder);
        let inbox = recorder.as_ref().map(Recorder::inbox);
        let threads = match start_workers(&proxy, sockets, seed, inbox.as_ref(), &gone) {
            Ok(threads) => threads,
            Err(error) => {
                drop(ready.send(Err(error)));
                return Err(RunError::Died);
            }
        };
        proxy.set_live();
        tracing::info!(addresses = ?proxy.addresses(), "all clusters initialized, listeners take connections");
        // Whoever started us waits; were it gone, its `Running` would end us.
        let _ = ready.send(Ok(()));
        let ended = serve_until_told(&proxy, &options, receiver, &mut is_gone).await;
        drop(lookups);
        drop(admin);
        leave(threads).await;
        // Its thread writes what the workers left, and is waited for.
        drop(recorder);
        ended
    }
}

/// A proxy serves without its recording rather than not at all.
fn start_recorder(folder: &Path) -> Option<Recorder> {
    let started = Recorder::start(folder, |message| {
        eprintln!("{message}");
        tracing::error!("{message}");
    });
    match started {
        Ok(recorder) => Some(recorder),
        Err(error) => {
            eprintln!("nothing is recorded: {error}");
            tracing::error!(%error, "nothing is recorded");
            None
        }
    }
}

/// Starts the look-ups, and waits until each has been answered once.
async fn look_up(refreshes: Vec<Option<Refresh>>, seed: u64, limit: Duration) -> JoinSet<()> {
    let mut lookups = JoinSet::new();
    let mut firsts = Vec::new();
    for (refresh, number) in refreshes.into_iter().flatten().zip(1_u64..) {
        firsts.push(refresh.first());
        lookups.spawn(refresh.run(System, seed ^ number));
    }
    let all = async {
        for mut first in firsts {
            // An error is a task that is gone: there is nothing to wait for.
            let _ = first.wait_for(|asked| *asked).await;
        }
    };
    if tokio::time::timeout(limit, all).await.is_err() {
        tracing::warn!("listening although not all names have been looked up");
    }
    lookups
}

fn serve_admin(proxy: &Arc<Proxy>, listener: TcpListener) -> Option<super::source::AdminServer> {
    let log = proxy.config_admin_log();
    let logger = proxy.logs().logger(log).ok()?;
    let listener = runtime_tokio::Listener::from_std(listener).ok()?;
    Some(admin::serve(listener, super::source::Shared(proxy.clone()), logger))
}

fn start_workers(
    proxy: &Arc<Proxy>,
    sockets: Vec<Vec<TcpListener>>,
    seed: u64,
    recordings: Option<&Inbox>,
    gone: &UnboundedSender<usize>,
) -> Result<Vec<Thread>, StartError> {
    let mut of_listeners: Vec<_> = sockets.into_iter().map(Vec::into_iter).collect();
    let clusters: Vec<Cluster> = proxy.pool_clusters().to_vec();
    let mut threads = Vec::new();
    for number in 0..proxy.store().concurrency() {
        let mut sockets = Vec::new();
        for (listener, of_listener) in proxy.bootstrap().listeners.iter().zip(&mut of_listeners) {
            let logger = proxy.logs().logger(&listener.manager.access_log).map_err(StartError::AccessLog)?;
            sockets.extend(of_listener.next().map(|socket| (socket, logger)));
        }
        let Some(stats) = proxy.store().worker(number) else { break };
        let post = Post {
            number,
            config: proxy.bootstrap().clone(),
            clusters: clusters.clone(),
            sockets,
            drain: proxy.drain().clone(),
            stats,
            seed: seed.wrapping_add((number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            workers: proxy.store().concurrency(),
            recordings: recordings.cloned(),
        };
        let (worker, thread) = thread::start(post, gone.clone()).map_err(StartError::Thread)?;
        proxy.add_worker(worker);
        threads.push(thread);
    }
    Ok(threads)
}

/// Waits for the command to end, and ends the servers.
async fn serve_until_told(
    proxy: &Arc<Proxy>,
    options: &RunOptions,
    mut receiver: UnboundedReceiver<Command>,
    is_gone: &mut UnboundedReceiver<usize>,
) -> Result<(), RunError> {
    let mut signals = super::signals::Listening::new(options.signals == Signals::Handled);
    let mut shutdown = JoinSet::new();
    let mut is_stopping = false;
    let mut drained = None;
    loop {
        let command = tokio::select! {
            command = receiver.recv() => command.unwrap_or(Command::Cut),
            command = signals.next() => command,
            () = at(drained) => {
                drained = None;
                Command::CloseListeners
            }
            worker = is_gone.recv() => {
                tracing::error!(?worker, "a worker died");
                // The others are not to wait for what is still going on; the dead one has no end.
                end_servers(proxy, &mut shutdown, Duration::ZERO).await;
                let all = async { while shutdown.join_next().await.is_some() {} };
                let _ = tokio::time::timeout(Duration::from_secs(1), all).await;
                return Err(RunError::Died);
            }
            Some(_) = shutdown.join_next(), if is_stopping => {
                if shutdown.is_empty() {
                    return Ok(());
                }
                continue;
            }
        };
        match command {
            Command::ReopenLogs => proxy.logs().reopen(),
            Command::Stop if !is_stopping => {
                is_stopping = true;
                end_servers(proxy, &mut shutdown, options.grace()).await;
                tracing::info!("shutting down: waiting for exchanges in progress");
            }
            Command::CloseListeners if !is_stopping => {
                end_servers(proxy, &mut shutdown, options.grace()).await;
                tracing::info!("closing listeners");
            }
            Command::CloseListeners => {}
            Command::Drain(after) => {
                if let Some(time) = proxy.drain().begin() {
                    tracing::info!(?time, "draining listeners");
                    drained = (after == AfterDrain::Close).then(|| Instant::now() + time);
                }
            }
            Command::Stop | Command::Cut => {
                tracing::info!("shutting down at once");
                is_stopping = true;
                shutdown.abort_all();
                end_servers(proxy, &mut shutdown, Duration::ZERO).await;
            }
        }
    }
}

/// Ready at that time; without one, never.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Tells all servers to end; `shutdown` ends when they have.
async fn end_servers(proxy: &Arc<Proxy>, shutdown: &mut JoinSet<u64>, grace: Duration) {
    for server in proxy.servers() {
        let mut ended = Box::pin(async move { server.shutdown(grace).await });
        // Polled once here: it is told when this returns, and what is logged then is true.
        let first = poll_fn(|cx| Poll::Ready(ended.as_mut().poll(cx))).await;
        shutdown.spawn(async move {
            match first {
                Poll::Ready(cut) => cut,
                Poll::Pending => ended.await,
            }
        });
    }
}

/// Ends the workers, each when its upstream connections are closed.
async fn leave(threads: Vec<Thread>) {
    let (leaves, handles): (Vec<_>, Vec<_>) =
        threads.into_iter().map(|thread| (thread.leave, thread.handle)).unzip();
    drop(leaves);
    let join = tokio::task::spawn_blocking(move || {
        for handle in handles {
            if handle.join().is_err() {
                tracing::error!("a worker died at its end");
            }
        }
    });
    if join.await.is_err() {
        tracing::error!("the workers could not be waited for");
    }
}
