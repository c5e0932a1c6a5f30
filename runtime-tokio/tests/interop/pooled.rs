//! The client under judgement.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};

use crate::load::{Caller, Failure};

/// The pooled client over tokio, as a user gets it without any setting.
#[derive(Clone)]
pub(crate) struct Pooled(runtime_tokio::Client<Full<Bytes>>);

impl Pooled {
    /// Made inside the runtime that its background task is to run on.
    pub(crate) fn new() -> Self {
        Self(runtime_tokio::client().build())
    }
}

impl Caller for Pooled {
    async fn call(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Failure> {
        let fail =
            |error: pool_core::client::Error| Failure { verdict: error.verdict(), what: error.to_string() };
        let (head, body) = self.0.call(request.map(Full::new)).await.map_err(fail)?.into_parts();
        let body = body.collect().await.map_err(fail)?.to_bytes();
        Ok(Response::from_parts(head, body))
    }
}
