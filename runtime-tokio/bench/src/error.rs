//! Why a benchmark could not be run.

use std::fmt;

/// Any failure, told to the person at the terminal; nothing here is handled by code.
#[derive(Debug)]
pub(crate) struct Error(String);

impl Error {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            text.push_str(": ");
            text.push_str(&inner.to_string());
            cause = inner.source();
        }
        Self(text)
    }
}

/// The result of anything in this crate that can fail.
pub(crate) type Result<T> = std::result::Result<T, Error>;
