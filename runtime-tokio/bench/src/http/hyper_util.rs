//! `hyper_util::client::legacy::Client`, the client under most of the field.

use bytes::Bytes;
use http::Uri;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::{Client, Target};
use crate::error::Result;

type Inner = legacy::Client<HttpConnector, Empty<Bytes>>;

#[derive(Clone)]
pub(crate) struct HyperUtil(Inner);

impl Client for HyperUtil {
    type Lane = (Inner, Uri);

    fn new(_: &Target) -> Result<Self> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        // The timer makes the default idle timeout work, as a real user would have it.
        let client =
            legacy::Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
        Ok(Self(client))
    }

    fn lane(&self, target: &Target) -> Result<(Inner, Uri)> {
        Ok((self.0.clone(), target.url().parse()?))
    }

    async fn fetch((client, uri): &mut (Inner, Uri)) -> Result<usize> {
        let mut body = client.get(uri.clone()).await?.into_body();
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            bytes += frame?.data_ref().map_or(0, Bytes::len);
        }
        Ok(bytes)
    }
}
