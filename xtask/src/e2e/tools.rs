//! What scenarios have in common: helm, waiting, pods and their processes.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::{cluster, root};

/// The namespace that scenarios install to.
pub(super) const SYSTEM: &str = "fairway-system";
/// The namespace of the teams' services.
pub(super) const TEAM: &str = "market";
/// The release.
pub(super) const RELEASE: &str = "fairway";
/// Another release, and its namespace.
pub(super) const SECOND: &str = "second";
pub(super) const SECOND_SYSTEM: &str = "second-system";
/// Namespaces that scenarios make; each begins without them.
const NAMESPACES: [&str; 4] = [SYSTEM, SECOND_SYSTEM, TEAM, "reports"];

/// The chart of this checkout.
pub(super) fn chart() -> String {
    root().join("charts/fairway").display().to_string()
}

/// The image that is tried, as values of the chart.
pub(super) fn image_values() -> [String; 3] {
    let (repository, tag) = super::IMAGE.rsplit_once(':').unwrap_or((super::IMAGE, "latest"));
    [
        format!("--set=image.repository={repository}"),
        format!("--set=image.tag={tag}"),
        "--set=image.pullPolicy=Never".to_owned(),
    ]
}

/// Where helm keeps what it keeps: not in the home of whoever runs this.
pub(super) fn helm_home() -> [(&'static str, PathBuf); 3] {
    let home = root().join("target/helm");
    [("HELM_CACHE_HOME", "cache"), ("HELM_CONFIG_HOME", "config"), ("HELM_DATA_HOME", "data")]
        .map(|(name, folder)| (name, home.join(folder)))
}

/// Runs helm; gives what it said.
pub(super) fn helm(args: &[&str]) -> anyhow::Result<String> {
    let mut command = cluster::tool("helm")?;
    let output = command.envs(helm_home()).args(args).output().context("cannot start nsenter")?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    if !output.status.success() {
        bail!("helm {}: {said}", args.join(" "));
    }
    Ok(said)
}

/// Installs or upgrades the release with the image that is tried, and waits for it.
pub(super) fn install(values: &[&str]) -> anyhow::Result<String> {
    install_as(RELEASE, SYSTEM, values)
}

/// The same under another name in another namespace.
pub(super) fn install_as(release: &str, system: &str, values: &[&str]) -> anyhow::Result<String> {
    install_from(&chart(), release, system, values)
}

/// The same from another chart.
pub(super) fn install_from(
    chart: &str,
    release: &str,
    system: &str,
    values: &[&str],
) -> anyhow::Result<String> {
    let image = image_values();
    let mut args = vec![
        "upgrade",
        "--install",
        release,
        chart,
        "--namespace",
        system,
        "--create-namespace",
        "--wait",
        "--timeout=180s",
    ];
    args.extend(image.iter().map(String::as_str));
    args.extend(values);
    helm(&args)
}

/// Runs kubectl; gives what it said.
pub(super) fn kubectl(args: &[&str]) -> anyhow::Result<String> {
    cluster::kubectl(args)
}

/// What kubectl says as JSON.
pub(super) fn get(args: &[&str]) -> anyhow::Result<Value> {
    let text = kubectl(&[&["get", "--output=json"], args].concat())?;
    serde_json::from_str(&text).context("kubectl prints no JSON")
}

/// Tries until it works, at most so long; gives what it found and how long that took.
pub(super) fn eventually<T>(
    what: &str,
    patience: Duration,
    mut attempt: impl FnMut() -> anyhow::Result<T>,
) -> anyhow::Result<(T, Duration)> {
    let began = Instant::now();
    loop {
        match attempt() {
            Ok(found) => return Ok((found, began.elapsed())),
            Err(error) if began.elapsed() > patience => {
                return Err(error.context(format!("waited {} s until {what}", patience.as_secs())));
            }
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

/// Waits until a route of the team is live on every replica, at most so many seconds.
pub(super) fn programmed(name: &str, seconds: u32) -> anyhow::Result<()> {
    let (route, patience) = (format!("serviceroute/{name}"), format!("--timeout={seconds}s"));
    kubectl(&["wait", &route, "--namespace", TEAM, "--for=condition=Programmed", &patience])
        .map(drop)
}

/// Every pod: namespace and name.
pub(super) fn pods() -> anyhow::Result<Vec<(String, String)>> {
    let found = get(&["pods", "--all-namespaces"])?;
    let items = found["items"].as_array().cloned().unwrap_or_default();
    Ok(items
        .iter()
        .map(|pod| (text(pod, "/metadata/namespace"), text(pod, "/metadata/name")))
        .collect())
}

/// A text inside an object.
pub(super) fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A pod of the gateway.
#[derive(Clone, Debug)]
pub(super) struct Gateway {
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) address: String,
}

/// The running pods of the gateway.
pub(super) fn gateways() -> anyhow::Result<Vec<Gateway>> {
    let selector = format!(
        "--selector=app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component=gateway"
    );
    let found = get(&["pods", "--namespace", SYSTEM, &selector])?;
    let items = found["items"].as_array().cloned().unwrap_or_default();
    let alive = items.iter().filter(|pod| {
        pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null()
    });
    let gateways: Vec<Gateway> = alive
        .map(|pod| Gateway {
            name: text(pod, "/metadata/name"),
            uid: text(pod, "/metadata/uid"),
            address: text(pod, "/status/podIP"),
        })
        .collect();
    if gateways.is_empty() {
        bail!("no pod of the gateway runs");
    }
    Ok(gateways)
}

/// The process of the gateway in a pod, as the machine knows it: the one whose program is ours.
pub(super) fn process(gateway: &Gateway) -> anyhow::Result<String> {
    let wanted = gateway.uid.replace('_', "-");
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let Ok(pid) = entry.file_name().into_string() else { continue };
        let of_pod = std::fs::read_to_string(entry.path().join("cgroup"))
            .is_ok_and(|groups| groups.contains(&wanted));
        let ours = std::fs::read_link(entry.path().join("exe"))
            .is_ok_and(|program| program.ends_with("fairway"));
        if of_pod && ours {
            return Ok(pid);
        }
    }
    bail!("no process of {} was found", gateway.name)
}

/// The address of the gateway's Service.
pub(super) fn service_address() -> anyhow::Result<String> {
    address_of(RELEASE, SYSTEM)
}

/// The address of a Service with its first port.
pub(super) fn address_of(name: &str, namespace: &str) -> anyhow::Result<String> {
    let found = get(&["service", name, "--namespace", namespace])?;
    let (address, port) = (text(&found, "/spec/clusterIP"), &found["spec"]["ports"][0]["port"]);
    Ok(format!("{address}:{port}"))
}

/// Asks a URL from inside the node's network; gives status and body.
pub(super) fn ask(url: &str, host: Option<&str>) -> anyhow::Result<(u16, String)> {
    let mut curl = cluster::inside("curl");
    curl.args(["--silent", "--show-error", "--max-time", "10", "--write-out", "\n%{http_code}"]);
    if let Some(host) = host {
        curl.args(["--header", &format!("Host: {host}")]);
    }
    let output = curl.arg(url).output().context("cannot start curl: is it installed?")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let (body, status) = said.rsplit_once('\n').unwrap_or(("", "0"));
    match status.parse() {
        Ok(status) if status != 0 => Ok((status, body.to_owned())),
        _ => bail!("{url}: {}", String::from_utf8_lossy(&output.stderr).trim()),
    }
}

/// Asks until the answer has this status; says how long that took.
pub(super) fn answers(url: &str, status: u16, patience: Duration) -> anyhow::Result<Duration> {
    let attempt = || match ask(url, None)? {
        (found, _) if found == status => Ok(()),
        (found, body) => bail!("{url} answers {found} {body}, not {status}"),
    };
    Ok(eventually(&format!("{url} answers {status}"), patience, attempt)?.1)
}

/// Removes what scenarios install, so that each begins alike.
pub(super) fn clean_up() -> anyhow::Result<()> {
    let releases = helm(&["list", "--all-namespaces", "--short"])?;
    for (release, system) in [(RELEASE, SYSTEM), (SECOND, SECOND_SYSTEM)] {
        if releases.lines().any(|name| name == release) {
            helm(&["uninstall", release, "--namespace", system, "--wait", "--timeout=120s"])?;
        }
    }
    // One with thousands of objects takes its time.
    let mut delete = vec!["delete", "namespace", "--ignore-not-found", "--wait", "--timeout=900s"];
    delete.extend(NAMESPACES);
    kubectl(&delete).map(drop)
}

/// Removes the definitions, which stay when a release goes, and with them every route.
pub(super) fn delete_definitions() -> anyhow::Result<()> {
    let mut delete = vec!["delete", "crd", "--ignore-not-found", "--wait"];
    delete.extend(["serviceroutes.fairway.dev", "gatewayreplicas.fairway.dev"]);
    kubectl(&delete).map(drop)
}

/// Where scenarios write what is worth keeping.
pub(super) fn output_folder() -> anyhow::Result<PathBuf> {
    let folder = root().join("target/e2e");
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}
