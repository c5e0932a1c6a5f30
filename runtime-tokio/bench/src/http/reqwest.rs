//! `reqwest`, without TLS.

use reqwest::Url;

use super::{Client, Target};
use crate::error::Result;

#[derive(Clone)]
pub(crate) struct Reqwest(reqwest::Client);

impl Client for Reqwest {
    type Lane = (reqwest::Client, Url);

    fn new(_: &Target) -> Result<Self> {
        Ok(Self(reqwest::Client::builder().no_proxy().build()?))
    }

    fn lane(&self, target: &Target) -> Result<(reqwest::Client, Url)> {
        Ok((self.0.clone(), target.url().parse()?))
    }

    async fn fetch((client, url): &mut (reqwest::Client, Url)) -> Result<usize> {
        let mut response = client.get(url.clone()).send().await?;
        let mut bytes = 0;
        while let Some(chunk) = response.chunk().await? {
            bytes += chunk.len();
        }
        Ok(bytes)
    }
}
