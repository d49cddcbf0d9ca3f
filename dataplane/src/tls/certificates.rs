//! A certificate as a Secret of type `kubernetes.io/tls` has it, mounted as a folder: `tls.crt` and
//! `tls.key`.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A chain with its key, ready to sign.
pub(crate) type Chain = Arc<CertifiedKey>;

/// A certificate and what it says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    /// The folder, by which it is told of.
    pub(crate) label: String,
    /// The names that it is for, in lower case; `*.example.com` among them.
    pub(crate) names: Vec<String>,
    /// When it ends, in seconds since 1970.
    pub(crate) not_after: i64,
    pub(crate) chain: Chain,
}

impl Certificate {
    /// Reads a folder.
    pub(crate) fn read(folder: &Path) -> Result<Self, String> {
        let label = folder.display().to_string();
        let wrong = |name: &str, what: &dyn std::fmt::Display| format!("{label}/{name}: {what}");
        let bytes = |name: &str| {
            std::fs::read(folder.join(name)).map_err(|error| {
                wrong(
                    name,
                    &format!(
                        "{error}: write the folder of a certificate, with tls.crt and tls.key"
                    ),
                )
            })
        };
        let certificates = bytes("tls.crt")?;
        let certificates: Result<Vec<_>, _> =
            CertificateDer::pem_slice_iter(&certificates).collect();
        let certificates = certificates.map_err(|error| wrong("tls.crt", &error))?;
        let Some(first) = certificates.first() else {
            return Err(wrong(
                "tls.crt",
                &"there is no certificate: write it in PEM, its own first",
            ));
        };
        let (names, not_after) = described(first).map_err(|error| wrong("tls.crt", &error))?;
        let key = PrivateKeyDer::from_pem_slice(&bytes("tls.key")?);
        let key = key.map_err(|error| wrong("tls.key", &error))?;
        let key = any_supported_type(&key).map_err(|error| wrong("tls.key", &error))?;
        let chain = CertifiedKey::new(certificates, key);
        if let Err(error) = chain.keys_match() {
            return Err(wrong("tls.key", &format!("{error}: it belongs to another certificate")));
        }
        Ok(Self { names, not_after, chain: Arc::new(chain), label })
    }
}

/// The names that a certificate is for, and its end.
fn described(certificate: &CertificateDer<'_>) -> Result<(Vec<String>, i64), String> {
    let (_, read) = X509Certificate::from_der(certificate).map_err(|error| error.to_string())?;
    let mut names = Vec::new();
    if let Ok(Some(alternatives)) = read.subject_alternative_name() {
        for name in &alternatives.value.general_names {
            if let GeneralName::DNSName(name) = name {
                names.push(name.to_ascii_lowercase());
            }
        }
    }
    Ok((names, read.validity().not_after.timestamp()))
}
