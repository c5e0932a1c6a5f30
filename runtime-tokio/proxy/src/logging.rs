//! The lines that the process writes about itself, as Envoy's look.
//!
//! `[2026-11-21 05:36:04.123][4711][info][pool_proxy::worker::control] shutting down`
//!
//! Spans are not shown: requests are told of by the access log, and a span that nobody wants costs
//! nothing.

use std::fmt::{self, Write as _};
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::access_log::TimeFormat;
use crate::flags::LogLevel;
use crate::forward::wall_clock;

/// Writes lines from now on, of this level and worse, to a file or to standard error. If lines are
/// written already, somewhere, it stays so.
///
/// # Errors
/// The file cannot be opened.
pub fn install(level: LogLevel, path: Option<&Path>) -> io::Result<()> {
    let out: Box<dyn Write + Send> = match path {
        Some(path) => Box::new(OpenOptions::new().create(true).append(true).open(path)?),
        None => Box::new(io::stderr()),
    };
    // An error says that whoever embeds the proxy has a subscriber of his own.
    let _ = tracing::subscriber::set_global_default(Lines::new(level, out));
    Ok(())
}

/// Turns events into lines.
struct Lines {
    level: LevelFilter,
    time: TimeFormat,
    process: u32,
    out: Mutex<Box<dyn Write + Send>>,
}

impl Lines {
    fn new(level: LogLevel, out: Box<dyn Write + Send>) -> Self {
        let level = match level {
            LogLevel::Trace => LevelFilter::TRACE,
            LogLevel::Debug => LevelFilter::DEBUG,
            LogLevel::Info => LevelFilter::INFO,
            LogLevel::Warning => LevelFilter::WARN,
            LogLevel::Error | LogLevel::Critical => LevelFilter::ERROR,
            LogLevel::Off => LevelFilter::OFF,
        };
        let time = TimeFormat::parse("%Y-%m-%d %H:%M:%S.%3f").unwrap_or_else(|_| TimeFormat::iso8601());
        Self { level, time, process: std::process::id(), out: Mutex::new(out) }
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= self.level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut line = vec![b'['];
        self.time.write(wall_clock(), &mut line);
        let name = match *metadata.level() {
            Level::TRACE => "trace",
            Level::DEBUG => "debug",
            Level::INFO => "info",
            Level::WARN => "warning",
            Level::ERROR => "error",
        };
        let mut said = Said::default();
        event.record(&mut said);
        let Said { message, fields } = said;
        // Neither a vector nor what cannot be written to can be told of anywhere.
        let _ = writeln!(line, "][{}][{name}][{}] {message}{fields}", self.process, metadata.target());
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = out.write_all(&line);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// What an event says: its message, and its fields as ` name=value`.
#[derive(Default)]
struct Said {
    message: String,
    fields: String,
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("alive").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn said(level: LogLevel) -> String {
        let kept = Kept::default();
        let lines = Lines::new(level, Box::new(kept.clone()));
        tracing::subscriber::with_default(lines, || {
            let _span = tracing::info_span!("not shown").entered();
            tracing::info!(port = 80, "listening");
            tracing::warn!(error = %io::Error::other("no"), "cannot");
            tracing::debug!("details");
        });
        String::from_utf8(kept.0.lock().expect("alive").clone()).expect("text")
    }

    #[test]
    fn lines_look_like_envoys_and_levels_leave_out() {
        let text = said(LogLevel::Info);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        let process = std::process::id();
        assert!(
            lines[0].ends_with(&format!("][{process}][info][pool_proxy::logging::tests] listening port=80"))
        );
        assert!(lines[1].ends_with("][warning][pool_proxy::logging::tests] cannot error=no"), "{text}");
        let time = &lines[0][1..24];
        let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert_eq!(shape, "0000-00-00 00:00:00.000");
        assert_eq!(said(LogLevel::Off), "");
        assert_eq!(said(LogLevel::Error), "");
        assert_eq!(said(LogLevel::Trace).lines().count(), 3);
    }
}
