//! The ledger's rules one by one; `Local` and `Shared` must obey the same ones.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pool_core::id::{HostId, PoolId};
use pool_core::limits::{
    Claimant, Divergence, Full, Gauge, Ledger, Limits, Local, Need, Priority, Recorded, Recorder, Resource,
    Shared, SharedHandle, Thresholds, WaitProgress,
};

fn who(pool: u32) -> Claimant {
    Claimant { pool: PoolId(pool), host: HostId(0), priority: Priority::Default }
}

fn at(pool: u32, host: u32) -> Claimant {
    Claimant { host: HostId(host), ..who(pool) }
}

fn connections(max: u32) -> Thresholds {
    Thresholds::unlimited().max_connections(max)
}

/// A worker with a counter of wake-ups.
fn worker(shared: &Shared) -> (SharedHandle, Arc<AtomicUsize>) {
    let wakes = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&wakes);
    let wake = move || {
        counter.fetch_add(1, Ordering::Relaxed);
    };
    (shared.worker(Arc::new(wake)), wakes)
}

const CONNECTIONS: Resource = Resource::Connections;

/// Runs one test on both live ledgers. `set` changes the limits of the ledger under test.
trait Live: Ledger {
    fn gauge(&self, resource: Resource) -> Gauge;
    fn set(&mut self, limits: Thresholds);
}

impl Live for Local {
    fn gauge(&self, resource: Resource) -> Gauge {
        self.snapshot(Priority::Default, resource)
    }
    fn set(&mut self, limits: Thresholds) {
        self.set_limits(limits);
    }
}

impl Live for SharedHandle {
    fn gauge(&self, resource: Resource) -> Gauge {
        self.shared().snapshot(Priority::Default, resource)
    }
    fn set(&mut self, limits: Thresholds) {
        self.shared().set_limits(limits);
    }
}

fn on_both(limits: impl Into<Limits>, test: impl Fn(&mut dyn Live)) {
    let limits = limits.into();
    test(&mut Local::new(limits));
    test(&mut worker(&Shared::new(limits)).0);
}

#[test]
fn rm_04_remaining_is_never_negative() {
    for resource in Resource::ALL {
        on_both(Thresholds::default().with(resource, 0), |ledger| {
            assert_eq!(ledger.try_take(resource, who(0)), Err(Full::Cluster));
            let empty = Gauge { current: 0, max: 0, remaining: 0, open: true, reserved: 0 };
            assert_eq!(ledger.gauge(resource), empty);
        });
        on_both(Thresholds::default().with(resource, 1), |ledger| {
            let seat = ledger.try_take(resource, who(0)).expect("1 of 1");
            ledger.set(Thresholds::default().with(resource, 0));
            let over = Gauge { current: 1, max: 0, remaining: 0, open: true, reserved: 0 };
            assert_eq!(ledger.gauge(resource), over);
            assert_eq!(ledger.try_take(resource, who(0)), Err(Full::Cluster));
            ledger.give_back(seat);
            assert_eq!(ledger.gauge(resource), Gauge { current: 0, ..over });
        });
    }
}

#[test]
fn each_resource_and_priority_is_counted_on_its_own() {
    on_both(Thresholds::unlimited().max_retries(1), |ledger| {
        let high = Claimant { priority: Priority::High, ..who(0) };
        let _low = ledger.try_take(Resource::Retries, who(0)).expect("first");
        assert_eq!(ledger.try_take(Resource::Retries, who(0)), Err(Full::Cluster));
        let _high = ledger.try_take(Resource::Retries, high).expect("a limit of its own");
        let _other = ledger.try_take(Resource::Requests, who(0)).expect("another resource");
        assert_eq!(ledger.gauge(Resource::Retries).current, 1);
        assert_eq!(ledger.gauge(Resource::Requests).current, 1);
    });
}

#[test]
fn over_the_limit_is_counted_but_not_refused() {
    for resource in Resource::ALL {
        on_both(Thresholds::unlimited().with(resource, 1), |ledger| {
            let first = ledger.try_take(resource, who(0)).expect("free");
            let second = ledger.take_over_limit(resource, who(0));
            let gauge = Gauge { current: 2, max: 1, remaining: 0, open: true, reserved: 0 };
            assert_eq!(ledger.gauge(resource), gauge);
            ledger.give_back(first);
            assert_eq!(ledger.try_take(resource, who(0)), Err(Full::Cluster));
            ledger.give_back(second);
            assert!(ledger.try_take(resource, who(0)).is_ok());
        });
    }
}

