//! Names, addresses and the settings files of the node.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::{Value, json};

/// The network namespace, the bridge's owner, and the node's name.
pub(crate) const NAMESPACE: &str = "fairway";
/// The node's own address, on a bridge without ports.
pub(crate) const ADDRESS: &str = "10.250.0.1";
/// The address of the cluster's name server.
pub(crate) const NAME_SERVER: &str = "10.96.0.10";
pub(super) const SERVICES: &str = "10.96.0.0/16";
pub(super) const PODS: &str = "10.244.0.0/24";
pub(super) const PAUSE: &str = "localhost/pause:1";
pub(super) const COREDNS: &str = "localhost/coredns:1";

/// Everything that the node writes and that can be told where.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from("/var/lib/fairway-node")
}

/// Sockets and state that does not outlive a boot.
pub(super) fn run_folder() -> PathBuf {
    PathBuf::from("/run/fairway-node")
}

pub(super) fn containerd_socket() -> PathBuf {
    run_folder().join("containerd.sock")
}

pub(super) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)
            .with_context(|| format!("cannot make {}", parent.display()))?;
    }
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Every settings file of the node.
pub(super) fn write_all() -> anyhow::Result<()> {
    let folder = folder();
    for user in ["admin", "controller-manager", "scheduler", "proxy", "kubelet"] {
        write(&folder.join(format!("{user}.kubeconfig")), &kubeconfig(user).to_string())?;
    }
    write(&folder.join("audit.yaml"), &audit().to_string())?;
    write(&folder.join("kubelet.yaml"), &kubelet().to_string())?;
    write(&folder.join("containerd.toml"), &containerd())?;
    write(&folder.join("cni/10-fairway.conflist"), &network().to_string())
}

fn kubeconfig(user: &str) -> Value {
    let pki = folder().join("pki");
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "node", "cluster": {
            "server": format!("https://{ADDRESS}:6443"),
            "certificate-authority": pki.join("ca.crt"),
        } }],
        "users": [{ "name": user, "user": {
            "client-certificate": pki.join(format!("{user}.crt")),
            "client-key": pki.join(format!("{user}.key")),
        } }],
        "contexts": [{ "name": "node", "context": { "cluster": "node", "user": user } }],
        "current-context": "node",
    })
}

/// What service accounts ask of the API server is kept, and when somebody gives or takes rights;
/// the rest would only fill the disk.
fn audit() -> Value {
    json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [
            { "level": "None", "userGroups": ["system:nodes", "system:serviceaccounts:kube-system"] },
            { "level": "RequestResponse", "userGroups": ["system:serviceaccounts"],
              "resources": [{ "group": "coordination.k8s.io" }] },
            { "level": "Metadata", "userGroups": ["system:serviceaccounts"] },
            { "level": "Metadata", "verbs": ["create", "patch", "delete"],
              "resources": [{ "group": "rbac.authorization.k8s.io" }] },
            { "level": "None" },
        ],
    })
}

fn kubelet() -> Value {
    let folder = folder();
    let pki = folder.join("pki");
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": ADDRESS,
        "authentication": {
            "anonymous": { "enabled": false },
            "webhook": { "enabled": true },
            "x509": { "clientCAFile": pki.join("ca.crt") },
        },
        "authorization": { "mode": "Webhook" },
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{}", super::cgroups::TREE),
        "failCgroupV1": false,
        "clusterDNS": [NAME_SERVER],
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": format!("unix://{}", containerd_socket().display()),
        "evictionHard": {},
        "failSwapOn": false,
        "healthzBindAddress": "127.0.0.1",
        "localStorageCapacityIsolation": false,
        "podLogsDir": folder.join("pod-logs"),
        "resolvConf": folder.join("resolv.conf"),
        "serializeImagePulls": false,
        "tlsCertFile": pki.join("kubelet-server.crt"),
        "tlsPrivateKeyFile": pki.join("kubelet-server.key"),
    })
}

/// Without CAP_SYS_RESOURCE no process may lower its score for the out-of-memory killer: hence
/// `restrict_oom_score_adj`.
fn containerd() -> String {
    let (folder, run) = (folder(), run_folder());
    let text = |path: PathBuf| format!("{:?}", path.display().to_string());
    format!(
        r#"version = 2
root = {root}
state = {state}
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = {socket}
[plugins."io.containerd.internal.v1.opt"]
  path = {opt}
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = {cni}
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
"#,
        root = text(folder.join("containerd")),
        state = text(run.join("containerd")),
        socket = text(containerd_socket()),
        opt = text(folder.join("containerd-opt")),
        cni = text(folder.join("cni")),
    )
}

/// Routed, not bridged: routed packets pass connection tracking whatever the machine's modules.
fn network() -> Value {
    json!({
        "cniVersion": "0.4.0",
        "name": "fairway-node",
        "plugins": [
            {
                "type": "ptp",
                "ipMasq": false,
                "ipam": {
                    "type": "host-local",
                    "dataDir": folder().join("cni-addresses"),
                    "ranges": [[{ "subnet": PODS }]],
                    "routes": [{ "dst": "0.0.0.0/0" }],
                },
            },
            { "type": "portmap", "capabilities": { "portMappings": true } },
        ],
    })
}
