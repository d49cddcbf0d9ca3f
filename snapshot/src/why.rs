//! Why a request gets where it gets: the lookup itself, with a witness that writes down what was
//! tested, and in words what decided.

mod ask;
mod expect;
mod view;

use std::borrow::Cow;

use http::Method;

use crate::answer::split;
use crate::dump::route_view;
use crate::normalize::normalize_path;
use crate::redaction::{REDACTED, Redaction};
use crate::table::{Find, ListenerTable, Mismatch, RouteRequest, Witness};
use crate::{
    Action, Conditions, Filter, HeaderFields, HostPattern, ListenerName, MethodMatch, MethodSet,
    Mode, Precedence, RedirectedRequest, Route, Rule, Scheme, Snapshot, ValueMatch,
};
pub use ask::{Asking, WhyRequest};
pub use view::{Asked, CandidateView, ExpectedView, OutcomeView, Verdict, WhyView};

/// A request, as somebody asks about it.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// The listener that it comes to.
    pub listener: &'a ListenerName,
    /// How the client came.
    pub scheme: Scheme,
    /// The method.
    pub method: &'a Method,
    /// `Host` as it would stand in the request, with a port when it has one.
    pub authority: &'a str,
    /// The path as it would be sent.
    pub path: &'a str,
    /// The query, without its question mark.
    pub query: Option<&'a str>,
    /// The header fields beside `Host`.
    pub headers: &'a dyn HeaderFields,
    /// The method that a CORS preflight asks for.
    pub preflight: Option<&'a Method>,
    /// The rule that should win, as `namespace/name` or `namespace/name/rule`.
    pub expect: Option<&'a str>,
}

/// A route that knows the path, and what became of it.
struct Candidate<'t> {
    host: &'t HostPattern,
    route: &'t Route,
    test: Result<(), Mismatch>,
    /// Whether the method was the one that a preflight asks for.
    preflight: bool,
    /// A more specific host had decided before.
    shadowed: bool,
}

/// A request of which not everything is told.
struct Told<'r> {
    request: &'r RouteRequest<'r>,
    redaction: &'r Redaction,
}

/// Writes down what a lookup tests.
#[derive(Default)]
struct Record<'t> {
    host: Option<(&'t HostPattern, bool)>,
    preflight: bool,
    candidates: Vec<Candidate<'t>>,
}

impl<'t> Witness<'t> for Record<'t> {
    const SEES_ALL: bool = true;

    fn host(&mut self, host: &'t HostPattern, decided: bool) {
        self.host = Some((host, decided));
        self.preflight = false;
    }

    fn preflight(&mut self) {
        // The host is searched once more, with the method that is asked for.
        let Some((host, _)) = self.host else { return };
        self.preflight = true;
        self.candidates.retain(|candidate| candidate.host != host);
    }

    fn tested(&mut self, route: &'t Route, test: Result<(), Mismatch>) {
        let Some((host, shadowed)) = self.host else { return };
        let preflight = self.preflight;
        self.candidates.push(Candidate { host, route, test, preflight, shadowed });
    }
}

/// Answers a question about a snapshot; `None` when it has no such listener. Values of the request that
/// are secret are not repeated.
#[must_use]
pub fn why(snapshot: &Snapshot, question: &Question<'_>, redaction: &Redaction) -> Option<WhyView> {
    let listener = snapshot.listeners.get(question.listener)?;
    let table = ListenerTable::build(question.listener, listener, None, &mut |_| ());
    let host = host_of(question.authority);
    let mut asked = Asked {
        listener: question.listener.to_string(),
        method: question.method.to_string(),
        host: host.clone(),
        path: redaction.redact_path(question.path).into_owned(),
        query: question.query.map(|query| redaction.redact_query(query).into_owned()),
    };
    let path = match normalize_path(question.path, &table.normalization) {
        Ok(path) => path,
        Err(refusal) => {
            let outcome = OutcomeView::refused(400, refusal.advice());
            let expected = question.expect.map(|wanted| ExpectedView {
                rule: wanted.to_owned(),
                wins: false,
                reason: format!("the path is refused: {}", refusal.advice()),
            });
            return Some(WhyView { asked, outcome, candidates: Vec::new(), expected, tests: None });
        }
    };
    asked.path = redaction.redact_path(&path).into_owned();
    let request = question.request(&host, &path);
    let mut record = Record::default();
    let found = table.find_with(&request, &mut record);
    let winner = match &found {
        Find::Match(found) => Some((found.host, found.route)),
        _ => None,
    };
    let told = Told { request: &request, redaction };
    let tell = |candidate| candidate_view(candidate, winner, &record.candidates, &told);
    let candidates: Vec<CandidateView> = record.candidates.iter().map(tell).collect();
    let expected = question
        .expect
        .map(|wanted| expect::expected(wanted, snapshot, question.listener, &asked, &candidates));
    let mut outcome = outcome(&found, question, &path);
    for url in [&mut outcome.path, &mut outcome.location].into_iter().flatten() {
        *url = redaction.redact_url(url);
    }
    Some(WhyView { asked, outcome, candidates, expected, tests: None })
}

