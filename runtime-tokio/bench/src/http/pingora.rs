//! pingora-core's HTTP/1 connector: its pool, its idle watch, its session.

use std::sync::Arc;

use pingora_core::connectors::ConnectorOptions;
use pingora_core::connectors::http::v1::Connector;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_http::RequestHeader;

use super::{Client, Target};
use crate::error::{Error, Result};

#[derive(Clone)]
pub(crate) struct Pingora(Arc<Connector>);

pub(crate) struct Lane {
    connector: Arc<Connector>,
    peer: HttpPeer,
    request: RequestHeader,
}

impl Client for Pingora {
    type Lane = Lane;

    fn new(target: &Target) -> Result<Self> {
        // A smaller pool would throw connections away.
        let options = ConnectorOptions::new(target.connections + 1);
        Ok(Self(Arc::new(Connector::new(Some(options)))))
    }

    fn lane(&self, target: &Target) -> Result<Lane> {
        let mut request = RequestHeader::build("GET", target.path.as_bytes(), None).map_err(told)?;
        request.insert_header("host", target.origin.to_string()).map_err(told)?;
        let peer = HttpPeer::new(target.origin, false, String::new());
        Ok(Lane { connector: Arc::clone(&self.0), peer, request })
    }

    async fn fetch(lane: &mut Lane) -> Result<usize> {
        let (mut session, _reused) = lane.connector.get_http_session(&lane.peer).await.map_err(told)?;
        session.write_request_header(Box::new(lane.request.clone())).await.map_err(told)?;
        session.finish_body().await.map_err(told)?;
        session.read_response().await.map_err(told)?;
        let mut bytes = 0;
        while let Some(chunk) = session.read_body_bytes().await.map_err(told)? {
            bytes += chunk.len();
        }
        lane.connector.release_http_session(session, &lane.peer, None).await;
        Ok(bytes)
    }
}

/// pingora's error is boxed, and a box of it is no `std::error::Error`.
fn told(error: pingora_core::BError) -> Error {
    Error::new(error.to_string())
}
