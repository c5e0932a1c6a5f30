//! A client without a pool: one connection per request. It shows that the servers, the load and the
//! judgement work before a pool is judged by them.

use std::io::ErrorKind;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use pool_core::error::Verdict;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::load::{Caller, Failure};

/// Connects anew for each request and repeats a failed connect twice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raw;

impl Caller for Raw {
    async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Failure> {
        let fail = |verdict, error: std::io::Error| Failure { verdict, what: error.to_string() };
        let authority = request.uri().authority().map(ToString::to_string).unwrap_or_default();
        let mut socket = connect(&authority).await.map_err(|error| fail(Verdict::NeverSent, error))?;
        let mut head = format!(
            "{} {} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n",
            request.method(),
            request.uri().path()
        );
        for (name, value) in request.headers() {
            head += &format!("{name}: {}\r\n", value.to_str().unwrap_or_default());
        }
        head += &format!("content-length: {}\r\n\r\n", request.body().len());
        let message = [head.as_bytes(), request.body()].concat();
        let exchange = async {
            socket.write_all(&message).await?;
            let mut answer = Vec::new();
            socket.read_to_end(&mut answer).await?;
            parse(&answer).ok_or_else(|| ErrorKind::UnexpectedEof.into())
        };
        exchange.await.map_err(|error| fail(Verdict::Unknown, error))
    }
}

async fn connect(authority: &str) -> std::io::Result<TcpStream> {
    for pause in [25, 50] {
        match TcpStream::connect(authority).await {
            Ok(socket) => return Ok(socket),
            Err(_) => tokio::time::sleep(Duration::from_millis(pause)).await,
        }
    }
    TcpStream::connect(authority).await
}

/// The answer, if it is complete by its `content-length`, or chunked and ended.
fn parse(answer: &[u8]) -> Option<Response<Bytes>> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let status: u16 = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    })?;
    let body = &answer[end + 4..];
    (body.len() == length)
        .then(|| Response::builder().status(status).body(Bytes::copy_from_slice(body)).ok())?
}
