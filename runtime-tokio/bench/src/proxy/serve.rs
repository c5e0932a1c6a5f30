//! Inside the process of a proxy that is part of this program: until its standard input ends.

use std::io::Read as _;

use super::{Serve, floor};
use crate::error::{Error, Result};
use crate::measure::memory;

/// Serves until the standard input ends.
pub(crate) fn run(serve: &Serve) -> Result<()> {
    memory::allow_many_sockets();
    std::thread::spawn(exit_at_end_of_input);
    match serve.peer.as_str() {
        "floor" => floor::run(serve.listen, serve.origin),
        #[cfg(feature = "peers")]
        "hyper" => super::hyper::run(serve.listen, serve.origin),
        #[cfg(feature = "heavy-peers")]
        "pingora" => super::pingora::run(serve.listen, serve.origin),
        other => Err(Error::new(format!("serve: no proxy {other} was compiled in"))),
    }
}

/// Ends the process once nobody holds its standard input any more.
#[expect(clippy::exit, reason = "the proxies have no other end: they serve until their parent is done")]
fn exit_at_end_of_input() {
    // Whatever ends the input, an error included, means that the parent is gone.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    std::process::exit(0);
}
