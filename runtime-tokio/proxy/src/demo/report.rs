//! The tables at the end.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use super::acts::{Hosts, Load};
use super::outcome::{Outcome, Played, Relation};
use super::upstream::REQUESTS_PER_CONNECTION;
use super::watch::{Breaker, GLANCE};

/// Width of the first column.
const LABEL: usize = 31;
/// Width of the others.
const CELL: usize = 8;
/// Width of everything.
const PAGE: usize = 79;

/// Prints everything.
pub(super) fn print(outcome: &Outcome, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\nWhat happened")?;
    for (number, played) in (1..).zip(&outcome.played) {
        paragraph(&format!("  {number} {:<8} ", played.act.name), &story(played), out)?;
    }
    numbers(outcome, out)?;
    breakers(outcome, out)?;
    checks(outcome, out)
}

/// One act in a sentence or two.
fn story(played: &Played) -> String {
    let (tally, figures, entries) = (&played.tally, &played.figures, &played.entries);
    let refused = tally.refused();
    let fate = match refused {
        0 => "no client was refused".to_owned(),
        1 => "1 request was refused".to_owned(),
        _ => format!("{refused} requests were refused"),
    };
    match (played.act.load, played.act.hosts) {
        (_, Hosts::SecondLeaves) => format!(
            "{} connects failed; {} requests were sent again, {} of them with success; {fate}.",
            figures.cluster("upstream_cx_connect_fail"),
            entries.repeated,
            entries.rescued,
        ),
        (Load::Bursts(_), Hosts::Stay) => format!(
            "{refused} of {} requests found the queue full: each got its 503 in {} (median).",
            tally.sent,
            millis(quantile(&sorted(&tally.refusal_times), 0.5)),
        ),
        (Load::Loop(clients), Hosts::Stay) if clients > 16 => format!(
            "{} requests waited, at most {} at a time and {} long; {fate}.",
            figures.cluster("upstream_rq_pending_total"),
            played.watched.breakers[1].most,
            millis(quantile(&sorted(&entries.queue_times), 1.0)),
        ),
        (Load::Loop(_), Hosts::Stay) => format!(
            "{} requests on {} new connections; the hosts had {} and {} of them; {fate}.",
            figures.cluster("upstream_rq_total"),
            figures.connections(),
            played.by_host[0],
            played.by_host[1],
        ),
    }
}

