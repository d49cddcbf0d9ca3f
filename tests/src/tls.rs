//! Certificates of tests, and clients that trust them.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A certificate that signed itself, with its key.
pub struct Made {
    pub certificate_pem: String,
    pub key_pem: String,
    pub der: CertificateDer<'static>,
}

/// A certificate for these names.
pub fn made(names: &[&str]) -> Made {
    signed(params(names))
}

/// The same, which ends then.
pub fn made_until(names: &[&str], end: SystemTime) -> Made {
    let mut params = params(names);
    params.not_after = end.into();
    signed(params)
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

fn signed(params: CertificateParams) -> Made {
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
    let mut config = settings(trusted, &[&rustls::version::TLS13]);
    config.enable_sni = false;
    TlsConnector::from(Arc::new(config))
}

/// A client that trusts one certificate and offers these protocols (RFC 7301).
pub fn client(
    trusted: &CertificateDer<'static>,
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&str],
) -> TlsConnector {
    let mut config = settings(trusted, versions);
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

fn settings(
    trusted: &CertificateDer<'static>,
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
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
