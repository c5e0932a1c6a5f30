//! The table: what each fact does to a connection in each state, case by case.
//!
//! Written to be read beside the specification of Envoy's pools and the decisions of this project; the
//! page that is drawn from it is `docs/states.md`.

use pool_core::pool::CloseReason as Why;
use pool_core::report::StreamEnd as End;

use super::Also::{Binds, Fails, Notifies, Opens, Queues};
use super::If::{
    Early, Exclusive, MoreFree, MoreLeft, OneFree, OneLeft, Streams, Unused, Unwaited, Up, Used, Waited,
};
use super::To::{Become, Close, Gone, Ignored, Same};
use super::{Fact, Name, Row};

/// When, what becomes of the connection, what else. A macro, so that rows are constants.
macro_rules! row {
    ($when:expr, $to:expr, $also:expr) => {
        Row { when: $when, to: $to, also: $also }
    };
}

/// A fact that makes no sense in a state changes nothing and is counted.
const IGNORED: &[Row] = &[row!(&[], Ignored, &[])];
/// A fact that is no news to the connection.
const SAME: &[Row] = &[row!(&[], Same, &[])];

/// What a fact does to a connection in a state: exactly one row fits any case.
#[must_use]
#[expect(clippy::too_many_lines, reason = "a table, to be read as one")]
pub fn cell(state: Name, fact: Fact) -> &'static [Row] {
    match fact {
        Fact::ConnectStarted => match state {
            Name::Connecting => SAME,
            Name::EarlyData
            | Name::BusyEarly
            | Name::Ready
            | Name::Settling
            | Name::Busy
            | Name::Draining
            | Name::Closed => IGNORED,
        },
        Fact::EarlyDataReady => match state {
            Name::Connecting => &[row!(&[], Become(Name::EarlyData), &[])],
            Name::EarlyData
            | Name::BusyEarly
            | Name::Ready
            | Name::Settling
            | Name::Busy
            | Name::Draining
            | Name::Closed => IGNORED,
        },
        Fact::Connected => match state {
            Name::Connecting | Name::EarlyData => &[
                row!(&[OneFree, Waited], Become(Name::Busy), &[Binds]),
                row!(&[OneFree, Unwaited], Become(Name::Ready), &[]),
                row!(&[MoreFree], Become(Name::Ready), &[Binds]),
            ],
            Name::BusyEarly => &[row!(&[], Become(Name::Busy), &[])],
            Name::Ready | Name::Settling | Name::Busy | Name::Closed => IGNORED,
            Name::Draining => &[row!(&[Early], Same, &[]), row!(&[Up], Ignored, &[])],
        },
        Fact::Request => match state {
            Name::Connecting | Name::EarlyData | Name::BusyEarly | Name::Settling | Name::Busy => {
                &[row!(&[], Same, &[Queues])]
            }
            Name::Ready => {
                &[row!(&[OneFree], Become(Name::Busy), &[Binds]), row!(&[MoreFree], Same, &[Binds])]
            }
            Name::Draining | Name::Closed => {
                &[row!(&[Waited], Same, &[Queues]), row!(&[Unwaited], Same, &[Queues, Opens])]
            }
        },
        Fact::SafeRequest => match state {
            Name::Connecting | Name::BusyEarly | Name::Settling | Name::Busy => &[row!(&[], Same, &[Queues])],
            Name::EarlyData => {
                &[row!(&[OneFree], Become(Name::BusyEarly), &[Binds]), row!(&[MoreFree], Same, &[Binds])]
            }
            Name::Ready => {
                &[row!(&[OneFree], Become(Name::Busy), &[Binds]), row!(&[MoreFree], Same, &[Binds])]
            }
            Name::Draining | Name::Closed => {
                &[row!(&[Waited], Same, &[Queues]), row!(&[Unwaited], Same, &[Queues, Opens])]
            }
        },
        Fact::LastRequest => match state {
            Name::Connecting | Name::EarlyData | Name::BusyEarly | Name::Settling | Name::Busy => {
                &[row!(&[], Same, &[Queues])]
            }
            Name::Ready => &[row!(&[], Become(Name::Draining), &[Binds])],
            Name::Draining | Name::Closed => {
                &[row!(&[Waited], Same, &[Queues]), row!(&[Unwaited], Same, &[Queues, Opens])]
            }
        },
        Fact::CancelExcess => match state {
            Name::Connecting => &[row!(&[Waited], Close(Why::Excess), &[]), row!(&[Unwaited], Same, &[])],
            Name::EarlyData => &[
                row!(&[Waited, Unused], Close(Why::Excess), &[]),
                row!(&[Waited, Used], Same, &[]),
                row!(&[Unwaited], Same, &[]),
            ],
            Name::BusyEarly | Name::Ready | Name::Settling | Name::Busy | Name::Draining | Name::Closed => {
                SAME
            }
        },
        Fact::StreamEnded(End::Complete) => match state {
            Name::Connecting | Name::Settling | Name::Closed => IGNORED,
            Name::EarlyData | Name::Ready => &[row!(&[Unused], Ignored, &[]), row!(&[Used], Same, &[])],
            Name::BusyEarly => &[row!(&[Unused], Ignored, &[]), row!(&[Used], Become(Name::EarlyData), &[])],
            Name::Busy => &[
                row!(&[Unused], Ignored, &[]),
                row!(&[Used, Exclusive], Become(Name::Settling), &[]),
                row!(&[Used, Streams, Waited], Same, &[Binds]),
                row!(&[Used, Streams, Unwaited], Become(Name::Ready), &[]),
            ],
            Name::Draining => &[row!(&[OneLeft], Close(Why::GoAway), &[]), row!(&[MoreLeft], Same, &[])],
        },
        Fact::StreamEnded(End::CloseNotified) => match state {
            Name::Connecting | Name::Settling | Name::Closed => IGNORED,
            Name::EarlyData | Name::BusyEarly | Name::Busy => &[
                row!(&[Unused], Ignored, &[]),
                row!(&[OneLeft], Close(Why::CloseNotified), &[Opens]),
                row!(&[MoreLeft], Become(Name::Draining), &[Opens]),
            ],
            Name::Ready => &[
                row!(&[Unused], Ignored, &[]),
                row!(&[OneLeft], Close(Why::CloseNotified), &[]),
                row!(&[MoreLeft], Become(Name::Draining), &[]),
            ],
            Name::Draining => {
                &[row!(&[OneLeft], Close(Why::CloseNotified), &[]), row!(&[MoreLeft], Same, &[])]
            }
        },
        Fact::StreamEnded(End::Final) => match state {
            Name::Connecting | Name::Settling | Name::Closed => IGNORED,
            Name::EarlyData | Name::BusyEarly | Name::Busy => &[
                row!(&[Unused], Ignored, &[]),
                row!(&[OneLeft], Close(Why::FinalExchange), &[Opens]),
                row!(&[MoreLeft], Become(Name::Draining), &[Opens]),
            ],
            Name::Ready => &[
                row!(&[Unused], Ignored, &[]),
                row!(&[OneLeft], Close(Why::FinalExchange), &[]),
                row!(&[MoreLeft], Become(Name::Draining), &[]),
            ],
            Name::Draining => {
                &[row!(&[OneLeft], Close(Why::FinalExchange), &[]), row!(&[MoreLeft], Same, &[])]
            }
        },
        Fact::StreamEnded(End::RequestUnfinished) => match state {
            Name::Connecting | Name::Settling | Name::Closed => IGNORED,
            Name::EarlyData | Name::Ready => &[row!(&[Unused], Ignored, &[]), row!(&[Used], Same, &[])],
            Name::BusyEarly => &[
                row!(&[Unused], Ignored, &[]),
                row!(&[Used, Exclusive], Close(Why::RequestUnfinished), &[Opens]),
                row!(&[Used, Streams], Become(Name::EarlyData), &[]),
            ],
            Name::Busy => &[
                row!(&[Unused], Ignored, &[]),
                row!(&[Used, Exclusive], Close(Why::RequestUnfinished), &[Opens]),
                row!(&[Used, Streams, Waited], Same, &[Binds]),
                row!(&[Used, Streams, Unwaited], Become(Name::Ready), &[]),
            ],
            Name::Draining => &[
                row!(&[OneLeft, Exclusive], Close(Why::RequestUnfinished), &[]),
                row!(&[OneLeft, Streams], Close(Why::GoAway), &[]),
                row!(&[MoreLeft], Same, &[]),
            ],
        },
        Fact::StreamEnded(End::LocalReset | End::RemoteReset | End::RemoteRefused) => match state {
            Name::Connecting | Name::Settling | Name::Closed => IGNORED,
            Name::EarlyData | Name::Ready => &[row!(&[Unused], Ignored, &[]), row!(&[Used], Same, &[])],
            Name::BusyEarly => &[
                row!(&[Unused], Ignored, &[]),
                row!(&[Used, Exclusive], Close(Why::StreamReset), &[Opens]),
                row!(&[Used, Streams], Become(Name::EarlyData), &[]),
            ],
            Name::Busy => &[
                row!(&[Unused], Ignored, &[]),
                row!(&[Used, Exclusive], Close(Why::StreamReset), &[Opens]),
                row!(&[Used, Streams, Waited], Same, &[Binds]),
                row!(&[Used, Streams, Unwaited], Become(Name::Ready), &[]),
            ],
            Name::Draining => &[
                row!(&[OneLeft, Exclusive], Close(Why::StreamReset), &[]),
                row!(&[OneLeft, Streams], Close(Why::GoAway), &[]),
                row!(&[MoreLeft], Same, &[]),
            ],
        },
        Fact::Settled => match state {
            Name::Connecting
            | Name::EarlyData
            | Name::BusyEarly
            | Name::Ready
            | Name::Busy
            | Name::Draining
            | Name::Closed => SAME,
            Name::Settling => {
                &[row!(&[Waited], Become(Name::Busy), &[Binds]), row!(&[Unwaited], Become(Name::Ready), &[])]
            }
        },
        Fact::BindRefused => match state {
            Name::Connecting | Name::Settling | Name::Closed => IGNORED,
            Name::EarlyData => &[
                row!(&[Unused], Ignored, &[]),
                row!(&[OneLeft], Same, &[]),
                row!(&[MoreLeft], Become(Name::BusyEarly), &[]),
            ],
            Name::BusyEarly => &[
                row!(&[Unused], Ignored, &[]),
                row!(&[OneLeft], Become(Name::EarlyData), &[]),
                row!(&[MoreLeft], Same, &[]),
            ],
            Name::Ready => &[
                row!(&[Unused], Ignored, &[]),
                row!(&[OneLeft], Same, &[]),
                row!(&[MoreLeft], Become(Name::Busy), &[]),
            ],
            Name::Busy => &[
                row!(&[Unused], Ignored, &[]),
                row!(&[OneLeft, Waited], Same, &[Binds]),
                row!(&[OneLeft, Unwaited], Become(Name::Ready), &[]),
                row!(&[MoreLeft], Same, &[]),
            ],
            Name::Draining => &[row!(&[OneLeft], Close(Why::GoAway), &[]), row!(&[MoreLeft], Same, &[])],
        },
        Fact::LimitRaised => match state {
            Name::Connecting | Name::EarlyData | Name::Ready | Name::Settling | Name::Draining => SAME,
            Name::BusyEarly => {
                &[row!(&[Exclusive], Same, &[]), row!(&[Streams], Become(Name::EarlyData), &[])]
            }
            Name::Busy => &[
                row!(&[Unused], Become(Name::Ready), &[Binds]),
                row!(&[OneLeft, Exclusive], Same, &[]),
                row!(&[OneLeft, Streams], Become(Name::Ready), &[Binds]),
                row!(&[MoreLeft, Waited], Same, &[Binds]),
                row!(&[MoreLeft, Unwaited], Become(Name::Ready), &[]),
            ],
            Name::Closed => IGNORED,
        },
        Fact::LimitZero => match state {
            Name::Connecting | Name::BusyEarly | Name::Busy | Name::Draining => SAME,
            Name::EarlyData => &[row!(&[], Become(Name::BusyEarly), &[])],
            Name::Ready | Name::Settling => &[row!(&[], Become(Name::Busy), &[])],
            Name::Closed => IGNORED,
        },
        Fact::GoAway => match state {
            Name::Connecting | Name::Settling => &[row!(&[], Close(Why::GoAway), &[Opens])],
            Name::EarlyData | Name::BusyEarly | Name::Busy => &[
                row!(&[Unused], Close(Why::GoAway), &[Opens]),
                row!(&[Used], Become(Name::Draining), &[Opens]),
            ],
            Name::Ready => {
                &[row!(&[Unused], Close(Why::GoAway), &[]), row!(&[Used], Become(Name::Draining), &[])]
            }
            Name::Draining => SAME,
            Name::Closed => IGNORED,
        },
        Fact::Suspect => match state {
            Name::Connecting | Name::Settling => &[row!(&[], Close(Why::Suspect), &[Opens])],
            Name::EarlyData | Name::BusyEarly | Name::Busy => &[
                row!(&[Unused], Close(Why::Suspect), &[Opens]),
                row!(&[Used], Become(Name::Draining), &[Opens]),
            ],
            Name::Ready => {
                &[row!(&[Unused], Close(Why::Suspect), &[]), row!(&[Used], Become(Name::Draining), &[])]
            }
            Name::Draining => SAME,
            Name::Closed => IGNORED,
        },
        Fact::ProtocolError => match state {
            Name::Connecting | Name::EarlyData | Name::BusyEarly => {
                &[row!(&[], Close(Why::ProtocolError), &[Fails])]
            }
            Name::Ready | Name::Draining => &[row!(&[], Close(Why::ProtocolError), &[])],
            Name::Settling | Name::Busy => &[row!(&[], Close(Why::ProtocolError), &[Opens])],
            Name::Closed => IGNORED,
        },
        Fact::Closed => match state {
            Name::Connecting | Name::EarlyData | Name::BusyEarly => &[row!(&[], Gone, &[Fails])],
            Name::Ready | Name::Draining | Name::Closed => &[row!(&[], Gone, &[])],
            Name::Settling | Name::Busy => &[row!(&[], Gone, &[Opens])],
        },
        Fact::SlotFreed => match state {
            Name::Connecting
            | Name::EarlyData
            | Name::Ready
            | Name::Settling
            | Name::Draining
            | Name::Closed => SAME,
            Name::BusyEarly | Name::Busy => &[row!(&[], Same, &[Opens])],
        },
        Fact::Unhealthy => match state {
            Name::Connecting => {
                &[row!(&[Waited], Same, &[]), row!(&[Unwaited], Close(Why::HostUnhealthy), &[])]
            }
            Name::EarlyData => &[
                row!(&[Waited], Same, &[]),
                row!(&[Unwaited, Unused], Close(Why::HostUnhealthy), &[]),
                row!(&[Unwaited, Used], Become(Name::Draining), &[]),
            ],
            Name::BusyEarly | Name::Busy => &[
                row!(&[Unused], Close(Why::HostUnhealthy), &[Opens]),
                row!(&[Used], Become(Name::Draining), &[Opens]),
            ],
            Name::Ready => {
                &[row!(&[Unused], Close(Why::HostUnhealthy), &[]), row!(&[Used], Become(Name::Draining), &[])]
            }
            Name::Settling => &[row!(&[], Close(Why::HostUnhealthy), &[Opens])],
            Name::Draining | Name::Closed => SAME,
        },
        Fact::Degraded => match state {
            Name::Connecting
            | Name::EarlyData
            | Name::BusyEarly
            | Name::Ready
            | Name::Settling
            | Name::Busy
            | Name::Draining
            | Name::Closed => SAME,
        },
        Fact::Retire => match state {
            Name::Connecting | Name::Settling => &[row!(&[], Close(Why::Retired), &[Opens])],
            Name::EarlyData | Name::BusyEarly | Name::Busy => &[
                row!(&[Unused], Close(Why::Retired), &[Opens]),
                row!(&[Used], Become(Name::Draining), &[Opens]),
            ],
            Name::Ready => {
                &[row!(&[Unused], Close(Why::Retired), &[]), row!(&[Used], Become(Name::Draining), &[])]
            }
            Name::Draining => SAME,
            Name::Closed => IGNORED,
        },
        Fact::Drain => match state {
            Name::Connecting => &[row!(&[Waited], Same, &[]), row!(&[Unwaited], Close(Why::Drained), &[])],
            Name::EarlyData => &[
                row!(&[Waited], Same, &[]),
                row!(&[Unwaited, Unused], Close(Why::Drained), &[]),
                row!(&[Unwaited, Used], Become(Name::Draining), &[]),
            ],
            Name::BusyEarly | Name::Busy => &[
                row!(&[Unused], Close(Why::Drained), &[Opens]),
                row!(&[Used], Become(Name::Draining), &[Opens]),
            ],
            Name::Ready => {
                &[row!(&[Unused], Close(Why::Drained), &[]), row!(&[Used], Become(Name::Draining), &[])]
            }
            Name::Settling => &[row!(&[], Close(Why::Drained), &[Opens])],
            Name::Draining | Name::Closed => SAME,
        },
        Fact::DrainAndNotify => match state {
            Name::Connecting => &[row!(&[Waited], Same, &[]), row!(&[Unwaited], Close(Why::Drained), &[])],
            Name::EarlyData => &[
                row!(&[Waited], Same, &[]),
                row!(&[Unwaited, Unused], Close(Why::Drained), &[]),
                row!(&[Unwaited, Used], Become(Name::Draining), &[]),
            ],
            Name::BusyEarly => &[
                row!(&[Unused], Close(Why::Drained), &[Opens]),
                row!(&[Used], Become(Name::Draining), &[Opens]),
            ],
            Name::Ready => &[
                row!(&[Unused, Exclusive], Close(Why::Drained), &[]),
                row!(&[Unused, Streams], Close(Why::Drained), &[Notifies]),
                row!(&[Used], Become(Name::Draining), &[Notifies]),
            ],
            Name::Settling => &[row!(&[], Close(Why::Drained), &[Opens])],
            Name::Busy => &[
                row!(&[Unused], Close(Why::Drained), &[Opens, Notifies]),
                row!(&[Used, Exclusive], Become(Name::Draining), &[Opens]),
                row!(&[Used, Streams], Become(Name::Draining), &[Opens, Notifies]),
            ],
            Name::Draining | Name::Closed => SAME,
        },
        Fact::DrainAndDelete => match state {
            Name::Connecting | Name::Settling => {
                &[row!(&[Waited], Same, &[]), row!(&[Unwaited], Close(Why::Drained), &[])]
            }
            Name::EarlyData | Name::BusyEarly | Name::Busy => &[
                row!(&[Waited], Same, &[]),
                row!(&[Unwaited, Unused], Close(Why::Drained), &[]),
                row!(&[Unwaited, Used], Same, &[]),
            ],
            Name::Ready => &[row!(&[Unused], Close(Why::Drained), &[]), row!(&[Used], Same, &[])],
            Name::Draining | Name::Closed => SAME,
        },
        Fact::Abort => match state {
            Name::Connecting
            | Name::EarlyData
            | Name::BusyEarly
            | Name::Settling
            | Name::Busy
            | Name::Draining => &[row!(&[], Close(Why::Aborted), &[Fails])],
            Name::Ready => &[row!(&[], Close(Why::Aborted), &[])],
            Name::Closed => &[row!(&[], Same, &[Fails])],
        },
        Fact::ConnectTimeout => match state {
            Name::Connecting | Name::EarlyData | Name::BusyEarly => {
                &[row!(&[], Close(Why::ConnectTimeout), &[Fails])]
            }
            Name::Ready | Name::Busy | Name::Closed => SAME,
            Name::Settling => {
                &[row!(&[Waited], Become(Name::Busy), &[Binds]), row!(&[Unwaited], Become(Name::Ready), &[])]
            }
            Name::Draining => &[row!(&[Early], Close(Why::ConnectTimeout), &[]), row!(&[Up], Same, &[])],
        },
        Fact::IdleTimeout => match state {
            Name::Connecting | Name::EarlyData | Name::BusyEarly | Name::Draining | Name::Closed => SAME,
            Name::Ready => &[row!(&[Unused], Close(Why::IdleTimeout), &[]), row!(&[Used], Same, &[])],
            Name::Settling => &[
                row!(&[Waited], Become(Name::Busy), &[Binds]),
                row!(&[Unwaited], Close(Why::IdleTimeout), &[]),
            ],
            Name::Busy => &[row!(&[Unused], Close(Why::IdleTimeout), &[Opens]), row!(&[Used], Same, &[])],
        },
        Fact::MaxAge => match state {
            Name::Connecting | Name::EarlyData | Name::BusyEarly | Name::Draining | Name::Closed => SAME,
            Name::Ready => {
                &[row!(&[Unused], Close(Why::MaxAge), &[]), row!(&[Used], Become(Name::Draining), &[])]
            }
            Name::Settling => &[
                row!(&[Waited], Become(Name::Draining), &[Binds]),
                row!(&[Unwaited], Close(Why::MaxAge), &[]),
            ],
            Name::Busy => &[
                row!(&[Unused], Close(Why::MaxAge), &[Opens]),
                row!(&[Used], Become(Name::Draining), &[Opens]),
            ],
        },
        Fact::DrainTimeout => match state {
            Name::Connecting
            | Name::EarlyData
            | Name::BusyEarly
            | Name::Ready
            | Name::Busy
            | Name::Closed => SAME,
            Name::Settling => {
                &[row!(&[Waited], Become(Name::Busy), &[Binds]), row!(&[Unwaited], Become(Name::Ready), &[])]
            }
            Name::Draining => &[row!(&[], Close(Why::DrainTimeout), &[])],
        },
        Fact::PendingTimeout => match state {
            Name::Connecting
            | Name::EarlyData
            | Name::BusyEarly
            | Name::Busy
            | Name::Draining
            | Name::Closed => &[row!(&[], Same, &[Fails])],
            Name::Ready => SAME,
            Name::Settling => {
                &[row!(&[Waited], Become(Name::Busy), &[Binds]), row!(&[Unwaited], Become(Name::Ready), &[])]
            }
        },
    }
}
