//! From `kubectl apply` to the first request that follows it, on a real API server under load.

use std::process::Command;

use crate::steps::{pass, step};
use crate::{kube, root};

/// Runs the measurement, which lives beside the tests because it needs their API server.
pub(super) fn run(routes: usize, changes: usize) -> anyhow::Result<()> {
    let binaries = kube::run()?;
    step("build fairway", || {
        pass(Command::new(env!("CARGO")).current_dir(root()).args([
            "build",
            "--release",
            "--package",
            "fairway",
        ]))
    })?;
    step("measure", || {
        pass(
            Command::new(env!("CARGO"))
                .current_dir(root())
                .args(["run", "--release", "--package", "fairway-tests", "--bin", "bench-apply"])
                .env("KUBEBUILDER_ASSETS", &binaries)
                .env("BENCH_ROUTES", routes.to_string())
                .env("BENCH_CHANGES", changes.to_string()),
        )
    })
}
