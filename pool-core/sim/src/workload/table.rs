//! Outcomes side by side, as text and as JSON.

use core::fmt::{self, Write};
use core::time::Duration;

use super::books::{CAUSES, Ended, OPENED, Outcome};

/// Rows of a table: a name, and one text per outcome.
fn rows(outcomes: &[&Outcome]) -> Vec<(String, Vec<String>)> {
    let mut rows = Vec::new();
    let mut row = |name: &str, of: &dyn Fn(&Outcome) -> String| {
        rows.push((name.to_owned(), outcomes.iter().map(|outcome| of(outcome)).collect()));
    };
    row("requests", &|o| o.requests.to_string());
    for ended in Ended::ALL {
        if ended == Ended::Answered || outcomes.iter().any(|o| o.of(ended) > 0) {
            row(&format!("  {}", ended.name()), &|o| o.of(ended).to_string());
        }
    }
    row("overflows (UO)", &|o| o.overflows().to_string());
    row("failures, overflows included", &|o| o.failures().to_string());
    row("requests that waited", &|o| percent(o.queue.above_zero() as f64 / o.queue.count().max(1) as f64));
    for (name, percentile) in [("p50", 50.0), ("p90", 90.0), ("p99", 99.0)] {
        row(&format!("queue {name}"), &|o| time(o.queue.percentile(percentile)));
    }
    row("queue max", &|o| time(o.queue.max()));
    for (name, percentile) in [("p50", 50.0), ("p90", 90.0), ("p99", 99.0)] {
        row(&format!("latency {name}"), &|o| time(o.latency.percentile(percentile)));
    }
    row("latency max", &|o| time(o.latency.max()));
    row("peak queue", &|o| o.queued.peak().to_string());
    row("connections opened", &|o| o.opened_total().to_string());
    for (index, name) in OPENED.iter().enumerate() {
        if outcomes.iter().any(|o| o.opened[index] > 0) {
            row(&format!("  for {name}"), &|o| o.opened[index].to_string());
        }
    }
    row("connections closed", &|o| o.closed.iter().sum::<u64>().to_string());
    for (index, name) in CAUSES.iter().enumerate() {
        if outcomes.iter().any(|o| o.closed[index] > 0) {
            row(&format!("  {name}"), &|o| o.closed[index].to_string());
        }
    }
    row("peak connections", &|o| o.connections.peak().to_string());
    row("mean connections in use", &|o| format!("{:.2}", mean_level(o, o.active.area_nanos())));
    row("reuse ratio", &|o| percent(o.reuse_ratio()));
    row("replays", &|o| o.replays.to_string());
    row("retries", &|o| o.retries.to_string());
    row("retries refused", &|o| o.retry_overflow.to_string());
    rows
}

/// The mean of a level over the run.
#[must_use]
pub fn mean_level(outcome: &Outcome, area: u128) -> f64 {
    area as f64 / (outcome.length().as_nanos() as f64).max(1.0)
}

/// Writes a table with a column for each outcome.
///
/// # Errors
/// Those of the writer.
pub fn text(out: &mut dyn Write, names: &[&str], outcomes: &[&Outcome]) -> fmt::Result {
    let rows = rows(outcomes);
    let first = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().map(|(_, cells)| cells[column].len());
        cells.chain([names[column].len()]).max().unwrap_or(0)
    };
    write!(out, "{:first$}", "")?;
    for (column, name) in names.iter().enumerate() {
        write!(out, "  {name:>0$}", width(column))?;
    }
    writeln!(out)?;
    for (name, cells) in &rows {
        write!(out, "{name:first$}")?;
        for (column, cell) in cells.iter().enumerate() {
            write!(out, "  {cell:>0$}", width(column))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// Writes an outcome as a JSON object. Times are nanoseconds.
///
/// # Errors
/// Those of the writer.
pub fn json(out: &mut dyn Write, outcome: &Outcome) -> fmt::Result {
    let o = outcome;
    write!(out, "{{\"length\":{},\"requests\":{},\"ended\":{{", o.length().as_nanos(), o.requests)?;
    object(out, Ended::ALL.iter().map(|ended| (ended.name(), o.of(*ended))))?;
    write!(out, "}},\"overflows\":{},\"failures\":{},", o.overflows(), o.failures())?;
    for (name, histogram) in [("queue", &o.queue), ("latency", &o.latency)] {
        let p = |percent| histogram.percentile(percent).as_nanos();
        write!(
            out,
            "\"{name}\":{{\"count\":{},\"above_zero\":{},\"mean\":{},\"p50\":{},\"p90\":{},\"p99\":{},\"max\":{}}},",
            histogram.count(),
            histogram.above_zero(),
            histogram.mean().as_nanos(),
            p(50.0),
            p(90.0),
            p(99.0),
            histogram.max().as_nanos()
        )?;
    }
    write!(out, "\"opened\":{{")?;
    object(out, OPENED.iter().copied().zip(o.opened))?;
    write!(out, "}},\"closed\":{{")?;
    object(out, CAUSES.iter().copied().zip(o.closed))?;
    write!(
        out,
        "}},\"open_at_end\":{},\"peak_connections\":{},\"peak_queue\":{},\"mean_in_use\":{:.6},",
        o.open_at_end,
        o.connections.peak(),
        o.queued.peak(),
        mean_level(o, o.active.area_nanos())
    )?;
    write!(
        out,
        "\"reuse_ratio\":{:.6},\"replays\":{},\"retries\":{},\"retries_refused\":{}}}",
        o.reuse_ratio(),
        o.replays,
        o.retries,
        o.retry_overflow
    )
}

fn object<'a>(out: &mut dyn Write, fields: impl Iterator<Item = (&'a str, u64)>) -> fmt::Result {
    for (index, (name, value)) in fields.enumerate() {
        let comma = if index > 0 { "," } else { "" };
        write!(out, "{comma}{}:{value}", quoted(name))?;
    }
    Ok(())
}

/// A string as JSON has it (RFC 8259 7).
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A length of time with three figures.
#[must_use]
pub fn time(length: Duration) -> String {
    if length.is_zero() {
        return "0".to_owned();
    }
    let nanos = length.as_nanos() as f64;
    let (value, unit) = match nanos {
        n if n < 1e3 => (n, "ns"),
        n if n < 1e6 => (n / 1e3, "us"),
        n if n < 1e9 => (n / 1e6, "ms"),
        n => (n / 1e9, "s"),
    };
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.digits$} {unit}")
}

/// A share in percent.
#[must_use]
pub fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}
