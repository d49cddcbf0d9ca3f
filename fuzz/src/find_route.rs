//! The table against the definition: among all routes the one of the least precedence wins.

use fairway_snapshot::why::{Question, Verdict, WhyView, why};
use fairway_snapshot::{
    Conditions, Find, HeaderFields, HostPattern, Listener, ListenerTable, MethodMatch, PathMatch,
    Precedence, Redaction, Route, RouteRequest, RouteTable, RuleId, Scheme, Snapshot, ValueMatch,
    WrongMethod,
};
use http::Method;

pub use crate::world::World;
use crate::world::{Asked, listener};

/// What becomes of a request.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Match { host: String, rule: String, match_index: u16 },
    MethodNotAllowed(Vec<String>),
    Options(Vec<String>),
    Unknown,
}

/// Checks a world: each of its requests, by a new table and by one that was built on another.
pub fn check(world: &World<'_>) {
    let routes = world.routes();
    let requests = world.requests(&routes);
    // The last route comes later: hosts that it is not of are the same values then.
    let most = &routes[..routes.len().saturating_sub(1)];
    let first = world.snapshot(most, None);
    let second = world.snapshot(&routes, Some(&first));
    let before = RouteTable::build(&first, None, |rule| rule.id.clone());
    let changed = RouteTable::build(&second, Some(&before), |rule| rule.id.clone());
    let fresh = RouteTable::build(&second, None, |rule| rule.id.clone());
    for asked in &requests {
        let request = asked.request();
        let scanned = scan(&second.listeners[&listener()], &request);
        for table in [&fresh, &changed] {
            let table = table.listener(&listener()).expect("it was put in");
            assert_eq!(found(table, &request), scanned, "{request:?} in {second:?}");
        }
        let expected = routes.get(asked.expected.checked_rem(routes.len()).unwrap_or_default());
        let expected = expected.map(|(_, route)| route.rule.id.to_string());
        check_why(&second, asked, expected.as_deref(), &scanned);
    }
}

fn found(table: &ListenerTable<RuleId>, request: &RouteRequest<'_>) -> Outcome {
    let names = |allow: &fairway_snapshot::MethodSet| {
        allow.sorted().into_iter().map(ToString::to_string).collect()
    };
    match table.find(request) {
        Find::Match(found) => {
            assert_eq!(*found.attached, found.route.rule.id, "{request:?}");
            check_forwarded(found.route, request);
            Outcome::matched(found.host, found.route)
        }
        Find::MethodNotAllowed { allow } => Outcome::MethodNotAllowed(names(&allow)),
        Find::Options { allow } => Outcome::Options(names(&allow)),
        Find::NotFound => Outcome::Unknown,
    }
}

/// What goes on to the backend is a path too, and no step up.
fn check_forwarded(route: &Route, request: &RouteRequest<'_>) {
    let Ok(path) = route.forwarded_path(request.path.into()) else {
        assert!(matches!(route.path, PathMatch::Regex { .. }), "{route:?} refuses {request:?}");
        return;
    };
    let dotted = path.split('/').any(|segment| matches!(segment, "." | ".."));
    let good = path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic());
    assert!(good && !dotted, "{route:?} makes {path:?} of {request:?}");
}

/// The definition. Of all routes that know host and path, those of the most specific host count;
/// the strongest of them that takes the request wins.
fn scan(listener: &Listener, request: &RouteRequest<'_>) -> Outcome {
    let hosts = listener.hosts.iter();
    let all = hosts.flat_map(|host| host.routes.iter().map(|route| (&host.pattern, route)));
    let mut known: Vec<(&HostPattern, &Route)> = all
        .filter(|(host, route)| is_of(host, request.host) && route.path.matches(request.path))
        .collect();
    let Some(decides) = known.iter().map(|(host, _)| *host).min() else { return Outcome::Unknown };
    known.retain(|(host, _)| *host == decides);
    known.sort_by(|a, b| Precedence::of(a.0, a.1).cmp(&Precedence::of(b.0, b.1)));
    let asks = |route: &Route, headers| asks_no_more(route, headers, request.query);
    let winner = |method: &Method, headers| {
        let mut routes = known.iter();
        let won = routes.find(|(_, route)| takes(&route.methods, method) && asks(route, headers));
        won.map(|(host, route)| Outcome::matched(host, route))
    };
    if let Some(won) = winner(request.method, Some(request.headers)) {
        return won;
    }
    // The headers of a preflight are not those of the request that it asks for.
    if let Some(won) = request.preflight.and_then(|asked| winner(asked, None)) {
        return won;
    }
    let headers = request.preflight.is_none().then_some(request.headers);
    known.retain(|(_, route)| asks(route, headers));
    let mut allow: Vec<String> = known
        .iter()
        .flat_map(|(_, route)| match &route.methods {
            MethodMatch::Only(methods) => methods.sorted(),
            MethodMatch::Any | MethodMatch::Guarded => Vec::new(),
        })
        .map(ToString::to_string)
        .collect();
    let semantics = || known.iter().map(|(_, route)| route.rule.semantics);
    let answers = semantics().any(|semantics| semantics.answer_options);
    allow.extend(answers.then(|| "OPTIONS".to_owned()));
    allow.sort();
    allow.dedup();
    if answers && *request.method == Method::OPTIONS {
        Outcome::Options(allow)
    } else if semantics().any(|semantics| semantics.wrong_method == WrongMethod::MethodNotAllowed) {
        Outcome::MethodNotAllowed(allow)
    } else {
        Outcome::Unknown
    }
}

