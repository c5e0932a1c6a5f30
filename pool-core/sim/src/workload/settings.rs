//! Settings to try: names as in Envoy, for every cluster or for one.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use pool_core::config::{ConfigError, PoolConfig, Ratio};
use pool_core::limits::{Limits, Priority, Resource};

/// Every setting by name.
pub const NAMES: [&str; 11] = [
    "max_connections",
    "max_pending_requests",
    "max_requests",
    "max_retries",
    "max_connections_per_host",
    "idle_timeout",
    "max_connection_duration",
    "max_requests_per_connection",
    "connect_timeout",
    "pending_timeout",
    "per_upstream_preconnect_ratio",
];

/// One setting with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A circuit breaker, for both priorities.
    Limit(Resource, u32),
    /// Connections to each host.
    PerHost(u32),
    /// `idle_timeout`; `None` is off.
    Idle(Option<Duration>),
    /// `max_connection_duration`; `None` is off.
    MaxDuration(Option<Duration>),
    /// `max_requests_per_connection`; `None` is unlimited.
    MaxRequestsPerConnection(Option<u32>),
    /// `connect_timeout`.
    Connect(Duration),
    /// `pending_timeout`; `None` is off.
    Pending(Option<Duration>),
    /// `per_upstream_preconnect_ratio`.
    Preconnect(Ratio),
}

/// Why a setting cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingError {
    /// Not of the form `name=value` or `cluster.NAME.name=value`.
    Form(String),
    /// No such setting.
    UnknownSetting {
        /// What was asked for.
        name: String,
        /// The most similar name.
        nearest: &'static str,
    },
    /// No such cluster.
    UnknownCluster {
        /// What was asked for.
        name: String,
        /// The most similar one, if there is any.
        nearest: Option<String>,
    },
    /// The value cannot be read.
    Value {
        /// Of which setting.
        name: &'static str,
        /// What was given.
        value: String,
        /// What is wanted.
        wanted: &'static str,
    },
    /// The pool refuses it.
    Config(ConfigError),
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(text) => write!(f, "`{text}`: write name=value or cluster.NAME.name=value"),
            Self::UnknownSetting { name, nearest } => {
                write!(f, "no setting is called `{name}`; did you mean `{nearest}`?")
            }
            Self::UnknownCluster { name, nearest: Some(nearest) } => {
                write!(f, "no cluster is called `{name}`; did you mean `{nearest}`?")
            }
            Self::UnknownCluster { name, nearest: None } => write!(f, "no cluster is called `{name}`"),
            Self::Value { name, value, wanted } => write!(f, "{name}: `{value}` is not {wanted}"),
            Self::Config(error) => write!(f, "{error}"),
        }
    }
}

impl core::error::Error for SettingError {}

/// Settings to try. Later ones win; those for one cluster win over those for all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    all: Vec<Change>,
    clusters: Vec<(String, Change)>,
}

impl Settings {
    /// Whether nothing is changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty() && self.clusters.is_empty()
    }

    /// A cluster's pool settings and limits with the changes in force.
    ///
    /// # Errors
    /// If the pool refuses the combination.
    pub fn apply(
        &self,
        cluster: &str,
        pool: &Arc<PoolConfig>,
        limits: &Limits,
    ) -> Result<(Arc<PoolConfig>, Limits), SettingError> {
        let own = self.clusters.iter().filter(|(name, _)| name == cluster).map(|(_, change)| change);
        let (mut builder, mut limits) = (pool.to_builder(), *limits);
        for change in self.all.iter().chain(own) {
            builder = match *change {
                Change::Idle(timeout) => builder.idle_timeout(timeout),
                Change::MaxDuration(length) => builder.max_connection_duration(length),
                Change::MaxRequestsPerConnection(max) => builder.max_requests_per_connection(max),
                Change::Connect(timeout) => builder.connect_timeout(timeout),
                Change::Pending(timeout) => builder.pending_timeout(timeout),
                Change::Preconnect(ratio) => builder.per_upstream_preconnect_ratio(ratio),
                Change::Limit(..) | Change::PerHost(_) => builder,
            };
            for priority in Priority::ALL {
                let thresholds = *limits.thresholds(priority);
                limits = match *change {
                    Change::Limit(resource, max) => limits.with(priority, thresholds.with(resource, max)),
                    Change::PerHost(max) => limits.with(priority, thresholds.max_connections_per_host(max)),
                    _ => limits,
                };
            }
        }
        Ok((builder.build().map_err(SettingError::Config)?, limits))
    }

    /// Checks the clusters' names.
    ///
    /// # Errors
    /// The first that does not exist.
    pub fn check_clusters<'a>(
        &self,
        names: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<(), SettingError> {
        for (name, _) in &self.clusters {
            if !names.clone().any(|known| known == name) {
                let nearest = names.min_by_key(|known| distance(known, name)).map(str::to_owned);
                return Err(SettingError::UnknownCluster { name: name.clone(), nearest });
            }
        }
        Ok(())
    }

    /// Adds `name=value` or `cluster.NAME.name=value`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn set(&mut self, text: &str) -> Result<(), SettingError> {
        let Some((left, value)) = text.split_once('=') else {
            return Err(SettingError::Form(text.to_owned()));
        };
        match left.trim().strip_prefix("cluster.").and_then(|rest| rest.rsplit_once('.')) {
            Some((cluster, name)) => self.clusters.push((cluster.to_owned(), parse(name, value.trim())?)),
            None => self.all.push(parse(left.trim(), value.trim())?),
        }
        Ok(())
    }
}

