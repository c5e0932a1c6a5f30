//! A client and a server with memory between them.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use pool_core::wire::h1::{
    BodyLength, Client, Error, Event, Input, Limits, Outbox, RequestHead, ResponseHead, SendError, Server,
    ServerEvent, TargetForm,
};

/// Both ends, what is on its way between them, and how it is cut.
pub(crate) struct Pair {
    pub(crate) client: Client,
    pub(crate) server: Server,
    pub(crate) to_server: Outbox,
    pub(crate) to_client: Outbox,
    /// Bytes per read.
    pub(crate) cut: usize,
}

/// Fields from pairs.
pub(crate) fn fields(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect()
}

impl Pair {
    pub(crate) fn new(cut: usize) -> Self {
        Self {
            client: Client::new(Limits::default()),
            server: Server::new(Limits::default()),
            to_server: Outbox::new(),
            to_client: Outbox::new(),
            cut,
        }
    }

    pub(crate) fn request(
        &mut self,
        method: Method,
        uri: &str,
        headers: &[(&'static str, &'static str)],
        body: BodyLength,
    ) -> Result<(), SendError> {
        let uri: Uri = uri.parse().expect("uri");
        let headers = fields(headers);
        let head = RequestHead { method: &method, uri: &uri, form: TargetForm::Origin, headers: &headers };
        self.client.send_request(head, body, &mut self.to_server)
    }

    pub(crate) fn respond(
        &mut self,
        status: u16,
        headers: &[(&'static str, &'static str)],
        body: BodyLength,
    ) -> Result<(), SendError> {
        let status = StatusCode::from_u16(status).expect("status");
        let head = ResponseHead { status, headers: &fields(headers) };
        self.server.send_response(head, body, &mut self.to_client)
    }

    pub(crate) fn send(&mut self, data: &'static [u8]) {
        self.client.send_data(Bytes::from_static(data), &mut self.to_server).expect("request content");
    }

    pub(crate) fn end_request(&mut self) {
        self.client.end_request(None, &mut self.to_server).expect("end of request");
    }

    pub(crate) fn answer(&mut self, data: &'static [u8]) {
        self.server.send_data(Bytes::from_static(data), &mut self.to_client).expect("response content");
    }

    pub(crate) fn end_response(&mut self) {
        self.server.end_response(None, &mut self.to_client).expect("end of response");
    }

    /// What the server tells of all that is on its way to it.
    pub(crate) fn serve(&mut self) -> Vec<String> {
        let bytes = drain(&mut self.to_server);
        let mut told = Vec::new();
        for piece in bytes.chunks(self.cut).chain([&[][..]]) {
            let mut input = Input::new(piece);
            while let Some(event) = self.server.poll_event(&mut input).expect("server") {
                tell(&mut told, server_text(event));
            }
        }
        told
    }

    /// What the client tells of all that is on its way to it.
    pub(crate) fn receive(&mut self) -> Vec<String> {
        let bytes = drain(&mut self.to_client);
        let mut told = Vec::new();
        for piece in bytes.chunks(self.cut).chain([&[][..]]) {
            client_events(&mut self.client, &mut Input::new(piece), &mut told).expect("client");
        }
        told
    }

    /// The peer's FIN arrives at the client.
    pub(crate) fn client_eof(&mut self) -> Result<Vec<String>, Error> {
        let mut told = Vec::new();
        client_events(&mut self.client, &mut Input::eof(), &mut told).map(|()| told)
    }

    /// The client's FIN arrives at the server.
    pub(crate) fn server_eof(&mut self) -> Result<Vec<String>, Error> {
        let mut told = Vec::new();
        let mut input = Input::eof();
        while let Some(event) = self.server.poll_event(&mut input)? {
            tell(&mut told, server_text(event));
        }
        Ok(told)
    }
}

/// All events of one input.
pub(crate) fn client_events(
    client: &mut Client,
    input: &mut Input<'_>,
    told: &mut Vec<String>,
) -> Result<(), Error> {
    while let Some(event) = client.poll_event(input)? {
        tell(told, client_text(event));
    }
    Ok(())
}

/// Written in two parts, as a socket with little room would.
fn drain(out: &mut Outbox) -> Vec<u8> {
    let all = out.to_vec();
    assert_eq!(all.len(), out.len());
    out.advance(all.len() / 2);
    assert_eq!(out.to_vec(), all[all.len() / 2..]);
    out.advance(usize::MAX);
    assert!(out.is_empty());
    all
}

/// Content that is told in pieces is one text.
fn tell(told: &mut Vec<String>, text: String) {
    match (told.last_mut(), text.strip_prefix("data ")) {
        (Some(last), Some(more)) if last.starts_with("data ") => last.push_str(more),
        _ => told.push(text),
    }
}

fn client_text(event: Event) -> String {
    match event {
        Event::Informational(head) => format!("interim {}", head.status().as_u16()),
        Event::Head(head, kind) => format!("head {} {kind:?}", head.status().as_u16()),
        Event::Data(data) => format!("data {}", String::from_utf8_lossy(&data)),
        Event::Trailers(trailers) => format!("trailers {trailers:?}"),
        Event::End(end) => format!("end {end:?}"),
        Event::Idle(idle) => format!("idle {idle:?}"),
    }
}

fn server_text(event: ServerEvent) -> String {
    match event {
        ServerEvent::Head(head, kind) => format!("head {} {} {kind:?}", head.method(), head.uri()),
        ServerEvent::Data(data) => format!("data {}", String::from_utf8_lossy(&data)),
        ServerEvent::Trailers(trailers) => format!("trailers {trailers:?}"),
        ServerEvent::RequestEnd => "request end".to_owned(),
        ServerEvent::End(end) => format!("end {end:?}"),
        ServerEvent::Closed => "closed".to_owned(),
    }
}
