//! What differs of each object: fields, rules, and where backends lead.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fairway_controller::inputs::Route;
use fairway_controller::{Compilation, Inputs};
use fairway_crds::ServiceRouteSpec;
use fairway_snapshot::{Action, Backend, ObjectId, Snapshot};
use serde::Serialize;
use serde_json::{Value, json};

use super::fields::{FieldChange, changes};
use super::rules::{Written, moved, pairs, written};

/// What became of an object or a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Change {
    Added,
    Removed,
    Changed,
}

/// An object that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ObjectChange {
    pub(super) object: String,
    pub(super) change: Change,
    /// Fields that are not a rule's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) fields: Vec<FieldChange>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) rules: Vec<RuleChange>,
}

/// A rule that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RuleChange {
    /// Its name now, or as it was when it is gone.
    pub(super) rule: String,
    pub(super) change: Change,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) fields: Vec<FieldChange>,
    /// Backends that are written as they were and lead elsewhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) leads: Vec<LeadChange>,
}

/// A backend that leads elsewhere, because something beside its object differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LeadChange {
    pub(super) backend: String,
    /// The upstream, or why there is none.
    pub(super) old: String,
    pub(super) new: String,
}

/// Everything that differs in objects, and what the rules that were renamed are called now.
#[derive(Debug, Default)]
pub(super) struct Objects {
    pub(super) changes: Vec<ObjectChange>,
    /// By `namespace/name/rule`.
    pub(super) renamed: BTreeMap<String, String>,
}

/// The objects of a class, and where their backends lead.
struct World<'w> {
    inputs: &'w Inputs,
    leads: BTreeMap<(&'w ObjectId, u16), Vec<(String, String)>>,
}

impl<'w> World<'w> {
    fn new(inputs: &'w Inputs, compiled: &'w Compilation) -> Self {
        Self { inputs, leads: leads(&compiled.snapshot) }
    }

    fn route(&self, id: &ObjectId, class: &str) -> Option<&Arc<Route>> {
        self.inputs.routes.get(id).filter(|route| route.class() == class)
    }
}

/// For each rule its backends, and where they lead.
fn leads(snapshot: &Snapshot) -> BTreeMap<(&ObjectId, u16), Vec<(String, String)>> {
    let hosts = snapshot.listeners.values().flat_map(|listener| &listener.hosts);
    let mut leads = BTreeMap::new();
    for route in hosts.flat_map(|host| &*host.routes) {
        let Action::Forward(backends) = &route.rule.action else { continue };
        let key = (&*route.rule.id.object, route.rule.id.index);
        leads.entry(key).or_insert_with(|| {
            let lead = backends.iter().map(|backend| {
                let to = match backend {
                    Backend::Upstream { upstream, .. } => upstream.to_string(),
                    Backend::Invalid { reason, .. } => format!("{reason:?}"),
                };
                (backend.reference().to_string(), to)
            });
            lead.collect()
        });
    }
    leads
}

/// Compares the objects of a class. Ages are compared where both sides have `one_history`.
pub(super) fn objects(
    old: (&Inputs, &Compilation),
    new: (&Inputs, &Compilation),
    class: &str,
    one_history: bool,
) -> Objects {
    let (old, new) = (World::new(old.0, old.1), World::new(new.0, new.1));
    let both = old.inputs.routes.keys().chain(new.inputs.routes.keys());
    let ids: BTreeSet<&ObjectId> = both.collect();
    let mut all = Objects::default();
    for id in ids {
        let (before, after) = (old.route(id, class), new.route(id, class));
        let change = match (before, after) {
            (None, None) => continue,
            (None, Some(_)) => Change::Added,
            (Some(_), None) => Change::Removed,
            (Some(_), Some(_)) => Change::Changed,
        };
        let (spec_before, spec_after) = (spec(before), spec(after));
        let mut fields = Vec::new();
        if let (Some(before), Some(after)) = (before, after)
            && before.created != after.created
            && one_history
        {
            let (old, new) = (Some(time(before.created)), Some(time(after.created)));
            let field = "metadata.creationTimestamp".to_owned();
            fields.push(FieldChange { field, old, new });
        }
        fields.extend(changes("spec", &without_rules(&spec_before), &without_rules(&spec_after)));
        let rules = rules(id, (&old, &spec_before), (&new, &spec_after), &mut all.renamed);
        if change != Change::Changed || !fields.is_empty() || !rules.is_empty() {
            all.changes.push(ObjectChange { object: id.to_string(), change, fields, rules });
        }
    }
    all
}

