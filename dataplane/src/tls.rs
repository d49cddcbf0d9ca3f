//! TLS towards clients (RFC 8446, RFC 5246): certificates of routes and from folders, chosen by the name
//! that a client asks for, and taken up again when they change.

mod certificates;
mod resolver;
mod shown;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use fairway_certificates::signer;
use fairway_snapshot::{ListenerName, Protocol, Resource, ResourceId, Snapshot};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::ProducesTickets;

use crate::telemetry::metrics::{Held, Metrics};
use certificates::{Certificate, Chain};
use resolver::{ByName, Choice, Known};
pub(crate) use shown::Shown;

/// How often the folders are looked at: a kubelet brings a changed Secret within a minute anyway.
const AGAIN: Duration = Duration::from_secs(5);
/// HTTP/2 before HTTP/1.1 (RFC 7301).
const PROTOCOLS: [&[u8]; 2] = [HTTP2, HTTP1];
pub(crate) const HTTP2: &[u8] = b"h2";
pub(crate) const HTTP1: &[u8] = b"http/1.1";
/// When a certificate that ends is spoken of, in days before.
const WARNINGS: [i64; 3] = [1, 7, 30];
const DAY: i64 = 24 * 60 * 60;

/// What connections of a listener with TLS begin with.
#[derive(Clone, Debug)]
pub(crate) struct Secured {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) choice: Choice,
}

/// The certificates of the process: of folders, and of the routes of each listener.
pub(crate) struct Certificates {
    folders: Arc<ArcSwap<Known>>,
    /// Whether folders were named at all.
    from_folders: bool,
    /// What encrypts tickets: a client that comes again needs no state of ours to be known.
    ticketer: Arc<dyn ProducesTickets>,
    listeners: BTreeMap<ListenerName, OfListener>,
    /// The certificates of the last snapshot, ready to sign.
    chains: HashMap<ResourceId, Chain>,
    metrics: Arc<Metrics>,
}

/// What a listener shows.
struct OfListener {
    /// As the snapshot says it.
    names: BTreeMap<Arc<str>, ResourceId>,
    secured: Secured,
}

impl Certificates {
    /// Reads the folders; gives also who reads them again.
    ///
    /// # Errors
    ///
    /// What is wrong with any of them, with what to do.
    pub(crate) fn load(
        folders: &[PathBuf],
        metrics: Arc<Metrics>,
    ) -> Result<(Self, Folders), String> {
        let read = read(folders).map_err(|problems| problems.join("; "))?;
        tell_of(&metrics, &read);
        let known = Arc::new(ArcSwap::from_pointee(Known::new(read)));
        let again = Folders {
            folders: folders.to_vec(),
            known: Arc::clone(&known),
            metrics: Arc::clone(&metrics),
        };
        let certificates = Self {
            folders: known,
            from_folders: !folders.is_empty(),
            ticketer: aws_lc_rs::Ticketer::new().map_err(|error| error.to_string())?,
            listeners: BTreeMap::new(),
            chains: HashMap::new(),
            metrics,
        };
        Ok((certificates, again))
    }

    /// Takes the certificates of a snapshot up. Connections that are open are not touched, and one that
    /// begins sees all of a listener's or none.
    pub(crate) fn apply(&mut self, snapshot: &Snapshot) {
        let mut chains = HashMap::with_capacity(snapshot.resources.len());
        let mut ends = Vec::with_capacity(snapshot.resources.len());
        let shown: HashSet<&ResourceId> = snapshot
            .listeners
            .values()
            .flat_map(|listener| listener.certificates.values())
            .collect();
        for (id, resource) in &snapshot.resources {
            let Resource::Certificate(certificate) = resource else { continue };
            ends.push((certificate.secret.to_string(), certificate.not_after));
            // Others are shown to backends.
            if !shown.contains(id) {
                continue;
            }
            // The id says all of the content: what is known needs no look.
            let known = self.chains.remove(id).map(Ok);
            let made = || signer(&certificate.chain, &certificate.key).map(Arc::new);
            match known.unwrap_or_else(made) {
                Ok(chain) => {
                    chains.insert(id.clone(), chain);
                }
                Err(problem) => {
                    let secret = &certificate.secret;
                    tracing::error!(%secret, %problem, "certificate cannot be used");
                }
            }
        }
        self.chains = chains;
        self.metrics.set_certificates(Held::Secrets, ends);
        let secured = snapshot.listeners.iter();
        let secured = secured.filter(|(_, listener)| listener.protocol == Protocol::Https);
        for (name, listener) in secured {
            self.show(name, &listener.certificates);
        }
        self.listeners.retain(|name, _| snapshot.listeners.contains_key(name));
    }

