//! What answers requests.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body as HttpBody;
use tower_service::Service;

use super::incoming::Incoming;

/// A boxed error of a service or of the body of its response.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// A [`tower_service::Service`] from requests to responses, of which every connection gets a clone.
/// Implemented for all of them; the trait only shortens bounds.
pub trait HttpService<I>: Clone + 'static {
    /// The body of its responses.
    type Body: HttpBody<Error: Into<BoxError>> + 'static;
    /// Why a request was not answered.
    type Error: Into<BoxError>;
    /// One request being answered.
    type Future: Future<Output = Result<Response<Self::Body>, Self::Error>> + 'static;

    /// Whether it takes a request now.
    ///
    /// # Errors
    /// The service takes no requests any more.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>>;

    /// Answers a request; only after `poll_ready` agreed.
    fn call(&mut self, request: Request<Incoming<I>>) -> Self::Future;
}

impl<I, T, B> HttpService<I> for T
where
    T: Service<Request<Incoming<I>>, Response = Response<B>, Error: Into<BoxError>> + Clone + 'static,
    T::Future: 'static,
    B: HttpBody<Error: Into<BoxError>> + 'static,
{
    type Body = B;
    type Error = T::Error;
    type Future = T::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), T::Error>> {
        Service::poll_ready(self, cx)
    }

    fn call(&mut self, request: Request<Incoming<I>>) -> T::Future {
        Service::call(self, request)
    }
}

/// A service made of a function from a request to the future of its response.
pub fn service_fn<F>(function: F) -> ServiceFn<F> {
    ServiceFn(function)
}

/// See [`service_fn`].
#[derive(Clone, Copy)]
pub struct ServiceFn<F>(F);

impl<F> fmt::Debug for ServiceFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceFn").finish_non_exhaustive()
    }
}

impl<F, I, Fut, B, E> Service<Request<Incoming<I>>> for ServiceFn<F>
where
    F: FnMut(Request<Incoming<I>>) -> Fut,
    Fut: Future<Output = Result<Response<B>, E>>,
{
    type Response = Response<B>;
    type Error = E;
    type Future = Fut;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming<I>>) -> Fut {
        (self.0)(request)
    }
}
