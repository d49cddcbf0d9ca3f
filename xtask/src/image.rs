//! `cargo xtask image`: the binary, static, alone in an image.

mod archive;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use clap::Args;

use crate::steps::{pass, say, step};
use crate::{root, target};
pub(crate) use archive::{Entry, Image, write};

/// Whoever runs in the image: nobody, as in most images without a shell.
const USER: u32 = 65_532;
/// What the allocator frees it gives back within a tenth of a second: memory that many changes went
/// through is not counted as the pod's for good. At once, which is 0, costs 2 us a request where
/// connections come and go.
pub(crate) const ENVIRONMENT: [(&str, &str); 1] = [("MIMALLOC_PURGE_DELAY", "100")];
/// Where Debian and most others keep the certificates of public authorities.
const AUTHORITIES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

#[derive(Debug, Args)]
pub(crate) struct ImageArgs {
    /// Name and tag; push it where your nodes can pull it, under the name that you give here.
    #[arg(long, default_value = "localhost/fairway:dev")]
    name: String,
    /// Where the archive goes (OCI layout in a tar; docker and podman load it too).
    #[arg(long, default_value = "target/fairway-image.tar")]
    output: PathBuf,
    /// The build profile: `dist` is what is shipped, `release` is built faster.
    #[arg(long, default_value = "dist")]
    profile: String,
}

pub(crate) fn run(args: &ImageArgs) -> anyhow::Result<()> {
    let output = root().join(&args.output);
    let digest = fairway(&args.name, &args.profile, &output)?;
    say(&format!("    {} is {} ({digest})", output.display(), args.name));
    Ok(())
}

/// Builds the binary and writes its image; gives the digest of the image's manifest.
pub(crate) fn fairway(name: &str, profile: &str, output: &Path) -> anyhow::Result<String> {
    let binary = step(&format!("build the static binary ({profile})"), || {
        static_binary("fairway", profile)
    })?;
    let read = |path: &Path| {
        std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
    };
    let authorities = AUTHORITIES.iter().map(Path::new).find(|path| path.exists());
    let authorities = authorities.context(
        "no certificates of public authorities on this machine: install the package ca-certificates",
    )?;
    let passwd = format!("fairway:x:{USER}:{USER}::/:/sbin/nologin\n");
    let image = Image {
        name,
        command: &["/fairway"],
        environment: &ENVIRONMENT.map(|(name, value)| format!("{name}={value}")),
        user: USER,
        entries: vec![
            Entry::file("etc/passwd", 0o644, passwd.into_bytes()),
            Entry::file("etc/ssl/certs/ca-certificates.crt", 0o644, read(authorities)?),
            Entry::file("fairway", 0o755, read(&binary)?),
        ],
    };
    write(&image, output)
}

/// A binary of the workspace that needs nothing of the system that it runs on.
pub(crate) fn static_binary(name: &str, profile: &str) -> anyhow::Result<PathBuf> {
    let host = host()?;
    let home = std::env::var("CARGO_HOME")
        .or_else(|_| std::env::var("HOME").map(|home| format!("{home}/.cargo")))
        .unwrap_or_default();
    // Paths of the machine that built it are nobody's business.
    let flags =
        ["-Ctarget-feature=+crt-static".to_owned(), format!("--remap-path-prefix={home}=/cargo")];
    let flags = flags.map(|flag| format!("{flag:?}")).join(", ");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root()).args(["build", "--locked", "--profile", profile, "--bin", name]);
    let package = if name == "fairway" { "fairway" } else { "fairway-tests" };
    cargo.args(["--package", package, "--target", &host]);
    cargo.args(["--config", &format!("target.{host}.rustflags=[{flags}]")]);
    pass(&mut cargo)?;
    Ok(target().join(host).join(profile).join(name))
}

/// The triple of this machine.
pub(crate) fn host() -> anyhow::Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("cannot start rustc")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    match text.lines().find_map(|line| line.strip_prefix("host: ")) {
        Some(host) if host.contains("linux") => Ok(host.to_owned()),
        Some(host) => bail!("this is for Linux only; here is {host}"),
        None => bail!("rustc -vV names no host"),
    }
}
