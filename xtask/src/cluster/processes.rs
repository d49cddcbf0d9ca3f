//! The node's processes: started in its network and its cgroups, known by pid and start time.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use super::config::{NAMESPACE, folder, write};

/// Enters the groups (the arguments before `--`), then becomes the program.
const ENTER: &str = r#"while [ "$1" != -- ]; do echo $$ >"$1"; shift; done; shift; exec "$@""#;

/// Starts a program that outlives us; its output goes to a log.
pub(super) fn start(name: &str, program: &Path, args: &[String]) -> anyhow::Result<()> {
    let logs = folder().join("logs");
    std::fs::create_dir_all(&logs).with_context(|| format!("cannot make {}", logs.display()))?;
    let path = logs.join(format!("{name}.log"));
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    let child = Command::new("sh")
        .args(["-ec", ENTER, "enter"])
        .args(super::cgroups::entrances())
        .args(["--", "nsenter", &format!("--net=/run/netns/{NAMESPACE}"), "--"])
        .arg(program)
        .args(args)
        .current_dir(folder())
        .env("HOME", folder())
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        // A signal of the terminal is not meant for the node.
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot start {name}"))?;
    let pid = child.id().to_string();
    let began = began(&pid).unwrap_or_default();
    write(&folder().join("pids").join(name), &format!("{pid} {began}"))
}

/// What was started: name, pid, and whether it still runs.
pub(super) fn all() -> Vec<(String, String, bool)> {
    let entries = std::fs::read_dir(folder().join("pids")).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let text = std::fs::read_to_string(entry.path()).ok()?;
            let (pid, at) = text.split_once(' ')?;
            let alive = alive(pid) && began(pid).as_deref() == Some(at);
            Some((name, pid.to_owned(), alive))
        })
        .collect();
    found.sort();
    found
}

/// The pid of a running process of the node.
pub(crate) fn pid_of(name: &str) -> anyhow::Result<String> {
    let found = all().into_iter().find(|(known, _, alive)| known == name && *alive);
    found.map(|(_, pid, _)| pid).with_context(|| format!("{name} does not run"))
}

/// Sends a signal to a process.
pub(crate) fn signal(pid: &str, signal: &str) -> anyhow::Result<()> {
    let output = Command::new("kill").args([&format!("-{signal}"), pid]).output()?;
    if !output.status.success() {
        bail!("kill -{signal} {pid}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// Whether a process runs; a zombie does not.
pub(super) fn alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
}

/// When a process began, in the clock of the kernel: a pid that was given away again has another.
fn began(pid: &str) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')').next()?.split_whitespace().nth(19).map(str::to_owned)
}

/// The last lines of a log.
pub(super) fn log_tail(name: &str) -> String {
    let path = folder().join("logs").join(format!("{name}.log"));
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
