//! Scenarios of the pool that end in wire, by their ids: what wire tells, which is the pool's fact.

use http::Method;
use pool_core::report::StreamEnd;
use pool_core::wire::h1::{BodyLength, EofAt, Error, Input, Violation};

use crate::pair::{Pair, client_events};

fn asked() -> Pair {
    let mut pair = Pair::new(usize::MAX);
    pair.request(Method::GET, "http://a/", &[], BodyLength::None).expect("request");
    pair
}

fn feed(pair: &mut Pair, bytes: &[u8]) -> (Vec<String>, Result<(), Error>) {
    let mut told = Vec::new();
    let result = client_events(&mut pair.client, &mut Input::new(bytes), &mut told);
    (told, result)
}

#[test]
fn h1_14_connection_close_in_the_response() {
    for field in ["Connection: Close", "Connection: x , cLoSe", "Proxy-Connection: close"] {
        let mut pair = asked();
        let response = format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n{field}\r\n\r\nok");
        let (told, result) = feed(&mut pair, response.as_bytes());
        assert_eq!((told.last().map(String::as_str), result), (Some("end CloseNotified"), Ok(())), "{field}");
        assert!(!pair.client.can_reuse());
    }
}

#[test]
fn h1_16_http_1_0_response_without_keep_alive() {
    let mut pair = asked();
    let (told, result) = feed(&mut pair, b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert_eq!(result, Ok(()));
    assert_eq!(told, ["head 200 Length(2)", "data ok", "end CloseNotified"]);

    let mut pair = asked();
    let (told, _) =
        feed(&mut pair, b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok");
    assert_eq!(told.last().map(String::as_str), Some("end Complete"));
    assert!(pair.client.can_reuse());
}

#[test]
fn int_08_unsolicited_further_responses() {
    let mut pair = asked();
    let one = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let (told, result) = feed(&mut pair, &one.repeat(3));
    assert_eq!(told, ["head 200 Length(2)", "data ok", "end Complete"], "the first is delivered");
    assert_eq!(result, Err(Error::Peer(Violation::Unsolicited)), "the surplus is a protocol error");
    assert!(!pair.client.can_reuse());
}

#[test]
fn int_11_408_on_an_idle_connection() {
    let response = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    for at in 1..response.len() {
        let mut pair = Pair::new(usize::MAX);
        let (mut told, result) = feed(&mut pair, &response[..at]);
        assert_eq!(result, Ok(()));
        assert!(!pair.client.can_reuse(), "bytes are there, whatever they become");
        let (more, result) = feed(&mut pair, &response[at..]);
        told.extend(more);
        assert_eq!(
            (told, result),
            (vec!["idle RequestTimeout".to_owned()], Ok(())),
            "no protocol error, cut at {at}"
        );
    }
}

#[test]
fn int_13_remote_close_with_an_active_stream() {
    let mut pair = asked();
    let error = pair.client_eof().expect_err("no response came");
    assert_eq!(error, Error::Eof(EofAt::BeforeResponse));
    assert_eq!(error.stream_end(), StreamEnd::RemoteReset);
    assert!(!pair.client.response_started(), "verdict NoResponseByte on a reused connection");

    let mut pair = asked();
    let (_, result) = feed(&mut pair, b"HTTP/1.1 200 OK\r\n\r\nall of it");
    assert_eq!(result, Ok(()));
    assert_eq!(
        pair.client_eof(),
        Ok(vec!["end Final".to_owned()]),
        "the close is offered as end of content first"
    );
}

#[test]
fn idle_connection_tells_a_fin_from_garbage() {
    let mut pair = Pair::new(usize::MAX);
    assert_eq!(pair.client_eof(), Ok(vec!["idle Eof".to_owned()]));
    assert!(!pair.client.can_reuse());
    let mut pair = Pair::new(usize::MAX);
    let (told, result) = feed(&mut pair, b"HTTP/1.1 500 Oops\r\n\r\n");
    assert_eq!((told.len(), result), (0, Err(Error::Peer(Violation::Unsolicited))));
    let mut pair = Pair::new(usize::MAX);
    assert_eq!(pair.server_eof(), Ok(vec!["closed".to_owned()]));
}

#[test]
fn half_closed_client_is_answered_and_then_told_closed() {
    let mut pair = asked();
    assert_eq!(pair.serve(), ["head GET / Empty", "request end"]);
    assert_eq!(pair.server_eof(), Ok(vec![]), "half-closed: the answer is still wanted");
    assert!(!pair.server.wants_input());
    pair.respond(200, &[], BodyLength::None).expect("response");
    assert_eq!(pair.serve(), ["end Complete", "closed"]);
}

#[test]
fn refusal_is_written_once_and_only_if_nothing_was() {
    let mut pair = Pair::new(usize::MAX);
    let mut input = Input::new(b"GET / HTTP/3.0\r\n\r\n");
    let error = pair.server.poll_event(&mut input).expect_err("bad version");
    assert_eq!(error.status().map(|status| status.as_u16()), Some(505));
    pair.server.send_refusal(&mut pair.to_client);
    pair.server.send_refusal(&mut pair.to_client);
    let text = String::from_utf8(pair.to_client.to_vec()).expect("text");
    assert_eq!(
        text,
        "HTTP/1.1 505 HTTP Version Not Supported\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    );

    let mut pair = Pair::new(usize::MAX);
    pair.to_server.push_slice(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    pair.serve();
    pair.respond(200, &[], BodyLength::Unknown).expect("response");
    pair.to_client.clear();
    pair.server.poll_event(&mut Input::new(b"x")).expect_err("bad chunk");
    pair.server.send_refusal(&mut pair.to_client);
    assert!(pair.to_client.is_empty(), "a response has begun");
}
