//! The suite of pool-core on tokio, on both of its schedulers.

use std::future::Future;

use pool_core::conformance::Harness;
use pool_core::conformance_suite;
use runtime_tokio::{Connector, Names, Tcp, Tokio};

/// The client's background task on the thread of the case.
struct CurrentThread;

impl Harness for CurrentThread {
    type Runtime = Tokio;
    type Connector = Connector;

    fn run<F: Future<Output = ()>>(case: impl FnOnce(Tokio, Connector) -> F) {
        run_on(&mut tokio::runtime::Builder::new_current_thread(), case);
    }
}

/// The client's background task on other threads.
struct MultiThread;

impl Harness for MultiThread {
    type Runtime = Tokio;
    type Connector = Connector;

    fn run<F: Future<Output = ()>>(case: impl FnOnce(Tokio, Connector) -> F) {
        run_on(tokio::runtime::Builder::new_multi_thread().worker_threads(2), case);
    }
}

fn run_on<F: Future<Output = ()>>(
    builder: &mut tokio::runtime::Builder,
    case: impl FnOnce(Tokio, Connector) -> F,
) {
    let executor = builder.enable_all().build().expect("a tokio runtime");
    executor.block_on(async {
        let runtime = Tokio::new();
        case(runtime.clone(), Connector::new(runtime, Names, Tcp)).await;
    });
}

mod on_the_current_thread {
    super::conformance_suite!(super::CurrentThread, threads);
}

mod on_several_threads {
    super::conformance_suite!(super::MultiThread, threads);
}
