//! What the process needs beside very many objects, on a real API server.

use std::process::Command;

use crate::steps::{pass, step};
use crate::{kube, root};

/// Runs the measurement, which lives beside the tests because it needs their API server.
pub(super) fn run() -> anyhow::Result<()> {
    let binaries = kube::run()?;
    let cargo = || {
        let mut command = Command::new(env!("CARGO"));
        command.current_dir(root());
        command
    };
    step("build fairway", || pass(cargo().args(["build", "--release", "--package", "fairway"])))?;
    step("measure", || {
        pass(
            cargo()
                .args(["run", "--release", "--package", "fairway-tests", "--bin", "bench-memory"])
                .env("KUBEBUILDER_ASSETS", &binaries),
        )
    })
}
