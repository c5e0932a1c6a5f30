//! One setting through several values, and what to make of it.

use core::fmt::{self, Write};
use core::time::Duration;

use super::books::Outcome;
use super::model::Model;
use super::plot::Series;
use super::settings::{Settings, parse};
use super::table::{mean_level, percent, time};

/// A run of a sweep.
#[derive(Clone, Debug)]
pub struct Point {
    /// The value that was tried.
    pub value: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// One setting through several values.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// The setting.
    pub name: String,
    /// Runs, in the order that was asked for.
    pub points: Vec<Point>,
}

/// Reads `name=a,b,c` or `name=8..256`, which doubles.
///
/// # Errors
/// What is wrong, in words.
pub fn values(text: &str) -> Result<(String, Vec<String>), String> {
    let (name, list) =
        text.split_once('=').ok_or_else(|| format!("`{text}`: write name=8,16,32 or name=8..64"))?;
    let values: Vec<String> = if let Some((from, to)) = list.split_once("..") {
        let number =
            |text: &str| text.trim().parse::<u64>().map_err(|_| format!("`{text}` is not a whole number"));
        let (from, to) = (number(from)?, number(to)?);
        if from == 0 || to < from {
            return Err(format!("`{list}`: from 1 up, the larger one last"));
        }
        let doubled = core::iter::successors(Some(from), |value| value.checked_mul(2));
        let mut values: Vec<u64> = doubled.take_while(|value| *value <= to).collect();
        if values.last() != Some(&to) {
            values.push(to);
        }
        values.iter().map(u64::to_string).collect()
    } else {
        list.split(',').map(|value| value.trim().to_owned()).collect()
    };
    for value in &values {
        parse(name.trim(), value).map_err(|error| error.to_string())?;
    }
    Ok((name.trim().to_owned(), values))
}

impl Sweep {
    /// Runs the model once for each value, with the same requests.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn run(model: &Model, base: &Settings, text: &str) -> Result<Self, String> {
        let (name, values) = values(text)?;
        let mut points = Vec::new();
        for value in values {
            let mut settings = base.clone();
            settings.set(&format!("{name}={value}")).map_err(|error| error.to_string())?;
            let model = model.with(&settings).map_err(|error| error.to_string())?;
            let (outcome, _) = model.run().map_err(|error| error.to_string())?;
            points.push(Point { value, outcome });
        }
        Ok(Self { name, points })
    }

    /// The lines of its plot.
    #[must_use]
    pub fn series(&self) -> [Series; 3] {
        let line = |name, of: &dyn Fn(&Outcome) -> Duration| {
            let values = self.points.iter().map(|point| of(&point.outcome).as_secs_f64() * 1e3).collect();
            Series { name, values }
        };
        [
            line("queue p99", &|outcome| outcome.queue.percentile(99.0)),
            line("latency p99", &|outcome| outcome.latency.percentile(99.0)),
            line("latency p50", &|outcome| outcome.latency.percentile(50.0)),
        ]
    }

    /// The table.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn table(&self, out: &mut dyn Write) -> fmt::Result {
        let wide = self.name.len().max(8);
        writeln!(
            out,
            "{:>wide$}  {:>9}  {:>9}  {:>9}  {:>9}  {:>9}  {:>8}  {:>9}  {:>9}  {:>9}",
            self.name,
            "queue p50",
            "queue p99",
            "queue max",
            "lat. p50",
            "lat. p99",
            "opened",
            "reuse",
            "peak conn",
            "failures"
        )?;
        for Point { value, outcome: o } in &self.points {
            writeln!(
                out,
                "{value:>wide$}  {:>9}  {:>9}  {:>9}  {:>9}  {:>9}  {:>8}  {:>9}  {:>9}  {:>9}",
                time(o.queue.percentile(50.0)),
                time(o.queue.percentile(99.0)),
                time(o.queue.max()),
                time(o.latency.percentile(50.0)),
                time(o.latency.percentile(99.0)),
                o.opened_total(),
                percent(o.reuse_ratio()),
                o.connections.peak(),
                o.failures()
            )?;
        }
        Ok(())
    }

    /// What the runs say to whoever has to choose a value, and what the choice costs.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn advice(&self, out: &mut dyn Write, model: &Model, goal: Duration) -> fmt::Result {
        writeln!(
            out,
            "A request holds a connection for {} on average (round trip {} and service {}). At {:.0} requests per \
             second {:.1} connections are in use at a time (Little's law), {:.1} per worker; below that no limit \
             can work, and what is above it is room for chance.",
            time(Duration::from_secs_f64(model.holding())),
            time(model.rtt),
            time(Duration::from_secs_f64(model.service.mean())),
            model.rate,
            model.offered(),
            model.offered() / f64::from(model.workers)
        )?;
        let is_good =
            |point: &&Point| point.outcome.queue.percentile(99.0) <= goal && point.outcome.failures() == 0;
        let good: Vec<&Point> = self.points.iter().filter(is_good).collect();
        let best =
            good.iter().min_by_key(|point| (point.outcome.connections.peak(), point.outcome.opened_total()));
        match best {
            Some(point) => writeln!(
                out,
                "{}={} is the cheapest of these with p99 of the queue within {} and no failure: {} connections at \
                 the peak, {:.1} in use on average.",
                self.name,
                point.value,
                time(goal),
                point.outcome.connections.peak(),
                mean_level(&point.outcome, point.outcome.active.area_nanos())
            )?,
            None => writeln!(
                out,
                "None of these values keeps p99 of the queue within {} without failures: the fewest failures are {}, \
                 the best p99 is {}.",
                time(goal),
                self.points.iter().map(|point| point.outcome.failures()).min().unwrap_or(0),
                time(self.points.iter().map(|p| p.outcome.queue.percentile(99.0)).min().unwrap_or_default())
            )?,
        }
        if model.workers > 1 {
            writeln!(
                out,
                "A connection belongs to one of the {} workers: while it is idle it holds a seat of max_connections \
                 that the others cannot have.",
                model.workers
            )?;
        }
        let seconds = |outcome: &Outcome| outcome.length().as_secs_f64().max(1e-9);
        let handshake = model.rtt * model.handshake_round_trips;
        for Point { value, outcome } in [self.points.first(), self.points.last()].into_iter().flatten() {
            writeln!(
                out,
                "With {}={value}, {:.2} connections are opened per second, one for every {:.0} requests; each \
                 handshake takes {}.",
                self.name,
                outcome.opened_total() as f64 / seconds(outcome),
                outcome.requests as f64 / outcome.opened_total().max(1) as f64,
                time(handshake)
            )?;
        }
        if let (Some(server), Some(own)) = (model.server.keep_alive_timeout, model.pool.idle_timeout()) {
            if own + model.rtt >= server {
                writeln!(
                    out,
                    "The servers close idle connections after {}: an idle_timeout below {} closes them first, and \
                     no request meets a connection that is being closed.",
                    time(server),
                    time(server.saturating_sub(model.rtt))
                )?;
            }
        }
        Ok(())
    }
}
