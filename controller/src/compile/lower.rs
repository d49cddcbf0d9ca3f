//! Lowering: one object, from what a user wrote to routes and a status. Every piece of user text
//! is parsed here, once.

mod forwards;
mod lowered;
mod mirrors;
mod outcome;
mod permitted;
mod rewrites;
mod routes;
mod tls;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fairway_crds::conditions::Reason;
use fairway_crds::{RouteRule, ServiceRouteSpec};
use fairway_snapshot::{
    Action, Filter, HostPattern, ListenerName, Mirror, ObjectId, PathTemplate, RuleId, Sourced,
    UpstreamId,
};

use super::answers;
use super::backends::Resolver;
use super::diagnostic::{Diagnostic, Severity};
use super::interned::Interned;
use super::matches::{self, ParsedMatch};
use super::route_tests;
use super::{CompileOptions, ObjectStatus, names};
use crate::Inputs;
use crate::inputs::{Route as WrittenRoute, Unreadable};

pub(super) use lowered::{Asked, Lowered, LoweredRoute};
pub(super) use outcome::unreadable_status;
use outcome::{Share, hash, status};
use permitted::Refused;
use routes::by_policy;
pub(super) use tls::Shown;

/// Lowers an object; also says which Services it asked for. Equal values of all objects
/// become one in `shared`.
pub(super) fn lower(
    id: &ObjectId,
    route: &WrittenRoute,
    inputs: &Inputs,
    options: &CompileOptions,
    shared: &mut Interned,
) -> (Lowered, Asked) {
    let spec = match route.spec() {
        Ok(spec) => spec,
        Err(error) => return unreadable(id, route, &error),
    };
    let mut lowering = Lowering {
        object: Arc::new(id.clone()),
        created: route.created,
        spec: &spec,
        options,
        resolver: Resolver::new(id, inputs, options, shared),
        to_https: false,
        diagnostics: Vec::new(),
    };
    lowering.class();
    let hosts = lowering.hosts();
    let listeners = lowering.named_listeners();
    let listeners = lowering.with_https(listeners);
    let parsed = lowering.rules();
    let (hosts, refused) = lowering.permitted(hosts, &parsed);
    let certificate = lowering.certificate(&hosts);
    let mut groups: Vec<_> = by_policy(&listeners, options)
        .into_iter()
        .map(|(names, policy)| (names, lowering.routes(&parsed, policy)))
        .collect();
    for (_, routes) in &mut groups {
        routes.retain(|route| hosts.iter().any(|host| !refused.holds(host, route)));
    }
    let hash = hash(&hosts, &groups, &refused, certificate.as_ref());
    let routes = groups.iter().flat_map(|(_, routes)| routes);
    let used: BTreeSet<&UpstreamId> =
        routes.flat_map(|lowered| lowered.route.rule.upstreams()).collect();
    lowering.resolver.upstreams.retain(|(id, _)| used.contains(id));
    let share = Share::of(&spec.rules, &hosts, &groups, &refused);
    // Without a listener no host is served.
    let served = hosts.iter().filter(|_| !groups.is_empty()).map(ToString::to_string).collect();
    let status = status(route.generation, served, &share, hash, lowering.diagnostics);
    let Resolver {
        mut upstreams,
        mut resources,
        wanted,
        asked,
        config_maps,
        grants,
        secrets,
        neighbours,
        ..
    } = lowering.resolver;
    upstreams.shrink_to_fit();
    resources.retain(|(id, _)| upstreams.iter().any(|(_, upstream)| upstream.refers_to(id)));
    let asked = Asked { services: asked, config_maps, grants, secrets, neighbours };
    let tests = route_tests::read(&spec, &hosts, lowering.to_https);
    let end = certificate.as_ref().map(Shown::end);
    let status = Arc::new(ObjectStatus { certificate: end, ..status });
    let lowered = Lowered {
        hosts,
        groups,
        refused,
        upstreams,
        resources,
        wanted,
        certificate,
        tests,
        status,
    };
    (lowered, asked)
}

/// An object whose text cannot be read serves nothing and is told.
fn unreadable(id: &ObjectId, route: &WrittenRoute, error: &serde_json::Error) -> (Lowered, Asked) {
    let message = error.to_string();
    let unreadable =
        Unreadable { generation: route.generation, version: None, class: None, message };
    let status = Arc::new(unreadable_status(id, &unreadable));
    let lowered = Lowered {
        hosts: Vec::new(),
        groups: Vec::new(),
        refused: Refused::default(),
        upstreams: Vec::new(),
        resources: Vec::new(),
        wanted: BTreeMap::new(),
        certificate: None,
        tests: Box::default(),
        status,
    };
    (lowered, Asked::default())
}

struct Lowering<'a> {
    object: Arc<ObjectId>,
    created: i64,
    spec: &'a ServiceRouteSpec,
    options: &'a CompileOptions,
    resolver: Resolver<'a>,
    /// Whether clients that do not come by HTTPS are sent there.
    to_https: bool,
    diagnostics: Vec<Diagnostic>,
}

/// A rule whose parts were read, before policy.
struct ParsedRule<'a> {
    id: RuleId,
    written: &'a RouteRule,
    field: String,
    matches: Vec<ParsedMatch<'a>>,
    /// For each match what depends on its captures, or what is wrong with it.
    made: Vec<Result<Made, String>>,
    action: Action,
    mirror: Sourced<Box<[Mirror]>>,
}

/// What of a rule depends on what a match captures.
#[derive(Clone, Default)]
struct Made {
    filters: Vec<Filter>,
    /// The path of a redirect.
    location: Option<PathTemplate>,
}

