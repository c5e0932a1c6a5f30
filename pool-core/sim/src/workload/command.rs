//! `simulate` as a command: flags in, text out.

use core::fmt::Write;
use core::time::Duration;

use pool_core::exchange::Repeatable;

use super::books::Outcome;
use super::model::{Bursts, Model, Service};
use super::plot;
use super::settings::{Settings, distance, duration};
use super::sweep::Sweep;
use super::table::{json, percent, quoted, text};

/// How the command is used.
pub const USAGE: &str = "simulate [flags] [--set SETTING=VALUE]... [--sweep SETTING=8,16,32 | SETTING=8..256]

load      --rate PER_SECOND          mean arrivals, Poisson                       [1000]
          --requests N               how many come                                [100000]
          --burst-factor F           rate in a burst, times the mean              [1: none]
          --burst-share S            share of the time that is burst              [0.1]
          --burst-length TIME        mean length of a burst                       [1s]
          --workers N --hosts N                                                   [1] [1]
          --request-timeout TIME     when callers give up                         [never]
          --not-idempotent           requests that must not be sent twice
network   --rtt TIME --rtt-jitter SHARE                                           [1ms] [0]
          --handshakes N             round trips to connect: TCP 1, TLS 1.3 2     [1]
service   --service constant:TIME | exponential:MEAN | lognormal:P50,P99 | pareto:MIN,ALPHA
                                                                                  [exponential:10ms]
server    --server-concurrency N     requests a host works on at a time           [any]
          --server-keep-alive TIME   when it closes idle connections              [never]
          --server-max-requests N    requests per connection                      [any]
          --server-max-connections N connections per host                         [any]
output    --goal TIME                wanted p99 of the queue, for the advice      [1ms]
          --format text|json|svg     svg draws a sweep                            [text]
          --seed N                                                                [1]
";

const FLAGS: [&str; 22] = [
    "--rate",
    "--requests",
    "--burst-factor",
    "--burst-share",
    "--burst-length",
    "--workers",
    "--hosts",
    "--request-timeout",
    "--not-idempotent",
    "--rtt",
    "--rtt-jitter",
    "--handshakes",
    "--service",
    "--server-concurrency",
    "--server-keep-alive",
    "--server-max-requests",
    "--server-max-connections",
    "--goal",
    "--format",
    "--seed",
    "--set",
    "--sweep",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Text,
    Json,
    Svg,
}

/// What was asked for.
#[derive(Clone, Debug)]
struct Asked {
    model: Model,
    settings: Settings,
    sweep: Option<String>,
    goal: Duration,
    format: Format,
}

fn number<T: core::str::FromStr>(flag: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{flag}: `{value}` is not such a number"))
}

fn length(flag: &str, value: &str) -> Result<Duration, String> {
    duration(value).ok_or_else(|| format!("{flag}: `{value}` is not a length of time such as 250ms or 5s"))
}

fn service(value: &str) -> Result<Service, String> {
    let (kind, rest) = value.split_once(':').unwrap_or((value, ""));
    let (first, second) = rest.split_once(',').unwrap_or((rest, ""));
    let flag = "--service";
    Ok(match kind {
        "constant" => Service::Constant(length(flag, rest)?),
        "exponential" => Service::Exponential(length(flag, rest)?),
        "lognormal" => Service::LogNormal { p50: length(flag, first)?, p99: length(flag, second)? },
        "pareto" => Service::Pareto { min: length(flag, first)?, alpha: number(flag, second)? },
        _ => return Err(format!("{flag}: `{kind}` is none of constant, exponential, lognormal, pareto")),
    })
}

