//! What is printed: JSON lines, then tables with ratios.

use std::fmt::Write as _;

use crate::cases::Load;
use crate::figures::{Figures, NAMES};

/// The outcome of one case for one peer: medians, and the rounds behind them.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) load: Load,
    pub(crate) peer: String,
    pub(crate) medians: Figures,
    /// Smallest and largest of the case's main figure.
    pub(crate) range: Option<(f64, f64)>,
}

impl Row {
    fn main(&self) -> Option<f64> {
        self.medians.get(self.load.bench().main_figure())
    }
}

/// Whether a peer is somebody's product, so that a ratio to it means something.
fn is_rival(peer: &str) -> bool {
    !is_floor(peer) && !is_ours(peer)
}

fn is_floor(peer: &str) -> bool {
    peer.starts_with("floor")
}

fn is_ours(peer: &str) -> bool {
    peer.starts_with("ours")
}

/// One line of JSON; a figure that was not taken is `null`.
pub(crate) fn json(row: &Row) -> String {
    let mut line = format!(
        "{{\"bench\":\"{}\",\"case\":\"{}\",\"peer\":\"{}\"",
        row.load.bench().name(),
        escaped(&row.load.to_string()),
        escaped(&row.peer)
    );
    for name in NAMES {
        // Writing to a String cannot fail.
        let _ = match row.medians.get(name) {
            Some(value) if value.is_finite() => write!(line, ",\"{name}\":{}", rounded(value)),
            _ => write!(line, ",\"{name}\":null"),
        };
    }
    line.push('}');
    line
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' | '\\' => safe.extend(['\\', character]),
            control if control.is_control() => {
                // Writing to a String cannot fail.
                let _ = write!(safe, "\\u{:04x}", u32::from(control));
            }
            other => safe.push(other),
        }
    }
    safe
}

/// Four decimals: ns of an operation given in µs stay visible with one decimal of their own.
fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

/// The best rival's value of a figure; smaller is better in every figure that ratios are taken of.
fn best<'a>(rows: &'a [Row], figure: &str) -> Option<(&'a str, f64)> {
    let rivals = rows.iter().filter(|row| is_rival(&row.peer));
    let values = rivals.filter_map(|row| Some((row.peer.as_str(), row.medians.get(figure)?)));
    values.min_by(|(_, one), (_, other)| one.total_cmp(other))
}

/// A table of the rows of one case, best first, and the ratios of ours to each rival by name.
pub(crate) fn table(rows: &[Row]) -> String {
    let Some(first) = rows.first() else { return String::new() };
    let main = first.load.bench().main_figure();
    let mut rows = rows.to_vec();
    rows.sort_by(|one, other| {
        let value = |row: &Row| row.main().unwrap_or(f64::INFINITY);
        value(one).total_cmp(&value(other))
    });
    let shown: Vec<&str> =
        NAMES.into_iter().filter(|name| rows.iter().any(|row| row.medians.get(name).is_some())).collect();

    let mut grid = vec![vec!["peer".to_owned(), main.to_owned(), "min..max".to_owned(), "ratio".to_owned()]];
    grid[0].extend(shown.iter().filter(|name| **name != main).map(|name| (*name).to_owned()));
    let reference = best(&rows, main);
    for row in &rows {
        let range =
            row.range.map_or("-".to_owned(), |(low, high)| format!("{}..{}", number(low), number(high)));
        let ratio = match (row.main(), reference) {
            (Some(value), Some((_, best))) if best > 0.0 => format!("{:.2}", value / best),
            _ => "-".to_owned(),
        };
        let mut cells = vec![row.peer.clone(), row.main().map_or("-".to_owned(), number), range, ratio];
        let rest = shown.iter().filter(|name| **name != main);
        cells.extend(rest.map(|name| row.medians.get(name).map_or("-".to_owned(), number)));
        grid.push(cells);
    }
    let mut text = format!("\n## {} {}\n\n", first.load.bench().name(), first.load);
    text.push_str(&aligned(&grid));
    text.push_str(&ratios(&rows, main));
    text
}

