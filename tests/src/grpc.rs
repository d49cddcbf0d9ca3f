//! A gRPC service and its client, both of grpcio: neither is ours.

use std::net::SocketAddr;

use tempfile::TempDir;
use tokio::io::AsyncReadExt;

use crate::eventually::eventually;
use crate::origin::Raw;
use crate::process::{Process, free_port, python};
use crate::tls::{Authority, config_map};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/grpc");

/// The service, and a backend that never says a word.
pub struct Service {
    port: u16,
    silent: Raw,
    /// Who vouches for the service, where it speaks TLS.
    authority: Option<Authority>,
    _process: Process,
    _folder: TempDir,
}

impl Service {
    /// Starts both, and waits until the service listens.
    pub async fn start() -> Self {
        Self::begin(None).await
    }

    /// The same with a service that speaks TLS.
    pub async fn start_secured() -> Self {
        Self::begin(Some(Authority::new("one"))).await
    }

    async fn begin(authority: Option<Authority>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut args = vec![format!("{FOLDER}/service.py"), port.to_string()];
        if let Some(authority) = &authority {
            let identity = authority.issue(&["grpc.example"]);
            let files = [("key.pem", identity.key.serialize_pem()), ("crt.pem", identity.pem)];
            for (name, text) in files {
                let path = folder.path().join(name);
                std::fs::write(&path, text).unwrap();
                args.push(path.display().to_string());
            }
        }
        let process = Process::start(&python(), &args, &folder.path().join("service"));
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        eventually("the service listens", || async {
            assert!(!process.ended(), "{}", process.errors());
            tokio::net::TcpStream::connect(address).await.ok()
        })
        .await;
        let silent = Raw::start(|_, mut stream| async move {
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
        })
        .await;
        Self { port, silent, authority, _process: process, _folder: folder }
    }

    /// The rules that the client asks for: the service, and errors of the gateway.
    #[must_use]
    pub fn rules(&self) -> String {
        let tls = match self.authority {
            Some(_) => ", tls: {serverName: grpc.example, caConfigMap: ca}",
            None => "",
        };
        let grpc = |port: u16| {
            format!("backends: [{{host: 127.0.0.1, port: {port}, protocol: grpc{tls}}}]")
        };
        format!(
            "- match: [{{path: /test.Service/*}}]\n  {}\n\
             - match: [{{path: /down/*}}]\n  {}\n\
             - match: [{{path: /slow/*}}]\n  policy: {{timeouts: {{response: 300ms}}}}\n  {}\n\
             - match: [{{path: /small/*}}]\n  policy: {{limits: {{bodyBytes: 1000}}}}\n  {}\n",
            grpc(self.port),
            grpc(1),
            grpc(self.silent.address.port()),
            grpc(self.port),
        )
    }

    /// A manifest of who vouches for the service, where it speaks TLS.
    #[must_use]
    pub fn authority(&self) -> String {
        let authority = self.authority.as_ref();
        authority.map(|authority| config_map("ca", &authority.pem())).unwrap_or_default()
    }
}

/// Calls the service through a gateway in every way; says what was measured, or what was not as it
/// should be.
pub async fn client(gateway: SocketAddr) -> Result<String, String> {
    let output = tokio::process::Command::new(python())
        .args([format!("{FOLDER}/client.py"), gateway.to_string()])
        .output()
        .await
        .unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        return Ok(said(&output.stdout));
    }
    Err(format!("{}{}", said(&output.stdout), said(&output.stderr)))
}
