//! YAML and JSON text as a tree of nodes that know where they stand.
//!
//! The parser is `granit-parser`; this file turns its events into nodes, resolves aliases and merge
//! keys, and sets the bounds: input from a file must not take more memory than its size explains.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::problem::Position;

/// Longest text that is read, in bytes.
pub(crate) const MAX_BYTES: usize = 16 << 20;
/// Deepest nesting of lists and mappings. A complete Envoy bootstrap is about 25 deep.
pub(crate) const MAX_DEPTH: usize = 100;
/// Most nodes of a tree after aliases were replaced: a few lines of aliases of aliases could
/// otherwise grow without bound.
pub(crate) const MAX_NODES: usize = 1 << 20;

/// A value and where it begins.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) at: Position,
    pub(crate) value: Value,
    /// How many nodes this is, itself included.
    size: usize,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Null,
    Scalar { text: String, style: Style },
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// Whether a scalar's type may be read from its looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// It may: `5` is a number.
    Plain,
    /// It may not: `"5"` is a string.
    Quoted,
}

#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) name: String,
    pub(crate) at: Position,
}

impl Node {
    pub(crate) fn new(at: Position, value: Value) -> Self {
        let size = match &value {
            Value::Null | Value::Scalar { .. } => 1,
            Value::List(items) => 1 + items.iter().map(|item| item.size).sum::<usize>(),
            Value::Map(members) => 1 + members.iter().map(|(_, member)| member.size).sum::<usize>(),
        };
        Self { at, value, size }
    }

    /// This with another laid over it, as `--config-yaml` over a file: mappings are joined, lists are
    /// appended to, everything else is replaced (protobuf's `MergeFrom`).
    pub(crate) fn overlaid(self, over: Self) -> Self {
        let at = self.at;
        match (self.value, over.value) {
            (value, Value::Null) => Self::new(at, value),
            (Value::Map(mut members), Value::Map(more)) => {
                for (key, node) in more {
                    match members.iter_mut().find(|(own, _)| own.name == key.name) {
                        Some((_, own)) => {
                            let base = std::mem::replace(own, Self::new(at, Value::Null));
                            *own = base.overlaid(node);
                        }
                        None => members.push((key, node)),
                    }
                }
                Self::new(at, Value::Map(members))
            }
            (Value::List(mut items), Value::List(more)) => {
                items.extend(more);
                Self::new(at, Value::List(items))
            }
            (_, value) => Self::new(over.at, value),
        }
    }

    /// For messages: what kind of thing this is.
    pub(crate) fn describe(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Scalar { text, .. } => format!("'{}'", shorten(text)),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
        }
    }
}

/// At most 60 characters, for messages.
pub(crate) fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    if text.chars().nth(60).is_some() {
        short.push_str("...");
    }
    short
}

/// Something wrong with the text itself.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) at: Position,
    pub(crate) message: String,
}

/// Whether `<<` takes over the members of another mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MergeKeys {
    Applied,
    /// As in Envoy, where `<<` is a field like any other, and no message has it.
    Refused,
}

/// Reads one document.
///
/// # Errors
/// Text that cannot be read as a whole: bad syntax, or bounds exceeded. What only concerns one place
/// (a key that appears twice) is in the list, and the tree is complete without it.
pub(crate) fn parse(text: &str, source: usize, merge: MergeKeys) -> Result<(Node, Vec<Fault>), Fault> {
    if text.len() > MAX_BYTES {
        let message = format!("the file has {} bytes, more than {MAX_BYTES}", text.len());
        return Err(Fault { at: Position { source, line: 1, column: 1 }, message });
    }
    let options = granit_parser::options! {
        block_nesting_limit: MAX_DEPTH,
        flow_nesting_limit: MAX_DEPTH,
        emit_comments: false,
    };
    let mut builder = Builder {
        source,
        merge,
        open: Vec::new(),
        anchors: Vec::new(),
        root: None,
        faults: Vec::new(),
        nodes: 0,
    };
    for event in Parser::new_from_str_with_options(text, options) {
        match event {
            Ok((event, span)) => builder.take(event, span)?,
            Err(error) => {
                let at = position(source, error.marker().line(), error.marker().col());
                return Err(Fault { at, message: format!("not YAML: {}", error.info()) });
            }
        }
    }
    let empty = Node::new(Position { source, line: 1, column: 1 }, Value::Null);
    Ok((builder.root.unwrap_or(empty), builder.faults))
}

fn position(source: usize, line: usize, column: usize) -> Position {
    Position { source, line: line.max(1), column: column + 1 }
}

/// A list or mapping that is not complete.
enum Open {
    List {
        at: Position,
        anchor: usize,
        items: Vec<Node>,
    },
    Map {
        at: Position,
        anchor: usize,
        members: Vec<(Key, Node)>,
        merged: Vec<Node>,
        key: Option<Key>,
        lines: HashMap<String, usize>,
    },
}