/// For each of ours: its ratios to the best rival and to every rival, in CPU (or heap) and instructions.
fn ratios(rows: &[Row], main: &str) -> String {
    let mut text = String::new();
    for ours in rows.iter().filter(|row| is_ours(&row.peer)) {
        for figure in [main, "instructions"] {
            let (Some(value), Some((name, least))) = (ours.medians.get(figure), best(rows, figure)) else {
                continue;
            };
            let mut line = format!("{}: {figure} {:.2}x the best peer ({name})", ours.peer, value / least);
            for rival in rows.iter().filter(|row| is_rival(&row.peer)) {
                if let Some(other) = rival.medians.get(figure) {
                    // Writing to a String cannot fail.
                    let _ = write!(line, ", {:.2}x {}", value / other, rival.peer);
                }
            }
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}

/// Enough digits to compare, no more.
fn number(value: f64) -> String {
    match value.abs() {
        small if small < 0.001 => "0".to_owned(),
        small if small < 1.0 => format!("{value:.4}"),
        medium if medium < 100.0 => format!("{value:.2}"),
        _ => format!("{value:.0}"),
    }
}

fn aligned(grid: &[Vec<String>]) -> String {
    let columns = grid.first().map_or(0, Vec::len);
    let width = |column: usize| grid.iter().map(|cells| cells[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (index, cells) in grid.iter().enumerate() {
        let line: Vec<String> =
            cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(&format!("| {} |\n", line.join(" | ")));
        if index == 0 {
            let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
            text.push_str(&format!("|-{}-|\n", rule.join("-|-")));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOAD: Load = Load::Client { body: 100, concurrency: 64 };

    fn row(peer: &str, cpu: f64, instructions: Option<f64>) -> Row {
        let mut medians = Figures::default();
        medians.set("cpu_us", cpu);
        if let Some(instructions) = instructions {
            medians.set("instructions", instructions);
        }
        Row { load: LOAD, peer: peer.to_owned(), medians, range: Some((cpu - 1.0, cpu + 1.0)) }
    }

    #[test]
    fn a_json_line_has_every_field_and_null_for_what_was_not_taken() {
        let line = json(&row("hyper-util", 8.063_219, None));
        assert_eq!(
            line,
            "{\"bench\":\"client\",\"case\":\"body=100 concurrency=64\",\"peer\":\"hyper-util\",\
             \"cpu_us\":8.0632,\"instructions\":null,\"allocations\":null,\"syscalls\":null,\
             \"p50_us\":null,\"p99_us\":null,\"heap_b\":null,\"peak_rss_kb\":null,\"conns\":null,\
             \"errors\":null,\"rps\":null,\"load_cores\":null,\"foreign\":null}"
        );
    }

    #[test]
    fn text_in_json_is_escaped() {
        assert_eq!(escaped("a\"b\\c\n"), "a\\\"b\\\\c\\u000a");
    }

    #[test]
    fn ratios_are_to_the_best_rival_and_never_to_a_floor() {
        let rows = [
            row("hyper-util", 8.0, Some(20_000.0)),
            row("floor", 2.0, Some(3_000.0)),
            row("ours", 4.0, Some(10_000.0)),
            row("pingora", 10.0, None),
        ];
        let text = table(&rows);
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("| ")).collect();
        let cell = |line: &str, column: usize| line.split('|').nth(column).map(|cell| cell.trim().to_owned());
        let peers: Vec<_> = lines.iter().skip(1).filter_map(|line| cell(line, 1)).collect();
        assert_eq!(peers, ["floor", "ours", "hyper-util", "pingora"], "{text}");
        let shown: Vec<_> = lines.iter().skip(1).filter_map(|line| cell(line, 4)).collect();
        assert_eq!(shown, ["0.25", "0.50", "1.00", "1.25"], "{text}");
        assert!(
            text.contains("ours: cpu_us 0.50x the best peer (hyper-util), 0.50x hyper-util, 0.40x pingora\n")
        );
        assert!(text.contains("ours: instructions 0.50x the best peer (hyper-util), 0.50x hyper-util\n"));
    }

    #[test]
    fn without_a_rival_there_is_no_ratio() {
        let text = table(&[row("floor", 2.0, None), row("ours", 4.0, None)]);
        assert!(!text.contains("best peer"), "{text}");
        assert!(text.contains("| floor | 2.00   | 1.00..3.00 | -     |"), "{text}");
    }
}
