//! The service that a connection of a client gets.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use http::{Request, Response};
use runtime_tokio::Incoming;
use tower_service::Service;

use super::body::ResponseBody;
use super::context::{Connection, Context};
use super::exchange::Exchange;

/// Forwards the requests of one connection. A clone is for another connection: the server makes one for
/// each.
pub struct Forwarder(Arc<Connection>);

impl Forwarder {
    pub(crate) fn new(context: Arc<Context>) -> Self {
        Self(Connection::new(context))
    }
}

impl Clone for Forwarder {
    fn clone(&self) -> Self {
        Self(Connection::new(self.0.context.clone()))
    }
}

impl std::fmt::Debug for Forwarder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forwarder").field("connection", &self.0.id).finish_non_exhaustive()
    }
}

impl Service<Request<Incoming>> for Forwarder {
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = Exchange;

    fn poll_ready(&mut self, _cx: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Exchange {
        Exchange::new(&self.0, request)
    }
}
