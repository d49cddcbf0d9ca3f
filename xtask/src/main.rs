//! `cargo xtask`: everything that a developer or CI runs on the project.

mod bench;
mod cluster;
mod codegen;
mod e2e;
mod fuzz;
mod h2spec;
mod image;
mod kube;
mod matrix;
mod python;
mod steps;
mod test;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Everything that a developer or CI runs on the project.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    after_help = "Examples:\n  cargo xtask test          all checks and tests, as CI runs them\n  cargo xtask test --fast   without the real API server\n  cargo xtask bench proxy   CPU per request, beside nginx, HAProxy and Envoy"
)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run every check and test; what it needs is built first.
    Test(test::TestArgs),
    /// Check the house rules: sizes, first lines, dependencies, generated files.
    Tidy,
    /// Write the generated files: CRD, references in the docs, the chart's schema, plain manifests.
    Codegen {
        /// Only compare.
        #[arg(long)]
        check: bool,
    },
    /// Build etcd, kube-apiserver, kubectl and Helm into the cache, where they are missing.
    Kube,
    /// Make the Python environment of the tests, where it is missing.
    Python,
    /// A real Kubernetes node on this machine (root, Debian).
    #[command(subcommand)]
    Cluster(cluster::ClusterCommand),
    /// Install and use Fairway on such a node, as its operators do (root, Debian).
    E2e(e2e::E2eArgs),
    /// Build the image: the static binary and nothing else.
    Image(image::ImageArgs),
    /// Look for inputs that break an invariant (Linux, a C++ compiler).
    Fuzz(fuzz::FuzzArgs),
    /// Hold a running gateway against h2spec, every case.
    H2spec,
    /// Every protocol with every other, and clients that are not ours (Debian).
    Matrix(matrix::MatrixArgs),
    /// Measure, side by side with peers.
    Bench(bench::BenchArgs),
}

fn main() -> ExitCode {
    let result = match Args::parse().command {
        Command::Test(args) => test::run(&args),
        Command::Tidy => tidy::run(),
        Command::Codegen { check } => codegen::run(check),
        Command::Kube => kube::run().map(drop),
        Command::Python => python::run(),
        Command::Cluster(command) => cluster::run(&command),
        Command::E2e(args) => e2e::run(&args),
        Command::Image(args) => image::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::H2spec => h2spec::run(),
        Command::Matrix(args) => matrix::run(&args),
        Command::Bench(args) => bench::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            steps::say(&format!("failed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Where cargo puts what it builds.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The top of the project.
fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or(here.clone(), PathBuf::from)
}

/// A free port of loopback.
fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
