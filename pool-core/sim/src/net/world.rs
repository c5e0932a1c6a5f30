//! A runtime without a machine: one thread, tasks in an order that the seed draws, and a clock that
//! stands still while anything can run and then jumps to the next deadline.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use pool_core::runtime::{Runtime, Spawn};
use pool_core::time::Instant;

use super::account::Account;
use super::rng::Rng;
use super::trace::{Clock, Trace, Tracing};

/// How the scheduler departs from the kindest order; chances in thousandths per step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moods {
    /// A task that nobody woke is polled: futures must bear it.
    pub spurious: u32,
    /// Time passes although tasks could run, as on a busy machine.
    pub late: u32,
}

/// One simulated machine room; clones are handles of the same one.
#[derive(Clone)]
pub struct World(Rc<Inner>);

struct Inner {
    now: Cell<u64>,
    rng: RefCell<Rng>,
    moods: Cell<Moods>,
    tasks: RefCell<Vec<Option<Task>>>,
    vacant: RefCell<Vec<usize>>,
    live: Cell<usize>,
    ready: Arc<Ready>,
    due: RefCell<BTreeMap<(u64, u64), Due>>,
    sleeps: Cell<usize>,
    drawn: Cell<u64>,
    steps: Cell<u64>,
    /// The log.
    trace: Trace,
    /// The oracles' book.
    account: Account,
}

/// What a deadline does.
enum Due {
    Wake(Waker),
    Do(Box<dyn FnOnce()>),
}

struct Task {
    name: &'static str,
    born: u64,
    polls: u64,
    /// Away while it is polled.
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
    bell: Arc<Bell>,
}

/// The tasks that asked to be polled.
#[derive(Default)]
struct Ready(Mutex<Vec<usize>>);

struct Bell {
    index: usize,
    rung: AtomicBool,
    ready: Arc<Ready>,
}

impl Ready {
    fn list(&self) -> MutexGuard<'_, Vec<usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.ready.list().push(self.index);
        }
    }
}

/// When somebody has a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Between two steps.
    Any,
    /// Nobody can run: everything that was to be done at this instant is done.
    Quiet,
}

/// Why the world stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// No task and nothing due is left.
    Done,
    /// Tasks wait, and nothing will ever wake them.
    Deadlock,
    /// More steps than any run of this size takes: something turns in a circle.
    Livelock,
    /// An oracle objected.
    Objection,
    /// No task is left, and so many sleeps are.
    Timers(usize),
}

impl World {
    /// An empty world of this seed.
    #[must_use]
    pub fn new(seed: u64, tracing: Tracing) -> Self {
        Self(Rc::new(Inner {
            now: Cell::new(0),
            rng: RefCell::new(Rng::new(seed).fork(1)),
            moods: Cell::default(),
            tasks: RefCell::default(),
            vacant: RefCell::default(),
            live: Cell::new(0),
            ready: Arc::default(),
            due: RefCell::default(),
            sleeps: Cell::new(0),
            drawn: Cell::new(0),
            steps: Cell::new(0),
            trace: Trace::new(tracing),
            account: Account::default(),
        }))
    }

    /// Nanoseconds since the beginning.
    #[must_use]
    pub fn nanos(&self) -> u64 {
        self.0.now.get()
    }

    /// The log.
    #[must_use]
    pub fn trace(&self) -> &Trace {
        &self.0.trace
    }

