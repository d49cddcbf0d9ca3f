//! A certificate from a folder, as a Secret of type `kubernetes.io/tls` is mounted: `tls.crt` and
//! `tls.key`.

use std::path::Path;
use std::sync::Arc;

use fairway_certificates::Certificate as Read;
use rustls::sign::CertifiedKey;

/// A chain with its key, ready to sign.
pub(crate) type Chain = Arc<CertifiedKey>;

/// A certificate and what it says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    /// The folder, by which it is told of.
    pub(crate) label: String,
    /// The names that it is for, in lower case; `*.example.com` among them.
    pub(crate) names: Box<[Arc<str>]>,
    /// When it ends, in seconds since 1970.
    pub(crate) not_after: i64,
    pub(crate) chain: Chain,
}

impl Certificate {
    /// Reads a folder.
    pub(crate) fn read(folder: &Path) -> Result<Self, String> {
        let label = folder.display().to_string();
        let bytes = |name: &str| {
            std::fs::read(folder.join(name)).map_err(|error| {
                format!(
                    "{label}/{name}: {error}: write the folder of a certificate, with tls.crt and tls.key"
                )
            })
        };
        let read = Read::read(&bytes("tls.crt")?, &bytes("tls.key")?);
        let read = read.map_err(|problem| format!("{label}/{problem}"))?;
        let chain = read.signer().map_err(|problem| format!("{label}/{problem}"))?;
        let Read { names, not_after, .. } = read;
        Ok(Self { names, not_after, chain: Arc::new(chain), label })
    }
}
