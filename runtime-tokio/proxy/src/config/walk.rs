//! Walking a tree of nodes by the tables of [`super::schema`], noting everything that is wrong.
//!
//! No step gives up: a value that is wrong is noted and read as absent, so that one run shows all
//! problems. What was built from such values is thrown away, since a problem was noted.

use std::cell::RefCell;
use std::time::Duration;

use super::model::AccessLogFormat;
use super::nearest::nearest;
use super::problem::Position;
use super::schema::{self, Message, Standing};
use super::tree::{Node, Style, Value, shorten};
use super::{FormatCheck, Mode, scalar};

/// What was found so far.
#[derive(Debug)]
pub(crate) struct Walk {
    pub(crate) mode: Mode,
    check_format: FormatCheck,
    found: RefCell<Vec<Finding>>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub(crate) at: Position,
    pub(crate) path: String,
    pub(crate) message: String,
    pub(crate) severity: Severity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    Problem,
    Warning,
}

impl Walk {
    pub(crate) const fn new(mode: Mode, check_format: FormatCheck) -> Self {
        Self { mode, check_format, found: RefCell::new(Vec::new()) }
    }

    pub(crate) fn note(&self, severity: Severity, at: Position, path: &str, message: String) {
        self.found.borrow_mut().push(Finding { at, path: path.to_owned(), message, severity });
    }

    /// Everything, in the order of the file, each once.
    pub(crate) fn into_found(self) -> Vec<Finding> {
        let mut found = self.found.into_inner();
        found.sort();
        found.dedup();
        found
    }
}

/// A node, where it is in the configuration, and whom to tell.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    pub(crate) node: &'a Node,
    pub(crate) path: String,
    walk: &'a Walk,
}

impl<'a> Cursor<'a> {
    pub(crate) const fn root(node: &'a Node, walk: &'a Walk) -> Self {
        Self { node, path: String::new(), walk }
    }

    pub(crate) fn mode(&self) -> Mode {
        self.walk.mode
    }

    /// Whether an access log could be written in this format; what is wrong is noted.
    pub(crate) fn check_format(&self, format: &AccessLogFormat) {
        if let Err(message) = (self.walk.check_format)(format) {
            self.problem(message);
        }
    }

    pub(crate) fn problem(&self, message: impl Into<String>) {
        self.walk.note(Severity::Problem, self.node.at, &self.path, message.into());
    }

    pub(crate) fn warn(&self, message: impl Into<String>) {
        self.walk.note(Severity::Warning, self.node.at, &self.path, message.into());
    }

    fn down(&self, name: &str, node: &'a Node) -> Self {
        let dot = if self.path.is_empty() || name.starts_with('[') { "" } else { "." };
        let path = format!("{}{dot}{name}", self.path);
        Self { node, path, walk: self.walk }
    }

    /// Less is done than was asked for, which does no harm: a warning, unless checks are strict.
    pub(crate) fn limited(&self, message: impl Into<String>) {
        match self.mode() {
            Mode::Lenient => self.warn(message),
            Mode::Strict => self.problem(message),
        }
    }

    /// The members of a message, all names checked.
    pub(crate) fn message(&self, table: &'static Message) -> Fields<'a> {
        Fields::new(self.clone(), table, &[])
    }

    /// The items of a list, each with its index and, if it has one, its name in the path.
    pub(crate) fn list(&self) -> Vec<Self> {
        let Value::List(items) = &self.node.value else {
            self.problem(format!("expected a list, found {}{}", self.node.describe(), self.dash_hint()));
            return Vec::new();
        };
        let item = |(index, node): (usize, &'a Node)| {
            let name = name_of(node).map(|name| format!("({name})")).unwrap_or_default();
            Self { node, path: format!("{}[{index}]{name}", self.path), walk: self.walk }
        };
        items.iter().enumerate().map(item).collect()
    }

    fn dash_hint(&self) -> &'static str {
        match self.node.value {
            Value::Map(_) => "; begin each item with '- '",
            Value::Null | Value::Scalar { .. } | Value::List(_) => "",
        }
    }

