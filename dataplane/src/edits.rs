//! What a policy changes of header fields, for one request.

use fairway_snapshot::normalize::Refusal;
use fairway_snapshot::{
    Captures, Filter, HeaderEdits, JudgedVersion, Route, ValueSource, ValueTemplate, Variable,
};
use http::HeaderValue;

use crate::context::RequestContext;
use crate::fields::Fields;

/// The values that were put together for one request, each list in the order of its templates.
#[derive(Default)]
pub(crate) struct MadeValues {
    pub(crate) request: Box<[HeaderValue]>,
    pub(crate) response: Box<[HeaderValue]>,
}

/// What of a route depends on the request, taken while the table is at hand.
pub(crate) struct Taken {
    /// The path that goes on, when it differs from the one that came, or why there is none.
    pub(crate) path: Result<Option<String>, Refusal>,
    pub(crate) made: Option<Box<MadeValues>>,
    /// What becomes of it by its version; nothing where the rule knows none.
    pub(crate) version: JudgedVersion,
}

/// One request, as values speak of it.
pub(crate) struct Request<'a> {
    pub(crate) context: &'a RequestContext,
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
}

impl ValueSource for Request<'_> {
    fn variable(&self, variable: Variable, out: &mut String) {
        match variable {
            Variable::RequestId => out.push_str(self.context.id.as_str()),
            Variable::RequestMethod => out.push_str(self.context.method().as_str()),
            Variable::RequestHost => out.push_str(self.host),
            Variable::RequestPath => out.push_str(self.path),
            Variable::ClientAddress => {
                out.push_str(&self.context.client().to_string());
            }
        }
    }
}

/// Puts the values together that a route makes for each request; `None` where it makes none.
pub(crate) fn made(route: &Route, request: &Request<'_>) -> Option<Box<MadeValues>> {
    let mut made: Option<Box<MadeValues>> = None;
    let mut captures: Option<Captures> = None;
    for filter in &route.rule.filters {
        let (edits, of_request) = match filter {
            Filter::RequestHeaders(edits) => (edits, true),
            Filter::ResponseHeaders(edits) => (edits, false),
            Filter::RewritePath(_) | Filter::RewriteHost(_) | Filter::Versions(_) => continue,
        };
        if edits.made().next().is_none() {
            continue;
        }
        let captures =
            captures.get_or_insert_with(|| route.path.captures(request.path).unwrap_or_default());
        let value =
            |template: &ValueTemplate| template.value(request.path, Some(captures), request);
        let values = edits.made().map(value).collect();
        let made = made.get_or_insert_default();
        if of_request {
            made.request = values;
        } else {
            made.response = values;
        }
    }
    made
}

/// Changes header fields.
pub(crate) fn apply(edits: &HeaderEdits, made: &[HeaderValue], headers: &mut Fields) {
    let mut made = made.iter();
    let mut value = |template: &'_ ValueTemplate| match template {
        ValueTemplate::Fixed(value) => Some(value.clone()),
        ValueTemplate::Made { .. } => made.next().cloned(),
    };
    for field in &edits.set {
        if let Some(value) = value(&field.value) {
            headers.set(&field.name, value.as_bytes());
        }
    }
    for field in &edits.add {
        if let Some(value) = value(&field.value) {
            headers.add(&field.name, value.as_bytes());
        }
    }
    for name in &edits.remove {
        headers.remove(name);
    }
}
