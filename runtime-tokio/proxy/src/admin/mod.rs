//! The admin port: Envoy's endpoints, and `/pools`.
//!
//! What only reads is asked for with GET, HEAD or POST; what changes something takes POST alone and
//! answers 405 otherwise. `docs/admin.md` lists the paths.

mod clusters;
mod config_dump;
mod endpoint;
mod info;
mod json;
mod pools;
mod query;
mod reply;
mod service;
mod source;
mod stats;

pub use source::{Action, ClusterStatus, HostStatus, ListenerStatus, ServerState, Source, WorkerPools};

use std::convert::Infallible;
use std::future::ready;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use http::{Request, header};
use pool_core::server::{ServerHandle, service_fn};
use runtime_tokio::{Incoming, Listener, Tokio};
use tokio::time::{Instant, interval_at};

use crate::access_log::{Logger, Record};
use reply::Reply;

/// How long an interval of the histograms is (Envoy: `stats_flush_interval`, default 5 s).
const FLUSH_INTERVAL: Duration = Duration::from_secs(5);

/// What every request needs.
struct Admin<S> {
    source: S,
    log: Logger,
}

/// Serves the admin endpoints on the tokio runtime that this is called in, until the handle ends it.
/// `log` is the admin's own access log.
///
/// Histograms move on to their next interval every 5 s meanwhile.
pub fn serve<S: Source>(listener: Listener, source: S, log: Logger) -> ServerHandle<Tokio> {
    let local_address = listener.local_addr().ok();
    let admin = Arc::new(Admin { source, log });
    tokio::spawn(flush(Arc::downgrade(&admin)));
    let service = service_fn(move |request: Request<Incoming>| {
        let (start, begun) = (wall_clock(), Instant::now());
        let reply = service::answer(&admin.source, &request);
        if !admin.log.is_empty() {
            let mut record = Record::new(start);
            record.timings.total = Some(begun.elapsed());
            record.timings.response_sent = record.timings.total;
            record.downstream.local_address = local_address;
            log_request(&admin.log, record, &request, &reply);
        }
        let mut response = reply.into_response(request.method(), runtime_tokio::full);
        if let Ok(date) = httpdate::fmt_http_date(start).try_into() {
            response.headers_mut().insert(header::DATE, date);
        }
        ready(Ok::<_, Infallible>(response))
    });
    runtime_tokio::server().serve(listener, service)
}

#[expect(clippy::disallowed_methods, reason = "the admin port is no machine: it dates its answers")]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}

/// Moves the histograms on for as long as the admin port is served.
async fn flush<S: Source>(admin: Weak<Admin<S>>) {
    let mut ticks = interval_at(Instant::now() + FLUSH_INTERVAL, FLUSH_INTERVAL);
    loop {
        ticks.tick().await;
        let Some(admin) = admin.upgrade() else { return };
        admin.source.stats().flush(&admin.source);
    }
}

fn log_request<'a>(log: &Logger, mut record: Record<'a>, request: &'a Request<Incoming>, reply: &Reply) {
    let uri = request.uri();
    record.request.method = Some(request.method());
    record.request.path = Some(uri.path_and_query().map_or("/", |path| path.as_str()));
    record.request.authority = uri.authority().map(|authority| authority.as_str());
    record.request.scheme = Some("http");
    record.request.protocol = Some(request.version());
    record.request.headers = Some(request.headers());
    record.response.code = Some(reply.status().as_u16());
    record.response.code_details = Some("admin_filter_response");
    record.response.body_bytes = reply.len() as u64;
    record.downstream.remote_address = Some(request.body().peer_addr());
    record.downstream.direct_remote_address = Some(request.body().peer_addr());
    record.timings.request_received = Some(Duration::ZERO);
    log.log(&record);
}
