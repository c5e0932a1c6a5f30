//! Connectors from the hyper ecosystem: proxies, unix sockets, test transports.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Uri;
use hyper::rt::{Read, Write};
use pool_core::runtime::{Connect, Io, Target};
use tower_service::Service;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Wraps a `Service<Uri>` such as hyper-util's `HttpConnector`. The connector resolves names itself.
#[derive(Clone, Debug)]
pub struct HyperConnect<S>(pub S);

impl<S> Connect for HyperConnect<S>
where
    S: Service<Uri> + Clone + 'static,
    S::Response: Read + Write + Unpin + 'static,
    S::Error: Into<BoxError>,
{
    type Io = HyperIo<S::Response>;
    type Future = HyperConnecting<S>;

    fn connect(&self, to: &Target) -> HyperConnecting<S> {
        HyperConnecting { service: self.0.clone(), stage: Stage::Waiting(to.clone()) }
    }
}

/// A connection attempt by a hyper connector.
pub struct HyperConnecting<S: Service<Uri>> {
    service: S,
    stage: Stage<S::Future>,
}

impl<S: Service<Uri>> std::fmt::Debug for HyperConnecting<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HyperConnecting").finish_non_exhaustive()
    }
}

enum Stage<F> {
    /// The service has not said that it is ready.
    Waiting(Target),
    Connecting(Pin<Box<F>>),
}

fn uri(target: &Target) -> io::Result<Uri> {
    let Target { host, port, .. } = target;
    // Hosts of named clusters are addresses, whatever they are called.
    let text = if let Some(address) = target.address {
        format!("http://{address}/")
    } else if host.contains(':') {
        format!("http://[{host}]:{port}/")
    } else {
        format!("http://{host}:{port}/")
    };
    text.parse().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))
}

fn transport_error(error: impl Into<BoxError>) -> io::Error {
    let error = error.into();
    // The kind of the innermost I/O error says whose fault it was; the text stays.
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&*error);
    let mut kind = io::ErrorKind::Other;
    while let Some(inner) = source {
        if let Some(inner) = inner.downcast_ref::<io::Error>() {
            kind = inner.kind();
        }
        source = inner.source();
    }
    io::Error::new(kind, error)
}

impl<S> Future for HyperConnecting<S>
where
    S: Service<Uri> + Clone + 'static,
    S::Response: Read + Write + Unpin + 'static,
    S::Error: Into<BoxError>,
{
    type Output = io::Result<HyperIo<S::Response>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        loop {
            match &mut this.stage {
                Stage::Waiting(target) => {
                    ready!(this.service.poll_ready(cx)).map_err(transport_error)?;
                    let uri = uri(target)?;
                    this.stage = Stage::Connecting(Box::pin(this.service.call(uri)));
                }
                Stage::Connecting(attempt) => {
                    let result = ready!(attempt.as_mut().poll(cx));
                    return Poll::Ready(result.map(HyperIo).map_err(transport_error));
                }
            }
        }
    }
}

impl<S: Service<Uri>> Unpin for HyperConnecting<S> {}

/// A hyper byte stream as the core's.
#[derive(Debug)]
pub struct HyperIo<T>(T);

impl<T: Read + Write + Unpin + 'static> Io for HyperIo<T> {
    fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = hyper::rt::ReadBuf::new(into);
        ready!(Pin::new(&mut self.0).poll_read(cx, buffer.unfilled()))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