    /// What a listener shows from now on.
    fn show(&mut self, name: &ListenerName, names: &BTreeMap<Arc<str>, ResourceId>) {
        let known = self.listeners.get(name);
        if known.is_some_and(|known| known.names == *names) {
            return;
        }
        if names.is_empty() && !self.from_folders {
            tracing::warn!(listener = %name, "no certificate, every client is refused until a route names one");
        }
        let mut by_name = ByName::default();
        for (name, id) in names {
            if let Some(chain) = self.chains.get(id) {
                by_name.add(name, chain);
            }
        }
        if let Some(known) = self.listeners.get_mut(name) {
            known.names = names.clone();
            known.secured.choice.routes.store(Arc::new(by_name));
            return;
        }
        let routes = Arc::new(ArcSwap::from_pointee(by_name));
        let choice = Choice { routes, folders: Arc::clone(&self.folders) };
        match self.settings(&choice) {
            Ok(config) => {
                let secured = Secured { config, choice };
                let listener = OfListener { names: names.clone(), secured };
                self.listeners.insert(name.clone(), listener);
            }
            Err(problem) => tracing::error!(listener = %name, %problem, "no TLS"),
        }
    }

    /// What connections of a listener begin with, also where it has no certificate for anybody yet;
    /// none of one that does not speak HTTPS.
    pub(crate) fn of(&self, name: &ListenerName) -> Option<Secured> {
        self.listeners.get(name).map(|known| known.secured.clone())
    }

    /// How connections of a listener begin.
    fn settings(&self, choice: &Choice) -> Result<Arc<ServerConfig>, String> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(choice.clone()));
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        config.ticketer = Arc::clone(&self.ticketer);
        config.send_tls13_tickets = 1;
        Ok(Arc::new(config))
    }
}

/// Who reads the folders again and again.
pub(crate) struct Folders {
    folders: Vec<PathBuf>,
    known: Arc<ArcSwap<Known>>,
    metrics: Arc<Metrics>,
}

impl Folders {
    /// Reads them, and says of every certificate when it ends soon. What cannot be read changes
    /// nothing: the certificates before stay.
    pub(crate) async fn watch(self) {
        let mut warned = Warned::default();
        let mut last = Vec::new();
        loop {
            warned.warn(&self.metrics.certificates(), seconds_since_1970());
            tokio::time::sleep(AGAIN).await;
            match read(&self.folders) {
                Ok(read) => {
                    last.clear();
                    if self.known.load().differs(&read) {
                        tracing::info!(certificates = read.len(), "certificates changed");
                        tell_of(&self.metrics, &read);
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

fn tell_of(metrics: &Metrics, read: &[Certificate]) {
    let ends = read.iter().map(|read| (read.label.clone(), read.not_after));
    metrics.set_certificates(Held::Folders, ends.collect());
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

fn seconds_since_1970() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX))
}

/// What was said of the end of certificates: for each which one, and how many days before it.
#[derive(Default)]
struct Warned(HashMap<String, (i64, i64)>);

impl Warned {
    /// Says once for each of the warnings that a certificate ends soon; gives those that it spoke of.
    fn warn<'c>(&mut self, all: &'c [(String, i64)], now: i64) -> Vec<&'c str> {
        let mut told = Vec::new();
        for (certificate, not_after) in all {
            let left = (not_after - now).div_euclid(DAY);
            let Some(warning) = WARNINGS.into_iter().find(|days| left < *days) else { continue };
            let said = self.0.insert(certificate.clone(), (*not_after, warning));
            if said != Some((*not_after, warning)) {
                tracing::warn!(%certificate, days_left = left, "a certificate ends soon");
                told.push(certificate.as_str());
            }
        }
        self.0.retain(|label, _| all.iter().any(|(known, _)| known == label));
        told
    }
}