    /// The oracles' book.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.0.account
    }

    /// How many times a task was polled or a deadline came.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.0.steps.get()
    }

    /// Handles of this world: one once everything in it is gone.
    #[must_use]
    pub fn holders(&self) -> usize {
        Rc::strong_count(&self.0)
    }

    /// Writes an event down.
    pub fn say(&self, words: impl FnOnce() -> String) {
        self.0.trace.event(self.nanos(), words);
    }

    /// An oracle objects: the run ends as failed.
    pub fn object(&self, words: impl FnOnce() -> String) {
        let words = words();
        self.say(|| format!("OBJECTION {words}"));
        self.0.account.object(words);
    }

    /// Sets how the scheduler behaves.
    pub fn set_moods(&self, moods: Moods) {
        self.0.moods.set(moods);
    }

    /// Starts a task; `name` is for dumps.
    pub fn start(&self, name: &'static str, future: impl Future<Output = ()> + 'static) {
        let index = self.0.vacant.borrow_mut().pop().unwrap_or_else(|| {
            let mut tasks = self.0.tasks.borrow_mut();
            tasks.push(None);
            tasks.len() - 1
        });
        let bell = Arc::new(Bell { index, rung: AtomicBool::new(false), ready: self.0.ready.clone() });
        let task =
            Task { name, born: self.nanos(), polls: 0, future: Some(Box::pin(future)), bell: bell.clone() };
        self.0.tasks.borrow_mut()[index] = Some(task);
        self.0.live.set(self.0.live.get() + 1);
        bell.wake();
    }

    /// Does something at a later time. Events of the same instant come in an order that the seed draws.
    pub fn at(&self, nanos: u64, event: impl FnOnce() + 'static) {
        let key = self.draw_key(nanos);
        self.0.due.borrow_mut().insert(key, Due::Do(Box::new(event)));
    }

    /// Sleeps for a length of time.
    #[must_use]
    pub fn pause(&self, time: Duration) -> Sleep {
        self.sleep(self.now() + time)
    }

    fn draw_key(&self, nanos: u64) -> (u64, u64) {
        let serial = self.0.drawn.get() + 1;
        self.0.drawn.set(serial);
        (nanos, self.0.rng.borrow_mut().next_u64() << 32 | serial & 0xFFFF_FFFF)
    }

    /// Runs until nothing can happen any more, and has a look after every so many steps, and at the
    /// next quiet moment after that.
    pub fn run(&self, most_steps: u64, every: u64, inspector: &dyn Fn(Moment)) -> Halt {
        let mut looks_when_quiet = true;
        loop {
            if self.0.steps.get() % every == 0 {
                inspector(Moment::Any);
                looks_when_quiet = true;
            }
            if looks_when_quiet && self.is_quiet() {
                inspector(Moment::Quiet);
                looks_when_quiet = false;
            }
            if self.0.account.has_objection() {
                return Halt::Objection;
            }
            if self.0.live.get() == 0 && self.0.sleeps.get() > 0 {
                return Halt::Timers(self.0.sleeps.get());
            }
            if self.0.steps.get() >= most_steps {
                return Halt::Livelock;
            }
            self.0.steps.set(self.0.steps.get() + 1);
            let moods = self.0.moods.get();
            let next = self.0.due.borrow().first_key_value().map(|(key, _)| key.0);
            let ready = self.0.ready.list().len();
            let (passes_time, spurious) = {
                let mut rng = self.0.rng.borrow_mut();
                let due_now = next.is_some_and(|at| at <= self.nanos());
                // What is due and who is ready take turns by chance.
                let passes = ready == 0 || (due_now && rng.permille(500)) || rng.permille(moods.late);
                (passes, rng.permille(moods.spurious))
            };
            if spurious {
                self.poll_anyone();
            }
            if passes_time && next.is_some() {
                self.next_deadline();
            } else if ready > 0 {
                self.poll_one();
            } else {
                return if self.0.live.get() == 0 { Halt::Done } else { Halt::Deadlock };
            }
        }
    }

    fn is_quiet(&self) -> bool {
        let next = self.0.due.borrow().first_key_value().map(|(key, _)| key.0);
        self.0.ready.list().is_empty() && next.is_none_or(|at| at > self.nanos())
    }

    fn next_deadline(&self) {
        let Some(((at, _), due)) = self.0.due.borrow_mut().pop_first() else { return };
        self.0.now.set(self.nanos().max(at));
        match due {
            Due::Wake(waker) => {
                self.0.sleeps.set(self.0.sleeps.get() - 1);
                waker.wake();
            }
            Due::Do(event) => event(),
        }
    }

    fn poll_one(&self) {
        let index = {
            let mut ready = self.0.ready.list();
            if ready.is_empty() {
                return;
            }
            let place = self.0.rng.borrow_mut().index(ready.len());
            ready.swap_remove(place)
        };
        self.poll(index);
    }

    /// Polls a task that may not have been woken; a wake that it has stays.
    fn poll_anyone(&self) {
        let count = self.0.tasks.borrow().len();
        if count == 0 {
            return;
        }
        let index = self.0.rng.borrow_mut().index(count);
        let is_asleep =
            self.0.tasks.borrow()[index].as_ref().is_some_and(|task| !task.bell.rung.load(Ordering::Acquire));
        if is_asleep {
            self.poll(index);
        }
    }

    fn poll(&self, index: usize) {
        let (mut future, bell) = {
            let mut tasks = self.0.tasks.borrow_mut();
            let Some(task) = tasks.get_mut(index).and_then(Option::as_mut) else { return };
            let Some(future) = task.future.take() else { return };
            task.polls += 1;
            (future, task.bell.clone())
        };
        bell.rung.store(false, Ordering::Release);
        let waker = Waker::from(bell.clone());
        let is_over = future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        if is_over {
            drop(future);
            // A wake that is left over must not ring for whoever gets the place next.
            if bell.rung.swap(true, Ordering::AcqRel) {
                self.0.ready.list().retain(|other| *other != index);
            }
            self.0.tasks.borrow_mut()[index] = None;
            self.0.vacant.borrow_mut().push(index);
            self.0.live.set(self.0.live.get() - 1);
        } else if let Some(task) = &mut self.0.tasks.borrow_mut()[index] {
            task.future = Some(future);
        }
    }

    /// The tasks that are left, for a failure.
    #[must_use]
    pub fn dump(&self) -> String {
        let mut text = String::new();
        let tasks = self.0.tasks.borrow();
        for (index, task) in
            tasks.iter().enumerate().filter_map(|(index, task)| Some((index, task.as_ref()?)))
        {
            let state = if task.bell.rung.load(Ordering::Acquire) { "ready" } else { "waits" };
            let (name, born, polls) = (task.name, Clock(task.born), task.polls);
            let _ = writeln!(text, "  task {index} {name}: {state}, started at {born}, polled {polls} times");
        }
        let due = self.0.due.borrow();
        let next =
            due.first_key_value().map_or_else(|| "never".to_owned(), |(key, _)| Clock(key.0).to_string());
        let _ = writeln!(text, "  {} deadlines, the next at {next}", due.len());
        text
    }

    /// Drops what is left, so that a failed run leaves no memory behind.
    pub fn clear(&self) {
        let tasks = std::mem::take(&mut *self.0.tasks.borrow_mut());
        drop(tasks);
        let due = std::mem::take(&mut *self.0.due.borrow_mut());
        drop(due);
    }
}

