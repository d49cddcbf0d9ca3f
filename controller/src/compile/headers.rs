//! Changes to header fields: user text, parsed once for each match, for values may use what it
//! captures.

use std::collections::BTreeMap;
use std::sync::Arc;

use fairway_crds::{HeaderEdits as Written, names};
use fairway_snapshot::{FieldTemplate, Filter, HeaderEdits, PathMatch, ValueTemplate};
use http::HeaderName;
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};

use super::policies::Layer;

/// Fields that belong to the connection or to the framing of a message, which are ours.
pub(super) const OURS: [HeaderName; 6] =
    [CONNECTION, CONTENT_LENGTH, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// A list of one of the layers, and where it stands.
struct Given<'l, T> {
    list: &'l T,
    field: String,
}

/// The filters that the layers ask for, the strongest list of each kind. What is wrong is told to
/// `problem` with its field.
pub(super) fn filters(
    layers: &[Layer<'_>],
    path: &PathMatch,
    problem: &mut dyn FnMut(String, String),
) -> Vec<Filter> {
    let mut filters = Vec::new();
    let request = edits(layers, "request", path, problem);
    if !request.is_empty() {
        filters.push(Filter::RequestHeaders(Arc::new(request)));
    }
    let response = edits(layers, "response", path, problem);
    if !response.is_empty() {
        filters.push(Filter::ResponseHeaders(Arc::new(response)));
    }
    filters
}

fn edits(
    layers: &[Layer<'_>],
    whose: &'static str,
    path: &PathMatch,
    problem: &mut dyn FnMut(String, String),
) -> HeaderEdits {
    let set =
        strongest(layers, whose, "set", |edits| Some(&edits.set).filter(|map| !map.is_empty()));
    let add =
        strongest(layers, whose, "add", |edits| Some(&edits.add).filter(|map| !map.is_empty()));
    let remove = strongest(layers, whose, "remove", |edits| {
        Some(&edits.remove).filter(|list| !list.is_empty())
    });
    let mut fields = |given: Option<Given<'_, BTreeMap<String, String>>>| {
        given.map_or_else(Vec::new, |given| templates(&given, whose, path, problem))
    };
    let (set, add) = (fields(set), fields(add));
    let remove = remove.map_or_else(Vec::new, |given| names_of(&given, whose, problem));
    HeaderEdits { set: set.into(), add: add.into(), remove: remove.into() }
}

/// A list of the most specific place that has one.
fn strongest<'l, T>(
    layers: &'l [Layer<'_>],
    whose: &str,
    kind: &str,
    list: impl Fn(&'l Written) -> Option<&'l T>,
) -> Option<Given<'l, T>> {
    layers.iter().rev().find_map(|layer| {
        let headers = layer.policy?.headers.as_ref()?;
        let edits = if whose == "request" { &headers.request } else { &headers.response };
        let field = format!("{}.headers.{whose}.{kind}", layer.field);
        Some(Given { list: list(edits.as_ref()?)?, field })
    })
}

fn templates(
    given: &Given<'_, BTreeMap<String, String>>,
    whose: &str,
    path: &PathMatch,
    problem: &mut dyn FnMut(String, String),
) -> Vec<FieldTemplate> {
    let mut fields = Vec::with_capacity(given.list.len());
    for (name, value) in given.list {
        let field = format!("{}.{name}", given.field);
        let name = match field_name(name, whose) {
            Ok(name) => name,
            Err(message) => {
                problem(field, message);
                continue;
            }
        };
        match ValueTemplate::parse(value, path) {
            Ok(value) => fields.push(FieldTemplate { name, value }),
            Err(error) => problem(field, error.to_string()),
        }
    }
    fields
}

fn names_of(
    given: &Given<'_, Vec<String>>,
    whose: &str,
    problem: &mut dyn FnMut(String, String),
) -> Vec<HeaderName> {
    let mut names = Vec::with_capacity(given.list.len());
    for (index, name) in given.list.iter().enumerate() {
        match field_name(name, whose) {
            Ok(name) => names.push(name),
            Err(message) => problem(format!("{}[{index}]", given.field), message),
        }
    }
    names
}

/// A field that a policy may change.
fn field_name(text: &str, whose: &str) -> Result<HeaderName, String> {
    let name = HeaderName::from_bytes(text.as_bytes())
        .map_err(|_| format!("{text:?}: {}", names::HEADER_NAME))?;
    match refused_name(&name, whose) {
        Some(message) => Err(message),
        None => Ok(name),
    }
}

/// Why a policy may not change a field.
pub(super) fn refused_name(name: &HeaderName, whose: &str) -> Option<String> {
    if OURS.contains(name) || name == EXPECT {
        return Some(format!("{name} {}", names::HEADER_OF_OURS));
    }
    (name == HOST && whose == "request").then(|| names::HOST_IS_REWRITTEN.to_owned())
}