fn read(args: &[String]) -> Result<Asked, String> {
    let (model, settings, format) = (Model::default(), Settings::default(), Format::Text);
    let mut asked = Asked { model, settings, sweep: None, goal: Duration::from_millis(1), format };
    let mut bursts = Bursts { factor: 1.0, share: 0.1, length: Duration::from_secs(1) };
    let mut args = args.iter();
    while let Some(flag) = args.next() {
        let flag = flag.as_str();
        let model = &mut asked.model;
        if flag == "--not-idempotent" {
            model.repeatable = Repeatable::NotIdempotent;
            continue;
        }
        let Some(known) = FLAGS.into_iter().find(|known| *known == flag) else {
            let nearest = FLAGS.into_iter().min_by_key(|known| distance(known, flag)).unwrap_or(FLAGS[0]);
            return Err(format!("no flag is called `{flag}`; did you mean `{nearest}`?"));
        };
        let value = args.next().ok_or_else(|| format!("{known} wants a value"))?;
        match known {
            "--rate" => model.rate = number(flag, value)?,
            "--requests" => model.requests = number(flag, value)?,
            "--burst-factor" => bursts.factor = number(flag, value)?,
            "--burst-share" => bursts.share = number(flag, value)?,
            "--burst-length" => bursts.length = length(flag, value)?,
            "--workers" => model.workers = number(flag, value)?,
            "--hosts" => model.hosts = number(flag, value)?,
            "--request-timeout" => model.request_timeout = Some(length(flag, value)?),
            "--rtt" => model.rtt = length(flag, value)?,
            "--rtt-jitter" => model.rtt_jitter = number(flag, value)?,
            "--handshakes" => model.handshake_round_trips = number(flag, value)?,
            "--service" => model.service = service(value)?,
            "--server-concurrency" => model.server.max_concurrent = Some(number(flag, value)?),
            "--server-keep-alive" => model.server.keep_alive_timeout = Some(length(flag, value)?),
            "--server-max-requests" => model.server.max_requests_per_connection = Some(number(flag, value)?),
            "--server-max-connections" => model.server.max_connections = Some(number(flag, value)?),
            "--goal" => asked.goal = length(flag, value)?,
            "--seed" => model.seed = number(flag, value)?,
            "--set" => asked.settings.set(value).map_err(|error| error.to_string())?,
            "--sweep" => asked.sweep = Some(value.clone()),
            _ => {
                asked.format = match value.as_str() {
                    "text" => Format::Text,
                    "json" => Format::Json,
                    "svg" => Format::Svg,
                    _ => return Err(format!("--format: `{value}` is none of text, json, svg")),
                }
            }
        }
    }
    if bursts.factor > 1.0 {
        asked.model.bursts = Some(bursts);
    }
    asked.settings.check_clusters(["simulated"].into_iter()).map_err(|error| error.to_string())?;
    Ok(asked)
}

/// Runs `simulate`.
///
/// # Errors
/// What is wrong with the flags, in words.
pub fn simulate(args: &[String], out: &mut dyn Write) -> Result<(), String> {
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        return out.write_str(USAGE).map_err(|error| error.to_string());
    }
    let asked = read(args)?;
    let model = asked.model.with(&asked.settings).map_err(|error| error.to_string())?;
    model.check().map_err(|error| error.to_string())?;
    let Some(sweep) = &asked.sweep else {
        let (outcome, _) = model.run().map_err(|error| error.to_string())?;
        return one(&asked, &model, &outcome, out).map_err(|error| error.to_string());
    };
    let sweep = Sweep::run(&asked.model, &asked.settings, sweep)?;
    many(&asked, &model, &sweep, out).map_err(|error| error.to_string())
}

fn one(asked: &Asked, model: &Model, outcome: &Outcome, out: &mut dyn Write) -> core::fmt::Result {
    match asked.format {
        Format::Text | Format::Svg => {
            text(out, &["simulated"], &[outcome])?;
            let offered = model.offered();
            writeln!(
                out,
                "\nLittle's law: {offered:.2} connections in use on average if nothing waits or fails."
            )?;
            let limit = model
                .limits
                .max(pool_core::limits::Priority::Default, pool_core::limits::Resource::Connections);
            writeln!(out, "max_connections is {limit}: {} of it.", percent(offered / f64::from(limit)))
        }
        Format::Json => {
            json(out, outcome)?;
            writeln!(out)
        }
    }
}

fn many(asked: &Asked, model: &Model, sweep: &Sweep, out: &mut dyn Write) -> core::fmt::Result {
    let points: Vec<String> = sweep.points.iter().map(|point| point.value.clone()).collect();
    let series = sweep.series();
    match asked.format {
        Format::Text => {
            sweep.table(out)?;
            writeln!(out)?;
            plot::bars(out, &sweep.name, &points, &series[0])?;
            writeln!(out)?;
            sweep.advice(out, model, asked.goal)
        }
        Format::Json => {
            write!(out, "{{\"setting\":{},\"points\":[", quoted(&sweep.name))?;
            for (index, point) in sweep.points.iter().enumerate() {
                let comma = if index > 0 { "," } else { "" };
                write!(out, "{comma}{{\"value\":{},\"outcome\":", quoted(&point.value))?;
                json(out, &point.outcome)?;
                out.write_char('}')?;
            }
            writeln!(out, "]}}")
        }
        Format::Svg => {
            let title = format!("{} at {:.0} requests per second", sweep.name, model.rate);
            let unit = if sweep.name.ends_with("timeout") || sweep.name.ends_with("duration") {
                " (length of time)"
            } else if sweep.name.ends_with("ratio") {
                " (connections per request)"
            } else if sweep.name.contains("requests") {
                " (requests)"
            } else if sweep.name.contains("retries") {
                " (retries)"
            } else {
                " (connections)"
            };
            plot::svg(out, &title, &format!("{}{unit}", sweep.name), &points, &series)
        }
    }
}
