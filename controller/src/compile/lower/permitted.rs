//! What of an object its namespace may not use, by the operator's `hostPolicy`: it is left out and
//! told, and the rest serves.

use std::collections::BTreeSet;

use fairway_crds::conditions::Reason;
use fairway_snapshot::HostPattern;

use super::super::host_policy::{Allowed, advice, joined};
use super::{LoweredRoute, Lowering, ParsedRule};

/// Matches that are not served under a host: by host, index of the rule, index of the match.
#[derive(Debug, Default, serde::Serialize)]
pub(in super::super) struct Refused(BTreeSet<(HostPattern, u16, u16)>);

impl Refused {
    pub(in super::super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a route is not served under a host.
    pub(in super::super) fn holds(&self, host: &HostPattern, lowered: &LoweredRoute) -> bool {
        let route = &lowered.route;
        !self.0.is_empty()
            && self.0.contains(&(host.clone(), route.rule.id.index, route.match_index))
    }
}

impl Lowering<'_> {
    /// The hosts of which the namespace may use anything, and what under them is refused.
    pub(super) fn permitted(
        &mut self,
        hosts: Vec<HostPattern>,
        rules: &[ParsedRule<'_>],
    ) -> (Vec<HostPattern>, Refused) {
        let Some(policy) = &self.options.host_policy else { return (hosts, Refused::default()) };
        let allowed = policy.of(&self.object.namespace);
        let (hosts, foreign): (Vec<_>, Vec<_>) = hosts
            .into_iter()
            .partition(|host| allowed.iter().any(|allowed| allowed.covers_host(host)));
        for host in foreign {
            self.foreign_host(&host, allowed);
        }
        let mut refused = Refused::default();
        for rule in rules {
            for parsed in &rule.matches {
                let taken = |host: &&HostPattern| {
                    let mut of_host = allowed.iter().filter(|allowed| allowed.covers_host(host));
                    !of_host.any(|allowed| allowed.covers_path(&parsed.path))
                };
                let under: Vec<HostPattern> = hosts.iter().filter(taken).cloned().collect();
                if under.is_empty() {
                    continue;
                }
                let message = format!(
                    "\"{}\" on {} is not for namespace {}: {}",
                    parsed.path.as_str(),
                    joined(&under, ""),
                    self.object.namespace,
                    advice(allowed)
                );
                let field = match rule.written.matches.get(usize::from(parsed.index)) {
                    None => format!("{}.match", rule.field),
                    Some(one) if one.path_regex.is_some() => {
                        format!("{}.match[{}].pathRegex", rule.field, parsed.index)
                    }
                    Some(_) => format!("{}.match[{}].path", rule.field, parsed.index),
                };
                self.tell(Some(&rule.id.name), field, Reason::HostNotAllowed, message);
                let keys = under.into_iter().map(|host| (host, rule.id.index, parsed.index));
                refused.0.extend(keys);
            }
        }
        (hosts, refused)
    }

    fn foreign_host(&mut self, host: &HostPattern, allowed: &[Allowed]) {
        let written = self.spec.hosts.iter().position(|text| text.parse().as_ref() == Ok(host));
        let (field, subject) = match written {
            Some(index) => (format!("spec.hosts[{index}]"), format!("\"{host}\"")),
            None => ("spec.hosts".to_owned(), "every host, as without hosts,".to_owned()),
        };
        let namespace = &self.object.namespace;
        let message = format!("{subject} is not for namespace {namespace}: {}", advice(allowed));
        self.tell(None, field, Reason::HostNotAllowed, message);
    }
}
