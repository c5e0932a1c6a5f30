//! The suite over a connector from the hyper ecosystem, through the wrapper: hyper-util's own.
#![cfg(feature = "hyper")]

use std::future::Future;

use hyper_util::client::legacy::connect::HttpConnector;
use pool_core::conformance::Harness;
use pool_core::conformance_suite;
use runtime_tokio::{HyperConnect, Tokio};

struct OverHyperUtil;

impl Harness for OverHyperUtil {
    type Runtime = Tokio;
    type Connector = HyperConnect<HttpConnector>;

    fn run<F: Future<Output = ()>>(case: impl FnOnce(Tokio, Self::Connector) -> F) {
        let executor =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a tokio runtime");
        executor.block_on(async {
            let mut connector = HttpConnector::new();
            connector.set_nodelay(true);
            case(Tokio::new(), HyperConnect(connector)).await;
        });
    }
}

conformance_suite!(OverHyperUtil, threads);
