//! Runs one connection over bytes cut in some way and writes down everything it tells.

use http::{HeaderMap, Method, StatusCode, Uri};
use pool_core::report::StreamEnd;
use pool_core::wire::h1::{
    BodyLength, Client, Error, Event, IdleClose, Input, Limits, Outbox, RequestHead, ResponseHead, Server,
    ServerEvent, TargetForm,
};

/// Who reads the bytes, and what was asked before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A server; answers each complete request with 200 (CONNECT included, so that a tunnel opens).
    Server,
    /// A client that has sent nothing.
    Idle,
    /// A client that sent GET.
    Get,
    /// A client that sent HEAD.
    Head,
    /// A client that sent CONNECT.
    Connect,
    /// A client that sent GET with `Upgrade`.
    Upgrade,
}

/// One thing that a connection told. Pieces of content that follow each other are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Interim(String),
    Head(String),
    Data(Vec<u8>),
    Trailers(String),
    RequestEnd,
    End(StreamEnd),
    Idle(IdleClose),
    Closed,
    Error(Error),
}

/// The whole run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Transcript(pub(crate) Vec<Told>);

impl Transcript {
    fn tell(&mut self, told: Told) {
        if let (Some(Told::Data(all)), Told::Data(more)) = (self.0.last_mut(), &told) {
            all.extend_from_slice(more);
        } else {
            self.0.push(told);
        }
    }

    /// Messages received completely.
    pub(crate) fn messages(&self) -> usize {
        self.0.iter().filter(|told| matches!(told, Told::End(_))).count()
    }

    /// The error that ended the run.
    pub(crate) fn error(&self) -> Option<Error> {
        self.0.iter().find_map(|told| if let Told::Error(error) = told { Some(*error) } else { None })
    }
}

/// Feeds `pieces` and then the end of input.
pub(crate) fn run<'a>(role: Role, limits: &Limits, pieces: impl IntoIterator<Item = &'a [u8]>) -> Transcript {
    let pieces = pieces.into_iter().map(Input::new).chain([Input::eof()]);
    match role {
        Role::Server => run_server(limits, pieces),
        Role::Idle | Role::Get | Role::Head | Role::Connect | Role::Upgrade => {
            run_client(role, limits, pieces)
        }
    }
}

/// Whole, split in two at every point, and byte by byte; all must tell the same.
pub(crate) fn run_all_ways(role: Role, limits: &Limits, bytes: &[u8]) -> Transcript {
    let whole = run(role, limits, [bytes]);
    assert_eq!(run(role, limits, bytes.chunks(1)), whole, "byte by byte differs from whole");
    for at in 1..bytes.len() {
        let (a, b) = bytes.split_at(at);
        assert_eq!(run(role, limits, [a, b]), whole, "split at {at} differs from whole");
    }
    whole
}

fn run_server<'a>(limits: &Limits, inputs: impl Iterator<Item = Input<'a>>) -> Transcript {
    let mut server = Server::new(limits.clone());
    let mut out = Outbox::new();
    let mut told = Transcript::default();
    for mut input in inputs {
        loop {
            let event = match server.poll_event(&mut input) {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(error) => {
                    told.tell(Told::Error(error));
                    return told;
                }
            };
            if let ServerEvent::RequestEnd = event {
                let head = ResponseHead { status: StatusCode::OK, headers: &HeaderMap::new() };
                server.send_response(head, BodyLength::None, &mut out).expect("answer");
            }
            told.tell(match event {
                ServerEvent::Head(head, kind) => Told::Head(format!("{head:?} {kind:?}")),
                ServerEvent::Data(data) => Told::Data(data.to_vec()),
                ServerEvent::Trailers(trailers) => Told::Trailers(format!("{trailers:?}")),
                ServerEvent::RequestEnd => Told::RequestEnd,
                ServerEvent::End(end) => Told::End(end),
                ServerEvent::Closed => Told::Closed,
            });
        }
        assert!(input.is_empty(), "None means that the input was taken");
    }
    if server.is_idle() {
        assert_eq!(server.buffer_capacity(), 0, "idle holds nothing");
    }
    told
}

fn run_client<'a>(role: Role, limits: &Limits, inputs: impl Iterator<Item = Input<'a>>) -> Transcript {
    let mut client = Client::new(limits.clone());
    let mut out = Outbox::new();
    let mut told = Transcript::default();
    ask(&mut client, role, &mut out);
    for mut input in inputs {
        loop {
            let event = match client.poll_event(&mut input) {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(error) => {
                    told.tell(Told::Error(error));
                    return told;
                }
            };
            if let Event::End(StreamEnd::Complete) = event {
                assert_eq!(client.buffer_capacity() == 0, client.buffered() == 0, "no memory without bytes");
            }
            told.tell(match event {
                Event::Informational(head) => Told::Interim(format!("{head:?}")),
                Event::Head(head, kind) => Told::Head(format!("{head:?} {kind:?}")),
                Event::Data(data) => Told::Data(data.to_vec()),
                Event::Trailers(trailers) => Told::Trailers(format!("{trailers:?}")),
                Event::End(end) => Told::End(end),
                Event::Idle(idle) => Told::Idle(idle),
            });
        }
        assert!(input.is_empty(), "None means that the input was taken");
    }
    told
}

fn ask(client: &mut Client, role: Role, out: &mut Outbox) {
    let mut headers = HeaderMap::new();
    let (method, uri) = match role {
        Role::Server | Role::Idle => return,
        Role::Get => (Method::GET, "http://a/"),
        Role::Head => (Method::HEAD, "http://a/"),
        Role::Connect => (Method::CONNECT, "a:1"),
        Role::Upgrade => {
            headers.insert("upgrade", http::HeaderValue::from_static("p"));
            (Method::GET, "http://a/")
        }
    };
    let uri = Uri::from_static(uri);
    let head = RequestHead { method: &method, uri: &uri, form: TargetForm::Origin, headers: &headers };
    client.send_request(head, BodyLength::None, out).expect("ask");
}
