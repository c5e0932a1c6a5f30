//! Which paths there are, and what each says about itself.

use std::fmt::Write as _;

/// What a path stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Home,
    Help,
    Certs,
    Clusters,
    ConfigDump,
    HotRestartVersion,
    Listeners,
    Memory,
    Pools,
    Ready,
    Runtime,
    ServerInfo,
    Stats,
    StatsPrometheus,
    DrainListeners,
    HealthcheckFail,
    HealthcheckOk,
    Quit,
    ReopenLogs,
    ResetCounters,
}

/// Whether asking changes something: then only POST will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Reads,
    Changes,
}

use Effect::{Changes, Reads};
use Endpoint as E;

/// Paths by name, with Envoy's words where Envoy has the path.
pub(super) const ENDPOINTS: [(&str, Endpoint, Effect, &str); 20] = [
    ("/", E::Home, Reads, "Admin home page"),
    ("/certs", E::Certs, Reads, "print certs on machine"),
    ("/clusters", E::Clusters, Reads, "upstream cluster status (?format=json)"),
    ("/config_dump", E::ConfigDump, Reads, "the configuration in force (?format=yaml: as it was read)"),
    ("/drain_listeners", E::DrainListeners, Changes, "drain listeners (?graceful, &skip_exit)"),
    ("/healthcheck/fail", E::HealthcheckFail, Changes, "cause the server to fail health checks"),
    ("/healthcheck/ok", E::HealthcheckOk, Changes, "cause the server to pass health checks"),
    ("/help", E::Help, Reads, "print out list of admin commands"),
    ("/hot_restart_version", E::HotRestartVersion, Reads, "print the hot restart compatibility version"),
    ("/listeners", E::Listeners, Reads, "print listener info (?format=json)"),
    ("/memory", E::Memory, Reads, "print memory usage of the process"),
    ("/pools", E::Pools, Reads, "every connection pool: connections, waiters, breakers (?format=json)"),
    ("/quitquitquit", E::Quit, Changes, "exit the server"),
    ("/ready", E::Ready, Reads, "print server state, return 200 if LIVE, otherwise return 503"),
    ("/reopen_logs", E::ReopenLogs, Changes, "reopen access logs"),
    ("/reset_counters", E::ResetCounters, Changes, "reset all counters to zero"),
    ("/runtime", E::Runtime, Reads, "print runtime values"),
    ("/server_info", E::ServerInfo, Reads, "print server version/status information"),
    (
        "/stats",
        E::Stats,
        Reads,
        "print server stats (?usedonly, ?filter=<regex>, ?format=json|prometheus|text, \
         ?type=Counters|Gauges|Histograms)",
    ),
    ("/stats/prometheus", E::StatsPrometheus, Reads, "print server stats in prometheus format"),
];

pub(super) fn find(path: &str) -> Option<(Endpoint, Effect)> {
    let found = ENDPOINTS.iter().find(|(known, ..)| *known == path);
    found.map(|(_, endpoint, effect, _)| (*endpoint, *effect))
}

/// The list of paths as text.
pub(super) fn help() -> String {
    let mut out = String::from("admin commands are:\n");
    for (path, _, effect, says) in ENDPOINTS {
        let post = match effect {
            Reads => "",
            Changes => " (POST)",
        };
        // Writing to a `String` does not fail.
        let _ = writeln!(out, "  {path}{post}: {says}");
    }
    out
}

/// The list of paths as a page; what changes something is a button.
pub(super) fn page() -> String {
    let mut rows = String::new();
    for (path, _, effect, says) in ENDPOINTS {
        let name = path.trim_start_matches('/');
        let what = match effect {
            Reads => format!("<a href=\"{path}\">{}</a>", if name.is_empty() { "/" } else { name }),
            Changes => format!("<form action=\"{path}\" method=\"post\"><button>{name}</button></form>"),
        };
        let says = says.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let _ = writeln!(rows, "<tr><td>{what}</td><td>{says}</td></tr>");
    }
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Admin</title>\n\
         <style>body {{ font-family: sans-serif }} td {{ padding: 2px 12px 2px 0 }} \
         form {{ margin: 0 }}</style>\n</head>\n<body>\n<h1>Admin</h1>\n<table>\n{rows}</table>\n\
         </body>\n</html>\n"
    )
}
