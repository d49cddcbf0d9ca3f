//! Certificates as a Secret of type `kubernetes.io/tls` has them: `tls.crt` and `tls.key` in PEM. They
//! are read and checked here, once, for who compiles and for who serves.

mod name;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use fairway_snapshot::Concealed;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

pub use name::{covers, parent_wildcard};

/// A certificate with its chain and its key, and what it says of itself. The key is the one that the
/// certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The names that it is for, in lower case; `*.example.com` among them.
    pub names: Box<[Arc<str>]>,
    /// When it begins, in seconds since 1970.
    pub not_before: i64,
    /// When it ends, in seconds since 1970.
    pub not_after: i64,
    /// The certificates in DER, its own first.
    pub chain: Box<[Box<[u8]>]>,
    /// Its private key in DER.
    pub key: Concealed,
}

/// What is wrong with a certificate, and where. It never holds anything of the key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {message}")]
pub struct Problem {
    /// `tls.crt` or `tls.key`.
    pub file: &'static str,
    /// What is wrong with it, and what to write instead.
    pub message: String,
}

const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";

impl Problem {
    fn certificate(message: impl std::fmt::Display) -> Self {
        Self { file: CERTIFICATE, message: message.to_string() }
    }

    fn key(message: impl std::fmt::Display) -> Self {
        Self { file: KEY, message: message.to_string() }
    }
}

impl Certificate {
    /// Reads `tls.crt` and `tls.key`.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with them: no PEM, no certificate of X.509, a key of a kind that
    /// nothing here can sign with, or one that belongs to another certificate. That it has ended is no
    /// error.
    pub fn read(certificates: &[u8], key: &[u8]) -> Result<Self, Problem> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificates).collect();
        let chain = chain.map_err(|error| Problem::certificate(advice(&error)))?;
        let Some(first) = chain.first() else {
            return Err(Problem::certificate(
                "there is no certificate: write it in PEM, its own first",
            ));
        };
        let Described { names, not_before, not_after } =
            described(first).map_err(Problem::certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| match error {
            pem::Error::NoItemsFound => Problem::key("there is no private key: write it in PEM"),
            other => Problem::key(advice(&other)),
        })?;
        certified(&chain, &key)?;
        Ok(Self {
            names,
            not_before,
            not_after,
            chain: chain.iter().map(|one| one.as_ref().into()).collect(),
            key: Concealed::from(key.secret_der()),
        })
    }

    /// The same, ready to sign.
    ///
    /// # Errors
    ///
    /// None for one that was read; one that was made in another way may be anything.
    pub fn signer(&self) -> Result<CertifiedKey, Problem> {
        signer(&self.chain, &self.key)
    }
}

/// A chain with its key, both in DER, ready to sign.
///
/// # Errors
///
/// The key cannot be read, or belongs to another certificate.
pub fn signer(chain: &[Box<[u8]>], key: &Concealed) -> Result<CertifiedKey, Problem> {
    let chain: Vec<_> = chain.iter().map(|one| CertificateDer::from(one.to_vec())).collect();
    let key = PrivateKeyDer::try_from(key.bytes()).map_err(Problem::key)?;
    certified(&chain, &key)
}

fn certified(
    chain: &[CertificateDer<'static>],
    key: &PrivateKeyDer<'_>,
) -> Result<CertifiedKey, Problem> {
    let key = any_supported_type(key).map_err(Problem::key)?;
    let chain = CertifiedKey::new(chain.to_vec(), key);
    match chain.keys_match() {
        Ok(()) => Ok(chain),
        Err(_) => Err(Problem::key("it belongs to another certificate: write the key of tls.crt")),
    }
}

/// What is wrong with a text that should be PEM. The reader's own words may hold a line of it, which
/// may be the key.
const fn advice(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => {
            "a part of it has no end: write a line -----END …----- behind it"
        }
        pem::Error::IllegalSectionStart { .. } => {
            "a line -----BEGIN …----- is malformed: write it alone in its line"
        }
        pem::Error::Base64Decode(_) => "what stands between BEGIN and END is not Base64",
        _ => "it is not PEM",
    }
}

struct Described {
    names: Box<[Arc<str>]>,
    not_before: i64,
    not_after: i64,
}

/// The names that a certificate is for (RFC 9525 section 2: those that it gives as alternatives, and
/// not its subject), and its time.
fn described(certificate: &CertificateDer<'_>) -> Result<Described, String> {
    let (_, read) = X509Certificate::from_der(certificate)
        .map_err(|error| format!("it is no certificate of X.509: {error}"))?;
    let mut names: Vec<Arc<str>> = Vec::new();
    if let Ok(Some(alternatives)) = read.subject_alternative_name() {
        for name in &alternatives.value.general_names {
            if let GeneralName::DNSName(name) = name {
                names.push(name.to_ascii_lowercase().into());
            }
        }
    }
    let validity = read.validity();
    Ok(Described {
        names: names.into(),
        not_before: validity.not_before.timestamp(),
        not_after: validity.not_after.timestamp(),
    })
}
