//! TLS towards clients (RFC 8446, RFC 5246): certificates from folders, chosen by the name that a client
//! asks for, and read again when they change.

mod certificates;
mod resolver;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;

use crate::telemetry::metrics::Metrics;
pub(crate) use certificates::{Certificate, Chain};
use resolver::{Known, Resolver};

/// How often the folders are looked at: a kubelet brings a changed Secret within a minute anyway.
const AGAIN: Duration = Duration::from_secs(5);
/// HTTP/2 before HTTP/1.1 (RFC 7301).
const PROTOCOLS: [&[u8]; 2] = [HTTP2, HTTP1];
pub(crate) const HTTP2: &[u8] = b"h2";
pub(crate) const HTTP1: &[u8] = b"http/1.1";
/// When a certificate that ends is spoken of, in days before.
const WARNINGS: [i64; 3] = [1, 7, 30];
const DAY: i64 = 24 * 60 * 60;

/// The certificates of the process.
pub(crate) struct Certificates {
    folders: Vec<PathBuf>,
    known: Arc<ArcSwap<Known>>,
    metrics: Arc<Metrics>,
}

impl Certificates {
    /// Reads the folders.
    ///
    /// # Errors
    ///
    /// What is wrong with any of them, with what to do.
    pub(crate) fn load(folders: &[PathBuf], metrics: Arc<Metrics>) -> Result<Self, String> {
        let read = read(folders).map_err(|problems| problems.join("; "))?;
        metrics.set_certificates(&read);
        let known = Arc::new(ArcSwap::from_pointee(Known::new(read)));
        Ok(Self { folders: folders.to_vec(), known, metrics })
    }

    /// How connections of listeners with TLS begin.
    pub(crate) fn settings(&self) -> Result<Arc<ServerConfig>, String> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let resolver = Resolver(Arc::clone(&self.known));
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(resolver));
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        // A client that comes again needs no state of ours to be known.
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(|error| error.to_string())?;
        config.send_tls13_tickets = 1;
        Ok(Arc::new(config))
    }

    /// Reads the folders again and again. What cannot be read changes nothing: the certificates before
    /// stay.
    pub(crate) async fn watch(self) {
        let mut warned = Warned::default();
        let mut last = Vec::new();
        loop {
            warned.warn(&self.known.load());
            tokio::time::sleep(AGAIN).await;
            match read(&self.folders) {
                Ok(read) => {
                    last.clear();
                    if self.known.load().differs(&read) {
                        tracing::info!(certificates = read.len(), "certificates changed");
                        self.metrics.set_certificates(&read);
                        self.known.store(Arc::new(Known::new(read)));
                    }
                }
                Err(problems) if problems != last => {
                    for problem in &problems {
                        tracing::error!(%problem, "certificates are as before");
                    }
                    last = problems;
                }
                Err(_) => {}
            }
        }
    }
}

/// Reads every folder; all problems at once.
fn read(folders: &[PathBuf]) -> Result<Vec<Certificate>, Vec<String>> {
    let (mut certificates, mut problems) = (Vec::new(), Vec::new());
    for folder in folders {
        match Certificate::read(folder) {
            Ok(certificate) => certificates.push(certificate),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(certificates) } else { Err(problems) }
}

/// What was said of the end of certificates.
#[derive(Default)]
struct Warned(std::collections::HashMap<String, i64>);

impl Warned {
    /// Says once for each of the warnings that a certificate ends soon.
    fn warn(&mut self, known: &Known) {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let now = now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        for certificate in known.all() {
            let left = (certificate.not_after - now).div_euclid(DAY);
            let Some(warning) = WARNINGS.into_iter().find(|days| left < *days) else { continue };
            let said = self.0.insert(certificate.label.clone(), warning);
            if said != Some(warning) {
                let certificate = &certificate.label;
                tracing::warn!(%certificate, days_left = left, "a certificate ends soon");
            }
        }
    }
}
