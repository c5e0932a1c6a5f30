//! Format strings into parts.

use std::fs;

use http::HeaderName;

use super::Part;
use super::error::{Fault, FormatError};
use super::operator::{Field, Operator, Pick, Plain, Point, Query, Unit};
use super::time::TimeFormat;
use crate::config::nearest;

/// Operators that take an argument, or may.
const WITH_ARGUMENT: [&str; 10] = [
    "START_TIME",
    "EMIT_TIME",
    "REQ",
    "REQ_WITHOUT_QUERY",
    "RESP",
    "TRAILER",
    "QUERY_PARAM",
    "COMMON_DURATION",
    "ENVIRONMENT",
    "HOSTNAME",
];

/// Envoy's operators about things that this proxy does not have.
const UNSUPPORTED: [&str; 20] = [
    "CEL",
    "CLUSTER_METADATA",
    "DYNAMIC_METADATA",
    "FILTER_CHAIN_NAME",
    "FILTER_STATE",
    "GRPC_STATUS",
    "GRPC_STATUS_NUMBER",
    "LOCAL_REPLY_BODY",
    "METADATA",
    "PATH",
    "REQUESTED_SERVER_NAME",
    "START_TIME_LOCAL",
    "EMIT_TIME_LOCAL",
    "TRACE_ID",
    "UNIQUE_ID",
    "UPSTREAM_CLUSTER_RAW",
    "UPSTREAM_FILTER_STATE",
    "UPSTREAM_HOSTS_ATTEMPTED",
    "UPSTREAM_METADATA",
    "VIRTUAL_CLUSTER_NAME",
];

/// Every operator that is understood, for the documentation and for hints.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    WITH_ARGUMENT.into_iter().chain(Plain::NAMES.iter().map(|(name, _)| *name))
}

/// One operator as it is written.
struct Written<'a> {
    /// Offset of its `%`.
    position: usize,
    name: &'a str,
    argument: Option<&'a str>,
    length: Option<&'a str>,
    /// Bytes from the first `%` to the second.
    size: usize,
}

pub(super) fn parse(format: &str) -> Result<Vec<Part>, FormatError> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut at = 0;
    while let Some(found) = format[at..].find('%') {
        literal.push_str(&format[at..at + found]);
        let position = at + found;
        if format[position..].starts_with("%%") {
            literal.push('%');
            at = position + 2;
            continue;
        }
        let written = Written::read(format, position)?;
        at = position + written.size;
        if !literal.is_empty() {
            parts.push(Part::Literal(std::mem::take(&mut literal)));
        }
        parts.push(Part::Operator { operator: written.compile()?, length: written.length()? });
    }
    literal.push_str(&format[at..]);
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    Ok(parts)
}

impl<'a> Written<'a> {
    fn read(format: &'a str, position: usize) -> Result<Self, FormatError> {
        let open = FormatError { position, fault: Fault::NotClosed };
        let after = &format[position + 1..];
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = after.find(|c| !is_name(c)).filter(|end| *end > 0).ok_or_else(|| open.clone())?;
        let (name, mut rest) = after.split_at(end);
        let mut argument = None;
        if let Some(inside) = rest.strip_prefix('(') {
            let (inner, behind) = inside.split_once(')').ok_or_else(|| open.clone())?;
            (argument, rest) = (Some(inner), behind);
        }
        let mut length = None;
        if let Some(behind) = rest.strip_prefix(':') {
            let end = behind.find('%').ok_or_else(|| open.clone())?;
            (length, rest) = (Some(&behind[..end]), &behind[end..]);
        }
        let rest = rest.strip_prefix('%').ok_or(open)?;
        Ok(Self { position, name, argument, length, size: 1 + after.len() - rest.len() })
    }

    fn fail(&self, fault: Fault) -> FormatError {
        FormatError { position: self.position, fault }
    }

    fn length(&self) -> Result<Option<usize>, FormatError> {
        let parse = |length: &str| length.parse().map_err(|_| self.fail(Fault::BadLength));
        self.length.map(parse).transpose()
    }

