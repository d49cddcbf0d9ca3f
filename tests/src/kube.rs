//! A real API server with its own etcd: no root, no node, one for each test that wants to harm it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use fairway_crds::ServiceRoute;
use k8s_openapi::api::core::v1::{Namespace, Service};
use k8s_openapi::api::events::v1::Event;
use kube::Client;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::eventually::eventually;
use crate::process::{Process, free_port};

/// A running API server.
pub struct Kube {
    /// A client with all rights.
    pub client: Client,
    /// A kubeconfig with all rights.
    pub kubeconfig: PathBuf,
    /// Everything that it writes; removed at the end.
    pub folder: TempDir,
    port: u16,
    etcd_port: u16,
    api_server: Option<Process>,
    _etcd: Process,
}

/// Where the binaries are.
pub fn binary(name: &str) -> PathBuf {
    let folder = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from).unwrap_or_else(|| {
        let home = std::env::var_os("HOME").expect("HOME is set");
        let cache = PathBuf::from(home).join(".cache/fairway/kube");
        let mut versions: Vec<_> =
            std::fs::read_dir(&cache).into_iter().flatten().flatten().map(|e| e.path()).collect();
        versions.sort();
        versions.pop().unwrap_or(cache)
    });
    let path = folder.join(name);
    assert!(path.exists(), "{} is missing: run cargo xtask kube", path.display());
    path
}

fn texts(args: &[&str]) -> Vec<String> {
    args.iter().map(|arg| (*arg).to_owned()).collect()
}

impl Kube {
    /// Starts etcd and an API server, and installs the CRD.
    pub async fn start() -> Self {
        let folder = TempDir::with_prefix("fairway-kube-").unwrap();
        let (port, etcd_port) = (free_port(), free_port());
        certificates(folder.path());
        write_kubeconfig(folder.path(), port);
        let etcd = start_etcd(folder.path(), etcd_port);
        let kubeconfig = folder.path().join("kubeconfig");
        let client = client(&kubeconfig).await;
        let mut kube =
            Self { client, kubeconfig, folder, port, etcd_port, api_server: None, _etcd: etcd };
        kube.start_api_server();
        kube.ready().await;
        kube.install_crds().await;
        kube
    }

    /// Starts the API server, again after [`Self::kill`].
    pub fn start_api_server(&mut self) {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let mut args = texts(&[
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--authorization-mode=RBAC",
            "--allow-privileged=true",
            "--audit-log-mode=blocking",
        ]);
        args.extend([
            format!("--etcd-servers=http://127.0.0.1:{}", self.etcd_port),
            format!("--secure-port={}", self.port),
            format!("--cert-dir={}", path("apiserver")),
            format!("--tls-cert-file={}", path("server.crt")),
            format!("--tls-private-key-file={}", path("server.key")),
            format!("--client-ca-file={}", path("ca.crt")),
            format!("--service-account-key-file={}", path("sa.pub")),
            format!("--service-account-signing-key-file={}", path("sa.key")),
            format!("--audit-policy-file={}", path("audit.yaml")),
            format!("--audit-log-path={}", path("audit.log")),
        ]);
        let log = self.folder.path().join("kube-apiserver");
        self.api_server = Some(Process::start(&binary("kube-apiserver"), &args, &log));
    }

    /// Ends the API server without a word.
    pub fn kill_api_server(&mut self) {
        if let Some(mut process) = self.api_server.take() {
            process.signal("KILL");
            process.wait();
        }
    }

    /// Waits until the API server says that it is ready.
    pub async fn ready(&self) {
        let client = self.client.clone();
        let api_server = self.api_server.as_ref();
        eventually("the API server is ready", || async {
            if let Some(process) = api_server.filter(|process| process.ended()) {
                panic!("the API server ended: {}", process.errors());
            }
            let request = http::Request::get("/readyz").body(Vec::new()).unwrap();
            client.request_text(request).await.ok().filter(|text| text == "ok")
        })
        .await;
    }

    async fn install_crds(&self) {
        type Crd = k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
        let api: Api<Crd> = Api::all(self.client.clone());
        for crd in fairway_crds::all() {
            api.create(&PostParams::default(), &crd).await.unwrap();
        }
        let routes: Api<ServiceRoute> = Api::all(self.client.clone());
        eventually("the CRD is served", || async { routes.list(&Default::default()).await.ok() })
            .await;
    }

    /// Makes a namespace.
    pub async fn namespace(&self, name: &str) {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let namespace = json!({ "metadata": { "name": name } });
        api.create(&PostParams::default(), &serde_json::from_value(namespace).unwrap())
            .await
            .unwrap();
    }