#[test]
fn a_freed_seat_goes_to_forced_needs_then_in_arrival_order_and_cannot_be_grabbed() {
    on_both(connections(1), |ledger| {
        let mut seat = ledger.try_take(CONNECTIONS, who(0)).expect("free");
        ledger.await_free(CONNECTIONS, who(1), Need::Queue);
        ledger.await_free(CONNECTIONS, who(2), Need::Queue);
        ledger.await_free(CONNECTIONS, who(3), Need::Forced);
        ledger.await_free(CONNECTIONS, who(1), Need::Queue); // keeps its place
        assert_eq!(ledger.poll_freed(), None);
        for next in [3, 1, 2] {
            ledger.give_back(seat);
            assert_eq!(ledger.try_take(CONNECTIONS, who(9)), Err(Full::Cluster), "reserved, not free");
            let gauge = Gauge { current: 0, max: 1, remaining: 1, open: false, reserved: 1 };
            assert_eq!(ledger.gauge(CONNECTIONS), gauge);
            assert_eq!(ledger.poll_freed(), Some((PoolId(next), CONNECTIONS)));
            assert_eq!(ledger.poll_freed(), None, "each reservation is named once");
            seat = ledger.try_take(CONNECTIONS, who(next)).expect("its reservation");
        }
        ledger.give_back(seat);
        assert_eq!(ledger.poll_freed(), None, "nobody waits any more");
        assert!(ledger.try_take(CONNECTIONS, who(9)).is_ok());
    });
}

#[test]
fn asking_again_may_raise_the_need_and_keeps_the_arrival() {
    on_both(connections(1), |ledger| {
        let seat = ledger.try_take(CONNECTIONS, who(0)).expect("free");
        ledger.await_free(CONNECTIONS, who(1), Need::Queue);
        ledger.await_free(CONNECTIONS, who(2), Need::Forced);
        ledger.await_free(CONNECTIONS, who(1), Need::Forced);
        ledger.await_free(CONNECTIONS, who(1), Need::Queue); // never lowered
        ledger.give_back(seat);
        assert_eq!(ledger.poll_freed(), Some((PoolId(1), CONNECTIONS)));
    });
}

#[test]
fn cancel_wait_passes_a_reservation_on() {
    on_both(connections(1), |ledger| {
        let seat = ledger.try_take(CONNECTIONS, who(0)).expect("free");
        ledger.await_free(CONNECTIONS, who(1), Need::Queue);
        ledger.await_free(CONNECTIONS, who(2), Need::Queue);
        ledger.await_free(CONNECTIONS, who(3), Need::Queue);
        ledger.cancel_wait(CONNECTIONS, who(2));
        ledger.give_back(seat);
        ledger.cancel_wait(CONNECTIONS, who(1)); // before it was even told
        assert_eq!(ledger.poll_freed(), Some((PoolId(3), CONNECTIONS)));
        ledger.cancel_wait(CONNECTIONS, who(3));
        assert_eq!(ledger.poll_freed(), None);
        assert!(ledger.try_take(CONNECTIONS, who(9)).is_ok(), "nobody waits: free for all");
    });
}

#[test]
fn waiting_for_a_seat_that_became_free_meanwhile_succeeds_at_once() {
    for resource in Resource::ALL {
        on_both(Thresholds::unlimited().with(resource, 1), |ledger| {
            let seat = ledger.try_take(resource, who(0)).expect("free");
            assert_eq!(ledger.try_take(resource, who(1)), Err(Full::Cluster));
            ledger.give_back(seat);
            ledger.await_free(resource, who(1), Need::Queue);
            assert_eq!(ledger.poll_freed(), Some((PoolId(1), resource)));
            assert!(ledger.try_take(resource, who(1)).is_ok());
        });
    }
}

#[test]
fn a_connection_counts_for_host_and_cluster_together_or_not_at_all() {
    on_both(connections(2).max_connections_per_host(1), |ledger| {
        let a = ledger.try_take(CONNECTIONS, at(0, 0)).expect("free");
        assert_eq!(ledger.try_take(CONNECTIONS, at(0, 0)), Err(Full::Host));
        assert_eq!(ledger.gauge(CONNECTIONS).current, 1, "the refusal took no cluster seat");
        let _b = ledger.try_take(CONNECTIONS, at(1, 1)).expect("another host");
        assert_eq!(ledger.try_take(CONNECTIONS, at(2, 2)), Err(Full::Cluster));
        ledger.give_back(a);
        let _c = ledger.try_take(CONNECTIONS, at(2, 2)).expect("the refusal took no host seat");
    });
}

