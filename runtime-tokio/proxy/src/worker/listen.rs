//! Listening sockets, one per worker.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use crate::config::model::Listener;

/// Sockets for every worker, all bound to the same address: with `SO_REUSEPORT`, so that each worker has
/// a queue of its own, or else as copies of one socket. With port 0 the first chooses.
pub(super) fn bind(listener: &Listener, workers: usize) -> io::Result<(SocketAddr, Vec<TcpListener>)> {
    let first = open(listener, listener.address)?;
    let address = first.local_addr()?;
    let mut sockets = vec![first];
    while sockets.len() < workers {
        let next = match (&*sockets, listener.reuse_port) {
            ([first, ..], false) => first.try_clone()?,
            (_, _) => open(listener, address)?,
        };
        sockets.push(next);
    }
    Ok((address, sockets))
}

fn open(listener: &Listener, address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    if listener.reuse_port {
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(listener.backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}
