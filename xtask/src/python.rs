//! `cargo xtask python`: Python with the packages of the tests' FastAPI application and gRPC service.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Context;

use crate::steps::{pass, quiet, say};

/// Exact versions, so that the tests see the same application everywhere.
const PACKAGES: [&str; 4] =
    ["fastapi==0.115.12", "uvicorn==0.34.2", "python-multipart==0.0.20", "grpcio==1.85.3"];
/// What `cargo xtask matrix` needs beside them.
const CLIENTS: [&str; 1] = ["httpx[http2]==0.28.1"];

/// Makes the environment where it is missing.
pub(crate) fn run() -> anyhow::Result<()> {
    let home = std::env::var_os("HOME").context("HOME is not set")?;
    let folder = PathBuf::from(home).join(".cache/fairway/python");
    let stamp = folder.join("packages.txt");
    if std::fs::read_to_string(&stamp).ok().as_deref() == Some(&PACKAGES.join("\n")) {
        return Ok(());
    }
    if make(&folder).is_err() {
        // Debian keeps the module venv in a package of its own.
        say("    installing Debian packages: python3 python3-venv");
        let mut install = Command::new("apt-get");
        install.args(["install", "--yes", "--no-install-recommends", "python3", "python3-venv"]);
        pass(install.stdout(Stdio::null())).context("install python3 and python3-venv")?;
        make(&folder)?;
    }
    let mut pip = Command::new(folder.join("bin/pip"));
    quiet("Python packages", pip.args(["install", "--quiet"]).args(PACKAGES))?;
    std::fs::write(stamp, PACKAGES.join("\n")).context("cannot note the packages")
}

/// Adds the clients of the protocol matrix to the environment, where they are missing.
pub(crate) fn clients() -> anyhow::Result<()> {
    let home = std::env::var_os("HOME").context("HOME is not set")?;
    let folder = PathBuf::from(home).join(".cache/fairway/python");
    let stamp = folder.join("clients.txt");
    if std::fs::read_to_string(&stamp).ok().as_deref() == Some(&CLIENTS.join("\n")) {
        return Ok(());
    }
    let mut pip = Command::new(folder.join("bin/pip"));
    quiet("Python clients", pip.args(["install", "--quiet"]).args(CLIENTS))?;
    std::fs::write(stamp, CLIENTS.join("\n")).context("cannot note the packages")
}

fn make(folder: &std::path::Path) -> anyhow::Result<()> {
    quiet("Python environment", Command::new("python3").args(["-m", "venv"]).arg(folder))
}
