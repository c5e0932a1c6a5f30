//! One run from its seed: builds the room, lets it run dry, and asks every oracle.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use pool_core::client::{Breakers, Builder};
use pool_core::config::Admission;
use pool_core::limits::{Limits, Resource};
use pool_core::runtime::Resolved;
use pool_core::server::ServerHandle;

use super::account::Counts;
use super::counted::{Counted, Counter};
use super::fabric::{Dialer, Names, Net};
use super::load::{Caller, Promise, inspect};
use super::origin::Site;
use super::peer::Stop;
use super::plan::{OriginPlan, PORT, Plan, Profile, Turn, host_of};
use super::rng::Rng;
use super::served::House;
use super::trace::Tracing;
use super::visitor::visit;
use super::world::{Halt, Moment, World};

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// Its seed.
    pub seed: u64,
    /// What kind of day it was.
    pub profile: Profile,
    /// What the oracles had to say; nothing is a pass.
    pub objections: Vec<String>,
    /// What happened, by name.
    pub counts: Counts,
    /// Requests made.
    pub requests: usize,
    /// Most connections to one origin at a time.
    pub peak: u64,
    /// Polls and deadlines.
    pub steps: u64,
    /// Events of the trace, written or not.
    pub events: u64,
    /// Simulated nanoseconds.
    pub nanos: u64,
    /// The log, if it was asked for.
    pub trace: String,
}

/// Runs a seed. A panic anywhere in it is an objection.
#[must_use]
pub fn run(seed: u64, tracing: Tracing) -> Report {
    let world = World::new(seed, tracing);
    let profile = Profile::of(seed);
    let inside = world.clone();
    let outcome = catch_unwind(AssertUnwindSafe(move || Room::build(inside, seed).live()));
    let peak = match outcome {
        Ok(peak) => {
            // Nobody may hold the runtime any more: neither clients nor servers, streams nor timers.
            let holders = world.holders();
            if holders > 1 && !world.account().has_objection() {
                world.object(|| format!("{} handles of the runtime are left: something leaked", holders - 1));
            }
            peak
        }
        Err(panic) => {
            let words = panic.downcast_ref::<String>().cloned();
            let words = words.or_else(|| panic.downcast_ref::<&str>().map(|words| (*words).to_owned()));
            world.object(|| format!("panic: {}", words.unwrap_or_else(|| "without words".to_owned())));
            0
        }
    };
    let (trace, account) = (world.trace(), world.account());
    Report {
        seed,
        profile,
        objections: account.objections(),
        counts: account.counts(),
        requests: account.requests(),
        peak,
        steps: world.steps(),
        events: trace.lines(),
        nanos: world.nanos(),
        trace: trace.take(),
    }
}

/// Everything in a run.
struct Room {
    plan: Plan,
    world: World,
    net: Net,
    counter: Counter,
    clients: Rc<Vec<RefCell<Option<Caller>>>>,
    origins: Rc<Vec<Origin>>,
    tally: Rc<Tally>,
    /// Requests under way, by client.
    callers: Rc<Vec<Rc<Tally>>>,
    seed: u64,
}

/// An origin, whoever plays it. The stop or handle is that of the present incarnation.
enum Origin {
    Scripted(Rc<Site>, RefCell<Stop>),
    Served(Rc<House>, RefCell<Option<ServerHandle<World>>>),
}

/// Counts what is under way, and wakes the director at zero.
#[derive(Default)]
struct Tally {
    open: Cell<usize>,
    director: RefCell<Option<Waker>>,
}

struct Share(Rc<Tally>);

impl Tally {
    fn share(self: &Rc<Self>) -> Share {
        self.open.set(self.open.get() + 1);
        Share(self.clone())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
        if self.0.open.get() == 0 {
            if let Some(director) = self.0.director.take() {
                director.wake();
            }
        }
    }
}

fn address_of(origin: usize) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, origin as u8 + 1)), PORT)
}

impl Origin {
    fn open(&self) {
        match self {
            Self::Scripted(site, stop) => {
                let fresh = Stop::default();
                site.open(&fresh);
                stop.replace(fresh);
            }
            Self::Served(house, handle) => {
                handle.replace(Some(house.open()));
            }
        }
    }

    async fn shut(&self, grace: Duration) {
        match self {
            Self::Scripted(_, stop) => stop.borrow().now(),
            Self::Served(house, handle) => {
                let handle = handle.take();
                if let Some(handle) = handle {
                    house.shut(&handle, grace).await;
                }
            }
        }
    }
}

