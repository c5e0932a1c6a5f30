//! The suite of pool-core on async-std, and on smol through the same sockets and timers.

use std::future::Future;

use pool_core::conformance::Harness;
use pool_core::conformance_suite;
use runtime_async_std::{AsyncIo, AsyncStd, Connector, Names, Task, Tcp};

/// async-std's executor.
struct OnAsyncStd;

impl Harness for OnAsyncStd {
    type Runtime = AsyncIo<AsyncStd>;
    type Connector = Connector;

    fn run<F: Future<Output = ()>>(case: impl FnOnce(Self::Runtime, Connector) -> F) {
        async_std::task::block_on(async {
            let runtime = AsyncIo::new(AsyncStd);
            case(runtime, Connector::new(runtime, Names, Tcp)).await;
        });
    }
}

/// smol's executor: any function that runs a task will do.
struct OnSmol;

impl Harness for OnSmol {
    type Runtime = AsyncIo<fn(Task)>;
    type Connector = Connector<fn(Task)>;

    fn run<F: Future<Output = ()>>(case: impl FnOnce(Self::Runtime, Self::Connector) -> F) {
        smol::block_on(async {
            let spawner: fn(Task) = |task| smol::spawn(task).detach();
            let runtime = AsyncIo::new(spawner);
            case(runtime, Connector::new(runtime, Names, Tcp)).await;
        });
    }
}

mod on_async_std {
    super::conformance_suite!(super::OnAsyncStd, threads);
}

mod on_smol {
    super::conformance_suite!(super::OnSmol, threads);
}
