//! Accounts for one request: what is counted and logged at its end, whichever way it ends.

use std::borrow::Cow;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use http::{Response, StatusCode, request, response};
use pool_core::client::CallInfo;
use pool_core::runtime::Runtime as _;
use pool_core::server::Control;
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
use crate::stats::ClusterStats;

/// Made with the request, it moves from the future of the response to its body, or to the tunnel, and
/// tells stats and access log when it is dropped.
pub(crate) struct Watch {
    pub(crate) connection: Arc<Connection>,
    pub(super) control: Control<Stream<TcpStream>>,
    pub(super) started: Instant,
    request: Receipt,
    route: Option<RouteId>,
    cluster: Option<u32>,
    /// When the route's time is over, if it has a timeout and the request is complete.
    deadline: Option<Instant>,
    pub(super) answer: Answer,
    pub(super) sent: u64,
    attempts: u8,
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
            deadline: None,
            answer: Answer {
                status: None,
                details: Cow::Borrowed(""),
                flags: ResponseFlags::NONE,
                by: By::Proxy,
                at: None,
                content: Content::Open,
            },
            sent: 0,
            attempts: 0,
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

    /// Bytes of content that came in.
    pub(super) fn received(&self) -> u64 {
        match &self.request {
            Receipt::Open | Receipt::Complete(_) => 0,
            Receipt::Reading(upload) => upload.bytes(),
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
        if let Some(notes) = &mut self.notes {
            notes.call(info);
        }
        let (retries, cluster) = (info.retries(), self.cluster);
        if retries > 0
            && let Some(cluster) = cluster
        {
            let stats = self.connection.context.cluster(cluster as usize);
            stats.upstream_rq_retry.add(u64::from(retries));
            stats.upstream_rq_retry_backoff_exponential.add(u64::from(retries));
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
    }

    pub(super) fn note_response(&mut self, head: &response::Parts) {
        if let Some(notes) = &mut self.notes {
            notes.response(&head.headers);
        }
    }

    pub(super) fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// The route has another `stream_idle_timeout`.
    pub(super) fn set_idle_timeout(&self, timeout: Option<Duration>) {
        let _ = timeout;
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
        self.note_response(&parts);
        Response::from_parts(parts, body.watched(self))
    }

    /// Content went to the server.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.sent += bytes as u64;
    }

    /// The content of the response has ended.
    pub(super) fn complete(&mut self) {
        if self.answer.content == Content::Open {
            self.answer.content = Content::Complete(self.connection.context.clock.now());
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
    pub(super) fn tunnel_ended(&mut self, _received: u64, sent: u64) {
        self.sent = sent;
        self.complete();
    }

    /// Whether the route's time is over while the response is being sent.
    pub(super) fn poll_over(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
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
        self.answer.flags |= ResponseFlags::UT;
        self.answer.content = Content::Broken;
        self.answer.details = Cow::Borrowed("response_timeout");
        Poll::Ready(())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let context = &*self.connection.context;
        let ended = context.clock.now();
        if let Some(stats) = self.cluster_stats().filter(|_| self.answer.by == By::Upstream)
            && let (Content::Complete(at), Some(asked)) = (self.answer.content, self.request_ended())
        {
            stats.upstream_rq_time.record(at.since(asked));
        }
        let http = context.http();
        if let Some(status) = self.answer.status {
            http.count_response(status.as_u16());
        }
        http.downstream_rq_time.record(ended.since(self.started));
        if self.notes.is_some() {
            self.log(ended);
        }
    }
}
