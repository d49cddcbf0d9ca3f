//! Compiling of manifests: whatever is written, the same comes of it every time, and whoever wrote
//! it is told.

mod settings;

use std::path::Path;

use fairway_controller::compile::{ObjectStatus, Severity, Verdict};
use fairway_controller::files::{LoadErrors, Loaded, load_text};
use fairway_controller::status::{Programmed, status};
use fairway_controller::{Compilation, CompileOptions, Inputs, Memo, compile};
use fairway_snapshot::dump::RoutesView;
use fairway_snapshot::{Action, Backend, ObjectId, Precedence, RouteTable, Snapshot};
use jiff::Timestamp;

/// The longest message that the API server takes in a condition (metav1.Condition).
const LONGEST_MESSAGE: usize = 32_768;

/// Checks a manifest.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let environment = |name: &str| match name {
        "NAME" => Some("finance".to_owned()),
        "PORT" => Some("8000".to_owned()),
        _ => None,
    };
    match load_text(Path::new("manifest.yaml"), text, &environment) {
        Ok(loaded) => check_world(&loaded),
        Err(errors) => check_errors(text, &errors),
    }
}

/// Whoever is refused is told what and where, each thing once.
fn check_errors(text: &str, errors: &LoadErrors) {
    assert!(!errors.problems.is_empty());
    // A carriage return alone ends a line of YAML too.
    let lines = text.bytes().filter(|byte| matches!(byte, b'\n' | b'\r')).count() + 1;
    for problem in &errors.problems {
        assert!(!problem.message.is_empty(), "{problem:?}");
        assert!(problem.line <= lines, "{problem:?} of {lines} lines");
    }
    let ordered = errors.problems.windows(2).all(|pair| pair[0] < pair[1]);
    assert!(ordered, "{errors:?}");
}

fn check_world(loaded: &Loaded) {
    let mut memo = Memo::default();
    for options in [CompileOptions::default(), settings::strict(), settings::of_a_folder()] {
        let whole = compiled(&loaded.inputs, &options, &mut memo);
        check_statuses(loaded, &options, &whole);
        check_snapshot(&whole.snapshot);
        // Other worlds in between, so that there is something to be remembered wrongly.
        let Some(first) = loaded.inputs.routes.keys().next() else { continue };
        let mut inputs = loaded.inputs.clone();
        inputs.routes.remove(first);
        check_others(&whole, &compiled(&inputs, &options, &mut memo), first);
        compiled(&turned(&loaded.inputs), &options, &mut memo);
        let alone = Inputs { routes: loaded.inputs.routes.clone(), ..Inputs::default() };
        compiled(&alone, &options, &mut memo);
        same(&compiled(&loaded.inputs, &options, &mut memo), &whole);
    }
}

/// The world in which each object says what the next one says.
fn turned(inputs: &Inputs) -> Inputs {
    let mut turned = inputs.clone();
    let next = inputs.routes.values().cycle().skip(1);
    for (id, route) in inputs.routes.keys().zip(next) {
        turned.routes.insert(id.clone(), route.clone());
    }
    turned
}

/// What is compiled with what is remembered, and the same without.
fn compiled(inputs: &Inputs, options: &CompileOptions, memo: &mut Memo) -> Compilation {
    let remembered = compile(inputs, options, memo);
    same(&remembered, &compile(inputs, options, &mut Memo::default()));
    remembered
}

fn same(one: &Compilation, other: &Compilation) {
    assert_eq!(one.snapshot, other.snapshot);
    assert_eq!(one.statuses, other.statuses);
    assert_eq!(one.wanted, other.wanted);
}

/// What an object is told of itself does not change with another that comes or goes.
fn check_others(whole: &Compilation, others: &Compilation, gone: &ObjectId) {
    assert!(!others.statuses.contains_key(gone));
    for (id, status) in &others.statuses {
        let before = &whole.statuses[id];
        assert_eq!(before.hash, status.hash, "{id}");
        assert_eq!(before.accepted, status.accepted, "{id}");
        assert_eq!(before.resolved_refs, status.resolved_refs, "{id}");
    }
}

/// Each object of the class is told, and what is wrong with it has a place in the file.
fn check_statuses(loaded: &Loaded, options: &CompileOptions, compilation: &Compilation) {
    let ours = loaded.inputs.routes.iter().filter(|(_, route)| route.class() == options.class);
    let mut count = 0;
    for (id, route) in ours {
        count += 1;
        let spec = route.spec().unwrap_or_else(|error| panic!("{id} was read once: {error}"));
        let status = compilation.statuses.get(id).unwrap_or_else(|| panic!("{id} is told nothing"));
        assert_eq!(spec.rules.len(), (status.rules + status.invalid_rules) as usize, "{id}");
        assert!(status.partial_rules <= status.rules, "{id}: {status:?}");
        assert_eq!(status.tests_passed.is_some(), !spec.tests.is_empty(), "{id}");
        check_status(id, status);
        for found in &status.diagnostics {
            assert_eq!(found.object, *id);
            let place = loaded.locate(id, &found.field);
            assert!(place.is_some_and(|(_, line, column)| line > 0 && column > 0), "{found:?}");
        }
    }
    assert_eq!(count, compilation.statuses.len());
}

fn check_status(id: &ObjectId, object: &ObjectStatus) {
    for found in &object.diagnostics {
        assert!(!found.message.is_empty() && !found.field.is_empty(), "{id}: {found:?}");
    }
    let errors = object.diagnostics.iter().any(|found| found.severity == Severity::Error);
    let bad = |verdict: &Verdict| !verdict.status;
    let all = [Some(&object.accepted), Some(&object.resolved_refs), object.tests_passed.as_ref()];
    assert!(errors || !all.into_iter().flatten().any(bad), "{id}: {object:?}");
    let invalid = object.invalid_rules > 0 || object.partial_rules > 0;
    assert!(errors || !invalid, "{id} is not told why: {object:?}");
    let written = status(object, &Programmed::Applied, None, Timestamp::UNIX_EPOCH);
    for condition in written.expect("nothing was said before").conditions {
        let length = condition.message.chars().count();
        assert!((1..=LONGEST_MESSAGE).contains(&length), "{id}: {} has {length}", condition.type_);
    }
}

/// A snapshot can be written down and read, and stands in the order in which the table tries it.
fn check_snapshot(snapshot: &Snapshot) {
    let text = serde_json::to_string(snapshot).expect("it can be written");
    let read: Snapshot = serde_json::from_str(&text).unwrap_or_else(|error| {
        panic!("{error} at {:?}", text.get(error.column().saturating_sub(60)..error.column()))
    });
    assert_eq!(read, *snapshot);
    for host in snapshot.listeners.values().flat_map(|listener| &listener.hosts) {
        let keys = host.routes.iter().map(|route| Precedence::of(&host.pattern, route));
        assert!(keys.is_sorted_by(|a, b| a < b), "{:?}", host.routes);
        for route in &*host.routes {
            let Action::Forward(backends) = &route.rule.action else { continue };
            let mut upstreams = backends.iter().filter_map(Backend::upstream);
            assert!(upstreams.all(|id| snapshot.upstreams.contains_key(id)), "{route:?}");
        }
    }
    let shown: usize =
        RoutesView::new(snapshot).listeners.iter().map(|listener| listener.routes.len()).sum();
    let hosts = snapshot.listeners.values().flat_map(|listener| &listener.hosts);
    assert_eq!(shown, hosts.map(|host| host.routes.len()).sum::<usize>());
    let _ = RouteTable::build(snapshot, None, |_| ());
}
