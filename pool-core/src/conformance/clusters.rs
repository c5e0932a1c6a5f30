//! Named clusters: requests are spread over hosts, chosen anew after a failure, and counted together.

use std::future::poll_fn;
use std::io::IoSlice;
use std::net::SocketAddr;
use std::pin::pin;

use http::Request;

use super::Harness;
use super::connect::closed_port;
use super::content::Content;
use super::lab::{LabBody, LabClient, Piece, next_frame, run};
use super::peer::{OK, Peer};
use super::turns::{Gate, beside, poll_once};
use crate::client::{Answered, CallPolicy, Cluster, Error, ErrorKind, Host};
use crate::exchange::RetryPolicy;
use crate::limits::{Limits, Priority, Resource, Thresholds};
use crate::runtime::Io;

pub(super) const POLICY: CallPolicy =
    CallPolicy { retry: RetryPolicy::DEFAULT, priority: Priority::Default, replay_limit: 64 * 1024 };

pub(super) fn origin_form(path: &str) -> Request<Content> {
    let request = Request::get(path).header("host", "service.test");
    request.body(Content::empty()).expect("a request")
}

/// What came of a call to a cluster.
pub(super) struct Got {
    pub(super) body: Vec<u8>,
    pub(super) host: Option<SocketAddr>,
    pub(super) connection: Option<u64>,
    pub(super) is_reused: bool,
    pub(super) retries: u8,
}

/// Makes a call, and reads all of its response.
pub(super) async fn call<H: Harness>(
    client: &LabClient<H>,
    cluster: &Cluster,
    policy: &CallPolicy,
    request: Request<Content>,
) -> Result<Got, Error> {
    let mut call = client.call_cluster(cluster, policy, request);
    let response = (&mut call).await?;
    assert!(response.extensions().is_empty(), "info() tells it");
    let info = call.info();
    let (host, connection) = (info.host().and_then(|host| host.address()), info.connection());
    assert_eq!(info.addresses().peer, host, "the connection goes to the host");
    let (is_reused, retries) = (info.is_reused(), info.retries());
    let body = read::<H>(response.into_body()).await?;
    Ok(Got { body, host, connection, is_reused, retries })
}

pub(super) async fn fetch<H: Harness>(client: &LabClient<H>, cluster: &Cluster) -> Result<Got, Error> {
    call::<H>(client, cluster, &POLICY, origin_form("/a?b")).await
}

pub(super) async fn read<H: Harness>(mut body: LabBody<H>) -> Result<Vec<u8>, Error> {
    let mut content = Vec::new();
    while let Some(piece) = next_frame::<H>(&mut body).await {
        if let Piece::Data(data) = piece? {
            content.extend_from_slice(&data);
        }
    }
    Ok(content)
}

pub(super) async fn expect<H: Harness>(client: &LabClient<H>, cluster: &Cluster) -> Got {
    match fetch::<H>(client, cluster).await {
        Ok(got) => got,
        Err(error) => panic!("the call failed: {error}"),
    }
}

/// Hosts are taken in turn, each with connections of its own; the request goes out as it was given.
pub fn hosts_take_turns<H: Harness>() {
    run::<H>(async |lab| {
        let peers = [(); 3].map(|()| {
            Peer::serve(|door| {
                let mut session = door.accept();
                for _ in 0..2 {
                    let request = session.expect_request();
                    assert_eq!(request.line(), "GET /a?b HTTP/1.1");
                    assert_eq!(request.field("host"), Some("service.test"));
                    session.write(OK);
                }
                session.expect_end();
            })
        });
        let cluster =
            Cluster::builder("c").hosts(peers.each_ref().map(|peer| Host::new(peer.address()))).build();
        let client = lab.client();
        let mut seen = Vec::new();
        for _ in 0..6 {
            let got = expect::<H>(&client, &cluster).await;
            assert_eq!(got.body, b"ok");
            seen.push(got);
        }
        for (early, late) in seen.iter().zip(&seen[3..]) {
            assert_eq!((early.host, early.connection), (late.host, late.connection));
            assert!(!early.is_reused && late.is_reused);
        }
        let mut hosts: Vec<_> = seen[..3].iter().filter_map(|got| got.host).collect();
        hosts.sort();
        hosts.dedup();
        assert_eq!(hosts.len(), 3, "each host had one of three");
        lab.finish(&client).await;
        for peer in peers {
            peer.done().await;
        }
    });
}

/// After a failed connect another host is chosen.
pub fn failed_connect_goes_to_another_host<H: Harness>() {
    run::<H>(async |lab| {
        let (closed, peer) = (closed_port(), Peer::serve_all(OK));
        let hosts = [Host::new(closed.address()), Host::new(peer.address())];
        let cluster = Cluster::builder("c").hosts(hosts).build();
        let client = lab.client();
        let mut retries = 0;
        for _ in 0..4 {
            let got = expect::<H>(&client, &cluster).await;
            assert_eq!(got.host, Some(peer.address()));
            retries += got.retries;
        }
        assert!(retries > 0, "some of them began at the closed port");
        lab.finish(&client).await;
        peer.stop().await;
    });
}

