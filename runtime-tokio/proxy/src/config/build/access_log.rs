//! Access logs: where they go and what a line says. Command operators are the log's own business.

use std::path::PathBuf;

use crate::config::model::{AccessLog, AccessLogFormat, AccessLogSink};
use crate::config::schema;
use crate::config::walk::{Cursor, Fields};

const STDOUT: &str = "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog";
const STDERR: &str = "envoy.extensions.access_loggers.stream.v3.StderrAccessLog";

pub(super) fn access_logs(items: &[Cursor<'_>]) -> Vec<AccessLog> {
    items.iter().filter_map(access_log).collect()
}

pub(super) fn file_with_default_format(path: String) -> AccessLog {
    AccessLog { sink: AccessLogSink::File(PathBuf::from(path)), format: AccessLogFormat::Default }
}

fn access_log(item: &Cursor<'_>) -> Option<AccessLog> {
    let fields = item.message(&schema::ACCESS_LOG);
    let _label = fields.text("name");
    let config = fields.required("typed_config")?;
    match config.type_name()? {
        name if name == schema::FILE_ACCESS_LOG.name => Some(file(&config)),
        STDOUT => Some(stream(&config, AccessLogSink::Stdout)),
        STDERR => Some(stream(&config, AccessLogSink::Stderr)),
        other => {
            config.problem(format!(
                "'{other}' is not supported; there are {}, {STDOUT} and {STDERR}",
                schema::FILE_ACCESS_LOG.name
            ));
            None
        }
    }
}

fn file(config: &Cursor<'_>) -> AccessLog {
    let fields = config.typed_message(&schema::FILE_ACCESS_LOG);
    let path = fields.required_text("path");
    let (short, long) = (fields.get("format"), fields.get("log_format"));
    if let (Some(short), Some(_)) = (&short, &long) {
        short.problem("only one of 'format', 'log_format' may be set");
    }
    let format = match short.as_ref().and_then(|format| text(format)) {
        Some(format) => format,
        None => long.map_or(AccessLogFormat::Default, |format| log_format(&format)),
    };
    AccessLog { sink: AccessLogSink::File(PathBuf::from(path)), format }
}

fn stream(config: &Cursor<'_>, sink: AccessLogSink) -> AccessLog {
    let fields = config.typed_message(&schema::STREAM_ACCESS_LOG);
    let format = fields.get("log_format").map_or(AccessLogFormat::Default, |format| log_format(&format));
    AccessLog { sink, format }
}

fn log_format(cursor: &Cursor<'_>) -> AccessLogFormat {
    let fields = cursor.message(&schema::LOG_FORMAT);
    match fields.one_of(&["text_format_source", "text_format", "json_format"], &[]) {
        Some(("json_format", json)) => {
            AccessLogFormat::Json(json.entries().iter().map(|(key, value)| json_field(key, value)).collect())
        }
        Some(("text_format", format)) => text(&format).unwrap_or(AccessLogFormat::Default),
        Some((_, source)) => {
            inline(&source).and_then(|inline| text(&inline)).unwrap_or(AccessLogFormat::Default)
        }
        None => AccessLogFormat::Default,
    }
}

/// A format of one string; nothing if it is empty, which is as if it were not there.
fn text(cursor: &Cursor<'_>) -> Option<AccessLogFormat> {
    let format = AccessLogFormat::Text(cursor.string().filter(|text| !text.is_empty())?);
    cursor.check_format(&format);
    Some(format)
}

fn json_field(key: &str, value: &Cursor<'_>) -> (String, String) {
    let text = value.string().unwrap_or_default();
    value.check_format(&AccessLogFormat::Text(text.clone()));
    (key.to_owned(), text)
}

/// A `DataSource`.
pub(super) fn inline_string(source: &Cursor<'_>) -> String {
    inline(source).and_then(|text| text.string()).unwrap_or_default()
}

fn inline<'a>(source: &Cursor<'a>) -> Option<Cursor<'a>> {
    let fields: Fields<'a> = source.message(&schema::DATA_SOURCE);
    let text = fields.one_of(&["inline_string"], &["filename", "inline_bytes", "environment_variable"]);
    text.map(|(_, text)| text)
}
