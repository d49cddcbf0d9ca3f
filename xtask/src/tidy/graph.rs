//! The dependency rule: who may know whom, and that versions stand in one place.

use std::process::Command;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::root;

/// A crate, and the packages that it must not depend on.
const FORBIDDEN: [(&str, &[&str]); 5] = [
    (
        "fairway-crds",
        &["tokio", "hyper", "axum", "fairway-snapshot", "fairway-controller", "fairway-dataplane"],
    ),
    (
        "fairway-snapshot",
        &[
            "kube",
            "kube-runtime",
            "k8s-openapi",
            "tokio",
            "hyper",
            "axum",
            "fairway-crds",
            "fairway-controller",
            "fairway-dataplane",
        ],
    ),
    ("fairway-certificates", &["kube", "k8s-openapi", "tokio", "fairway-crds"]),
    ("fairway-controller", &["hyper", "axum", "reqwest", "fairway-dataplane"]),
    (
        "fairway-dataplane",
        &["kube", "kube-runtime", "k8s-openapi", "reqwest", "fairway-crds", "fairway-controller"],
    ),
];

/// What cargo knows of the workspace.
pub(super) fn metadata() -> anyhow::Result<Value> {
    let output = Command::new(env!("CARGO"))
        .current_dir(root())
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .output()
        .context("cannot ask cargo for the packages")?;
    if !output.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).context("cargo metadata is not JSON")
}

/// What breaks the rule.
pub(super) fn check(metadata: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        let forbidden = FORBIDDEN.iter().find(|(of, _)| *of == name).map_or(&[][..], |(_, no)| no);
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let wanted = dependency["name"].as_str().unwrap_or_default();
            let in_code = dependency["kind"].is_null();
            if in_code && forbidden.contains(&wanted) {
                problems.push(format!("{name} must not depend on {wanted}: see ARCHITECTURE.md"));
            }
        }
        let manifest = package["manifest_path"].as_str().unwrap_or_default();
        let text = std::fs::read_to_string(manifest).unwrap_or_default();
        problems.extend(check_manifest(name, &text));
    }
    problems
}

/// Every dependency of a manifest must take its version from the workspace.
pub(super) fn check_manifest(name: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let mut in_dependencies = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            in_dependencies = line.ends_with("dependencies]");
        } else if in_dependencies
            && line.contains('=')
            && !line.starts_with('#')
            && !line.contains("workspace = true")
        {
            problems.push(format!(
                "{name}: write {line:?} with workspace = true, its version in the workspace"
            ));
        }
    }
    problems
}

/// How many packages the binary is made of.
pub(super) fn size() -> anyhow::Result<usize> {
    let output = Command::new(env!("CARGO"))
        .current_dir(root())
        .args([
            "tree",
            "--package",
            "fairway",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--offline",
        ])
        .output()
        .context("cannot ask cargo for the graph")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut packages: Vec<&str> = text.lines().map(|line| line.trim_end_matches(" (*)")).collect();
    packages.sort_unstable();
    packages.dedup();
    Ok(packages.len())
}
