//! `cargo xtask h2spec`: HTTP/2 as another project tests it, case by case, over a running gateway.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use crate::steps::{pass, quiet, say};
use crate::{free_port, root, target};

/// The module, and a version of it.
const MODULE: &str = "github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible";
/// What must fail over a port that speaks HTTP/1.1 too, with the reason: what a client sends that says
/// neither is answered as HTTP/1.1, with 400 (RFC 9112 section 3.2), and the case wants silence.
const BOTH: [&str; 1] = ["Sends invalid connection preface"];
const MANIFEST: &str = "apiVersion: fairway.dev/v1alpha1\nkind: ServiceRoute\nmetadata: {name: h2spec, namespace: default}\nspec:\n  rules:\n    - backends: [{host: 127.0.0.1, port: {port}}]\n";

/// A gateway that ends with this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs every case, the strict ones too.
pub(crate) fn run() -> anyhow::Result<()> {
    let h2spec = provide()?;
    let mut build = Command::new(env!("CARGO"));
    pass(build.current_dir(root()).args(["build", "--package", "fairway"]))?;
    let folder = target().join("h2spec");
    std::fs::create_dir_all(&folder)?;
    let manifest = MANIFEST.replace("{port}", &backend()?.to_string());
    std::fs::write(folder.join("route.yaml"), manifest)?;
    let local = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
    let (address, secured) = (local(free_port()?), local(free_port()?));
    let certificate = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    let certificates = folder.join("certificate");
    std::fs::create_dir_all(&certificates)?;
    std::fs::write(certificates.join("tls.crt"), certificate.cert.pem())?;
    std::fs::write(certificates.join("tls.key"), certificate.signing_key.serialize_pem())?;
    let gateway = Command::new(target().join("debug/fairway"))
        .args(["run", "--manifests"])
        .arg(&folder)
        .args(["--listen", &format!("http={address}"), "--listen", &format!("https={secured}")])
        .arg("--certificates")
        .arg(&certificates)
        .args(["--status", "127.0.0.1:0"])
        .args(["--admin", "127.0.0.1:0", "--log-level", "error", "--access-log=false"])
        .stdin(Stdio::null())
        .spawn()
        .map(Running)
        .context("cannot start the gateway")?;
    let patience = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(address).is_err() {
        ensure!(Instant::now() < patience, "the gateway does not listen on {address} after 20 s");
        std::thread::sleep(Duration::from_millis(20));
    }
    for (name, address, tls, known) in
        [("h2c", address, &[][..], &BOTH[..]), ("TLS", secured, &["--tls", "--insecure"], &[])]
    {
        let output = Command::new(&h2spec)
            .args(["--host", "127.0.0.1", "--port", &address.port().to_string(), "--strict"])
            .args(tls)
            .output()
            .context("cannot run h2spec")?;
        let told = judge(&String::from_utf8_lossy(&output.stdout), known)?;
        say(&format!("    over {name}: {told}"));
    }
    drop(gateway);
    Ok(())
}

/// Holds the report against what is known to fail.
fn judge(report: &str, known: &[&str]) -> anyhow::Result<String> {
    let summary = report.lines().rev().find(|line| line.contains(" tests, "));
    let summary = summary.with_context(|| format!("no summary in the report:\n{report}"))?;
    // The failures are told once more, with what was expected, behind this word.
    let failures = report.split_once("Failures:").map_or("", |(_, failures)| failures);
    let failed: Vec<&str> = failures
        .lines()
        .filter_map(|line| line.trim().strip_prefix("× "))
        .map(|line| line.split_once(": ").map_or(line, |(_, name)| name))
        .collect();
    let count = summary.split(", ").last().unwrap_or_default();
    ensure!(count == format!("{} failed", failed.len()), "{count}, and read were {failed:?}");
    if failed != known {
        bail!("failed are {failed:?}, and known to fail are {known:?}:\n{failures}");
    }
    Ok(summary.trim().to_owned())
}

/// The program, built into the cache where it is missing.
fn provide() -> anyhow::Result<PathBuf> {
    let home = std::env::var_os("HOME").context("HOME is not set")?;
    let folder = PathBuf::from(home).join(".cache/fairway/h2spec");
    let program = folder.join("h2spec");
    if !program.exists() {
        let mut install = Command::new("go");
        install.args(["install", MODULE]).env("GOBIN", &folder).env("GOFLAGS", "-mod=mod");
        quiet("h2spec", &mut install)?;
    }
    Ok(program)
}

/// A backend that reads all that comes before it answers: an answer that came before the frames of a case
/// would hide what becomes of them.
fn backend() -> anyhow::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let _ = stream.set_read_timeout(Some(Duration::from_millis(50)));
                let mut part = [0; 4096];
                while stream.read(&mut part).is_ok_and(|read| read > 0) {}
                let answer =
                    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
                let _ = stream.write_all(answer.as_bytes());
            });
        }
    });
    Ok(port)
}

#[cfg(test)]
mod tests {
    //! What fails and is not known fails the run, and so does what is known and does not fail.

    use super::judge;

    #[test]
    fn only_what_is_known_may_fail() {
        let report = |failed: &[&str]| {
            let told: String = failed.iter().map(|name| format!("      × 2: {name}\n")).collect();
            let count = failed.len();
            format!(
                "  ✔ 1: x\n{told}Failures: \n\n  3.5. Preface\n{told}\nFinished\n9 tests, 8 passed, 0 skipped, {count} failed\n"
            )
        };
        assert_eq!(judge(&report(&[]), &[]).unwrap(), "9 tests, 8 passed, 0 skipped, 0 failed");
        assert!(judge(&report(&["a"]), &["a"]).is_ok());
        assert!(judge(&report(&["b"]), &["a"]).is_err());
        assert!(judge(&report(&[]), &["a"]).is_err());
        assert!(judge(&report(&["a", "b"]), &["a"]).is_err());
        assert!(judge("nothing was run", &[]).is_err());
    }
}
