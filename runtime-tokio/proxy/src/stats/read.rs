//! Reading everything at one moment.

use std::sync::PoisonError;

use pool_core::limits::{Gauge, Priority, Resource, UNLIMITED};

use super::block::{Level, ValueRef};
use super::distribution::Distribution;
use super::fields::{
    ClusterManagerValues, ClusterValues, FilesystemValues, HttpValues, ListenerManagerValues, ListenerValues,
    ServerValues,
};
use super::memory::physical_memory;
use super::store::{Memory, Readings, Store};

/// One stat, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Envoy's full name.
    pub name: String,
    /// The name without what became a tag.
    pub family: String,
    /// Envoy's tags with their values.
    pub tags: Vec<(&'static str, String)>,
    /// Whether it ever moved.
    pub used: bool,
    /// The value.
    pub value: Value,
}

/// The value of a stat.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Since the last reset.
    Counter(u64),
    /// Now.
    Gauge(u64),
    /// Samples.
    Histogram {
        /// Of the last interval that is complete.
        interval: Distribution,
        /// All.
        cumulative: Distribution,
    },
}

/// Where stats live: prefixes and tags.
#[derive(Clone, Default)]
struct Scope {
    name: String,
    family: String,
    tags: Vec<(&'static str, String)>,
}

impl Scope {
    fn new(word: &str) -> Self {
        Self { name: format!("{word}."), family: format!("{word}."), tags: Vec::new() }
    }

    /// A part of the name that is a tag.
    fn tagged(mut self, tag: &'static str, before: &str, value: &str) -> Self {
        self.name = format!("{}{before}{value}.", self.name);
        self.tags.insert(0, (tag, value.to_owned()));
        self
    }

    fn within(mut self, word: &str) -> Self {
        self.name = format!("{}{word}.", self.name);
        self.family = format!("{}{word}.", self.family);
        self
    }
}

/// Collects samples, with what is remembered.
struct Collector<'a> {
    memory: &'a Memory,
    samples: Vec<Sample>,
}

impl Collector<'_> {
    fn take(&mut self, scope: &Scope, name: &str, value: ValueRef<'_>) {
        let full = format!("{}{name}", scope.name);
        let (used, value) = match value {
            ValueRef::Counter(count) => {
                let base = self.memory.reset.get(&full).copied().unwrap_or(0);
                (count.value() > 0, Value::Counter(count.value().wrapping_sub(base)))
            }
            ValueRef::Gauge(level) => (level.is_used(), Value::Gauge(level.value())),
            ValueRef::Histogram(all) => {
                let interval = self.memory.interval.get(&full).cloned().unwrap_or_default();
                (all.count() > 0, Value::Histogram { interval, cumulative: all.clone() })
            }
            ValueRef::Codes(codes) => {
                for (code, count) in codes.iter() {
                    self.take(scope, &format!("upstream_rq_{code}"), ValueRef::Counter(count));
                }
                return;
            }
        };
        let (name, tag) = by_code(name);
        let mut tags = scope.tags.clone();
        tags.extend(tag);
        tags.sort_unstable();
        self.samples.push(Sample {
            name: full,
            family: format!("{}{name}", scope.family),
            tags,
            used,
            value,
        });
    }
}