impl Room {
    fn build(world: World, seed: u64) -> Self {
        let plan = Plan::of(seed);
        world.set_moods(plan.moods);
        world.say(|| format!("seed {seed}: {}", plan.describe()));
        let net = Net::new(world.clone(), seed, plan.weather.clone());
        let draw = |index: usize| RefCell::new(Rng::new(seed).fork(100 + index as u64));
        let origins = plan.origins.iter().enumerate().map(|(index, origin)| {
            let address = address_of(index);
            net.name(&host_of(index), vec![address]);
            match origin.clone() {
                OriginPlan::Scripted(manners) => {
                    let site = Site { net: net.clone(), address, manners, rng: draw(index) };
                    Origin::Scripted(Rc::new(site), RefCell::default())
                }
                OriginPlan::Served(habits) => {
                    let dispatched = RefCell::new(BTreeMap::new());
                    let house = House { net: net.clone(), address, habits, rng: draw(index), dispatched };
                    Origin::Served(Rc::new(house), RefCell::new(None))
                }
            }
        });
        let origins: Rc<Vec<_>> = Rc::new(origins.collect());
        // A pool may force one connection (P1), and every worker has one pool per origin.
        let forced = match plan.pool.admission() {
            Admission::Strict => 0,
            Admission::ForceOne => plan.workers as u64,
        };
        let most = u64::from(plan.limits.max(Resource::Connections)) + forced;
        let counter = Counter::new(world.clone(), most);
        let breakers = Breakers::new(Limits::both(plan.limits));
        let clients = (0..plan.workers).map(|worker| {
            let line = Resolved::new(world.clone(), Names(net.clone()), Dialer(net.clone()));
            let client: Caller = Builder::new(world.clone(), Counted::new(counter.clone(), line))
                .pool(plan.pool.clone())
                .breakers(breakers.clone())
                .retry(plan.retry)
                .replay_limit(plan.replay_limit)
                .seed(seed ^ worker as u64)
                .build();
            RefCell::new(Some(client))
        });
        let clients = Rc::new(clients.collect());
        let callers = Rc::new((0..plan.workers).map(|_| Rc::default()).collect());
        Self { plan, world, net, counter, clients, origins, tally: Rc::default(), callers, seed }
    }

    /// Runs it; the most connections there were to one origin.
    fn live(self) -> u64 {
        for origin in self.origins.iter() {
            origin.open();
        }
        self.start_load();
        self.start_turns();
        self.start_director();
        let (world, clients, every) = (self.world.clone(), self.clients.clone(), self.plan.inspect_every);
        let callers = self.callers.clone();
        let promise = self.promise();
        let inspector = move |moment| {
            for (client, callers) in clients.iter().zip(callers.iter()) {
                if let Some(client) = &*client.borrow() {
                    inspect(&world, client, callers.open.get(), &promise, moment);
                }
            }
        };
        let most_steps = 5_000_000 + 20_000 * self.plan.asks.len() as u64;
        let halt = self.world.run(most_steps, every, &inspector);
        drop(inspector);
        self.judge(halt);
        self.world.clear();
        self.counter.peak()
    }

    fn promise(&self) -> Promise {
        Promise { config: self.plan.pool.clone(), is_punctual: self.plan.moods.late == 0 }
    }

    fn start_load(&self) {
        for ask in &self.plan.asks {
            let (ask, world, clients) = (ask.clone(), self.world.clone(), self.clients.clone());
            let (share, caller) = (self.tally.share(), self.callers[ask.worker].clone());
            self.world.at(ask.at, move || {
                let id = world.account().register(ask.effect());
                // One that was closed meanwhile is still asked: it has to say so.
                let Some(client) = clients[ask.worker].borrow().clone() else { return };
                let inside = world.clone();
                let call = caller.share();
                world.start("caller", async move {
                    ask.make(inside, client, id).await;
                    drop((call, share));
                });
            });
        }
    }

    fn start_turns(&self) {
        for (number, (at, turn)) in self.plan.turns.iter().enumerate() {
            let share = self.tally.share();
            let (world, clients, origins) = (self.world.clone(), self.clients.clone(), self.origins.clone());
            let (turn, net) = (turn.clone(), self.net.clone());
            let rng = Rng::new(self.seed).fork(1000 + number as u64);
            self.world.at(*at, move || {
                world.say(|| format!("{turn:?}"));
                let inside = world.clone();
                world.start("turn", async move {
                    play(inside, net, turn, &clients, &origins, rng).await;
                    drop(share);
                });
            });
        }
    }

