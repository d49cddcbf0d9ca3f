//! Certificates of tests, and clients and servers of TLS.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;
use tokio_rustls::server::TlsStream as ServerStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::origin::Raw;

/// A certificate that signed itself, with its key.
pub struct Made {
    pub certificate_pem: String,
    pub key_pem: String,
    pub der: CertificateDer<'static>,
}

/// A certificate for these names.
pub fn made(names: &[&str]) -> Made {
    signed(&params(names))
}

/// The same, which ends then.
pub fn made_until(names: &[&str], end: SystemTime) -> Made {
    let mut params = params(names);
    params.not_after = end.into();
    signed(&params)
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    CertificateParams::new(names).unwrap()
}

/// Bytes as a Secret holds them.
pub fn base64(bytes: &[u8]) -> String {
    let held = serde_json::to_value(k8s_openapi::ByteString(bytes.to_vec())).unwrap();
    held.as_str().unwrap().to_owned()
}

fn signed(params: &CertificateParams) -> Made {
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let der = certificate.der().clone();
    Made { certificate_pem: certificate.pem(), key_pem: key.serialize_pem(), der }
}

/// Writes a certificate for these names into a folder, as a kubelet mounts a Secret.
pub fn certificate(folder: &Path, names: &[&str]) -> CertificateDer<'static> {
    std::fs::create_dir_all(folder).unwrap();
    let made = made(names);
    std::fs::write(folder.join("tls.crt"), made.certificate_pem).unwrap();
    std::fs::write(folder.join("tls.key"), made.key_pem).unwrap();
    made.der
}

/// A client that names no host when TLS begins (RFC 6066 section 3), for HTTP/1.1.
pub fn nameless(trusted: &CertificateDer<'static>) -> TlsConnector {
    let mut config = settings(std::slice::from_ref(trusted), &[&TLS13]);
    config.enable_sni = false;
    TlsConnector::from(Arc::new(config))
}

/// A client that trusts one certificate and offers these protocols (RFC 7301).
pub fn client(
    trusted: &CertificateDer<'static>,
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&str],
) -> TlsConnector {
    client_of(std::slice::from_ref(trusted), versions, protocols)
}

/// A client that trusts several.
pub fn client_of(
    trusted: &[CertificateDer<'static>],
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&str],
) -> TlsConnector {
    let mut config = settings(trusted, versions);
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

fn settings(
    trusted: &[CertificateDer<'static>],
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for certificate in trusted {
        roots.add(certificate.clone()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_protocol_versions(versions).unwrap();
    builder.with_root_certificates(roots).with_no_client_auth()
}

/// Connects by this name.
pub async fn connect(
    client: &TlsConnector,
    address: SocketAddr,
    name: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    client.connect(ServerName::try_from(name.to_owned()).unwrap(), stream).await
}

/// Who vouches for certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
pub struct Identity {
    pub certificate: CertificateDer<'static>,
    pub pem: String,
    pub key: KeyPair,
}

impl Authority {
    /// One of this name.
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Its own certificate.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for these names or addresses, valid from one year to the beginning of another.
    pub fn issue_between(&self, names: &[&str], from: i32, until: i32) -> Identity {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Identity { certificate: certificate.der().clone(), pem: certificate.pem(), key }
    }

    /// One that is valid now.
    pub fn issue(&self, names: &[&str]) -> Identity {
        self.issue_between(names, 2000, 4000)
    }

    /// Those whom it vouches for.
    pub fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        Arc::new(roots)
    }
}

/// A server with this certificate, of these versions and protocols, that wants certificates of `clients`.
pub fn server_of(
    identity: &Identity,
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&str],
    clients: Option<&Authority>,
) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_protocol_versions(versions).unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(clients.roots(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let key = PrivateKeyDer::try_from(identity.key.serialize_der()).unwrap();
    let mut config = builder.with_single_cert(vec![identity.certificate.clone()], key).unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

/// The same of both versions, for every client.
pub fn server(identity: &Identity, protocols: &[&str]) -> TlsAcceptor {
    server_of(identity, &[&TLS12, &TLS13], protocols, None)
}

/// A backend whose every connection with TLS runs a script, which gets the number of the connection, from
/// 0, and the connection.
pub async fn origin<F, S>(acceptor: TlsAcceptor, script: S) -> Raw
where
    F: Future<Output = ()> + Send + 'static,
    S: Fn(usize, ServerStream<TcpStream>) -> F + Clone + Send + 'static,
{
    Raw::start(move |number, stream| {
        let (acceptor, script) = (acceptor.clone(), script.clone());
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                script(number, stream).await;
            }
        }
    })
    .await
}

/// Connections of a server with TLS, for one that is not ours.
pub struct Listener {
    shaken: tokio::sync::mpsc::Receiver<(ServerStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
}

impl Listener {
    /// Listens on a free port; `acceptor` is asked for each connection.
    pub async fn start(acceptor: impl Fn() -> TlsAcceptor + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sends, shaken) = tokio::sync::mpsc::channel(1);
        tokio::spawn(async move {
            while let Ok((stream, peer)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let (sends, acceptor) = (sends.clone(), acceptor());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        let _ = sends.send((stream, peer)).await;
                    }
                });
            }
        });
        Self { shaken, address }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl axum::serve::Listener for Listener {
    type Io = ServerStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.shaken.recv().await {
            Some(shaken) => shaken,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        Ok(self.address)
    }
}

/// A ConfigMap with certificates of authorities, as a manifest.
pub fn config_map(name: &str, pem: &str) -> String {
    let lines: String = pem.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: default, labels: {{fairway.dev/ca: \"true\"}}}}\ndata:\n  ca.crt: |\n{lines}"
    )
}

/// A Secret with a certificate and its key, as a manifest.
pub fn secret(name: &str, identity: &Identity) -> String {
    let indented =
        |text: &str| text.lines().map(|line| format!("    {line}\n")).collect::<String>();
    format!(
        "\n---\napiVersion: v1\nkind: Secret\ntype: kubernetes.io/tls\nmetadata: {{name: {name}, namespace: default}}\nstringData:\n  tls.crt: |\n{}  tls.key: |\n{}",
        indented(&identity.pem),
        indented(&identity.key.serialize_pem()),
    )
}