/// Without hosts there is nothing to try.
pub fn cluster_without_hosts_is_an_error<H: Harness>() {
    run::<H>(async |lab| {
        let cluster = Cluster::builder("c").build();
        let client = lab.client();
        let mut call = client.call_cluster(&cluster, &POLICY, origin_form("/"));
        let Err(error) = (&mut call).await else { panic!("there is no host") };
        assert!(matches!(error.kind(), ErrorKind::NoHost), "{error}");
        assert!(call.info().host().is_none());
        assert_eq!(lab.counters().attempts(), 0);
        lab.finish(&client).await;
    });
}

/// A cluster's limits are counted over all clients together.
pub fn cluster_limits_hold_for_all_clients<H: Harness>() {
    run::<H>(async |lab| {
        let answer = Gate::default();
        let may_answer = answer.clone();
        let peer = Peer::serve(move |door| {
            let mut session = door.accept();
            session.expect_request();
            may_answer.wait();
            session.write(OK);
            session.expect_request();
            session.write(OK);
            while door.accept_or_stop().is_some() {}
        });
        let limits = Thresholds::default().max_requests(1);
        let cluster = Cluster::builder("c").limits(limits).hosts([Host::new(peer.address())]).build();
        let (first, second) = (lab.client(), lab.client());
        let mut call = pin!(expect::<H>(&first, &cluster));
        beside(call.as_mut(), lab.until(&first, |snapshot| snapshot.totals().active == 1)).await;
        assert_eq!(cluster.breaker(Priority::Default, Resource::Requests).current, 1);
        let Err(error) = beside(call.as_mut(), fetch::<H>(&second, &cluster)).await else {
            panic!("the other client has the only seat")
        };
        assert!(error.is_overflow(), "{error}");
        answer.open();
        call.await;
        assert_eq!(cluster.breaker(Priority::Default, Resource::Requests).current, 0);
        expect::<H>(&first, &cluster).await;
        lab.finish(&first).await;
        lab.finish(&second).await;
        peer.stop().await;
    });
}

/// Who asks for them sees interim responses, in order and before the response.
pub fn interim_responses_are_given_to_who_asks<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            session.expect_request();
            session.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
            session.write(OK);
            session.expect_end();
        });
        let cluster = Cluster::builder("c").hosts([Host::new(peer.address())]).build();
        let client = lab.client();
        let mut call = client.call_cluster(&cluster, &POLICY, origin_form("/"));
        let mut interim = Vec::new();
        let response = loop {
            match poll_fn(|cx| call.poll_answer(cx)).await {
                Ok(Answered::Interim(response)) => interim.push(response),
                Ok(Answered::Final(response)) => break response,
                Err(error) => panic!("the call failed: {error}"),
            }
        };
        let statuses: Vec<_> = interim.iter().map(|response| response.status().as_u16()).collect();
        assert_eq!(statuses, [100, 103]);
        assert_eq!(interim[1].headers()["link"], "</a>");
        assert_eq!(read::<H>(response.into_body()).await.expect("a body"), b"ok");
        assert!(poll_once(pin!(poll_fn(|cx| call.poll_answer(cx)))).await.is_pending(), "nothing follows");
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// Priorities have limits and connections of their own.
pub fn priorities_do_not_share<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve_all(OK);
        let limits = Limits::default().with(Priority::High, Thresholds::default().max_requests(0));
        let cluster = Cluster::builder("c").limits(limits).hosts([Host::new(peer.address())]).build();
        let client = lab.client();
        let high = CallPolicy { priority: Priority::High, ..POLICY };
        let first = expect::<H>(&client, &cluster).await;
        let Err(error) = call::<H>(&client, &cluster, &high, origin_form("/")).await else {
            panic!("there is no seat of this priority")
        };
        assert!(error.is_overflow(), "{error}");
        cluster.set_limits(Limits::default());
        let got = call::<H>(&client, &cluster, &high, origin_form("/")).await.expect("a response");
        assert_ne!(got.connection, first.connection);
        assert_eq!(expect::<H>(&client, &cluster).await.connection, first.connection);
        lab.finish(&client).await;
        peer.stop().await;
    });
}

/// Two clusters with the same host do not share its connections.
pub fn clusters_do_not_share<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve_all(OK);
        let clusters = [(); 2].map(|()| Cluster::builder("c").hosts([Host::new(peer.address())]).build());
        let client = lab.client();
        let mut connections = Vec::new();
        for cluster in [&clusters[0], &clusters[1], &clusters[0]] {
            connections.push(expect::<H>(&client, cluster).await.connection);
        }
        assert_eq!(connections[0], connections[2]);
        assert_ne!(connections[0], connections[1]);
        lab.finish(&client).await;
        peer.stop().await;
    });
}