/// Reads one setting.
///
/// # Errors
/// What is wrong with it.
pub fn parse(name: &str, value: &str) -> Result<Change, SettingError> {
    let Some(name) = NAMES.into_iter().find(|known| *known == name) else {
        let nearest = NAMES.into_iter().min_by_key(|known| distance(known, name)).unwrap_or(NAMES[0]);
        return Err(SettingError::UnknownSetting { name: name.to_owned(), nearest });
    };
    let wrong = |wanted| SettingError::Value { name, value: value.to_owned(), wanted };
    let count = || value.parse::<u32>().map_err(|_| wrong("a whole number up to 4294967295"));
    let is_off = matches!(value, "off" | "none" | "0" | "0s");
    let time = || duration(value).ok_or_else(|| wrong("a length of time such as 250ms, 5s or 2m"));
    let time_or_off = || if is_off { Ok(None) } else { time().map(Some) };
    Ok(match name {
        "max_connections" => Change::Limit(Resource::Connections, count()?),
        "max_pending_requests" => Change::Limit(Resource::Pending, count()?),
        "max_requests" => Change::Limit(Resource::Requests, count()?),
        "max_retries" => Change::Limit(Resource::Retries, count()?),
        "max_connections_per_host" => Change::PerHost(count()?),
        "idle_timeout" => Change::Idle(time_or_off()?),
        "max_connection_duration" => Change::MaxDuration(time_or_off()?),
        "max_requests_per_connection" => {
            Change::MaxRequestsPerConnection(if is_off { None } else { Some(count()?) })
        }
        "connect_timeout" => Change::Connect(time()?),
        "pending_timeout" => Change::Pending(time_or_off()?),
        _ => {
            let ratio = value.parse().ok().and_then(Ratio::nearest);
            Change::Preconnect(ratio.ok_or_else(|| wrong("a number from 1.0 to 3.0"))?)
        }
    })
}

/// Reads `250ms`, `5s`, `1.5s`, `2m`, `1h`, `80us`, `5ns`; a bare number is seconds.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    let unit = match text[end..].trim() {
        "ns" => 1e-9,
        "us" | "\u{b5}s" => 1e-6,
        "ms" => 1e-3,
        "s" | "" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number * unit).ok()
}

/// How many letters must change to make one word of the other (Levenshtein).
pub(crate) fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let change = corner + usize::from(a != *b);
            corner = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(corner + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_and_wrong_ones_explained() {
        let mut settings = Settings::default();
        for text in ["max_connections=64", "idle_timeout=5s", "cluster.a.b.max_retries=7"] {
            settings.set(text).expect("a setting");
        }
        let own = settings.apply("a.b", &Arc::default(), &Limits::default()).expect("valid");
        assert_eq!(own.0.idle_timeout(), Some(Duration::from_secs(5)));
        assert_eq!(own.1.max(Priority::High, Resource::Connections), 64);
        assert_eq!(own.1.max(Priority::Default, Resource::Retries), 7);
        let other = settings.apply("a", &Arc::default(), &Limits::default()).expect("valid");
        assert_eq!(other.1.max(Priority::Default, Resource::Retries), 3);

        let words = |text| Settings::default().set(text).expect_err(text).to_string();
        assert_eq!(
            words("max_conections=1"),
            "no setting is called `max_conections`; did you mean `max_connections`?"
        );
        assert_eq!(words("idle=1s"), "no setting is called `idle`; did you mean `idle_timeout`?");
        assert!(words("max_requests=many").contains("`many` is not a whole number"));
        assert!(words("max_requests").contains("name=value"));
        let unknown = settings.check_clusters(["a.c", "zzz"].into_iter()).expect_err("a cluster");
        assert_eq!(unknown.to_string(), "no cluster is called `a.b`; did you mean `a.c`?");
    }

    #[test]
    fn lengths_of_time() {
        for (text, nanos) in
            [("250ms", 250_000_000), ("1.5s", 1_500_000_000), ("2m", 120_000_000_000), ("7us", 7000)]
        {
            assert_eq!(duration(text), Some(Duration::from_nanos(nanos)), "{text}");
        }
        assert_eq!((duration("5 parsecs"), duration("-1s"), duration("")), (None, None, None));
    }
}
