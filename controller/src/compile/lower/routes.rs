//! The second half of lowering: the routes of the rules as one listener's policy makes them.

use std::sync::Arc;

use fairway_crds::Policy as WrittenPolicy;
use fairway_crds::conditions::Reason;
use fairway_snapshot::{
    Action, Filter, ListenerName, PathMatch, Policy, Redirect, Route, Rule, Semantics, Source,
};

use super::super::policies::{Layer, merge};
use super::super::{CompileOptions, headers};
use super::{LoweredRoute, Lowering, Made, ParsedRule};

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
            let mut made: Vec<Arc<Rule>> = Vec::new();
            for (parsed, own) in rule.matches.iter().zip(&rule.made) {
                let (Made { mut filters, location }, problem) = match own {
                    Ok(own) => (own.clone(), wrong.clone()),
                    Err(message) => (Made::default(), Some(message.clone())),
                };
                let (edits, edits_wrong) = self.edits(rule, listener, &parsed.path);
                filters.extend(edits);
                let problem = problem.or(edits_wrong);
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
                    conditions: parsed.conditions.clone(),
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
        let wrong = told.first().map(|(_, message)| message.clone());
        for (field, message) in told {
            // Every rule reads the spec's policy; its mistakes are told once.
            let of_rule = field.starts_with("spec.rules").then_some(&rule.id.name);
            let known = self.diagnostics.iter().any(|known| known.field == field);
            if !known {
                self.tell(of_rule, field, Reason::InvalidRule, message);
            }
        }
        (policy, wrong)
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
        let wrong = told.first().map(|(_, message)| message.clone());
        for (field, message) in told {
            let of_rule = field.starts_with("spec.rules").then_some(&rule.id.name);
            self.tell(of_rule, field, Reason::InvalidRule, message);
        }
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
