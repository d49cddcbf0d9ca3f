//! `fairway diff`: what differs between two worlds, in objects, in requests and in what the
//! compiler says of them.

mod fields;
mod objects;
mod rules;
mod sides;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;

use fairway_controller::compile::{Diagnostic, requests_of_tests};
use fairway_controller::{Compilation, Memo, compile};
use fairway_snapshot::changes::{RequestChange, changed_requests};
use fairway_snapshot::why::WhyRequest;
use serde::Serialize;

use super::control_runtime;
use crate::FINDINGS;
use crate::args::{DiffArgs, Output};
use crate::output;
use crate::settings::Settings;
use objects::{ObjectChange, objects};
use sides::Sides;

/// Everything that differs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Differences {
    objects: Vec<ObjectChange>,
    /// Of those requests that were tried.
    requests: Vec<RequestChange>,
    problems: Problems,
}

/// What the compiler says of one side only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Problems {
    new: Vec<Diagnostic>,
    gone: Vec<Diagnostic>,
}

impl Differences {
    fn is_empty(&self) -> bool {
        let problems = &self.problems;
        let told = problems.new.is_empty() && problems.gone.is_empty();
        self.objects.is_empty() && self.requests.is_empty() && told
    }
}

pub(crate) fn main(args: &DiffArgs) -> anyhow::Result<u8> {
    let settings = Settings::load(&args.settings)?;
    let sides = control_runtime()?.block_on(sides::read(args, &settings))?;
    // The tests of both sides say which requests their teams care about.
    let mut further = requests_of_tests(&sides.old, &sides.options.class);
    further.extend(requests_of_tests(&sides.new, &sides.options.class));
    let differences = differences(&sides, &further).map_err(anyhow::Error::msg)?;
    match args.output {
        Output::Json => output::json(&differences)?,
        Output::Table | Output::Wide => {
            let listeners = sides.options.listeners.len();
            output::line(&text::text(&differences, listeners > 1));
            left_out(&sides);
        }
    }
    Ok(if differences.is_empty() { 0 } else { FINDINGS })
}

/// Objects of other classes are not this installation's; that they are there is told, lest a
/// wrong class looks like no difference.
fn left_out(sides: &Sides) {
    let class = &sides.options.class;
    let routes = sides.old.routes.iter().chain(&sides.new.routes);
    let others = routes.filter(|(_, route)| route.class() != class).map(|(id, _)| id);
    let others: std::collections::BTreeSet<_> = others.collect();
    if !others.is_empty() {
        output::warning(&format!(
            "{} of another class than {class} left out: --class NAME compares those of that class",
            text::count(others.len(), "ServiceRoute")
        ));
    }
}

/// Compares both sides. Requests that are tried are one for each route, and `further` ones.
///
/// # Errors
///
/// One of the further requests cannot be read.
fn differences(sides: &Sides, further: &[WhyRequest]) -> Result<Differences, String> {
    let compiled = |inputs| compile(inputs, &sides.options, &mut Memo::default());
    let (old, new) = (compiled(&sides.old), compiled(&sides.new));
    let objects =
        objects((&sides.old, &old), (&sides.new, &new), &sides.options.class, sides.one_history);
    let renamed = |rule: &str| objects.renamed.get(rule).map_or(rule, String::as_str).to_owned();
    let requests = changed_requests(&old.snapshot, &new.snapshot, further, renamed)?;
    let (before, now) = (told(&old), told(&new));
    let problems = Problems { new: beyond(&now, &before), gone: beyond(&before, &now) };
    Ok(Differences { objects: objects.changes, requests, problems })
}

/// What says the same of the same rule: the place in the list of rules may be another.
type Said = (String, Option<String>, &'static str, String);

/// What the compiler says, in the order of objects.
fn told(compiled: &Compilation) -> BTreeMap<Said, Vec<Diagnostic>> {
    let mut told: BTreeMap<Said, Vec<Diagnostic>> = BTreeMap::new();
    for one in compiled.statuses.values().flat_map(|status| &status.diagnostics) {
        let rule = one.rule.as_deref().map(str::to_owned);
        let said = (one.object.to_string(), rule, one.reason.as_str(), one.message.clone());
        told.entry(said).or_default().push(one.clone());
    }
    told
}

/// What is told here and not there, or here more often.
fn beyond(
    here: &BTreeMap<Said, Vec<Diagnostic>>,
    there: &BTreeMap<Said, Vec<Diagnostic>>,
) -> Vec<Diagnostic> {
    let more = here.iter().flat_map(|(said, all)| {
        let known = there.get(said).map_or(0, Vec::len);
        all.iter().skip(known)
    });
    more.cloned().collect()
}