impl Runtime for World {
    type Sleep = Sleep;

    fn now(&self) -> Instant {
        Instant::from_nanos(self.nanos())
    }

    fn sleep(&self, at: Instant) -> Sleep {
        Sleep { world: self.clone(), at: at.as_nanos(), key: None }
    }
}

impl<F: Future<Output = ()> + 'static> Spawn<F> for World {
    fn spawn(&self, future: F) {
        self.start("spawned by the crate", future);
    }
}

/// Waits for an instant of simulated time.
pub struct Sleep {
    world: World,
    at: u64,
    key: Option<(u64, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.world.nanos() >= self.at {
            self.forget();
            return Poll::Ready(());
        }
        let inner = self.world.0.clone();
        let mut due = inner.due.borrow_mut();
        match self.key.and_then(|key| due.get_mut(&key)) {
            Some(Due::Wake(known)) => known.clone_from(cx.waker()),
            Some(Due::Do(_)) | None => {
                let key = self.world.draw_key(self.at);
                due.insert(key, Due::Wake(cx.waker().clone()));
                inner.sleeps.set(inner.sleeps.get() + 1);
                self.key = Some(key);
            }
        }
        Poll::Pending
    }
}

impl Sleep {
    fn forget(&mut self) {
        let Some(key) = self.key.take() else { return };
        let removed = self.world.0.due.borrow_mut().remove(&key);
        if let Some(Due::Wake(waker)) = removed {
            self.world.0.sleeps.set(self.world.0.sleeps.get() - 1);
            drop(waker);
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.forget();
    }
}
