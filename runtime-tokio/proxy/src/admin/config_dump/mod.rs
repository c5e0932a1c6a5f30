//! `/config_dump`: the configuration in force, defaults filled in, in the words of Envoy's API.

mod cluster;
mod listener;

use std::time::Duration;

use http::HeaderValue;

use super::clusters::address;
use super::json::Json;
use crate::config::model::{AccessLog, AccessLogFormat, AccessLogSink, Bootstrap};

/// Everything in a bootstrap, and its parts once more where Envoy's tools look for them.
pub(super) fn json(config: &Bootstrap) -> Json {
    let listeners: Vec<Json> =
        config.listeners.iter().map(|one| listener::listener(one, &config.clusters)).collect();
    let clusters: Vec<Json> = config.clusters.iter().map(cluster::cluster).collect();
    let routes = config.listeners.iter().map(|one| {
        let routes = listener::routes(&one.manager.routes, &config.clusters);
        Json::object([("route_config", typed("envoy.config.route.v3.RouteConfiguration", routes))])
    });
    let static_clusters = clusters.iter().map(|one| {
        Json::object([("cluster", typed("envoy.config.cluster.v3.Cluster", fields(one.clone())))])
    });
    let static_listeners = listeners.iter().map(|one| {
        Json::object([("listener", typed("envoy.config.listener.v3.Listener", fields(one.clone())))])
    });
    let dumps = [
        typed(
            "envoy.admin.v3.ClustersConfigDump",
            vec![part("static_clusters", Json::list(static_clusters))],
        ),
        typed(
            "envoy.admin.v3.ListenersConfigDump",
            vec![part("static_listeners", Json::list(static_listeners))],
        ),
        typed("envoy.admin.v3.RoutesConfigDump", vec![part("static_route_configs", Json::list(routes))]),
    ];
    let bootstrap = Json::object([
        (
            "node",
            Json::object([
                ("id", Json::text(&config.node.id)),
                ("cluster", Json::text(&config.node.cluster)),
            ]),
        ),
        (
            "static_resources",
            Json::object([("listeners", Json::List(listeners)), ("clusters", Json::List(clusters))]),
        ),
        ("admin", config.admin.as_ref().map_or(Json::Null, admin)),
    ]);
    let bootstrap = typed("envoy.admin.v3.BootstrapConfigDump", vec![part("bootstrap", bootstrap)]);
    Json::object([("configs", Json::list([bootstrap].into_iter().chain(dumps)))])
}

fn admin(admin: &crate::config::model::Admin) -> Json {
    Json::object([
        ("access_log", Json::list(admin.access_log.iter().map(access_log))),
        ("address", address(admin.address)),
    ])
}

fn part(name: &str, value: Json) -> (String, Json) {
    (name.to_owned(), value)
}

fn fields(json: Json) -> Vec<(String, Json)> {
    match json {
        Json::Object(fields) => fields,
        other => vec![part("value", other)],
    }
}

/// A message that says what it is (`google.protobuf.Any`).
fn typed(name: &str, fields: Vec<(String, Json)>) -> Json {
    let kind = part("@type", Json::Text(format!("type.googleapis.com/{name}")));
    Json::Object([kind].into_iter().chain(fields).collect())
}

/// `1.500s`, as protobuf writes durations.
fn duration(time: Duration) -> Json {
    let (seconds, nanos) = (time.as_secs(), time.subsec_nanos());
    Json::Text(if nanos == 0 {
        format!("{seconds}s")
    } else if nanos % 1_000_000 == 0 {
        format!("{seconds}.{:03}s", nanos / 1_000_000)
    } else if nanos % 1000 == 0 {
        format!("{seconds}.{:06}s", nanos / 1000)
    } else {
        format!("{seconds}.{nanos:09}s")
    })
}

/// A time that can be off, which is zero in Envoy's API.
fn limit(time: Option<Duration>) -> Json {
    duration(time.unwrap_or_default())
}

fn header(value: &HeaderValue) -> Json {
    Json::Text(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn access_log(log: &AccessLog) -> Json {
    let format = match &log.format {
        AccessLogFormat::Default => Vec::new(),
        AccessLogFormat::Text(text) => {
            let source = Json::object([("inline_string", Json::text(text))]);
            vec![part("log_format", Json::object([("text_format_source", source)]))]
        }
        AccessLogFormat::Json(keys) => {
            let keys = keys.iter().map(|(key, value)| (key, Json::text(value)));
            vec![part("log_format", Json::object([("json_format", Json::object(keys))]))]
        }
    };
    let (name, message, path) = match &log.sink {
        AccessLogSink::File(path) => {
            let path = part("path", Json::Text(path.display().to_string()));
            ("envoy.access_loggers.file", "file.v3.FileAccessLog", Some(path))
        }
        AccessLogSink::Stdout => ("envoy.access_loggers.stdout", "stream.v3.StdoutAccessLog", None),
        AccessLogSink::Stderr => ("envoy.access_loggers.stderr", "stream.v3.StderrAccessLog", None),
    };
    let message = format!("envoy.extensions.access_loggers.{message}");
    Json::object([
        ("name", Json::text(name)),
        ("typed_config", typed(&message, path.into_iter().chain(format).collect())),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_protobufs() {
        for (nanos, shown) in [
            (0, "0s"),
            (5_000_000_000, "5s"),
            (250_000_000, "0.250s"),
            (1_000_001_000, "1.000001s"),
            (1, "0.000000001s"),
        ] {
            assert_eq!(duration(Duration::from_nanos(nanos)), Json::text(shown));
        }
    }
}