/// Envoy takes the status, or its class, out of names that end with `_rq_<code>` or `_rq_<n>xx`.
fn by_code(name: &str) -> (String, Option<(&'static str, String)>) {
    let Some((rest, code)) = name.rsplit_once("_rq_") else { return (name.to_owned(), None) };
    let is_digit = |byte: u8| byte.is_ascii_digit();
    match code.as_bytes() {
        [class, b'x', b'x'] if is_digit(*class) => {
            (format!("{rest}_rq_xx"), Some(("envoy.response_code_class", char::from(*class).to_string())))
        }
        [a, b, c] if [*a, *b, *c].into_iter().all(is_digit) => {
            (format!("{rest}_rq"), Some(("envoy.response_code", code.to_owned())))
        }
        _ => (name.to_owned(), None),
    }
}

impl Store {
    /// Every stat, sorted by name. Stats that share a name, as of two listeners with one
    /// `stat_prefix`, are one.
    #[must_use]
    pub fn samples(&self, readings: &dyn Readings) -> Vec<Sample> {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        self.collect(readings, &memory)
    }

    /// Lets every counter begin at zero again (`/reset_counters`). Gauges and histograms stay.
    pub fn reset_counters(&self, readings: &dyn Readings) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        memory.reset.clear();
        let samples = self.collect(readings, &memory);
        memory.reset.extend(samples.into_iter().filter_map(|sample| match sample.value {
            Value::Counter(total) => Some((sample.name, total)),
            Value::Gauge(_) | Value::Histogram { .. } => None,
        }));
    }

    /// Ends an interval of the histograms (Envoy: `stats_flush_interval`, every 5 s).
    pub fn flush(&self, readings: &dyn Readings) {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let samples = self.collect(readings, &memory);
        memory.interval.clear();
        for sample in samples {
            let Value::Histogram { cumulative, .. } = sample.value else { continue };
            if cumulative.count() > 0 {
                let before = memory.flushed.get(&sample.name);
                let interval = before.map_or_else(|| cumulative.clone(), |before| cumulative.since(before));
                memory.interval.insert(sample.name.clone(), interval);
                memory.flushed.insert(sample.name, cumulative);
            }
        }
    }

    fn collect(&self, readings: &dyn Readings, memory: &Memory) -> Vec<Sample> {
        let mut into = Collector { memory, samples: Vec::with_capacity(256) };
        for cluster in distinct(&self.names.clusters) {
            self.collect_cluster(readings, &cluster, &mut into);
        }
        let prefixes: Vec<_> = self.names.listeners.iter().map(|(_, prefix)| prefix.clone()).collect();
        for same in distinct(&prefixes) {
            self.collect_http(readings, &same, &mut into);
        }
        let addresses: Vec<_> = self.names.listeners.iter().map(|(address, _)| address.clone()).collect();
        for same in distinct(&addresses) {
            self.collect_listener(readings, &same, &mut into);
        }
        self.collect_process(readings, &mut into);
        let mut samples = into.samples;
        samples.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        samples
    }

    /// What there is once.
    fn collect_process(&self, readings: &dyn Readings, into: &mut Collector<'_>) {
        let mut server = ServerValues::default();
        server.version.add(version_number());
        server.memory_physical_size.add(physical_memory().unwrap_or(0));
        readings.add_server(&mut server);
        server.each(&mut |name, value| into.take(&Scope::new("server"), name, value));

        let mut listeners = ListenerManagerValues::default();
        readings.add_listener_manager(&mut listeners);
        listeners.each(&mut |name, value| into.take(&Scope::new("listener_manager"), name, value));

        let mut clusters = ClusterManagerValues::default();
        readings.add_cluster_manager(&mut clusters);
        clusters.each(&mut |name, value| into.take(&Scope::new("cluster_manager"), name, value));

        let mut files = FilesystemValues::default();
        readings.add_filesystem(&mut files);
        files.each(&mut |name, value| into.take(&Scope::new("filesystem"), name, value));
    }

    /// A listener, over all workers.
    fn sum_listener(&self, readings: &dyn Readings, listener: usize, all: &mut ListenerValues) {
        for (index, worker) in self.workers.iter().enumerate() {
            all.absorb(worker.listener(listener));
            readings.add_listener(listener, index, all);
        }
    }

    fn collect_cluster(&self, readings: &dyn Readings, same: &[usize], into: &mut Collector<'_>) {
        let Some(name) = same.first().and_then(|&first| self.names.clusters.get(first)) else { return };
        let scope = Scope::new("cluster").tagged("envoy.cluster_name", "", name);
        let mut values = ClusterValues::default();
        for &cluster in same {
            for worker in self.workers.iter() {
                values.absorb(worker.cluster(cluster));
            }
            readings.add_cluster(cluster, &mut values);
        }
        values.each(&mut |name, value| into.take(&scope, name, value));
        // No source address counts as internal here, as by default in Envoy since 1.33.
        let external = scope.clone().within("external");
        values.each(&mut |name, value| {
            let by_status = name.strip_prefix("upstream_rq_").is_some_and(|rest| rest.ends_with("xx"));
            if by_status
                || matches!(name, "upstream_rq_completed" | "upstream_rq_time" | "upstream_rq_<code>")
            {
                into.take(&external, name, value);
            }
        });
        for priority in Priority::ALL {
            collect_breakers(readings, same, priority, &scope, into);
        }
    }

    fn collect_http(&self, readings: &dyn Readings, same: &[usize], into: &mut Collector<'_>) {
        let Some((_, prefix)) = same.first().and_then(|&first| self.names.listeners.get(first)) else {
            return;
        };
        let mut values = HttpValues::default();
        for &listener in same {
            for (index, worker) in self.workers.iter().enumerate() {
                values.absorb(worker.http(listener));
                readings.add_http(listener, index, &mut values);
            }
        }
        let scope = Scope::new("http").tagged("envoy.http_conn_manager_prefix", "", prefix);
        values.each(&mut |name, value| into.take(&scope, name, value));
    }

    fn collect_listener(&self, readings: &dyn Readings, same: &[usize], into: &mut Collector<'_>) {
        let Some((address, _)) = same.first().and_then(|&first| self.names.listeners.get(first)) else {
            return;
        };
        let scope = Scope::new("listener").tagged("envoy.listener_address", "", address);
        let mut all = ListenerValues::default();
        for (index, worker) in self.workers.iter().enumerate() {
            let mut one = ListenerValues::default();
            for &listener in same {
                one.absorb(worker.listener(listener));
                readings.add_listener(listener, index, &mut one);
            }
            let scope = scope.clone().tagged("envoy.worker_id", "worker_", &index.to_string());
            into.take(&scope, "downstream_cx_total", ValueRef::Counter(one.downstream_cx_total));
            into.take(&scope, "downstream_cx_active", ValueRef::Gauge(one.downstream_cx_active));
        }
        for &listener in same {
            self.sum_listener(readings, listener, &mut all);
        }
        all.each(&mut |name, value| into.take(&scope, name, value));
        for &listener in same {
            let Some((_, prefix)) = self.names.listeners.get(listener) else { continue };
            let mut values = HttpValues::default();
            for (index, worker) in self.workers.iter().enumerate() {
                values.absorb(worker.http(listener));
                readings.add_http(listener, index, &mut values);
            }
            let scope = scope.clone().within("http").tagged("envoy.http_conn_manager_prefix", "", prefix);
            values.each(&mut |name, value| {
                let by_class = name.strip_prefix("downstream_rq_").is_some_and(|rest| rest.ends_with("xx"));
                if by_class || name == "downstream_rq_completed" {
                    into.take(&scope, name, value);
                }
            });
        }
    }
}

