//! The page around the drawing: what it is of, its summary, and tables of requests.

use std::fmt::Write;
use std::time::Duration;

use pool_core::trace::{History, LogError, ReplayError};

use super::data::{Run, data};
use super::json::html;
use crate::recordings::replay::end_words;
use crate::recordings::summary::{Course, Fate, Summary, course};

const STYLE: &str = include_str!("page/style.css");
const SCRIPTS: [&str; 5] = [
    include_str!("page/model.js"),
    include_str!("page/lanes.js"),
    include_str!("page/draw.js"),
    include_str!("page/story.js"),
    include_str!("page/input.js"),
];
/// Rows of each table.
const ROWS: usize = 20;

pub(super) fn page(run: &Run<'_>) -> String {
    let histories = || run.histories.iter().map(|(_, history)| history);
    let program = histories().next().map_or("", |history| &history.header.program);
    let data = data(run);
    let mut out = String::with_capacity(data.len() + 64 * 1024);
    out.push_str("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    out.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
    html(&mut out, &format!("Recording of {program}"));
    _ = write!(out, "</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n");
    header(&mut out, run, program);
    summary(&mut out, &Summary::of(histories()), run.length);
    out.push_str(TIMELINE);
    tables(&mut out, run);
    out.push_str(FOOTER);
    _ = writeln!(out, "<script type=\"application/json\" id=\"data\">{data}</script>");
    out.push_str("<script>\n\"use strict\";\n(() => {\n");
    for script in SCRIPTS {
        out.push_str(script);
    }
    out.push_str("})();\n</script>\n</body>\n</html>\n");
    out
}

fn header(out: &mut String, run: &Run<'_>, program: &str) {
    out.push_str("<header>\n<div><h1>Recording of ");
    html(out, program);
    out.push_str("</h1>\n<p class=\"meta\">");
    let workers = run.histories.len();
    let of = run.histories.iter().map(|(_, history)| history.header.workers).max().unwrap_or(0);
    let missing = (workers as u64) < u64::from(of);
    let all = if missing { format!("{workers} of {of} workers") } else { count(workers as u64, "worker") };
    let began = run.began.map(|nanos| format!("{} UTC", date(nanos))).unwrap_or_default();
    for (index, part) in [began, duration(Duration::from_nanos(run.length)), all]
        .into_iter()
        .filter(|s| !s.is_empty())
        .enumerate()
    {
        if index > 0 {
            out.push_str(" · ");
        }
        html(out, &part);
    }
    out.push_str(
        "</p>\n</div>\n<button type=\"button\" id=\"theme\" class=\"js\">Dark</button>\n</header>\n",
    );
    out.push_str("<ul class=\"ends\">\n");
    for (file, history) in run.histories {
        let class = match &history.end {
            Ok(()) => "good",
            Err(ReplayError::Log(LogError::Truncated { .. })) => "warn",
            Err(_) => "bad",
        };
        _ = write!(out, "<li class=\"{class}\"><b>worker {}</b> ", history.header.worker);
        html(out, &format!("{} ({file}, {} entries)", end_words(&history.end), thousands(history.entries)));
        out.push_str("</li>\n");
    }
    out.push_str("</ul>\n");
}

fn summary(out: &mut String, summary: &Summary, length: u64) {
    out.push_str("<section class=\"summary\" aria-label=\"Summary\">\n");
    let seconds = (length as f64 / 1e9).max(1e-9);
    let bad: u64 = summary.fates.iter().filter(|(fate, _)| fate.is_bad()).map(|(_, count)| count).sum();
    let rate = summary.requests as f64 / seconds;
    let mut tile = |title: &str, value: String, more: String| {
        _ = write!(out, "<div class=\"tile\"><h3>{title}</h3><p class=\"value\">");
        html(out, &value);
        out.push_str("</p><p>");
        html(out, &more);
        out.push_str("</p></div>\n");
    };
    tile(
        "Requests",
        thousands(summary.requests),
        format!(
            "{} a second; {} failed, refused or answered 5xx",
            per_second(rate),
            percent(bad, summary.requests)
        ),
    );
    let spread = |lengths: &crate::recordings::summary::Lengths| {
        let at = |percent| duration(lengths.percentile(percent));
        format!("p90 {} · p99 {} · longest {}", at(90), at(99), at(100))
    };
    tile("Time to serve, median", duration(summary.served.percentile(50)), spread(&summary.served));
    let waits = summary.queued.count() as u64;
    tile(
        "Queued",
        percent(waits, summary.requests),
        match waits {
            0 => "no request waited".to_owned(),
            _ => {
                format!(
                    "of these: median {} · {}",
                    duration(summary.queued.percentile(50)),
                    spread(&summary.queued)
                )
            }
        },
    );
    tile(
        "Reuse of connections",
        percent(summary.reused, summary.bound),
        format!(
            "{} opened for {}",
            count(summary.connections(), "connection"),
            count(summary.bound, "exchange")
        ),
    );
    let overflows: u64 = summary.overflows.values().sum();
    let by: Vec<_> =
        summary.overflows.iter().map(|(limit, count)| format!("{limit} {}", thousands(*count))).collect();
    tile(
        "Refused by limits",
        thousands(overflows),
        if by.is_empty() { "no limit refused a request".to_owned() } else { by.join(" · ") },
    );
    out.push_str("</section>\n<section class=\"causes\">\n");
    let fates: Vec<_> = summary.fates.iter().map(|(fate, count)| (fate.words(), *count)).collect();
    causes(out, "How requests ended", &fates);
    let own = |causes: &std::collections::BTreeMap<&'static str, u64>| {
        causes.iter().map(|(words, count)| ((*words).to_owned(), *count)).collect::<Vec<_>>()
    };
    causes(out, "Why connections were opened", &own(&summary.opened));
    let mut closed = own(&summary.closed);
    if summary.open > 0 {
        closed.push(("still open".to_owned(), summary.open));
    }
    causes(out, "Why connections were closed", &closed);
    out.push_str("</section>\n");
}

