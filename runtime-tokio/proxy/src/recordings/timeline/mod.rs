//! One page, in one file, of a whole run: to look at, and to put into an incident report.
//!
//! A lane per connection, requests as bars on it, waits in a queue above, and how full the circuit
//! breakers were. Nothing is fetched: style, script and data are within the page. Without scripts it
//! still shows the summary and the requests that took longest or failed.

mod data;
mod json;
mod page;

use pool_core::trace::History;

/// Draws histories of one run, each with the name of its file.
#[must_use]
pub fn page(histories: &[(String, History)]) -> String {
    page::page(&data::Run::new(histories))
}