    /// The entries of a proto map, or of any other mapping whose keys are data.
    pub(crate) fn entries(&self) -> Vec<(&'a str, Self)> {
        let Value::Map(members) = &self.node.value else {
            self.problem(format!("expected a mapping, found {}", self.node.describe()));
            return Vec::new();
        };
        members
            .iter()
            .map(|(key, node)| (key.name.as_str(), self.down(&format!("[{}]", key.name), node)))
            .collect()
    }

    /// An `Any`: the message that `@type` names, without the part before the slash.
    pub(crate) fn type_name(&self) -> Option<&'a str> {
        let Value::Map(members) = &self.node.value else {
            self.problem(format!("expected a mapping with '@type', found {}", self.node.describe()));
            return None;
        };
        let Some((_, node)) = members.iter().find(|(key, _)| key.name == "@type") else {
            self.problem(
                "missing '@type', which says what this is: 'type.googleapis.com/' and a message name",
            );
            return None;
        };
        match &node.value {
            Value::Scalar { text, .. } if text.contains('/') => text.rsplit('/').next(),
            Value::Scalar { .. } | Value::Null | Value::List(_) | Value::Map(_) => {
                let found = node.describe();
                self.down("@type", node)
                    .problem(format!("expected 'type.googleapis.com/' and a message name, found {found}"));
                None
            }
        }
    }

    /// The members of an `Any` whose `@type` was looked at.
    pub(crate) fn typed_message(&self, table: &'static Message) -> Fields<'a> {
        Fields::new(self.clone(), table, &["@type"])
    }

    fn scalar(&self, expected: &str) -> Option<(&'a str, Style)> {
        match &self.node.value {
            Value::Scalar { text, style } => Some((text, *style)),
            Value::Null | Value::List(_) | Value::Map(_) => {
                self.problem(format!("expected {expected}, found {}", self.node.describe()));
                None
            }
        }
    }

    fn checked<T>(
        &self,
        expected: &str,
        read: impl FnOnce(&'a str, Style) -> Result<T, String>,
    ) -> Option<T> {
        let (text, style) = self.scalar(expected)?;
        match read(text, style) {
            Ok(value) => Some(value),
            Err(message) => {
                self.problem(message);
                None
            }
        }
    }

    pub(crate) fn string(&self) -> Option<String> {
        self.checked("a string", scalar::string)
    }

    pub(crate) fn bool(&self) -> Option<bool> {
        self.checked("true or false", scalar::boolean)
    }

    pub(crate) fn number(&self, min: u64, max: u64) -> Option<u64> {
        self.checked("a number", |text, style| scalar::whole(text, style, min, max))
    }

    pub(crate) fn float(&self) -> Option<f64> {
        self.checked("a number", |text, _| scalar::float(text))
    }

    /// Zero is a length here; see [`Fields::timeout`] for where it means none.
    pub(crate) fn duration(&self) -> Option<Duration> {
        self.checked("a duration such as '0.25s'", |text, _| scalar::duration(text))
    }

    /// One of an enum's values: by name, or by number as proto-JSON allows.
    pub(crate) fn choice<T: Copy>(&self, choices: &[(&'static str, u32, Choice<T>)]) -> Option<T> {
        let (text, _) = self.scalar("a name")?;
        let number = text.parse().ok();
        let found = choices.iter().find(|(name, value, _)| *name == text || Some(*value) == number);
        match found {
            Some((_, _, Choice::Take(value))) => Some(*value),
            Some((name, _, Choice::NotHere(why))) => {
                self.problem(format!("{name} is not supported: {why}"));
                None
            }
            None => {
                let names = || choices.iter().map(|(name, ..)| *name);
                let hint = nearest(text, names()).map(|name| format!("; did you mean {name}?"));
                let valid: Vec<_> = names().collect();
                let hint = hint.unwrap_or_else(|| format!("; valid: {}", valid.join(", ")));
                self.problem(format!("'{}' is not a valid value{hint}", shorten(text)));
                None
            }
        }
    }
}

/// What becomes of an enum's value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Choice<T> {
    Take(T),
    NotHere(&'static str),
}

/// What a list's item calls itself.
fn name_of(node: &Node) -> Option<String> {
    let Value::Map(members) = &node.value else { return None };
    let (_, name) = members.iter().find(|(key, _)| key.name == "name")?;
    match &name.value {
        Value::Scalar { text, .. } => Some(shorten(text)),
        Value::Null | Value::List(_) | Value::Map(_) => None,
    }
}

/// The members of one message.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    /// The message; `None` if it is not there, and then no field is missed.
    pub(crate) cursor: Option<Cursor<'a>>,
    table: &'static Message,
    members: Vec<(&'static str, Cursor<'a>)>,
    #[cfg(test)]
    asked: RefCell<std::collections::BTreeSet<&'static str>>,
}

impl<'a> Fields<'a> {
    const fn empty(cursor: Option<Cursor<'a>>, table: &'static Message) -> Self {
        Self {
            cursor,
            table,
            members: Vec::new(),
            #[cfg(test)]
            asked: RefCell::new(std::collections::BTreeSet::new()),
        }
    }

    /// A message that is not there.
    pub(crate) const fn absent(table: &'static Message) -> Self {
        Self::empty(None, table)
    }

    fn new(cursor: Cursor<'a>, table: &'static Message, besides: &[&str]) -> Self {
        let Value::Map(members) = &cursor.node.value else {
            let nothing = matches!(cursor.node.value, Value::Null);
            let hint = if nothing { "; write {} for one without members" } else { "" };
            cursor.problem(format!("expected a mapping, found {}{hint}", cursor.node.describe()));
            return Self::empty(None, table);
        };
        let mut fields = Self::empty(None, table);
        for (key, node) in members {
            if besides.contains(&key.name.as_str()) {
                continue;
            }
            let (at, name) = (key.at, key.name.as_str());
            let member = |name: &str| cursor.down(name, node);
            match table.standing(name) {
                Standing::Honoured(name) if fields.members.iter().any(|(other, _)| *other == name) => {
                    fields.note(
                        &cursor,
                        at,
                        name,
                        Severity::Problem,
                        "given twice, in both spellings".to_owned(),
                    );
                }
                Standing::Honoured(name) => {
                    fields.warn_of_deprecation(&cursor, at, name);
                    fields.members.push((name, member(name)));
                }
                Standing::Refused(..) if is_off(node) => {}
                Standing::Refused(name, why) => {
                    fields.note(&cursor, at, name, Severity::Problem, format!("not supported: {why}"));
                }
                Standing::Ignored if matches!(node.value, Value::Null) => {}
                Standing::Ignored => {
                    let (severity, message) = match cursor.mode() {
                        Mode::Lenient => (Severity::Warning, "not supported, ignored"),
                        Mode::Strict => (Severity::Problem, "not supported"),
                    };
                    fields.note(&cursor, at, name, severity, message.to_owned());
                }
                Standing::Unknown => {
                    let alias = schema::ALIASES.iter().find(|(message, alias, _)| {
                        *message == table.name
                            && schema::is_name(name, alias)
                            && cursor.mode() == Mode::Lenient
                    });
                    match alias {
                        Some((_, _, real)) => fields.take_alias(&cursor, at, name, real, node),
                        None => fields.note_unknown(&cursor, at, name),
                    }
                }
            }
        }
        fields.cursor = Some(cursor);
        fields
    }

    fn note(&self, cursor: &Cursor<'a>, at: Position, name: &str, severity: Severity, message: String) {
        let path =
            if cursor.path.is_empty() { shorten(name) } else { format!("{}.{}", cursor.path, shorten(name)) };
        cursor.walk.note(severity, at, &path, message);
    }

    fn warn_of_deprecation(&self, cursor: &Cursor<'a>, at: Position, name: &str) {
        let instead = self.table.deprecated.iter().find(|(other, _)| *other == name);
        if let (Some((_, instead)), Mode::Strict) = (instead, cursor.mode()) {
            self.note(
                cursor,
                at,
                name,
                Severity::Warning,
                format!("deprecated in Envoy's API: use {instead}"),
            );
        }
    }

    fn note_unknown(&self, cursor: &Cursor<'a>, at: Position, name: &str) {
        let honoured = || self.table.fields.iter().map(|field| field.name);
        let hint = match nearest(name, honoured()).or_else(|| nearest(name, self.table.names())) {
            Some(near) => format!("; did you mean '{near}'?"),
            None => match schema::owners(name) {
                Some(owners) => format!("; it is a field of {owners}"),
                None => String::new(),
            },
        };
        let name = shorten(name);
        let (severity, message) = match cursor.mode() {
            Mode::Lenient => (Severity::Warning, format!("unknown field, ignored{hint}")),
            Mode::Strict => {
                (Severity::Problem, format!("no such field: '{name}' in {}{hint}", self.table.name))
            }
        };
        self.note(cursor, at, &name, severity, message);
    }

    /// A name that is not Envoy's, but whose meaning is plain.
    fn take_alias(
        &mut self,
        cursor: &Cursor<'a>,
        at: Position,
        alias: &str,
        real: &'static str,
        node: &'a Node,
    ) {
        let Value::Map(members) = &cursor.node.value else { return };
        let other = members.iter().find(|(key, _)| schema::is_name(&key.name, real));
        let text = |node: &Node| match &node.value {
            Value::Scalar { text, .. } => Some(text.clone()),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        };
        match other {
            Some((_, other)) if text(other).is_some() && text(other) == text(node) => {
                let message = format!("'{alias}' is not an Envoy field; '{real}' says the same");
                self.note(cursor, at, alias, Severity::Warning, message);
            }
            Some(_) => {
                let message = format!("'{alias}' is not an Envoy field, and contradicts '{real}' beside it");
                self.note(cursor, at, alias, Severity::Problem, message);
            }
            None => {
                let value = text(node).map(|text| shorten(&text)).unwrap_or_default();
                let message = format!("'{alias}' is not an Envoy field; using it as '{real}: {value}'");
                cursor.walk.note(Severity::Warning, at, &cursor.path, message);
                self.members.push((real, cursor.down(alias, node)));
            }
        }
    }

    /// A member; `null` is as good as absent.
    pub(crate) fn get(&self, name: &'static str) -> Option<Cursor<'a>> {
        debug_assert!(
            self.table.fields.iter().any(|field| field.name == name),
            "{}: {name}",
            self.table.name
        );
        #[cfg(test)]
        self.asked.borrow_mut().insert(name);
        let (_, member) = self.members.iter().find(|(other, _)| *other == name)?;
        (!matches!(member.node.value, Value::Null)).then(|| member.clone())
    }

    /// A member that must be there.
    pub(crate) fn required(&self, name: &'static str) -> Option<Cursor<'a>> {
        let member = self.get(name);
        if let (None, Some(cursor)) = (&member, &self.cursor) {
            cursor.problem(format!("missing '{name}'"));
        }
        member
    }

    /// A text that must be there and not be empty.
    pub(crate) fn required_text(&self, name: &'static str) -> String {
        let Some(member) = self.required(name) else { return String::new() };
        let text = member.string();
        if text.as_deref() == Some("") {
            member.problem("must not be empty");
        }
        text.unwrap_or_default()
    }

    pub(crate) fn text(&self, name: &'static str) -> Option<String> {
        self.get(name)?.string().filter(|text| !text.is_empty())
    }

    pub(crate) fn bool(&self, name: &'static str) -> Option<bool> {
        self.get(name)?.bool()
    }

    /// A `uint32`, or less.
    pub(crate) fn number(&self, name: &'static str, min: u32, max: u32) -> Option<u32> {
        let number = self.get(name)?.number(min.into(), max.into())?;
        u32::try_from(number).ok()
    }

    pub(crate) fn duration(&self, name: &'static str) -> Option<Duration> {
        self.get(name)?.duration()
    }

    /// A length that must be more than zero.
    pub(crate) fn length(&self, name: &'static str) -> Option<Duration> {
        let member = self.get(name)?;
        let length = member.duration()?;
        if length.is_zero() {
            member.problem("must be more than 0s");
            return None;
        }
        Some(length)
    }

    /// A timeout where zero means none.
    pub(crate) fn timeout(&self, name: &'static str, default: Option<Duration>) -> Option<Duration> {
        self.duration(name).or(default).filter(|length| !length.is_zero())
    }

    /// The items of a repeated field.
    pub(crate) fn list(&self, name: &'static str) -> Vec<Cursor<'a>> {
        self.get(name).map(|member| member.list()).unwrap_or_default()
    }

    /// A message; without members and demands if it is absent.
    pub(crate) fn message(&self, name: &'static str, table: &'static Message) -> Self {
        match self.get(name) {
            Some(member) => member.message(table),
            None => Self::empty(None, table),
        }
    }

    /// The one of a oneof's members that is set. `others` are members that are refused elsewhere: a
    /// file that has one of those was told so, and misses nothing.
    pub(crate) fn one_of(
        &self,
        names: &[&'static str],
        others: &[&str],
    ) -> Option<(&'static str, Cursor<'a>)> {
        let set: Vec<_> = names.iter().filter_map(|name| Some((*name, self.get(name)?))).collect();
        let cursor = self.cursor.as_ref()?;
        let Value::Map(members) = &cursor.node.value else { return None };
        let has_other =
            members.iter().any(|(key, _)| others.iter().any(|name| schema::is_name(&key.name, name)));
        match (set.as_slice(), has_other) {
            ([one], _) => return Some(one.clone()),
            ([], true) => {}
            ([], false) => {
                let all: Vec<_> = names.iter().map(|name| format!("'{name}'")).collect();
                let is_null = members.iter().find(|(key, node)| {
                    matches!(node.value, Value::Null)
                        && names.iter().any(|name| schema::is_name(&key.name, name))
                });
                match is_null {
                    Some((key, _)) => {
                        let message =
                            format!("nothing after the colon counts as absent; write '{}: {{}}'", key.name);
                        self.note(cursor, key.at, &key.name, Severity::Problem, message);
                    }
                    None if all.len() == 1 => cursor.problem(format!("missing {}", all.concat())),
                    None => cursor.problem(format!("missing one of {}", all.join(", "))),
                }
            }
            ([.., (_, last)], _) => {
                let all: Vec<_> = set.iter().map(|(name, _)| format!("'{name}'")).collect();
                last.problem(format!("only one of {} may be set", all.join(", ")));
            }
        }
        None
    }
}

/// Whether a value says what also its absence would say.
fn is_off(node: &Node) -> bool {
    match &node.value {
        Value::Null => true,
        Value::List(items) => items.is_empty(),
        Value::Map(_) => false,
        Value::Scalar { text, .. } => {
            let off =
                ["", "false", "0", "0s", "SANITIZE", "KEEP_UNCHANGED", "IMPLEMENTATION_SPECIFIC_DEFAULT"];
            off.contains(&text.as_str())
        }
    }
}

/// In tests: every field that the tables call honoured is read, whenever its message is.
#[cfg(test)]
impl Drop for Fields<'_> {
    fn drop(&mut self) {
        if self.cursor.is_none() || std::thread::panicking() {
            return;
        }
        for field in self.table.fields {
            assert!(
                self.asked.borrow().contains(field.name),
                "{}: {} is never read",
                self.table.name,
                field.name
            );
        }
    }
}
