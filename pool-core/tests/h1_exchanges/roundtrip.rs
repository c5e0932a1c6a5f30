//! Every framing both ways, each at three ways of cutting the bytes.

use bytes::Bytes;
use http::{HeaderMap, Method};
use pool_core::wire::h1::{BodyLength, EofAt, Error, Input, Outbox, SendError};

use crate::pair::{Pair, client_events, fields};

const CUTS: [usize; 3] = [1, 7, usize::MAX];

#[test]
fn length_both_ways_and_reuse() {
    for cut in CUTS {
        let mut pair = Pair::new(cut);
        for round in 0..3 {
            assert!(pair.client.can_reuse());
            pair.request(Method::POST, "http://a/p?q", &[], BodyLength::Known(5)).expect("request");
            pair.send(b"he");
            pair.send(b"llo");
            assert!(pair.client.request_ended(), "the last byte of the length ends the request");
            pair.end_request();
            assert_eq!(
                pair.serve(),
                ["head POST /p?q Length(5)", "data hello", "request end"],
                "round {round}"
            );
            pair.respond(200, &[], BodyLength::Known(3)).expect("response");
            pair.answer(b"yes");
            pair.end_response();
            assert_eq!(pair.serve(), ["end Complete"]);
            assert_eq!(pair.receive(), ["head 200 Length(3)", "data yes", "end Complete"]);
            assert_eq!(pair.client.buffer_capacity() + pair.server.buffer_capacity(), 0);
            assert!(pair.server.is_idle() && pair.client.is_idle());
        }
    }
}

#[test]
fn chunked_with_trailers_both_ways() {
    let trailers = fields(&[("x-sum", "7"), ("x-sum", "8")]);
    for cut in CUTS {
        let mut pair = Pair::new(cut);
        pair.request(Method::PUT, "http://a/", &[("trailer", "x-sum")], BodyLength::Unknown)
            .expect("request");
        pair.send(b"abc");
        pair.send(b"");
        pair.send(b"defghijklmnopqrstuvwxyz");
        pair.client.end_request(Some(&trailers), &mut pair.to_server).expect("end");
        let told = "trailers {\"x-sum\": \"7\", \"x-sum\": \"8\"}";
        let served = pair.serve();
        assert_eq!(served, ["head PUT / Chunked", "data abcdefghijklmnopqrstuvwxyz", told, "request end"]);
        pair.respond(200, &[], BodyLength::Unknown).expect("response");
        pair.answer(b"0\r\n\r\n");
        pair.server.end_response(Some(&trailers), &mut pair.to_client).expect("end");
        assert_eq!(pair.receive(), ["head 200 Chunked", "data 0\r\n\r\n", told, "end Complete"]);
        assert_eq!(pair.serve(), ["end Complete"]);
    }
}

#[test]
fn large_chunks_go_by_reference_and_arrive_whole() {
    let large: &'static [u8] = vec![b'x'; 100_000].leak();
    for length in [BodyLength::Known(100_003), BodyLength::Unknown] {
        let mut pair = Pair::new(10_000);
        pair.request(Method::POST, "http://a/", &[], length).expect("request");
        pair.send(b"abc");
        let before = pair.to_server.capacity();
        pair.send(large);
        assert!(pair.to_server.capacity() < before + 4096, "copied although large");
        assert!(pair.to_server.len() > Outbox::HIGH_WATERMARK, "the driver sees that it is to stop");
        pair.end_request();
        let told = pair.serve();
        assert_eq!(told[1].len(), "data abc".len() + large.len());
        assert_eq!(told[2], "request end");
    }
}

#[test]
fn interim_responses_and_expect_continue() {
    for cut in CUTS {
        let mut pair = Pair::new(cut);
        pair.request(Method::POST, "http://a/", &[("expect", "100-continue")], BodyLength::Known(2))
            .expect("request");
        assert_eq!(pair.serve(), ["head POST / Length(2)"]);
        assert!(pair.server.expects_continue());
        for status in [http::StatusCode::EARLY_HINTS, http::StatusCode::CONTINUE] {
            pair.server.send_informational(status, &HeaderMap::new(), &mut pair.to_client).expect("interim");
        }
        assert!(!pair.server.expects_continue());
        assert_eq!(pair.receive(), ["interim 103", "interim 100"]);
        assert!(pair.client.response_started() && !pair.client.is_idle());
        pair.send(b"ok");
        assert_eq!(pair.serve(), ["data ok", "request end"]);
        pair.respond(204, &[], BodyLength::None).expect("response");
        assert_eq!(pair.serve(), ["end Complete"]);
        assert_eq!(pair.receive(), ["head 204 Empty", "end Complete"]);
    }
}

#[test]
fn final_response_instead_of_continue_closes() {
    let mut pair = Pair::new(usize::MAX);
    pair.request(Method::POST, "http://a/", &[("expect", "100-continue")], BodyLength::Known(2))
        .expect("request");
    pair.serve();
    pair.respond(417, &[], BodyLength::None).expect("response");
    assert!(String::from_utf8_lossy(&pair.to_client.to_vec()).contains("connection: close\r\n"));
    assert_eq!(pair.serve(), ["end RequestUnfinished"]);
    assert_eq!(pair.receive(), ["head 417 Empty", "end RequestUnfinished"]);
    assert!(!pair.client.can_reuse());
}

