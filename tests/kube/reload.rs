//! The settings file of a running gateway, swapped as a ConfigMap in a pod is: behind a link.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use fairway_tests::eventually::eventually;
use fairway_tests::fairway::binary;
use fairway_tests::http::get;
use fairway_tests::origin::Echo;
use fairway_tests::process::{Process, free_port};
use serde_json::Value;

/// A folder as the kubelet mounts a ConfigMap: the file is a link into a folder that is a link.
struct Mounted {
    folder: PathBuf,
    version: usize,
}

impl Mounted {
    fn new(folder: &Path, text: &str) -> Self {
        let mut mounted = Self { folder: folder.to_owned(), version: 0 };
        mounted.swap(text);
        std::os::unix::fs::symlink("..data/fairway.yaml", mounted.file()).unwrap();
        mounted
    }

    fn file(&self) -> PathBuf {
        self.folder.join("fairway.yaml")
    }

    /// Puts another text in its place, at once and whole.
    fn swap(&mut self, text: &str) {
        self.version += 1;
        let version = format!("..{}", self.version);
        std::fs::create_dir(self.folder.join(&version)).unwrap();
        std::fs::write(self.folder.join(&version).join("fairway.yaml"), text).unwrap();
        let link = self.folder.join("..data_tmp");
        std::os::unix::fs::symlink(version, &link).unwrap();
        std::fs::rename(link, self.folder.join("..data")).unwrap();
    }
}

/// The events of its log with this message.
fn events(process: &Process, message: &str) -> Vec<Value> {
    let log = process.errors();
    let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events.filter(|event| event["message"] == message).collect()
}

async fn address(process: &Process, message: &str, count: usize) -> SocketAddr {
    let found = eventually(message, || async {
        events(process, message)
            .get(count)
            .and_then(|event| event["address"].as_str()?.parse().ok())
    });
    found.await
}

/// Waits until a request for this path is answered by this backend.
async fn answered_by(address: SocketAddr, path: &str, name: &str) {
    eventually(&format!("{name} answers"), || async {
        let answer = get(address, path).await;
        (answer.status == 200 && answer.json()["name"] == name).then_some(())
    })
    .await;
}

/// Waits until the metrics have this line.
async fn counts(status: SocketAddr, line: &str) {
    eventually(line, || async { metric(status, line).await.then_some(()) }).await;
}

async fn metric(status: SocketAddr, line: &str) -> bool {
    let text = get(status, "/metrics").await.body;
    String::from_utf8_lossy(&text).lines().any(|found| found == line)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_is_taken_up_and_a_bad_one_is_not() {
    let (one, two) = tokio::join!(Echo::start("one"), Echo::start("two"));
    let folder = tempfile::tempdir().unwrap();
    let routes = folder.path().join("routes.yaml");
    std::fs::write(&routes, "apiVersion: fairway.dev/v1alpha1\nkind: ServiceRoute\nmetadata: {name: x, namespace: market}\nspec:\n  rules: [{backends: [{service: finance, port: 80}]}]\n").unwrap();
    let (first, second) = (free_port(), free_port());
    let text = |port: u16, backend: SocketAddr, more: &str| {
        format!(
            "manifests: [{}]\nstatus: 127.0.0.1:0\nadmin: 127.0.0.1:0\nlogFormat: json\ndrainDelay: 0s\nlisteners: {{http: 127.0.0.1:{port}}}\nbackends: {{market/finance: {backend}}}\n{more}\n",
            routes.display()
        )
    };
    let mounts = folder.path().join("etc");
    std::fs::create_dir(&mounts).unwrap();
    let mut mounted = Mounted::new(&mounts, &text(first, one.address, ""));
    let args = ["run".to_owned(), format!("--config={}", mounted.file().display())];
    let process = Process::start(&binary(), &args, &folder.path().join("fairway"));
    let http = address(&process, "listening", 0).await;
    let status = address(&process, "status listening", 0).await;
    answered_by(http, "/a", "one").await;
    assert_eq!(http.port(), first);
    // A file that changes before it was read a second time is only read once.
    counts(status, "fairway_settings_loads_total{result=\"good\"} 1").await;
    eventually("the access log has a line", || async {
        process.output().contains("\"/a\"").then_some(())
    })
    .await;

    // Another listener, another backend, no access log, and a setting that must wait.
    let more = "workers: 1\nclass: other\naccessLog: false\nlogLevel: debug";
    mounted.swap(&text(second, two.address, more));
    let http = address(&process, "listening", 1).await;
    assert_eq!(http.port(), second);
    answered_by(http, "/b", "two").await;
    eventually("the old port is closed", || async {
        std::net::TcpStream::connect(("127.0.0.1", first)).is_err().then_some(())
    })
    .await;
    let waiting = eventually("what waits is told", || async {
        events(&process, "settings wait for a restart").pop()
    })
    .await;
    assert_eq!(waiting["settings"], "class, workers");
    let taken = events(&process, "settings taken up");
    assert_eq!(taken[0]["settings"], "accessLog, backends, listeners, logLevel");
    eventually("debug is told", || async { process.errors().contains("DEBUG").then_some(()) })
        .await;
    counts(status, "fairway_settings_pending 2").await;

    // A bad file: every mistake is told, once, and what was good stays.
    mounted.swap(&text(second, one.address, "drainDealy: 5s\nclientHead: 0s"));
    eventually("the mistakes are told", || async {
        (events(&process, "settings refused, the last good ones stay").len() == 2).then_some(())
    })
    .await;
    assert!(process.errors().contains("did you mean drainDelay?"), "{}", process.errors());
    counts(status, "fairway_settings_loads_total{result=\"bad\"} 1").await;
    let still = get(http, "/c").await;
    assert_eq!((still.status, still.json()["name"].as_str()), (200, Some("two")));

    // And a good one again.
    mounted.swap(&text(second, one.address, "accessLog: true"));
    answered_by(http, "/d", "one").await;
    counts(status, "fairway_settings_pending 0").await;
    eventually("the access log goes on", || async {
        process.output().contains("\"/d\"").then_some(())
    })
    .await;
    // Each file was read once: at the start, and at each of three changes.
    counts(status, "fairway_settings_loads_total{result=\"good\"} 3").await;
    assert!(metric(status, "fairway_settings_loads_total{result=\"bad\"} 1").await);
    let output = process.output();
    assert!(!output.contains("\"/b\"") && !output.contains("\"/c\""), "{output}");
}
