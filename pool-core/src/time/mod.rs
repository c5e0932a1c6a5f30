//! Time as an argument: an instant without a clock, and a deadline that says why.
//!
//! No room of this crate reads a clock. Whoever drives a machine passes `now` with every fact and
//! sleeps until the [`Deadline`] that the machine gives back. Instants of one run share an epoch
//! that the driver chooses (usually its own start), so a recorded run replays anywhere.

mod heap;

pub(crate) use heap::Heap;

use core::fmt;
use core::ops::Add;
use core::time::Duration;

/// A point in time: nanoseconds since an epoch chosen by the driver.
///
/// Equal instants may be passed in any order; a later call never passes an earlier instant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// The epoch itself.
    pub const ZERO: Self = Self(0);

    /// An instant that never comes.
    pub(crate) const NEVER: Self = Self(u64::MAX);

    /// An instant `nanos` nanoseconds after the epoch.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// An instant `millis` milliseconds after the epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`, or zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This instant moved into the future; saturates after 584 years.
    #[must_use]
    pub const fn after(self, duration: Duration) -> Self {
        let nanos = duration.as_nanos();
        let nanos = if nanos > u64::MAX as u128 { u64::MAX } else { nanos as u64 };
        Self(self.0.saturating_add(nanos))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        self.after(duration)
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t+{:?}", Duration::from_nanos(self.0))
    }
}

/// When a machine wants to be called next, and why (`R` is the machine's reason type).
///
/// Queued output shows here as [`Deadline::Now`], so a driver that sleeps faithfully until the
/// deadline never delays an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Deadline<R> {
    /// Call at once: actions wait, or a pass is due in this turn.
    Now(R),
    /// Call at this instant. May be early (timers are re-armed lazily), never late.
    At(Instant, R),
    /// Nothing is due until the next fact or wish.
    Never,
}

impl<R> Deadline<R> {
    /// The instant to sleep until: `now` for [`Deadline::Now`], `None` for [`Deadline::Never`].
    #[must_use]
    pub fn instant(&self, now: Instant) -> Option<Instant> {
        match self {
            Self::Now(_) => Some(now),
            Self::At(at, _) => Some(*at),
            Self::Never => None,
        }
    }

    /// The earlier of two deadlines; of equals the first.
    #[must_use]
    pub fn soonest(self, other: Self) -> Self {
        match (&self, &other) {
            (Self::Now(_), _) | (_, Self::Never) => self,
            (_, Self::Now(_)) | (Self::Never, _) => other,
            (Self::At(a, _), Self::At(b, _)) => {
                if b < a {
                    other
                } else {
                    self
                }
            }
        }
    }

    /// The same deadline with its reason translated, for a parent that speaks of its children.
    #[must_use]
    pub fn map<S>(self, translate: impl FnOnce(R) -> S) -> Deadline<S> {
        match self {
            Self::Now(reason) => Deadline::Now(translate(reason)),
            Self::At(at, reason) => Deadline::At(at, translate(reason)),
            Self::Never => Deadline::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn soonest_orders_now_before_at_before_never() {
        let t = Instant::from_millis;
        let table = [
            (Deadline::Now('a'), Deadline::At(t(0), 'b'), Deadline::Now('a')),
            (Deadline::At(t(5), 'a'), Deadline::Now('b'), Deadline::Now('b')),
            (Deadline::At(t(5), 'a'), Deadline::At(t(4), 'b'), Deadline::At(t(4), 'b')),
            (Deadline::At(t(4), 'a'), Deadline::At(t(4), 'b'), Deadline::At(t(4), 'a')),
            (Deadline::Never, Deadline::At(t(4), 'b'), Deadline::At(t(4), 'b')),
            (Deadline::Never, Deadline::Never, Deadline::Never),
        ];
        for (first, second, expected) in table {
            assert_eq!(first.soonest(second), expected);
        }
    }

    #[test]
    fn instants_saturate_instead_of_wrapping() {
        let late = Instant::from_nanos(u64::MAX - 1);
        assert_eq!(late + Duration::from_secs(1), Instant::from_nanos(u64::MAX));
        assert_eq!(Instant::ZERO.since(late), Duration::ZERO);
    }
}