#[test]
fn a_wait_behind_a_full_host_holds_up_nobody_else() {
    on_both(connections(2).max_connections_per_host(1), |ledger| {
        let a = ledger.try_take(CONNECTIONS, at(0, 0)).expect("free");
        let b = ledger.try_take(CONNECTIONS, at(1, 1)).expect("free");
        ledger.await_free(CONNECTIONS, at(10, 0), Need::Queue); // the longest wait, but its host is full
        ledger.await_free(CONNECTIONS, at(11, 1), Need::Queue);
        ledger.give_back(b);
        assert_eq!(ledger.poll_freed(), Some((PoolId(11), CONNECTIONS)));
        ledger.cancel_wait(CONNECTIONS, at(11, 1));
        assert_eq!(ledger.poll_freed(), None);
        ledger.give_back(a);
        assert_eq!(ledger.poll_freed(), Some((PoolId(10), CONNECTIONS)));
    });
}

#[test]
fn a_hosts_connections_of_both_priorities_count_together() {
    let high = |pool| Claimant { priority: Priority::High, ..at(pool, 0) };
    on_both(connections(9).max_connections_per_host(1), |ledger| {
        let seat = ledger.try_take(CONNECTIONS, at(0, 0)).expect("free");
        assert_eq!(ledger.try_take(CONNECTIONS, high(1)), Err(Full::Host));
        ledger.await_free(CONNECTIONS, high(1), Need::Queue);
        ledger.await_free(CONNECTIONS, at(2, 0), Need::Queue);
        ledger.give_back(seat);
        assert_eq!(ledger.poll_freed(), Some((PoolId(1), CONNECTIONS)), "it waited longer");
        assert_eq!(ledger.poll_freed(), None, "the host has room for one");
    });
}

#[test]
fn raised_limits_serve_the_waiting() {
    on_both(connections(0), |ledger| {
        ledger.await_free(CONNECTIONS, who(1), Need::Queue);
        ledger.await_free(CONNECTIONS, who(2), Need::Queue);
        ledger.await_free(CONNECTIONS, who(3), Need::Queue);
        ledger.set(connections(2));
        assert_eq!(ledger.poll_freed(), Some((PoolId(1), CONNECTIONS)));
        assert_eq!(ledger.poll_freed(), Some((PoolId(2), CONNECTIONS)));
        assert_eq!(ledger.poll_freed(), None);
    });
    on_both(connections(2).max_connections_per_host(0), |ledger| {
        ledger.await_free(CONNECTIONS, who(1), Need::Queue);
        assert_eq!(ledger.poll_freed(), None);
        ledger.set(connections(2).max_connections_per_host(1));
        assert_eq!(ledger.poll_freed(), Some((PoolId(1), CONNECTIONS)));
    });
}

#[test]
fn a_lowered_limit_lapses_an_unused_reservation_and_keeps_the_place() {
    on_both(connections(2), |ledger| {
        let a = ledger.try_take(CONNECTIONS, who(0)).expect("free");
        let b = ledger.try_take(CONNECTIONS, who(0)).expect("free");
        ledger.await_free(CONNECTIONS, who(1), Need::Queue);
        ledger.await_free(CONNECTIONS, who(2), Need::Queue);
        ledger.give_back(a);
        assert_eq!(ledger.poll_freed(), Some((PoolId(1), CONNECTIONS)));
        ledger.set(connections(1));
        assert_eq!(ledger.try_take(CONNECTIONS, who(1)), Err(Full::Cluster), "no overshoot");
        assert_eq!(ledger.gauge(CONNECTIONS).reserved, 0);
        ledger.give_back(b);
        assert_eq!(ledger.poll_freed(), Some((PoolId(1), CONNECTIONS)), "still first");
        assert!(ledger.try_take(CONNECTIONS, who(1)).is_ok());
    });
}

#[test]
fn worker_a_frees_the_last_seat_and_worker_bs_only_waiter_gets_it_with_no_other_event() {
    for resource in Resource::ALL {
        let shared = Shared::new(Thresholds::unlimited().with(resource, 1));
        let (mut a, a_woken) = worker(&shared);
        let (mut b, b_woken) = worker(&shared);
        let seat = a.try_take(resource, who(0)).expect("free");
        assert_eq!(b.try_take(resource, who(0)), Err(Full::Cluster));
        b.await_free(resource, who(0), Need::Queue); // worker B's pool 0 is not worker A's pool 0
        assert_eq!(b_woken.load(Ordering::Relaxed), 0);
        a.give_back(seat);
        assert_eq!(b_woken.load(Ordering::Relaxed), 1);
        assert_eq!(a_woken.load(Ordering::Relaxed), 0);
        assert_eq!(a.poll_freed(), None);
        assert_eq!(a.try_take(resource, who(0)), Err(Full::Cluster), "handed off, not grabbed");
        assert_eq!(b.poll_freed(), Some((PoolId(0), resource)));
        assert!(b.try_take(resource, who(0)).is_ok());
    }
}

