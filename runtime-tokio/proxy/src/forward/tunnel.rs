//! Upgrades: two connections that carry another protocol's bytes.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use http::header;
use http::request::Parts;
use pool_core::runtime::{Io, Runtime as _};
use runtime_tokio::{Incoming, Stream, Tcp, Tokio};
use tokio::net::TcpStream;

use super::alarm::Alarm;
use super::body::UpstreamBody;
use super::request::Wants;
use super::watch::Watch;
use crate::access_log::ResponseFlags;
use crate::config::model::HttpManager;

/// Bytes on their way in one direction at most.
const BUFFER: usize = 16 * 1024;

type Upstream = pool_core::client::Upgraded<Tokio, Tcp>;
type Upgrade = pool_core::server::Upgrade<Stream<TcpStream>>;

/// What a client offered besides its request.
pub(crate) struct Offer {
    upgrade: Option<Upgrade>,
    relay: Continue,
}

/// What becomes of the upstream's `100 Continue`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Continue {
    /// The client waits for it.
    Relayed,
    /// Nobody does.
    Swallowed,
}

impl Offer {
    pub(super) fn new(manager: &HttpManager, wants: Wants, head: &Parts, incoming: &Incoming) -> Self {
        let upgrade = match wants {
            Wants::Response => None,
            Wants::Tunnel => incoming.upgrade(),
        };
        let relay = if manager.proxy_100_continue && head.headers.contains_key(header::EXPECT) {
            incoming.control().withhold_continue();
            Continue::Relayed
        } else {
            Continue::Swallowed
        };
        Self { upgrade, relay }
    }

    /// Whether the client wants to switch to a protocol that is configured.
    pub(super) fn is_wanted(&self) -> bool {
        self.upgrade.is_some()
    }

    /// Whether the client waits for the upstream's `100 Continue`.
    pub(super) fn relays_continue(&self) -> bool {
        self.relay == Continue::Relayed
    }

    /// Moves it out.
    pub(super) fn take(&mut self) -> Self {
        Self { upgrade: self.upgrade.take(), relay: self.relay }
    }

    /// The upstream has switched; the client is told next. Carries bytes from then on.
    pub(super) fn accept(self, watch: Watch, body: UpstreamBody, idle: Option<Duration>) {
        let (Some(upgrade), Some(upstream)) = (self.upgrade, body.into_upgraded()) else { return };
        tokio::spawn(carry(watch, upgrade, upstream, idle));
    }
}

/// One direction.
#[derive(Debug)]
struct Lane {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    flow: Flow,
    carried: u64,
}

/// How far a direction has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Open,
    /// The sender is done; what it sent has to go out.
    Ending,
    /// The receiver was told.
    Over,
}

impl Lane {
    fn new() -> Self {
        Self { buffer: vec![0; BUFFER].into(), start: 0, end: 0, flow: Flow::Open, carried: 0 }
    }

    /// Moves what can be moved; ready when the direction is over. Says through `moved` whether any did.
    fn poll(
        &mut self,
        cx: &mut TaskContext<'_>,
        from: &mut impl Io,
        to: &mut impl Io,
        moved: &mut bool,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.start < self.end {
                let ready = &self.buffer[self.start..self.end];
                let n = ready!(to.poll_write_vectored(cx, &[IoSlice::new(ready)]))?;
                if n == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.start += n;
                self.carried += n as u64;
                *moved = true;
                continue;
            }
            match self.flow {
                Flow::Open => {
                    let n = ready!(from.poll_read(cx, &mut self.buffer))?;
                    (self.start, self.end) = (0, n);
                    *moved = true;
                    if n == 0 {
                        self.flow = Flow::Ending;
                    }
                }
                Flow::Ending => {
                    ready!(to.poll_shutdown(cx))?;
                    self.flow = Flow::Over;
                }
                Flow::Over => return Poll::Ready(Ok(())),
            }
        }
    }
}

/// Carries bytes both ways until both sides have ended, one has failed, or nothing went for `idle`.
async fn carry(mut watch: Watch, upgrade: Upgrade, mut upstream: Upstream, idle: Option<Duration>) {
    let Ok(mut downstream) = upgrade.await else { return };
    let connection = watch.connection.clone();
    let clock = &connection.context.clock;
    let (mut up, mut down) = (Lane::new(), Lane::new());
    let mut alarm = Alarm::default();
    let mut last = clock.now();
    let ended = poll_fn(|cx| {
        let mut moved = false;
        let sent = up.poll(cx, &mut downstream, &mut upstream, &mut moved)?;
        let received = down.poll(cx, &mut upstream, &mut downstream, &mut moved)?;
        if sent.is_ready() && received.is_ready() {
            return Poll::Ready(Ok(Ended::Both));
        }
        let Some(idle) = idle else { return Poll::Pending };
        if moved {
            last = clock.now();
        }
        alarm.poll(cx, clock, last + idle).map(|()| Ok(Ended::Idle))
    });
    let ended: io::Result<Ended> = ended.await;
    if let Ok(Ended::Idle) = ended {
        watch.answer.flags |= ResponseFlags::SI;
    }
    watch.tunnel_ended(up.carried, down.carried);
}

/// Why a tunnel is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Both,
    Idle,
}