#[test]
fn early_response_ends_the_exchange_on_both_sides() {
    for cut in CUTS {
        let mut pair = Pair::new(cut);
        pair.request(Method::POST, "http://a/", &[], BodyLength::Unknown).expect("request");
        pair.send(b"a part");
        assert_eq!(pair.serve(), ["head POST / Chunked", "data a part"]);
        pair.respond(413, &[], BodyLength::Known(2)).expect("response");
        pair.answer(b"no");
        assert_eq!(pair.serve(), ["end RequestUnfinished"]);
        assert_eq!(pair.receive(), ["head 413 Length(2)", "data no", "end RequestUnfinished"]);
        assert!(pair.client.is_idle() && !pair.client.can_reuse());
        let again = pair.request(Method::GET, "http://a/", &[], BodyLength::None);
        assert_eq!(again, Err(SendError::NotReusable));
    }
}

#[test]
fn response_that_is_early_but_outlasted_by_the_request_is_complete() {
    let mut pair = Pair::new(usize::MAX);
    pair.request(Method::POST, "http://a/", &[], BodyLength::Known(4)).expect("request");
    pair.send(b"ab");
    pair.serve();
    pair.respond(200, &[], BodyLength::Known(2)).expect("response");
    pair.answer(b"o");
    assert_eq!(pair.receive(), ["head 200 Length(2)", "data o"]);
    pair.send(b"cd");
    assert_eq!(pair.serve(), ["data cd", "request end"]);
    pair.answer(b"k");
    assert_eq!(pair.serve(), ["end Complete"]);
    assert_eq!(pair.receive(), ["data k", "end Complete"]);
}

#[test]
fn head_and_304_say_a_length_and_have_no_content() {
    for (method, status) in [(Method::HEAD, 200), (Method::GET, 304)] {
        let mut pair = Pair::new(3);
        pair.request(method, "http://a/", &[], BodyLength::None).expect("request");
        pair.serve();
        pair.respond(status, &[], BodyLength::Known(9)).expect("response");
        assert!(!pair.server.wants_data());
        let data = pair.server.send_data(Bytes::from_static(b"x"), &mut pair.to_client);
        assert_eq!(data, Err(SendError::BodyNotAllowed));
        pair.end_response();
        assert!(String::from_utf8_lossy(&pair.to_client.to_vec()).contains("content-length: 9\r\n"));
        assert_eq!(pair.receive(), [format!("head {status} Empty"), "end Complete".to_owned()]);
        assert_eq!(pair.serve(), ["end Complete"]);
    }
}

#[test]
fn upgrade_hands_the_bytes_over() {
    for cut in CUTS {
        let mut pair = Pair::new(cut);
        pair.request(Method::GET, "http://a/", &[("upgrade", "p")], BodyLength::None).expect("request");
        assert!(String::from_utf8_lossy(&pair.to_server.to_vec()).contains("connection: upgrade\r\n"));
        assert_eq!(pair.serve(), ["head GET / Empty", "request end"]);
        pair.respond(101, &[("upgrade", "p")], BodyLength::None).expect("response");
        pair.answer(b"server speaks first");
        assert_eq!(pair.receive(), ["head 101 Tunnel", "data server speaks first"]);
        assert!(pair.client.is_tunnel() && pair.server.is_tunnel());
        pair.send(b"GET");
        assert_eq!(pair.serve(), ["data GET"]);
        pair.end_request();
        assert_eq!(pair.server_eof().expect("FIN"), ["end Final"]);
        assert_eq!(pair.client_eof().expect("FIN"), ["end Final"]);
        assert!(!pair.client.can_reuse());
    }
}

#[test]
fn connect_hands_the_bytes_over_to_a_driver_of_its_own() {
    let mut pair = Pair::new(usize::MAX);
    pair.request(Method::CONNECT, "a:443", &[], BodyLength::None).expect("request");
    assert!(pair.to_server.to_vec().starts_with(b"CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n"));
    assert_eq!(pair.serve(), ["head CONNECT a:443 Empty", "request end"]);
    pair.respond(200, &[], BodyLength::None).expect("response");
    pair.answer(b"raw");
    let bytes = pair.to_client.to_vec();
    let mut input = Input::new(&bytes);
    let head = pair.client.poll_event(&mut input).expect("response").expect("head");
    assert!(format!("{head:?}").contains("Tunnel"), "{head:?}");
    assert_eq!(pair.client.take_rest(&mut input), "raw");
    assert!(input.is_empty());
}