impl Outcome {
    fn matched(host: &HostPattern, route: &Route) -> Self {
        let rule = route.rule.id.to_string();
        Self::Match { host: host.to_string(), rule, match_index: route.match_index }
    }
}

/// Whether a pattern speaks for a host: a wildcard for one label or more in its place.
fn is_of(pattern: &HostPattern, host: &str) -> bool {
    match pattern {
        HostPattern::Any => true,
        HostPattern::Exact(name) => **name == *host,
        HostPattern::Wildcard(suffix) => {
            host.strip_suffix(&**suffix).is_some_and(|label| !label.is_empty())
        }
    }
}

fn takes(methods: &MethodMatch, method: &Method) -> bool {
    match methods {
        MethodMatch::Any | MethodMatch::Guarded => true,
        MethodMatch::Only(methods) => methods.sorted().contains(&method),
    }
}

/// Whether the conditions of a route hold; without headers those are not looked at.
fn asks_no_more(route: &Route, headers: Option<&dyn HeaderFields>, query: Option<&str>) -> bool {
    let none = Conditions::default();
    let conditions = route.conditions.as_deref().unwrap_or(&none);
    let fields = conditions.headers.iter().all(|wanted| {
        headers.is_none_or(|headers| {
            let mut values = Vec::new();
            headers.any(&wanted.name, &mut |value| {
                values.push(value.to_vec());
                false
            });
            holds(&wanted.value, values.into_iter())
        })
    });
    let pairs = query.unwrap_or_default().split('&').map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (form(name), form(value))
    });
    fields
        && conditions.query.iter().all(|wanted| {
            let values = pairs.clone().filter(|(name, _)| name == wanted.name.as_bytes());
            holds(&wanted.value, values.map(|(_, value)| value))
        })
}

fn holds(wanted: &ValueMatch, mut values: impl Iterator<Item = Vec<u8>>) -> bool {
    match wanted {
        ValueMatch::Exact(text) => values.any(|value| value == text.as_bytes()),
        ValueMatch::Pattern(pattern) => values.any(|value| pattern.matches(&value)),
        ValueMatch::Present(there) => values.next().is_some() == *there,
    }
}

/// What a form wrote: the triplets that worlds have, and `+` for a blank.
fn form(text: &str) -> Vec<u8> {
    text.replace('+', " ").replace("%31", "1").replace("%63", "c").into_bytes()
}

/// What is said of a request must agree with what becomes of it.
fn check_why(snapshot: &Snapshot, asked: &Asked, expect: Option<&str>, found: &Outcome) {
    let request = asked.request();
    let view = why(
        snapshot,
        &Question {
            scheme: Scheme::Http,
            listener: &listener(),
            method: &asked.method,
            authority: request.host,
            path: request.path,
            query: asked.query.as_deref(),
            headers: &asked.headers,
            preflight: asked.preflight.as_ref(),
            expect,
        },
        &Redaction::default(),
    );
    let view = view.expect("the listener is there");
    let (status, allow) = match found {
        Outcome::Match { .. } => (None, None),
        Outcome::MethodNotAllowed(allow) => (Some(405), Some(allow.join(", "))),
        Outcome::Options(allow) => (Some(204), Some(allow.join(", "))),
        Outcome::Unknown => (Some(404), None),
    };
    if let Outcome::Match { rule, .. } = found {
        assert_eq!(view.outcome.rule.as_ref(), Some(rule), "{request:?}");
    } else {
        assert_eq!((view.outcome.status, view.outcome.rule.as_deref()), (status, None));
    }
    assert_eq!(view.outcome.allow, allow, "{request:?}");
    check_candidates(snapshot, &request, &view, found);
    if let (Some(expected), Some(expect)) = (&view.expected, expect) {
        let wins = matches!(found, Outcome::Match { rule, .. } if rule == expect);
        assert_eq!(expected.wins, wins, "{request:?}, {expect}");
        assert!(wins || !expected.reason.is_empty(), "{request:?}, {expect}");
    }
}

/// Every route that knows host and path is told once, the stronger first, and one of them wins.
fn check_candidates(
    snapshot: &Snapshot,
    request: &RouteRequest<'_>,
    view: &WhyView,
    found: &Outcome,
) {
    let hosts = &snapshot.listeners[&listener()].hosts;
    let mut known: Vec<Precedence<'_>> = Vec::new();
    for host in hosts.iter().filter(|host| is_of(&host.pattern, request.host)) {
        let routes = host.routes.iter().filter(|route| route.path.matches(request.path));
        known.extend(routes.map(|route| Precedence::of(&host.pattern, route)));
    }
    known.sort();
    let known: Vec<(String, u16, u16)> =
        known.iter().map(|key| (key.object.to_string(), key.rule_index, key.match_index)).collect();
    let told: Vec<(String, u16, u16)> = view
        .candidates
        .iter()
        .map(|candidate| {
            let (object, rule) = candidate.rule.rsplit_once("/rule-").expect("so it is named");
            (object.to_owned(), rule.parse().expect("so it is numbered"), candidate.match_index)
        })
        .collect();
    assert_eq!(told, known, "{request:?} in {snapshot:?}");
    let winners = view.candidates.iter().filter(|one| one.verdict == Verdict::Wins);
    let winners: Vec<(&String, u16)> = winners.map(|one| (&one.rule, one.match_index)).collect();
    match found {
        Outcome::Match { rule, match_index, .. } => assert_eq!(winners, [(rule, *match_index)]),
        _ => assert!(winners.is_empty(), "{winners:?} win {request:?}"),
    }
    for candidate in view.candidates.iter().filter(|one| one.verdict != Verdict::Wins) {
        assert!(!candidate.reason.is_empty(), "{candidate:?}, {request:?}");
    }
}
