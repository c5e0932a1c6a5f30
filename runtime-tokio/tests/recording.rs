//! Recordings of real runs: two workers on one cluster against a server that closes connections, and
//! every answer and order had again from the files.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt;
use pool_core::client::{CallPolicy, Cluster, Host};
use pool_core::limits::{Limits, Thresholds};
use pool_core::server::service_fn;
use pool_core::trace::{Event, Header, History, Recording, Replay, State};
use runtime_tokio::{Client, Incoming, Listener, empty, full};

fn header(worker: u32) -> Header {
    Header {
        worker,
        workers: 2,
        epoch_unix_nanos: 0,
        seed: 7 + u64::from(worker),
        program: "test".to_owned(),
    }
}

/// Everything that a recording holds once its client is gone.
async fn file(recording: Recording) -> Vec<u8> {
    std::future::poll_fn(|cx| {
        recording.register(cx.waker());
        match recording.state() {
            State::Running => std::task::Poll::Pending,
            State::Complete | State::Overrun | State::Stopped => std::task::Poll::Ready(()),
        }
    })
    .await;
    std::iter::from_fn(|| recording.take()).flatten().collect()
}

/// Calls the cluster `calls` times, at most 16 at a time; every tenth call is given up early.
async fn load(client: &Client, cluster: &Cluster, calls: usize) -> usize {
    let policy = CallPolicy::default();
    let one = |index: usize| {
        let policy = &policy;
        async move {
            let request =
                Request::get("/path?secret=1").header("host", "a").body(empty()).expect("a request");
            let mut call = pin!(client.call_cluster(cluster, policy, request));
            if index % 10 == 3 {
                // Polled once, and dropped.
                let once =
                    std::future::poll_fn(|cx| std::task::Poll::Ready(call.as_mut().poll(cx).is_ready()));
                once.await;
                return 0;
            }
            match call.await {
                Ok(response) => usize::from(response.into_body().collect().await.is_ok()),
                Err(_) => 0,
            }
        }
    };
    let mut answered = 0;
    for first in (0..calls).step_by(16) {
        let batch = (first..calls.min(first + 16)).map(|index| Box::pin(one(index)));
        answered += join_all(batch.collect()).await;
    }
    answered
}

async fn join_all<F: Future<Output = usize> + Unpin>(mut futures: Vec<F>) -> usize {
    let mut sum = 0;
    std::future::poll_fn(move |cx| {
        futures.retain_mut(|future| match std::pin::Pin::new(future).poll(cx) {
            std::task::Poll::Ready(answered) => {
                sum += answered;
                false
            }
            std::task::Poll::Pending => true,
        });
        if futures.is_empty() { std::task::Poll::Ready(sum) } else { std::task::Poll::Pending }
    })
    .await
}

#[tokio::test]
async fn two_workers_are_replayed_bit_for_bit() {
    let service = service_fn(|_request: Request<Incoming>| async {
        tokio::task::yield_now().await;
        Ok::<_, Infallible>(Response::new(full("hello")))
    });
    let listener = Listener::bind("127.0.0.1:0").await.expect("a listener");
    let address = listener.local_addr().expect("an address");
    let server = runtime_tokio::server().max_requests_per_connection(7).serve(listener, service);
    let refusing = std::net::TcpListener::bind("127.0.0.1:0").and_then(|gone| gone.local_addr());
    let cluster = Cluster::builder("orders")
        .limits(Limits::both(Thresholds::default().max_connections(5).max_pending_requests(9)))
        .hosts([Host::new(address), Host::new(refusing.expect("an address"))])
        .build();
    let mut files = Vec::new();
    let mut answered = 0;
    let (first, first_recording) = runtime_tokio::client().record(&header(0));
    let (second, second_recording) = runtime_tokio::client().record(&header(1));
    {
        let (first, second): (Client, Client) = (first.build(), second.build());
        let (one, other) = tokio::join!(load(&first, &cluster, 400), load(&second, &cluster, 400));
        answered += one + other;
        first.close().await;
        second.abort();
    }
    for recording in [first_recording, second_recording] {
        files.push(file(recording).await);
    }
    server.shutdown(Duration::from_secs(5)).await;
    assert!(answered > 100, "{answered} answered");

    let mut answers = 0;
    for file in &files {
        let mut replay = Replay::new(file).expect("a recording");
        let mut kinds: BTreeMap<&str, u32> = BTreeMap::new();
        loop {
            match replay.next_event() {
                Ok(Some(Event::Step { .. })) => *kinds.entry("step").or_default() += 1,
                Ok(Some(Event::Action { .. })) => *kinds.entry("action").or_default() += 1,
                Ok(None) => break,
                Err(error) => panic!("{error} after {kinds:?}"),
            }
        }
        assert!(kinds["step"] > 500 && kinds["action"] > 50, "{kinds:?}");
        assert!(replay.set().is_empty(), "every pool came to its end in the recording too");
        let history = History::of(file).expect("a recording");
        let told = |status| {
            let has = |chapter: &pool_core::trace::history::Chapter| {
                chapter.what == pool_core::trace::history::What::Answered(status)
            };
            history.requests.iter().filter(|request| request.chapters.iter().any(has)).count()
        };
        answers += told(200);
        // Nothing of a request's text is in it.
        let words = [&b"secret"[..], b"path", b"hello"];
        for word in words {
            assert!(!file.windows(word.len()).any(|window| window == word), "{word:?} was recorded");
        }
    }
    assert!(answers >= answered, "{answers} answers recorded, {answered} seen");
}
