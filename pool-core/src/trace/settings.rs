//! The settings of a cluster, as a recording keeps them: without them nothing can be done again.

use core::time::Duration;
use std::sync::Arc;

use super::codec::{Bytes, Malformed, put, put_option, put_text};
use crate::config::{
    Admission, EarlyDataSupport, FailQueue, Jitter, Multiplexing, PoolConfig, Ratio, RequestLimit,
};
use crate::limits::{Limits, Priority, Resource, Thresholds};

/// A cluster in a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterSettings {
    /// What people call it.
    pub name: String,
    /// The settings of its pools.
    pub pool: Arc<PoolConfig>,
    /// Its circuit breakers. A replay takes the verdicts from the log; they are for reading, and for
    /// asking what other limits would have done.
    pub limits: Limits,
}

const FAIL_QUEUE: [FailQueue; 2] = [FailQueue::All, FailQueue::Unservable];
const ADMISSION: [Admission; 2] = [Admission::ForceOne, Admission::Strict];
const REQUEST_LIMIT: [RequestLimit; 2] = [RequestLimit::Enforced, RequestLimit::Ignored];
const EARLY_DATA: [EarlyDataSupport; 2] = [EarlyDataSupport::Off, EarlyDataSupport::On];

pub(super) fn put_cluster(out: &mut Vec<u8>, settings: &ClusterSettings) {
    let ClusterSettings { name, pool, limits } = settings;
    put_text(out, name);
    put_pool(out, pool);
    for priority in Priority::ALL {
        let thresholds = limits.thresholds(priority);
        for resource in Resource::ALL {
            put(out, u64::from(thresholds.max(resource)));
        }
        put(out, u64::from(thresholds.max_per_host()));
    }
}

pub(super) fn read_cluster(bytes: &mut Bytes<'_>) -> Result<ClusterSettings, Malformed> {
    let name = bytes.text("cluster's name")?.to_owned();
    let pool = read_pool(bytes)?;
    let mut limits = Limits::default();
    for priority in Priority::ALL {
        let mut thresholds = Thresholds::default();
        for resource in Resource::ALL {
            thresholds = thresholds.with(resource, bytes.small("limit")?);
        }
        thresholds = thresholds.max_connections_per_host(bytes.small("limit per host")?);
        limits = limits.with(priority, thresholds);
    }
    Ok(ClusterSettings { name, pool, limits })
}

fn put_pool(out: &mut Vec<u8>, config: &PoolConfig) {
    let streams = match config.multiplexing() {
        Multiplexing::Exclusive => None,
        Multiplexing::Streams { max_concurrent_streams } => Some(u64::from(max_concurrent_streams)),
    };
    put_option(out, streams);
    put_option(out, config.max_requests_per_connection().map(u64::from));
    out.push(config.max_requests_jitter().as_percent());
    put_time(out, Some(config.connect_timeout()));
    put_time(out, config.idle_timeout());
    out.push(config.idle_jitter().as_percent());
    put_time(out, config.max_connection_duration());
    out.push(config.max_connection_duration_jitter().as_percent());
    put_time(out, config.drain_timeout());
    put_time(out, config.pending_timeout());
    put(out, u64::from(config.per_upstream_preconnect_ratio().thousandths()));
    out.push(config.on_connect_failure() as u8);
    out.push(config.admission() as u8);
    out.push(config.request_limit() as u8);
    out.push(config.early_data() as u8);
}

fn read_pool(bytes: &mut Bytes<'_>) -> Result<Arc<PoolConfig>, Malformed> {
    let multiplexing = match small_option(bytes, "concurrent streams")? {
        None => Multiplexing::Exclusive,
        Some(max_concurrent_streams) => Multiplexing::Streams { max_concurrent_streams },
    };
    let max_requests = small_option(bytes, "max requests")?;
    let max_requests_jitter = Jitter::percent(bytes.byte("jitter")?);
    let Some(connect_timeout) = read_time(bytes)? else { return Err(bytes.malformed("connect timeout")) };
    let builder = PoolConfig::builder(multiplexing)
        .max_requests_per_connection(max_requests)
        .max_requests_jitter(max_requests_jitter)
        .connect_timeout(connect_timeout)
        .idle_timeout(read_time(bytes)?)
        .idle_jitter(Jitter::percent(bytes.byte("jitter")?))
        .max_connection_duration(read_time(bytes)?)
        .max_connection_duration_jitter(Jitter::percent(bytes.byte("jitter")?))
        .drain_timeout(read_time(bytes)?)
        .pending_timeout(read_time(bytes)?)
        .per_upstream_preconnect_ratio(Ratio::from_thousandths(bytes.small("preconnect ratio")?))
        .on_connect_failure(bytes.pick(&FAIL_QUEUE, "setting")?)
        .admission(bytes.pick(&ADMISSION, "setting")?)
        .request_limit(bytes.pick(&REQUEST_LIMIT, "setting")?)
        .early_data(bytes.pick(&EARLY_DATA, "setting")?);
    builder.build().map_err(|_| bytes.malformed("pool's settings"))
}

fn put_time(out: &mut Vec<u8>, time: Option<Duration>) {
    put_option(out, time.map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)));
}

fn read_time(bytes: &mut Bytes<'_>) -> Result<Option<Duration>, Malformed> {
    Ok(bytes.option("length of time")?.map(Duration::from_nanos))
}

fn small_option(bytes: &mut Bytes<'_>, what: &'static str) -> Result<Option<u32>, Malformed> {
    let number = bytes.option(what)?;
    number.map(|number| u32::try_from(number).map_err(|_| bytes.malformed(what))).transpose()
}
