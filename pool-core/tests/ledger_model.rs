//! Random steps on `Local` and on `Shared` (one thread, several workers) against a model that is too
//! simple to be wrong: lists, counted from scratch at every question.

use std::sync::Arc;

use pool_core::id::{HostId, PoolId};
use pool_core::limits::{
    Claimant, Full, Gauge, Ledger, Limits, Local, Need, Priority, Resource, Seat, Shared, Thresholds,
};
use proptest::prelude::*;

const POOLS: u32 = 12;
const HOSTS: u32 = 2;
const WORKERS: u32 = 2;

fn claimant(pool: u32) -> Claimant {
    let priority = if pool / 4 % 3 == 0 { Priority::High } else { Priority::Default };
    Claimant { pool: PoolId(pool), host: HostId(pool / 2 % HOSTS), priority }
}

#[derive(Clone, Debug)]
enum Step {
    Take(u32, Resource),
    TakeOverLimit(u32, Resource),
    GiveBack(prop::sample::Index),
    Await(u32, Resource, Need),
    Cancel(u32, Resource),
    SetLimits(Limits),
    Poll(u32),
    Look,
}

struct Wait {
    pool: u32,
    resource: Resource,
    need: Need,
    reserved: bool,
}

struct Model {
    limits: Limits,
    held: Vec<(Resource, Claimant)>,
    waits: Vec<Wait>,
    freed: Vec<(u32, Resource)>,
}

impl Model {
    fn counts(&self, of: impl Fn(Resource, Claimant) -> bool) -> (u64, u64) {
        let held = self.held.iter().filter(|(resource, who)| of(*resource, *who)).count();
        let reserved = self.waits.iter().filter(|w| w.reserved && of(w.resource, claimant(w.pool))).count();
        (held as u64, reserved as u64)
    }

    fn admits(&self, resource: Resource, who: Claimant, beside_reserved: bool) -> Result<(), Full> {
        let room = |(held, reserved): (u64, u64), max: u32| {
            held + if beside_reserved { reserved } else { 0 } < u64::from(max)
        };
        let cluster = self.counts(|r, w| r == resource && w.priority == who.priority);
        if !room(cluster, self.limits.max(who.priority, resource)) {
            return Err(Full::Cluster);
        }
        let host = self.counts(|r, w| r == Resource::Connections && w.host == who.host);
        let per_host = self.limits.thresholds(who.priority).max_per_host();
        if resource == Resource::Connections && !room(host, per_host) { Err(Full::Host) } else { Ok(()) }
    }

    fn find(&self, pool: u32, resource: Resource) -> Option<usize> {
        self.waits.iter().position(|wait| wait.pool == pool && wait.resource == resource)
    }

    fn take(&mut self, pool: u32, resource: Resource, force: bool) -> Result<(), Full> {
        let who = claimant(pool);
        let reservation = self.find(pool, resource).filter(|&at| self.waits[at].reserved);
        let verdict = if force { Ok(()) } else { self.admits(resource, who, reservation.is_none()) };
        if let Some(at) = reservation {
            self.freed.retain(|&freed| freed != (pool, resource));
            if verdict.is_ok() {
                self.waits.remove(at);
            } else {
                self.waits[at].reserved = false;
            }
        }
        if verdict.is_ok() {
            self.held.push((resource, who));
        }
        self.hand_out();
        verdict
    }

    fn hand_out(&mut self) {
        for resource in Resource::ALL {
            loop {
                let can = |w: &Wait| {
                    !w.reserved
                        && w.resource == resource
                        && self.admits(resource, claimant(w.pool), true).is_ok()
                };
                let next = (0..self.waits.len()).filter(|&at| can(&self.waits[at]));
                let Some(at) = next.min_by_key(|&at| self.waits[at].need) else { break };
                self.waits[at].reserved = true;
                self.freed.push((self.waits[at].pool, resource));
            }
        }
    }

    fn await_free(&mut self, pool: u32, resource: Resource, need: Need) {
        match self.find(pool, resource) {
            Some(at) => self.waits[at].need = self.waits[at].need.min(need),
            None => self.waits.push(Wait { pool, resource, need, reserved: false }),
        }
        self.hand_out();
    }

