//! A request for a route: one that the route takes, as long as any request gets to it.
//!
//! It begins with what the route asks for, and where a stronger route takes that request, it is
//! changed in something that the stronger one asks for and this one does not mind.

#[cfg(test)]
mod tests;
mod texts;

use std::collections::VecDeque;

use http::Method;

use crate::normalize::{is_unreserved, normalize_path, push_encoded};
use crate::path::Segment;
use crate::table::{Find, ListenerTable};
use crate::why::{Question, WhyRequest, host_of};
use crate::{
    Conditions, HostPattern, MethodMatch, Normalization, PathMatch, PathPattern, Route, Snapshot,
    ValueMatch,
};

/// How many requests are tried for one route: more than any route needs that people write, and few
/// enough for one that no request gets to.
const TRIED: usize = 256;
/// Paths that are tried for one route.
const PATHS: usize = 24;
/// Words that stand where anything may stand, the nicest to read first.
const WORDS: [&str; 3] = ["x", "sample", "sample-1"];
/// Methods that are tried where every method is taken; the last is one that nobody names.
const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "SAMPLE"];

/// A request that `route` takes: it stands under `host` on the listener of `table`, which was built
/// from `snapshot`. Where every request that was tried is taken by others, one that asks for all
/// that the route wants; `None` when there is none, as where a header has to be there and not.
#[must_use]
pub fn sample(
    snapshot: &Snapshot,
    table: &ListenerTable<()>,
    host: &HostPattern,
    route: &Route,
) -> Option<WhyRequest> {
    let choices = Choices::of(host, route)?;
    let first = Draft::first(&choices);
    let mut seen = vec![first.clone()];
    let mut waiting = VecDeque::from([first]);
    let mut second_best = None;
    while let Some(draft) = waiting.pop_front() {
        let request = draft.request(&choices, table.name.as_str());
        let met = request.put(snapshot, |question| meet(table, question, route)).ok();
        let Some(met) = met else { continue };
        match met {
            Met::Route => return Some(request),
            Met::Nothing => {}
            Met::Other { asked_for, winner } => {
                for next in draft.neighbours(&choices, winner) {
                    if seen.len() < TRIED && !seen.contains(&next) {
                        seen.push(next.clone());
                        waiting.push_back(next);
                    }
                }
                if asked_for && second_best.is_none() {
                    second_best = Some(request);
                }
            }
        }
    }
    second_best
}

/// Where a request gets.
enum Met<'t> {
    /// To the route.
    Route,
    /// To another one, or to none because a more specific host knows the path.
    Other {
        /// Whether the route asks for it all the same.
        asked_for: bool,
        winner: Option<&'t Route>,
    },
    /// Its path is refused.
    Nothing,
}

fn meet<'t>(table: &'t ListenerTable<()>, question: &Question<'_>, route: &Route) -> Met<'t> {
    let Ok(path) = normalize_path(question.path, &table.normalization) else {
        return Met::Nothing;
    };
    let host = host_of(question.authority);
    let winner = match table.find(&question.request(&host, &path)) {
        Find::Match(found) if std::ptr::eq(found.route, route) => return Met::Route,
        Find::Match(found) => Some(found.route),
        Find::MethodNotAllowed { .. } | Find::Options { .. } | Find::NotFound => None,
    };
    let test = route.test(question.method, Some(question.headers), question.query);
    Met::Other { asked_for: route.path.matches(&path) && test.is_ok(), winner }
}

/// Texts that an expression matches, for tests of expressions.
#[cfg(test)]
pub(crate) fn texts_of(expression: &str) -> Vec<String> {
    texts::matching(expression, |_| true)
}

/// Where a condition looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Header,
    Query,
}

/// What a route leaves to choose, for each part of a request; the first of each is the nicest.
struct Choices {
    hosts: Vec<String>,
    paths: Vec<String>,
    methods: Vec<Method>,
    /// For each condition that wants something its place, name and values.
    wanted: Vec<(Place, String, Vec<String>)>,
    /// What must not be there.
    absent: Vec<(Place, String)>,
}

