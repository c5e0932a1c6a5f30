//! JSON as the admin port writes it: ordered, indented by one space, as Envoy's is.

use std::fmt::{self, Write as _};

/// A JSON value to be printed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Integer(u64),
    /// Printed as `null` if it is not finite.
    Float(f64),
    Text(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Json {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A number as text, which is how protobuf's JSON writes 64-bit ones.
    pub(super) fn long(number: u64) -> Self {
        Self::Text(number.to_string())
    }

    pub(super) fn list(items: impl IntoIterator<Item = Self>) -> Self {
        Self::List(items.into_iter().collect())
    }

    pub(super) fn object<K: Into<String>>(fields: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::Object(fields.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    fn write(&self, depth: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Float(number) if number.is_finite() => write!(f, "{number}"),
            Self::Float(_) => f.write_str("null"),
            Self::Text(text) => quote(text, f),
            Self::List(items) if items.is_empty() => f.write_str("[]"),
            Self::List(items) => {
                f.write_str("[")?;
                for (position, item) in items.iter().enumerate() {
                    next(position, depth, f)?;
                    item.write(depth + 1, f)?;
                }
                end(depth, f)?;
                f.write_str("]")
            }
            Self::Object(fields) if fields.is_empty() => f.write_str("{}"),
            Self::Object(fields) => {
                f.write_str("{")?;
                for (position, (key, value)) in fields.iter().enumerate() {
                    next(position, depth, f)?;
                    quote(key, f)?;
                    f.write_str(": ")?;
                    value.write(depth + 1, f)?;
                }
                end(depth, f)?;
                f.write_str("}")
            }
        }
    }
}

fn next(position: usize, depth: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str(if position == 0 { "\n" } else { ",\n" })?;
    write!(f, "{:1$}", "", depth + 1)
}

fn end(depth: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "\n{:1$}", "", depth)
}

fn quote(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_char('"')?;
    for char in text.chars() {
        match char {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            char if char.is_control() => write!(f, "\\u{:04x}", char as u32)?,
            char => f.write_char(char)?,
        }
    }
    f.write_char('"')
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_ordered_indented_and_escaped() {
        let json = Json::object([
            ("b", Json::list([Json::Integer(1), Json::Float(0.5), Json::Float(f64::NAN), Json::Null])),
            ("a \"quoted\"", Json::text("tab\t, line\nand \u{1}")),
            ("empty", Json::list([])),
            ("none", Json::object::<String>([])),
            ("deep", Json::object([("long", Json::long(u64::MAX)), ("yes", Json::Bool(true))])),
        ]);
        let wanted = "{\n \"b\": [\n  1,\n  0.5,\n  null,\n  null\n ],\n \"a \\\"quoted\\\"\": \
            \"tab\\t, line\\nand \\u0001\",\n \"empty\": [],\n \"none\": {},\n \"deep\": {\n  \
            \"long\": \"18446744073709551615\",\n  \"yes\": true\n }\n}";
        assert_eq!(json.to_string(), wanted);
    }
}
