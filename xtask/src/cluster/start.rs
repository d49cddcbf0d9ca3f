//! Starting the node: what is pure network and files first, then the processes, then what runs as
//! pods.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use jiff::Timestamp;

use super::config::{self, ADDRESS, COREDNS, NAMESPACE, PAUSE, SERVICES, folder, run_folder};
use super::{cgroups, inside, kubectl_command, network, packages, pki, processes, stop};
use crate::image::{self, Entry, Image};
use crate::kube;
use crate::steps::{quiet, say, step};

/// How long the node may take for each thing that is waited for.
const PATIENCE: Duration = Duration::from_secs(120);
/// Where the times are noted at which the API server came back.
const STARTS: &str = "api-server-starts";
/// The name server as pods, and the rights that it needs.
const NAMES: &str = include_str!("coredns.yaml");

/// Starts the node and waits until it takes pods and answers names.
pub(crate) fn up() -> anyhow::Result<()> {
    let binaries = kube::run_for_node()?;
    packages::install()?;
    if !stop::leftovers().is_empty() {
        step("remove the node that was there", stop::down)?;
    }
    step("network, certificates and settings", || {
        stop::remember()?;
        network::up()?;
        cgroups::up()?;
        pki::write_all(&folder().join("pki"))?;
        config::write(&folder().join("resolv.conf"), "nameserver 127.0.0.1\n")?;
        config::write_all()
    })?;
    step("control plane", || {
        for name in ["etcd", "kube-apiserver", "containerd"] {
            start_one(name)?;
        }
        api_server_ready()?;
        for name in ["kube-controller-manager", "kube-scheduler", "kube-proxy"] {
            start_one(name)?;
        }
        Ok(())
    })?;
    step("images of the node", || {
        let pause = folder().join("pause");
        let source = crate::root().join("tests/kube/pause.c");
        let mut compile = Command::new("cc");
        compile.args(["-O2", "-static", "-o"]).arg(&pause).arg(source);
        quiet("pause", &mut compile).context("is a C compiler installed?")?;
        own_image(PAUSE, "pause", &pause)?;
        own_image(COREDNS, "coredns", &binaries.join("coredns"))
    })?;
    step("node is ready and answers names", || {
        start_one("kubelet")?;
        apply(NAMES)?;
        wait("the node is ready", || {
            let ready =
                kubectl(&["wait", "node", NAMESPACE, "--for=condition=Ready", "--timeout=1s"]);
            ready.map(drop)
        })?;
        kubectl(&[
            "--namespace=kube-system",
            "rollout",
            "status",
            "deployment/coredns",
            "--timeout=90s",
        ])
        .map(drop)
    })
}

/// What each process is, and with which arguments.
fn arguments(name: &str) -> anyhow::Result<(PathBuf, Vec<String>)> {
    let folder = folder();
    let pki = |file: &str| folder.join("pki").join(file).display().to_string();
    let place = |file: &str| folder.join(file).display().to_string();
    let kubeconfig = |user: &str| format!("--kubeconfig={}", place(&format!("{user}.kubeconfig")));
    let args = match name {
        "etcd" => vec![
            format!("--data-dir={}", place("etcd")),
            "--listen-client-urls=http://127.0.0.1:2379".to_owned(),
            "--advertise-client-urls=http://127.0.0.1:2379".to_owned(),
            "--listen-peer-urls=http://127.0.0.1:2380".to_owned(),
            "--unsafe-no-fsync".to_owned(),
        ],
        "kube-apiserver" => api_server(pki, place),
        "kube-controller-manager" => vec![
            kubeconfig("controller-manager"),
            format!("--service-account-private-key-file={}", pki("sa.key")),
            format!("--root-ca-file={}", pki("ca.crt")),
            "--use-service-account-credentials=true".to_owned(),
            "--leader-elect=false".to_owned(),
            "--bind-address=127.0.0.1".to_owned(),
        ],
        "kube-scheduler" => vec![
            kubeconfig("scheduler"),
            "--leader-elect=false".to_owned(),
            "--bind-address=127.0.0.1".to_owned(),
        ],
        "kube-proxy" => vec![
            kubeconfig("proxy"),
            format!("--hostname-override={NAMESPACE}"),
            "--proxy-mode=nftables".to_owned(),
            "--cluster-cidr=10.244.0.0/16".to_owned(),
            // The machine's table of connections is not ours to change.
            "--conntrack-max-per-core=0".to_owned(),
            "--conntrack-tcp-timeout-established=0s".to_owned(),
            "--conntrack-tcp-timeout-close-wait=0s".to_owned(),
        ],
        "kubelet" => vec![
            kubeconfig("kubelet"),
            format!("--config={}", place("kubelet.yaml")),
            format!("--root-dir={}", place("kubelet")),
            format!("--cert-dir={}", place("kubelet-pki")),
            format!("--hostname-override={NAMESPACE}"),
            format!("--node-ip={ADDRESS}"),
        ],
        "containerd" => vec![format!("--config={}", place("containerd.toml"))],
        _ => bail!("{name} is no process of the node"),
    };
    let program = match name {
        "containerd" => PathBuf::from("/usr/bin/containerd"),
        _ => kube::folder()?.join(name),
    };
    Ok((program, args))
}

