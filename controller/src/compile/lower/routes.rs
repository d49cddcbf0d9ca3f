//! The second half of lowering: the routes of the rules as one listener's policy makes them.

use std::sync::Arc;

use fairway_crds::Policy as WrittenPolicy;
use fairway_crds::conditions::Reason;
use fairway_crds::names;
use fairway_snapshot::{
    Action, ApiVersions, Conditions, Filter, ListenerName, PathMatch, Policy, Redirect, Route,
    Rule, Semantics, Source, VersionCondition,
};

use super::super::policies::{Layer, merge};
use super::super::{CompileOptions, api_versions, headers};
use super::{LoweredRoute, Lowering, Made, ParsedMatch, ParsedRule};

impl<'a> Lowering<'a> {
    /// The routes of all rules, for listeners with this policy.
    pub(super) fn routes(
        &mut self,
        rules: &[ParsedRule<'a>],
        listener: &WrittenPolicy,
    ) -> Vec<LoweredRoute> {
        let mut routes = Vec::new();
        for rule in rules {
            let (policy, wrong) = self.policy(rule, listener);
            let policy = Policy { mirror: rule.mirror.clone(), ..policy };
            let policy = self.resolver.shared.policy(policy);
            let (versions, versions_wrong) = self.versions(rule, listener);
            let wrong = wrong.or(versions_wrong);
            let mut made: Vec<Arc<Rule>> = Vec::new();
            for (parsed, own) in rule.matches.iter().zip(&rule.made) {
                let (Made { mut filters, location }, problem) = match own {
                    Ok(own) => (own.clone(), wrong.clone()),
                    Err(message) => (Made::default(), Some(message.clone())),
                };
                let (edits, edits_wrong) = self.edits(rule, listener, &parsed.path);
                // Before what changes header fields, which may see what it sets.
                filters.extend(versions.clone().map(Filter::Versions));
                filters.extend(edits);
                let (conditions, version_wrong) = self.conditions(rule, parsed, versions.as_ref());
                let problem = problem.or(edits_wrong).or(version_wrong);
                let action = match (problem, rule.action.clone()) {
                    (Some(message), _) => Action::Invalid { message: message.into() },
                    (None, Action::Redirect(to)) => {
                        Action::Redirect(Redirect { path: location, ..to })
                    }
                    (None, action) => action,
                };
                let lowered = Rule {
                    id: rule.id.clone(),
                    created: self.created,
                    semantics: Semantics::default(),
                    to_https: self.to_https.then(Redirect::to_https),
                    filters,
                    policy: Arc::clone(&policy),
                    action,
                };
                // Matches with the same captures share one rule.
                let shared = made.iter().find(|other| ***other == lowered).cloned();
                let shared = shared.unwrap_or_else(|| {
                    let lowered = Arc::new(lowered);
                    made.push(Arc::clone(&lowered));
                    lowered
                });
                let route = Route {
                    path: parsed.path.clone(),
                    methods: parsed.methods.clone(),
                    conditions,
                    match_index: parsed.index,
                    rule: shared,
                };
                routes.push(LoweredRoute { route, names_head: parsed.names_head });
            }
        }
        routes.shrink_to_fit();
        routes
    }

    /// The policy of a rule, and the first thing that is wrong with it.
    fn policy(
        &mut self,
        rule: &ParsedRule<'a>,
        listener: &WrittenPolicy,
    ) -> (Policy, Option<String>) {
        let mut told = Vec::new();
        let policy = merge(&self.layers(rule, listener), |field, message| {
            told.push((field, message));
        });
        let wrong = self.wrong(rule, told);
        (policy, wrong)
    }

    /// Tells what is wrong with a policy that a rule reads, and gives the first of it. What is wrong
    /// with the spec's is no rule's own, and told once.
    fn wrong(&mut self, rule: &ParsedRule<'a>, told: Vec<(String, String)>) -> Option<String> {
        let first = told.first().map(|(_, message)| message.clone());
        for (field, message) in told {
            let of_rule = field.starts_with("spec.rules").then_some(&rule.id.name);
            self.tell(of_rule, field, Reason::InvalidRule, message);
        }
        first
    }

    /// The versions that a rule knows, and the first thing that is wrong with them.
    fn versions(
        &mut self,
        rule: &ParsedRule<'a>,
        listener: &WrittenPolicy,
    ) -> (Option<Arc<ApiVersions>>, Option<String>) {
        let mut told = Vec::new();
        let versions = api_versions::merged(&self.layers(rule, listener), &mut |field, message| {
            told.push((field, message));
        });
        let wrong = self.wrong(rule, told);
        (versions, wrong)
    }

    /// The conditions of a match, with the one on its version. One that cannot be read counts all
    /// the same: the match guards what somebody meant to treat specially.
    fn conditions(
        &mut self,
        rule: &ParsedRule<'a>,
        parsed: &ParsedMatch<'a>,
        versions: Option<&Arc<ApiVersions>>,
    ) -> (Option<Arc<Conditions>>, Option<String>) {
        let Some(name) = parsed.version else { return (parsed.conditions.clone(), None) };
        let mut conditions = parsed.conditions.as_deref().cloned().unwrap_or_default();
        let known = |versions: &Arc<ApiVersions>| {
            versions.known.iter().position(|version| *version.name == *name)
        };
        let problem = match (versions, versions.and_then(known)) {
            (Some(versions), Some(index)) => {
                let versions = Arc::clone(versions);
                conditions.version = Some(VersionCondition { versions, index });
                None
            }
            (Some(versions), None) => {
                let one_of = api_versions::one_of(&versions.known);
                Some(format!("{name:?} is not known: {one_of}"))
            }
            (None, _) => Some(names::VERSION_OF_POLICY.to_owned()),
        };
        if let Some(message) = &problem {
            conditions.unreadable_headers += 1;
            let field = format!("{}.match[{}].version", rule.field, parsed.index);
            self.tell(Some(&rule.id.name), field, Reason::InvalidRule, message.clone());
        }
        (Some(Arc::new(conditions)), problem)
    }

    /// The filters that change header fields, and the first thing that is wrong with them.
    fn edits(
        &mut self,
        rule: &ParsedRule<'a>,
        listener: &WrittenPolicy,
        path: &PathMatch,
    ) -> (Vec<Filter>, Option<String>) {
        let mut told = Vec::new();
        let filters =
            headers::filters(&self.layers(rule, listener), path, &mut |field, message| {
                told.push((field, message));
            });
        let wrong = self.wrong(rule, told);
        (filters, wrong)
    }

    fn layers<'l>(
        &'l self,
        rule: &'l ParsedRule<'_>,
        listener: &'l WrittenPolicy,
    ) -> [Layer<'l>; 5] {
        let operator = |source, policy| Layer { source, policy, field: String::new() };
        [
            operator(Source::Installation, Some(&self.options.defaults)),
            operator(Source::Listener, Some(listener)),
            Layer {
                source: Source::Spec,
                policy: self.spec.policy.as_ref(),
                field: "spec.policy".to_owned(),
            },
            Layer {
                source: Source::Rule,
                policy: rule.written.policy.as_ref(),
                field: format!("{}.policy", rule.field),
            },
            operator(Source::Override, Some(&self.options.overrides)),
        ]
    }
}

/// The listeners, grouped by their policy: a rule is lowered once for each.
pub(super) fn by_policy<'o>(
    listeners: &[ListenerName],
    options: &'o CompileOptions,
) -> Vec<(Vec<ListenerName>, &'o WrittenPolicy)> {
    let mut groups: Vec<(Vec<ListenerName>, &WrittenPolicy)> = Vec::new();
    for name in listeners {
        let Some(settings) = options.listeners.get(name) else { continue };
        match groups.iter_mut().find(|(_, policy)| **policy == settings.policy) {
            Some((names, _)) => names.push(name.clone()),
            None => groups.push((vec![name.clone()], &settings.policy)),
        }
    }
    groups
}
