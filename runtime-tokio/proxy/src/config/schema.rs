//! What a message of Envoy's API may hold, and what of it this proxy knows how to do.
//!
//! The tables in the rooms below are the only list of fields: the walker checks names against them,
//! and `docs/configuration.md` is written from them (a test compares).

mod cluster;
mod core;
mod http;
mod listener;
mod route;

pub(crate) use self::cluster::*;
pub(crate) use self::core::*;
pub(crate) use self::http::*;
pub(crate) use self::listener::*;
pub(crate) use self::route::*;

/// One message.
#[derive(Debug)]
pub(crate) struct Message {
    /// Its full name.
    pub(crate) name: &'static str,
    /// Fields that are honoured.
    pub(crate) fields: &'static [Field],
    /// Fields that Envoy knows and that do no harm when they are left out.
    pub(crate) ignored: &'static [&'static str],
    /// Fields that Envoy knows, and that would change where requests go or who may send them, or
    /// promise something that is not there; and what to do instead.
    pub(crate) refused: &'static [(&'static str, &'static str)],
    /// Honoured fields that Envoy's API calls deprecated, and what it has instead.
    pub(crate) deprecated: &'static [(&'static str, &'static str)],
}

/// One field that is honoured.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    /// As the reference says it.
    pub(crate) kind: &'static str,
    pub(crate) default: &'static str,
    pub(crate) meaning: &'static str,
}

pub(crate) const fn field(
    name: &'static str,
    kind: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> Field {
    Field { name, kind, default, meaning }
}

/// How a name stands to a message.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Standing {
    Honoured(&'static str),
    Ignored,
    Refused(&'static str, &'static str),
    Unknown,
}

impl Message {
    pub(crate) const fn new(name: &'static str, fields: &'static [Field]) -> Self {
        Self { name, fields, ignored: &[], refused: &[], deprecated: &[] }
    }

    pub(crate) const fn ignored(mut self, ignored: &'static [&'static str]) -> Self {
        self.ignored = ignored;
        self
    }

    pub(crate) const fn refused(mut self, refused: &'static [(&'static str, &'static str)]) -> Self {
        self.refused = refused;
        self
    }

    pub(crate) const fn deprecated(mut self, deprecated: &'static [(&'static str, &'static str)]) -> Self {
        self.deprecated = deprecated;
        self
    }

    /// Looks a key up, in either of the spellings of proto-JSON.
    pub(crate) fn standing(&self, key: &str) -> Standing {
        if let Some(field) = self.fields.iter().find(|field| is_name(key, field.name)) {
            return Standing::Honoured(field.name);
        }
        if let Some((name, why)) = self.refused.iter().find(|(name, _)| is_name(key, name)) {
            return Standing::Refused(name, why);
        }
        if self.ignored.iter().any(|name| is_name(key, name)) {
            return Standing::Ignored;
        }
        Standing::Unknown
    }

    /// The names of all fields that are known, the honoured ones first.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        let honoured = self.fields.iter().map(|field| field.name);
        honoured.chain(self.ignored.iter().copied()).chain(self.refused.iter().map(|(name, _)| *name))
    }
}

/// Whether `key` is `name` as it is, or in lowerCamelCase.
pub(crate) fn is_name(key: &str, name: &str) -> bool {
    if key == name {
        return true;
    }
    let mut rest = key.chars();
    let mut upper = false;
    for c in name.chars() {
        if c == '_' {
            upper = true;
            continue;
        }
        let expected = if upper { c.to_ascii_uppercase() } else { c };
        upper = false;
        if rest.next() != Some(expected) {
            return false;
        }
    }
    rest.next().is_none()
}
