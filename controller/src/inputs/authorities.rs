//! Certificates of authorities as ConfigMaps and Secrets have them: `ca.crt`, in PEM.

use std::fmt;
use std::sync::{Arc, OnceLock};

use fairway_snapshot::{Authorities, ResourceId};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::hexadecimal::hexadecimal;

/// The key that is read of a ConfigMap.
const KEY: &str = "ca.crt";
/// The label of ConfigMaps that are read, and its value. A cluster has many others, and large ones.
pub(crate) const LABEL: (&str, &str) = ("fairway.dev/ca", "true");

/// `ca.crt` of a ConfigMap, as it is written; it is read when somebody asks for it.
#[derive(Clone, Default)]
pub struct Bundle {
    pem: Box<str>,
    read: OnceLock<Result<NamedAuthorities, Arc<str>>>,
}

/// Authorities and their id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedAuthorities {
    /// Made of their content.
    pub id: ResourceId,
    /// The certificates.
    pub authorities: Arc<Authorities>,
}

impl Bundle {
    /// The bundle of this text.
    #[must_use]
    pub fn new(pem: impl Into<Box<str>>) -> Self {
        Self { pem: pem.into(), read: OnceLock::new() }
    }

    /// The authorities, read once for all who ask.
    ///
    /// # Errors
    ///
    /// What is wrong with the text, and what to write instead.
    pub fn authorities(&self) -> Result<&NamedAuthorities, &Arc<str>> {
        let read = || NamedAuthorities::read(self.pem.as_bytes()).map_err(Into::into);
        self.read.get_or_init(read).as_ref()
    }
}

impl NamedAuthorities {
    /// Reads certificates in PEM.
    ///
    /// # Errors
    ///
    /// There are none, or one of them is no certificate of X.509 that can vouch for others.
    pub fn read(pem: &[u8]) -> Result<Self, String> {
        let mut certificates: Vec<Box<[u8]>> = Vec::new();
        let mut roots = RootCertStore::empty();
        for (index, one) in CertificateDer::pem_slice_iter(pem).enumerate() {
            let wrong = |what| format!("{KEY}: certificate {} {what}", index + 1);
            let one = one.map_err(|_| wrong("is not PEM as it should be"))?;
            let added = roots.add(one.clone());
            added.map_err(|_| wrong("is no certificate of X.509 that can vouch for others"))?;
            certificates.push(one.as_ref().into());
        }
        if certificates.is_empty() {
            return Err(format!(
                "{KEY} holds no certificate: write those of the authorities in PEM"
            ));
        }
        let id = format!("ca-{}", digest(certificates.iter().map(|one| &**one)));
        let authorities = Arc::new(Authorities { certificates: certificates.into() });
        Ok(Self { id: id.into(), authorities })
    }
}

/// The first 32 hexadecimal digits of the SHA-256 of these values and their lengths: enough that nobody
/// finds another content for an id.
pub(crate) fn digest<'a>(values: impl Iterator<Item = &'a [u8]>) -> String {
    let mut sha = Sha256::new();
    for value in values {
        sha.update(u64::try_from(value.len()).unwrap_or_default().to_be_bytes());
        sha.update(value);
    }
    hexadecimal(&sha.finalize()[..16])
}

impl PartialEq for Bundle {
    fn eq(&self, other: &Self) -> bool {
        self.pem == other.pem
    }
}

impl Eq for Bundle {}

impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bundle({} bytes)", self.pem.len())
    }
}

impl Serialize for Bundle {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.pem.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Bundle {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<str>::deserialize(deserializer).map(Self::new)
    }
}

/// The fields of a ConfigMap that are read.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct WrittenConfigMap {
    #[serde(default)]
    data: Option<WrittenData>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct WrittenData {
    #[serde(default, rename = "ca.crt")]
    authorities: Option<Box<str>>,
}

impl From<WrittenConfigMap> for Bundle {
    /// One without `ca.crt` is empty, and told when it is read.
    fn from(written: WrittenConfigMap) -> Self {
        Self::new(written.data.unwrap_or_default().authorities.unwrap_or_default())
    }
}