    fn cancel(&mut self, pool: u32, resource: Resource) {
        if let Some(at) = self.find(pool, resource) {
            self.waits.remove(at);
            self.freed.retain(|&freed| freed != (pool, resource));
            self.hand_out();
        }
    }

    fn poll(&mut self, of: impl Fn(u32) -> bool) -> Option<(PoolId, Resource)> {
        let at = self.freed.iter().position(|&(pool, _)| of(pool))?;
        let (pool, resource) = self.freed.remove(at);
        Some((PoolId(pool), resource))
    }

    fn gauge(&self, priority: Priority, resource: Resource) -> Gauge {
        let (current, reserved) = self.counts(|r, w| r == resource && w.priority == priority);
        let max = self.limits.max(priority, resource);
        let remaining = u64::from(max).saturating_sub(current) as u32;
        Gauge { current, max, remaining, open: current >= u64::from(max), reserved: reserved as u32 }
    }
}

/// A ledger under test: one `Local`, or a `Shared` with a handle per worker.
struct Tested {
    handles: Vec<Box<dyn Ledger>>,
    always_look: bool,
}

impl Tested {
    fn of(&mut self, pool: u32) -> (&mut dyn Ledger, Claimant) {
        let workers = self.handles.len();
        (self.handles[pool as usize % workers].as_mut(), claimant(pool))
    }
}

trait Looks {
    fn look(&self, priority: Priority, resource: Resource) -> Gauge;
    fn look_host(&self, host: HostId) -> u64;
    fn set(&mut self, limits: Limits);
}

fn run(steps: Vec<Step>, tested: &mut Tested, mut looks: impl Looks, limits: Limits) {
    let mut model = Model { limits, held: Vec::new(), waits: Vec::new(), freed: Vec::new() };
    let mut seats: Vec<Seat> = Vec::new();
    let workers = tested.handles.len() as u32;
    for step in steps {
        match step {
            Step::Take(pool, resource) => {
                let (ledger, who) = tested.of(pool);
                let seat = ledger.try_take(resource, who);
                let verdict = seat.as_ref().map(|_| ()).map_err(|full| *full);
                assert_eq!(verdict, model.take(pool, resource, false));
                seats.extend(seat);
            }
            Step::TakeOverLimit(pool, resource) => {
                let (ledger, who) = tested.of(pool);
                seats.push(ledger.take_over_limit(resource, who));
                model.take(pool, resource, true).expect("forced");
            }
            Step::GiveBack(index) => {
                if !seats.is_empty() {
                    let at = index.index(seats.len());
                    tested.of(at as u32).0.give_back(seats.remove(at));
                    model.held.remove(at);
                    model.hand_out();
                }
            }
            Step::Await(pool, resource, need) => {
                let (ledger, who) = tested.of(pool);
                ledger.await_free(resource, who, need);
                model.await_free(pool, resource, need);
            }
            Step::Cancel(pool, resource) => {
                let (ledger, who) = tested.of(pool);
                ledger.cancel_wait(resource, who);
                model.cancel(pool, resource);
            }
            Step::SetLimits(limits) => {
                looks.set(limits);
                model.limits = limits;
                model.hand_out();
            }
            Step::Poll(worker) => {
                let worker = worker % workers;
                let freed = tested.handles[worker as usize].poll_freed();
                assert_eq!(freed, model.poll(|pool| pool % workers == worker));
            }
            Step::Look => {}
        }
        if tested.always_look || matches!(step, Step::Look) {
            compare(&looks, &model);
        }
    }
    for (at, seat) in seats.into_iter().enumerate() {
        tested.of(at as u32).0.give_back(seat);
        model.held.remove(0);
        model.hand_out();
    }
    compare(&looks, &model);
}

fn compare(looks: &impl Looks, model: &Model) {
    for priority in Priority::ALL {
        for resource in Resource::ALL {
            assert_eq!(looks.look(priority, resource), model.gauge(priority, resource));
        }
    }
    for host in (0..HOSTS).map(HostId) {
        let held = model.counts(|r, w| r == Resource::Connections && w.host == host).0;
        assert_eq!(looks.look_host(host), held);
    }
}

/// `Local` is one value, so the handle and the questions share it through a cell.
#[derive(Clone)]
struct OneLocal(std::rc::Rc<std::cell::RefCell<Local>>);