    /// Makes a Service with one port.
    pub async fn service(&self, namespace: &str, name: &str, port: u16) {
        let api: Api<Service> = Api::namespaced(self.client.clone(), namespace);
        let service = json!({
            "metadata": { "name": name },
            "spec": { "ports": [{ "name": "http", "port": port }] },
        });
        api.create(&PostParams::default(), &serde_json::from_value(service).unwrap())
            .await
            .unwrap();
    }

    /// The ServiceRoutes of a namespace.
    pub fn routes(&self, namespace: &str) -> Api<ServiceRoute> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// What `kubectl apply --server-side` does.
    pub async fn apply(&self, namespace: &str, name: &str, spec: Value) -> ServiceRoute {
        self.try_apply(namespace, name, spec).await.unwrap()
    }

    /// The same, or what the API server says against it.
    pub async fn try_apply(
        &self,
        namespace: &str,
        name: &str,
        spec: Value,
    ) -> Result<ServiceRoute, String> {
        let object = json!({
            "apiVersion": "fairway.dev/v1alpha1",
            "kind": "ServiceRoute",
            "metadata": { "name": name, "namespace": namespace },
            "spec": spec,
        });
        let params = PatchParams::apply("test").force();
        let applied = self.routes(namespace).patch(name, &params, &Patch::Apply(&object)).await;
        applied.map_err(|error| error.to_string())
    }

    /// The status word of a condition, or `?` when there is none.
    pub async fn condition(
        &self,
        namespace: &str,
        name: &str,
        kind: &str,
    ) -> (String, String, String) {
        let route = self.routes(namespace).get(name).await.unwrap();
        let found = condition(&route, kind);
        found.unwrap_or_else(|| ("?".to_owned(), String::new(), String::new()))
    }

    /// Waits until an object is programmed at its newest generation.
    pub async fn programmed(&self, namespace: &str, name: &str) -> ServiceRoute {
        let api = self.routes(namespace);
        eventually(&format!("{name} is programmed"), || async {
            let route = api.get(name).await.ok()?;
            let status = route.status.as_ref()?;
            let newest = status.observed_generation == route.metadata.generation;
            let (word, ..) = condition(&route, "Programmed")?;
            (newest && word == "True").then_some(route)
        })
        .await
    }

    /// Runs kubectl with all rights; gives its exit code and what it said.
    pub fn kubectl(&self, args: &[&str], input: &str) -> (i32, String) {
        use std::io::Write;
        let mut child = std::process::Command::new(binary("kubectl"))
            .args(args)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("HOME", self.folder.path())
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
    }

