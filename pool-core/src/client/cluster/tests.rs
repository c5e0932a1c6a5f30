use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::client::line::Desks;

fn cluster(name: &'static str) -> Cluster {
    Cluster::builder(name).hosts([Host::new(SocketAddr::from(([127, 0, 0, 1], 80)))]).build()
}

#[test]
fn clusters_forget_clients_that_are_gone() {
    let clusters = [cluster("a"), cluster("b")];
    for _ in 0..3 {
        let (changed, ready) = (Arc::new(AtomicBool::new(false)), Arc::new(ReadyList::default()));
        let mut desks = Desks::new(0);
        for cluster in &clusters {
            let _line = desks.open(cluster.inner(), &changed, &ready);
        }
    }
    for cluster in &clusters {
        cluster.inner().tell();
        assert_eq!(lock(&cluster.inner().workers).len(), 0, "{}", cluster.name());
    }
}

#[test]
fn a_cluster_seen_to_end_gives_its_hosts_up_before_its_list_is_emptied() {
    let cluster = cluster("a");
    let (changed, ready) = (Arc::new(AtomicBool::new(false)), Arc::new(ReadyList::default()));
    let mut desks = Desks::new(0);
    let line = desks.open(cluster.inner(), &changed, &ready);
    assert!(desks.look_again().is_empty());
    // The first half of `end`: another cluster's change may have the client look between the two.
    cluster.inner().over.store(true, Ordering::Release);
    assert_eq!(desks.look_again().len(), 1);
    assert!(desks.desk(&line).is_none());
}
