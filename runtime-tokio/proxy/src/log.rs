//! What the process says of itself: lines in Envoy's form, to standard error or a file.
//!
//! ```text
//! [2026-01-31 12:00:00.123][info][pool_proxy::worker::control] all clusters initialized addresses=[..]
//! ```
//!
//! A [`tracing::Subscriber`] of a hundred lines: levels, fields and a clock are all that is wanted, and
//! spans are left out.

use std::fmt::{self, Write as _};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::access_log::TimeFormat;
use crate::flags::LogLevel;

/// Envoy's: UTC here, where Envoy has the local time.
const CLOCK: &str = "%Y-%m-%d %H:%M:%S.%3f";

/// Begins to log, for the rest of the process. Where somebody logs already, he goes on alone.
///
/// # Errors
/// The file cannot be opened.
pub(crate) fn start(level: LogLevel, path: Option<&Path>) -> io::Result<()> {
    let sink: Sink = match path {
        Some(path) => Box::new(append(path)?),
        None => Box::new(io::stderr()),
    };
    // An error is a subscriber that is there already.
    let _ = tracing::subscriber::set_global_default(Log::new(level, sink));
    Ok(())
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

type Sink = Box<dyn Write + Send>;

struct Log {
    level: LevelFilter,
    clock: Option<TimeFormat>,
    sink: Mutex<Sink>,
}

impl Log {
    fn new(level: LogLevel, sink: Sink) -> Self {
        let level = match level {
            LogLevel::Trace => LevelFilter::TRACE,
            LogLevel::Debug => LevelFilter::DEBUG,
            LogLevel::Info => LevelFilter::INFO,
            LogLevel::Warning => LevelFilter::WARN,
            LogLevel::Error => LevelFilter::ERROR,
            // Nothing that is logged is critical: what is fatal goes to standard error at the exit.
            LogLevel::Critical | LogLevel::Off => LevelFilter::OFF,
        };
        Self { level, clock: TimeFormat::parse(CLOCK).ok(), sink: Mutex::new(sink) }
    }
}

/// Envoy's names.
const fn name(level: tracing::Level) -> &'static str {
    match level {
        tracing::Level::TRACE => "trace",
        tracing::Level::DEBUG => "debug",
        tracing::Level::INFO => "info",
        tracing::Level::WARN => "warning",
        tracing::Level::ERROR => "error",
    }
}

#[expect(clippy::disallowed_methods, reason = "a log is no machine: it dates its lines")]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= self.level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut line = vec![b'['];
        if let Some(clock) = &self.clock {
            clock.write(wall_clock(), &mut line);
        }
        let mut text = Text::default();
        event.record(&mut text);
        let Text { message, fields } = text;
        let (level, target) = (name(*metadata.level()), metadata.target());
        line.extend_from_slice(format!("][{level}][{target}] {message}{fields}\n").as_bytes());
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        // There is nobody left to tell.
        let _ = sink.write_all(&line).and_then(|()| sink.flush());
    }

    // No span is enabled, so that none of these is called.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// What an event says. Values may come from outside: none begins a new line.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string does not fail.
        if field.name() == "message" {
            let _ = write!(Printable(&mut self.message), "{value:?}");
        } else {
            let _ = write!(Printable(&mut self.fields), " {field}={value:?}");
        }
    }
}

/// Escapes control characters.
struct Printable<'a>(&'a mut String);

impl fmt::Write for Printable<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if character.is_control() {
                self.0.extend(character.escape_default());
            } else {
                self.0.push(character);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<Vec<u8>>>);

    impl Write for Heard {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn heard(level: LogLevel, say: impl FnOnce()) -> Vec<String> {
        let heard = Heard::default();
        tracing::subscriber::with_default(Log::new(level, Box::new(heard.clone())), say);
        let bytes = heard.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_line_has_time_level_target_message_and_fields() {
        let lines = heard(LogLevel::Info, || tracing::warn!(n = 3, who = %"a\nb", "it happened"));
        let [line] = &*lines else { panic!("{lines:?}") };
        let (time, rest) = line.split_once(']').unwrap();
        assert_eq!(rest, "[warning][pool_proxy::log::tests] it happened n=3 who=a\\nb");
        assert_eq!(time.len(), "[2026-01-31 12:00:00.123".len(), "{time}");
    }

    #[test]
    fn what_is_below_the_level_is_not_logged() {
        let say = || {
            tracing::trace!("1");
            tracing::debug!("2");
            tracing::info!("3");
            tracing::warn!("4");
            tracing::error!("5");
        };
        let counts = [
            (LogLevel::Trace, 5),
            (LogLevel::Debug, 4),
            (LogLevel::Info, 3),
            (LogLevel::Warning, 2),
            (LogLevel::Error, 1),
            (LogLevel::Critical, 0),
            (LogLevel::Off, 0),
        ];
        for (level, lines) in counts {
            assert_eq!(heard(level, say).len(), lines, "{level:?}");
        }
    }
}
