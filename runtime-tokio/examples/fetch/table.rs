//! What the pools did, one column per act.

use std::time::Duration;

use pool_core::client::PoolSnapshot;
use pool_core::limits::Gauge;

use crate::Outcome;

pub(crate) fn print(outcomes: &[Outcome]) {
    let row = |label: &str, cell: &dyn Fn(&Outcome) -> String| {
        let cells: String = outcomes.iter().map(|outcome| format!("{:>16}", cell(outcome))).collect();
        println!("{label:<36}{cells}");
    };
    let section = |title: &str| println!("\n{title}");

    row("", &|o| o.act.title.to_owned());
    row("requests", &|o| o.act.requests.to_string());
    row("  answered", &|o| o.tally.answered.to_string());
    row("  failed", &|o| o.tally.failures.len().to_string());
    row("  sent again after a harmless failure", &|o| o.tally.replays.to_string());

    section("connections");
    row("  opened", &|o| o.end.stats.cx_total.to_string());
    row("  requests on a reused one", &|o| o.tally.reused.to_string());
    row("  reuse", &|o| percent(o.tally.reused, o.tally.answered));
    row("  the origin said `close`", &|o| o.end.stats.cx_close_notify.to_string());
    row("  ended by the origin, by us", &|o| {
        format!("{}, {}", o.end.stats.cx_destroy_remote, o.end.stats.cx_destroy_local)
    });
    row("  at the end: ready, draining", &|o| format!("{}, {}", o.end.counts.ready, o.end.counts.draining));

    section("queue");
    row("  requests that had to wait", &|o| o.end.stats.rq_pending_total.to_string());
    for (label, share) in
        [("  time, median", 0.5), ("  time, 90 %", 0.9), ("  time, 99 %", 0.99), ("  time, longest", 1.0)]
    {
        row(label, &|o| millis(quantile(&o.tally.queue_times, share)));
    }

    section("the busiest moment");
    row("  in progress, waiting", &|o| format!("{}, {}", o.busiest.triple.active, o.busiest.triple.pending));
    row("  connecting, ready, busy, draining", &|o| states(&o.busiest));
    row("  breaker: connections", &|o| breaker(&o.busiest.connections_breaker));
    row("  breaker: pending requests", &|o| breaker(&o.busiest.pending_breaker));
    row("  breaker: requests", &|o| breaker(&o.busiest.requests_breaker));
}

fn states(pool: &PoolSnapshot) -> String {
    let counts = pool.counts;
    format!("{}, {}, {}, {}", counts.connecting, counts.ready, counts.busy, counts.draining)
}

fn breaker(gauge: &Gauge) -> String {
    format!("{} of {}{}", gauge.current, gauge.max, if gauge.open { " OPEN" } else { "" })
}

fn percent(part: u32, whole: u32) -> String {
    if whole == 0 { "-".to_owned() } else { format!("{:.1} %", 100.0 * f64::from(part) / f64::from(whole)) }
}

fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

/// Of sorted times, the one that this share of them does not exceed.
fn quantile(sorted: &[Duration], share: f64) -> Duration {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}