impl Ledger for OneLocal {
    fn try_take(&mut self, resource: Resource, who: Claimant) -> Result<Seat, Full> {
        self.0.borrow_mut().try_take(resource, who)
    }
    fn take_over_limit(&mut self, resource: Resource, who: Claimant) -> Seat {
        self.0.borrow_mut().take_over_limit(resource, who)
    }
    fn give_back(&mut self, seat: Seat) {
        self.0.borrow_mut().give_back(seat);
    }
    fn await_free(&mut self, resource: Resource, who: Claimant, need: Need) {
        self.0.borrow_mut().await_free(resource, who, need);
    }
    fn cancel_wait(&mut self, resource: Resource, who: Claimant) {
        self.0.borrow_mut().cancel_wait(resource, who);
    }
    fn poll_freed(&mut self) -> Option<(PoolId, Resource)> {
        self.0.borrow_mut().poll_freed()
    }
}

impl Looks for OneLocal {
    fn look(&self, priority: Priority, resource: Resource) -> Gauge {
        self.0.borrow().snapshot(priority, resource)
    }
    fn look_host(&self, host: HostId) -> u64 {
        self.0.borrow().host_connections(host)
    }
    fn set(&mut self, limits: Limits) {
        self.0.borrow_mut().set_limits(limits);
    }
}

impl Looks for Shared {
    fn look(&self, priority: Priority, resource: Resource) -> Gauge {
        self.snapshot(priority, resource)
    }
    fn look_host(&self, host: HostId) -> u64 {
        self.host_connections(host)
    }
    fn set(&mut self, limits: Limits) {
        self.set_limits(limits);
    }
}

fn resource() -> impl Strategy<Value = Resource> {
    prop_oneof![
        4 => Just(Resource::Connections),
        4 => Just(Resource::Requests),
        1 => Just(Resource::Pending),
        1 => Just(Resource::Retries),
        1 => Just(Resource::Pools),
    ]
}

fn limits() -> impl Strategy<Value = Limits> {
    let thresholds = || {
        (0..6u32, 0..4u32, 0..24u32, 0..24u32, 0..3u32).prop_map(|(cx, host, rq, pending, other)| {
            Thresholds::default()
                .max_connections(cx)
                .max_connections_per_host(host)
                .max_requests(rq)
                .max_pending_requests(pending)
                .max_retries(other)
                .max_connection_pools(other)
        })
    };
    (thresholds(), thresholds()).prop_map(|(low, high)| Limits::both(low).with(Priority::High, high))
}

fn step() -> impl Strategy<Value = Step> {
    let need = prop_oneof![Just(Need::Forced), Just(Need::Queue)];
    prop_oneof![
        40 => (0..POOLS, resource()).prop_map(|(pool, resource)| Step::Take(pool, resource)),
        2 => (0..POOLS, resource()).prop_map(|(pool, resource)| Step::TakeOverLimit(pool, resource)),
        25 => any::<prop::sample::Index>().prop_map(Step::GiveBack),
        10 => (0..POOLS, resource(), need).prop_map(|(pool, resource, need)| Step::Await(pool, resource, need)),
        8 => (0..POOLS, resource()).prop_map(|(pool, resource)| Step::Cancel(pool, resource)),
        2 => limits().prop_map(Step::SetLimits),
        10 => (0..WORKERS).prop_map(Step::Poll),
        2 => Just(Step::Look),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn local_does_what_the_model_does(first in limits(), steps in prop::collection::vec(step(), 1..250)) {
        let ledger = OneLocal(std::rc::Rc::new(std::cell::RefCell::new(Local::new(first))));
        let mut tested = Tested { handles: vec![Box::new(ledger.clone())], always_look: true };
        run(steps, &mut tested, ledger, first);
    }

    /// Without a look at every step, because a look calls the banks in.
    #[test]
    fn shared_does_what_the_model_does(first in limits(), steps in prop::collection::vec(step(), 1..250)) {
        let shared = Shared::new(first);
        let handles = (0..WORKERS).map(|_| Box::new(shared.worker(Arc::new(|| {}))) as Box<dyn Ledger>);
        let mut tested = Tested { handles: handles.collect(), always_look: false };
        run(steps, &mut tested, shared, first);
    }
}
