//! `what-if` as a command: recordings and flags in, text out.

use core::fmt::Write;

use super::{Comparison, compare};
use crate::workload::settings::Settings;
use crate::workload::table::{json, percent, quoted, text};

/// How the command is used.
pub const USAGE: &str = "what-if RECORDINGS [--set SETTING=VALUE]... [--seed N] [--format text|json]

Settings: max_connections, max_pending_requests, max_requests, max_retries, max_connections_per_host,
idle_timeout, max_connection_duration, max_requests_per_connection, connect_timeout, pending_timeout,
per_upstream_preconnect_ratio; for one cluster: cluster.NAME.SETTING=VALUE.
";

/// Runs `what-if` on recordings that were read already; `args` are the flags.
///
/// # Errors
/// What is wrong, in words.
pub fn what_if(files: &[&[u8]], args: &[String], out: &mut dyn Write) -> Result<(), String> {
    let (mut settings, mut seed, mut as_json) = (Settings::default(), 1, false);
    let mut args = args.iter();
    while let Some(flag) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{flag} wants a value"));
        match flag.as_str() {
            "--set" => settings.set(value()?).map_err(|error| error.to_string())?,
            "--seed" => seed = value()?.parse().map_err(|_| "--seed wants a whole number".to_owned())?,
            "--format" => {
                as_json = match value()?.as_str() {
                    "json" => true,
                    "text" => false,
                    other => return Err(format!("--format: `{other}` is none of text, json")),
                }
            }
            other => return Err(format!("no flag is called `{other}`\n\n{USAGE}")),
        }
    }
    let comparison = compare(files, &settings, seed).map_err(|error| error.to_string())?;
    write(&comparison, as_json, out).map_err(|error| error.to_string())
}

fn write(comparison: &Comparison, as_json: bool, out: &mut dyn Write) -> core::fmt::Result {
    let Comparison { recorded, what_if, notes } = comparison;
    let imputed = what_if.imputed;
    let begin = recorded.outcome.span.0;
    if as_json {
        out.write_str("{\"recorded\":")?;
        json(out, &recorded.outcome)?;
        out.write_str(",\"what_if\":")?;
        json(out, &what_if.outcome)?;
        let at = what_if.diverged_at.map_or("null".to_owned(), |at| at.since(begin).as_nanos().to_string());
        let notes: Vec<String> = notes.iter().map(|note| quoted(note)).collect();
        let share = imputed.share();
        return writeln!(
            out,
            ",\"diverged_at\":{at},\"followed\":{},\"imputed\":{share:.6},\"notes\":[{}]}}",
            what_if.followed,
            notes.join(",")
        );
    }
    text(out, &["recorded", "what if"], &[&recorded.outcome, &what_if.outcome])?;
    writeln!(out)?;
    if let Some(at) = what_if.diverged_at {
        writeln!(
            out,
            "The same as recorded for {:?} ({} steps). After that {} of {} exchanges and {} of {} connection \
             attempts are drawn from what was recorded of their host: {} of these values are imputed.",
            at.since(begin),
            what_if.followed,
            imputed.exchanges_drawn,
            imputed.exchanges_drawn + imputed.exchanges_recorded,
            imputed.dials_drawn,
            imputed.dials_drawn + imputed.dials_recorded,
            percent(imputed.share())
        )?;
    }
    for note in notes {
        writeln!(out, "Note: {note}.")?;
    }
    Ok(())
}
