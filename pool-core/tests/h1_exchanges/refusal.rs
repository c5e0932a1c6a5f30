//! The last response of a server that is in no exchange.

use http::{HeaderMap, HeaderValue, StatusCode};
use pool_core::wire::h1::{Input, Limits, Outbox, ResponseHead, SendError, Server, ServerEvent};

/// Fields and content of a last response are the driver's, framing and the close are not.
#[test]
fn refusal_with_fields_and_content() {
    let text = |server: &mut Server, head: ResponseHead<'_>, content: &[u8]| {
        let mut out = Outbox::new();
        let sent = server.send_refusal_with(head, content, &mut out);
        (sent, String::from_utf8(out.to_vec()).expect("ASCII"))
    };
    let mut headers = HeaderMap::new();
    headers.insert("server", HeaderValue::from_static("x"));
    let head = ResponseHead { status: StatusCode::BAD_REQUEST, headers: &headers };
    let expected =
        "HTTP/1.1 400 Bad Request\r\nserver: x\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno";

    let mut failed = Server::new(Limits::default());
    assert!(failed.poll_event(&mut Input::new(b"GET / HTTP/1.1\r\n\r\n")).is_err());
    assert_eq!(text(&mut failed, head, b"no"), (Ok(()), expected.to_owned()));
    assert_eq!(text(&mut failed, head, b"no"), (Err(SendError::Busy), String::new()));

    let mut waiting = Server::new(Limits::default());
    assert!(matches!(waiting.poll_event(&mut Input::new(b"GET / HT")), Ok(None)));
    let mut wrong = headers.clone();
    wrong.insert("content-length", HeaderValue::from_static("3"));
    let spoilt = ResponseHead { headers: &wrong, ..head };
    assert_eq!(text(&mut waiting, spoilt, b"no"), (Err(SendError::ContentLength), String::new()));
    assert_eq!(text(&mut waiting, head, b"no"), (Ok(()), expected.to_owned()));
    assert!(waiting.is_idle() && !waiting.wants_input());
    assert!(matches!(waiting.poll_event(&mut Input::new(b"TP/1.1\r\nHost: a\r\n\r\n")), Ok(None)));
    assert_eq!(text(&mut waiting, head, b"no").0, Err(SendError::NotReusable));

    let mut asked = Server::new(Limits::default());
    let event = asked.poll_event(&mut Input::new(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert!(matches!(event, Ok(Some(ServerEvent::Head(..)))));
    assert_eq!(asked.head_bytes(), 27);
    assert_eq!(text(&mut asked, head, b"no").0, Err(SendError::NoMessage));
}
