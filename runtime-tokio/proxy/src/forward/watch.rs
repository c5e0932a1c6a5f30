//! Accounts for one request: what is counted and logged at its end, whichever way it ends.

use std::borrow::Cow;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use http::{HeaderMap, Response, StatusCode, request};
use pool_core::client::{CallInfo, Error};
use pool_core::runtime::Runtime as _;
use pool_core::server::{Control, Outcome, Reason, Report};
use pool_core::time::Instant;
use runtime_tokio::{Incoming, Stream};
use tokio::net::TcpStream;

use super::body::{ResponseBody, Upload};
use super::context::{Connection, Upstream};
use super::log::Notes;
use super::plan::Plan;
use super::reply::Reply;
use super::tunnel::Offer;
use super::{names, response as head};
use crate::access_log::ResponseFlags;
use crate::route::RouteId;
use crate::stats::{ClusterStats, HostCells};

/// Made with the request, it moves from the future of the response to its body, or to the tunnel, and
/// tells stats and access log when it is dropped.
pub(crate) struct Watch {
    pub(crate) connection: Arc<Connection>,
    pub(super) control: Control<Stream<TcpStream>>,
    pub(super) started: Instant,
    request: Receipt,
    route: Option<RouteId>,
    cluster: Option<u32>,
    /// Its number in the cluster.
    host: Option<u32>,
    /// When the route's time is over, if it has a timeout and the request is complete.
    deadline: Option<Instant>,
    pub(super) answer: Answer,
    attempts: u8,
    /// Bytes that a tunnel carried, of the client and of the upstream.
    pub(super) tunnel: Option<(u64, u64)>,
    /// What only an access log wants to know.
    pub(super) notes: Option<Box<Notes>>,
}

/// Whether the request is complete.
enum Receipt {
    /// Nobody has asked for its content.
    Open,
    /// It is being read.
    Reading(Arc<Upload>),
    /// It is.
    Complete(Instant),
}

/// What the client is told.
pub(super) struct Answer {
    pub(super) status: Option<StatusCode>,
    pub(super) details: Cow<'static, str>,
    pub(super) flags: ResponseFlags,
    pub(super) by: By,
    /// When its head was there.
    pub(super) at: Option<Instant>,
    pub(super) content: Content,
    pub(super) pace: Pace,
}

/// How the content of a response comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// As fast as it was asked for, until now.
    AtOnce,
    /// It had to be waited for.
    Slowly,
}

/// Who answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Upstream,
    Proxy,
}

/// How far the content of the response has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Open,
    Complete(Instant),
    Broken,
}

impl Watch {
    pub(super) fn new(connection: &Arc<Connection>, incoming: &Incoming) -> Self {
        let context = &connection.context;
        let notes = (!context.logger.is_empty()).then(|| Box::new(Notes::new(incoming.peer_addr())));
        Self {
            connection: connection.clone(),
            control: incoming.control(),
            started: context.clock.now(),
            request: Receipt::Open,
            route: None,
            cluster: None,
            host: None,
            deadline: None,
            answer: Answer {
                status: None,
                details: Cow::Borrowed(""),
                flags: ResponseFlags::NONE,
                by: By::Proxy,
                at: None,
                content: Content::Open,
                pace: Pace::AtOnce,
            },
            attempts: 0,
            tunnel: None,
            notes,
        }
    }

    pub(super) fn started(&self) -> Instant {
        self.started
    }

    /// Attempts at the upstream.
    pub(super) fn attempts(&self) -> u8 {
        self.attempts
    }

    /// When the request was complete, if it is.
    pub(super) fn request_ended(&self) -> Option<Instant> {
        match &self.request {
            Receipt::Open => None,
            Receipt::Reading(upload) => upload.ended_at(),
            Receipt::Complete(at) => Some(*at),
        }
    }

    /// When the request was complete; the task is woken when it becomes so.
    pub(super) fn poll_request_ended(&self, cx: &TaskContext<'_>) -> Option<Instant> {
        match &self.request {
            Receipt::Open => None,
            Receipt::Reading(upload) => upload.ended(cx.waker()),
            Receipt::Complete(at) => Some(*at),
        }
    }

    /// The cluster that the request goes to.
    pub(super) fn upstream(&self) -> Option<&Upstream> {
        self.connection.context.clusters.get(self.cluster? as usize)
    }

    pub(super) fn cluster_stats(&self) -> Option<&ClusterStats> {
        Some(self.connection.context.cluster(self.cluster? as usize))
    }

    /// The host that the last attempt went to.
    pub(super) fn host_cells(&self) -> Option<&HostCells> {
        let (cluster, host) = (self.cluster? as usize, self.host? as usize);
        self.connection.context.host(cluster, host)
    }

