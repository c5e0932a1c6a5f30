//! The server's suite of pool-core on tokio, on both of its schedulers.

use std::future::Future;
use std::net::SocketAddr;

use pool_core::conformance::serving::ServerHarness;
use pool_core::server_conformance_suite;
use runtime_tokio::{Connector, Listener, Names, Tcp, Tokio};

/// Everything on the thread of the case.
struct CurrentThread;

impl ServerHarness for CurrentThread {
    type Listener = Listener;
    type Connector = Connector;
    type Runtime = Tokio;

    fn run<F: Future<Output = ()>>(case: impl FnOnce(Tokio, Connector, Listener, SocketAddr) -> F) {
        run_on(&mut tokio::runtime::Builder::new_current_thread(), case);
    }
}

/// Connections on other threads than the case.
struct MultiThread;

impl ServerHarness for MultiThread {
    type Listener = Listener;
    type Connector = Connector;
    type Runtime = Tokio;

    fn run<F: Future<Output = ()>>(case: impl FnOnce(Tokio, Connector, Listener, SocketAddr) -> F) {
        run_on(tokio::runtime::Builder::new_multi_thread().worker_threads(2), case);
    }
}

fn run_on<F: Future<Output = ()>>(
    builder: &mut tokio::runtime::Builder,
    case: impl FnOnce(Tokio, Connector, Listener, SocketAddr) -> F,
) {
    let executor = builder.enable_all().build().expect("a tokio runtime");
    executor.block_on(async {
        let runtime = Tokio::new();
        let listener = Listener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        case(runtime.clone(), Connector::new(runtime, Names, Tcp), listener, address).await;
    });
}

mod on_the_current_thread {
    super::server_conformance_suite!(super::CurrentThread);
}

mod on_several_threads {
    super::server_conformance_suite!(super::MultiThread);
}
