//! The ledger as the pools of an engine see it: live, and while a recording is followed, with the
//! recorded verdicts where the limits are the recorded ones.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pool_core::id::PoolId;
use pool_core::limits::{Claimant, Full, Ledger, Need, Resource, Seat, Shared, SharedHandle};
use pool_core::trace::verdicts::Said;

/// Rung when another worker freed a seat for this one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bell(Arc<AtomicBool>);

impl Bell {
    /// Whether it was rung since it was last asked.
    #[inline]
    pub(crate) fn take(&self) -> bool {
        self.0.load(Ordering::Relaxed) && self.0.swap(false, Ordering::Relaxed)
    }

    fn ring(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What the ledgers of one worker said in the step that is followed.
#[derive(Debug, Default)]
pub(crate) struct Script {
    said: VecDeque<Said>,
    /// What was asked is no longer what was recorded: live verdicts for the rest of the step.
    is_lost: bool,
}

/// The script of one worker; `None` once nothing is followed.
pub(crate) type Guide = Rc<RefCell<Option<Script>>>;

/// Writes a step's verdicts into a guide.
pub(crate) fn begin(guide: &Guide, said: &[Said]) {
    *guide.borrow_mut() = Some(Script { said: said.iter().copied().collect(), is_lost: false });
}

/// Nothing is followed any more.
pub(crate) fn end(guide: &Guide) {
    *guide.borrow_mut() = None;
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Desk {
    live: SharedHandle,
    guide: Option<Guided>,
}

/// What makes a desk say what was recorded.
#[derive(Clone, Debug)]
pub(crate) struct Guided {
    pub(crate) guide: Guide,
    /// The cluster's number in the recording.
    pub(crate) number: u32,
    /// By resource: whether the limit is as it was recorded.
    pub(crate) unchanged: [bool; Resource::ALL.len()],
}

impl Desk {
    pub(crate) fn new(ledger: &Shared, bell: &Bell, guide: Option<Guided>) -> Self {
        let bell = bell.clone();
        Self { live: ledger.worker(Arc::new(move || bell.ring())), guide }
    }

    /// The live verdict, compared with the recorded one or replaced by it.
    #[cold]
    fn take_guided(&mut self, resource: Resource, who: Claimant) -> Result<Seat, Full> {
        let Some(Guided { guide, unchanged, .. }) = &self.guide else {
            return self.live.try_take(resource, who);
        };
        let mut guide = guide.borrow_mut();
        let Some(script) = guide.as_mut().filter(|script| !script.is_lost) else {
            return self.live.try_take(resource, who);
        };
        let recorded = match script.said.pop_front() {
            Some(Said::Granted) => Ok(()),
            Some(Said::Refused(full)) => Err(full),
            Some(Said::Freed { .. }) | None => {
                script.is_lost = true;
                return self.live.try_take(resource, who);
            }
        };
        if unchanged[resource as usize] {
            recorded?;
            // Two workers' steps within one tick of the clock may be merged in the wrong order; what was
            // recorded is what happened.
            return Ok(match self.live.try_take(resource, who) {
                Ok(seat) => seat,
                Err(_) => self.live.take_over_limit(resource, who),
            });
        }
        let verdict = self.live.try_take(resource, who);
        script.is_lost = verdict.is_ok() != recorded.is_ok();
        verdict
    }

    fn freed_guided(&mut self) -> Option<(PoolId, Resource)> {
        if let Some(Guided { guide, number, unchanged }) = &self.guide {
            if let Some(script) = guide.borrow_mut().as_mut() {
                if let Some(&Said::Freed { ledger, pool, resource }) = script.said.front() {
                    if ledger != *number {
                        return None;
                    }
                    script.said.pop_front();
                    if unchanged[resource as usize] {
                        return Some((pool, resource));
                    }
                }
                // Only connections are ever waited for.
                if unchanged[Resource::Connections as usize] {
                    return None;
                }
            }
        }
        self.live.poll_freed()
    }
}

impl Ledger for Desk {
    #[inline]
    fn try_take(&mut self, resource: Resource, who: Claimant) -> Result<Seat, Full> {
        if self.guide.is_some() {
            return self.take_guided(resource, who);
        }
        self.live.try_take(resource, who)
    }

    fn take_over_limit(&mut self, resource: Resource, who: Claimant) -> Seat {
        self.live.take_over_limit(resource, who)
    }

    #[inline]
    fn give_back(&mut self, seat: Seat) {
        self.live.give_back(seat);
    }

    fn await_free(&mut self, resource: Resource, who: Claimant, need: Need) {
        self.live.await_free(resource, who, need);
    }

    fn cancel_wait(&mut self, resource: Resource, who: Claimant) {
        self.live.cancel_wait(resource, who);
    }

    #[inline]
    fn poll_freed(&mut self) -> Option<(PoolId, Resource)> {
        if self.guide.is_some() {
            return self.freed_guided();
        }
        self.live.poll_freed()
    }
}