impl<'a> Lowering<'a> {
    fn tell(&mut self, rule: Option<&Arc<str>>, field: String, reason: Reason, message: String) {
        // A template is read for each match, and its mistakes are told once.
        if self.diagnostics.iter().any(|known| known.field == field && known.message == message) {
            return;
        }
        self.diagnostics.push(Diagnostic {
            object: (*self.object).clone(),
            rule: rule.cloned(),
            field,
            reason,
            severity: Severity::Error,
            message,
        });
    }

    /// The class chose us, so that only its form can be wrong.
    fn class(&mut self) {
        if let Some(message) = self.spec.class.as_deref().and_then(names::class) {
            self.tell(None, "spec.class".to_owned(), Reason::InvalidRule, message);
        }
    }

    /// The hosts, without those that cannot be read; if none can be, nothing is served, rather
    /// than everything.
    fn hosts(&mut self) -> Vec<HostPattern> {
        if self.spec.hosts.is_empty() {
            return vec![HostPattern::Any];
        }
        let mut hosts = Vec::new();
        for (index, text) in self.spec.hosts.iter().enumerate() {
            match text.parse::<HostPattern>() {
                Ok(host) if hosts.contains(&host) => {}
                Ok(host) => hosts.push(host),
                Err(error) => {
                    let field = format!("spec.hosts[{index}]");
                    self.tell(None, field, Reason::InvalidRule, error.to_string());
                }
            }
        }
        hosts.sort();
        hosts
    }

    /// The listeners that the object names, or all.
    fn named_listeners(&mut self) -> Vec<ListenerName> {
        let known = &self.options.listeners;
        if self.spec.listeners.is_empty() {
            return known.keys().cloned().collect();
        }
        let mut listeners = Vec::new();
        for (index, text) in self.spec.listeners.iter().enumerate() {
            let name = ListenerName::from(text.as_str());
            if !known.contains_key(&name) {
                let names = known.keys().map(ListenerName::as_str).collect::<Vec<_>>().join(", ");
                let message = format!("there is no listener {text:?}: write one of {names}");
                let field = format!("spec.listeners[{index}]");
                self.tell(None, field, Reason::ListenerNotFound, message);
            } else if !listeners.contains(&name) {
                listeners.push(name);
            }
        }
        listeners
    }

    fn rules(&mut self) -> Vec<ParsedRule<'a>> {
        let mut parsed: Vec<ParsedRule<'a>> = Vec::with_capacity(self.spec.rules.len());
        let mirror = self.mirror_of_spec();
        for (index, written) in (0u16..).zip(&self.spec.rules) {
            let name = self.resolver.shared.word(&written.name_at(usize::from(index)));
            let id = RuleId { object: Arc::clone(&self.object), index, name };
            let field = format!("spec.rules[{index}]");
            if let Some(message) = names::rule(&id.name) {
                let field = format!("{field}.name");
                self.tell(Some(&id.name), field, Reason::InvalidRule, message);
            }
            let twin = parsed.iter().find(|other| other.id.name == id.name);
            if let Some(twin) = twin {
                let message = format!(
                    "spec.rules[{}] is named {:?} too: give each rule its own name",
                    twin.id.index, id.name
                );
                let field = format!("{field}.name");
                self.tell(Some(&id.name), field, Reason::InvalidRule, message);
            }
            parsed.push(self.rule(id, written, field, &mirror));
        }
        parsed
    }

    fn rule(
        &mut self,
        id: RuleId,
        written: &'a RouteRule,
        field: String,
        of_spec: &Sourced<Box<[Mirror]>>,
    ) -> ParsedRule<'a> {
        let mut told = Vec::new();
        let matches =
            matches::parse(&written.matches, &field, |field, message| told.push((field, message)));
        for (field, message) in told {
            self.tell(Some(&id.name), field, Reason::InvalidRule, message);
        }
        let action = self.action(&id, written, &field);
        let host = self.rewritten_host(&id, written, &field);
        let made = matches.iter().map(|parsed| self.made(&id, written, &field, parsed, &host));
        let made = made.collect();
        let mirror = self.mirror(&id, written, &field, of_spec);
        ParsedRule { id, written, field, matches, made, action, mirror }
    }

    /// Where the requests of a rule end.
    fn action(&mut self, id: &RuleId, written: &RouteRule, field: &str) -> Action {
        match (written.backends.is_empty(), &written.redirect, &written.respond) {
            (false, None, None) => self.forward(id, written, field),
            (true, Some(redirect), None) => {
                let field = format!("{field}.redirect");
                self.answer(id, &field, |problem| {
                    answers::redirect(redirect, problem).map(Action::Redirect)
                })
            }
            (true, None, Some(respond)) => {
                let field = format!("{field}.respond");
                self.answer(id, &field, |problem| {
                    answers::respond(respond, problem).map(|with| Action::Respond(Arc::new(with)))
                })
            }
            _ => {
                let message = fairway_crds::names::ONE_ACTION;
                self.tell(
                    Some(&id.name),
                    field.to_owned(),
                    Reason::InvalidRule,
                    message.to_owned(),
                );
                Action::Invalid { message: message.into() }
            }
        }
    }

    /// What a rule answers itself, or the first thing that is wrong with it.
    fn answer(
        &mut self,
        id: &RuleId,
        field: &str,
        read: impl FnOnce(&mut dyn FnMut(&str, String)) -> Option<Action>,
    ) -> Action {
        let mut told = Vec::new();
        let action = read(&mut |below, message| told.push((below.to_owned(), message)));
        let first = told.first().map(|(_, message)| message.as_str().into());
        for (below, message) in told {
            let field = format!("{field}{below}");
            self.tell(Some(&id.name), field, Reason::InvalidRule, message);
        }
        action.unwrap_or(Action::Invalid { message: first.unwrap_or_default() })
    }
}