/// The spec; one that cannot be read says nothing, which is told as a problem.
fn spec(route: Option<&Arc<Route>>) -> ServiceRouteSpec {
    route.and_then(|route| route.spec().ok()).unwrap_or_default()
}

fn without_rules(spec: &ServiceRouteSpec) -> Value {
    let mut value = json!(spec);
    if let Value::Object(fields) = &mut value {
        fields.remove("rules");
    }
    value
}

/// A time as it stands in metadata.
fn time(seconds: i64) -> Value {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.into(), |time| json!(time))
}

fn rules(
    id: &ObjectId,
    old: (&World<'_>, &ServiceRouteSpec),
    new: (&World<'_>, &ServiceRouteSpec),
    renamed: &mut BTreeMap<String, String>,
) -> Vec<RuleChange> {
    let (before, after) = (written(&old.1.rules), written(&new.1.rules));
    let pairs = pairs(&before, &after);
    let moved = moved(&pairs);
    let mut changed = Vec::new();
    for (was, is) in &pairs {
        let (was, is) = (was.map(|at| (at, &before[at])), is.map(|at| (at, &after[at])));
        let change = match (was, is) {
            (Some((old_at, was)), Some((new_at, is))) => {
                if was.name != is.name {
                    renamed.insert(format!("{id}/{}", was.name), format!("{id}/{}", is.name));
                }
                let leads_of = |world: &World<'_>, at: usize| {
                    let index = u16::try_from(at).unwrap_or(u16::MAX);
                    world.leads.get(&(id, index)).cloned().unwrap_or_default()
                };
                let mut fields = named(was, is);
                if moved.contains(&new_at) {
                    let (old, new) = (Some(json!(old_at)), Some(json!(new_at)));
                    fields.push(FieldChange { field: "place".to_owned(), old, new });
                }
                fields.extend(changes("", &was.value, &is.value));
                let leads = elsewhere(&leads_of(old.0, old_at), &leads_of(new.0, new_at));
                if fields.is_empty() && leads.is_empty() {
                    continue;
                }
                RuleChange { rule: is.name.clone(), change: Change::Changed, fields, leads }
            }
            (was, is) => {
                let nothing = json!({});
                let value = |side: Option<(usize, &Written)>| {
                    side.map_or_else(|| nothing.clone(), |(_, rule)| rule.value.clone())
                };
                let fields = changes("", &value(was), &value(is));
                let change = if is.is_some() { Change::Added } else { Change::Removed };
                let Some((_, rule)) = is.or(was) else { continue };
                RuleChange { rule: rule.name.clone(), change, fields, leads: Vec::new() }
            }
        };
        changed.push(change);
    }
    changed
}

/// A rule without a name is called by its place, in logs and metrics too.
fn named(was: &Written, is: &Written) -> Vec<FieldChange> {
    changes("", &json!({ "name": was.name }), &json!({ "name": is.name }))
}

/// Backends that are written alike and lead elsewhere.
fn elsewhere(old: &[(String, String)], new: &[(String, String)]) -> Vec<LeadChange> {
    let both = old.iter().zip(new);
    let other = both.filter(|((a, before), (b, after))| a == b && before != after);
    let change = |((backend, old), (_, new)): (&(String, String), &(String, String))| LeadChange {
        backend: backend.clone(),
        old: old.clone(),
        new: new.clone(),
    };
    other.map(change).collect()
}