impl Choices {
    /// `None` when there is nothing to choose for something.
    fn of(host: &HostPattern, route: &Route) -> Option<Self> {
        let paths = match &route.path {
            PathMatch::Pattern(pattern) => paths(pattern),
            PathMatch::Regex { regex } => texts::matching(regex.as_str(), |text| {
                // What is not normal comes to the table as something else.
                let normal = normalize_path(text, &Normalization::default());
                let sent = !text.contains(['?', '#']);
                sent && normal.is_ok_and(|normal| normal == text) && regex.matches(text)
            }),
        };
        let methods = match &route.methods {
            MethodMatch::Any | MethodMatch::Guarded => {
                METHODS.iter().filter_map(|name| name.parse().ok()).collect()
            }
            MethodMatch::Only(set) => {
                let mut methods: Vec<Method> = set.sorted().into_iter().cloned().collect();
                methods.sort_by_key(|method| *method != Method::GET);
                methods
            }
        };
        let mut choices =
            Self { hosts: hosts(host), paths, methods, wanted: Vec::new(), absent: Vec::new() };
        for (place, name, value) in conditions(route.conditions.as_deref()) {
            match values(value, place) {
                Some(values) => choices.wanted.push((place, name.to_owned(), values)),
                None => choices.absent.push((place, name.to_owned())),
            }
        }
        choices.wanted.extend(version(route).map(|(name, values)| (Place::Header, name, values)));
        let empty = choices.paths.is_empty()
            || choices.methods.is_empty()
            || choices.wanted.iter().any(|(_, _, values)| values.is_empty());
        (!empty).then_some(choices)
    }

    /// Whether a condition of the route speaks of this.
    fn names(&self, place: Place, name: &str) -> bool {
        let wanted = self.wanted.iter().any(|(at, known, _)| *at == place && known == name);
        wanted || self.absent.iter().any(|(at, known)| *at == place && known == name)
    }
}

/// Where a route that knows versions of an API finds one, and those that it takes, the default
/// first.
fn version(route: &Route) -> Option<(String, Vec<String>)> {
    let versions = route.rule.versions()?;
    let taken = route.conditions.as_ref().and_then(|conditions| conditions.version.as_ref());
    let mut names: Vec<String> = match taken {
        Some(one) => vec![one.name().to_owned()],
        None => versions.known.iter().map(|version| version.name.to_string()).collect(),
    };
    let default = versions.default.map(|index| versions.name(index));
    names.sort_by_key(|name| Some(name.as_str()) != default);
    Some(match (&versions.header, &versions.media_type) {
        (Some(header), _) => (header.to_string(), names),
        (None, Some(parameter)) => {
            let ranges = names.into_iter().map(|name| format!("*/*;{parameter}={name}"));
            ("accept".to_owned(), ranges.collect())
        }
        (None, None) => return None,
    })
}

fn conditions(conditions: Option<&Conditions>) -> impl Iterator<Item = (Place, &str, &ValueMatch)> {
    conditions.into_iter().flat_map(|conditions| {
        let headers = conditions.headers.iter();
        let headers = headers.map(|one| (Place::Header, one.name.as_str(), &one.value));
        headers.chain(conditions.query.iter().map(|one| (Place::Query, &*one.name, &one.value)))
    })
}

/// Hosts that a pattern takes; a request to no host is an empty one.
fn hosts(pattern: &HostPattern) -> Vec<String> {
    let below = |suffix: &str| WORDS.map(|word| format!("{word}{suffix}")).to_vec();
    match pattern {
        HostPattern::Exact(name) => vec![name.to_string()],
        HostPattern::Wildcard(suffix) => below(suffix),
        HostPattern::Any => [vec![String::new()], below(".example")].concat(),
    }
}

/// Paths that a pattern takes: each capture is its name first, as people would read it.
fn paths(pattern: &PathPattern) -> Vec<String> {
    let rests: &[&str] =
        if pattern.has_rest() { &["/x", "", "/", "/x/sample", "/sample-1"] } else { &[""] };
    let words = [None, Some(WORDS[0]), Some(WORDS[2])];
    let mut paths = Vec::new();
    for rest in rests {
        for word in words {
            let mut path = String::new();
            for segment in pattern.segments() {
                path.push('/');
                path.push_str(match segment {
                    Segment::Literal(literal) => literal,
                    Segment::Capture(name) => word.unwrap_or(name),
                });
            }
            path.push_str(rest);
            if path.is_empty() {
                path.push('/');
            }
            if !paths.contains(&path) && paths.len() < PATHS {
                paths.push(path);
            }
        }
    }
    paths
}

