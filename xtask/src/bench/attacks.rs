//! Attacks on a gateway that others use meanwhile.

use std::process::Command;

use super::peers::packages;
use crate::root;
use crate::steps::{pass, step};

/// Runs the measurement, which lives beside the tests because it needs their clients.
pub(super) fn run() -> anyhow::Result<()> {
    packages(&[("slowhttptest", "/usr/bin/slowhttptest")])?;
    let cargo = || {
        let mut command = Command::new(env!("CARGO"));
        command.current_dir(root()).args(["build", "--release", "--package"]);
        command
    };
    step("build fairway", || pass(cargo().arg("fairway")))?;
    step("build the measurement", || {
        pass(cargo().args(["fairway-tests", "--bin", "bench-attacks"]))
    })?;
    step("attacks", || pass(Command::new("target/release/bench-attacks").current_dir(root())))
}