struct Builder {
    source: usize,
    merge: MergeKeys,
    open: Vec<Open>,
    anchors: Vec<(usize, Node)>,
    root: Option<Node>,
    faults: Vec<Fault>,
    nodes: usize,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Fault> {
        let at = position(self.source, span.start.line(), span.start.col());
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = self.scalar(at, text.into_owned(), style, tag.as_deref());
                self.add(Node::new(at, value), anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.check_tag(at, tag.as_deref());
                self.check_depth(at)?;
                self.open.push(Open::List { at, anchor, items: Vec::new() });
                Ok(())
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_tag(at, tag.as_deref());
                self.check_depth(at)?;
                self.open.push(Open::Map {
                    at,
                    anchor,
                    members: Vec::new(),
                    merged: Vec::new(),
                    key: None,
                    lines: HashMap::new(),
                });
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List { at, anchor, items }) => self.add(Node::new(at, Value::List(items)), anchor),
                Some(Open::Map { at, anchor, members, merged, key: _, lines: _ }) => {
                    let members = self.merged(members, merged);
                    self.add(Node::new(at, Value::Map(members)), anchor)
                }
                None => Ok(()),
            },
            Event::Alias(anchor) => {
                let known = self.anchors.iter().rev().find(|(id, _)| *id == anchor);
                let Some(node) = known.map(|(_, node)| node) else {
                    return Err(Fault { at, message: "an alias inside of what it stands for".to_owned() });
                };
                let node = node.clone();
                self.count(node.size, at)?;
                self.add(node, 0)
            }
            Event::DocumentStart(..) if self.root.is_some() => {
                Err(Fault { at, message: "a second document; only one is read".to_owned() })
            }
            // Comments and anchor names are switched off, unknown aliases are errors.
            _ => Ok(()),
        }
    }

    fn scalar(&mut self, at: Position, text: String, style: ScalarStyle, tag: Option<&Tag>) -> Value {
        self.check_tag(at, tag);
        let is_text = |tag: &Tag| tag.core_suffix() == Some("str") || tag.original() == "!";
        let plain = style == ScalarStyle::Plain && !tag.is_some_and(is_text);
        if plain && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL") {
            return Value::Null;
        }
        Value::Scalar { text, style: if plain { Style::Plain } else { Style::Quoted } }
    }

    /// YAML's own tags say what can be seen anyway; others have no meaning.
    fn check_tag(&mut self, at: Position, tag: Option<&Tag>) {
        if let Some(tag) = tag.filter(|tag| tag.core_suffix().is_none() && tag.original() != "!") {
            let message = format!("the tag '{}' means nothing here", shorten(&tag.original()));
            self.faults.push(Fault { at, message });
        }
    }

    fn check_depth(&self, at: Position) -> Result<(), Fault> {
        if self.open.len() >= MAX_DEPTH {
            return Err(Fault { at, message: format!("nested deeper than {MAX_DEPTH} levels") });
        }
        Ok(())
    }

    /// Every node that is made, copies included.
    fn count(&mut self, more: usize, at: Position) -> Result<(), Fault> {
        self.nodes += more;
        if self.nodes > MAX_NODES {
            return Err(Fault {
                at,
                message: format!("more than {MAX_NODES} values with all aliases replaced"),
            });
        }
        Ok(())
    }

    /// A complete node: the next item, key or member of what is open.
    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Fault> {
        self.count(1, node.at)?;
        if anchor != 0 {
            self.count(node.size, node.at)?;
            self.anchors.push((anchor, node.clone()));
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { members, merged, key, lines, .. }) => match key.take() {
                None => {
                    let name = match node.value {
                        Value::Scalar { text, .. } => text,
                        Value::Null => "null".to_owned(),
                        Value::List(_) | Value::Map(_) => {
                            self.faults
                                .push(Fault { at: node.at, message: "a key must be a name".to_owned() });
                            String::new()
                        }
                    };
                    *key = Some(Key { name, at: node.at });
                }
                Some(key) if key.name == "<<" && self.merge == MergeKeys::Applied => merged.push(node),
                Some(key) => match lines.insert(key.name.clone(), key.at.line) {
                    Some(line) => {
                        let name = shorten(&key.name);
                        let message = format!("the key '{name}' appears twice; first in line {line}");
                        self.faults.push(Fault { at: key.at, message });
                    }
                    None => members.push((key, node)),
                },
            },
        }
        Ok(())
    }

    /// Members of merged mappings count where the mapping has none of that name itself; of several
    /// merged mappings the earlier one counts.
    fn merged(&mut self, mut members: Vec<(Key, Node)>, merged: Vec<Node>) -> Vec<(Key, Node)> {
        let mut sources = Vec::new();
        for node in merged {
            match node.value {
                Value::List(items) => sources.extend(items),
                Value::Null | Value::Scalar { .. } | Value::Map(_) => sources.push(node),
            }
        }
        for source in sources {
            match source.value {
                Value::Map(more) => {
                    for (key, node) in more {
                        if !members.iter().any(|(own, _)| own.name == key.name) {
                            members.push((key, node));
                        }
                    }
                }
                Value::Null | Value::Scalar { .. } | Value::List(_) => {
                    let message = "'<<' takes a mapping or a list of mappings".to_owned();
                    self.faults.push(Fault { at: source.at, message });
                }
            }
        }
        members
    }
}
