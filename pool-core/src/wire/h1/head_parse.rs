//! Heads and trailer sections from bytes.
//!
//! `httparse` reads the lines; what it lets pass and RFC 9112 does not (LF alone as a line end) is
//! checked here, and every field line is looked at once for framing and connection. Header values
//! are slices of one copy of the head, which also takes the content that came in the same read.

use core::mem::MaybeUninit;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use httparse::Status;

use super::fields::{Facts, is_forbidden_trailer};
use super::framing::{self, Asked, Version};
use super::input::LENT_FROM;
use super::known::Known;
use super::rest::Source;
use super::scan::Scan;
use super::target::parse_target;
use super::{BodyKind, Error, Exceeded, Limits, Violation, shared};

/// Content up to this size shares the allocation of the head.
const SHARE_UP_TO: usize = 2048;
/// Field lines whose names are looked up once for framing and map together.
const REMEMBERED: usize = 32;
/// Field lines that fit on the stack.
const ON_STACK: usize = 100;

/// A parsed head and what was decided on it.
#[derive(Debug)]
pub(super) struct Head<T> {
    /// The message for the driver.
    pub(super) message: T,
    /// Its framing.
    pub(super) kind: BodyKind,
    /// Whether its sender lets the connection live on.
    pub(super) keeps_alive: bool,
    /// What its fields said.
    pub(super) facts: Facts,
    /// Its version.
    pub(super) version: Version,
    /// Content that came with it; counts towards the framing.
    pub(super) content: Bytes,
    /// Bytes used: head and `content`.
    used: usize,
}

impl<T> Head<T> {
    /// Bytes of the head itself, its end included.
    pub(super) fn head_bytes(&self) -> usize {
        self.used - self.content.len()
    }
}

/// Reads one head from the front of `source`, or keeps what there is of it.
pub(super) fn read<T>(
    source: &mut Source<'_, '_>,
    scan: &mut Scan,
    limits: &Limits,
    bad_start_line: Violation,
    parse: impl Fn(&[u8], Option<&Bytes>) -> Result<Option<Head<T>>, Error>,
) -> Result<Option<Head<T>>, Error> {
    // A head that is complete and clean takes the short way. All else is judged by the scanner first,
    // so that the verdict on a bad head is the same however its bytes were cut.
    if scan.is_fresh() && !matches!(source.bytes(), [] | [b'\r' | b'\n', ..]) {
        if let Ok(Some(head)) = parse(source.bytes(), source.lender()) {
            source.consume(head.used);
            return Ok(Some(head));
        }
    }
    match scan.advance(source.bytes(), limits.max_head_bytes, Exceeded::HeadBytes)? {
        None => {
            source.keep();
            Ok(None)
        }
        // An empty line where the start line should be; httparse would skip it.
        Some(2) => Err(bad_start_line.into()),
        Some(_) => {
            let Some(head) = parse(source.bytes(), source.lender())? else {
                return Err(bad_start_line.into());
            };
            source.consume(head.used);
            *scan = Scan::default();
            Ok(Some(head))
        }
    }
}

/// A request head at the front of `bytes`; `None` if it is not complete.
pub(super) fn request(
    bytes: &[u8],
    lender: Option<&Bytes>,
    limits: &Limits,
    maps: fn() -> HeaderMap,
) -> Result<Option<Head<Request<()>>>, Error> {
    with_lines(limits, |lines| {
        let mut parsed = httparse::Request::new(&mut []);
        let status = parsed.parse_with_uninit_headers(bytes, lines);
        let length = match status.map_err(|error| of_httparse(error, Violation::RequestLine))? {
            Status::Complete(length) => length,
            Status::Partial => return Ok(None),
        };
        let (Some(method), Some(target), Some(minor)) = (parsed.method, parsed.path, parsed.version) else {
            return Err(Violation::RequestLine.into());
        };
        let version = Version::of_minor(minor);
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| Violation::Method)?;
        let mut names = [None; REMEMBERED];
        let facts = check_lines(bytes, length, limits, parsed.headers, &mut names)?;
        if version == Version::Http11 && !facts.host {
            return Err(Violation::Host.into());
        }
        let kind = framing::of_request(&method, &facts, version)?;
        let start = offset(bytes, target.as_bytes());
        let (copy, used) = copy_with_content(bytes, lender, start, length, kind);
        let uri = parse_target(&method, copy.slice(..target.len()))?;
        let headers = header_map((maps(), REQUEST_ROOM), &copy, bytes, start, parsed.headers, &names)?;
        let mut message = Request::new(());
        *message.method_mut() = method;
        *message.uri_mut() = uri;
        *message.version_mut() = version.to_http();
        *message.headers_mut() = headers;
        Ok(Some(Head {
            message,
            kind,
            keeps_alive: framing::keeps_alive(&facts, version),
            facts,
            version,
            content: content(copy, start, length),
            used,
        }))
    })
}

