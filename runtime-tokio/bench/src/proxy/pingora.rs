//! pingora's proxy with one thread: its server, its HTTP proxy service, nothing in its filters.

use std::net::SocketAddr;

use async_trait::async_trait;
use pingora_core::server::Server;
use pingora_core::server::configuration::ServerConf;
use pingora_core::upstreams::peer::HttpPeer;
use pingora_proxy::{ProxyHttp, Session, http_proxy_service};

use crate::error::Result;

struct ToOrigin(SocketAddr);

#[async_trait]
impl ProxyHttp for ToOrigin {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> pingora_core::Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.0, false, String::new())))
    }
}

/// Serves for ever, on a thread of its own.
pub(super) fn run(listen: SocketAddr, origin: SocketAddr) -> Result<()> {
    let configuration = ServerConf {
        threads: 1,
        // With one thread there is nobody to steal from.
        work_stealing: false,
        // A smaller pool would throw connections away.
        upstream_keepalive_pool_size: 1024,
        ..ServerConf::default()
    };
    let mut server = Server::new_with_opt_and_conf(None, configuration);
    server.bootstrap();
    let mut service = http_proxy_service(&server.configuration, ToOrigin(origin));
    service.add_tcp(&listen.to_string());
    server.add_service(service);
    server.run_forever()
}
