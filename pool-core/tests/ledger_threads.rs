//! `Shared` on real threads: what the model checker shows for a few steps, for many steps here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use pool_core::id::{HostId, PoolId};
use pool_core::limits::{Claimant, Ledger, Need, Priority, Resource, Seat, Shared, SharedHandle, Thresholds};

const WHO: Claimant = Claimant { pool: PoolId(0), host: HostId(0), priority: Priority::Default };
const ROUNDS: u64 = 20_000;

/// Runs `work` on one handle per thread, all at once. The second argument is the thread's number.
fn on_threads(shared: &Shared, threads: u64, work: impl Fn(SharedHandle, u64) + Sync) {
    let barrier = Barrier::new(usize::try_from(threads).expect("few"));
    std::thread::scope(|scope| {
        for number in 0..threads {
            let handle = shared.worker(Arc::new(|| {}));
            let (barrier, work) = (&barrier, &work);
            scope.spawn(move || {
                barrier.wait();
                work(handle, number);
            });
        }
    });
}

/// Small uneven numbers from a seed.
fn numbers(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) % below
    }
}

#[test]
fn whoever_stays_within_its_part_is_never_refused() {
    for part in [1, 2, 7, 64] {
        let shared = Shared::new(Thresholds::unlimited().max_requests(4 * part));
        on_threads(&shared, 4, |mut handle, number| {
            let mut below = numbers(number);
            let mut held: Vec<Seat> = Vec::new();
            for _ in 0..ROUNDS {
                let wanted = below(u64::from(part) + 1);
                while (held.len() as u64) < wanted {
                    held.push(handle.try_take(Resource::Requests, WHO).expect("4 parts, 4 threads: free"));
                }
                held.drain(usize::try_from(wanted).expect("small")..).for_each(|seat| handle.give_back(seat));
            }
            held.into_iter().for_each(|seat| handle.give_back(seat));
        });
        assert_eq!(shared.snapshot(Priority::Default, Resource::Requests).current, 0);
    }
}

#[test]
fn nobody_ever_overshoots() {
    for max in [1, 3, 40] {
        let shared = Shared::new(Thresholds::unlimited().max_requests(max));
        let held_by_all = AtomicU64::new(0);
        on_threads(&shared, 4, |mut handle, number| {
            let mut below = numbers(number);
            let mut held: Vec<Seat> = Vec::new();
            for _ in 0..ROUNDS {
                if below(2) == 0 {
                    if let Ok(seat) = handle.try_take(Resource::Requests, WHO) {
                        let before = held_by_all.fetch_add(1, Ordering::SeqCst);
                        assert!(before < u64::from(max), "{before} were held, the limit is {max}");
                        held.push(seat);
                    }
                } else if let Some(seat) = held.pop() {
                    held_by_all.fetch_sub(1, Ordering::SeqCst);
                    handle.give_back(seat);
                }
            }
            for seat in held {
                held_by_all.fetch_sub(1, Ordering::SeqCst);
                handle.give_back(seat);
            }
        });
        assert_eq!(shared.snapshot(Priority::Default, Resource::Requests).current, 0);
    }
}

#[test]
fn every_waiter_is_woken() {
    for resource in [Resource::Connections, Resource::Requests] {
        for max in [1, 2, 12] {
            let shared = Shared::new(Thresholds::unlimited().with(resource, max));
            on_threads(&shared, 3, |_, _| {
                let (bell, rung) = mpsc::channel();
                let mut handle = shared.worker(Arc::new(move || {
                    // The receiver is gone once its thread is done.
                    let _ = bell.send(());
                }));
                let mut held: Vec<Seat> = Vec::new();
                for _ in 0..2_000 {
                    // Up to five: together more than there are, so that threads wait for each other.
                    while held.len() < 5 {
                        let Ok(seat) = handle.try_take(resource, WHO) else { break };
                        held.push(seat);
                    }
                    if held.is_empty() {
                        handle.await_free(resource, WHO, Need::Queue);
                        while handle.poll_freed().is_none() {
                            rung.recv_timeout(Duration::from_secs(30)).expect("woken");
                        }
                        held.push(handle.try_take(resource, WHO).expect("its reservation"));
                    }
                    held.drain(..).for_each(|seat| handle.give_back(seat));
                }
            });
            assert_eq!(shared.snapshot(Priority::Default, resource).current, 0);
        }
    }
}