/// Values that are as wanted; `None` when there must be no value.
fn values(wanted: &ValueMatch, place: Place) -> Option<Vec<String>> {
    match wanted {
        ValueMatch::Exact(value) => Some(vec![value.to_string()]),
        ValueMatch::Present(true) => Some(WORDS.map(str::to_owned).to_vec()),
        ValueMatch::Present(false) => None,
        ValueMatch::Pattern(pattern) => Some(texts::matching(pattern.as_str(), |text| {
            let visible = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
            let sent = place == Place::Query || (visible && text.trim() == text);
            sent && pattern.matches(text.as_bytes())
        })),
    }
}

/// A request, by what was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Draft {
    host: usize,
    path: usize,
    method: usize,
    /// For each wanted value which one it is.
    values: Vec<usize>,
    /// What is there only because a stronger route does not want it.
    extra: Vec<(Place, String)>,
}

impl Draft {
    fn first(choices: &Choices) -> Self {
        let values = vec![0; choices.wanted.len()];
        Self { host: 0, path: 0, method: 0, values, extra: Vec::new() }
    }

    /// Requests that differ from this one in one thing, so that `winner` may no longer take it.
    fn neighbours(&self, choices: &Choices, winner: Option<&Route>) -> Vec<Self> {
        let mut all = Vec::new();
        for (index, method) in choices.methods.iter().enumerate() {
            if winner.is_some_and(|winner| !winner.methods.matches(method)) {
                all.push(Self { method: index, ..self.clone() });
            }
        }
        let asked = winner.and_then(|winner| winner.conditions.as_deref());
        for (place, name, _) in conditions(asked) {
            self.otherwise(choices, place, name, &mut all);
        }
        if let Some((name, _)) = winner.and_then(version) {
            self.otherwise(choices, Place::Header, &name, &mut all);
        }
        for (index, path) in choices.paths.iter().enumerate() {
            if winner.is_none_or(|winner| !winner.path.matches(path)) {
                all.push(Self { path: index, ..self.clone() });
            }
        }
        all.extend((0..choices.hosts.len()).map(|host| Self { host, ..self.clone() }));
        all
    }

    /// The same with another value for a name, or with one that nobody asked for.
    fn otherwise(&self, choices: &Choices, place: Place, name: &str, all: &mut Vec<Self>) {
        for (index, (at, known, values)) in choices.wanted.iter().enumerate() {
            if *at == place && known == name {
                for value in 0..values.len() {
                    let mut next = self.clone();
                    next.values[index] = value;
                    all.push(next);
                }
            }
        }
        if !choices.names(place, name)
            && !self.extra.iter().any(|(at, n)| *at == place && n == name)
        {
            let mut next = self.clone();
            next.extra.push((place, name.to_owned()));
            all.push(next);
        }
    }

    fn request(&self, choices: &Choices, listener: &str) -> WhyRequest {
        let wanted = choices.wanted.iter().zip(&self.values);
        let wanted = wanted.map(|((place, name, values), at)| (*place, name, values[*at].as_str()));
        let extra = self.extra.iter().map(|(place, name)| (*place, name, WORDS[1]));
        let (mut headers, mut query) = (Vec::new(), Vec::new());
        for (place, name, value) in wanted.chain(extra) {
            match place {
                Place::Header => headers.push(format!("{name}: {value}")),
                Place::Query => query.push(format!("{}={}", encoded(name), encoded(value))),
            }
        }
        let host = &choices.hosts[self.host];
        let mut url = if host.is_empty() { String::new() } else { format!("http://{host}") };
        url.push_str(&choices.paths[self.path]);
        if !query.is_empty() {
            url.push('?');
            url.push_str(&query.join("&"));
        }
        WhyRequest {
            method: choices.methods[self.method].to_string(),
            url,
            headers,
            listener: Some(listener.to_owned()),
            expect: None,
        }
    }
}

/// A part of a query as it stands in a URL.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_unreserved(byte) {
            out.push(char::from(byte));
        } else {
            push_encoded(&mut out, byte);
        }
    }
    out
}