/// A small table of counts, the largest first.
fn causes(out: &mut String, title: &str, causes: &[(String, u64)]) {
    let mut causes: Vec<_> = causes.iter().collect();
    causes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    _ = write!(out, "<table><caption>{title}</caption><tbody>");
    for (words, count) in causes {
        out.push_str("<tr><td>");
        html(out, words);
        _ = write!(out, "</td><td class=\"n\">{}</td></tr>", thousands(*count));
    }
    out.push_str("</tbody></table>\n");
}

struct Row<'a> {
    worker: u32,
    number: u64,
    history: &'a History,
    index: usize,
    course: Course,
    at: i64,
}

fn tables(out: &mut String, run: &Run<'_>) {
    let mut rows = Vec::new();
    for (number, (_, history)) in run.histories.iter().enumerate() {
        for (index, request) in history.requests.iter().enumerate() {
            let course = course(request, history.span.1);
            let at = run.time(number, course.asked);
            let worker = history.header.worker;
            rows.push(Row { worker, number: request.number, history, index, course, at });
        }
    }
    rows.sort_by_key(|row| (std::cmp::Reverse(row.course.ended.since(row.course.asked)), row.at));
    out.push_str("<section class=\"tables\">\n");
    let slowest: Vec<_> = rows
        .iter()
        .filter(|row| !matches!(row.course.fate, Fate::Failed | Fate::Overflow))
        .take(ROWS)
        .collect();
    table(out, "Slowest requests", &slowest, slowest.len());
    let mut bad: Vec<_> = rows.iter().filter(|row| row.course.fate.is_bad()).collect();
    bad.sort_by_key(|row| row.at);
    let all = bad.len();
    bad.truncate(ROWS);
    table(out, "Failed requests", &bad, all);
    out.push_str("</section>\n");
}

