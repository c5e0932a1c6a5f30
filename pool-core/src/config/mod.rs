//! What an operator chooses, checked once.
//!
//! A [`PoolConfig`] can only be made by [`PoolConfigBuilder::build`], so that a machine never meets a
//! value out of range. Names and defaults are Envoy's where Envoy has the setting.

mod ratio;

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

pub(crate) use ratio::split_mix;
pub use ratio::{Jitter, Ratio};

/// The largest lifetime budget of a multiplexed connection, 2^29 streams: Envoy's guard against
/// running out of stream ids (RFC 9113 5.1.1).
pub const MAX_STREAMS_PER_CONNECTION: u32 = 1 << 29;

/// How many streams a connection carries at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Multiplexing {
    /// One (HTTP/1.1, plain TCP). After a stream the connection *settles*: it takes no bind until
    /// its remaining input was looked at, so that a FIN that came with the response is seen first.
    Exclusive,
    /// Many (HTTP/2, HTTP/3), as far as the peer allows.
    Streams {
        /// Our own ceiling, whatever the peer allows (`max_concurrent_streams`); default 1024,
        /// 1 to 2^31 - 1.
        max_concurrent_streams: u32,
    },
}

impl Multiplexing {
    /// [`Multiplexing::Streams`] with Envoy's default of 1024.
    pub const STREAMS: Self = Self::Streams { max_concurrent_streams: 1024 };
}

/// Which queued requests a failed connection attempt takes with it (design decision P2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum FailQueue {
    /// All of them, as in Envoy: let the caller's retry policy choose another host.
    #[default]
    All,
    /// The newest ones, until the rest fits into the capacity that is left (#9386).
    Unservable,
}

/// Whether a pool may pass `max_connections` so that its queue is never without an attempt (P1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Admission {
    /// At most one connection without a seat at a time, and only when nothing else could serve.
    #[default]
    ForceOne,
    /// Never: without a seat requests wait until one is free (`strict_limits`).
    Strict,
}

/// Whether `max_requests` is asked for when a request is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum RequestLimit {
    /// Asked for; a request over the limit fails at once. HTTP pools.
    #[default]
    Enforced,
    /// Not asked for. Pools of plain TCP connections (#19033).
    Ignored,
}

/// Whether connections may carry requests before their handshake is complete (0-RTT).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum EarlyDataSupport {
    /// No; a report of early keys is ignored and counted.
    #[default]
    Off,
    /// Yes, for requests that are safe to be replayed by the network (RFC 8470).
    On,
}

/// The settings of a pool, checked. See [`PoolConfigBuilder`] for meanings and defaults.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PoolConfig {
    settings: PoolConfigBuilder,
}

/// The settings of a pool, not yet checked.
///
/// ```
/// use core::time::Duration;
/// use pool_core::config::{Multiplexing, PoolConfig};
///
/// let config = PoolConfig::builder(Multiplexing::Exclusive)
///     .idle_timeout(Some(Duration::from_secs(30)))
///     .max_requests_per_connection(Some(100))
///     .build()?;
/// assert_eq!(config.connect_timeout(), Duration::from_secs(5));
/// # Ok::<(), pool_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[must_use = "a builder does nothing until `build`"]
pub struct PoolConfigBuilder {
    multiplexing: Multiplexing,
    max_requests_per_connection: Option<u32>,
    max_requests_jitter: Jitter,
    connect_timeout: Duration,
    idle_timeout: Option<Duration>,
    idle_jitter: Jitter,
    max_connection_duration: Option<Duration>,
    max_connection_duration_jitter: Jitter,
    drain_timeout: Option<Duration>,
    pending_timeout: Option<Duration>,
    per_upstream_preconnect_ratio: Ratio,
    on_connect_failure: FailQueue,
    admission: Admission,
    request_limit: RequestLimit,
    early_data: EarlyDataSupport,
}

