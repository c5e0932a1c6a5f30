//! `/stats` in its formats.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use regex_lite::Regex;

use super::json::Json;
use super::query::Query;
use super::reply::{JSON, PROMETHEUS, Reply, TEXT};
use crate::stats::{Distribution, Kind, Sample, Value};

/// Envoy's quantiles of a histogram.
const QUANTILES: [f64; 10] = [0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1.0];

/// Envoy's default borders of Prometheus buckets, in milliseconds.
const BUCKETS: [f64; 19] = [
    0.5,
    1.0,
    5.0,
    10.0,
    25.0,
    50.0,
    100.0,
    250.0,
    500.0,
    1000.0,
    2500.0,
    5000.0,
    10_000.0,
    30_000.0,
    60_000.0,
    300_000.0,
    600_000.0,
    1_800_000.0,
    3_600_000.0,
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Text,
    Json,
    Prometheus,
}

/// Which samples are wanted, and how.
pub(super) struct Selection {
    shape: Shape,
    used_only: bool,
    filter: Option<Regex>,
    kind: Option<Kind>,
}

impl Selection {
    pub(super) fn parse(query: &Query) -> Result<Self, Reply> {
        let shape = match query.get("format") {
            None | Some("text") => Shape::Text,
            Some("json") => Shape::Json,
            Some("prometheus") => Shape::Prometheus,
            Some(_) => return Err(Reply::bad("usage: /stats?format=(text|json|prometheus)\n")),
        };
        let filter = query.get("filter").filter(|filter| !filter.is_empty());
        let filter = filter.map(Regex::new).transpose();
        let filter = filter.map_err(|error| Reply::bad(format!("Invalid regex: \"{error}\"\n")))?;
        let kind = match query.get("type").map(str::to_ascii_lowercase).as_deref() {
            None | Some("" | "all") => None,
            Some("counters") => Some(Kind::Counter),
            Some("gauges") => Some(Kind::Gauge),
            Some("histograms") => Some(Kind::Histogram),
            Some(_) => {
                return Err(Reply::bad("invalid &type= ; valid values: All, Counters, Gauges, Histograms\n"));
            }
        };
        Ok(Self { shape, used_only: query.has("usedonly"), filter, kind })
    }

    /// `/stats/prometheus` is `/stats?format=prometheus`.
    pub(super) fn into_prometheus(self) -> Self {
        Self { shape: Shape::Prometheus, ..self }
    }

    fn wants(&self, sample: &Sample) -> bool {
        let kind = match sample.value {
            Value::Counter(_) => Kind::Counter,
            Value::Gauge(_) => Kind::Gauge,
            Value::Histogram { .. } => Kind::Histogram,
        };
        (!self.used_only || sample.used)
            && self.kind.is_none_or(|wanted| wanted == kind)
            && self.filter.as_ref().is_none_or(|filter| filter.is_match(&sample.name))
    }

    pub(super) fn show(&self, mut samples: Vec<Sample>) -> Reply {
        samples.retain(|sample| self.wants(sample));
        match self.shape {
            Shape::Text => Reply::ok(TEXT, text(&samples)),
            Shape::Json => Reply::ok(JSON, json(&samples).to_string()),
            Shape::Prometheus => Reply::ok(PROMETHEUS, prometheus(&samples)),
        }
    }
}

/// `name: value`; histograms after all others, as in Envoy.
fn text(samples: &[Sample]) -> String {
    let (mut numbers, mut histograms) = (String::new(), String::new());
    // Writing to a `String` does not fail.
    for Sample { name, value, .. } in samples {
        let _ = match value {
            Value::Counter(value) | Value::Gauge(value) => writeln!(numbers, "{name}: {value}"),
            Value::Histogram { interval, cumulative } => {
                writeln!(histograms, "{name}: {}", summary(interval, cumulative))
            }
        };
    }
    numbers + &histograms
}