/// `max_connection_pools` is told apart from the other breakers.
pub fn refused_pool_is_an_error_of_its_own<H: Harness>() {
    run::<H>(async |lab| {
        let peers = [(); 2].map(|()| Peer::serve_all(OK));
        let hosts = peers.each_ref().map(|peer| Host::new(peer.address()));
        let limits = Thresholds::default().max_connection_pools(1);
        let cluster = Cluster::builder("c").limits(limits).hosts(hosts).build();
        let client = lab.client();
        expect::<H>(&client, &cluster).await;
        let Err(error) = fetch::<H>(&client, &cluster).await else { panic!("there is no seat for a pool") };
        assert!(matches!(error.kind(), ErrorKind::NoPool) && !error.is_overflow(), "{error}");
        assert_eq!(cluster.stats().cx_pool_overflow, 1);
        expect::<H>(&client, &cluster).await;
        lab.finish(&client).await;
        for peer in peers {
            peer.stop().await;
        }
    });
}

/// Targets that are no paths go out in the form that their method asks for.
pub fn unusual_targets_keep_their_form<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            assert_eq!(session.expect_request().line(), "OPTIONS * HTTP/1.1");
            session.write(OK);
            let request = session.expect_request();
            assert_eq!(request.line(), "CONNECT far.test:443 HTTP/1.1");
            assert_eq!(request.field("host"), Some("far.test:443"));
            session.write(b"HTTP/1.1 200 OK\r\n\r\n");
            session.expect_end();
        });
        let cluster = Cluster::builder("c").hosts([Host::new(peer.address())]).build();
        let client = lab.client();
        let options = Request::options("*").header("host", "service.test").body(Content::empty());
        let got = call::<H>(&client, &cluster, &POLICY, options.expect("a request")).await;
        assert_eq!(got.expect("a response").body, b"ok");
        let connect = Request::connect("far.test:443").body(Content::empty()).expect("a request");
        let response = client.call_cluster(&cluster, &POLICY, connect).await.expect("a response");
        drop(response.into_body().into_upgraded().expect("a byte stream"));
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// A connection to a host may change its protocol.
pub fn upgrade_through_a_cluster<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve(|door| {
            let mut session = door.accept();
            let request = session.expect_request();
            assert_eq!((request.line(), request.field("upgrade")), ("GET /socket HTTP/1.1", Some("echo")));
            session.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n");
            session.write(b"Upgrade: echo\r\n\r\nhi");
            assert_eq!(session.take(2), b"ho");
            session.expect_end();
        });
        let cluster = Cluster::builder("c").hosts([Host::new(peer.address())]).build();
        let client = lab.client();
        let mut request = origin_form("/socket");
        request.headers_mut().insert("connection", http::HeaderValue::from_static("upgrade"));
        request.headers_mut().insert("upgrade", http::HeaderValue::from_static("echo"));
        let mut call = client.call_cluster(&cluster, &POLICY, request);
        let response = match poll_fn(|cx| call.poll_answer(cx)).await {
            Ok(Answered::Final(response)) => response,
            other => panic!("101 is final: {other:?}"),
        };
        let mut stream = response.into_body().into_upgraded().expect("a byte stream");
        let mut read = [0; 8];
        let n = poll_fn(|cx| stream.poll_read(cx, &mut read)).await.expect("bytes");
        assert_eq!(&read[..n], b"hi");
        let n = poll_fn(|cx| stream.poll_write_vectored(cx, &[IoSlice::new(b"ho")])).await.expect("written");
        assert_eq!(n, 2);
        assert_eq!(cluster.stats().gauges.rq_active, 1, "a tunnel is a request in progress");
        drop(stream);
        lab.finish(&client).await;
        peer.done().await;
    });
}

/// What pools counted stays when they are gone, and is told per host.
pub fn counters_outlive_pools<H: Harness>() {
    run::<H>(async |lab| {
        let peers = [(); 2].map(|()| Peer::serve_all(OK));
        let hosts = peers.each_ref().map(|peer| Host::new(peer.address()));
        let cluster = Cluster::builder("c").hosts(hosts).build();
        let (first, second) = (lab.client(), lab.client());
        for _ in 0..4 {
            expect::<H>(&first, &cluster).await;
            expect::<H>(&second, &cluster).await;
        }
        let stats = cluster.stats();
        assert_eq!((stats.pools.rq_total, stats.pools.cx_total), (8, 4));
        assert_eq!((stats.gauges.cx_active, stats.gauges.rq_active, stats.gauges.cx_pools), (4, 0, 4));
        first.close().await;
        drop(first);
        lab.finish(&second).await;
        let stats = cluster.stats();
        assert_eq!((stats.pools.rq_total, stats.pools.cx_total, stats.pools.cx_destroy), (8, 4, 4));
        assert_eq!((stats.pools.cx_connect_ms.count(), stats.pools.cx_length_ms.count()), (4, 4));
        assert_eq!(stats.gauges, crate::client::Gauges::default());
        for host in &stats.hosts {
            assert_eq!((host.pools.rq_total, host.pools.cx_destroy), (4, 2), "{host:?}");
        }
        for peer in peers {
            peer.stop().await;
        }
    });
}
