//! Fuzz bodies for `wire::h1`: whatever the bytes and however they are cut, a connection tells the
//! same, keeps within its bounds and never panics.

use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use pool_core::report::StreamEnd;
use pool_core::wire::h1::{
    BodyLength, Client, Error, Event, Input, Limits, Outbox, RequestHead, ResponseHead, Server, ServerEvent,
    TargetForm,
};

/// Longer inputs find nothing that shorter ones do not.
const MAX_BYTES: usize = 4096;

/// Who reads the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Server,
    Idle,
    Get,
    Head,
    Connect,
    Upgrade,
}

const ROLES: [Role; 6] = [Role::Server, Role::Idle, Role::Get, Role::Head, Role::Connect, Role::Upgrade];

/// What a connection told; pieces of content that follow each other are one.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Message(String),
    Data(Vec<u8>),
    End(StreamEnd),
    Error(Error),
}

/// Heads: the first byte says who reads, the second how the rest is cut once more.
///
/// # Panics
/// On a finding.
pub fn h1_head(data: &[u8]) {
    let [role, cut, bytes @ ..] = data else { return };
    check(ROLES[usize::from(*role) % ROLES.len()], *cut, &bytes[..bytes.len().min(MAX_BYTES)]);
}

/// Content behind a valid head: the first byte chooses the head, the second how the whole is cut once
/// more.
///
/// # Panics
/// On a finding.
pub fn h1_body(data: &[u8]) {
    const HEADS: [(Role, &[u8]); 6] = [
        (Role::Server, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (Role::Server, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n"),
        (Role::Get, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (Role::Get, b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n"),
        (Role::Get, b"HTTP/1.1 200 OK\r\n\r\n"),
        (Role::Head, b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n"),
    ];
    let [head, cut, bytes @ ..] = data else { return };
    let (role, head) = HEADS[usize::from(*head) % HEADS.len()];
    let all = [head, &bytes[..bytes.len().min(MAX_BYTES)]].concat();
    check(role, *cut, &all);
}

/// Whole, byte by byte, in two, and in pieces of changing size.
fn check(role: Role, cut: u8, bytes: &[u8]) {
    // Small limits, so that short inputs reach them.
    let limits = Limits {
        max_head_bytes: 1024,
        max_headers: 12,
        max_trailer_bytes: 256,
        max_chunk_line_bytes: 64,
        max_chunk_extension_bytes: 128,
        max_informational: 3,
        max_pipelined_bytes: 2 * MAX_BYTES,
    };
    let whole = run(role, &limits, &[bytes]);
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(run(role, &limits, &single), whole, "byte by byte differs from whole");
    let (a, b) = bytes.split_at(usize::from(cut).min(bytes.len()));
    assert_eq!(run(role, &limits, &[a, b]), whole, "in two differs from whole");
    let mut pieces = Vec::new();
    let mut rest = bytes;
    let mut size = usize::from(cut);
    while !rest.is_empty() {
        size = (size * 5 + 3) % 23 + 1;
        let (piece, after) = rest.split_at(size.min(rest.len()));
        pieces.push(piece);
        rest = after;
    }
    assert_eq!(run(role, &limits, &pieces), whole, "in pieces differs from whole");
}

fn run(role: Role, limits: &Limits, pieces: &[&[u8]]) -> Vec<Told> {
    let inputs = pieces.iter().map(|piece| Input::new(piece)).chain([Input::eof()]);
    match role {
        Role::Server => run_server(limits, inputs),
        Role::Idle | Role::Get | Role::Head | Role::Connect | Role::Upgrade => {
            run_client(role, limits, inputs)
        }
    }
}

fn run_server<'a>(limits: &Limits, inputs: impl Iterator<Item = Input<'a>>) -> Vec<Told> {
    let mut server = Server::new(limits.clone());
    let mut out = Outbox::new();
    let mut told = Vec::new();
    for mut input in inputs {
        loop {
            let event = match server.poll_event(&mut input) {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(server.poll_event(&mut input).err(), Some(error), "the same error for ever");
                    assert_eq!(server.buffer_capacity(), 0, "nothing is kept after an error");
                    tell(&mut told, Told::Error(error));
                    return told;
                }
            };
            if let ServerEvent::RequestEnd = event {
                let head = ResponseHead { status: StatusCode::OK, headers: &HeaderMap::new() };
                let sent = server.send_response(head, BodyLength::None, &mut out);
                assert_eq!(sent, Ok(()), "a complete request can be answered");
            }
            tell(
                &mut told,
                match event {
                    ServerEvent::Data(data) => Told::Data(data.to_vec()),
                    ServerEvent::End(end) => Told::End(end),
                    ServerEvent::Head(..)
                    | ServerEvent::Trailers(_)
                    | ServerEvent::RequestEnd
                    | ServerEvent::Closed => Told::Message(format!("{event:?}")),
                },
            );
        }
        assert!(input.is_empty(), "all input is taken");
        assert!(server.buffered() <= 2 * MAX_BYTES);
        assert_eq!(server.buffered() == 0, server.buffer_capacity() == 0, "no memory without bytes");
    }
    told
}

fn run_client<'a>(role: Role, limits: &Limits, inputs: impl Iterator<Item = Input<'a>>) -> Vec<Told> {
    let mut client = Client::new(limits.clone());
    let mut told = Vec::new();
    ask(&mut client, role);
    let mut ends = 0;
    for mut input in inputs {
        loop {
            let event = match client.poll_event(&mut input) {
                Ok(Some(event)) => event,
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(client.poll_event(&mut input).err(), Some(error), "the same error for ever");
                    assert!(!client.can_reuse());
                    assert_eq!(client.buffer_capacity(), 0, "nothing is kept after an error");
                    tell(&mut told, Told::Error(error));
                    return told;
                }
            };
            tell(
                &mut told,
                match event {
                    Event::Data(data) => Told::Data(data.to_vec()),
                    Event::End(end) => {
                        ends += 1;
                        assert_eq!(ends, 1, "one exchange ends once");
                        Told::End(end)
                    }
                    Event::Informational(_) | Event::Head(..) | Event::Trailers(_) | Event::Idle(_) => {
                        Told::Message(format!("{event:?}"))
                    }
                },
            );
        }
        assert!(input.is_empty(), "all input is taken");
        assert!(client.buffered() <= limits.max_head_bytes, "only the unparsed rest is kept");
        assert_eq!(client.buffered() == 0, client.buffer_capacity() == 0, "no memory without bytes");
    }
    told
}

fn tell(told: &mut Vec<Told>, next: Told) {
    if let Told::Data(data) = &next {
        assert!(!data.is_empty(), "content is never empty");
    }
    match (told.last_mut(), &next) {
        (Some(Told::Data(all)), Told::Data(more)) => all.extend_from_slice(more),
        _ => told.push(next),
    }
}

fn ask(client: &mut Client, role: Role) {
    let mut headers = HeaderMap::new();
    let (method, uri) = match role {
        Role::Server | Role::Idle => return,
        Role::Get => (Method::GET, "http://a/"),
        Role::Head => (Method::HEAD, "http://a/"),
        Role::Connect => (Method::CONNECT, "a:1"),
        Role::Upgrade => {
            headers.insert("upgrade", HeaderValue::from_static("p"));
            (Method::GET, "http://a/")
        }
    };
    let uri = Uri::from_static(uri);
    let head = RequestHead { method: &method, uri: &uri, form: TargetForm::Origin, headers: &headers };
    let sent = client.send_request(head, BodyLength::None, &mut Outbox::new());
    assert_eq!(sent, Ok(()), "the first request can be sent");
}