    fn compile(&self) -> Result<Operator, FormatError> {
        if let Some((name, plain)) = Plain::NAMES.iter().find(|(name, _)| *name == self.name) {
            return match self.argument {
                None => Ok(Operator::Plain(*plain)),
                Some(_) => Err(self.fail(Fault::NeedlessArgument { name })),
            };
        }
        let Some(name) = WITH_ARGUMENT.into_iter().find(|name| *name == self.name) else {
            return Err(self.fail(self.stranger()));
        };
        match name {
            "START_TIME" => self.time(name).map(Operator::StartTime),
            "EMIT_TIME" => self.time(name).map(Operator::EmitTime),
            "REQ" => Ok(Operator::Request(self.pick(name)?, Query::Kept)),
            "REQ_WITHOUT_QUERY" => Ok(Operator::Request(self.pick(name)?, Query::Cut)),
            "RESP" => self.pick(name).map(Operator::Response),
            "TRAILER" => self.pick(name).map(Operator::Trailer),
            "QUERY_PARAM" => Ok(Operator::QueryParam(self.needed(name)?.to_owned())),
            "COMMON_DURATION" => self.between(name),
            "ENVIRONMENT" => Ok(Operator::Fixed(std::env::var(self.needed(name)?).ok())),
            _ => match self.argument {
                None => Ok(Operator::Fixed(hostname())),
                Some(_) => Err(self.fail(Fault::NeedlessArgument { name })),
            },
        }
    }

    /// What to say about a name that is not understood.
    fn stranger(&self) -> Fault {
        let name = self.name.to_owned();
        let is_tls = name.contains("_TLS_") || name.contains("_PEER_") || name.ends_with("_SAN");
        if is_tls || UNSUPPORTED.contains(&self.name) {
            return Fault::Unsupported { name };
        }
        Fault::Unknown { nearest: nearest(self.name, names()), name }
    }

    fn needed(&self, name: &'static str) -> Result<&'a str, FormatError> {
        let argument = self.argument.filter(|argument| !argument.is_empty());
        argument.ok_or_else(|| self.fail(Fault::MissingArgument { name }))
    }

    fn time(&self, name: &'static str) -> Result<TimeFormat, FormatError> {
        let Some(format) = self.argument.filter(|format| !format.is_empty()) else {
            return Ok(TimeFormat::iso8601());
        };
        TimeFormat::parse(format).map_err(|offset| FormatError {
            position: self.position + 1 + self.name.len() + 1 + offset,
            fault: Fault::BadArgument { name, wanted: "a time format, and this specifier is not known" },
        })
    }

    fn pick(&self, name: &'static str) -> Result<Pick, FormatError> {
        let argument = self.needed(name)?;
        let wanted = "a field name, or two with `?` between them";
        let field =
            |text: &str| field_of(name, text).ok_or_else(|| self.fail(Fault::BadArgument { name, wanted }));
        match argument.split_once('?') {
            None => Ok(Pick { main: field(argument)?, other: None }),
            Some((main, other)) => Ok(Pick { main: field(main)?, other: Some(field(other)?) }),
        }
    }

    fn between(&self, name: &'static str) -> Result<Operator, FormatError> {
        let wanted = "two points and a unit, as `DS_RX_BEG:DS_RX_END:ms`";
        let bad = || self.fail(Fault::BadArgument { name, wanted });
        let words: Vec<&str> = self.needed(name)?.split(':').collect();
        let [from, to, unit] = words[..] else { return Err(bad()) };
        let point = |text| by_name(&Point::NAMES, text).ok_or_else(bad);
        let unit = by_name(&Unit::NAMES, unit).ok_or_else(bad)?;
        Ok(Operator::Between(point(from)?, point(to)?, unit))
    }
}

fn by_name<T: Copy>(names: &[(&str, T)], name: &str) -> Option<T> {
    names.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

fn field_of(operator: &str, text: &str) -> Option<Field> {
    let is_request = operator.starts_with("REQ");
    match text.to_ascii_lowercase().as_str() {
        ":method" if is_request => Some(Field::Method),
        ":scheme" if is_request => Some(Field::Scheme),
        ":authority" if is_request => Some(Field::Authority),
        ":path" if is_request => Some(Field::Path),
        ":status" if operator == "RESP" => Some(Field::Status),
        name => HeaderName::try_from(name).ok().map(Field::Header),
    }
}

/// The name of this machine, where the system tells it in a file or in the environment.
fn hostname() -> Option<String> {
    let file = |path| fs::read_to_string(path).ok();
    let name = file("/proc/sys/kernel/hostname").or_else(|| file("/etc/hostname"));
    let name = name.or_else(|| std::env::var("HOSTNAME").ok())?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}
