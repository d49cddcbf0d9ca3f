//! Which certificate a client gets: that of a route for its name, then one of a folder for its name,
//! then the first folder's.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::{Certificate, Chain};

/// Certificates by the names that they are for (RFC 9525 section 6.3: `*` stands for one label).
#[derive(Debug, Default)]
pub(super) struct ByName {
    exact: HashMap<Box<str>, Chain>,
    /// By what stands behind the star and its dot.
    wildcards: HashMap<Box<str>, Chain>,
}

impl ByName {
    /// Of two for one name the first is taken.
    pub(super) fn add(&mut self, name: &str, chain: &Chain) {
        let (names, name) = match name.strip_prefix("*.") {
            Some(parent) => (&mut self.wildcards, parent),
            None => (&mut self.exact, name),
        };
        names.entry(name.into()).or_insert_with(|| Arc::clone(chain));
    }

    /// That for a name in lower case: an exact one before one with a star.
    fn find(&self, name: &str) -> Option<&Chain> {
        let wildcard = || {
            let (label, parent) = name.split_once('.')?;
            self.wildcards.get(parent).filter(|_| !label.is_empty())
        };
        self.exact.get(name).or_else(wildcard)
    }
}

/// The certificates of folders.
#[derive(Debug)]
pub(super) struct Known {
    all: Vec<Certificate>,
    by_name: ByName,
}

impl Known {
    /// The first is for clients that name none that is known.
    pub(super) fn new(all: Vec<Certificate>) -> Self {
        let mut by_name = ByName::default();
        for certificate in &all {
            for name in &certificate.names {
                by_name.add(name, &certificate.chain);
            }
        }
        Self { all, by_name }
    }

    /// Whether others were read since.
    pub(super) fn differs(&self, read: &[Certificate]) -> bool {
        let same = |(a, b): (&Certificate, &Certificate)| {
            a.label == b.label && a.chain.cert == b.chain.cert
        };
        self.all.len() != read.len() || !self.all.iter().zip(read).all(same)
    }

    /// For clients that name none that is known.
    fn first(&self) -> Option<&Chain> {
        self.all.first().map(|certificate| &certificate.chain)
    }
}

/// What the connections of a listener choose among, as it is now.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    /// Of the routes of the listener.
    pub(super) routes: Arc<ArcSwap<ByName>>,
    /// Of all listeners.
    pub(super) folders: Arc<ArcSwap<Known>>,
}

impl Choice {
    /// The certificate for a name.
    pub(super) fn find(&self, name: Option<&str>) -> Option<Chain> {
        let name = name.map(str::to_ascii_lowercase);
        found(&self.routes.load(), &self.folders.load(), name.as_deref()).cloned()
    }

    /// What is chosen among now, to tell whether it has changed.
    pub(super) fn now(&self) -> Now {
        Now { routes: self.routes.load_full(), folders: self.folders.load_full() }
    }

    /// Whether it has not changed since.
    pub(super) fn is(&self, now: &Now) -> bool {
        Arc::ptr_eq(&self.routes.load(), &now.routes)
            && Arc::ptr_eq(&self.folders.load(), &now.folders)
    }
}

/// What was chosen among at a moment.
#[derive(Debug)]
pub(super) struct Now {
    routes: Arc<ByName>,
    folders: Arc<Known>,
}

impl Now {
    /// Whether one certificate is chosen for two names; both in lower case.
    pub(super) fn is_one(&self, a: &str, b: &str) -> bool {
        let found = |name| found(&self.routes, &self.folders, Some(name));
        match (found(a), found(b)) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a.cert == b.cert,
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}

fn found<'c>(routes: &'c ByName, folders: &'c Known, name: Option<&str>) -> Option<&'c Chain> {
    let named = name.and_then(|name| routes.find(name).or_else(|| folders.by_name.find(name)));
    named.or_else(|| folders.first())
}

impl ResolvesServerCert for Choice {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.find(hello.server_name())
    }
}
