//! Everything that can happen to a pool, as one enum that any string of bytes spells.
//!
//! Objects are named by their rank among the objects that exist when the step is taken, so a step
//! makes sense in whatever state the walk is, and cutting bytes out of an input leaves a
//! valid, shorter walk: what a fuzzer and a shrinker need.

use pool_core::limits::Resource;
use pool_core::pool::{CancelPolicy, DrainMode, EarlyData, HostHealth};
use pool_core::report::{ClosedBy, StreamEnd};

/// A reader of choices; an exhausted one reads zeros.
#[derive(Clone, Debug)]
pub struct Choices<'a> {
    bytes: &'a [u8],
}

impl<'a> Choices<'a> {
    /// Reads from `bytes`, first to last.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Whether every byte has been read.
    #[must_use]
    pub const fn is_exhausted(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        match self.bytes.split_first() {
            Some((first, rest)) => {
                self.bytes = rest;
                *first
            }
            None => 0,
        }
    }

    /// A number below `bound`; zero if `bound` is zero.
    pub fn below(&mut self, bound: u8) -> u8 {
        let byte = self.byte();
        if bound == 0 { 0 } else { byte % bound }
    }

    /// One of the options.
    ///
    /// # Panics
    /// If there is no option.
    pub fn pick<T: Copy>(&mut self, options: &[T]) -> T {
        options[usize::from(self.byte()) % options.len()]
    }
}

/// Which connections a step about a connection may hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// Those for which the fact makes sense.
    Sensible,
    /// Every connection that ever was: the fact may be stale or illegal, and must change nothing.
    Any,
}

/// A connection by rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Rank, taken modulo the number of candidates.
    pub nth: u8,
    /// Who the candidates are.
    pub aim: Aim,
}

/// One step of a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants and fields are the pool's facts and wishes")]
pub enum Step {
    Request {
        early_data: EarlyData,
    },
    Requeue {
        early_data: EarlyData,
        lifetime_ms: Option<u8>,
    },
    Cancel {
        nth: u8,
        policy: CancelPolicy,
    },
    Connection {
        target: Target,
        fact: ConnectionFact,
    },
    Settled,
    /// Sleeps until the deadline of the pool that is due first.
    Sleep,
    /// Moves the clock, waking every pool whenever its deadline says so.
    Advance {
        ms: u8,
    },
    /// A wake-up that nothing asked for.
    Timeout,
    SlotFreed {
        resource: Resource,
    },
    Health {
        health: HostHealth,
    },
    Drain {
        mode: DrainMode,
    },
    Preconnect {
        thousandths: u32,
    },
    Abort,
    /// Another user of the ledger takes a seat, if there is one.
    TakeSeat {
        resource: Resource,
    },
    /// Another user of the ledger gives a seat back.
    GiveSeat {
        nth: u8,
    },
    /// Another limit comes into force.
    SetLimit {
        resource: Resource,
        max: u8,
    },
    /// One more thing is handed in before the orders of the next one are taken.
    HoldOrdersBack,
    /// The next steps are about the next pool.
    NextPool,
}

/// What can happen to one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants and fields are the pool's facts and wishes")]
pub enum ConnectionFact {
    Connected {
        limit: Option<u8>,
    },
    EarlyDataReady,
    StreamEnded {
        end: StreamEnd,
    },
    StreamEndedAndSettled {
        end: StreamEnd,
    },
    BindRefused {
        limit: u8,
    },
    CapacityChanged {
        limit: u8,
    },
    GoAway,
    ProtocolError,
    Suspect,
    Retire,
    /// The transport ended by itself.
    Closed {
        by: ClosedBy,
    },
    /// The socket of a connection that was ordered to close is gone.
    Gone {
        by: ClosedBy,
    },
}

const RESOURCES: [Resource; 3] = [Resource::Connections, Resource::Pending, Resource::Requests];
const BY: [ClosedBy; 2] = [ClosedBy::Local, ClosedBy::Remote];

