//! Hosts that come, go and move.

use std::pin::pin;

use super::Harness;
use super::clusters::{POLICY, expect, fetch, origin_form};
use super::lab::{millis, run};
use super::peer::{OK, Peer};
use super::turns::{Gate, beside, yield_now};
use crate::client::{Cluster, ErrorKind, Host};
use crate::config::{Multiplexing, PoolConfig};

/// A host that is removed gets nothing new: its idle connections go at once, without any request, and
/// what it has in progress ends well. The same host in a later list is a new one.
pub fn removed_host_drains<H: Harness>() {
    run::<H>(async |lab| {
        let (asked, answer) = (Gate::default(), Gate::default());
        let (is_asked, may_answer) = (asked.clone(), answer.clone());
        let leaving = Peer::serve(move |door| {
            let mut busy = door.accept();
            busy.expect_request();
            is_asked.open();
            let mut idle = door.accept();
            idle.expect_request();
            idle.write(OK);
            idle.expect_end();
            may_answer.wait();
            busy.write(OK);
            busy.expect_end();
            let mut again = door.accept();
            again.expect_request();
            again.write(OK);
            again.expect_end();
        });
        let staying = Peer::serve_all(OK);
        // No deadline of a pool may wake the background task.
        let pool = PoolConfig::builder(Multiplexing::Exclusive).connect_timeout(millis(3_600_000));
        let pool = pool.idle_timeout(None).build().expect("settings in range");
        let cluster = Cluster::builder("c").pool(pool).hosts([Host::new(leaving.address())]).build();
        let client = lab.client();
        let mut busy = pin!(expect::<H>(&client, &cluster));
        beside(busy.as_mut(), asked.opened()).await;
        let first = beside(busy.as_mut(), expect::<H>(&client, &cluster)).await;
        assert_eq!(cluster.stats().gauges.cx_active, 2);
        // The background task has nothing left to do, as far as a case can see to that.
        for _ in 0..64 {
            yield_now().await;
        }
        cluster.set_hosts([Host::new(staying.address())]);
        // Nobody asks for anything: it has to be woken.
        beside(busy.as_mut(), lab.until_connections(&client, 1)).await;
        let other = beside(busy.as_mut(), expect::<H>(&client, &cluster)).await;
        assert_eq!(other.host, Some(staying.address()));
        answer.open();
        assert_eq!(busy.await.host, Some(leaving.address()));
        lab.until_connections(&client, 1).await;
        cluster.set_hosts([Host::new(leaving.address())]);
        let again = expect::<H>(&client, &cluster).await;
        assert!(!again.is_reused && again.connection != first.connection);
        assert_eq!(cluster.stats().pools.cx_total, 4);
        lab.finish(&client).await;
        leaving.done().await;
        staying.stop().await;
    });
}

/// A host that stays in the list keeps its connections.
pub fn kept_host_keeps_its_connections<H: Harness>() {
    run::<H>(async |lab| {
        let (kept, other) = (Peer::serve_all(OK), Peer::serve_all(OK));
        let cluster = Cluster::builder("c").hosts([Host::new(kept.address())]).build();
        let client = lab.client();
        let host = cluster.hosts()[0].clone();
        let first = expect::<H>(&client, &cluster).await;
        cluster.set_hosts([Host::new(other.address()), Host::new(kept.address()).weight(3)]);
        assert!(std::sync::Arc::ptr_eq(&host, &cluster.hosts()[1]) && host.share() == 3);
        let mut to_kept = 0;
        for _ in 0..8 {
            let got = expect::<H>(&client, &cluster).await;
            if got.host == Some(kept.address()) {
                assert_eq!(got.connection, first.connection);
                to_kept += 1;
            }
        }
        assert_eq!(to_kept, 6, "three of four");
        assert_eq!(cluster.stats().membership_change, 2);
        lab.finish(&client).await;
        kept.stop().await;
        other.stop().await;
    });
}

/// A logical host takes requests once it has an address; when it moves, connections stay where they are
/// and new ones go to the new address.
pub fn logical_host_moves<H: Harness>() {
    run::<H>(async |lab| {
        let (answer, old_asked) = (Gate::default(), Gate::default());
        let (may_answer, is_asked) = (answer.clone(), old_asked.clone());
        let old = Peer::serve(move |door| {
            let mut session = door.accept();
            session.expect_request();
            is_asked.open();
            may_answer.wait();
            session.write(OK);
            session.expect_request();
            session.write(OK);
            session.expect_end();
        });
        let new = Peer::serve_all(OK);
        let cluster = Cluster::builder("c").hosts([Host::logical("service.test")]).build();
        let client = lab.client();
        let Err(error) = fetch::<H>(&client, &cluster).await else { panic!("there is no address") };
        assert!(matches!(error.kind(), ErrorKind::NoHost), "{error}");
        let host = cluster.hosts()[0].clone();
        cluster.set_address(&host, old.address());
        let mut busy = pin!(client.call_cluster(&cluster, &POLICY, origin_form("/")));
        beside(busy.as_mut(), old_asked.opened()).await;
        cluster.set_address(&host, new.address());
        let mut elsewhere = pin!(client.call_cluster(&cluster, &POLICY, origin_form("/")));
        let response = beside(busy.as_mut(), elsewhere.as_mut()).await.expect("a response");
        assert_eq!(elsewhere.info().addresses().peer, Some(new.address()));
        answer.open();
        drop(busy.as_mut().await.expect("a response"));
        assert_eq!(busy.info().addresses().peer, Some(old.address()));
        let mut last = pin!(client.call_cluster(&cluster, &POLICY, origin_form("/")));
        drop(last.as_mut().await.expect("a response"));
        assert_eq!(last.info().addresses().peer, Some(old.address()), "used last, used first");
        drop(response);
        lab.finish(&client).await;
        old.done().await;
        new.stop().await;
    });
}

/// A cluster is over with its last clone: its pools go, and a call that comes late finds no host.
pub fn cluster_ends_with_its_last_clone<H: Harness>() {
    run::<H>(async |lab| {
        let peer = Peer::serve_all(OK);
        let cluster = Cluster::builder("c").hosts([Host::new(peer.address())]).build();
        let client = lab.client();
        expect::<H>(&client, &cluster).await;
        let late = client.call_cluster(&cluster, &POLICY, origin_form("/"));
        drop(cluster);
        lab.until_connections(&client, 0).await;
        let Err(error) = late.await else { panic!("the cluster is over") };
        assert!(matches!(error.kind(), ErrorKind::NoHost), "{error}");
        lab.finish(&client).await;
        peer.stop().await;
    });
}
