//! A small origin on loopback, built on the server role of `pool_core::wire::h1`.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use pool_core::wire::h1::{BodyLength, Input, Limits, Outbox, ResponseHead, Server, ServerEvent};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The field that names a request.
pub(crate) const REQUEST_ID: &str = "x-request-id";

/// Every answer's content.
pub(crate) const BODY: Bytes = Bytes::from_static(&[b'.'; 100]);

/// How the origin treats its clients.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manners {
    /// How long it thinks about each answer.
    pub(crate) thinks: Duration,
    pub(crate) ends: Ends,
}

/// When the origin ends a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ends {
    Never,
    /// After so many requests: every other connection with a word (`Connection: close`), the others
    /// by reading one request more and hanging up on it. A request is hung up on only once.
    After(u32),
}

/// What the connections of an origin have in common.
struct Origin {
    manners: Manners,
    hung_up_on: Mutex<BTreeSet<Vec<u8>>>,
}

/// Starts an origin, which serves until the runtime ends.
pub(crate) async fn start(manners: Manners) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let origin = Arc::new(Origin { manners, hung_up_on: Mutex::default() });
    tokio::spawn(async move {
        let mut accepted = 0u32;
        while let Ok((socket, _)) = listener.accept().await {
            accepted += 1;
            let says_goodbye = accepted % 2 == 0;
            let origin = origin.clone();
            // A client that goes away in the middle is no news here.
            tokio::spawn(async move { serve(socket, &origin, says_goodbye).await });
        }
    });
    Ok(address)
}

async fn serve(mut socket: TcpStream, origin: &Origin, says_goodbye: bool) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut wire = Server::new(Limits::default());
    let mut buffer = vec![0; 16 * 1024];
    let mut out = Outbox::new();
    let mut served = 0;
    let mut id = Vec::new();
    loop {
        let n = socket.read(&mut buffer).await?;
        let mut input = if n == 0 { Input::eof() } else { Input::new(&buffer[..n]) };
        while let Some(event) = wire.poll_event(&mut input).map_err(io::Error::other)? {
            match event {
                ServerEvent::Head(request, _) => {
                    id = request
                        .headers()
                        .get(REQUEST_ID)
                        .map(|id| id.as_bytes().to_vec())
                        .unwrap_or_default();
                }
                ServerEvent::Data(_) | ServerEvent::Trailers(_) => {}
                ServerEvent::RequestEnd => {
                    if let Ends::After(limit) = origin.manners.ends {
                        if served >= limit && origin.hangs_up_on(&id) {
                            return Ok(());
                        }
                        if says_goodbye && served + 1 >= limit {
                            wire.close_after();
                        }
                    }
                    served += 1;
                    if !origin.manners.thinks.is_zero() {
                        tokio::time::sleep(origin.manners.thinks).await;
                    }
                    answer(&mut wire, &mut out).map_err(io::Error::other)?;
                    socket.write_all(&out.to_vec()).await?;
                    out.clear();
                }
                ServerEvent::End(_) if wire.keeps_alive() => {}
                ServerEvent::End(_) | ServerEvent::Closed => return Ok(()),
            }
        }
    }
}

fn answer(wire: &mut Server, out: &mut Outbox) -> Result<(), pool_core::wire::h1::SendError> {
    let head = ResponseHead { status: StatusCode::OK, headers: &HeaderMap::new() };
    wire.send_response(head, BodyLength::Known(BODY.len() as u64), out)?;
    wire.send_data(BODY, out)?;
    wire.end_response(None, out)
}

impl Origin {
    /// True the first time it is asked about a request.
    fn hangs_up_on(&self, id: &[u8]) -> bool {
        self.hung_up_on.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_vec())
    }
}