impl Question<'_> {
    /// The request as the table compares it.
    pub(crate) fn request<'r>(&'r self, host: &'r str, path: &'r str) -> RouteRequest<'r> {
        RouteRequest {
            host,
            path,
            method: self.method,
            headers: self.headers,
            query: self.query,
            preflight: self.preflight,
        }
    }

    fn redirected<'r>(&'r self, path: &'r str) -> RedirectedRequest<'r> {
        let Self { scheme, authority, query, .. } = *self;
        RedirectedRequest { scheme, authority, path, query }
    }

    /// What becomes of the request, without why: for whoever asks much.
    pub(crate) fn outcome(&self, table: &ListenerTable<()>) -> OutcomeView {
        match normalize_path(self.path, &table.normalization) {
            Ok(path) => {
                let host = host_of(self.authority);
                outcome(&table.find(&self.request(&host, &path)), self, &path)
            }
            Err(refusal) => OutcomeView::refused(400, refusal.advice()),
        }
    }
}

/// The host of an authority, as it is compared: in lower case, without port and final dot.
pub(crate) fn host_of(authority: &str) -> String {
    let (name, _) = split(authority);
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

fn outcome(found: &Find<'_, ()>, question: &Question<'_>, path: &str) -> OutcomeView {
    match found {
        Find::Match(found) => matched(found.route, question, path),
        Find::MethodNotAllowed { allow } => OutcomeView {
            allow: Some(allowed(allow)),
            ..OutcomeView::refused(405, "rules know the path, and none of them takes the method")
        },
        Find::Options { allow } => OutcomeView {
            allow: Some(allowed(allow)),
            ..OutcomeView::refused(204, "no rule takes OPTIONS: Fairway answers what is allowed")
        },
        Find::NotFound => OutcomeView::refused(404, "no rule takes the request"),
    }
}

fn allowed(methods: &MethodSet) -> String {
    methods.sorted().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What happens to a request that a route takes.
fn matched(route: &Route, question: &Question<'_>, path: &str) -> OutcomeView {
    let rule = &route.rule;
    let forwarded = match route.forwarded_path(Cow::Borrowed(path)) {
        Ok(forwarded) => forwarded,
        Err(refusal) => {
            let refused = OutcomeView::refused(400, refusal.advice());
            return OutcomeView { rule: Some(rule.id.to_string()), ..refused };
        }
    };
    if let Some(to) = rule.to_https.as_ref().filter(|_| question.scheme == Scheme::Http) {
        return OutcomeView {
            rule: Some(rule.id.to_string()),
            location: Some(to.location(&question.redirected(question.path))),
            ..OutcomeView::refused(to.status, "the rule is for clients that come by HTTPS")
        };
    }
    let view = route_view("", route);
    let (version, refused) = version(rule, question);
    if let Some(refused) = refused {
        return OutcomeView { rule: Some(rule.id.to_string()), ..refused };
    }
    let mut outcome = OutcomeView {
        rule: Some(rule.id.to_string()),
        version,
        timeouts: Some(view.timeouts),
        edits: view.edits,
        body_bytes: view.body_bytes,
        ..OutcomeView::default()
    };
    match &rule.action {
        Action::Forward(_) => {
            outcome.path = Some(with_query(&forwarded, question.query));
            outcome.host =
                Some(host_sent(rule, question.authority)).filter(|host| !host.is_empty());
            outcome.backends = view.backends;
            outcome.mirrors = view.mirrors;
            if outcome.backends.iter().all(|backend| backend.weight == 0) {
                outcome.status = Some(503);
                outcome.message = Some("every backend has weight 0".to_owned());
            }
        }
        Action::Redirect(to) => {
            outcome.status = Some(to.status);
            outcome.location = Some(to.location(&question.redirected(&forwarded)));
        }
        Action::Respond(with) => outcome.status = Some(with.status),
        Action::Invalid { message } => {
            outcome.status = Some(500);
            outcome.message = Some(message.to_string());
        }
    }
    outcome
}

/// The version of the API that serves a request, or that there is none.
fn version(rule: &Rule, question: &Question<'_>) -> (Option<String>, Option<OutcomeView>) {
    // A CORS preflight names no version: the request that it asks for will.
    let Some(versions) = rule.versions().filter(|_| question.preflight.is_none()) else {
        return (None, None);
    };
    match versions.served(question.headers) {
        Some(index) => (Some(versions.name(index).to_owned()), None),
        None if versions.mode == Mode::Observe => (None, None),
        None => (None, Some(OutcomeView::refused(400, &versions.advice()))),
    }
}

fn with_query(path: &str, query: Option<&str>) -> String {
    query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"))
}

fn host_sent(rule: &Rule, authority: &str) -> String {
    let rewritten = rule.filters.iter().find_map(|filter| match filter {
        Filter::RewriteHost(host) => Some(String::from_utf8_lossy(host.as_bytes()).into_owned()),
        _ => None,
    });
    rewritten.unwrap_or_else(|| authority.to_owned())
}

fn candidate_view(
    candidate: &Candidate<'_>,
    winner: Option<(&HostPattern, &Route)>,
    all: &[Candidate<'_>],
    request: &Told<'_>,
) -> CandidateView {
    let (verdict, reason) = verdict(candidate, winner, all, request);
    CandidateView {
        rule: candidate.route.rule.id.to_string(),
        match_index: candidate.route.match_index,
        verdict,
        reason,
        route: route_view(&candidate.host.to_string(), candidate.route),
    }
}

fn verdict(
    candidate: &Candidate<'_>,
    winner: Option<(&HostPattern, &Route)>,
    all: &[Candidate<'_>],
    request: &Told<'_>,
) -> (Verdict, String) {
    if candidate.shadowed {
        let decided = all.iter().find(|other| !other.shadowed).map(|other| other.host.to_string());
        let decided = decided.unwrap_or_default();
        let reason = format!("the more specific host {decided} has rules that know the path");
        return (Verdict::NotAsked, reason);
    }
    if let Err(mismatch) = candidate.test {
        return (Verdict::Fails, failed(mismatch, candidate, request));
    }
    let Some((host, route)) = winner else { return (Verdict::NotAsked, String::new()) };
    let key = Precedence::of(candidate.host, candidate.route);
    if std::ptr::eq(route, candidate.route) {
        let second = all.iter().filter(|other| {
            !other.shadowed && other.test.is_ok() && !std::ptr::eq(other.route, route)
        });
        let second = second.map(|other| Precedence::of(other.host, other.route)).min();
        let reason = second.and_then(|second| key.decided_by(&second));
        return (Verdict::Wins, reason.map_or_else(String::new, |reason| format!("by {reason}")));
    }
    let criterion = Precedence::of(host, route).decided_by(&key).unwrap_or_default();
    (Verdict::Loses, format!("{} wins by {criterion}", route.rule.id))
}

/// What of the request a route does not take, and what the request has instead.
fn failed(mismatch: Mismatch, candidate: &Candidate<'_>, told: &Told<'_>) -> String {
    let Told { request, redaction } = told;
    let route = candidate.route;
    let none = Conditions::default();
    let conditions = route.conditions.as_deref().unwrap_or(&none);
    match mismatch {
        Mismatch::Method => {
            let asked = request.preflight.filter(|_| candidate.preflight);
            let asked = asked.unwrap_or(request.method);
            let taken = match &route.methods {
                MethodMatch::Any | MethodMatch::Guarded => String::new(),
                MethodMatch::Only(methods) => allowed(methods),
            };
            format!("it takes {taken}, and not {asked}")
        }
        Mismatch::Header(index) => {
            let Some(wanted) = conditions.headers.get(index) else { return String::new() };
            let mut lines = Vec::new();
            request.headers.any(&wanted.name, &mut |line| {
                lines.push(String::from_utf8_lossy(line).into_owned());
                false
            });
            let has = has(wanted.name.as_str(), lines.into_iter(), redaction);
            wants("header", wanted.name.as_str(), &wanted.value, &has)
        }
        Mismatch::Version => {
            let Some(wanted) = &conditions.version else { return String::new() };
            let served = wanted.versions.served(request.headers);
            let served = served.map(|index| wanted.versions.name(index)).unwrap_or_default();
            format!("it takes version {}, and the request is for {served}", wanted.name())
        }
        Mismatch::Query(index) => {
            let Some(wanted) = conditions.query.get(index) else { return String::new() };
            let values = wanted.values(request.query.unwrap_or_default());
            let values = values.map(|value| String::from_utf8_lossy(&value).into_owned());
            let has = has(&wanted.name, values, redaction);
            wants("query parameter", &wanted.name, &wanted.value, &has)
        }
    }
}

/// What the request has under a name.
fn has(name: &str, values: impl Iterator<Item = String>, redaction: &Redaction) -> String {
    let hidden = redaction.hides(name);
    let values: Vec<String> =
        values.map(|value| if hidden { REDACTED.to_owned() } else { value }).collect();
    match values.as_slice() {
        [] => "the request has none".to_owned(),
        values => format!("the request has {}", values.join(", ")),
    }
}

fn wants(what: &str, name: &str, wanted: &ValueMatch, has: &str) -> String {
    match wanted {
        ValueMatch::Exact(value) => format!("it wants {what} {name} to be {value}; {has}"),
        ValueMatch::Pattern(pattern) => format!("it wants {what} {name} to match {pattern}; {has}"),
        ValueMatch::Present(true) => format!("it wants {what} {name}; {has}"),
        ValueMatch::Present(false) => format!("it wants no {what} {name}; {has}"),
    }
}