    /// Ends clients, then origins, when everybody has had their turn.
    fn start_director(&self) {
        let (world, clients, origins) = (self.world.clone(), self.clients.clone(), self.origins.clone());
        let (tally, promise) = (self.tally.clone(), self.promise());
        let mut rng = Rng::new(self.seed).fork(4);
        self.world.start("director", async move {
            poll_fn(|cx| {
                if tally.open.get() == 0 {
                    return Poll::Ready(());
                }
                tally.director.replace(Some(cx.waker().clone()));
                Poll::Pending
            })
            .await;
            world.say(|| "all callers have their outcomes".to_owned());
            for client in clients.iter() {
                let Some(handle) = client.borrow().clone() else { continue };
                match rng.below(3) {
                    0 => handle.close().await,
                    1 => {
                        handle.abort();
                        handle.close().await;
                    }
                    // The last handle goes, and everything with it.
                    _ => {
                        drop(client.take());
                        continue;
                    }
                }
                inspect(&world, &handle, 0, &promise, Moment::Any);
                let totals = handle.snapshot().totals();
                if totals != pool_core::client::Totals::default() {
                    world.object(|| format!("a closed client has {totals:?}"));
                }
                drop(client.take());
            }
            for origin in origins.iter() {
                let grace = Duration::from_millis(*rng.pick(&[0, 1000]));
                origin.shut(grace).await;
            }
        });
    }

    fn judge(&self, halt: Halt) {
        let world = &self.world;
        match halt {
            Halt::Objection => return,
            Halt::Deadlock => world.object(|| {
                let looks =
                    self.clients.iter().filter_map(|client| client.borrow().as_ref().map(Caller::snapshot));
                let looks: Vec<_> = looks.collect();
                format!("nothing can happen any more, and tasks wait:\n{}{looks:#?}", world.dump())
            }),
            Halt::Livelock => world.object(|| format!("turns in a circle:\n{}", world.dump())),
            Halt::Timers(count) => {
                world.object(|| format!("all tasks are over, and {count} timers are left"));
            }
            Halt::Done => {}
        }
        if halt == Halt::Done {
            world.account().check_outcomes();
            let (open, held) = (self.net.open_ends(), self.counter.now());
            if open > 0 || held > 0 {
                world.object(|| format!("{open} sockets are left open, {held} counted for clients"));
            }
        }
    }
}

async fn play(
    world: World,
    net: Net,
    turn: Turn,
    clients: &[RefCell<Option<Caller>>],
    origins: &[Origin],
    rng: Rng,
) {
    match turn {
        Turn::Restart { origin, grace, away } => {
            let origin = &origins[origin];
            world.account().count("peer: restarted");
            let is_up = match origin {
                Origin::Scripted(..) => true,
                Origin::Served(_, handle) => handle.borrow().is_some(),
            };
            if !is_up {
                return;
            }
            origin.shut(grace).await;
            // The port is free once its listener's task has run.
            world.pause(away + Duration::from_micros(1)).await;
            let is_down = match origin {
                Origin::Scripted(site, stop) => stop.borrow().is_over() && !net.is_listening(site.address),
                Origin::Served(house, handle) => {
                    handle.borrow().is_none() && !net.is_listening(house.address)
                }
            };
            if is_down {
                origin.open();
            }
        }
        Turn::Close(worker) => {
            let Some(client) = clients[worker].borrow().clone() else { return };
            if client.snapshot().totals().active > 0 {
                world.account().count("client: closed while busy");
            }
            client.close().await;
        }
        Turn::Abort(worker) => {
            let Some(client) = clients[worker].borrow().clone() else { return };
            if client.snapshot().totals().active > 0 {
                world.account().count("client: aborted while busy");
            }
            client.abort();
        }
        Turn::Retire(worker) => {
            let Some(client) = clients[worker].borrow().clone() else { return };
            let mut count = 0;
            let retired = client.retire(|_, _| {
                count += 1;
                count % 2 == 1
            });
            if retired > 0 {
                world.account().count("client: retired connections");
            }
        }
        Turn::Visit(origin, errand) => {
            // It stays for as long as it likes: servers have to get rid of it.
            visit(net, address_of(origin), errand, rng, Stop::default()).await;
        }
    }
}
