//! What the admin port answers with.

use http::{HeaderValue, Method, StatusCode, header};

pub(super) const TEXT: &str = "text/plain; charset=UTF-8";
pub(super) const HTML: &str = "text/html; charset=UTF-8";
pub(super) const JSON: &str = "application/json";
pub(super) const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=UTF-8";

/// An answer before it is a response.
#[derive(Debug)]
pub(super) struct Reply {
    status: StatusCode,
    content_type: &'static str,
    allow: Option<&'static str>,
    body: String,
}

impl Reply {
    pub(super) fn ok(content_type: &'static str, body: impl Into<String>) -> Self {
        Self { status: StatusCode::OK, content_type, allow: None, body: body.into() }
    }

    pub(super) fn with(status: StatusCode, body: impl Into<String>) -> Self {
        Self { status, content_type: TEXT, allow: None, body: body.into() }
    }

    pub(super) fn bad(body: impl Into<String>) -> Self {
        Self::with(StatusCode::BAD_REQUEST, body)
    }

    pub(super) fn not_allowed(allow: &'static str) -> Self {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        Self { allow: Some(allow), ..Self::with(status, "Method Not Allowed\n") }
    }

    /// The response; the answer to HEAD tells the length of what GET would give.
    pub(super) fn into_response<B>(self, method: &Method, body: impl Fn(String) -> B) -> http::Response<B> {
        let length = self.body.len();
        let is_head = method == Method::HEAD;
        let mut response = http::Response::new(body(if is_head { String::new() } else { self.body }));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if is_head {
            headers.insert(header::CONTENT_LENGTH, length.into());
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, max-age=0"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::SERVER, HeaderValue::from_static("envoy"));
        if let Some(allow) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        response
    }

    pub(super) fn len(&self) -> usize {
        self.body.len()
    }

    pub(super) const fn status(&self) -> StatusCode {
        self.status
    }
}
