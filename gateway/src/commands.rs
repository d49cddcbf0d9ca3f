//! The commands, each in a file of its own.

pub(crate) mod check;
mod cluster;
pub(crate) mod completions;
pub(crate) mod crds;
pub(crate) mod demo;
pub(crate) mod demo_service;
pub(crate) mod diff;
pub(crate) mod get;
pub(crate) mod routes;
pub(crate) mod run;
pub(crate) mod schema;
mod source;
pub(crate) mod why;

use std::path::Path;

use anyhow::Context;

use crate::output;

/// The runtime of the control work. Traffic has threads of its own.
fn control_runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("control")
        .enable_all()
        .build()
        .context("cannot start a runtime")
}

/// Variables for manifests. One that is not text counts as not set, and that is told: a default
/// in a manifest would otherwise take its place without a word.
pub(crate) fn environment(name: &str) -> Option<String> {
    match std::env::var(name) {
        Ok(value) => Some(value),
        Err(std::env::VarError::NotPresent) => None,
        Err(std::env::VarError::NotUnicode(_)) => {
            if tracing::dispatcher::has_been_set() {
                tracing::warn!(variable = name, "variable is not UTF-8 and counts as not set");
            } else {
                output::warning(&format!("variable {name} is not UTF-8 and counts as not set"));
            }
            None
        }
    }
}

/// A path as a person would write it.
fn shown(path: &Path, line: usize, column: usize) -> String {
    if line > 0 {
        format!("{}:{line}:{column}", path.display())
    } else {
        path.display().to_string()
    }
}
