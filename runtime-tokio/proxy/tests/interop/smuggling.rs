//! Requests whose end two readers could see in different places (RFC 9112, 11.2): the upstream never
//! sees one that the client did not send as such.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::process::until;
use crate::proxy::Config;
use crate::socket::{Peer, origin};

/// What a smuggler would like to be seen as a request of its own.
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: test\r\n\r\n";

/// What became of a row at the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// Not a byte of a request.
    Nothing,
    /// A beginning, and then the end of the connection.
    Torn,
    /// One request with this content.
    One(&'static str),
}

use Seen::{Nothing, One, Torn};

/// A name, the fields behind `POST /row` and `Host`, what follows the head (`$` stands for the hidden
/// request), the status of the only answer (0: none, the client leaves), and what the upstream saw.
type Row = (&'static str, &'static str, &'static str, u16, Seen);

const ROWS: &[Row] = &[
    // Two framings (RFC 9112 6.1, 6.3).
    ("CL and TE", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n$", 400, Nothing),
    ("TE and CL", "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "0\r\n\r\n$", 400, Nothing),
    ("two lengths", "Content-Length: 0\r\nContent-Length: 36\r\n", "$", 400, Nothing),
    ("a list of lengths", "Content-Length: 0, 36\r\n", "$", 400, Nothing),
    ("a length with a sign", "Content-Length: +0\r\n", "$", 400, Nothing),
    ("a negative length", "Content-Length: -1\r\n", "$", 400, Nothing),
    ("a hexadecimal length", "Content-Length: 0x0\r\n", "$", 400, Nothing),
    ("a length with a blank inside", "Content-Length: 0 0\r\n", "$", 400, Nothing),
    ("an empty length", "Content-Length:\r\n", "$", 400, Nothing),
    ("a length beyond 64 bits", "Content-Length: 18446744073709551616\r\n", "$", 400, Nothing),
    // Codings (RFC 9112 6.1).
    ("an unknown coding", "Transfer-Encoding: xchunked\r\n", "0\r\n\r\n$", 501, Nothing),
    ("chunked is not last", "Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n$", 400, Nothing),
    ("chunked twice", "Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n$", 400, Nothing),
    (
        "chunked in two fields",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "0\r\n\r\n$",
        400,
        Nothing,
    ),
    (
        "chunked and another field",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
        "0\r\n\r\n$",
        400,
        Nothing,
    ),
    ("a quoted coding", "Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n$", 400, Nothing),
    ("a vertical tab before the coding", "Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n$", 400, Nothing),
    ("a parameter", "Transfer-Encoding: chunked;a=b\r\n", "0\r\n\r\n$", 501, Nothing),
    ("an empty coding", "Transfer-Encoding:\r\n", "$", 400, Nothing),
    ("TE in capitals", "TRANSFER-ENCODING: CHUNKED\r\n", "3\r\nabc\r\n0\r\n\r\n", 200, One("abc")),
    // Fields (RFC 9112 5).
    ("a blank before the colon", "Transfer-Encoding : chunked\r\n", "0\r\n\r\n$", 400, Nothing),
    ("a blank before the colon of the length", "Content-Length : 36\r\n", "$", 400, Nothing),
    ("a field that begins with a blank", " Content-Length: 36\r\n", "$", 400, Nothing),
    ("obs-fold", "X-Long: a\r\n Content-Length: 36\r\n", "$", 400, Nothing),
    ("obs-fold in the coding", "Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n$", 400, Nothing),
    ("a tab in the name", "Content-Length\t: 36\r\n", "$", 400, Nothing),
    ("a NUL in the value", "X-Nul: a\0b\r\n", "$", 400, Nothing),
    ("a CR in the value", "X-Cr: a\rContent-Length: 36\r\n", "$", 400, Nothing),
    ("no colon", "Content-Length 36\r\n", "$", 400, Nothing),
    ("an empty name", ": chunked\r\n", "$", 400, Nothing),
    ("two hosts", "Host: other\r\n", "", 400, Nothing),
    // Chunks (RFC 9112 7.1): the head has been passed on when they are read.
    ("a chunk size with a sign", "Transfer-Encoding: chunked\r\n", "+0\r\n\r\n$", 400, Torn),
    ("a chunk size with a prefix", "Transfer-Encoding: chunked\r\n", "0x0\r\n\r\n$", 400, Torn),
    ("no chunk size", "Transfer-Encoding: chunked\r\n", "\r\n\r\n$", 400, Torn),
    ("a blank before the chunk size", "Transfer-Encoding: chunked\r\n", " 0\r\n\r\n$", 400, Torn),
    ("a chunk size of 17 digits", "Transfer-Encoding: chunked\r\n", "10000000000000000\r\n$", 400, Torn),
    ("a chunk longer than its size", "Transfer-Encoding: chunked\r\n", "2\r\nabc\r\n0\r\n\r\n$", 400, Torn),
    ("a bare LF after a chunk size", "Transfer-Encoding: chunked\r\n", "3\nabc\r\n0\r\n\r\n", 400, Torn),
    ("a bare LF after a chunk", "Transfer-Encoding: chunked\r\n", "3\r\nabc\n0\r\n\r\n", 400, Torn),
    ("a bare LF in an extension", "Transfer-Encoding: chunked\r\n", "3;a\nabc\r\n0\r\n\r\n", 400, Torn),
    ("chunks that stop", "Transfer-Encoding: chunked\r\n", "5\r\nab", 0, Torn),
    (
        "an extension is not passed on",
        "Transfer-Encoding: chunked\r\n",
        "3;a=b\r\nabc\r\n0\r\n\r\n",
        200,
        One("abc"),
    ),
    (
        "a trailer of framing",
        "Transfer-Encoding: chunked\r\n",
        "3\r\nabc\r\n0\r\nContent-Length: 9\r\n\r\n",
        400,
        Torn,
    ),
    // The hidden request is content, and stays that.
    ("hidden in a length", "Content-Length: 36\r\n", "$", 200, One(HIDDEN)),
    ("hidden in a chunk", "Transfer-Encoding: chunked\r\n", "24\r\n$\r\n0\r\n\r\n", 200, One(HIDDEN)),
    (
        "framing named by Connection",
        "Connection: Content-Length\r\nContent-Length: 36\r\n",
        "$",
        200,
        One(HIDDEN),
    ),
    (
        "chunked named by Connection",
        "Connection: close, Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n",
        "24\r\n$\r\n0\r\n\r\n",
        200,
        One(HIDDEN),
    ),
];

/// Heads that are wrong as a whole; the upstream sees nothing of them.
const HEADS: &[(&str, &str, u16)] = &[
    ("bare LFs", "POST /row HTTP/1.1\nHost: test\nContent-Length: 0\n\n$", 400),
    ("a bare LF at the end of a field", "POST /row HTTP/1.1\r\nHost: test\nContent-Length: 36\r\n\r\n$", 400),
    ("a blank in the target", "POST /row /x HTTP/1.1\r\nHost: test\r\n\r\n$", 505),
    ("a line end in the target", "POST /row\rX: HTTP/1.1\r\nHost: test\r\n\r\n$", 400),
    ("no host", "POST /row HTTP/1.1\r\nContent-Length: 0\r\n\r\n$", 400),
    ("a blank before the first field", "POST /row HTTP/1.1\r\n Host: test\r\n\r\n$", 400),
    ("a version with another number", "POST /row HTTP/1.10\r\nHost: test\r\n\r\n$", 400),
    ("a version in small letters", "POST /row http/1.1\r\nHost: test\r\n\r\n$", 505),
    ("a method with a colon", "PO:ST /row HTTP/1.1\r\nHost: test\r\n\r\n$", 400),
];

/// Everything that connections to the upstream carried, and how many of them are open.
#[derive(Default)]
struct Record {
    connections: Mutex<Vec<String>>,
    open: AtomicUsize,
}

/// The content of the first request in `bytes` and what comes behind it; `None` if there is not all of
/// it. Reads as strictly as the RFC allows: whatever is left over is another request.
fn first(bytes: &str) -> Option<(String, &str)> {
    let (head, mut rest) = bytes.split_once("\r\n\r\n")?;
    let head = head.to_ascii_lowercase();
    let value = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    assert!(value("content-length:").is_none() || value("transfer-encoding:").is_none(), "{head}");
    let mut content = String::new();
    if let Some(coding) = value("transfer-encoding:") {
        assert_eq!(coding, "chunked", "{head}");
        loop {
            let (size, data) = rest.split_once("\r\n")?;
            let size = usize::from_str_radix(size, 16).expect("a chunk size without more");
            let chunk = data.get(..size)?;
            rest = data.get(size..)?.strip_prefix("\r\n")?;
            if size == 0 {
                return Some((content, rest));
            }
            content.push_str(chunk);
        }
    }
    let length = value("content-length:").map_or(0, |length| length.parse().expect("a length"));
    content.push_str(rest.get(..length)?);
    Some((content, &rest[length..]))
}

fn recording_origin(record: Arc<Record>) -> std::net::SocketAddr {
    origin(move |mut peer| {
        record.open.fetch_add(1, Ordering::SeqCst);
        let (mut bytes, mut answered) = (String::new(), 0);
        loop {
            let some = peer.some();
            if some.is_empty() {
                break;
            }
            bytes.push_str(&String::from_utf8_lossy(&some));
            let (mut rest, mut complete) = (&bytes[..], 0);
            while let Some((_, behind)) = first(rest) {
                (rest, complete) = (behind, complete + 1);
            }
            for _ in answered..complete {
                // The proxy may have gone.
                let _ = std::io::Write::write_all(
                    &mut peer.stream,
                    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
                );
            }
            answered = complete;
        }
        record.connections.lock().expect("alive").push(bytes);
        record.open.fetch_sub(1, Ordering::SeqCst);
    })
}

/// Sends bytes through a proxy of their own and waits for so many answers; the statuses of all answers
/// until the proxy has ended, and what the upstream read.
fn through(bytes: &str, answers: usize) -> (Vec<u16>, Vec<String>) {
    let record = Arc::new(Record::default());
    let proxy = Config::new(recording_origin(record.clone())).start();
    let mut peer = Peer::connect(proxy.address);
    peer.send(bytes.replace('$', HIDDEN));
    // A client that closes its side has left, for this proxy as for Envoy: only one without answers does.
    if answers == 0 {
        peer.finish();
    }
    let (mut statuses, mut is_last) = (Vec::new(), false);
    while statuses.len() < answers && !is_last {
        let answer = peer.message().expect("an answer");
        is_last = answer.field("connection") == Some("close");
        statuses.push(answer.status);
    }
    if is_last {
        assert_eq!(peer.read_to_end(), b"", "nothing follows");
        peer.finish();
    }
    proxy.terminate();
    statuses.extend(std::iter::from_fn(|| peer.message()).map(|answer| answer.status));
    until("the end of connections upstream", || (record.open.load(Ordering::SeqCst) == 0).then_some(()));
    let connections = record.connections.lock().expect("alive").clone();
    (statuses, connections.into_iter().filter(|bytes| !bytes.is_empty()).collect())
}

fn seen(connections: &[String]) -> Result<Option<String>, String> {
    match connections {
        [] => Ok(None),
        [bytes] => match first(bytes) {
            Some((content, "")) => Ok(Some(content)),
            Some((_, behind)) => Err(format!("another request: {behind:?}")),
            None => Ok(Some("torn".to_owned())),
        },
        more => Err(format!("several connections: {more:?}")),
    }
}

#[test]
fn the_upstream_sees_one_request_or_none() {
    assert_eq!(HIDDEN.len(), 36, "the length in the rows");
    let mut wrong = Vec::new();
    for &(name, fields, behind, status, expected) in ROWS {
        let (statuses, connections) = through(
            &format!("POST /row HTTP/1.1\r\nHost: test\r\n{fields}\r\n{behind}"),
            usize::from(status > 0),
        );
        let saw = seen(&connections);
        let as_expected = match (&saw, expected) {
            (Ok(None), Nothing) => true,
            (Ok(Some(content)), One(all)) => content == all,
            (Ok(Some(content)), Torn) => content == "torn",
            // A bad beginning of the content may be met before anything was sent.
            (Ok(None), Torn) => true,
            _ => false,
        };
        let statuses_expected: &[u16] = if status == 0 { &[] } else { &[status] };
        if statuses != statuses_expected || !as_expected {
            wrong.push(format!("{name}: {statuses:?}, expected {status}; upstream {connections:?}"));
        }
    }
    for (name, bytes, status) in HEADS {
        let (statuses, connections) = through(bytes, 1);
        if statuses != [*status] || !connections.is_empty() {
            wrong.push(format!("{name}: {statuses:?}; upstream {connections:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

/// Two requests sent at once are two requests, one after the other, on one connection upstream.
#[test]
fn pipelined_requests_are_what_they_are() {
    let (statuses, connections) =
        through("POST /row HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n$", 2);
    assert_eq!(statuses, [200, 200]);
    let [bytes] = &connections[..] else { panic!("{connections:?}") };
    assert!(bytes.starts_with("POST /row ") && bytes.contains("\r\n\r\nGET /hidden "), "{bytes}");
}
