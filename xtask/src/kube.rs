//! `cargo xtask kube`: a real Kubernetes API server and Helm, built from Go modules into a cache.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::root;
use crate::steps::{quiet, say, step};

/// A binary: its name, the folder of its Go module, and its package.
const BINARIES: [(&str, &str, &str); 3] = [
    ("etcd", "tests/kube/etcd", "go.etcd.io/etcd/server/v3"),
    ("kube-apiserver", "tests/kube/kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver"),
    ("kubectl", "tests/kube/kubernetes", "k8s.io/kubernetes/cmd/kubectl"),
];
/// What a whole node needs beside them.
const NODE_BINARIES: [(&str, &str, &str); 4] = [
    (
        "kube-controller-manager",
        "tests/kube/kubernetes",
        "k8s.io/kubernetes/cmd/kube-controller-manager",
    ),
    ("kube-scheduler", "tests/kube/kubernetes", "k8s.io/kubernetes/cmd/kube-scheduler"),
    ("kube-proxy", "tests/kube/kubernetes", "k8s.io/kubernetes/cmd/kube-proxy"),
    ("kubelet", "tests/kube/kubernetes", "k8s.io/kubernetes/cmd/kubelet"),
];
/// Programs with a module of their own: name, and package with version.
const PROGRAMS: [(&str, &str); 1] = [("helm", "helm.sh/helm/v4/cmd/helm@v4.3.1")];
/// Those that only a whole node needs.
const NODE_PROGRAMS: [(&str, &str); 1] = [("coredns", "github.com/coredns/coredns@v1.15.0")];

/// Builds what an API server needs and is missing; says where the binaries are.
pub(crate) fn run() -> anyhow::Result<PathBuf> {
    provide(&BINARIES, &PROGRAMS)
}

/// Builds what a whole node needs and is missing; says where the binaries are.
pub(crate) fn run_for_node() -> anyhow::Result<PathBuf> {
    provide(&[&BINARIES[..], &NODE_BINARIES].concat(), &[PROGRAMS, NODE_PROGRAMS].concat())
}

/// Where the binaries are or will be.
pub(crate) fn folder() -> anyhow::Result<PathBuf> {
    if let Some(folder) = std::env::var_os("KUBEBUILDER_ASSETS") {
        return Ok(PathBuf::from(folder));
    }
    let home = std::env::var_os("HOME").context("HOME is not set")?;
    Ok(PathBuf::from(home).join(".cache/fairway/kube").join(version()?))
}

fn provide(binaries: &[(&str, &str, &str)], programs: &[(&str, &str)]) -> anyhow::Result<PathBuf> {
    if let Some(folder) = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from) {
        let names = binaries.iter().map(|(name, ..)| *name);
        let missing: Vec<&str> = names
            .chain(programs.iter().map(|(name, _)| *name))
            .filter(|name| !folder.join(name).exists())
            .collect();
        if missing.is_empty() {
            return Ok(folder);
        }
        bail!("KUBEBUILDER_ASSETS={} lacks {}", folder.display(), missing.join(", "));
    }
    let version = version()?;
    let folder = folder()?;
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    for (name, module, package) in binaries {
        let target = folder.join(name);
        if target.exists() {
            continue;
        }
        step(&format!("build {name} {version} (once, some minutes)"), || {
            build(&target, &root().join(module), package, &version)
        })?;
    }
    for (name, package) in programs {
        if !folder.join(name).exists() {
            step(&format!("build {name} (once, some minutes)"), || {
                install(&folder, name, package)
            })?;
        }
    }
    say(&format!("    Kubernetes {version} is in {}", folder.display()));
    Ok(folder)
}

/// The version of Kubernetes that the module requires.
fn version() -> anyhow::Result<String> {
    let file = root().join("tests/kube/kubernetes/go.mod");
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("cannot read {}", file.display()))?;
    required(&text)
        .with_context(|| format!("{} does not require k8s.io/kubernetes", file.display()))
}

/// The version of Kubernetes in the text of a `go.mod`; Go may write `// indirect` behind it.
fn required(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let line = line.trim().trim_start_matches("require ");
        let rest = line.strip_prefix("k8s.io/kubernetes ")?;
        rest.split_whitespace().next().map(str::to_owned)
    })
}

fn build(target: &Path, module: &Path, package: &str, version: &str) -> anyhow::Result<()> {
    // Built beside its place and moved there, so that an interrupted build leaves nothing that
    // looks complete.
    let partial = target.with_extension("partial");
    let mut command = Command::new("go");
    command
        .current_dir(module)
        .env("CGO_ENABLED", "0")
        .args(["build", "-p", "2", "-trimpath", "-ldflags", &flags(version), "-o"])
        .arg(&partial)
        .arg(package);
    quiet(package, &mut command).context("is Go 1.26 or newer installed? `go version` tells")?;
    std::fs::rename(&partial, target).context("cannot move the binary to its place")
}

/// A program whose module builds as it is.
fn install(folder: &Path, name: &str, package: &str) -> anyhow::Result<()> {
    let partial = folder.join("partial");
    let mut command = Command::new("go");
    command.current_dir(folder).env("CGO_ENABLED", "0").env("GOBIN", &partial);
    command.args(["install", "-p", "2", "-trimpath", "-ldflags", "-s -w", package]);
    quiet(package, &mut command).context("is Go 1.26 or newer installed? `go version` tells")?;
    std::fs::rename(partial.join(name), folder.join(name))
        .context("cannot move the binary to its place")
}

/// Without their version the binaries call themselves v0.0.0, and checks of skew misfire.
fn flags(version: &str) -> String {
    let mut numbers = version.trim_start_matches('v').split('.');
    let major = numbers.next().unwrap_or_default();
    let minor = numbers.next().unwrap_or_default();
    let mut flags = "-s -w".to_owned();
    for package in ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"] {
        for (name, value) in [
            ("gitVersion", version),
            ("gitMajor", major),
            ("gitMinor", minor),
            ("gitTreeState", "clean"),
            ("gitCommit", version),
            ("buildDate", "1970-01-01T00:00:00Z"),
        ] {
            flags.push_str(&format!(" -X {package}.{name}={value}"));
        }
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::required;

    #[test]
    fn the_version_is_read_from_each_form_of_go_mod() {
        for text in [
            "module x\n\nrequire k8s.io/kubernetes v1.36.4 // indirect\n",
            "require (\n\tk8s.io/api v0.36.4\n\tk8s.io/kubernetes v1.36.4\n)\n",
        ] {
            assert_eq!(required(text).as_deref(), Some("v1.36.4"), "{text}");
        }
        assert_eq!(required("require k8s.io/api v0.36.4\n"), None);
    }
}
