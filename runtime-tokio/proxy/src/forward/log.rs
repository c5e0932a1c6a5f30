//! What an access log wants to know of a request and nobody else does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Uri, Version, request};
use pool_core::client::{CallInfo, Host};
use pool_core::time::Instant;

use super::date::wall_clock;
use super::names;
use super::watch::{Content, Watch};
use crate::access_log::{Downstream, Record, Request, Response, ResponseFlags, Timings, Upstream};

/// Kept only where there is a log.
pub(super) struct Notes {
    peer: SocketAddr,
    request: Option<(Method, Uri, Version, HeaderMap)>,
    response: Option<HeaderMap>,
    host: Option<Arc<Host>>,
    connection: Option<u64>,
    is_reused: bool,
    queue_time: Duration,
}

impl Notes {
    pub(super) fn new(peer: SocketAddr) -> Self {
        Self {
            peer,
            request: None,
            response: None,
            host: None,
            connection: None,
            is_reused: false,
            queue_time: Duration::ZERO,
        }
    }

    pub(super) fn request(&mut self, head: &request::Parts) {
        self.request = Some((head.method.clone(), head.uri.clone(), head.version, head.headers.clone()));
    }

    pub(super) fn response(&mut self, headers: &HeaderMap) {
        self.response = Some(headers.clone());
    }

    pub(super) fn call(&mut self, info: CallInfo<'_>) {
        self.host = info.host().cloned();
        self.connection = info.connection();
        self.is_reused = info.is_reused();
        self.queue_time = info.queue_time();
    }
}

impl Watch {
    /// Writes the line.
    #[cold]
    pub(super) fn log(&mut self, ended: Instant) {
        let Some(notes) = self.notes.take() else { return };
        let notes = &*notes;
        let context = &*self.connection.context;
        let since = |at: Instant| at.since(self.started);
        let total = since(ended);
        let headers = notes.request.as_ref().map(|(.., headers)| headers);
        let text =
            |name| headers.and_then(|headers| headers.get(name)).and_then(|v: &HeaderValue| v.to_str().ok());
        let host = notes.host.as_ref().and_then(|host| host.address());
        let plan = self.plan();
        let answer = &self.answer;
        let is_whole = !matches!(answer.content, Content::Broken) && answer.status.is_some();
        let start = wall_clock();
        let record = Record {
            start: start.checked_sub(total).unwrap_or(start),
            timings: Timings {
                request_received: self.request_ended().map(since),
                pool_asked: self.upstream().map(|_| Duration::ZERO),
                pool_ready: notes.connection.map(|_| notes.queue_time),
                upstream_receiving: answer.at.filter(|_| host.is_some()).map(since),
                upstream_received: match answer.content {
                    Content::Complete(at) if host.is_some() => Some(since(at)),
                    Content::Complete(_) | Content::Open | Content::Broken => None,
                },
                response_sending: answer.at.map(since),
                response_sent: is_whole.then_some(total),
                total: Some(total),
                ..Timings::default()
            },
            request: Request {
                method: notes.request.as_ref().map(|(method, ..)| method),
                scheme: text(names::X_FORWARDED_PROTO),
                authority: text(header::HOST),
                path: notes
                    .request
                    .as_ref()
                    .and_then(|(_, uri, ..)| uri.path_and_query())
                    .map(|path| path.as_str()),
                protocol: notes.request.as_ref().map(|(_, _, version, _)| *version),
                headers,
                body_bytes: self.received(),
                ..Request::default()
            },
            response: Response {
                code: answer.status.map(|status| status.as_u16()),
                code_details: Some(&*answer.details).filter(|details| !details.is_empty()),
                flags: answer.flags,
                headers: notes.response.as_ref(),
                body_bytes: self.sent,
                ..Response::default()
            },
            upstream: Upstream {
                cluster: self.upstream().map(|upstream| &*upstream.stat_name),
                host,
                remote_address: host,
                connection_id: notes.connection,
                connection_reused: notes.connection.map(|_| notes.is_reused),
                protocol: notes.connection.map(|_| Version::HTTP_11),
                attempts: u32::from(self.attempts()),
                ..Upstream::default()
            },
            downstream: Downstream {
                remote_address: Some(notes.peer),
                direct_remote_address: Some(notes.peer),
                local_address: Some(context.address),
                connection_id: Some(self.connection.id),
                termination_details: answer.flags.contains(ResponseFlags::DPE).then_some(&*answer.details),
            },
            route_name: plan.and_then(|plan| plan.route.as_deref()),
            virtual_host_name: plan.map(|plan| &*plan.virtual_host),
            stream_id: text(names::X_REQUEST_ID),
        };
        context.logger.log(&record);
    }
}
