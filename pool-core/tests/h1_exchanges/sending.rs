//! What goes out is unambiguous whatever the caller asks for.

use bytes::Bytes;
use http::{HeaderValue, Method, Uri, header};
use pool_core::wire::h1::{BodyLength, RequestHead, SendError, TargetForm};

use crate::pair::{Pair, fields};

/// Method, URI, fields, content, and what comes of it.
type Row<T> = (Method, &'static str, &'static [(&'static str, &'static str)], BodyLength, T);

/// The head that a request makes, or why it makes none.
fn written(
    method: Method,
    uri: &str,
    headers: &[(&'static str, &'static str)],
    body: BodyLength,
) -> Result<String, SendError> {
    let mut pair = Pair::new(1);
    let result = pair.request(method, uri, headers, body);
    if result.is_err() {
        assert!(pair.to_server.is_empty(), "nothing is written on error");
        assert!(pair.client.can_reuse(), "and nothing has begun");
    }
    result.map(|()| String::from_utf8(pair.to_server.to_vec()).expect("text"))
}

#[test]
fn request_heads_word_for_word() {
    use BodyLength::{Known, None, Unknown};
    let table: &[Row<&str>] = &[
        (
            Method::GET,
            "http://u:p@a:8/x?y=1",
            &[("x-a", "1")],
            None,
            "GET /x?y=1 HTTP/1.1\r\nhost: a:8\r\nx-a: 1\r\n\r\n",
        ),
        (Method::GET, "http://a", &[("host", "b")], None, "GET / HTTP/1.1\r\nhost: b\r\n\r\n"),
        (Method::GET, "/x", &[("host", "b")], None, "GET /x HTTP/1.1\r\nhost: b\r\n\r\n"),
        (Method::OPTIONS, "*", &[("host", "b")], None, "OPTIONS * HTTP/1.1\r\nhost: b\r\n\r\n"),
        (Method::POST, "http://a/", &[], None, "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"),
        (Method::PUT, "http://a/", &[], Known(0), "PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"),
        (Method::DELETE, "http://a/", &[], None, "DELETE / HTTP/1.1\r\nhost: a\r\n\r\n"),
        (
            Method::GET,
            "http://a/",
            &[("content-length", "0")],
            None,
            "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n",
        ),
        (Method::GET, "http://a/", &[], Known(12), "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 12\r\n\r\n"),
        (
            Method::POST,
            "http://a/",
            &[("content-length", "7")],
            Unknown,
            "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 7\r\n\r\n",
        ),
        (
            Method::POST,
            "http://a/",
            &[("transfer-encoding", "chunked")],
            Unknown,
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n",
        ),
        (
            Method::GET,
            "http://a/",
            &[
                ("connection", "keep-alive, x-hop"),
                ("keep-alive", "timeout=5"),
                ("proxy-connection", "x"),
                ("x-hop", "1"),
            ],
            None,
            "GET / HTTP/1.1\r\nhost: a\r\nconnection: x-hop\r\nx-hop: 1\r\n\r\n",
        ),
        (
            Method::GET,
            "http://a/",
            &[("te", "gzip;q=1, Trailers"), ("connection", "TE, close")],
            None,
            "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\nconnection: te\r\nte: trailers\r\n\r\n",
        ),
        (Method::GET, "http://a/", &[("te", "gzip")], None, "GET / HTTP/1.1\r\nhost: a\r\n\r\n"),
    ];
    for (method, uri, headers, body, expected) in table {
        assert_eq!(written(method.clone(), uri, headers, *body).as_deref(), Ok(*expected));
    }
}

#[test]
fn contradictions_of_the_caller_are_typed_errors() {
    use BodyLength::{Known, None, Unknown};
    let table: &[Row<SendError>] = &[
        (Method::POST, "http://a/", &[("content-length", "3")], Known(4), SendError::ContentLength),
        (Method::POST, "http://a/", &[("content-length", "3")], None, SendError::ContentLength),
        (Method::POST, "http://a/", &[("content-length", "x")], Unknown, SendError::ContentLength),
        (
            Method::POST,
            "http://a/",
            &[("content-length", "3"), ("content-length", "3")],
            Known(3),
            SendError::ContentLength,
        ),
        (
            Method::POST,
            "http://a/",
            &[("transfer-encoding", "gzip, chunked")],
            Unknown,
            SendError::TransferEncoding,
        ),
        (
            Method::POST,
            "http://a/",
            &[("transfer-encoding", "chunked")],
            Known(3),
            SendError::TransferEncoding,
        ),
        (
            Method::POST,
            "http://a/",
            &[("transfer-encoding", "chunked"), ("content-length", "3")],
            Unknown,
            SendError::TransferEncoding,
        ),
        (Method::GET, "/x", &[], None, SendError::NoHost),
        (Method::GET, "/x", &[("host", "a"), ("host", "b")], None, SendError::Host),
        (Method::GET, "/x", &[("host", "a b")], None, SendError::Host),
        (Method::GET, "*", &[("host", "a")], None, SendError::Target),
        (Method::CONNECT, "http://a/", &[], None, SendError::Target),
        (Method::CONNECT, "a:1", &[], Known(3), SendError::BodyNotAllowed),
    ];
    for (method, uri, headers, body, expected) in table {
        assert_eq!(
            written(method.clone(), uri, headers, *body),
            Err(*expected),
            "{method} {uri} {headers:?}"
        );
    }
}

