//! What is wrong with a configuration: every problem with its place, its path and a way out.

use std::fmt;
use std::sync::Arc;

/// A place in the file, both counted from 1; columns in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Which of several sources that make up one configuration.
    pub(crate) source: usize,
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

/// One problem, or one warning.
///
/// Shown as `file:line:column: path: message`; the path is left out where the file as a whole is
/// meant, as for a syntax error.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Where it begins.
    pub at: Position,
    /// The field, from the top: `static_resources.clusters[0](service_b).connect_timeout`.
    pub path: String,
    /// What is wrong, and what would be right.
    pub message: String,
    /// The file, as it was named.
    pub file: Arc<str>,
}

/// Something that was accepted, but should be looked at. Shown as a [`Problem`] is.
pub type Warning = Problem;

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file, self.at.line, self.at.column)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// Why a configuration was rejected: at least one problem, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    /// What stands in the way.
    pub problems: Vec<Problem>,
    /// What was noticed besides.
    pub warnings: Vec<Warning>,
}

impl fmt::Display for Problems {
    /// One line for each problem, then how many there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        let file = self.problems.first().map_or("", |problem| &problem.file);
        match self.problems.len() {
            1 => write!(f, "configuration '{file}': 1 problem"),
            count => write!(f, "configuration '{file}': {count} problems"),
        }
    }
}

impl std::error::Error for Problems {}
