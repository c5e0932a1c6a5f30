//! A request to the admin port and its answer.

use http::{Method, Request};

use super::endpoint::{Effect, Endpoint, find, help, page};
use super::json::Json;
use super::query::Query;
use super::reply::{HTML, JSON, Reply, TEXT};
use super::source::{Action, Source};
use super::stats::Selection;
use super::{clusters, config_dump, info, pools};

/// Methods of endpoints that only read.
const READS: &str = "GET, HEAD, POST";
/// Methods of endpoints that change something.
const CHANGES: &str = "POST";

/// Answers; the body of a request is not looked at.
pub(super) fn answer<B>(source: &impl Source, request: &Request<B>) -> Reply {
    let Some((endpoint, effect)) = find(request.uri().path()) else {
        let status = http::StatusCode::NOT_FOUND;
        return Reply::with(status, format!("invalid path. {}", help()));
    };
    match (effect, request.method()) {
        (Effect::Reads, &(Method::GET | Method::HEAD | Method::POST)) | (Effect::Changes, &Method::POST) => {}
        (Effect::Reads, _) => return Reply::not_allowed(READS),
        (Effect::Changes, _) => return Reply::not_allowed(CHANGES),
    }
    let query = Query::parse(request.uri().query().unwrap_or_default());
    serve(source, endpoint, &query).unwrap_or_else(|refusal| refusal)
}

fn serve(source: &impl Source, endpoint: Endpoint, query: &Query) -> Result<Reply, Reply> {
    Ok(match endpoint {
        Endpoint::Home => Reply::ok(HTML, page()),
        Endpoint::Help => Reply::ok(TEXT, help()),
        Endpoint::Certs => json(&Json::object([("certificates", Json::list([]))])),
        Endpoint::Runtime => {
            json(&Json::object([("layers", Json::list([])), ("entries", Json::object::<String>([]))]))
        }
        Endpoint::HotRestartVersion => Reply::ok(TEXT, "disabled"),
        Endpoint::Ready => info::ready(source.state()),
        Endpoint::ServerInfo => json(&info::server_info(source)),
        Endpoint::Memory => json(&info::memory()),
        Endpoint::Clusters => {
            let status = source.clusters();
            either(query, || clusters::text(&status), || clusters::json(&status))?
        }
        Endpoint::Listeners => {
            let status = source.listeners();
            either(query, || clusters::listeners_text(&status), || clusters::listeners_json(&status))?
        }
        Endpoint::Pools => {
            let workers = source.pools();
            either(query, || pools::text(&workers), || pools::json(&workers))?
        }
        Endpoint::ConfigDump => match query.get("format") {
            None | Some("json") => json(&config_dump::json(source.config())),
            Some("yaml") => Reply::ok(TEXT, source.config_text()),
            Some(_) => return Err(Reply::bad("usage: /config_dump?format=(json|yaml)\n")),
        },
        Endpoint::Stats => Selection::parse(query)?.show(source.stats().samples(source)),
        Endpoint::StatsPrometheus => {
            Selection::parse(query)?.into_prometheus().show(source.stats().samples(source))
        }
        Endpoint::ResetCounters => {
            source.stats().reset_counters(source);
            act(source, Action::CountersReset)
        }
        Endpoint::DrainListeners => {
            let (graceful, skip_exit) = (query.has("graceful"), query.has("skip_exit"));
            if skip_exit && !graceful {
                return Err(Reply::bad("skip_exit requires graceful\n"));
            }
            if query.has("inboundonly") {
                return Err(Reply::bad("inboundonly: traffic_direction of listeners is not supported\n"));
            }
            act(source, Action::DrainListeners { graceful, skip_exit })
        }
        Endpoint::HealthcheckFail => act(source, Action::HealthcheckFail),
        Endpoint::HealthcheckOk => act(source, Action::HealthcheckOk),
        Endpoint::Quit => act(source, Action::Quit),
        Endpoint::ReopenLogs => act(source, Action::ReopenLogs),
    })
}

fn act(source: &impl Source, action: Action) -> Reply {
    source.act(action);
    Reply::ok(TEXT, "OK\n")
}

fn json(json: &Json) -> Reply {
    Reply::ok(JSON, format!("{json}\n"))
}

fn either(
    query: &Query,
    as_text: impl FnOnce() -> String,
    as_json: impl FnOnce() -> Json,
) -> Result<Reply, Reply> {
    match query.get("format") {
        None | Some("text") => Ok(Reply::ok(TEXT, as_text())),
        Some("json") => Ok(json(&as_json())),
        Some(_) => Err(Reply::bad("usage: ?format=(json|text)\n")),
    }
}
