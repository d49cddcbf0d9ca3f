//! Ending the node, and looking whether anything of it is left.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use super::config::{folder, run_folder};
use super::{cgroups, network};
use crate::steps::say;

/// What the kubelet sets for the whole machine.
const KERNEL: [&str; 3] = ["kernel/panic", "kernel/panic_on_oops", "vm/overcommit_memory"];
/// Folders outside of our own that the kubelet, containerd and its plugins write to.
const SHARED: [&str; 6] = [
    "/var/lib/kubelet",
    "/var/log/containers",
    "/var/log/pods",
    "/var/lib/cni",
    "/run/containerd",
    "/run/netns",
];

/// Notes what is there before the node changes it.
pub(super) fn remember() -> anyhow::Result<()> {
    let memory = folder().join("before");
    for name in KERNEL {
        let value = std::fs::read_to_string(Path::new("/proc/sys").join(name))
            .with_context(|| format!("cannot read {name}"))?;
        super::config::write(&memory.join(name), &value)?;
    }
    let mut there = String::new();
    for path in SHARED.iter().flat_map(|top| below(Path::new(top))) {
        there.push_str(&format!("{}\n", path.display()));
    }
    super::config::write(&memory.join("paths"), &there)
}

/// Ends the node and removes everything that it made; works on half a node too.
pub(crate) fn down() -> anyhow::Result<()> {
    if folder().exists() || network::exists() {
        say("    ending the node");
    }
    cgroups::down()?;
    // Mounts of pods and of containerd; the deepest come last in the table.
    for mount in mounts().into_iter().rev() {
        let output = Command::new("umount").arg(&mount).output().context("cannot start umount")?;
        if !output.status.success() {
            let _ = Command::new("umount").arg("--lazy").arg(&mount).output();
        }
    }
    restore();
    network::down();
    for path in [folder(), run_folder()] {
        if path.exists() {
            std::fs::remove_dir_all(&path)
                .with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    match &leftovers()[..] {
        [] => Ok(()),
        left => bail!("the node has ended, but there is {}", left.join(", ")),
    }
}

/// What of a node is there.
pub(crate) fn leftovers() -> Vec<String> {
    let mut found = Vec::new();
    if network::exists() {
        found.push(format!("the network namespace {}", super::NAMESPACE));
    }
    found.extend(cgroups::existing().iter().map(|path| format!("the cgroup {}", path.display())));
    found.extend(mounts().iter().map(|path| format!("the mount {}", path.display())));
    let folders = [folder(), run_folder()];
    found.extend(
        folders
            .iter()
            .filter(|path| path.exists())
            .map(|path| format!("the folder {}", path.display())),
    );
    found
}

/// Mounts below our folders, in the order in which they were made.
fn mounts() -> Vec<PathBuf> {
    let text = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let places = text.lines().filter_map(|line| line.split(' ').nth(1));
    let places = places.map(|place| PathBuf::from(place.replace("\\040", " ")));
    places.filter(|path| path.starts_with(folder()) || path.starts_with(run_folder())).collect()
}

/// Puts back what was noted before the node came.
fn restore() {
    let memory = folder().join("before");
    for name in KERNEL {
        if let Ok(value) = std::fs::read_to_string(memory.join(name)) {
            let _ = std::fs::write(Path::new("/proc/sys").join(name), value);
        }
    }
    let Ok(before) = std::fs::read_to_string(memory.join("paths")) else { return };
    let before: std::collections::BTreeSet<&str> = before.lines().collect();
    let now = SHARED.iter().flat_map(|top| below(Path::new(top)));
    // Files before the folders that they are in.
    let mut new: Vec<PathBuf> =
        now.filter(|path| !before.contains(path.display().to_string().as_str())).collect();
    new.sort();
    for path in new.iter().rev() {
        let is_folder = path.symlink_metadata().is_ok_and(|found| found.is_dir());
        let _ = if is_folder { std::fs::remove_dir(path) } else { std::fs::remove_file(path) };
    }
}

/// A path and everything below it; links are not followed.
fn below(path: &Path) -> Vec<PathBuf> {
    let Ok(found) = path.symlink_metadata() else { return Vec::new() };
    let mut all = vec![path.to_path_buf()];
    if found.is_dir() {
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            all.extend(below(&entry.path()));
        }
    }
    all
}
