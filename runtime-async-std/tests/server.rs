//! The server's suite of pool-core on async-std, and on smol through the same sockets and timers.

use std::future::Future;
use std::net::SocketAddr;

use pool_core::conformance::serving::ServerHarness;
use pool_core::server_conformance_suite;
use runtime_async_std::{AsyncIo, AsyncStd, Connector, Listener, Names, Task, Tcp};

fn listen() -> (Listener, SocketAddr) {
    let listener = Listener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

/// async-std's executor.
struct OnAsyncStd;

impl ServerHarness for OnAsyncStd {
    type Listener = Listener;
    type Connector = Connector;
    type Runtime = AsyncIo<AsyncStd>;

    fn run<F: Future<Output = ()>>(case: impl FnOnce(Self::Runtime, Connector, Listener, SocketAddr) -> F) {
        async_std::task::block_on(async {
            let runtime = AsyncIo::new(AsyncStd);
            let (listener, address) = listen();
            case(runtime, Connector::new(runtime, Names, Tcp), listener, address).await;
        });
    }
}

/// smol's executor: any function that runs a task will do.
struct OnSmol;

impl ServerHarness for OnSmol {
    type Listener = Listener;
    type Connector = Connector<fn(Task)>;
    type Runtime = AsyncIo<fn(Task)>;

    fn run<F: Future<Output = ()>>(
        case: impl FnOnce(Self::Runtime, Self::Connector, Listener, SocketAddr) -> F,
    ) {
        smol::block_on(async {
            let spawner: fn(Task) = |task| smol::spawn(task).detach();
            let runtime = AsyncIo::new(spawner);
            let (listener, address) = listen();
            case(runtime, Connector::new(runtime, Names, Tcp), listener, address).await;
        });
    }
}

mod on_async_std {
    super::server_conformance_suite!(super::OnAsyncStd);
}

mod on_smol {
    super::server_conformance_suite!(super::OnSmol);
}
