//! What `check` finds, and whether there was anything to look at.

use std::path::{Path, PathBuf};

use fairway_controller::CompileOptions;
use fairway_controller::compile::UnknownService;

use super::{Checked, check};

/// It has no class, and a rule that cannot be compiled.
const BAD: &str = "apiVersion: fairway.dev/v1alpha1
kind: ServiceRoute
metadata: {name: bad}
spec: {rules: [{match: [{path: '/a/*'}], backends: [{service: a, port: name}]}]}
";

fn checked(paths: &[PathBuf], class: &str) -> Checked {
    let options = CompileOptions {
        class: class.to_owned(),
        unknown_service: UnknownService::TakeAsNamed,
        ..CompileOptions::default()
    };
    check(paths, &options)
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn paths(paths: &[&Path]) -> Vec<PathBuf> {
    paths.iter().map(|path| (*path).to_owned()).collect()
}

#[test]
fn a_route_without_a_class_is_checked_whatever_the_class_of_the_installation() {
    let folder = folder(&[("bad.yaml", BAD)]);
    for class in ["fairway", "internal"] {
        let found = checked(&paths(&[folder.path()]), class).findings;
        assert_eq!(found.len(), 1, "{class}: {found:?}");
    }
}
