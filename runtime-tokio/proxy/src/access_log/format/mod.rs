//! Envoy's format strings: compiled once, then a list of literals and operators.

mod error;
mod operator;
mod parse;
mod time;
pub(crate) use time::TimeFormat;
mod write;

#[cfg(test)]
mod tests;

pub use error::{Fault, FormatError, JsonFormatError};

use operator::Operator;

use super::record::Record;
use crate::config::model::AccessLogFormat;

/// Envoy's default format.
const DEFAULT: &str = "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" \
    %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% \
    %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \
    \"%REQ(X-REQUEST-ID)%\" \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\"\n";

/// What a line looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format(Shape);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Shape {
    Text(Vec<Part>),
    /// Keys, as JSON with the punctuation around them, and values.
    Json(Vec<(Vec<u8>, Vec<Part>)>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Operator {
        operator: Operator,
        /// `:Z`: bytes at most.
        length: Option<usize>,
    },
}

impl Default for Format {
    /// Envoy's default format.
    fn default() -> Self {
        Self(Shape::Text(parse::parse(DEFAULT).unwrap_or_default()))
    }
}

impl Format {
    /// Compiles `text_format_source.inline_string`. The environment and the host name are read here.
    ///
    /// # Errors
    /// What is wrong and where.
    pub fn parse(format: &str) -> Result<Self, FormatError> {
        parse::parse(format).map(|parts| Self(Shape::Text(parts)))
    }

    /// Compiles `json_format`: a line is an object with these keys in this order. A value that is one
    /// operator keeps its type, numbers and booleans are not quoted, and what is not there is `null`;
    /// any other value is text.
    ///
    /// # Errors
    /// The first key whose value is wrong.
    pub fn json<K: AsRef<str>, V: AsRef<str>>(
        fields: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, JsonFormatError> {
        let mut compiled = Vec::new();
        for (key, value) in fields {
            let before = if compiled.is_empty() { '{' } else { ',' };
            let key = key.as_ref();
            let parts = parse::parse(value.as_ref())
                .map_err(|error| JsonFormatError { key: key.to_owned(), error })?;
            compiled.push((write::json_key(before, key), parts));
        }
        Ok(Self(Shape::Json(compiled)))
    }

    /// Compiles what the configuration says.
    ///
    /// # Errors
    /// The text that says what is wrong.
    pub fn from_config(format: &AccessLogFormat) -> Result<Self, String> {
        match format {
            AccessLogFormat::Default => Ok(Self::default()),
            AccessLogFormat::Text(text) => Self::parse(text).map_err(|error| error.to_string()),
            AccessLogFormat::Json(fields) => {
                let fields = fields.iter().map(|(key, value)| (key, value));
                Self::json(fields).map_err(|error| error.to_string())
            }
        }
    }

    /// Every operator that is understood.
    pub fn operators() -> impl Iterator<Item = &'static str> {
        parse::names()
    }

    /// Appends the line of a record. A text format ends with a line break only if it has one; a JSON
    /// line always does.
    pub fn write(&self, record: &Record<'_>, out: &mut Vec<u8>) {
        match &self.0 {
            Shape::Text(parts) => write::text(parts, record, out),
            Shape::Json(fields) => write::json(fields, record, out),
        }
    }
}
