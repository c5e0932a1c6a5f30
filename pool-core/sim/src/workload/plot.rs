//! A sweep drawn: as SVG that carries all it needs, and in letters.

use core::fmt::{self, Write};

/// A line of a plot.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its name.
    pub name: &'static str,
    /// Milliseconds, by point.
    pub values: Vec<f64>,
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 380.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 110.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 60.0;

/// Decades from the lowest line of the plot to the highest: what is shorter, zero too, lies on the lowest.
fn decades(series: &[Series]) -> (i32, i32) {
    let values = || series.iter().flat_map(|one| one.values.iter().copied()).filter(|value| *value > 0.0);
    let top = values().fold(1e-3, f64::max).log10().ceil() as i32;
    let least = values().fold(10_f64.powi(top), f64::min).log10().floor() as i32;
    (least.max(top - 6).min(top - 1), top)
}

/// Draws lines over named points, in milliseconds.
///
/// # Errors
/// Those of the writer.
pub fn svg(
    out: &mut dyn Write,
    title: &str,
    axis: &str,
    points: &[String],
    series: &[Series],
) -> fmt::Result {
    let (low, high) = decades(series);
    let x = |index: usize| LEFT + (WIDTH - LEFT - RIGHT) * (index as f64 + 0.5) / points.len().max(1) as f64;
    // Past saturation waits are thousands of times longer: only a logarithmic axis shows both sides.
    let y = |value: f64| {
        let decade = value.max(10_f64.powi(low)).log10() - f64::from(low);
        HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * decade / f64::from(high - low)
    };
    let (title, axis) = (escaped(title), escaped(axis));
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
         aria-label=\"{title}\" font-family=\"system-ui, sans-serif\" font-size=\"12\">\n<style>\n\
         svg{{--ink:#1f2328;--faint:#d0d7de;--paper:#ffffff;--l0:#0969da;--l1:#bc4c00;--l2:#1a7f37;background:var(--paper)}}\n\
         @media(prefers-color-scheme:dark){{svg{{--ink:#e6edf3;--faint:#3d444d;--paper:#0d1117;--l0:#4493f8;--l1:#f0883e;--l2:#3fb950}}}}\n\
         text{{fill:var(--ink)}} .grid{{stroke:var(--faint)}} .line{{fill:none;stroke-width:2}}\n</style>"
    )?;
    writeln!(out, "<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"var(--paper)\"/>")?;
    writeln!(out, "<text x=\"{LEFT}\" y=\"22\" font-size=\"15\" font-weight=\"600\">{title}</text>")?;
    for decade in low..=high {
        let value = 10_f64.powi(decade);
        let (at, end) = (y(value), WIDTH - RIGHT);
        writeln!(out, "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{end}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>")?;
        let (tx, ty) = (LEFT - 8.0, at + 4.0);
        writeln!(
            out,
            "<text x=\"{tx}\" y=\"{ty:.1}\" text-anchor=\"end\">{}{}</text>",
            if decade == low { "0 to " } else { "" },
            trimmed(value)
        )?;
    }
    let every = points.len().div_ceil(14).max(1);
    for (index, point) in points.iter().enumerate().step_by(every) {
        let (tx, ty) = (x(index), HEIGHT - BOTTOM + 18.0);
        writeln!(out, "<text x=\"{tx:.1}\" y=\"{ty}\" text-anchor=\"middle\">{}</text>", escaped(point))?;
    }
    let (middle, below) = ((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 14.0);
    writeln!(out, "<text x=\"{middle}\" y=\"{below}\" text-anchor=\"middle\">{axis}</text>")?;
    let centre = (TOP + HEIGHT - BOTTOM) / 2.0;
    writeln!(
        out,
        "<text transform=\"translate(16 {centre}) rotate(-90)\" text-anchor=\"middle\">milliseconds, logarithmic</text>"
    )?;
    for (number, one) in series.iter().enumerate() {
        let places = one.values.iter().enumerate().map(|(index, value)| (x(index), y(*value)));
        let path: Vec<String> = places.clone().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let colour = format!("var(--l{})", number % 3);
        writeln!(out, "<polyline class=\"line\" stroke=\"{colour}\" points=\"{}\"/>", path.join(" "))?;
        for ((cx, cy), value) in places.zip(&one.values) {
            writeln!(
                out,
                "<circle cx=\"{cx:.1}\" cy=\"{cy:.1}\" r=\"3.5\" fill=\"{colour}\"><title>{}: {} ms</title></circle>",
                one.name,
                trimmed(*value)
            )?;
        }
        let (lx, ly) = (WIDTH - RIGHT + 12.0, TOP + 12.0 + 20.0 * number as f64);
        let end = lx + 18.0;
        writeln!(
            out,
            "<line class=\"line\" stroke=\"{colour}\" x1=\"{lx}\" x2=\"{end}\" y1=\"{ly}\" y2=\"{ly}\"/>"
        )?;
        writeln!(out, "<text x=\"{}\" y=\"{}\">{}</text>", end + 6.0, ly + 4.0, one.name)?;
    }
    writeln!(out, "</svg>")
}

/// A bar of letters for each point of a series.
///
/// # Errors
/// Those of the writer.
pub fn bars(out: &mut dyn Write, axis: &str, points: &[String], series: &Series) -> fmt::Result {
    let top = series.values.iter().fold(0.0, |a: f64, b| a.max(*b)).max(1e-9);
    let width = points.iter().map(String::len).chain([axis.len()]).max().unwrap_or(0);
    writeln!(out, "{axis:>width$} | {} in ms", series.name)?;
    for (point, value) in points.iter().zip(&series.values) {
        let length = (value / top * 50.0).round() as usize;
        writeln!(out, "{point:>width$} | {} {}", "#".repeat(length), trimmed(*value))?;
    }
    Ok(())
}

fn trimmed(value: f64) -> String {
    let text = if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.3}") };
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
