//! The least client that works: a connection per task, `httparse`, content-length only, no policy.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Client, Target};
use crate::error::{Error, Result};

#[derive(Clone)]
pub(crate) struct Floor;

pub(crate) struct Lane {
    target: Target,
    request: Vec<u8>,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Client for Floor {
    type Lane = Lane;

    fn new(_: &Target) -> Result<Self> {
        Ok(Self)
    }

    fn lane(&self, target: &Target) -> Result<Lane> {
        let request = format!("GET {} HTTP/1.1\r\nhost: {}\r\n\r\n", target.path, target.origin).into_bytes();
        Ok(Lane { target: target.clone(), request, stream: None, buffer: Vec::new() })
    }

    async fn fetch(lane: &mut Lane) -> Result<usize> {
        let stream = match &mut lane.stream {
            Some(stream) => stream,
            none => {
                let stream = TcpStream::connect(lane.target.origin).await?;
                stream.set_nodelay(true)?;
                // Head and body of the response in one buffer; the allocation stays with the lane.
                lane.buffer.reserve_exact(lane.target.body + 200);
                none.insert(stream)
            }
        };
        stream.write_all(&lane.request).await?;
        lane.buffer.clear();
        loop {
            if stream.read_buf(&mut lane.buffer).await? == 0 {
                return Err(Error::new("the origin closed the connection"));
            }
            if let Some((head, body)) = parse(&lane.buffer)? {
                while lane.buffer.len() < head + body {
                    if stream.read_buf(&mut lane.buffer).await? == 0 {
                        return Err(Error::new("the origin closed the connection"));
                    }
                }
                return Ok(lane.buffer.len() - head);
            }
        }
    }
}

/// Lengths of head and body; `None` while the head is incomplete.
fn parse(bytes: &[u8]) -> Result<Option<(usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(bytes)? else { return Ok(None) };
    let length = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok());
    length.map(|length| Some((head, length))).ok_or_else(|| Error::new("a response without a length"))
}