impl Step {
    /// Reads one step. Frequent steps have more spellings.
    pub fn read(choices: &mut Choices<'_>) -> Self {
        match choices.below(64) {
            0..=11 => Self::Request { early_data: early_data(choices) },
            12 => Self::Requeue {
                early_data: early_data(choices),
                lifetime_ms: optional(choices, |choices| choices.below(60)),
            },
            13..=14 => Self::Cancel {
                nth: choices.byte(),
                policy: choices.pick(&[CancelPolicy::Default, CancelPolicy::CloseExcess]),
            },
            15..=47 => {
                let target = target(choices);
                Self::Connection { target, fact: ConnectionFact::read(choices) }
            }
            48..=51 => Self::Settled,
            52 => Self::Sleep,
            53..=54 => Self::Advance { ms: choices.byte() },
            55 => Self::Timeout,
            56 => Self::SlotFreed { resource: choices.pick(&RESOURCES) },
            57 => Self::Health {
                health: choices.pick(&[HostHealth::Healthy, HostHealth::Degraded, HostHealth::Unhealthy]),
            },
            58 => Self::Drain {
                mode: choices.pick(&[
                    DrainMode::Existing,
                    DrainMode::Existing,
                    DrainMode::NotifyPeerAndExisting,
                    DrainMode::AndDelete,
                ]),
            },
            59 => Self::Preconnect { thousandths: choices.pick(&[0, 1_000, 1_100, 2_000, 3_000]) },
            60 => match choices.below(8) {
                0 => Self::Abort,
                1..=4 => Self::HoldOrdersBack,
                _ => Self::NextPool,
            },
            61 => Self::TakeSeat { resource: choices.pick(&RESOURCES) },
            62 => Self::GiveSeat { nth: choices.byte() },
            _ => match choices.below(4) {
                0 => Self::SetLimit { resource: choices.pick(&RESOURCES), max: choices.below(5) },
                _ => Self::HoldOrdersBack,
            },
        }
    }
}

impl ConnectionFact {
    fn read(choices: &mut Choices<'_>) -> Self {
        match choices.below(36) {
            0..=7 => Self::Connected { limit: optional(choices, |choices| choices.below(5)) },
            8 => Self::EarlyDataReady,
            9..=18 => Self::StreamEnded { end: stream_end(choices) },
            19 => Self::BindRefused { limit: choices.below(4) },
            20..=21 => Self::CapacityChanged { limit: choices.below(6) },
            22 => Self::GoAway,
            23 => Self::ProtocolError,
            24 => Self::Suspect,
            25 => Self::Retire,
            26..=27 => Self::Closed { by: choices.pick(&BY) },
            28..=30 => Self::StreamEndedAndSettled { end: stream_end(choices) },
            _ => Self::Gone { by: choices.pick(&BY) },
        }
    }
}

fn early_data(choices: &mut Choices<'_>) -> EarlyData {
    choices.pick(&[EarlyData::Unsafe, EarlyData::Safe])
}

fn optional<T>(choices: &mut Choices<'_>, read: impl FnOnce(&mut Choices<'_>) -> T) -> Option<T> {
    match choices.below(3) {
        0 => Some(read(choices)),
        _ => None,
    }
}

fn target(choices: &mut Choices<'_>) -> Target {
    let byte = choices.byte();
    let aim = if byte >= 240 { Aim::Any } else { Aim::Sensible };
    Target { nth: byte, aim }
}

fn stream_end(choices: &mut Choices<'_>) -> StreamEnd {
    match choices.below(16) {
        0 => StreamEnd::CloseNotified,
        1 => StreamEnd::Final,
        2 => StreamEnd::RequestUnfinished,
        3 => StreamEnd::LocalReset,
        4 => StreamEnd::RemoteReset,
        5 => StreamEnd::RemoteRefused,
        _ => StreamEnd::Complete,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_spell_steps_and_an_end() {
        let bytes: Vec<u8> = (0..=255).collect();
        let mut choices = Choices::new(&bytes);
        let mut steps = 0;
        while !choices.is_exhausted() {
            let _ = Step::read(&mut choices);
            steps += 1;
        }
        assert!(steps > 64);
        assert_eq!(choices.byte(), 0);
    }

    #[test]
    fn the_same_bytes_spell_the_same_steps() {
        let bytes: Vec<u8> = (0..200_u8).map(|n| n.wrapping_mul(37)).collect();
        let read = || {
            let mut choices = Choices::new(&bytes);
            (0..40).map(|_| Step::read(&mut choices)).collect::<Vec<_>>()
        };
        assert_eq!(read(), read());
    }
}