#[test]
fn absolute_form_for_proxies_without_user_information() {
    let mut pair = Pair::new(1);
    let uri = Uri::from_static("http://u:p@a:8/x?y");
    let headers = fields(&[]);
    let head = RequestHead { method: &Method::GET, uri: &uri, form: TargetForm::Absolute, headers: &headers };
    pair.client.send_request(head, BodyLength::None, &mut pair.to_server).expect("request");
    assert_eq!(pair.to_server.to_vec(), b"GET http://a:8/x?y HTTP/1.1\r\nhost: a:8\r\n\r\n");
}

#[test]
fn target_that_is_not_ascii_is_never_written() {
    assert_eq!(written(Method::GET, "http://a/\u{e9}", &[], BodyLength::None), Err(SendError::Target));
}

#[test]
fn content_must_have_the_declared_length() {
    let mut pair = Pair::new(1);
    let none = pair.client.send_data(Bytes::from_static(b"x"), &mut pair.to_server);
    assert_eq!(none, Err(SendError::NoMessage));
    pair.request(Method::POST, "http://a/", &[], BodyLength::Known(4)).expect("request");
    assert_eq!(pair.request(Method::GET, "http://a/", &[], BodyLength::None), Err(SendError::Busy));
    let len = pair.to_server.len();
    let long = pair.client.send_data(Bytes::from_static(b"12345"), &mut pair.to_server);
    assert_eq!(long, Err(SendError::BodyTooLong { excess: 1 }));
    pair.send(b"123");
    let short = pair.client.end_request(None, &mut pair.to_server);
    assert_eq!(short, Err(SendError::BodyTooShort { missing: 1 }));
    pair.send(b"4");
    let trailers = pair.client.end_request(Some(&fields(&[("x", "1")])), &mut pair.to_server);
    assert_eq!(trailers, Err(SendError::TrailersNeedChunked));
    let long = pair.client.send_data(Bytes::from_static(b"5"), &mut pair.to_server);
    assert_eq!(long, Err(SendError::BodyTooLong { excess: 1 }));
    assert_eq!(pair.to_server.len(), len + 4, "exactly the declared content");
}

#[test]
fn trailers_must_not_frame_or_route() {
    let mut pair = Pair::new(1);
    pair.request(Method::POST, "http://a/", &[], BodyLength::Unknown).expect("request");
    let len = pair.to_server.len();
    for name in ["content-length", "transfer-encoding", "host", "connection"] {
        let result = pair.client.end_request(Some(&fields(&[(name, "1")])), &mut pair.to_server);
        assert_eq!(result, Err(SendError::ForbiddenTrailer), "{name}");
    }
    assert_eq!(pair.to_server.len(), len);
    pair.end_request();
}

#[test]
fn responses_are_framed_here_too() {
    let answer = |status, headers: &[(&'static str, &'static str)], body| {
        let mut pair = Pair::new(usize::MAX);
        pair.request(Method::GET, "http://a/", &[], BodyLength::None).expect("request");
        pair.serve();
        let result = pair.respond(status, headers, body);
        result.map(|()| String::from_utf8(pair.to_client.to_vec()).expect("text"))
    };
    let ok = |text: &str| Ok(format!("HTTP/1.1 {text}\r\n\r\n"));
    assert_eq!(answer(200, &[], BodyLength::None), ok("200 OK\r\ncontent-length: 0"));
    assert_eq!(answer(200, &[], BodyLength::Unknown), ok("200 OK\r\ntransfer-encoding: chunked"));
    assert_eq!(
        answer(200, &[("content-length", "3")], BodyLength::Unknown),
        ok("200 OK\r\ncontent-length: 3")
    );
    assert_eq!(
        answer(200, &[("connection", "close")], BodyLength::None),
        ok("200 OK\r\ncontent-length: 0\r\nconnection: close")
    );
    assert_eq!(answer(204, &[], BodyLength::Unknown), ok("204 No Content"));
    assert_eq!(answer(204, &[], BodyLength::Known(1)), Err(SendError::BodyNotAllowed));
    assert_eq!(answer(200, &[("content-length", "3")], BodyLength::Known(2)), Err(SendError::ContentLength));
    assert_eq!(
        answer(200, &[("transfer-encoding", "gzip")], BodyLength::Unknown),
        Err(SendError::TransferEncoding)
    );
    assert_eq!(answer(101, &[("upgrade", "p")], BodyLength::None), Err(SendError::Status), "nobody offered");
    assert_eq!(answer(103, &[], BodyLength::None), Err(SendError::Status), "not a final status");
}

#[test]
fn close_after_is_said_and_done() {
    let mut pair = Pair::new(usize::MAX);
    pair.request(Method::GET, "http://a/", &[], BodyLength::None).expect("request");
    pair.serve();
    pair.server.close_after();
    pair.respond(200, &[], BodyLength::None).expect("response");
    assert_eq!(pair.serve(), ["end Final"]);
    assert_eq!(pair.receive(), ["head 200 Empty", "end CloseNotified"]);
}

#[test]
fn sensitive_values_are_written_like_any_other() {
    let mut pair = Pair::new(1);
    let mut headers = fields(&[]);
    let mut value = HeaderValue::from_static("Basic x");
    value.set_sensitive(true);
    headers.insert(header::AUTHORIZATION, value);
    let uri = Uri::from_static("http://a/");
    let head = RequestHead { method: &Method::GET, uri: &uri, form: TargetForm::Origin, headers: &headers };
    pair.client.send_request(head, BodyLength::None, &mut pair.to_server).expect("request");
    assert!(String::from_utf8_lossy(&pair.to_server.to_vec()).contains("authorization: Basic x\r\n"));
}
