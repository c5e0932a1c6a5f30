//! Our client on both runtimes, as a user builds it: every limit, timeout and counter at its default.

use bytes::Bytes;
use http::{Request, Uri};
use http_body::Body;
use http_body_util::{BodyExt as _, Empty};

use pool_core::client::{CallPolicy, Cluster, Host};

use super::{Client, Target};
use crate::error::Result;

type TokioClient = runtime_tokio::Client<Empty<Bytes>>;
type AsyncStdClient = runtime_async_std::Client<Empty<Bytes>>;

#[derive(Clone)]
pub(crate) struct OnTokio(TokioClient);

impl Client for OnTokio {
    type Lane = (TokioClient, Uri);

    fn new(_: &Target) -> Result<Self> {
        Ok(Self(runtime_tokio::client().build()))
    }

    fn lane(&self, target: &Target) -> Result<(TokioClient, Uri)> {
        Ok((self.0.clone(), target.url().parse()?))
    }

    async fn fetch((client, uri): &mut (TokioClient, Uri)) -> Result<usize> {
        count(client.call(get(uri.clone())).await?.into_body()).await
    }
}

/// The same with everything recorded, and handed to a task that stores it nowhere.
#[cfg(feature = "trace")]
#[derive(Clone)]
pub(crate) struct Recorded(TokioClient);

#[cfg(feature = "trace")]
impl Client for Recorded {
    type Lane = (TokioClient, Uri);

    fn new(_: &Target) -> Result<Self> {
        let header = pool_core::trace::Header {
            worker: 0,
            workers: 1,
            epoch_unix_nanos: 0,
            seed: 0,
            program: "pool-bench".to_owned(),
        };
        let (builder, recording) = runtime_tokio::client().record(&header);
        // A task and no thread: as soon as a process has two, every call of the system that may block
        // costs 20 instructions more in glibc, which no recording is to blame for.
        tokio::spawn(std::future::poll_fn(move |cx| {
            recording.register(cx.waker());
            while recording.take().is_some() {}
            match recording.state() {
                pool_core::trace::State::Running => std::task::Poll::Pending,
                _ => std::task::Poll::Ready(()),
            }
        }));
        Ok(Self(builder.build()))
    }

    fn lane(&self, target: &Target) -> Result<(TokioClient, Uri)> {
        Ok((self.0.clone(), target.url().parse()?))
    }

    async fn fetch((client, uri): &mut (TokioClient, Uri)) -> Result<usize> {
        count(client.call(get(uri.clone())).await?.into_body()).await
    }
}

/// The same requests as calls to a named cluster with one host.
#[derive(Clone)]
pub(crate) struct OnCluster(TokioClient, Cluster);

impl Client for OnCluster {
    type Lane = (TokioClient, Cluster, CallPolicy, Uri);

    fn new(target: &Target) -> Result<Self> {
        let cluster = Cluster::builder("origin").hosts([Host::new(target.origin)]).build();
        Ok(Self(runtime_tokio::client().build(), cluster))
    }

    fn lane(&self, target: &Target) -> Result<Self::Lane> {
        Ok((self.0.clone(), self.1.clone(), CallPolicy::default(), target.url().parse()?))
    }

    async fn fetch((client, cluster, policy, uri): &mut Self::Lane) -> Result<usize> {
        count(client.call_cluster(cluster, policy, get(uri.clone())).await?.into_body()).await
    }
}

#[derive(Clone)]
pub(crate) struct OnAsyncStd(AsyncStdClient);

impl Client for OnAsyncStd {
    type Lane = (AsyncStdClient, Uri);

    fn new(_: &Target) -> Result<Self> {
        Ok(Self(runtime_async_std::client().build()))
    }

    fn lane(&self, target: &Target) -> Result<(AsyncStdClient, Uri)> {
        Ok((self.0.clone(), target.url().parse()?))
    }

    async fn fetch((client, uri): &mut (AsyncStdClient, Uri)) -> Result<usize> {
        count(client.call(get(uri.clone())).await?.into_body()).await
    }
}

fn get(uri: Uri) -> Request<Empty<Bytes>> {
    let mut request = Request::new(Empty::new());
    *request.uri_mut() = uri;
    request
}

/// Bytes of a body, read to its end.
async fn count<B>(mut body: B) -> Result<usize>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::error::Error,
{
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        bytes += frame?.data_ref().map_or(0, Bytes::len);
    }
    Ok(bytes)
}
