//! What a route asks for, prepared so that a request only reads it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use pool_core::client::CallPolicy;
use pool_core::exchange::{RetryOn, RetryPolicy};

use super::response::number;
use crate::config::model::{Bootstrap, Forward, Listener, Route, RouteAction, RouteMatch, VirtualHost};

/// A route.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) virtual_host: Arc<str>,
    pub(crate) route: Option<Arc<str>>,
    /// `include_request_attempt_count`.
    pub(crate) counts_attempts_upstream: bool,
    /// `include_attempt_count_in_response`.
    pub(crate) counts_attempts_downstream: bool,
    pub(crate) action: Action,
}

/// What a route does.
#[derive(Debug)]
pub(crate) enum Action {
    /// Answers by itself.
    Direct { status: StatusCode, content: Bytes },
    /// Forwards.
    Forward(Box<Target>),
}

/// Where and how a route forwards.
#[derive(Debug)]
pub(crate) struct Target {
    /// The cluster, as in the configuration.
    pub(crate) cluster: usize,
    pub(crate) policy: CallPolicy,
    /// From the end of the request to the end of the response.
    pub(crate) timeout: Option<Duration>,
    /// For one attempt; shorter than `timeout`.
    pub(crate) per_try_timeout: Option<Duration>,
    /// Instead of `stream_idle_timeout`.
    pub(crate) idle_timeout: Option<Option<Duration>>,
    /// `x-envoy-expected-rq-timeout-ms`.
    pub(crate) expected: Option<HeaderValue>,
    pub(crate) matches: RouteMatch,
    pub(crate) prefix_rewrite: Option<String>,
    /// What `Host` becomes.
    pub(crate) host: Option<HeaderValue>,
}

impl Plan {
    pub(crate) fn of(config: &Bootstrap, listener: &Listener, host: &VirtualHost, route: &Route) -> Self {
        let action = match &route.action {
            RouteAction::Direct { status, body } => {
                Action::Direct { status: *status, content: Bytes::from(body.clone()) }
            }
            RouteAction::Forward(forward) => {
                Action::Forward(Box::new(Target::of(config, listener, route, forward)))
            }
        };
        Self {
            virtual_host: host.name.as_str().into(),
            route: Some(&route.name).filter(|name| !name.is_empty()).map(|name| name.as_str().into()),
            counts_attempts_upstream: host.include_request_attempt_count,
            counts_attempts_downstream: host.include_attempt_count_in_response,
            action,
        }
    }
}

impl Plan {
    /// From the end of the request to the end of the response.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        match &self.action {
            Action::Direct { .. } => None,
            Action::Forward(target) => target.timeout,
        }
    }
}

impl Target {
    fn of(config: &Bootstrap, listener: &Listener, route: &Route, forward: &Forward) -> Self {
        let retry = forward.retry.as_ref();
        let per_try = retry.and_then(|retry| retry.per_try_timeout);
        // One that is not shorter than the whole is ignored, as in Envoy.
        let per_try_timeout = per_try.filter(|per_try| forward.timeout.is_none_or(|whole| *per_try < whole));
        let expected = per_try_timeout.or(forward.timeout);
        let millis = |timeout: Duration| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        Self {
            cluster: forward.cluster,
            policy: policy(listener, forward),
            timeout: forward.timeout,
            per_try_timeout,
            idle_timeout: forward.idle_timeout,
            expected: expected.map(|timeout| number(millis(timeout))),
            matches: route.matches.clone(),
            prefix_rewrite: forward.prefix_rewrite.clone(),
            host: forward.host_rewrite.clone().or_else(|| endpoint_name(config, forward)),
        }
    }
}

/// What the client may repeat.
///
/// Without `retry_policy` only what can do no harm: a request of which no byte was sent, and an idempotent
/// one that met a connection which its server had closed. Envoy answers 503 to the latter.
fn policy(listener: &Listener, forward: &Forward) -> CallPolicy {
    let harmless = RetryPolicy { max_retries: 0, retry_on: RetryOn::NOTHING, ..RetryPolicy::default() };
    let retry = forward.retry.as_ref().map_or(harmless, |retry| retry.policy);
    CallPolicy { retry, priority: forward.priority, replay_limit: listener.buffer_limit }
}

/// `auto_host_rewrite`.
fn endpoint_name(config: &Bootstrap, forward: &Forward) -> Option<HeaderValue> {
    if !forward.auto_host_rewrite {
        return None;
    }
    let endpoint = config.clusters.get(forward.cluster)?.endpoints.first()?;
    HeaderValue::from_str(&endpoint.hostname).ok()
}