/// A response head at the front of `bytes`; `None` if it is not complete.
pub(super) fn response(
    bytes: &[u8],
    lender: Option<&Bytes>,
    limits: &Limits,
    asked: Asked,
    maps: fn() -> HeaderMap,
) -> Result<Option<Head<Response<()>>>, Error> {
    with_lines(limits, |lines| {
        let mut parsed = httparse::Response::new(&mut []);
        let config = httparse::ParserConfig::default();
        let status = config.parse_response_with_uninit_headers(&mut parsed, bytes, lines);
        let length = match status.map_err(|error| of_httparse(error, Violation::StatusLine))? {
            Status::Complete(length) => length,
            Status::Partial => return Ok(None),
        };
        let (Some(code), Some(minor)) = (parsed.code, parsed.version) else {
            return Err(Violation::StatusLine.into());
        };
        let version = Version::of_minor(minor);
        let status = StatusCode::from_u16(code).map_err(|_| Violation::StatusLine)?;
        let mut names = [None; REMEMBERED];
        let facts = check_lines(bytes, length, limits, parsed.headers, &mut names)?;
        let kind = framing::of_response(asked, status, &facts, version)?;
        let start = parsed.headers.first().map_or(length, |first| offset(bytes, first.name.as_bytes()));
        let (copy, used) = copy_with_content(bytes, lender, start, length, kind);
        let headers = header_map((maps(), RESPONSE_ROOM), &copy, bytes, start, parsed.headers, &names)?;
        let mut message = Response::new(());
        *message.status_mut() = status;
        *message.version_mut() = version.to_http();
        *message.headers_mut() = headers;
        Ok(Some(Head {
            message,
            kind,
            keeps_alive: framing::keeps_alive(&facts, version),
            facts,
            version,
            content: content(copy, start, length),
            used,
        }))
    })
}

/// A trailer section, its final empty line included, whose lines the scanner has passed.
pub(super) fn parse_trailers(section: &[u8], limits: &Limits) -> Result<HeaderMap, Error> {
    let mut lines = vec![httparse::EMPTY_HEADER; limits.max_headers];
    let lines = match httparse::parse_headers(section, &mut lines) {
        Ok(Status::Complete((_, lines))) => lines,
        Ok(Status::Partial) => return Err(Violation::FieldLine.into()),
        Err(error) => return Err(of_httparse(error, Violation::FieldLine)),
    };
    if lines.iter().any(|line| is_forbidden_trailer(line.name.as_bytes())) {
        return Err(Violation::ForbiddenTrailer.into());
    }
    let copy = shared::copy(section);
    header_map((HeaderMap::new(), 0), &copy, section, 0, lines, &[])
}

