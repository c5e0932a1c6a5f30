//! What a peer may make us hold is bounded, at the limit exactly and however bytes are cut.

use http::{HeaderMap, Method};
use pool_core::wire::h1::{
    BodyLength, Client, Error, Exceeded, Input, Limits, Outbox, RequestHead, Server, TargetForm,
};

/// Feeds a server; whole and byte by byte must give the same.
fn serve(limits: &Limits, bytes: &[u8]) -> Option<Error> {
    let feed = |cut: usize| {
        let mut server = Server::new(limits.clone());
        let mut most = 0;
        for piece in bytes.chunks(cut) {
            let mut input = Input::new(piece);
            loop {
                match server.poll_event(&mut input) {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(error) => {
                        assert_eq!(server.buffer_capacity(), 0, "nothing is kept after an error");
                        return Some(error);
                    }
                }
            }
            most = most.max(server.buffered());
        }
        assert!(most <= limits.max_head_bytes.max(limits.max_trailer_bytes));
        None
    };
    let whole = feed(usize::MAX);
    assert_eq!(feed(1), whole);
    whole
}

#[test]
fn head_bytes_at_the_limit_and_one_above() {
    let limits = Limits { max_head_bytes: 200, ..Limits::default() };
    let head = |padding: usize| format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "p".repeat(padding));
    let fits = 200 - head(0).len();
    assert_eq!(serve(&limits, head(fits).as_bytes()), None);
    assert_eq!(serve(&limits, head(fits + 1).as_bytes()), Some(Error::Limit(Exceeded::HeadBytes)));
    assert_eq!(
        serve(&limits, "G".repeat(1000).as_bytes()),
        Some(Error::Limit(Exceeded::HeadBytes)),
        "no end in sight"
    );
}

#[test]
fn field_lines_at_the_limit_and_one_above() {
    let head = |count: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: 1\r\n".repeat(count - 1));
    for max_headers in [5, 100, 300] {
        let limits = Limits { max_headers, ..Limits::default() };
        assert_eq!(serve(&limits, head(max_headers).as_bytes()), None);
        assert_eq!(serve(&limits, head(max_headers + 1).as_bytes()), Some(Error::Limit(Exceeded::Headers)));
    }
}

#[test]
fn trailers_and_chunk_lines_are_bounded() {
    let limits = Limits {
        max_trailer_bytes: 50,
        max_chunk_line_bytes: 20,
        max_chunk_extension_bytes: 30,
        max_headers: 5,
        ..Limits::default()
    };
    let body = |rest: String| {
        let bytes = format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{rest}");
        serve(&limits, bytes.as_bytes())
    };
    assert_eq!(body(format!("0\r\nX: {}\r\n\r\n", "t".repeat(43))), None);
    assert_eq!(
        body(format!("0\r\nX: {}\r\n\r\n", "t".repeat(44))),
        Some(Error::Limit(Exceeded::TrailerBytes))
    );
    assert_eq!(body(format!("0\r\n{}\r\n", "X: 1\r\n".repeat(6))), Some(Error::Limit(Exceeded::Headers)));
    assert_eq!(body(format!("1;{}\r\nx", "e".repeat(17))), None, "20 bytes with CR");
    assert_eq!(body(format!("1;{}\r\nx", "e".repeat(18))), Some(Error::Limit(Exceeded::ChunkLineBytes)));
    assert_eq!(body("1;eeeeeeeee\r\nx\r\n".repeat(3)), None);
    assert_eq!(body("1;eeeeeeeee\r\nx\r\n".repeat(4)), Some(Error::Limit(Exceeded::ChunkExtensionBytes)));
}

#[test]
fn interim_responses_are_bounded() {
    let limits = Limits { max_informational: 3, ..Limits::default() };
    for (count, expected) in [(3, None), (4, Some(Error::Limit(Exceeded::Informational)))] {
        let mut client = Client::new(limits.clone());
        let (uri, headers) = (http::Uri::from_static("http://a/"), HeaderMap::new());
        let head =
            RequestHead { method: &Method::GET, uri: &uri, form: TargetForm::Origin, headers: &headers };
        client.send_request(head, BodyLength::None, &mut Outbox::new()).expect("request");
        let bytes = b"HTTP/1.1 102 Processing\r\n\r\n".repeat(count);
        let mut input = Input::new(&bytes);
        let error = loop {
            match client.poll_event(&mut input) {
                Ok(Some(_)) => {}
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        assert_eq!(error, expected);
    }
}

#[test]
fn single_bytes_cost_linear_work() {
    // 60 KiB one by one: quadratic parsing would take minutes in a debug build.
    let head = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "p".repeat(60_000));
    assert_eq!(serve(&Limits::default(), head.as_bytes()), None);
}
