//! Small worlds of routes and requests, made of the bytes that the fuzzer gives.

mod asked;
mod words;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use arbitrary::Arbitrary;
use fairway_snapshot::normalize::{EmptySegments, Normalization};
use fairway_snapshot::{
    Action, Conditions, Filter, HeaderCondition, Host, HostPattern, Listener, ListenerName,
    MethodMatch, ObjectId, PathMatch, PathTemplate, Precedence, Protocol, QueryCondition, Route,
    Rule, RuleId, Semantics, Snapshot, ValueMatch, WrongMethod,
};
use http::Method;

use asked::WrittenRequest;
pub(crate) use asked::{Asked, FIELDS, NAMES};
use words::{OneMethod, WrittenHost, WrittenPath};

/// More of either make no difference.
const MOST_ROUTES: usize = 16;
const MOST_REQUESTS: usize = 16;

/// Routes, and requests for them.
#[derive(Arbitrary, Clone, Debug)]
pub struct World<'a> {
    keeps_empty_segments: bool,
    routes: Vec<WrittenRoute<'a>>,
    requests: Vec<WrittenRequest<'a>>,
}

/// A route as it is written.
#[derive(Arbitrary, Clone, Debug)]
struct WrittenRoute<'a> {
    host: WrittenHost<'a>,
    path: WrittenPath<'a>,
    template: Option<&'a str>,
    methods: Methods,
    conditions: Vec<Condition>,
    unreadable_headers: bool,
    created: bool,
    object: ObjectName,
    not_found: bool,
    leaves_options: bool,
    /// It is one more match of the rule before.
    same_rule: bool,
}

#[derive(Arbitrary, Clone, Debug)]
enum Methods {
    Any,
    Only(Vec<OneMethod>),
    Guarded,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
struct Condition {
    query: bool,
    second: bool,
    wanted: Wanted,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Wanted {
    One,
    Blank,
    Digit,
    There,
    Missing,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum ObjectName {
    A,
    B,
    /// Of a namespace whose name begins as the other does.
    Hyphen,
}

/// The name of the only listener.
pub(crate) fn listener() -> ListenerName {
    ListenerName::from("http")
}

impl World<'_> {
    fn normalization(&self) -> Normalization {
        let keep = self.keeps_empty_segments;
        let empty_segments = if keep { EmptySegments::Keep } else { EmptySegments::Merge };
        Normalization { empty_segments, ..Normalization::default() }
    }

    /// The routes that can be read, each with its host.
    pub(crate) fn routes(&self) -> Vec<(HostPattern, Route)> {
        let mut routes: Vec<(HostPattern, Route)> = Vec::new();
        for written in self.routes.iter().take(MOST_ROUTES) {
            let Some(host) = written.host.pattern() else { continue };
            let Some(path) = written.path.parsed() else { continue };
            // A template is made for the captures of one path.
            let before = routes.last().filter(|(_, before)| before.rule.filters.is_empty());
            let (rule, match_index) = match before.filter(|_| written.same_rule) {
                Some((_, before)) => (Arc::clone(&before.rule), before.match_index + 1),
                None => (Arc::new(written.rule(routes.len(), &path)), 0),
            };
            let conditions = written.conditions();
            let conditions = (!conditions.is_empty()).then(|| Arc::new(conditions));
            let methods = written.methods();
            routes.push((host, Route { path, methods, conditions, match_index, rule }));
        }
        routes
    }

    /// The requests that can be made.
    pub(crate) fn requests(&self, routes: &[(HostPattern, Route)]) -> Vec<Asked> {
        let normalization = self.normalization();
        let written = self.requests.iter().take(MOST_REQUESTS);
        written.filter_map(|request| request.asked(routes, &normalization)).collect()
    }

    /// The snapshot of these routes. A host that is as in `before` is the same value.
    pub(crate) fn snapshot(
        &self,
        routes: &[(HostPattern, Route)],
        before: Option<&Snapshot>,
    ) -> Snapshot {
        let mut by_host: BTreeMap<&HostPattern, Vec<Route>> = BTreeMap::new();
        for (host, route) in routes {
            by_host.entry(host).or_default().push(route.clone());
        }
        let listeners = before.into_iter().flat_map(|before| before.listeners.values());
        let known: Vec<&Arc<Host>> = listeners.flat_map(|listener| &listener.hosts).collect();
        let hosts = by_host.into_iter().map(|(pattern, mut routes)| {
            routes.sort_by(|a, b| Precedence::of(pattern, a).cmp(&Precedence::of(pattern, b)));
            let host = Host { pattern: pattern.clone(), routes: routes.into() };
            match known.iter().find(|known| known.as_ref() == &host) {
                Some(known) => Arc::clone(known),
                None => Arc::new(host),
            }
        });
        let made = Listener {
            bind: SocketAddr::from(([127, 0, 0, 1], 0)),
            protocol: Protocol::Http,
            proxy_protocol: false,
            normalization: self.normalization(),
            certificates: BTreeMap::new(),
            hosts: hosts.collect(),
        };
        Snapshot { listeners: [(listener(), made)].into(), ..Snapshot::default() }
    }
}

impl WrittenRoute<'_> {
    fn rule(&self, number: usize, path: &PathMatch) -> Rule {
        let object = match self.object {
            ObjectName::A => ObjectId::new("ns", "a"),
            ObjectName::B => ObjectId::new("ns", "b"),
            ObjectName::Hyphen => ObjectId::new("ns-1", "a"),
        };
        let template = self.template.and_then(|text| PathTemplate::parse(text, path).ok());
        let wrong_method =
            if self.not_found { WrongMethod::NotFound } else { WrongMethod::MethodNotAllowed };
        Rule {
            id: RuleId {
                object: Arc::new(object),
                index: u16::try_from(number).unwrap_or_default(),
                name: format!("rule-{number}").into(),
            },
            created: i64::from(self.created),
            to_https: None,
            semantics: Semantics { wrong_method, answer_options: !self.leaves_options },
            filters: template.map(Filter::RewritePath).into_iter().collect(),
            policy: Arc::default(),
            action: Action::Forward(Vec::new()),
        }
    }

    fn methods(&self) -> MethodMatch {
        match &self.methods {
            Methods::Any => MethodMatch::Any,
            Methods::Guarded => MethodMatch::Guarded,
            Methods::Only(these) => {
                let all: Vec<Method> = these.iter().map(|one| one.method()).collect();
                MethodMatch::Only(all.iter().collect())
            }
        }
    }

    fn conditions(&self) -> Conditions {
        let mut headers = Vec::new();
        let mut query = Vec::new();
        for condition in self.conditions.iter().take(4) {
            let index = usize::from(condition.second);
            let value = condition.wanted.value();
            if condition.query {
                query.push(QueryCondition { name: NAMES[index].into(), value });
            } else {
                headers.push(HeaderCondition { name: FIELDS[index].clone(), value });
            }
        }
        let unreadable_headers = usize::from(self.unreadable_headers);
        Conditions {
            headers: headers.into(),
            query: query.into(),
            version: None,
            unreadable_headers,
        }
    }
}

impl Wanted {
    fn value(self) -> ValueMatch {
        match self {
            Self::One => ValueMatch::Exact("1".into()),
            Self::Blank => ValueMatch::Exact("a b".into()),
            Self::Digit => ValueMatch::Pattern("[0-9]".parse().expect("it is a pattern")),
            Self::There => ValueMatch::Present(true),
            Self::Missing => ValueMatch::Present(false),
        }
    }
}
