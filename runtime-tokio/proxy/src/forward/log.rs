//! What an access log wants to know of a request and nobody else does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Uri, Version, request};
use pool_core::client::{CallInfo, Host};
use pool_core::runtime::{Addresses, Runtime as _};
use pool_core::server::{Known, LocalReply, Report};
use pool_core::time::Instant;

use super::context::Context;
use super::date::wall_clock;
use super::names;
use super::response::{set_date, set_server};
use super::watch::{Content, Watch, said_of};
use crate::access_log::{Downstream, Record, Request, Response, ResponseFlags, Timings, Upstream};

/// Kept only where there is a log.
pub(super) struct Notes {
    peer: SocketAddr,
    request: Option<(Method, Uri, Version, HeaderMap)>,
    response: Option<HeaderMap>,
    host: Option<Arc<Host>>,
    connection: Option<u64>,
    request_number: Option<u64>,
    is_reused: bool,
    queue_time: Duration,
    addresses: Addresses,
    pub(super) transport_failure: Option<String>,
}

impl Notes {
    pub(super) fn new(peer: SocketAddr) -> Self {
        Self {
            peer,
            request: None,
            response: None,
            host: None,
            connection: None,
            request_number: None,
            is_reused: false,
            queue_time: Duration::ZERO,
            addresses: Addresses::default(),
            transport_failure: None,
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
        self.request_number = Some(info.request());
        self.is_reused = info.is_reused();
        self.queue_time = info.queue_time();
        self.addresses = info.addresses();
    }
}

impl Watch {
    /// Writes the line.
    #[cold]
    pub(super) fn log(&mut self, ended: Instant, report: Option<Report>) {
        let Some(notes) = self.notes.take() else { return };
        let notes = &*notes;
        let context = &*self.connection.context;
        let since = |at: Instant| at.since(self.started);
        let total = since(ended);
        let (received, sent) = report.map_or_else(Default::default, |report| (report.received, report.sent));
        let (received_content, sent_content) = self.tunnel.unwrap_or((received.content, sent.content));
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
                headers_bytes: received.head,
                body_bytes: received_content,
                wire_bytes: received.head + received_content,
            },
            response: Response {
                code: answer.status.map(|status| status.as_u16()),
                code_details: Some(&*answer.details).filter(|details| !details.is_empty()),
                flags: answer.flags,
                headers: notes.response.as_ref(),
                headers_bytes: sent.head,
                body_bytes: sent_content,
                wire_bytes: sent.head + sent_content,
                ..Response::default()
            },
            upstream: Upstream {
                cluster: self.upstream().map(|upstream| &*upstream.stat_name),
                host,
                remote_address: notes.addresses.peer.or(host),
                local_address: notes.addresses.local,
                transport_failure: notes.transport_failure.as_deref(),
                connection_id: notes.connection,
                request_id: notes.request_number.map(|number| (context.worker, number)),
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

/// Dresses a response that the server gives by itself, and counts and logs it if nobody else can.
#[cold]
pub(crate) fn local_reply(context: &Context, reply: &LocalReply<'_>, response: &mut http::Response<Bytes>) {
    let now = context.clock.now();
    let headers = response.headers_mut();
    set_server(headers, &context.manager);
    set_date(headers, || context.dates.at(now));
    if reply.known != Known::Here {
        return;
    }
    let status = response.status().as_u16();
    context.http().count_response(status);
    if context.logger.is_empty() {
        return;
    }
    let (flags, details) = said_of(reply.reason);
    let headers = reply.request.map(http::Request::headers);
    let host = headers.and_then(|headers| headers.get(header::HOST)).and_then(|host| host.to_str().ok());
    let record = Record {
        request: Request {
            method: reply.request.map(http::Request::method),
            authority: host,
            path: reply.request.and_then(|request| request.uri().path_and_query()).map(|path| path.as_str()),
            protocol: reply.request.map(http::Request::version),
            headers,
            ..Request::default()
        },
        response: Response {
            code: Some(status),
            code_details: Some(details),
            flags,
            headers: Some(response.headers()),
            body_bytes: response.body().len() as u64,
            ..Response::default()
        },
        downstream: Downstream {
            remote_address: Some(reply.peer),
            direct_remote_address: Some(reply.peer),
            local_address: Some(context.address),
            termination_details: flags.contains(ResponseFlags::DPE).then_some(details),
            ..Downstream::default()
        },
        ..Record::new(wall_clock())
    };
    context.logger.log(&record);
}
