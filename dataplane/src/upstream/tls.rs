//! TLS with backends (RFC 8446, RFC 5246): who they must be, what is shown to them, and which protocol
//! is agreed on.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::time::{SystemTime, UNIX_EPOCH};

use fairway_snapshot::{Resource, ResourceId, Speaks, UpstreamTls};
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, HandshakeKind, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::connect::BackendSocket;
use crate::error::{ProxyError, TlsProblem};
use crate::socket::Socket;
use crate::telemetry::metrics::{Handshake, WorkerMetrics};
use crate::tls::{HTTP1, HTTP2};

/// How many sessions are kept to be resumed, all of one name.
const SESSIONS: usize = 8;
/// How often the log tells that an upstream has no TLS, in seconds. Each request tells it in its line.
const AGAIN: u64 = 60;

/// TLS with the endpoints of an upstream.
#[derive(Debug)]
pub(crate) struct BackendTls {
    /// None when what it is made of cannot be used: then there are no connections.
    configs: Option<Configs>,
    name: Arc<str>,
    /// When the log told a problem last, in seconds since 1970.
    told: AtomicU64,
}

#[derive(Debug)]
struct Configs {
    name: ServerName<'static>,
    /// Offers what the upstream may speak.
    usual: Arc<ClientConfig>,
    /// Offers HTTP/1.1 alone, with the same sessions.
    http1: Arc<ClientConfig>,
}

/// Whom the system trusts. Read once: who changes that starts anew.
static SYSTEM: LazyLock<Arc<RootCertStore>> = LazyLock::new(|| {
    let read = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (known, unusable) = roots.add_parsable_certificates(read.certs);
    for error in &read.errors {
        tracing::warn!(%error, "some of the system's authorities cannot be read");
    }
    if known == 0 {
        tracing::error!(
            "the system trusts no authority, so that no backend with TLS is trusted without authorities of its own: install ca-certificates, or set SSL_CERT_FILE"
        );
    }
    tracing::debug!(known, unusable, "the system's authorities");
    Arc::new(roots)
});

// === impl BackendTls ===

impl BackendTls {
    /// What is wrong is told in the log, and there will be no connections.
    pub(crate) fn new(
        tls: &UpstreamTls,
        speaks: Speaks,
        resources: &BTreeMap<ResourceId, Resource>,
    ) -> Self {
        let configs = Configs::new(tls, speaks, resources).map_err(|problem| {
            tracing::error!(name = %tls.server_name, %problem, "TLS with a backend cannot be set up");
        });
        let name = Arc::clone(&tls.server_name);
        Self { configs: configs.ok(), name, told: AtomicU64::new(0) }
    }

    /// The handshake over a new connection; says also whether HTTP/2 was agreed on.
    pub(super) async fn secure(
        &self,
        stream: TcpStream,
        endpoint: SocketAddr,
        offers: Speaks,
        metrics: Option<&WorkerMetrics>,
    ) -> Result<(BackendSocket, bool), ProxyError> {
        let shaken = self.shake(stream, offers).await;
        let kind = match &shaken {
            Err((problem, error)) => {
                self.tell(endpoint, *problem, error.as_ref());
                Handshake::Failed
            }
            Ok((_, _, HandshakeKind::Resumed)) => Handshake::Resumed,
            Ok(_) => Handshake::Full,
        };
        if let Some(metrics) = metrics {
            metrics.upstream_tls_handshake(kind);
        }
        let (socket, http2, _) = shaken.map_err(|(problem, _)| ProxyError::UpstreamTls(problem))?;
        Ok((socket, http2))
    }

    async fn shake(
        &self,
        stream: TcpStream,
        offers: Speaks,
    ) -> Result<(BackendSocket, bool, HandshakeKind), (TlsProblem, Option<std::io::Error>)> {
        let configs = self.configs.as_ref().ok_or((TlsProblem::Unusable, None))?;
        let config = if offers == Speaks::Http1 { &configs.http1 } else { &configs.usual };
        let connector = TlsConnector::from(Arc::clone(config));
        let shaken = connector.connect(configs.name.clone(), stream).await;
        let stream = shaken
            .map_err(|error| (TlsProblem::of(&error).unwrap_or(TlsProblem::Broken), Some(error)))?;
        let (_, session) = stream.get_ref();
        let http2 = session.alpn_protocol() == Some(HTTP2);
        // A backend that names no protocol speaks HTTP/1.1 (RFC 9112 section 9.8): HTTP/2 must be named.
        if offers == Speaks::Http2 && !http2 {
            return Err((TlsProblem::ProtocolRefused, None));
        }
        let kind = session.handshake_kind().unwrap_or(HandshakeKind::Full);
        Ok((Socket::Tls(Box::new(stream)), http2, kind))
    }

    /// Tells the log, not too often.
    pub(super) fn tell(
        &self,
        endpoint: SocketAddr,
        problem: TlsProblem,
        error: Option<&std::io::Error>,
    ) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        let before = self.told.load(Relaxed);
        let due = before + AGAIN <= now;
        if due && self.told.compare_exchange(before, now, Relaxed, Relaxed).is_ok() {
            let (name, cause) = (&self.name, problem.as_str());
            let error = error.map(ToString::to_string);
            let error = error.as_deref().unwrap_or("it did not go on after the handshake");
            tracing::warn!(%name, %endpoint, cause, error, "no TLS with a backend");
        }
    }
}

// === impl Configs ===

impl Configs {
    fn new(
        tls: &UpstreamTls,
        speaks: Speaks,
        resources: &BTreeMap<ResourceId, Resource>,
    ) -> Result<Self, String> {
        let name = ServerName::try_from(tls.server_name.to_string());
        let name = name.map_err(|error| error.to_string())?;
        let roots = match &tls.authorities {
            None => Arc::clone(&SYSTEM),
            Some(id) => Arc::new(authorities(id, resources)?),
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| error.to_string())?.with_root_certificates(roots);
        let mut usual = match &tls.identity {
            None => builder.with_no_client_auth(),
            Some(id) => {
                let Some(Resource::Certificate(certificate)) = resources.get(id) else {
                    return Err(format!("there is no certificate {id}"));
                };
                let key = PrivateKeyDer::try_from(certificate.key.bytes().to_vec())?;
                let chain = certificate.chain.iter();
                let chain = chain.map(|one| CertificateDer::from(one.to_vec())).collect();
                builder.with_client_auth_cert(chain, key).map_err(|error| error.to_string())?
            }
        };
        usual.resumption = Resumption::in_memory_sessions(SESSIONS);
        let mut http1 = usual.clone();
        let words = |names: &[&[u8]]| names.iter().map(|name| name.to_vec()).collect();
        http1.alpn_protocols = words(&[HTTP1]);
        usual.alpn_protocols = match speaks {
            Speaks::Http1 => words(&[HTTP1]),
            Speaks::Http2 => words(&[HTTP2]),
            Speaks::Either => words(&[HTTP2, HTTP1]),
        };
        Ok(Self { name, usual: Arc::new(usual), http1: Arc::new(http1) })
    }
}

/// Exactly these vouch for an upstream, and nobody else does.
fn authorities(
    id: &ResourceId,
    resources: &BTreeMap<ResourceId, Resource>,
) -> Result<RootCertStore, String> {
    let Some(Resource::Authorities(all)) = resources.get(id) else {
        return Err(format!("there are no authorities {id}"));
    };
    let mut roots = RootCertStore::empty();
    for one in &all.certificates {
        let one = CertificateDer::from(one.to_vec());
        roots.add(one).map_err(|error| error.to_string())?;
    }
    Ok(roots)
}