    pub(super) fn plan(&self) -> Option<&Plan> {
        self.connection.context.routes.get(self.route?)
    }

    pub(super) fn note_route(&mut self, route: RouteId) {
        self.route = Some(route);
    }

    pub(super) fn note_cluster(&mut self, cluster: usize) {
        self.cluster = u32::try_from(cluster).ok();
        self.connection.context.http().rq_total.inc();
    }

    pub(super) fn note_request(&mut self, head: &request::Parts) {
        if let Some(notes) = &mut self.notes {
            notes.request(head);
        }
    }

    pub(super) fn note_upload(&mut self, upload: Arc<Upload>) {
        self.request = Receipt::Reading(upload);
    }

    pub(super) fn note_request_ended(&mut self, at: Instant) {
        self.request = Receipt::Complete(at);
    }

    /// The call is over.
    pub(super) fn note_call(&mut self, info: CallInfo<'_>) {
        self.attempts = info.retries().saturating_add(info.replays()).saturating_add(1);
        self.host = info.host().and_then(|host| host.id()).map(|id| id.0);
        if let Some(notes) = &mut self.notes {
            notes.call(info);
        }
    }

    /// The call has failed.
    pub(super) fn note_failure(&mut self, error: &Error) {
        if let (Some(notes), Some(transport)) = (&mut self.notes, error.transport()) {
            notes.transport_failure = Some(transport.to_string());
        }
    }

    /// The upstream has answered.
    pub(super) fn note_answer(&mut self, now: Instant, status: StatusCode) {
        self.answer.status = Some(status);
        self.answer.details = Cow::Borrowed("via_upstream");
        self.answer.by = By::Upstream;
        self.answer.at = Some(now);
        if let Some(stats) = self.cluster_stats() {
            stats.count_response(status.as_u16());
        }
        if let Some(host) = self.host_cells() {
            if status.is_server_error() { host.rq_error.inc() } else { host.rq_success.inc() }
        }
    }

    pub(super) fn note_response(&mut self, headers: &HeaderMap) {
        if let Some(notes) = &mut self.notes {
            notes.response(headers);
        }
    }

    pub(super) fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// The route has another `stream_idle_timeout`.
    pub(super) fn set_idle_timeout(&self, timeout: Option<Duration>) {
        self.control.set_idle_timeout(timeout);
    }

    /// Passes an interim response on, if it is for the client.
    pub(super) fn relay(&self, offer: &Offer, mut response: Response<()>) {
        let code = response.status().as_u16();
        if let Some(stats) = self.cluster_stats() {
            stats.upstream_rq_1xx.inc();
        }
        if response.status() == StatusCode::CONTINUE && !offer.relays_continue() {
            return;
        }
        head::hop_by_hop(response.headers_mut(), false);
        self.connection.context.http().count_interim(code);
        self.control.send_interim(response.status(), std::mem::take(response.headers_mut()));
    }

    /// Answers in the upstream's stead.
    pub(super) fn upstream_reply(mut self, reply: Reply, plan: Option<&Plan>) -> Response<ResponseBody> {
        if let Some(stats) = self.cluster_stats() {
            stats.count_response(reply.status.as_u16());
        }
        // The pools count requests that failed with a connection attempt.
        if let Some(host) = self.host_cells().filter(|_| !reply.flags.contains(ResponseFlags::UF)) {
            host.rq_error.inc();
        }
        self.begin_reply(&reply);
        let mut response = reply.into_response(ResponseBody::ready);
        if plan.is_some_and(|plan| plan.counts_attempts_downstream) && self.attempts > 0 {
            response.headers_mut().insert(names::ATTEMPT_COUNT, head::number(u64::from(self.attempts)));
        }
        self.finish_reply(response)
    }

    /// Answers instead of forwarding.
    #[cold]
    pub(super) fn reply(mut self, reply: Reply) -> Response<ResponseBody> {
        self.begin_reply(&reply);
        let response = reply.into_response(ResponseBody::ready);
        self.finish_reply(response)
    }

    pub(super) fn begin_reply(&mut self, reply: &Reply) {
        self.answer.status = Some(reply.status);
        self.answer.details.clone_from(&reply.details);
        self.answer.flags |= reply.flags;
        self.answer.by = By::Proxy;
        self.answer.at = Some(self.connection.context.clock.now());
    }

    /// Adds what every response has.
    pub(super) fn finish_reply(mut self, response: Response<ResponseBody>) -> Response<ResponseBody> {
        let (mut parts, body) = response.into_parts();
        let context = &self.connection.context;
        let now = self.answer.at.unwrap_or(self.started);
        head::set_server(&mut parts.headers, &context.manager);
        head::set_date(&mut parts.headers, || context.dates.at(now));
        context.drain(&mut parts.headers);
        self.note_response(&parts.headers);
        Response::from_parts(parts, body.watched(self))
    }