    /// The Events about a ServiceRoute, the oldest first.
    pub async fn events(&self, namespace: &str, name: &str) -> Vec<Event> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        let about = |event: &Event| {
            let object = event.regarding.clone().unwrap_or_default();
            object.kind.as_deref() == Some("ServiceRoute") && object.name.as_deref() == Some(name)
        };
        let mut events = api.list(&ListParams::default()).await.unwrap().items;
        events.retain(about);
        events.sort_by_key(|event| event.event_time.as_ref().map(|time| time.0));
        events
    }

    /// What the API server logged of requests: one JSON object for each.
    pub fn audit(&self) -> Vec<Value> {
        let text =
            std::fs::read_to_string(self.folder.path().join("audit.log")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// How many status writes each ServiceRoute has seen, by name.
    ///
    /// The API server notes a write after it has answered it, and watchers see it earlier still.
    /// Two requests of our own, with a pause between them, have to be noted first, so that a busy
    /// machine is given the time that it needs.
    pub async fn status_writes(&self) -> std::collections::BTreeMap<String, usize> {
        self.noted("before").await;
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        self.noted("after").await;
        let mut writes = std::collections::BTreeMap::new();
        for event in self.audit() {
            let object = &event["objectRef"];
            let status = object["resource"] == "serviceroutes" && object["subresource"] == "status";
            if status && event["responseStatus"]["code"] == 200 {
                let name = object["name"].as_str().unwrap_or_default().to_owned();
                *writes.entry(name).or_default() += 1;
            }
        }
        writes
    }

    /// Asks for something that nobody else asks for, and waits until that is in the audit log.
    async fn noted(&self, word: &str) {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let mark = format!("noted={word}-{}", ASKED.fetch_add(1, Ordering::Relaxed));
        let routes: Api<ServiceRoute> = Api::all(self.client.clone());
        routes.list_metadata(&ListParams::default().labels(&mark)).await.unwrap();
        let in_uri = mark.replace('=', "%3D");
        eventually("the audit log is written", || async {
            let has = |event: &Value| {
                event["requestURI"].as_str().is_some_and(|uri| uri.ends_with(&in_uri))
            };
            self.audit().iter().any(has).then_some(())
        })
        .await;
    }

    /// A kubeconfig for a user that shows this token.
    pub fn kubeconfig_with_token(&self, token: &str) -> PathBuf {
        let path = self.folder.path().join("kubeconfig-token");
        std::fs::write(
            &path,
            kubeconfig_text(self.folder.path(), self.port, &json!({ "token": token })),
        )
        .unwrap();
        path
    }

    /// A kubeconfig with all rights for somebody of that name, by which audit tells him apart.
    pub fn kubeconfig_as(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(format!("kubeconfig-{name}"));
        let user = json!({
            "client-certificate": self.folder.path().join("admin.crt"),
            "client-key": self.folder.path().join("admin.key"),
            "as": name,
            "as-groups": ["system:masters"],
        });
        std::fs::write(&path, kubeconfig_text(self.folder.path(), self.port, &user)).unwrap();
        path
    }

    /// Makes etcd forget its history: watches of an older version get 410 Gone.
    pub async fn compact(&self) {
        let etcd = reqwest::Client::new();
        let url = format!("http://127.0.0.1:{}/v3/kv", self.etcd_port);
        let range = etcd.post(format!("{url}/range")).json(&json!({ "key": "AA==" }));
        let answer: Value = range.send().await.unwrap().json().await.unwrap();
        let revision = &answer["header"]["revision"];
        let compaction = etcd.post(format!("{url}/compaction"));
        let body = json!({ "revision": revision, "physical": true });
        assert!(compaction.json(&body).send().await.unwrap().status().is_success());
    }
}

/// Status word, reason and message of a condition.
pub fn condition(route: &ServiceRoute, kind: &str) -> Option<(String, String, String)> {
    let conditions = &route.status.as_ref()?.conditions;
    let found = conditions.iter().find(|condition| condition.type_ == kind)?;
    Some((found.status.clone(), found.reason.clone(), found.message.clone()))
}

async fn client(kubeconfig: &Path) -> Client {
    let read = Kubeconfig::read_from(kubeconfig).unwrap();
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(read, &options).await.unwrap();
    Client::try_from(config).unwrap()
}

fn start_etcd(folder: &Path, port: u16) -> Process {
    let peer = free_port();
    let args = [
        format!("--data-dir={}", folder.join("etcd-data").display()),
        format!("--listen-client-urls=http://127.0.0.1:{port}"),
        format!("--advertise-client-urls=http://127.0.0.1:{port}"),
        format!("--listen-peer-urls=http://127.0.0.1:{peer}"),
        format!("--initial-advertise-peer-urls=http://127.0.0.1:{peer}"),
        format!("--initial-cluster=default=http://127.0.0.1:{peer}"),
        "--unsafe-no-fsync".to_owned(),
    ];
    Process::start(&binary("etcd"), &args, &folder.join("etcd"))
}

/// A CA, a certificate for the server, one for a user with all rights, and a key for tokens.
fn certificates(folder: &Path) {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "fairway-tests");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(folder.join("ca.crt"), ca.pem()).unwrap();
    let issue = |name: &str, organisation: Option<&str>, hosts: &[&str], file: &str| {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        if let Some(organisation) = organisation {
            params.distinguished_name.push(DnType::OrganizationName, organisation);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &ca).unwrap();
        std::fs::write(folder.join(format!("{file}.crt")), certificate.pem()).unwrap();
        std::fs::write(folder.join(format!("{file}.key")), key.serialize_pem()).unwrap();
    };
    issue("kube-apiserver", None, &["127.0.0.1", "localhost"], "server");
    issue("admin", Some("system:masters"), &[], "admin");
    let tokens = KeyPair::generate().unwrap();
    std::fs::write(folder.join("sa.key"), tokens.serialize_pem()).unwrap();
    std::fs::write(folder.join("sa.pub"), tokens.public_key_pem()).unwrap();
    let policy = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules:\n  - level: Metadata\n    resources: [{group: fairway.dev}, {group: coordination.k8s.io}, {group: discovery.k8s.io}, {group: events.k8s.io}, {group: gateway.networking.k8s.io}, {group: \"\", resources: [services, configmaps]}]\n  - level: None\n";
    std::fs::write(folder.join("audit.yaml"), policy).unwrap();
}

fn write_kubeconfig(folder: &Path, port: u16) {
    let user = json!({
        "client-certificate": folder.join("admin.crt"),
        "client-key": folder.join("admin.key"),
    });
    std::fs::write(folder.join("kubeconfig"), kubeconfig_text(folder, port, &user)).unwrap();
}

fn kubeconfig_text(folder: &Path, port: u16, user: &Value) -> String {
    let cluster = json!({
        "server": format!("https://127.0.0.1:{port}"),
        "certificate-authority": folder.join("ca.crt"),
    });
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "test", "cluster": cluster }],
        "users": [{ "name": "test", "user": user }],
        "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "test" } }],
        "current-context": "test",
    })
    .to_string()
}
