//! Why not: the first thing that keeps a rule from winning.

use super::{Asked, CandidateView, ExpectedView, Verdict};
use crate::{HostPattern, ListenerName, Route, Snapshot};

/// Whether a rule wins, or how far it comes.
pub(super) fn expected(
    wanted: &str,
    snapshot: &Snapshot,
    listener: &ListenerName,
    asked: &Asked,
    candidates: &[CandidateView],
) -> ExpectedView {
    let of_candidates = candidates.iter().filter(|candidate| named(&candidate.rule, wanted));
    // The match that comes furthest speaks for the rule.
    let furthest = of_candidates.min_by_key(|candidate| match candidate.verdict {
        Verdict::Wins => 0,
        Verdict::Loses => 1,
        Verdict::Fails => 2,
        Verdict::NotAsked => 3,
    });
    let (wins, reason) = match furthest {
        Some(candidate) => (candidate.verdict == Verdict::Wins, candidate.reason.clone()),
        None => (false, missing(wanted, snapshot, listener, asked)),
    };
    ExpectedView { rule: wanted.to_owned(), wins, reason }
}

/// Whether `namespace/name/rule` is the rule, or one of the object, that is wanted.
fn named(rule: &str, wanted: &str) -> bool {
    rule.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Why a rule is no candidate at all.
fn missing(wanted: &str, snapshot: &Snapshot, listener: &ListenerName, asked: &Asked) -> String {
    let mut elsewhere = Vec::new();
    let mut here: Vec<(&HostPattern, &Route)> = Vec::new();
    for (name, served) in &snapshot.listeners {
        for host in &served.hosts {
            for route in &*host.routes {
                if !named(&route.rule.id.to_string(), wanted) {
                    continue;
                }
                if name == listener {
                    here.push((&host.pattern, route));
                } else if !elsewhere.contains(&name.as_str()) {
                    elsewhere.push(name.as_str());
                }
            }
        }
    }
    if here.is_empty() && !elsewhere.is_empty() {
        return format!("listener {listener} does not serve it: {} does", elsewhere.join(", "));
    }
    if here.is_empty() {
        return unknown(wanted, snapshot);
    }
    let list = |mut all: Vec<String>| {
        all.sort();
        all.dedup();
        all.join(", ")
    };
    let knows_host = here.iter().filter(|(host, _)| host.matches(&asked.host));
    let paths: Vec<String> = knows_host.map(|(_, route)| route.path.to_string()).collect();
    if paths.is_empty() {
        let hosts = here.iter().map(|(host, _)| host.to_string()).collect();
        return format!("it is for host {}, and not for {:?}", list(hosts), asked.host);
    }
    format!("its path {} does not match {}", list(paths), asked.path)
}

fn unknown(wanted: &str, snapshot: &Snapshot) -> String {
    let hosts = snapshot.listeners.values().flat_map(|listener| &listener.hosts);
    let rules = hosts.flat_map(|host| &*host.routes).map(|route| route.rule.id.to_string());
    let object = wanted.rsplit('/').next().unwrap_or_default();
    let near = rules
        .filter(|rule| {
            let mut parts = rule.splitn(3, '/').skip(1);
            parts.any(|part| !object.is_empty() && (part.contains(object) || object.contains(part)))
        })
        .min();
    match near {
        Some(near) => format!("no such rule is served; there is {near}"),
        None => "no such rule is served: fairway routes lists those that are".to_owned(),
    }
}