/// One definition for builder setter and checked getter, so that neither can be forgotten.
macro_rules! settings {
    ($($(#[$doc:meta])* $name:ident: $type:ty,)*) => {
        impl PoolConfigBuilder {
            $($(#[$doc])* pub fn $name(mut self, $name: $type) -> Self { self.$name = $name; self })*
        }

        impl PoolConfig {
            $($(#[$doc])* #[must_use] pub fn $name(&self) -> $type { self.settings.$name })*
        }
    };
}

settings! {
    /// How many streams a connection carries at a time.
    multiplexing: Multiplexing,
    /// How many streams a connection carries in its life (`max_requests_per_connection`); `None`,
    /// the default, is unlimited. `Some(0)` is read as `None`, as in Envoy.
    max_requests_per_connection: Option<u32>,
    /// Spreads `max_requests_per_connection`; ours, default none.
    max_requests_jitter: Jitter,
    /// From the order to connect until transport and handshake are up (`connect_timeout`); default
    /// 5 s, more than zero.
    connect_timeout: Duration,
    /// How long a connection may be without streams (`idle_timeout`); default 1 h, `None` is off.
    idle_timeout: Option<Duration>,
    /// Spreads `idle_timeout`; ours, default none.
    idle_jitter: Jitter,
    /// How old a connection may become (`max_connection_duration`), counted from when it was up;
    /// default `None`. Streams on it may finish.
    max_connection_duration: Option<Duration>,
    /// Spreads `max_connection_duration` (#42410); default none.
    max_connection_duration_jitter: Jitter,
    /// How long a draining connection may wait for its streams; after that it is closed with them.
    /// Ours (#36712); default `None`, without bound as in Envoy.
    drain_timeout: Option<Duration>,
    /// How long a request may be queued. Ours (#9606); default `None`.
    pending_timeout: Option<Duration>,
    /// Connections to hold per request in progress or queued (`per_upstream_preconnect_ratio`);
    /// 1.0 (off, default) to 3.0.
    per_upstream_preconnect_ratio: Ratio,
    /// What a failed attempt does to the queue; default all of it fails.
    on_connect_failure: FailQueue,
    /// Whether a pool without a usable connection may pass `max_connections` by one; default yes.
    admission: Admission,
    /// Whether `max_requests` applies; default yes.
    request_limit: RequestLimit,
    /// Whether connections may be used before their handshake is complete; default no.
    early_data: EarlyDataSupport,
}

impl PoolConfig {
    /// Starts from Envoy's defaults.
    pub fn builder(multiplexing: Multiplexing) -> PoolConfigBuilder {
        PoolConfigBuilder {
            multiplexing,
            max_requests_per_connection: None,
            max_requests_jitter: Jitter::NONE,
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Some(Duration::from_secs(3600)),
            idle_jitter: Jitter::NONE,
            max_connection_duration: None,
            max_connection_duration_jitter: Jitter::NONE,
            drain_timeout: None,
            pending_timeout: None,
            per_upstream_preconnect_ratio: Ratio::ONE,
            on_connect_failure: FailQueue::All,
            admission: Admission::ForceOne,
            request_limit: RequestLimit::Enforced,
            early_data: EarlyDataSupport::Off,
        }
    }

    /// Back to a builder, for a variant of these settings.
    pub fn to_builder(&self) -> PoolConfigBuilder {
        self.settings.clone()
    }
}

impl Default for PoolConfig {
    /// Envoy's defaults for an HTTP/1 pool.
    fn default() -> Self {
        Self { settings: Self::builder(Multiplexing::Exclusive) }
    }
}

impl PoolConfigBuilder {
    /// Shorthand for [`Admission::Strict`] (`true`) or [`Admission::ForceOne`].
    pub fn strict_limits(self, strict: bool) -> Self {
        self.admission(if strict { Admission::Strict } else { Admission::ForceOne })
    }

    /// Shorthand for [`RequestLimit::Enforced`] (`true`) or [`RequestLimit::Ignored`].
    pub fn enforce_max_requests(self, enforce: bool) -> Self {
        self.request_limit(if enforce { RequestLimit::Enforced } else { RequestLimit::Ignored })
    }

    /// Checks everything.
    ///
    /// # Errors
    /// The first setting that is out of its range.
    pub fn build(self) -> Result<Arc<PoolConfig>, ConfigError> {
        let mut settings = self;
        settings.max_requests_per_connection = settings.max_requests_per_connection.filter(|max| *max > 0);
        if let Multiplexing::Streams { max_concurrent_streams } = settings.multiplexing {
            if !(1..=i32::MAX as u32).contains(&max_concurrent_streams) {
                return Err(ConfigError::MaxConcurrentStreams(max_concurrent_streams));
            }
        }
        let timeouts = [
            (Timeout::Connect, Some(settings.connect_timeout)),
            (Timeout::Idle, settings.idle_timeout),
            (Timeout::MaxConnectionDuration, settings.max_connection_duration),
            (Timeout::Drain, settings.drain_timeout),
            (Timeout::Pending, settings.pending_timeout),
        ];
        for (timeout, length) in timeouts {
            if length.is_some_and(|length| length.is_zero()) {
                return Err(ConfigError::ZeroTimeout(timeout));
            }
        }
        let ratio = settings.per_upstream_preconnect_ratio;
        if ratio < Ratio::ONE || ratio > Ratio::from_thousandths(3000) {
            return Err(ConfigError::PreconnectRatio(ratio));
        }
        let jitters =
            [settings.max_requests_jitter, settings.idle_jitter, settings.max_connection_duration_jitter];
        for jitter in jitters {
            if jitter > Jitter::percent(100) {
                return Err(ConfigError::Jitter(jitter));
            }
        }
        Ok(Arc::new(PoolConfig { settings }))
    }
}

/// A setting that is a length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timeout {
    /// `connect_timeout`.
    Connect,
    /// `idle_timeout`.
    Idle,
    /// `max_connection_duration`.
    MaxConnectionDuration,
    /// `drain_timeout`.
    Drain,
    /// `pending_timeout`.
    Pending,
}

/// A setting out of its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConfigError {
    /// `max_concurrent_streams` is 0 or above 2^31 - 1.
    MaxConcurrentStreams(u32),
    /// A timeout of zero; leave it out to switch it off.
    ZeroTimeout(Timeout),
    /// `per_upstream_preconnect_ratio` is not within 1.0 to 3.0.
    PreconnectRatio(Ratio),
    /// A jitter above 100 percent.
    Jitter(Jitter),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MaxConcurrentStreams(max) => {
                write!(f, "max_concurrent_streams is {max}, must be within 1 and 2147483647")
            }
            Self::ZeroTimeout(timeout) => {
                let name = match timeout {
                    Timeout::Connect => "connect_timeout",
                    Timeout::Idle => "idle_timeout",
                    Timeout::MaxConnectionDuration => "max_connection_duration",
                    Timeout::Drain => "drain_timeout",
                    Timeout::Pending => "pending_timeout",
                };
                write!(f, "{name} is zero, must be more")
            }
            Self::PreconnectRatio(ratio) => {
                write!(f, "per_upstream_preconnect_ratio is {ratio}, must be within 1.0 and 3.0")
            }
            Self::Jitter(jitter) => write!(f, "jitter is {} %, must be at most 100 %", jitter.as_percent()),
        }
    }
}

impl core::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn out_of_range_settings_are_refused_by_name() {
        let base = || PoolConfig::builder(Multiplexing::Exclusive);
        let ratio = Ratio::from_thousandths;
        let table = [
            (
                PoolConfig::builder(Multiplexing::Streams { max_concurrent_streams: 0 }),
                ConfigError::MaxConcurrentStreams(0),
            ),
            (base().connect_timeout(Duration::ZERO), ConfigError::ZeroTimeout(Timeout::Connect)),
            (base().idle_timeout(Some(Duration::ZERO)), ConfigError::ZeroTimeout(Timeout::Idle)),
            (base().per_upstream_preconnect_ratio(ratio(999)), ConfigError::PreconnectRatio(ratio(999))),
            (base().per_upstream_preconnect_ratio(ratio(3001)), ConfigError::PreconnectRatio(ratio(3001))),
            (base().idle_jitter(Jitter::percent(101)), ConfigError::Jitter(Jitter::percent(101))),
        ];
        for (builder, error) in table {
            assert_eq!(builder.build(), Err(error));
        }
    }

    #[test]
    fn zero_max_requests_means_unlimited() {
        let config = PoolConfig::builder(Multiplexing::STREAMS).max_requests_per_connection(Some(0)).build();
        assert_eq!(config.map(|config| config.max_requests_per_connection()), Ok(None));
    }
}
