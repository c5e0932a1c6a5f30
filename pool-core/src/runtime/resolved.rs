//! A connector that resolves names and tries the addresses in turn, staggered (RFC 8305).

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::{Addresses, Connect, Resolve, Runtime, Target};

/// The wait before the next address is tried while earlier attempts are still open:
/// RFC 8305's Connection Attempt Delay; Envoy uses the same 300 ms.
const ATTEMPT_DELAY: Duration = Duration::from_millis(300);

/// Puts name resolution in front of a connector that only knows addresses.
///
/// Addresses are tried in the resolver's order, families interleaved; a failed attempt starts the
/// next at once, a slow one after 300 ms; the first open stream wins and the others are dropped.
#[derive(Clone, Debug)]
pub struct Resolved<R, N, C> {
    runtime: R,
    resolver: N,
    connector: C,
}

impl<R: Runtime, N: Resolve, C: Connect> Resolved<R, N, C> {
    /// Resolves with `resolver`, connects with `connector`, waits with `runtime`.
    pub fn new(runtime: R, resolver: N, connector: C) -> Self {
        Self { runtime, resolver, connector }
    }
}

impl<R: Runtime, N: Resolve, C: Connect> Connect for Resolved<R, N, C> {
    type Io = C::Io;
    type Future = ResolvedConnect<R, N, C>;

    fn connect(&self, to: &Target) -> Self::Future {
        let stage = match to.socket_address() {
            Ok(address) => Stage::Racing(Race::new(vec![address])),
            Err(_) => Stage::Resolving(Box::pin(self.resolver.resolve(&to.host, to.port))),
        };
        ResolvedConnect {
            runtime: self.runtime.clone(),
            connector: self.connector.clone(),
            target: to.clone(),
            stage,
        }
    }

    fn addresses(&self, of: &C::Io) -> Addresses {
        self.connector.addresses(of)
    }
}

/// A connection attempt by [`Resolved`]: first the look-up, then the race of addresses.
pub struct ResolvedConnect<R: Runtime, N: Resolve, C: Connect> {
    runtime: R,
    connector: C,
    target: Target,
    stage: Stage<R, N, C>,
}

impl<R: Runtime, N: Resolve, C: Connect> std::fmt::Debug for ResolvedConnect<R, N, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResolvedConnect").finish_non_exhaustive()
    }
}

enum Stage<R: Runtime, N: Resolve, C: Connect> {
    Resolving(Pin<Box<N::Future>>),
    Racing(Race<R, C>),
}

struct Race<R: Runtime, C: Connect> {
    /// Not tried yet, the next one last.
    untried: Vec<SocketAddr>,
    attempts: Vec<Pin<Box<C::Future>>>,
    next_attempt: Option<Pin<Box<R::Sleep>>>,
    last_error: Option<io::Error>,
}

impl<R: Runtime, C: Connect> Race<R, C> {
    fn new(addresses: Vec<SocketAddr>) -> Self {
        let mut untried = interleave(addresses);
        untried.reverse();
        Self { untried, attempts: Vec::new(), next_attempt: None, last_error: None }
    }

    fn start_next(&mut self, runtime: &R, connector: &C, target: &Target) {
        let Some(address) = self.untried.pop() else { return };
        let target = Target { address: Some(address), ..target.clone() };
        self.attempts.push(Box::pin(connector.connect(&target)));
        self.next_attempt = if self.untried.is_empty() {
            None
        } else {
            Some(Box::pin(runtime.sleep(runtime.now() + ATTEMPT_DELAY)))
        };
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        runtime: &R,
        connector: &C,
        target: &Target,
    ) -> Poll<io::Result<C::Io>> {
        loop {
            if self.attempts.is_empty() {
                if self.untried.is_empty() {
                    let none = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
                    return Poll::Ready(Err(self.last_error.take().unwrap_or_else(none)));
                }
                self.start_next(runtime, connector, target);
            }
            let mut index = 0;
            let mut failed = false;
            while let Some(attempt) = self.attempts.get_mut(index) {
                match attempt.as_mut().poll(cx) {
                    Poll::Ready(Ok(io)) => return Poll::Ready(Ok(io)),
                    Poll::Ready(Err(error)) => {
                        drop(self.attempts.swap_remove(index));
                        self.last_error = Some(error);
                        failed = true;
                    }
                    Poll::Pending => index += 1,
                }
            }
            let due = match &mut self.next_attempt {
                Some(sleep) => sleep.as_mut().poll(cx).is_ready(),
                None => false,
            };
            if !(failed || due) {
                return Poll::Pending;
            }
            self.start_next(runtime, connector, target);
        }
    }
}

/// Alternates address families, beginning with the resolver's first choice (RFC 8305 section 4).
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let Some(first) = addresses.first() else { return addresses };
    let first_is_v6 = first.is_ipv6();
    let total = addresses.len();
    let (mut ours, mut others): (std::collections::VecDeque<_>, std::collections::VecDeque<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let mut ordered = Vec::with_capacity(total);
    while ordered.len() < total {
        ordered.extend(ours.pop_front());
        ordered.extend(others.pop_front());
    }
    ordered
}

impl<R: Runtime, N: Resolve, C: Connect> Future for ResolvedConnect<R, N, C> {
    type Output = io::Result<C::Io>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        loop {
            match &mut this.stage {
                Stage::Resolving(lookup) => match lookup.as_mut().poll(cx) {
                    Poll::Ready(Ok(addresses)) => this.stage = Stage::Racing(Race::new(addresses)),
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => return Poll::Pending,
                },
                Stage::Racing(race) => return race.poll(cx, &this.runtime, &this.connector, &this.target),
            }
        }
    }
}

// Every future inside is boxed and pinned on its own; the struct itself holds no self-reference.
impl<R: Runtime, N: Resolve, C: Connect> Unpin for ResolvedConnect<R, N, C> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_alternate_and_keep_their_order() {
        let parse = |list: &[&str]| -> Vec<SocketAddr> {
            list.iter().map(|text| text.parse().expect("a socket address")).collect()
        };
        let given = parse(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"]);
        assert_eq!(interleave(given), parse(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"]));
        assert_eq!(interleave(Vec::new()), Vec::new());
    }
}