    /// The content of the response has ended.
    pub(super) fn complete(&mut self) {
        if self.answer.content == Content::Open {
            // What came with the head came when it did: the clock was read for that.
            let with_head = self.answer.at.filter(|_| self.answer.pace == Pace::AtOnce);
            let at = with_head.unwrap_or_else(|| self.connection.context.clock.now());
            self.answer.content = Content::Complete(at);
        }
    }

    /// The content of the response will not end.
    pub(super) fn broke(&mut self, reason: Cow<'static, str>, flag: ResponseFlags) {
        self.answer.content = Content::Broken;
        self.answer.flags |= flag;
        let details = format!("upstream_reset_after_response_started{{{reason}}}");
        self.answer.details = Cow::Owned(details);
        self.connection.context.http().rq_reset_after_downstream_response_started.inc();
    }

    /// A tunnel is over that carried so many bytes of the client and of the upstream.
    pub(super) fn tunnel_ended(&mut self, received: u64, sent: u64) {
        self.tunnel = Some((received, sent));
        self.complete();
    }

    /// Whether the route's time is over while the response is being sent.
    pub(super) fn poll_over(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        self.answer.pace = Pace::Slowly;
        if self.answer.by == By::Proxy {
            return Poll::Pending;
        }
        if self.deadline.is_none() && matches!(self.request, Receipt::Reading(_)) {
            // The request may have ended after its response began.
            let Some(timeout) = self.plan().and_then(Plan::timeout) else { return Poll::Pending };
            self.deadline = self.poll_request_ended(cx).map(|ended| ended + timeout);
        }
        let Some(deadline) = self.deadline else { return Poll::Pending };
        std::task::ready!(self.connection.alarm().poll(cx, &self.connection.context.clock, deadline));
        if let Some(stats) = self.cluster_stats() {
            stats.upstream_rq_timeout.inc();
        }
        if let Some(host) = self.host_cells() {
            host.rq_timeout.inc();
        }
        self.answer.flags |= ResponseFlags::UT;
        self.answer.content = Content::Broken;
        self.answer.details = Cow::Borrowed("response_timeout");
        Poll::Ready(())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // None after an upgrade: the connection has been another's since.
        let report = self.control.report().filter(|_| self.tunnel.is_none());
        if let Some(report) = &report {
            self.settle(report);
        }
        let context = &*self.connection.context;
        let ended = report.map_or_else(|| context.clock.now(), |report| report.ended);
        if let (Some(stats), Content::Complete(at), Some(asked)) =
            (self.cluster_stats(), self.answer.content, self.request_ended())
            && self.answer.by == By::Upstream
        {
            stats.upstream_rq_time.record(at.since(asked));
        }
        let http = context.http();
        if let Some(status) = self.answer.status {
            http.count_response(status.as_u16());
        }
        http.downstream_rq_time.record(ended.since(self.started));
        if self.notes.is_some() {
            self.log(ended, report);
        }
    }
}

impl Watch {
    /// The server knows how it ended: all that was not our doing.
    fn settle(&mut self, report: &Report) {
        let (flags, details) = match report.outcome {
            Outcome::Complete | Outcome::Upgraded | Outcome::Stopped(Reason::Service) => return,
            Outcome::ClientGone if self.answer.content == Content::Broken => return,
            Outcome::ClientGone => (ResponseFlags::DC, "downstream_remote_disconnect"),
            Outcome::Cut => (ResponseFlags::NONE, "downstream_local_disconnect"),
            Outcome::Stopped(reason) => said_of(reason),
            // The outcome is not known to us: what we know stands.
            _ => return,
        };
        self.answer.status = report.status;
        self.answer.flags |= flags;
        self.answer.details = Cow::Borrowed(details);
        self.answer.content = Content::Broken;
    }
}

/// Flag and details of a request that the server ended.
pub(super) fn said_of(reason: Reason) -> (ResponseFlags, &'static str) {
    match reason {
        Reason::Protocol(_) => (ResponseFlags::DPE, "http1.codec_error"),
        Reason::HeadersTimeout => (ResponseFlags::NONE, "request_header_timeout"),
        Reason::StreamIdleTimeout => (ResponseFlags::SI, "stream_idle_timeout"),
        Reason::RequestTimeout => (ResponseFlags::NONE, "request_overall_timeout"),
        Reason::MaxStreamDuration => (ResponseFlags::NONE, "max_duration_timeout"),
        Reason::Http10 => (ResponseFlags::NONE, "low_version"),
        _ => (ResponseFlags::NONE, "internal_error"),
    }
}
