//! Attacks on a gateway that others use meanwhile.

use std::process::Command;

use super::peers::packages;
use crate::root;
use crate::steps::{pass, step};

/// Runs the measurement.
pub(super) fn run() -> anyhow::Result<()> {
    packages(&[("slowhttptest", "/usr/bin/slowhttptest")])?;
    super::build("bench-attacks")?;
    step("attacks", || pass(Command::new("target/release/bench-attacks").current_dir(root())))
}
