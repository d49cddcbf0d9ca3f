//! YAML as a tree in which everything knows its place, so that every problem can be told with
//! file, line and column.

use std::collections::HashMap;

use granit_parser::{Event, Marker, Parser, ScalarStyle, Span};
use serde_json::Value;

/// More nodes than any folder of manifests has; aliases could make a small file huge.
const MOST_NODES: usize = 200_000;
/// Deeper than any manifest; a tree is walked by recursion.
const DEEPEST: usize = 64;

/// A place in a file; both count from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A scalar as it is written; what it is, is decided once variables are put in.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scalar {
    pub(super) text: String,
    /// Whether it stands without quotes, and may be a number, a boolean or nothing.
    pub(super) plain: bool,
    /// Whether it was exactly one variable. In quotes, as between { and } it must be, it is still
    /// a number where a number is wanted.
    pub(super) variable: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Key {
    pub(super) place: Place,
    pub(super) text: String,
}

/// A problem at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) place: Place,
    pub(super) message: String,
}

impl Problem {
    pub(super) fn new(place: Place, message: impl Into<String>) -> Self {
        Self { place, message: message.into() }
    }
}

fn place(marker: &Marker) -> Place {
    Place { line: marker.line(), column: marker.col() + 1 }
}

/// The documents of a file. After a problem of syntax nothing more can be read of it.
pub(super) fn parse(text: &str) -> (Vec<Node>, Vec<Problem>) {
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(next) = parser.next_event() {
        let step = match next {
            Ok((event, span)) => builder.event(event, &span),
            Err(error) => Err(syntax(text, &error)),
        };
        if let Err(problem) = step {
            builder.problems.push(problem);
            break;
        }
    }
    (builder.documents, builder.problems)
}

/// A problem of syntax. A variable that stands bare in a flow mapping is the one that people
/// cannot see, because its braces look like their own.
fn syntax(text: &str, error: &granit_parser::ScanError) -> Problem {
    let at = place(error.marker());
    let line = text.lines().nth(at.line.saturating_sub(1)).unwrap_or_default();
    let hint = if line.contains("${") {
        "; between { and } a variable needs quotes: \"${NAME}\""
    } else {
        ""
    };
    Problem::new(at, format!("not valid YAML: {}{hint}", error.kind()))
}

#[derive(Default)]
struct Builder {
    documents: Vec<Node>,
    problems: Vec<Problem>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

/// A list or map that is being read.
struct Open {
    node: Node,
    anchor: usize,
    key: Option<Key>,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, span: &Span) -> Result<(), Problem> {
        let at = place(&span.start);
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let plain = style == ScalarStyle::Plain;
                let scalar = Scalar { text: text.into_owned(), plain, variable: false };
                self.add(Node { place: at, kind: Kind::Scalar(scalar) }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => self.begin(at, Kind::List(Vec::new()), anchor),
            Event::MappingStart(_, anchor, _) => self.begin(at, Kind::Map(Vec::new()), anchor),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(open) => self.add(open.node, open.anchor),
                None => Ok(()),
            },
            Event::Alias(anchor) => {
                let known = self.anchors.get(&anchor).cloned();
                let known = known.ok_or_else(|| Problem::new(at, "the alias names no anchor"))?;
                self.nodes += count(&known);
                self.add(Node { place: at, kind: known.kind }, 0)
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, at: Place, kind: Kind, anchor: usize) -> Result<(), Problem> {
        if self.open.len() >= DEEPEST {
            return Err(Problem::new(at, format!("more than {DEEPEST} levels")));
        }
        self.open.push(Open { node: Node { place: at, kind }, anchor, key: None });
        Ok(())
    }

    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Problem> {
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            return Err(Problem::new(
                node.place,
                format!("more than {MOST_NODES} values in a file"),
            ));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        match &mut open.node.kind {
            Kind::List(items) => items.push(node),
            Kind::Map(entries) => match open.key.take() {
                Some(key) => {
                    if let Some((first, _)) =
                        entries.iter().find(|(known, _)| known.text == key.text)
                    {
                        let message = format!(
                            "key {} stands twice, first in line {}: remove one",
                            key.text, first.place.line
                        );
                        self.problems.push(Problem::new(key.place, message));
                    }
                    entries.push((key, node));
                }
                None => match node.kind {
                    Kind::Scalar(scalar) => {
                        open.key = Some(Key { place: node.place, text: scalar.text });
                    }
                    Kind::List(_) | Kind::Map(_) => {
                        return Err(Problem::new(node.place, "a key must be text"));
                    }
                },
            },
            Kind::Scalar(_) => {}
        }
        Ok(())
    }
}

fn count(node: &Node) -> usize {
    match &node.kind {
        Kind::Scalar(_) => 1,
        Kind::List(items) => 1 + items.iter().map(count).sum::<usize>(),
        Kind::Map(entries) => 1 + entries.iter().map(|(_, node)| count(node)).sum::<usize>(),
    }
}

impl Node {
    /// The value of a field of a map.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match &self.kind {
            Kind::Map(entries) => {
                entries.iter().find(|(known, _)| known.text == key).map(|(_, node)| node)
            }
            Kind::Scalar(_) | Kind::List(_) => None,
        }
    }

    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(&scalar.text),
            Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// Whether nothing is written: an empty document, `key:` or `~`.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(scalar) if scalar.value().is_null())
    }

    /// The tree as a JSON value.
    pub(super) fn value(&self) -> Value {
        match &self.kind {
            Kind::Scalar(scalar) => scalar.value(),
            Kind::List(items) => items.iter().map(Self::value).collect(),
            Kind::Map(entries) => {
                Value::Object(entries.iter().map(|(k, v)| (k.text.clone(), v.value())).collect())
            }
        }
    }

    /// The place of a field such as `spec.rules[0].match[1].path`, or of the nearest thing around
    /// it that is written.
    pub(super) fn locate(&self, field: &str) -> Place {
        let mut node = self;
        let mut at = self.place;
        for step in field.split(['.', '[']).filter(|step| !step.is_empty()) {
            let next = match (&node.kind, step.strip_suffix(']')) {
                (Kind::List(items), Some(index)) => {
                    index.parse::<usize>().ok().and_then(|index| items.get(index))
                }
                (Kind::Map(entries), None) => {
                    entries.iter().find(|(key, _)| key.text == step).map(|(_, value)| value)
                }
                _ => None,
            };
            let Some(next) = next else { break };
            node = next;
            at = node.place;
        }
        at
    }
}

impl Scalar {
    /// What the scalar is (YAML 1.2 core schema).
    pub(super) fn value(&self) -> Value {
        if !self.plain {
            return Value::String(self.text.clone());
        }
        match self.text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => Value::Null,
            "true" | "True" | "TRUE" => Value::Bool(true),
            "false" | "False" | "FALSE" => Value::Bool(false),
            text => number(text).unwrap_or_else(|| Value::String(text.to_owned())),
        }
    }
}

fn number(text: &str) -> Option<Value> {
    let digits = text.trim_start_matches(['-', '+']);
    if !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    if let Some(hex) = text.strip_prefix("0x") {
        return i64::from_str_radix(hex, 16).ok().map(Value::from);
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Some(Value::from(whole));
    }
    text.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Value::Number)
}