fn table(out: &mut String, title: &str, rows: &[&Row<'_>], all: usize) {
    _ = write!(out, "<table><caption>{title}");
    if all > rows.len() {
        _ = write!(out, " (the first {} of {})", rows.len(), thousands(all as u64));
    }
    out.push_str("</caption>");
    if rows.is_empty() {
        out.push_str("<tbody><tr><td>none</td></tr></tbody></table>\n");
        return;
    }
    out.push_str(
        "<thead><tr><th>Request</th><th class=\"n\">At</th><th class=\"n\">Took</th><th class=\"n\">Queued</th>\
         <th class=\"n\">Attempts</th><th>End</th><th>To</th></tr></thead><tbody>\n",
    );
    for row in rows {
        let Row { worker, number, history, index, course, at } = row;
        let label = history.requests[*index].chapters.iter().find_map(|chapter| match chapter.what {
            pool_core::trace::history::What::Asked { pool, .. } => {
                history.pools.get(pool).map(|pool| pool.label.as_str())
            }
            _ => None,
        });
        _ = write!(out, "<tr><td><a href=\"#{worker}:{number}\">{worker}:{number}</a></td>");
        let millis = *at / 1_000_000;
        _ = write!(out, "<td class=\"n\">{}.{:03} s</td>", millis / 1000, millis % 1000);
        _ = write!(out, "<td class=\"n\">{}</td>", duration(course.ended.since(course.asked)));
        let waited = if course.was_queued { duration(course.waited) } else { "–".to_owned() };
        _ = write!(out, "<td class=\"n\">{waited}</td><td class=\"n\">{}</td><td>", course.attempts);
        html(out, &course.fate.words());
        out.push_str("</td><td>");
        html(out, label.unwrap_or(""));
        out.push_str("</td></tr>\n");
    }
    out.push_str("</tbody></table>\n");
}

/// A length of time with three digits and a unit.
fn duration(length: Duration) -> String {
    let seconds = length.as_secs_f64();
    let (value, unit) = match seconds {
        s if s >= 1.0 => (s, "s"),
        s if s >= 1e-3 => (s * 1e3, "ms"),
        s if s > 0.0 => (s * 1e6, "µs"),
        _ => return "0 ms".to_owned(),
    };
    match value {
        v if v >= 100.0 => format!("{v:.0} {unit}"),
        v if v >= 10.0 => format!("{v:.1} {unit}"),
        v => format!("{v:.2} {unit}"),
    }
}

fn per_second(rate: f64) -> String {
    if rate < 100.0 { format!("{rate:.1}") } else { thousands(rate.round() as u64) }
}

fn percent(part: u64, whole: u64) -> String {
    match (part, whole) {
        (0, _) | (_, 0) => "0 %".to_owned(),
        (part, whole) => {
            let percent = part as f64 * 100.0 / whole as f64;
            // What is not all must not look like all, nor what is not nothing like nothing.
            if part < whole && percent > 99.95 {
                "> 99.9 %".to_owned()
            } else if percent < 0.05 {
                "< 0.1 %".to_owned()
            } else {
                format!("{percent:.1} %")
            }
        }
    }
}

fn count(number: u64, what: &str) -> String {
    format!("{} {what}{}", thousands(number), if number == 1 { "" } else { "s" })
}

/// A number with thin spaces between its thousands.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// A day and a time of day in UTC, to the second.
fn date(unix_nanos: u64) -> String {
    let seconds = unix_nanos / 1_000_000_000;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Years that begin in March end with the leap day.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year_of_era = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year}-{month:02}-{day:02} {:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60)
}

const TIMELINE: &str = include_str!("page/timeline.html");

const FOOTER: &str = "<footer>Times are from the beginning of the recording. A request's name is \
    <code>worker:number</code>; <code>pool-proxy explain DIR --request worker:number</code> tells the same story. \
    Recordings hold no header fields, paths or bodies.</footer>\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_three_digits_and_a_unit() {
        let of = |nanos| duration(Duration::from_nanos(nanos));
        assert_eq!(of(0), "0 ms");
        assert_eq!(of(1_500), "1.50 µs");
        assert_eq!(of(12_345_678), "12.3 ms");
        assert_eq!(of(999_000_000), "999 ms");
        assert_eq!(of(61_000_000_000), "61.0 s");
    }

    #[test]
    fn numbers_can_be_read() {
        assert_eq!(thousands(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(thousands(999), "999");
        assert_eq!(percent(1, 3), "33.3 %");
        assert_eq!(percent(99_999, 100_000), "> 99.9 %");
        assert_eq!(percent(1, 100_000), "< 0.1 %");
        assert_eq!(percent(5, 5), "100.0 %");
        assert_eq!(date(951_827_696_000_000_000), "2000-02-29 12:34:56");
        assert_eq!(date(1_798_761_599_000_000_000), "2026-12-31 23:59:59");
    }
}
