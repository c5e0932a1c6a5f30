//! One request on its way through: refused, answered here, or forwarded.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Request, Response, StatusCode, Uri};
use http_body::Body as _;
use pool_core::client::{Answered, Error};
use pool_core::runtime::Runtime as _;
use pool_core::time::Instant;
use runtime_tokio::Incoming;

use super::body::{Call, RequestBody, ResponseBody, Trailers, Upload, UpstreamBody};
use super::context::{Connection, Context};
use super::plan::{Action, Plan, Target};
use super::reply::Reply;
use super::request::{self, Refusal, Wants};
use super::response::Date;
use super::tunnel::Offer;
use super::watch::Watch;
use super::{failure, names, response};
use crate::route::{self, RouteId};

/// The future of a response.
///
/// ```text
///   new --+--> Answered ------------------------------+
///         |    refused, no route, direct response     |
///         +--> Calling ---------- response -----------+--> Over
///                 |   \--- failed, timed out: reply --+
///                 +-- dropped: the client is gone, the upstream request is given up
/// ```
pub struct Exchange {
    stage: Stage,
    /// Accounts for the request; moves on to the body of the response.
    watch: Option<Watch>,
}

#[expect(clippy::large_enum_variant, reason = "lives in the connection's one allocation; mostly a call")]
enum Stage {
    /// The response is there.
    Answered(Option<Response<ResponseBody>>),
    /// The upstream is asked.
    Calling(Calling),
    Over,
}

/// A request that is being forwarded.
struct Calling {
    call: Call,
    route: RouteId,
    /// Until when the attempt that has this connection may take.
    attempt: Option<(u64, Instant)>,
    /// Where interim responses go; and the tunnel, if one was asked for.
    offer: Offer,
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange").finish_non_exhaustive()
    }
}

/// What became of a look at the request.
enum Verdict {
    Refused(Reply),
    Direct(StatusCode, Bytes),
    Forward(RouteId, Wants),
}

impl Exchange {
    pub(crate) fn new(connection: &Arc<Connection>, request: Request<Incoming>) -> Self {
        let (mut head, incoming) = request.into_parts();
        let mut watch = Watch::new(connection, &incoming);
        let context = &*connection.context;
        let verdict = judge(context, &mut head, &incoming, &mut watch);
        let stage = match verdict {
            Verdict::Forward(route, wants) => {
                match forward(context, route, wants, head, incoming, &mut watch) {
                    Some(calling) => Stage::Calling(calling),
                    None => Stage::Over,
                }
            }
            Verdict::Refused(reply) => {
                watch.note_request(&head);
                drop(incoming);
                return Self { stage: Stage::Answered(Some(watch.reply(reply))), watch: None };
            }
            Verdict::Direct(status, content) => {
                watch.note_request(&head);
                drop(incoming);
                let response = direct(watch, status, content);
                return Self { stage: Stage::Answered(Some(response)), watch: None };
            }
        };
        Self { stage, watch: Some(watch) }
    }