/// Runs `parse` with room for the field lines: on the stack for the default limit.
fn with_lines<'b, R>(
    limits: &Limits,
    parse: impl FnOnce(&mut [MaybeUninit<httparse::Header<'b>>]) -> R,
) -> R {
    if limits.max_headers <= ON_STACK {
        let mut lines = [const { MaybeUninit::uninit() }; ON_STACK];
        parse(&mut lines[..limits.max_headers])
    } else {
        let mut lines: Vec<_> = (0..limits.max_headers).map(|_| MaybeUninit::uninit()).collect();
        parse(&mut lines)
    }
}

/// Checks what `httparse` lets pass, and gathers what the fields say; `names` gets those of the first
/// lines.
fn check_lines(
    bytes: &[u8],
    length: usize,
    limits: &Limits,
    lines: &[httparse::Header<'_>],
    names: &mut [Option<Known>],
) -> Result<Facts, Error> {
    if length > limits.max_head_bytes {
        return Err(Exceeded::HeadBytes.into());
    }
    // No field has a line end within it, so looking in front of each name and at the end sees all.
    if !bytes[..length].ends_with(b"\r\n\r\n") {
        return Err(Violation::BareLf.into());
    }
    let mut facts = Facts::default();
    let mut names = names.iter_mut();
    for line in lines {
        if !bytes[..offset(bytes, line.name.as_bytes())].ends_with(b"\r\n") {
            return Err(Violation::BareLf.into());
        }
        let known = Known::of(line.name.as_bytes());
        if let Some(name) = names.next() {
            *name = known;
        }
        if let Some(known) = known {
            facts.see(known, line.value)?;
        }
    }
    Ok(facts)
}

/// Where `part`, a slice of `bytes`, begins.
fn offset(bytes: &[u8], part: &[u8]) -> usize {
    (part.as_ptr() as usize).wrapping_sub(bytes.as_ptr() as usize).min(bytes.len())
}

/// A lasting form of the head from `start` on, and of the content behind it where the two are better
/// kept together: one copy if the content is small, a part of the driver's buffer if it is large.
/// Between the two a copy of the head alone spares a caller that stores a header value from holding
/// the content with it. Also gives how many bytes of the input this uses.
fn copy_with_content(
    bytes: &[u8],
    lender: Option<&Bytes>,
    start: usize,
    length: usize,
    kind: BodyKind,
) -> (Bytes, usize) {
    let behind = bytes.len() - length;
    let content = match kind {
        BodyKind::Length(content) => usize::try_from(content).map_or(behind, |content| content.min(behind)),
        BodyKind::Empty | BodyKind::Chunked | BodyKind::UntilEof | BodyKind::Tunnel => 0,
    };
    match content {
        0..=SHARE_UP_TO => (shared::copy(&bytes[start..length + content]), length + content),
        _ => match lender {
            Some(buffer) if content >= LENT_FROM => {
                (buffer.slice_ref(&bytes[start..length + content]), length + content)
            }
            Some(_) | None => (shared::copy(&bytes[start..length]), length),
        },
    }
}

/// The content within a copy that begins at `start` of a head of `length`.
fn content(mut copy: Bytes, start: usize, length: usize) -> Bytes {
    bytes::Buf::advance(&mut copy, length - start);
    copy
}

/// Fields that whoever gets the head may add before its map has to grow, which costs more than a
/// thousand instructions. Not more: a map of up to six fields comes out of the allocator's cache, the
/// next size does not.
const REQUEST_ROOM: usize = 3;
const RESPONSE_ROOM: usize = 2;

/// Header values as slices of `copy`, which is a copy of `bytes` from `start` on. `names` are those of
/// the first lines, as far as they have been looked up; `map` is empty, and gets room for so many more
/// fields.
fn header_map(
    (mut map, room): (HeaderMap, usize),
    copy: &Bytes,
    bytes: &[u8],
    start: usize,
    lines: &[httparse::Header<'_>],
    names: &[Option<Known>],
) -> Result<HeaderMap, Error> {
    map.try_reserve(lines.len() + room).map_err(|_| Exceeded::Headers)?;
    let mut names = names.iter();
    for line in lines {
        let known = match names.next() {
            Some(known) => *known,
            None => Known::of(line.name.as_bytes()),
        };
        let name = match known.and_then(Known::header_name) {
            Some(name) => name,
            None => HeaderName::from_bytes(line.name.as_bytes()).map_err(|_| Violation::FieldName)?,
        };
        let value = if line.value.is_empty() {
            HeaderValue::from_static("")
        } else {
            let at = offset(bytes, line.value) - start;
            HeaderValue::from_maybe_shared(copy.slice(at..at + line.value.len()))
                .map_err(|_| Violation::FieldLine)?
        };
        map.try_append(name, value).map_err(|_| Exceeded::Headers)?;
    }
    Ok(map)
}

/// What `httparse` objects to, in our terms; `start_line` is the fault of a bad start line.
fn of_httparse(error: httparse::Error, start_line: Violation) -> Error {
    match error {
        httparse::Error::HeaderName => Violation::FieldName.into(),
        httparse::Error::HeaderValue => Violation::FieldLine.into(),
        httparse::Error::Version => Violation::Version.into(),
        httparse::Error::TooManyHeaders => Exceeded::Headers.into(),
        httparse::Error::NewLine | httparse::Error::Status | httparse::Error::Token => start_line.into(),
    }
}
