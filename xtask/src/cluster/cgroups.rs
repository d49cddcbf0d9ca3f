//! The node's own tree of cgroups: what runs in it is the node, whatever it calls itself.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// The name of the tree in each hierarchy.
pub(super) const TREE: &str = "fairway-node";
/// Where processes of the node live that are no pods.
const SYSTEM: &str = "system";
/// What pods need of the one hierarchy of version 2.
const CONTROLLERS: &str = "+cpu +cpuset +memory +pids";

/// The top of the tree in each mounted hierarchy of a version.
fn tops_of(kind: &str) -> Vec<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let found = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (place, found) = (words.next()?, words.next()?);
        (found == kind).then(|| PathBuf::from(place).join(TREE))
    });
    found.collect()
}

/// Where the tree is made. Where both versions are mounted, the controllers are with the first.
fn tops() -> Vec<PathBuf> {
    let first = tops_of("cgroup");
    if first.is_empty() { tops_of("cgroup2") } else { first }
}

/// Where the tree can be: runc makes groups in the second version too, controllers or not.
fn all_tops() -> Vec<PathBuf> {
    [tops_of("cgroup"), tops_of("cgroup2")].concat()
}

/// Makes the tree.
pub(super) fn up() -> anyhow::Result<()> {
    let tops = tops();
    if tops.is_empty() {
        bail!("no cgroups are mounted on this machine");
    }
    for top in tops {
        let make = |path: &Path| {
            std::fs::create_dir_all(path)
                .with_context(|| format!("cannot make the cgroup {}", path.display()))
        };
        let above = top.parent().map(Path::to_path_buf).unwrap_or_default();
        if above.join("cgroup.controllers").exists() {
            let _ = std::fs::write(above.join("cgroup.subtree_control"), CONTROLLERS);
        }
        make(&top)?;
        if top.join("cgroup.controllers").exists() {
            std::fs::write(top.join("cgroup.subtree_control"), CONTROLLERS)
                .with_context(|| format!("cannot give controllers to {}", top.display()))?;
        }
        inherit(&above, &top)?;
        make(&top.join(SYSTEM))?;
        inherit(&top, &top.join(SYSTEM))?;
    }
    Ok(())
}

/// A new group of `cpuset` takes no process before it has processors and memory.
fn inherit(from: &Path, to: &Path) -> anyhow::Result<()> {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let (from, to) = (from.join(file), to.join(file));
        let Ok(have) = std::fs::read_to_string(&from) else { continue };
        if std::fs::read_to_string(&to).is_ok_and(|text| text.trim().is_empty()) {
            std::fs::write(&to, have.trim())
                .with_context(|| format!("cannot write {}", to.display()))?;
        }
    }
    Ok(())
}

/// The files that a process is entered into to belong to the node.
pub(super) fn entrances() -> Vec<PathBuf> {
    tops().iter().map(|top| top.join(SYSTEM).join("cgroup.procs")).collect()
}

/// Ends everything in the tree, then removes it.
pub(super) fn down() -> anyhow::Result<()> {
    let began = Instant::now();
    let tops = all_tops();
    loop {
        let groups: Vec<PathBuf> = tops.iter().flat_map(|top| below(top)).collect();
        let mut pids: Vec<String> = groups.iter().flat_map(|group| processes(group)).collect();
        pids.sort();
        pids.dedup();
        if pids.is_empty() {
            break;
        }
        if began.elapsed() > Duration::from_secs(30) {
            bail!("processes {} do not end", pids.join(", "));
        }
        for freezer in groups.iter().map(|group| group.join("freezer.state")) {
            if freezer.exists() {
                let _ = std::fs::write(freezer, "THAWED");
            }
        }
        let _ = Command::new("kill").arg("-KILL").args(&pids).output();
        std::thread::sleep(Duration::from_millis(50));
    }
    for top in tops {
        // The deepest first.
        for group in below(&top).into_iter().rev() {
            while let Err(error) = std::fs::remove_dir(&group) {
                if began.elapsed() > Duration::from_secs(40) {
                    bail!("cannot remove the cgroup {}: {error}", group.display());
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
    Ok(())
}

/// Tops that are there.
pub(super) fn existing() -> Vec<PathBuf> {
    all_tops().into_iter().filter(|top| top.exists()).collect()
}

/// A group and those below it, parents before children.
fn below(group: &Path) -> Vec<PathBuf> {
    if !group.exists() {
        return Vec::new();
    }
    let mut all = vec![group.to_path_buf()];
    let entries = std::fs::read_dir(group).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    for folder in folders {
        all.extend(below(&folder));
    }
    all
}

/// The processes of a group; a zombie has ended, only nobody has waited for it yet.
fn processes(group: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter(|pid| super::processes::alive(pid)).map(str::to_owned).collect()
}
