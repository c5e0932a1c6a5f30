//! The configuration: read, checked, and turned into what the proxy runs from.
//!
//! ```text
//! text --tree--> nodes with positions --walk, by the tables of schema--> build --> model::Bootstrap
//!                                          \--> every problem, in the order of the file
//! ```
//!
//! [`load`] is the way in. Nothing is given up at the first problem: a file with five mistakes is
//! told about all five.

mod build;
pub mod model;
mod nearest;
mod problem;
mod reference;
mod scalar;
mod schema;
#[cfg(test)]
mod tests;
mod tree;
mod walk;

use std::sync::Arc;

pub use self::problem::{Position, Problem, Problems, Warning};
pub use self::reference::reference;

pub(crate) use self::nearest::nearest;

use self::model::{AccessLogFormat, Bootstrap};
use self::tree::MergeKeys;
use self::walk::{Cursor, Severity, Walk};

/// What is done with what Envoy would not take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Unknown fields and harmless fields without support are warned of and ignored, and a name that
    /// can only mean one thing is taken for it.
    #[default]
    Lenient,
    /// They are rejected as Envoy does, and use of deprecated fields is warned of (`--strict`).
    Strict,
}

/// One text and what messages call it.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The file's name, or the flag's.
    pub name: &'a str,
    /// YAML or JSON.
    pub text: &'a str,
}

/// What says of an access log format what is wrong with it. The format language is the log's own,
/// which stands above the configuration.
pub type FormatCheck = fn(&AccessLogFormat) -> Result<(), String>;

/// Reads and checks a bootstrap configuration of Envoy's v3 API, in YAML or JSON.
///
/// `file` is only for messages. Access log formats are not looked into: see [`load_all`].
///
/// # Errors
/// Everything that is wrong with it, in the order of the file.
pub fn load(text: &str, file: &str, mode: Mode) -> Result<(Bootstrap, Vec<Warning>), Problems> {
    load_all(&[Source { name: file, text }], mode, |_| Ok(()))
}

/// Reads several sources as one configuration, each laid over those before it: mappings are joined,
/// lists appended to, other values replaced (Envoy: `--config-yaml` over `--config-path`).
/// `check_format` is asked about each access log format.
///
/// # Errors
/// As [`load`]; each problem names the source that it is in.
pub fn load_all(
    sources: &[Source<'_>],
    mode: Mode,
    check_format: FormatCheck,
) -> Result<(Bootstrap, Vec<Warning>), Problems> {
    let walk = Walk::new(mode, check_format);
    let merge = match mode {
        Mode::Lenient => MergeKeys::Applied,
        Mode::Strict => MergeKeys::Refused,
    };
    let mut whole = None::<tree::Node>;
    let mut is_read = true;
    for (index, source) in sources.iter().enumerate() {
        match tree::parse(source.text, index, merge) {
            Ok((node, faults)) => {
                for fault in faults {
                    walk.note(Severity::Problem, fault.at, "", fault.message);
                }
                whole = Some(match whole {
                    Some(base) => base.overlaid(node),
                    None => node,
                });
            }
            Err(fault) => {
                is_read = false;
                walk.note(Severity::Problem, fault.at, "", fault.message);
            }
        }
    }
    let at = Position { source: 0, line: 1, column: 1 };
    let bootstrap = match whole.filter(|_| is_read) {
        Some(node) if matches!(node.value, tree::Value::Null) => {
            walk.note(Severity::Problem, at, "", "the configuration is empty".to_owned());
            None
        }
        Some(node) => Some(build::bootstrap(&Cursor::root(&node, &walk))),
        None => None,
    };
    finish(sources, walk, bootstrap)
}

fn finish(
    sources: &[Source<'_>],
    walk: Walk,
    built: Option<Bootstrap>,
) -> Result<(Bootstrap, Vec<Warning>), Problems> {
    let names: Vec<Arc<str>> = sources.iter().map(|source| source.name.into()).collect();
    let name_of = |at: Position| names.get(at.source).cloned().unwrap_or_else(|| "".into());
    let (mut problems, mut warnings) = (Vec::new(), Vec::new());
    for finding in walk.into_found() {
        let file = name_of(finding.at);
        let problem = Problem { at: finding.at, path: finding.path, message: finding.message, file };
        match finding.severity {
            Severity::Problem => problems.push(problem),
            Severity::Warning => warnings.push(problem),
        }
    }
    match built {
        Some(bootstrap) if problems.is_empty() => Ok((bootstrap, warnings)),
        Some(_) | None => Err(Problems { problems, warnings }),
    }
}
