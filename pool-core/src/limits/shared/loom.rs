//! `Shared` under the loom model checker: every interleaving of two workers on its atomics and lock.
//!
//! Run with `RUSTFLAGS="--cfg loom" cargo test -p pool-core --lib --release limits::shared::loom`.
//! A waiter that is never woken shows as a deadlock, which loom reports.

use std::sync::Arc;

use loom::sync::Notify;
use loom::thread;

use super::{Claimant, Full, Ledger, Need, Priority, Resource, Seat, Shared, SharedHandle};
use crate::id::{HostId, PoolId};
use crate::limits::Thresholds;

const WHO: Claimant = Claimant { pool: PoolId(7), host: HostId(0), priority: Priority::Default };

fn quiet(shared: &Shared) -> SharedHandle {
    shared.worker(Arc::new(|| {}))
}

fn take(handle: &mut SharedHandle, resource: Resource) -> Result<Seat, Full> {
    handle.try_take(resource, WHO)
}

/// Takes a seat as a driver does: ask, wait, sleep until woken, take the reservation.
fn take_or_wait(handle: &mut SharedHandle, resource: Resource, woken: &Notify) -> Seat {
    take(handle, resource).unwrap_or_else(|_| wait(handle, resource, woken))
}

fn wait(handle: &mut SharedHandle, resource: Resource, woken: &Notify) -> Seat {
    handle.await_free(resource, WHO, Need::Queue);
    while handle.poll_freed().is_none() {
        woken.wait();
    }
    take(handle, resource).expect("the reservation is this pool's")
}

fn notified(shared: &Shared) -> (SharedHandle, Arc<Notify>) {
    let notify = Arc::new(Notify::new());
    let wake = Arc::clone(&notify);
    (shared.worker(Arc::new(move || wake.notify())), notify)
}

fn held(shared: &Shared, resource: Resource) -> u64 {
    shared.snapshot(Priority::Default, resource).current
}

/// A ledger with a limit of five requests of which four are held; the fifth is a credit in the
/// second worker's bank, which is open.
fn last_credit_in_b() -> (Shared, SharedHandle, SharedHandle, Vec<Seat>) {
    let shared = Shared::new(Thresholds::unlimited().max_requests(5));
    let (mut a, mut b) = (quiet(&shared), quiet(&shared));
    let mut seats = vec![take(&mut b, Resource::Requests).expect("1 of 5; one more is lent to B")];
    seats.extend((0..3).map(|_| take(&mut a, Resource::Requests).expect("2, 3 and 4 of 5")));
    (shared, a, b, seats)
}

#[test]
fn two_workers_never_overshoot_by_the_last_seat() {
    loom::model(|| {
        let (shared, mut a, mut b, seats) = last_credit_in_b();
        let thread = thread::spawn(move || take(&mut b, Resource::Requests).is_ok());
        let in_a = take(&mut a, Resource::Requests).is_ok();
        let in_b = thread.join().expect("no panic");
        assert!(in_a ^ in_b, "one seat, two takers: exactly one has it");
        assert_eq!(held(&shared, Resource::Requests), 5);
        drop(seats);
    });
}

#[test]
fn a_sweep_that_races_with_moving_credits_refuses_nobody_falsely() {
    loom::model(|| {
        let shared = Shared::new(Thresholds::unlimited().max_requests(13));
        let (mut a, mut b, mut c) = (quiet(&shared), quiet(&shared), quiet(&shared));
        let mut seats = Vec::new();
        // The first take lends B two more, which it uses up: its bank is open and empty.
        seats.extend((0..3).map(|_| take(&mut b, Resource::Requests).expect("to 3 of 13")));
        seats.push(take(&mut c, Resource::Requests).expect("4 of 13; one more is lent to C"));
        seats.extend((0..8).map(|_| take(&mut a, Resource::Requests).expect("all but C's credit")));
        let seat = seats.swap_remove(0);
        // One seat is free all the time: before B's seat comes back, and after C has taken one.
        let thread = thread::spawn(move || {
            b.give_back(seat);
            take(&mut c, Resource::Requests).is_ok()
        });
        assert!(take(&mut a, Resource::Requests).is_ok());
        assert!(thread.join().expect("no panic"));
        assert_eq!(held(&shared, Resource::Requests), 13);
    });
}

#[test]
fn a_waiter_is_woken_by_a_seat_that_another_worker_frees_from_the_book() {
    loom::model(|| {
        let shared = Shared::new(Thresholds::unlimited().max_connections(1));
        let mut a = quiet(&shared);
        let (mut b, woken) = notified(&shared);
        let seat = take(&mut a, Resource::Connections).expect("1 of 1");
        let thread = thread::spawn(move || {
            let seat = take_or_wait(&mut b, Resource::Connections, &woken);
            b.give_back(seat);
        });
        a.give_back(seat);
        thread.join().expect("no panic");
        assert_eq!(held(&shared, Resource::Connections), 0);
    });
}

#[test]
fn a_waiter_is_woken_by_a_seat_that_another_worker_frees_into_its_open_bank() {
    loom::model(|| {
        let shared = Shared::new(Thresholds::unlimited().max_requests(5));
        let mut a = quiet(&shared);
        let (mut b, woken) = notified(&shared);
        let mut seats: Vec<_> = (0..5).map(|_| take(&mut a, Resource::Requests).expect("free")).collect();
        let last = seats.pop().expect("five");
        let thread = thread::spawn(move || {
            // Without asking first: a refusal would have closed A's bank already.
            let seat = wait(&mut b, Resource::Requests, &woken);
            b.give_back(seat);
        });
        a.give_back(last);
        thread.join().expect("no panic");
        assert_eq!(held(&shared, Resource::Requests), 4);
    });
}

#[test]
fn a_seat_is_handed_to_the_waiter_even_while_its_giver_grabs() {
    loom::model(|| {
        let shared = Shared::new(Thresholds::unlimited().max_requests(1));
        let (mut a, first) = notified(&shared);
        let (mut b, second) = notified(&shared);
        let seat = take(&mut a, Resource::Requests).expect("1 of 1");
        let thread = thread::spawn(move || {
            let seat = take_or_wait(&mut b, Resource::Requests, &second);
            b.give_back(seat);
        });
        a.give_back(seat);
        let again = take_or_wait(&mut a, Resource::Requests, &first);
        a.give_back(again);
        thread.join().expect("no panic");
        assert_eq!(held(&shared, Resource::Requests), 0);
    });
}

#[test]
fn a_handle_that_is_dropped_passes_its_reservation_on() {
    loom::model(|| {
        let shared = Shared::new(Thresholds::unlimited().max_connections(1));
        let (mut a, mut b) = (quiet(&shared), quiet(&shared));
        let (mut c, woken) = notified(&shared);
        let seat = take(&mut a, Resource::Connections).expect("1 of 1");
        b.await_free(Resource::Connections, WHO, Need::Queue);
        c.await_free(Resource::Connections, WHO, Need::Queue);
        let thread = thread::spawn(move || drop(b));
        a.give_back(seat);
        let seat = wait(&mut c, Resource::Connections, &woken); // asking again changes nothing
        c.give_back(seat);
        thread.join().expect("no panic");
        assert_eq!(held(&shared, Resource::Connections), 0);
    });
}