#[test]
fn refused_connect_closes_since_tunnel_bytes_may_follow() {
    let mut pair = Pair::new(usize::MAX);
    pair.request(Method::CONNECT, "a:443", &[], BodyLength::None).expect("request");
    pair.to_server.push_slice(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(pair.serve(), ["head CONNECT a:443 Empty", "request end"]);
    pair.respond(403, &[], BodyLength::None).expect("response");
    assert_eq!(pair.serve(), ["end Final"], "the bytes behind are not taken for a request");
    assert_eq!(pair.receive(), ["head 403 Empty", "end CloseNotified"]);
}

#[test]
fn pipelined_requests_are_served_one_at_a_time_and_kept_within_bounds() {
    let one = b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut pair = Pair::new(usize::MAX);
    pair.to_server.push_slice(&one.repeat(3));
    for _ in 0..3 {
        let told = pair.serve();
        assert_eq!(told[told.len() - 2..], ["head GET /1 Empty", "request end"]);
        assert_eq!(pair.server.wants_input(), pair.server.buffered() == 0);
        pair.respond(200, &[], BodyLength::None).expect("response");
    }
    assert_eq!(pair.serve(), ["end Complete"]);
    assert_eq!(pair.server.buffer_capacity(), 0);

    let flood = one.repeat(10_000);
    let mut input = Input::new(&flood);
    while pair.server.poll_event(&mut input).expect("flood").is_some() {}
    assert!(pair.server.buffered() <= 64 * 1024);
    assert!(!input.is_empty() && !pair.server.wants_input());
}

#[test]
fn http10_client_gets_length_or_close_never_chunks_or_interim() {
    let mut pair = Pair::new(usize::MAX);
    pair.to_server.push_slice(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!(pair.serve(), ["head GET / Empty", "request end"]);
    let hints = http::StatusCode::EARLY_HINTS;
    pair.server.send_informational(hints, &HeaderMap::new(), &mut pair.to_client).expect("left out");
    assert!(pair.to_client.is_empty());
    pair.respond(200, &[], BodyLength::Known(1)).expect("response");
    pair.answer(b"x");
    let text = String::from_utf8(pair.to_client.to_vec()).expect("text");
    assert_eq!(text, "HTTP/1.1 200 OK\r\ncontent-length: 1\r\nconnection: keep-alive\r\n\r\nx");
    assert_eq!(pair.serve(), ["end Complete"]);

    pair.to_client.clear();
    pair.to_server.push_slice(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    pair.serve();
    pair.respond(200, &[], BodyLength::Unknown).expect("response");
    pair.answer(b"until the end");
    pair.server
        .end_response(Some(&fields(&[("x", "1")])), &mut pair.to_client)
        .expect("trailers are dropped");
    let text = String::from_utf8(pair.to_client.to_vec()).expect("text");
    assert_eq!(text, "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nuntil the end");
    assert_eq!(pair.serve(), ["end Final"]);
}

#[test]
fn eof_at_every_point_of_a_response_is_told_as_what_it_is() {
    let response = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: 1\r\n\r\n";
    let head_end = response.windows(4).rposition(|w| w == b"\r\n\r\n").expect("end") + 4;
    assert_eq!(head_end, response.len());
    let head_end = response.windows(9).position(|w| w == b"chunked\r\n").expect("field") + 11;
    for at in 0..response.len() {
        let mut pair = Pair::new(usize::MAX);
        pair.request(Method::GET, "http://a/", &[], BodyLength::None).expect("request");
        let mut told = Vec::new();
        client_events(&mut pair.client, &mut Input::new(&response[..at]), &mut told).expect("no error yet");
        let expected = match at {
            0 => EofAt::BeforeResponse,
            _ if at < head_end => EofAt::Head,
            _ => EofAt::Body,
        };
        assert_eq!(pair.client.response_started(), at > 0);
        assert_eq!(pair.client_eof(), Err(Error::Eof(expected)), "cut at {at}");
        assert_eq!(pair.client_eof(), Err(Error::Eof(expected)), "the same for ever");
    }
}

#[test]
fn eof_behind_the_last_byte_of_one_read_completes_the_exchange_first() {
    let mut pair = Pair::new(usize::MAX);
    pair.request(Method::GET, "http://a/", &[], BodyLength::None).expect("request");
    let mut told = Vec::new();
    let mut input = Input::last(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    client_events(&mut pair.client, &mut input, &mut told).expect("response");
    assert_eq!(told, ["head 200 Length(2)", "data ok", "end Complete", "idle Eof"]);
    assert!(!pair.client.can_reuse());
}

#[test]
fn kept_input_is_read_on_later() {
    let mut pair = Pair::new(usize::MAX);
    pair.request(Method::GET, "http://a/", &[], BodyLength::None).expect("request");
    let mut input = Input::new(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
    let _head = pair.client.poll_event(&mut input).expect("head");
    pair.client.keep(&mut input);
    assert!(input.is_empty());
    assert_eq!(pair.client.buffered(), 12);
    let mut told = Vec::new();
    client_events(&mut pair.client, &mut Input::nothing(), &mut told).expect("rest");
    assert_eq!(told, ["data ok", "end Complete"]);
    assert_eq!(pair.client.buffer_capacity(), 0);
}
