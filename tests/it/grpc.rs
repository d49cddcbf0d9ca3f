//! gRPC through the gateway: a service and a client that are not ours, and every kind of call.

use std::net::SocketAddr;

use fairway_tests::eventually::eventually;
use fairway_tests::gateway::{Gateway, route};
use fairway_tests::origin::Raw;
use fairway_tests::process::{Process, free_port};
use fairway_tests::tls::{Authority, config_map};
use tokio::io::AsyncReadExt;

use super::fastapi::python;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/grpc");

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_call_passes() {
    calls(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_call_passes_over_tls() {
    calls(true).await;
}

async fn calls(secured: bool) {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut args = vec![format!("{FOLDER}/service.py"), port.to_string()];
    let authority = Authority::new("one");
    if secured {
        let identity = authority.issue(&["grpc.example"]);
        for (name, text) in [("key.pem", identity.key.serialize_pem()), ("crt.pem", identity.pem)] {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            args.push(path.display().to_string());
        }
    }
    let tls = if secured { ", tls: {serverName: grpc.example, caConfigMap: ca}" } else { "" };
    let service = Process::start_with(&python(), &args, &folder.path().join("service"), &[]);
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    eventually("the service listens", || async {
        assert!(!service.ended(), "{}", service.errors());
        tokio::net::TcpStream::connect(address).await.ok()
    })
    .await;
    let silent = Raw::start(|_, mut stream| async move {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    })
    .await;
    let grpc =
        |port: u16| format!("backends: [{{host: 127.0.0.1, port: {port}, protocol: grpc{tls}}}]");
    let rules = route(&format!(
        "- match: [{{path: /test.Service/*}}]\n  {}\n\
         - match: [{{path: /down/*}}]\n  {}\n\
         - match: [{{path: /slow/*}}]\n  policy: {{timeouts: {{response: 300ms}}}}\n  {}\n\
         - match: [{{path: /small/*}}]\n  policy: {{limits: {{bodyBytes: 1000}}}}\n  {}",
        grpc(port),
        grpc(1),
        grpc(silent.address.port()),
        grpc(port),
    ));
    let gateway = Gateway::start(&(rules + &config_map("ca", &authority.pem()))).await;
    let output = tokio::process::Command::new(python())
        .args([format!("{FOLDER}/client.py"), gateway.address().to_string()])
        .output()
        .await
        .unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", said(&output.stdout), said(&output.stderr));
    println!("{}", said(&output.stdout));
    // Requests share connections.
    let opened = gateway.metrics().await["fairway_upstream_connections_opened_total"];
    assert!(opened < 50.0, "{opened}");
    // Errors count as those of others do.
    let code = |rule: u8, code: u16| {
        format!(
            "fairway_requests_total{{namespace=\"default\",route=\"test\",rule=\"rule-{rule}\",code=\"{code}\"}}"
        )
    };
    for (rule, status) in [(1, 502), (2, 504), (3, 413)] {
        gateway.metric(&code(rule, status), 1.0).await;
    }
    gateway.metric("fairway_requests_in_flight", 0.0).await;
}
