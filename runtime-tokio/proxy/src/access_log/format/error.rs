//! What can be wrong with a format string.

use std::fmt;

/// Why a format string is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatError {
    /// Where, in bytes from the beginning of the string.
    pub position: usize,
    /// What.
    pub fault: Fault,
}

/// What is wrong there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// A `%` that begins no operator; `%%` stands for the character.
    NotClosed,
    /// No such operator.
    Unknown {
        /// What was written.
        name: String,
        /// What was probably meant.
        nearest: Option<&'static str>,
    },
    /// Envoy has the operator, but what it shows does not exist here.
    Unsupported {
        /// What was written.
        name: String,
    },
    /// The operator needs an argument in parentheses.
    MissingArgument {
        /// The operator.
        name: &'static str,
    },
    /// The operator takes no argument.
    NeedlessArgument {
        /// The operator.
        name: &'static str,
    },
    /// The argument makes no sense.
    BadArgument {
        /// The operator.
        name: &'static str,
        /// What it takes.
        wanted: &'static str,
    },
    /// The length after the colon is no number.
    BadLength,
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at offset {}: ", self.position)?;
        match &self.fault {
            Fault::NotClosed => f.write_str("`%` begins no operator (a percent sign is written `%%`)"),
            Fault::Unknown { name, nearest: Some(nearest) } => {
                write!(f, "unknown operator `{name}`, did you mean `{nearest}`?")
            }
            Fault::Unknown { name, nearest: None } => write!(f, "unknown operator `{name}`"),
            Fault::Unsupported { name } => write!(f, "operator `{name}` is not supported"),
            Fault::MissingArgument { name } => write!(f, "operator `{name}` needs an argument"),
            Fault::NeedlessArgument { name } => write!(f, "operator `{name}` takes no argument"),
            Fault::BadArgument { name, wanted } => write!(f, "operator `{name}` takes {wanted}"),
            Fault::BadLength => f.write_str("the length after `:` is not a number"),
        }
    }
}

impl std::error::Error for FormatError {}

/// Why a JSON format is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonFormatError {
    /// The key.
    pub key: String,
    /// What is wrong with its value.
    pub error: FormatError,
}

impl fmt::Display for JsonFormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key `{}`: {}", self.key, self.error)
    }
}

impl std::error::Error for JsonFormatError {}