#[test]
fn the_wake_callback_runs_outside_the_lock() {
    let shared = Shared::new(connections(1));
    let mut a = shared.worker(Arc::new(|| {}));
    let (seen, ledger) = (Arc::new(AtomicUsize::new(0)), shared.clone());
    let seen_by_wake = Arc::clone(&seen);
    let wake = move || {
        let reserved = ledger.snapshot(Priority::Default, CONNECTIONS).reserved;
        seen_by_wake.store(reserved as usize, Ordering::Relaxed);
    };
    let mut b = shared.worker(Arc::new(wake));
    let seat = a.try_take(CONNECTIONS, who(0)).expect("free");
    b.await_free(CONNECTIONS, who(0), Need::Queue);
    a.give_back(seat);
    assert_eq!(seen.load(Ordering::Relaxed), 1, "it could take the lock, and the seat was reserved before");
}

#[test]
fn waits_of_all_workers_are_served_in_arrival_order() {
    let shared = Shared::new(connections(1));
    let (mut a, _) = worker(&shared);
    let (mut b, _) = worker(&shared);
    let seat = a.try_take(CONNECTIONS, who(0)).expect("free");
    b.await_free(CONNECTIONS, who(1), Need::Queue);
    a.await_free(CONNECTIONS, who(2), Need::Queue);
    b.await_free(CONNECTIONS, who(3), Need::Queue);
    a.give_back(seat);
    assert_eq!((a.poll_freed(), b.poll_freed()), (None, Some((PoolId(1), CONNECTIONS))));
    b.cancel_wait(CONNECTIONS, who(1));
    assert_eq!((a.poll_freed(), b.poll_freed()), (Some((PoolId(2), CONNECTIONS)), None));
    a.cancel_wait(CONNECTIONS, who(2));
    assert_eq!((a.poll_freed(), b.poll_freed()), (None, Some((PoolId(3), CONNECTIONS))));
}

#[test]
fn credits_in_another_workers_bank_are_found_before_a_refusal() {
    let shared = Shared::new(Thresholds::unlimited().max_requests(100));
    let (mut a, _) = worker(&shared);
    let (mut b, _) = worker(&shared);
    let in_b: Vec<_> = (0..60).map(|_| b.try_take(Resource::Requests, who(0)).expect("free")).collect();
    in_b.into_iter().for_each(|seat| b.give_back(seat)); // now B's bank is full of credits
    let in_a: Vec<_> = (0..100).map(|_| a.try_take(Resource::Requests, who(0)).expect("free")).collect();
    assert_eq!(a.try_take(Resource::Requests, who(0)), Err(Full::Cluster));
    assert_eq!(b.try_take(Resource::Requests, who(0)), Err(Full::Cluster));
    assert_eq!(shared.snapshot(Priority::Default, Resource::Requests).current, 100);
    in_a.into_iter().for_each(|seat| b.give_back(seat)); // any handle may return a seat
    assert_eq!(shared.snapshot(Priority::Default, Resource::Requests).current, 0);
}

#[test]
fn a_dropped_handle_returns_its_bank_and_its_waits() {
    let shared = Shared::new(Thresholds::unlimited().max_requests(8).max_connections(1));
    let (mut a, a_woken) = worker(&shared);
    let (mut b, _) = worker(&shared);
    let request = b.try_take(Resource::Requests, who(0)).expect("free");
    let seat = a.try_take(CONNECTIONS, who(0)).expect("free");
    b.await_free(CONNECTIONS, who(1), Need::Queue);
    b.await_free(CONNECTIONS, who(2), Need::Queue);
    a.await_free(CONNECTIONS, who(3), Need::Queue);
    a.give_back(seat);
    drop(b); // holds a reservation, a wait and a bank
    assert_eq!(a_woken.load(Ordering::Relaxed), 1);
    assert_eq!(a.poll_freed(), Some((PoolId(3), CONNECTIONS)));
    let gauge = Gauge { current: 1, max: 8, remaining: 7, open: false, reserved: 0 };
    assert_eq!(shared.snapshot(Priority::Default, Resource::Requests), gauge);
    let (mut again, _) = worker(&shared); // the slot is used again, with nothing left in it
    assert_eq!(again.poll_freed(), None);
    again.give_back(request);
    assert_eq!(shared.snapshot(Priority::Default, Resource::Requests).current, 0);
}

