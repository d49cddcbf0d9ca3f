//! Which certificate a client gets: the one for its name, one for all names beside it, or the first.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::{Certificate, Chain};

/// All certificates, by the names that they are for.
#[derive(Debug)]
pub(super) struct Known {
    all: Vec<Certificate>,
    by_name: HashMap<String, Chain>,
}

/// Chooses among those that are known now.
#[derive(Debug)]
pub(super) struct Resolver(pub(super) Arc<ArcSwap<Known>>);

impl Known {
    /// The first is for clients that name none that is known; of two for one name the first is taken.
    pub(super) fn new(all: Vec<Certificate>) -> Self {
        let mut by_name = HashMap::new();
        for certificate in &all {
            for name in &certificate.names {
                by_name.entry(name.clone()).or_insert_with(|| Arc::clone(&certificate.chain));
            }
        }
        Self { all, by_name }
    }

    pub(super) fn all(&self) -> &[Certificate] {
        &self.all
    }

    /// Whether others were read since.
    pub(super) fn differs(&self, read: &[Certificate]) -> bool {
        let same = |(a, b): (&Certificate, &Certificate)| {
            a.label == b.label && a.chain.cert == b.chain.cert
        };
        self.all.len() != read.len() || !self.all.iter().zip(read).all(same)
    }

    /// The certificate for a name (RFC 9525 section 6.3: `*` stands for one label).
    pub(super) fn find(&self, name: Option<&str>) -> Option<Chain> {
        let found = name.and_then(|name| {
            let name = name.to_ascii_lowercase();
            self.by_name.get(&name).or_else(|| {
                let (_, parent) = name.split_once('.')?;
                self.by_name.get(&format!("*.{parent}"))
            })
        });
        found.or_else(|| self.all.first().map(|certificate| &certificate.chain)).cloned()
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load().find(hello.server_name())
    }
}
