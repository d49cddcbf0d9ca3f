//! `cargo xtask test`: what a newcomer and CI run.

use std::process::Command;

use clap::Args;

use crate::steps::{pass, step};
use crate::{codegen, h2spec, kube, python, root, target, tidy};

/// The fuzz targets, a workspace of their own.
const FUZZ: &str = "fuzz/Cargo.toml";

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Leave out the tests on a real API server.
    #[arg(long)]
    fast: bool,
}

pub(crate) fn run(args: &TestArgs) -> anyhow::Result<()> {
    let cargo = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO"));
        command.current_dir(root()).args(arguments);
        command
    };
    step("format", || {
        pass(&mut cargo(&["fmt", "--all", "--check"]))?;
        pass(&mut cargo(&["fmt", "--manifest-path", FUZZ, "--check"]))
    })?;
    // The binary first: the tests that run it find it beside themselves.
    step("build", || pass(&mut cargo(&["build", "--package", "fairway"])))?;
    step("lints", || {
        pass(&mut cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))?;
        // Without libFuzzer itself, which needs a C++ compiler; beside what is compiled already.
        let mut fuzz = cargo(&["clippy", "--manifest-path", FUZZ, "--target-dir"]);
        fuzz.arg(target()).args(["--no-default-features", "--features", "manifests,http1"]);
        pass(fuzz.args(["--", "-D", "warnings"]))
    })?;
    step("house rules", tidy::run)?;
    step("Python packages", python::run)?;
    let mut tests = vec!["test", "--workspace"];
    if args.fast {
        tests.extend(["--exclude", "fairway-tests"]);
        step("unit and command line tests", || pass(&mut cargo(&tests)))?;
        return step("in-process tests", || {
            pass(&mut cargo(&["test", "--package", "fairway-tests", "--lib", "--test", "it"]))
        });
    }
    let binaries = step("Kubernetes binaries", kube::run)?;
    step("h2spec", h2spec::run)?;
    // Again, now that Helm is there for the manifests that are made from the chart.
    step("generated files", || codegen::run(true))?;
    step("all tests", || pass(cargo(&tests).env("KUBEBUILDER_ASSETS", &binaries)))
}