/// `circuit_breakers.<priority>.`: whether each breaker is open, and what it leaves.
fn collect_breakers(
    readings: &dyn Readings,
    same: &[usize],
    priority: Priority,
    scope: &Scope,
    into: &mut Collector<'_>,
) {
    let word = match priority {
        Priority::Default => "default",
        Priority::High => "high",
    };
    let scope = scope.clone().within("circuit_breakers").within(word);
    for resource in Resource::ALL {
        let gauges = same.iter().filter_map(|&cluster| readings.breaker(cluster, priority, resource));
        let Some(gauge) = gauges.reduce(tighter) else { continue };
        let [open, remaining] = breaker_names(resource);
        let mut is_open = Level::default();
        is_open.add(u64::from(gauge.open));
        into.take(&scope, open, ValueRef::Gauge(is_open));
        // What is left of no limit is no number worth showing.
        if gauge.max != UNLIMITED {
            let mut left = Level::default();
            left.add(gauge.remaining.into());
            into.take(&scope, remaining, ValueRef::Gauge(left));
        }
    }
}

/// `1.2.3` as 1 002 003.
fn version_number() -> u64 {
    let parts = env!("CARGO_PKG_VERSION").split(['.', '-', '+']).take(3);
    parts.fold(0, |number, part| number * 1000 + part.parse().unwrap_or(0))
}

fn tighter(one: Gauge, other: Gauge) -> Gauge {
    if one.remaining <= other.remaining { one } else { other }
}

const fn breaker_names(resource: Resource) -> [&'static str; 2] {
    match resource {
        Resource::Connections => ["cx_open", "remaining_cx"],
        Resource::Pending => ["rq_pending_open", "remaining_pending"],
        Resource::Requests => ["rq_open", "remaining_rq"],
        Resource::Retries => ["rq_retry_open", "remaining_retries"],
        Resource::Pools => ["cx_pool_open", "remaining_cx_pools"],
    }
}

/// Groups indexes by equal names.
fn distinct(names: &[String]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (index, name) in names.iter().enumerate() {
        match groups.iter_mut().find(|group| names[group[0]] == *name) {
            Some(group) => group.push(index),
            None => groups.push(vec![index]),
        }
    }
    groups
}