    /// Asks the upstream, and looks at the clock if it has no answer.
    fn poll_call(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<Response<ResponseBody>>> {
        let (Stage::Calling(calling), Some(watch)) = (&mut self.stage, &mut self.watch) else {
            return Poll::Ready(None);
        };
        loop {
            match calling.call.poll_answer(cx) {
                Poll::Ready(Ok(Answered::Final(response))) => {
                    return Poll::Ready(self.respond(response));
                }
                Poll::Ready(Ok(Answered::Interim(response))) => {
                    watch.relay(&calling.offer, response);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(self.fail(&error)),
                Poll::Pending => {
                    let details = ready!(calling.poll_timeout(cx, watch));
                    return Poll::Ready(self.time_out(details));
                }
            }
        }
    }

    /// The upstream has answered. The head is edited where it is: it is large.
    fn respond(&mut self, mut response: Response<UpstreamBody>) -> Option<Response<ResponseBody>> {
        let Stage::Calling(calling) = &mut self.stage else { return None };
        let mut watch = self.watch.take()?;
        let info = calling.call.info();
        // A response that is all here was timed when its last byte was.
        let now = info.completed_at().unwrap_or_else(|| watch.connection.context.clock.now());
        watch.note_call(info);
        watch.note_answer(now, response.status());
        let context = &*watch.connection.context;
        let plan = context.routes.get(calling.route);
        let switches = calling.offer.is_wanted() && is_switch(response.status());
        let headers = response.headers_mut();
        let date = response::hop_by_hop(headers, switches);
        if let Some(ended) = watch.request_ended() {
            let millis = now.since(ended).as_millis();
            let millis = u64::try_from(millis).unwrap_or(u64::MAX);
            headers.insert(names::UPSTREAM_SERVICE_TIME, response::number(millis));
        }
        if plan.is_some_and(|plan| plan.counts_attempts_downstream) {
            headers.insert(names::ATTEMPT_COUNT, response::number(u64::from(watch.attempts())));
        }
        response::set_server(headers, &context.manager);
        if date == Date::Missing {
            headers.insert(header::DATE, context.dates.at(now));
        }
        if !switches {
            context.drain(headers);
        }
        let passes = context.manager.enable_trailers && watch.upstream().is_some_and(|up| up.enable_trailers);
        let idle = switches.then(|| {
            let of_route = plan.and_then(|plan| match &plan.action {
                Action::Forward(target) => target.idle_timeout,
                Action::Direct { .. } => None,
            });
            of_route.unwrap_or(context.manager.stream_idle_timeout)
        });
        watch.note_response(response.headers());
        if let Some(idle) = idle {
            let (head, body) = response.into_parts();
            calling.offer.take().accept(watch, body, idle);
            return Some(Response::from_parts(head, ResponseBody::ready(Bytes::new())));
        }
        let trailers = if passes { Trailers::Pass } else { Trailers::Drop };
        Some(response.map(|body| ResponseBody::upstream(body, trailers, watch)))
    }

    /// The call has failed.
    #[cold]
    fn fail(&mut self, error: &Error) -> Option<Response<ResponseBody>> {
        let Stage::Calling(calling) = &mut self.stage else { return None };
        let mut watch = self.watch.take()?;
        watch.note_call(calling.call.info());
        watch.note_failure(error);
        let connection = watch.connection.clone();
        let plan = connection.context.routes.get(calling.route);
        Some(watch.upstream_reply(failure::reply(error), plan))
    }

    /// The route's time is over: the upstream request is given up.
    #[cold]
    fn time_out(&mut self, details: &'static str) -> Option<Response<ResponseBody>> {
        let Stage::Calling(calling) = &mut self.stage else { return None };
        let mut watch = self.watch.take()?;
        watch.note_call(calling.call.info());
        let connection = watch.connection.clone();
        if let Some(stats) = watch.cluster_stats() {
            if details == PER_TRY {
                stats.upstream_rq_per_try_timeout.inc();
            } else {
                stats.upstream_rq_timeout.inc();
            }
        }
        if let Some(host) = watch.host_cells() {
            host.rq_timeout.inc();
        }
        let plan = connection.context.routes.get(calling.route);
        // Dropping the call gives the upstream request up.
        self.stage = Stage::Over;
        Some(watch.upstream_reply(Reply::timed_out(details), plan))
    }
}

/// Details of a request whose attempt took too long.
const PER_TRY: &str = "upstream_per_try_timeout";

impl Future for Exchange {
    type Output = Result<Response<ResponseBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let response = match &mut this.stage {
            Stage::Answered(response) => response.take(),
            Stage::Calling(_) => ready!(this.poll_call(cx)),
            Stage::Over => None,
        };
        // There is one unless it was polled again after its end.
        response.map_or(Poll::Pending, |response| Poll::Ready(Ok(response)))
    }
}

impl Calling {
    /// Which time is over.
    fn poll_timeout(&mut self, cx: &mut TaskContext<'_>, watch: &mut Watch) -> Poll<&'static str> {
        let routes = &watch.connection.context.routes;
        let Some(Plan { action: Action::Forward(target), .. }) = routes.get(self.route) else {
            return Poll::Pending;
        };
        let (whole, per_try) = (target.timeout, target.per_try_timeout);
        if whole.is_none() && per_try.is_none() {
            return Poll::Pending;
        }
        let Some(ended) = watch.poll_request_ended(cx) else { return Poll::Pending };
        let whole = whole.map(|timeout| ended + timeout);
        watch.set_deadline(whole);
        let context = &*watch.connection.context;
        let attempt = per_try.and_then(|timeout| self.attempt_until(context, timeout));
        let (first, details) = match (whole, attempt) {
            (Some(whole), Some(attempt)) if attempt < whole => (attempt, PER_TRY),
            (Some(whole), _) => (whole, "response_timeout"),
            (None, Some(attempt)) => (attempt, PER_TRY),
            (None, None) => return Poll::Pending,
        };
        ready!(watch.connection.alarm().poll(cx, &context.clock, first));
        Poll::Ready(details)
    }

    /// Until when the present attempt may take. It begins when it has a connection.
    fn attempt_until(&mut self, context: &Context, timeout: std::time::Duration) -> Option<Instant> {
        let connection = self.call.info().connection()?;
        match self.attempt {
            Some((known, until)) if known == connection => Some(until),
            Some(_) | None => {
                let until = context.clock.now() + timeout;
                self.attempt = Some((connection, until));
                Some(until)
            }
        }
    }
}

/// Decides what becomes of a request, and prepares its head.
fn judge(context: &Context, head: &mut Parts, incoming: &Incoming, watch: &mut Watch) -> Verdict {
    let peer = incoming.peer_addr().ip();
    let wants = match request::prepare(head, &context.manager, peer, &context.ids) {
        Ok(wants) => wants,
        Err(refusal) => {
            if refusal == Refusal::Upgrade {
                context.http().downstream_rq_ws_on_non_ws_route.inc();
            }
            return Verdict::Refused(Reply::refused(refusal));
        }
    };
    let authority = || head.headers.get(header::HOST).map(HeaderValue::as_bytes).unwrap_or_default();
    let Some(route) = context.routes.find(authority, head.uri.path()) else {
        context.http().no_route.inc();
        return Verdict::Refused(Reply::no_route());
    };
    watch.note_route(route);
    match context.routes.get(route).map(|plan| &plan.action) {
        Some(Action::Direct { status, content }) => {
            context.http().rq_direct_response.inc();
            Verdict::Direct(*status, content.clone())
        }
        Some(Action::Forward(target)) => {
            watch.note_cluster(target.cluster);
            Verdict::Forward(route, wants)
        }
        None => Verdict::Refused(Reply::no_route()),
    }
}

/// Begins to ask the upstream.
fn forward(
    context: &Context,
    route: RouteId,
    wants: Wants,
    mut head: Parts,
    incoming: Incoming,
    watch: &mut Watch,
) -> Option<Calling> {
    let Plan { action: Action::Forward(target), counts_attempts_upstream, .. } = context.routes.get(route)?
    else {
        return None;
    };
    let upstream = context.clusters.get(target.cluster)?;
    if *counts_attempts_upstream {
        head.headers.insert(names::ATTEMPT_COUNT, response::number(1));
    }
    aim(&mut head, target);
    watch.note_request(&head);
    let passes = context.manager.enable_trailers && upstream.enable_trailers;
    let offer = Offer::new(&context.manager, wants, &head, &incoming);
    if let Some(timeout) = target.idle_timeout {
        watch.set_idle_timeout(timeout);
    }
    let body = if incoming.is_end_stream() {
        watch.note_request_ended(watch.started());
        RequestBody::Empty
    } else {
        let upload = Arc::new(Upload::new(context.clock.clone()));
        watch.note_upload(upload.clone());
        let trailers = if passes { Trailers::Pass } else { Trailers::Drop };
        RequestBody::Streamed { incoming, upload, trailers }
    };
    let request = Request::from_parts(head, body);
    let mut call = context.client.call_cluster(&upstream.cluster, &target.policy, request);
    // It is polled as soon as this returns.
    call.set_begin(watch.started());
    Some(Calling { call, route, attempt: None, offer })
}

/// What the route changes in the head.
fn aim(head: &mut Parts, target: &Target) {
    if let Some(host) = &target.host {
        head.headers.insert(header::HOST, host.clone());
    }
    if let Some(expected) = &target.expected {
        head.headers.insert(names::EXPECTED_TIMEOUT, expected.clone());
    }
    if let Some(with) = &target.prefix_rewrite {
        rewrite_path(head, target, with);
    }
}

fn rewrite_path(head: &mut Parts, target: &Target, with: &str) {
    let asked = head.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let mut path = route::rewrite(&target.matches, asked, with);
    if !path.starts_with('/') {
        path.insert(0, '/');
    }
    let original = HeaderValue::from_str(asked);
    // Parts of two valid targets make a valid one.
    if let (Ok(uri), Ok(original)) = (Uri::try_from(path), original) {
        head.uri = uri;
        head.headers.insert(names::ORIGINAL_PATH, original);
    }
}

/// `direct_response`.
fn direct(mut watch: Watch, status: StatusCode, content: Bytes) -> Response<ResponseBody> {
    let reply = Reply::new(status, "", "direct_response");
    watch.begin_reply(&reply);
    let has_content = !content.is_empty();
    let mut response = reply.into_response(|_| ResponseBody::ready(content));
    if has_content {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    }
    watch.finish_reply(response)
}

/// Whether a response ends HTTP on its connection.
fn is_switch(status: StatusCode) -> bool {
    status == StatusCode::SWITCHING_PROTOCOLS
}