fn api_server(pki: impl Fn(&str) -> String, place: impl Fn(&str) -> String) -> Vec<String> {
    let mut args: Vec<String> = [
        "--etcd-servers=http://127.0.0.1:2379",
        "--secure-port=6443",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--kubelet-preferred-address-types=InternalIP",
        "--allow-privileged=true",
        "--audit-log-maxsize=2000",
    ]
    .map(str::to_owned)
    .to_vec();
    args.extend([
        format!("--bind-address={ADDRESS}"),
        format!("--advertise-address={ADDRESS}"),
        format!("--service-cluster-ip-range={SERVICES}"),
        format!("--tls-cert-file={}", pki("server.crt")),
        format!("--tls-private-key-file={}", pki("server.key")),
        format!("--client-ca-file={}", pki("ca.crt")),
        format!("--kubelet-client-certificate={}", pki("apiserver-kubelet.crt")),
        format!("--kubelet-client-key={}", pki("apiserver-kubelet.key")),
        format!("--kubelet-certificate-authority={}", pki("ca.crt")),
        format!("--service-account-key-file={}", pki("sa.pub")),
        format!("--service-account-signing-key-file={}", pki("sa.key")),
        format!("--audit-policy-file={}", place("audit.yaml")),
        format!("--audit-log-path={}", place("logs/audit.log")),
    ]);
    args
}

/// Starts one process of the node, again after it was ended.
pub(crate) fn start_one(name: &str) -> anyhow::Result<()> {
    std::fs::create_dir_all(run_folder()).context("cannot make the folder of sockets")?;
    let (program, args) = arguments(name)?;
    processes::start(name, &program, &args)
}

/// Starts the API server again, waits until it takes requests, and notes from when to when that was:
/// until it has read the rights of everybody it refuses what is allowed.
pub(crate) fn restart_api_server() -> anyhow::Result<()> {
    let began = Timestamp::now();
    start_one("kube-apiserver")?;
    api_server_ready()?;
    let mut starts = std::fs::File::options()
        .create(true)
        .append(true)
        .open(folder().join(STARTS))
        .context("cannot note the start of the API server")?;
    writeln!(starts, "{began} {}", Timestamp::now()).context("cannot note the start")
}

/// From when to when API servers came back.
pub(crate) fn api_server_starts() -> Vec<(Timestamp, Timestamp)> {
    let text = std::fs::read_to_string(folder().join(STARTS)).unwrap_or_default();
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    pairs.filter_map(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?))).collect()
}

/// Waits until the API server takes requests.
fn api_server_ready() -> anyhow::Result<()> {
    wait("the API server is ready", || {
        let said = kubectl(&["get", "--raw", "/readyz"])?;
        if said == "ok" { Ok(()) } else { bail!("it says {said:?}") }
    })
}

/// An image that holds one file.
fn own_image(name: &str, file: &'static str, source: &Path) -> anyhow::Result<()> {
    let data =
        std::fs::read(source).with_context(|| format!("cannot read {}", source.display()))?;
    let path = folder().join(format!("{file}.tar"));
    let command = format!("/{file}");
    let entries = vec![Entry::file(file, 0o755, data)];
    let (command, environment) = (&[&*command], &[]);
    image::write(&Image { name, command, environment, user: 65_532, entries }, &path)?;
    load_image(&path)
}

/// Puts an image archive into the node.
pub(crate) fn load_image(archive: &Path) -> anyhow::Result<()> {
    let socket = config::containerd_socket();
    if !network::exists() {
        bail!("no node is up: cargo xtask cluster up");
    }
    wait("containerd answers", || {
        let mut version = Command::new("ctr");
        version.arg("--address").arg(&socket).arg("version").stdin(Stdio::null());
        let output = version.output().context("cannot start ctr")?;
        if output.status.success() { Ok(()) } else { bail!("not yet") }
    })?;
    let mut import = inside("ctr");
    import.arg("--address").arg(&socket).args(["--namespace=k8s.io", "images", "import"]);
    quiet(&format!("load {}", archive.display()), import.arg(archive))
}

/// Gives an image of the node another name.
pub(crate) fn tag_image(image: &str, name: &str) -> anyhow::Result<()> {
    let mut tag = inside("ctr");
    tag.arg("--address").arg(config::containerd_socket());
    tag.args(["--namespace=k8s.io", "images", "tag", "--force", image, name]);
    quiet(&format!("tag {name}"), &mut tag)
}

/// Runs kubectl; gives what it said.
pub(crate) fn kubectl(args: &[&str]) -> anyhow::Result<String> {
    let output = kubectl_command()?.args(args).output().context("cannot start nsenter")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        bail!("kubectl {}: {said}", args.join(" "));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Applies manifests.
pub(crate) fn apply(manifests: &str) -> anyhow::Result<()> {
    feed(&["apply", "--server-side", "--force-conflicts"], manifests)
}

/// Creates what is not there yet.
pub(crate) fn create(manifests: &str) -> anyhow::Result<()> {
    feed(&["create"], manifests)
}

fn feed(args: &[&str], manifests: &str) -> anyhow::Result<()> {
    let mut child = kubectl_command()?
        .args(args)
        .arg("--filename=-")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start nsenter")?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(manifests.as_bytes()).context("kubectl takes no manifests")?;
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("kubectl {}: {}", args[0], String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// Tries until it works. When a process of the node has ended meanwhile, its log says why.
fn wait(what: &str, mut attempt: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let Err(error) = attempt() else { return Ok(()) };
        if let Some((name, ..)) = processes::all().into_iter().find(|(_, _, alive)| !alive) {
            bail!("waiting until {what}: {name} has ended:\n{}", processes::log_tail(&name));
        }
        if began.elapsed() > PATIENCE {
            say(&format!("    logs are in {}", folder().join("logs").display()));
            return Err(error.context(format!("waited {} s until {what}", PATIENCE.as_secs())));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[cfg(test)]
mod tests {
    use super::NAMES;
    use crate::cluster::config::{COREDNS, NAME_SERVER};

    #[test]
    fn the_name_server_has_the_address_and_the_image_that_the_node_expects() {
        assert!(NAMES.contains(&format!("clusterIP: {NAME_SERVER}")));
        assert!(NAMES.contains(&format!("image: {COREDNS}")));
    }
}