#[test]
fn local_is_equal_and_hashes_alike_whatever_led_to_it() {
    let hash = |ledger: &Local| BuildHasherDefault::<DefaultHasher>::default().hash_one(ledger);
    let build = |detour: bool| {
        let mut ledger = Local::new(connections(1));
        let seat = ledger.try_take(CONNECTIONS, at(0, 7)).expect("free");
        if detour {
            ledger.await_free(CONNECTIONS, at(8, 8), Need::Queue);
            ledger.give_back(seat);
            ledger.cancel_wait(CONNECTIONS, at(8, 8));
            let _again = ledger.try_take(CONNECTIONS, at(0, 7)).expect("free");
        }
        ledger.await_free(CONNECTIONS, who(1), Need::Queue);
        ledger.await_free(CONNECTIONS, who(2), Need::Queue);
        ledger
    };
    let (direct, detour) = (build(false), build(true));
    assert_eq!(direct, detour);
    assert_eq!(hash(&direct), hash(&detour));

    let mut swapped = direct.clone();
    swapped.cancel_wait(CONNECTIONS, who(1));
    assert_ne!(swapped, direct);
    swapped.await_free(CONNECTIONS, who(1), Need::Queue);
    assert_ne!(swapped, direct, "the same waits in another order");
}

#[test]
fn a_recording_is_answered_again_and_a_divergence_is_told() {
    let mut recorder = Recorder::new(Local::new(connections(1)));
    let first = recorder.try_take(CONNECTIONS, who(0));
    let second = recorder.try_take(CONNECTIONS, at(1, 5));
    let (_, log) = recorder.into_parts();
    assert_eq!(log.len(), 2);

    let mut replay = Recorded::new(log.clone());
    assert_eq!(replay.try_take(CONNECTIONS, who(0)), first);
    assert_eq!(replay.try_take(CONNECTIONS, at(1, 5)), second);
    assert_eq!(replay.finish(), Ok(()));

    let mut other = Recorded::new(log.clone());
    let resource = Resource::Requests;
    assert_eq!(other.try_take(resource, who(0)), Err(Full::Cluster));
    let divergence = Divergence::OtherQuestion { at: 0, recorded: log[0], resource, who: who(0) };
    assert_eq!(other.divergence(), Some(&divergence));
    assert_eq!(other.try_take(CONNECTIONS, who(0)), Err(Full::Cluster), "no answers after a divergence");
    assert_eq!(other.finish(), Err(divergence));

    let mut longer = Recorded::new(log[..1].to_vec());
    assert!(longer.try_take(CONNECTIONS, who(0)).is_ok());
    let past = Divergence::PastTheEnd { at: 1, resource: CONNECTIONS, who: who(0) };
    assert_eq!(longer.try_take(CONNECTIONS, who(0)), Err(Full::Cluster));
    assert_eq!(longer.finish(), Err(past));

    let shorter = Recorded::new(log.clone());
    assert_eq!(shorter.finish(), Err(Divergence::NeverAsked { at: 0, recorded: log[0] }));
}

#[test]
fn waits_are_shown_in_the_order_in_which_they_are_served() {
    let mut ledger = Local::new(connections(1));
    let seat = ledger.try_take(CONNECTIONS, who(9)).expect("there is one seat");
    ledger.await_free(CONNECTIONS, who(1), Need::Queue);
    ledger.await_free(CONNECTIONS, who(2), Need::Queue);
    ledger.await_free(CONNECTIONS, who(3), Need::Forced);
    let shown = |ledger: &Local| {
        let waits = ledger.waits().into_iter();
        waits.map(|wait| (wait.pool.0, wait.need, wait.progress)).collect::<Vec<_>>()
    };
    use WaitProgress::{Reserved, Told, Waiting};
    let (queue, forced) = (Need::Queue, Need::Forced);
    assert_eq!(shown(&ledger), [(3, forced, Waiting), (1, queue, Waiting), (2, queue, Waiting)]);
    ledger.give_back(seat);
    assert_eq!(shown(&ledger), [(3, forced, Reserved), (1, queue, Waiting), (2, queue, Waiting)]);
    assert_eq!(ledger.poll_freed(), Some((PoolId(3), CONNECTIONS)));
    assert_eq!(shown(&ledger)[0], (3, forced, Told));
    let seat = ledger.try_take(CONNECTIONS, who(3)).expect("it was kept for it");
    assert_eq!(shown(&ledger), [(1, queue, Waiting), (2, queue, Waiting)]);
    ledger.give_back(seat);
    ledger.cancel_wait(CONNECTIONS, who(1));
    assert_eq!(shown(&ledger), [(2, queue, Reserved)]);
}