/// `P0(interval,cumulative) P25(...)`, up to P100.
fn summary(interval: &Distribution, cumulative: &Distribution) -> String {
    if cumulative.count() == 0 {
        return "No recorded values".to_owned();
    }
    let show = |distribution: &Distribution, q| {
        distribution.quantile(q).map_or_else(|| "nan".to_owned(), |value| rounded(value).to_string())
    };
    let quantiles =
        QUANTILES.map(|q| format!("P{}({},{})", rounded(q * 100.0), show(interval, q), show(cumulative, q)));
    quantiles.join(" ")
}

/// Microseconds are what is known of a time in milliseconds.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn json(samples: &[Sample]) -> Json {
    let mut stats = Vec::new();
    let mut histograms = Vec::new();
    for Sample { name, value, .. } in samples {
        match value {
            Value::Counter(value) | Value::Gauge(value) => {
                stats.push(Json::object([("name", Json::text(name)), ("value", Json::Integer(*value))]));
            }
            Value::Histogram { interval, cumulative } => {
                let number =
                    |value: Option<f64>| value.map_or(Json::Null, |value| Json::Float(rounded(value)));
                let values = QUANTILES.map(|q| {
                    let (interval, cumulative) = (interval.quantile(q), cumulative.quantile(q));
                    Json::object([("interval", number(interval)), ("cumulative", number(cumulative))])
                });
                histograms.push(Json::object([("name", Json::text(name)), ("values", Json::list(values))]));
            }
        }
    }
    if !histograms.is_empty() {
        let quantiles = QUANTILES.map(|q| Json::Float(rounded(q * 100.0)));
        stats.push(Json::object([(
            "histograms",
            Json::object([
                ("supported_quantiles", Json::list(quantiles)),
                ("computed_quantiles", Json::list(histograms)),
            ]),
        )]));
    }
    Json::object([("stats", Json::list(stats))])
}

/// Prometheus' text format: families in order, each with its type.
fn prometheus(samples: &[Sample]) -> String {
    let mut families: BTreeMap<String, Vec<&Sample>> = BTreeMap::new();
    for sample in samples {
        families.entry(format!("envoy_{}", identifier(&sample.family))).or_default().push(sample);
    }
    let mut out = String::new();
    for (family, samples) in families {
        let kind = match samples.first().map(|sample| &sample.value) {
            Some(Value::Counter(_)) => "counter",
            Some(Value::Gauge(_)) => "gauge",
            Some(Value::Histogram { .. }) => "histogram",
            None => continue,
        };
        let _ = writeln!(out, "# TYPE {family} {kind}");
        for sample in samples {
            expose(&family, sample, &mut out);
        }
    }
    out
}

fn expose(family: &str, sample: &Sample, out: &mut String) {
    let tags: Vec<String> = sample
        .tags
        .iter()
        .map(|(tag, value)| format!("{}=\"{}\"", identifier(tag), escaped(value)))
        .collect();
    let tags = tags.join(",");
    let braced = |tags: &str| if tags.is_empty() { String::new() } else { format!("{{{tags}}}") };
    match &sample.value {
        Value::Counter(value) | Value::Gauge(value) => {
            let _ = writeln!(out, "{family}{} {value}", braced(&tags));
        }
        Value::Histogram { cumulative, .. } => {
            let comma = if tags.is_empty() { "" } else { "," };
            let count = cumulative.count();
            for border in BUCKETS {
                let below = cumulative.count_up_to(border);
                let _ = writeln!(out, "{family}_bucket{{{tags}{comma}le=\"{border}\"}} {below}");
            }
            let _ = writeln!(out, "{family}_bucket{{{tags}{comma}le=\"+Inf\"}} {count}");
            let _ = writeln!(out, "{family}_sum{} {}", braced(&tags), rounded(cumulative.sum_ms()));
            let _ = writeln!(out, "{family}_count{} {count}", braced(&tags));
        }
    }
}

/// What Prometheus takes as a name.
fn identifier(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect()
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
