//! The `Date` of responses, written once per second.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderValue;
use pool_core::time::Instant;

/// Knows the current `Date` (RFC 9110 6.6.1). Asked with the worker's monotonic time; the wall clock is
/// read when its second is over.
#[derive(Debug)]
pub(crate) struct Dates(Mutex<Cached>);

#[derive(Debug)]
struct Cached {
    value: HeaderValue,
    /// The value is right until then.
    until: Instant,
}

impl Dates {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Cached { value: HeaderValue::from_static(""), until: Instant::ZERO }))
    }

    /// The value for now.
    pub(crate) fn at(&self, now: Instant) -> HeaderValue {
        let mut cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now >= cached.until || cached.value.is_empty() {
            let wall = wall_clock();
            let into_second = wall.duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
            cached.until = now + (Duration::from_secs(1) - Duration::from_nanos(u64::from(into_second)));
            cached.value = HeaderValue::try_from(httpdate::fmt_http_date(wall))
                .unwrap_or_else(|_| HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"));
        }
        cached.value.clone()
    }
}

/// The time of day, for people to read; nothing is timed by it.
#[expect(clippy::disallowed_methods, reason = "dates in responses and logs are those of the wall clock")]
pub(crate) fn wall_clock() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_is_kept_for_its_second_only() {
        let dates = Dates::new();
        let first = dates.at(Instant::ZERO);
        let read = httpdate::parse_http_date(first.to_str().expect("text")).expect("a date");
        let age = wall_clock().duration_since(read).expect("not in the future");
        assert!(age < Duration::from_secs(5), "{age:?}");
        let until = dates.0.lock().expect("alive").until;
        assert!(until <= Instant::ZERO + Duration::from_secs(1));
        let _ = dates.at(until);
        assert!(dates.0.lock().expect("alive").until > until, "written anew");
    }
}