/// One column per act, and one for all.
fn numbers(outcome: &Outcome, out: &mut dyn Write) -> io::Result<()> {
    let all = Played {
        act: outcome.played.first().map_or(super::acts::ACTS[0], |played| played.act),
        tally: outcome.tally(),
        watched: outcome.watched(),
        figures: outcome.figures.clone(),
        entries: outcome.entries(),
        by_host: [0, 0],
    };
    let columns: Vec<&Played> = outcome.played.iter().chain([&all]).collect();
    let mut text = String::new();
    let mut row = |label: &str, cell: &dyn Fn(&Played) -> String| {
        let _ = write!(text, "{label:<LABEL$}");
        for column in &columns {
            let _ = write!(text, "{:>CELL$}", cell(column));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    };
    row("Requests", &|p| p.tally.sent.to_string());
    row("  200", &|p| p.tally.answered.to_string());
    row("  503 the queue is full (UO)", &|p| p.tally.overflow.to_string());
    row("  503 no connection (UF)", &|p| p.tally.unconnected.to_string());
    row("  503 connection lost (UC)", &|p| p.tally.cut.to_string());
    row("  needed more than one attempt", &|p| p.entries.repeated.to_string());
    row("Connections to the upstream", &|_| String::new());
    row("  opened", &|p| p.figures.connections().to_string());
    row("  failed to open", &|p| p.figures.cluster("upstream_cx_connect_fail").to_string());
    row("  the upstream asked to close", &|p| p.figures.cluster("upstream_cx_close_notify").to_string());
    row("  most at a time", &|p| p.watched.breakers[0].most.to_string());
    row("  requests on a reused one", &|p| percent(p.entries.reused, p.entries.connected));
    row("Time in the queue, ms", &|_| String::new());
    for (label, share) in QUANTILES {
        row(label, &|p| millis_bare(quantile(&sorted(&p.entries.queue_times), share)));
    }
    row("Time until answered with 200, ms", &|_| String::new());
    for (label, share) in QUANTILES {
        row(label, &|p| millis_bare(quantile(&sorted(&p.tally.times), share)));
    }
    write!(out, "\n{:<LABEL$}", "Numbers")?;
    for played in &outcome.played {
        write!(out, "{:>CELL$}", played.act.name)?;
    }
    writeln!(out, "{:>CELL$}\n{text}", "all")?;
    writeln!(out, "  Each host ends a connection after {REQUESTS_PER_CONNECTION} requests.")
}

const QUANTILES: [(&str, f64); 4] =
    [("  median", 0.5), ("  90 %", 0.9), ("  99 %", 0.99), ("  longest", 1.0)];

/// What each breaker did.
fn breakers(outcome: &Outcome, out: &mut dyn Write) -> io::Result<()> {
    let (watched, figures) = (outcome.watched(), &outcome.figures);
    write!(out, "\n{:<LABEL$}", "Circuit breakers")?;
    for title in ["limit", "most", "open", "refused"] {
        write!(out, "{title:>CELL$}")?;
    }
    writeln!(out)?;
    let rows = [
        ("  max_connections", "upstream_cx_overflow"),
        ("  max_pending_requests", "upstream_rq_pending_overflow"),
        ("  max_requests", "upstream_rq_active_overflow"),
        ("  max_retries", "upstream_rq_retry_overflow"),
    ];
    for ((label, refused), Breaker { limit, most, open }) in rows.into_iter().zip(&watched.breakers) {
        let (open, refused) = (share_of(*open, watched.time), figures.cluster(refused));
        writeln!(out, "{label:<LABEL$}{limit:>CELL$}{most:>CELL$}{open:>CELL$}{refused:>CELL$}")?;
    }
    let open = format!(
        "share of the time in which nothing was left of the limit, looked at every {} ms. \
         Limits hold for both workers together.",
        GLANCE.as_millis()
    );
    paragraph("  open     ", &open, out)?;
    let refused = "by max_connections: connections that were not opened, so that requests waited (a pool \
                   without any may open one beyond the limit, as in Envoy); by max_pending_requests \
                   and max_requests: requests, with 503; by max_retries: retries, so that the first \
                   failure stood.";
    paragraph("  refused  ", refused, out)
}

/// Words in lines, under a beginning.
fn paragraph(begin: &str, text: &str, out: &mut dyn Write) -> io::Result<()> {
    let mut line = begin.to_owned();
    let mut is_fresh = true;
    for word in text.split(' ') {
        if !is_fresh && line.len() + 1 + word.len() > PAGE {
            writeln!(out, "{line}")?;
            line = " ".repeat(begin.len());
            is_fresh = true;
        }
        if !is_fresh {
            line.push(' ');
        }
        line.push_str(word);
        is_fresh = false;
    }
    writeln!(out, "{line}")
}

/// Whether everybody counted the same.
fn checks(outcome: &Outcome, out: &mut dyn Write) -> io::Result<()> {
    let checks = outcome.checks();
    let (held, failed): (Vec<_>, Vec<_>) = checks.iter().partition(|check| check.holds());
    let compared = held.iter().filter(|check| check.relation != Relation::Above).count();
    if failed.is_empty() {
        let agree = format!(
            "The clients, the proxy's /stats, its access log and the upstream counted the same \
             ({compared} comparisons)."
        );
        writeln!(out)?;
        paragraph("", &agree, out)?;
    } else {
        writeln!(out, "\nNot as expected:")?;
        for check in failed {
            writeln!(out, "  {check}")?;
        }
        for wrong in outcome.tally().wrong.iter().take(5) {
            writeln!(out, "  a client saw: {wrong}")?;
        }
    }
    Ok(())
}

fn sorted(times: &[Duration]) -> Vec<Duration> {
    let mut times = times.to_vec();
    times.sort_unstable();
    times
}

/// Of sorted times, the one that this share of them does not exceed.
fn quantile(sorted: &[Duration], share: f64) -> Option<Duration> {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

fn millis(time: Option<Duration>) -> String {
    format!("{} ms", millis_bare(time))
}

fn millis_bare(time: Option<Duration>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| format!("{:.2}", time.as_secs_f64() * 1000.0))
}

fn percent(part: u64, whole: u64) -> String {
    if whole == 0 { "-".to_owned() } else { format!("{:.1} %", 100.0 * part as f64 / whole as f64) }
}

fn share_of(part: Duration, whole: Duration) -> String {
    if whole.is_zero() {
        "-".to_owned()
    } else {
        format!("{:.1} %", 100.0 * part.as_secs_f64() / whole.as_secs_f64())
    }
}
