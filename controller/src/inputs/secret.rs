//! Secrets of type `kubernetes.io/tls`. What is private of them is shown by nothing here: neither an
//! error nor `Debug` holds any of it.

use std::fmt;
use std::sync::{Arc, OnceLock};

use fairway_certificates::Certificate;
use fairway_snapshot::{Concealed, ObjectId};
use k8s_openapi::ByteString;
use serde::{Deserialize, Serialize};

use super::Inputs;
use crate::versions::Version;

/// The type of Secrets that are read.
pub(crate) const TYPE: &str = "kubernetes.io/tls";

/// A Secret of type `kubernetes.io/tls`, as it is written; it is read when somebody asks for it.
#[derive(Clone)]
pub struct Secret {
    /// Certificates in PEM: `tls.crt`.
    certificates: Box<[u8]>,
    /// A private key in PEM: `tls.key`.
    key: Concealed,
    /// Certificates of authorities in PEM: `ca.crt`.
    authorities: Option<Box<[u8]>>,
    /// What was read of it.
    read: OnceLock<Result<Arc<Certificate>, Arc<str>>>,
}

/// Why a Secret is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoSecret {
    /// No Secret of type `kubernetes.io/tls` has the name.
    NotFound,
    /// The API server does not let us read Secrets of the namespace.
    Refused,
}

impl Secret {
    /// The Secret with `tls.crt`, `tls.key` and `ca.crt`.
    #[must_use]
    pub fn new(certificates: Vec<u8>, key: &[u8], authorities: Option<Vec<u8>>) -> Self {
        Self {
            certificates: certificates.into(),
            key: Concealed::from(key),
            authorities: authorities.map(Into::into),
            read: OnceLock::new(),
        }
    }

    /// Its certificate with the key, read once for all who ask.
    ///
    /// # Errors
    ///
    /// What is wrong with it, and where; nothing of the key.
    pub fn certificate(&self) -> Result<&Arc<Certificate>, &Arc<str>> {
        let read = || {
            let read = Certificate::read(&self.certificates, self.key.bytes());
            read.map(Arc::new).map_err(|problem| problem.to_string().into())
        };
        self.read.get_or_init(read).as_ref()
    }

    /// Certificates of authorities in PEM (`ca.crt`), where it has any.
    #[must_use]
    pub fn authorities(&self) -> Option<&[u8]> {
        self.authorities.as_deref()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        let Self { certificates, key, authorities, read: _ } = self;
        (certificates, key, authorities) == (&other.certificates, &other.key, &other.authorities)
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Inputs {
    /// A Secret of type `kubernetes.io/tls`.
    ///
    /// # Errors
    ///
    /// Why it is not there.
    pub fn secret(&self, id: &ObjectId) -> Result<Arc<Secret>, NoSecret> {
        let refused = || {
            let of = |namespace: &str| self.secrets_refused.contains(namespace);
            if of("") || of(&id.namespace) { NoSecret::Refused } else { NoSecret::NotFound }
        };
        self.secrets.get(id).cloned().ok_or_else(refused)
    }

    /// Notes a Secret that was changed last at `version`; says whether it differs from the known one.
    pub(crate) fn put_secret(
        &mut self,
        id: &ObjectId,
        secret: Secret,
        version: Option<Version>,
    ) -> bool {
        if self.secrets.get(id).is_some_and(|known| **known == secret) {
            return false;
        }
        self.secrets.insert(id.clone(), Arc::new(secret));
        if let Some(version) = version {
            self.versions.secrets.insert(id.clone(), version);
        }
        true
    }

    /// Forgets a Secret; says whether it was there.
    pub(crate) fn remove_secret(&mut self, id: &ObjectId) -> bool {
        self.versions.secrets.remove(id);
        self.secrets.remove(id).is_some()
    }
}

/// The fields of a Secret that are read. `Debug` shows none of them.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WrittenSecret {
    #[serde(default, rename = "type")]
    pub(crate) type_: Option<String>,
    #[serde(default)]
    data: Option<Parts<ByteString>>,
    /// What people write; the API server turns it into data.
    #[serde(default)]
    string_data: Option<Parts<String>>,
}

#[derive(Clone, Deserialize)]
struct Parts<T> {
    #[serde(rename = "tls.crt")]
    certificates: Option<T>,
    #[serde(rename = "tls.key")]
    key: Option<T>,
    #[serde(rename = "ca.crt")]
    authorities: Option<T>,
}

impl<T> Default for Parts<T> {
    fn default() -> Self {
        Self { certificates: None, key: None, authorities: None }
    }
}

impl fmt::Debug for WrittenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WrittenSecret").field("type", &self.type_).finish_non_exhaustive()
    }
}

impl From<WrittenSecret> for Secret {
    /// A part that is missing is empty, and told when the Secret is read.
    fn from(written: WrittenSecret) -> Self {
        let (data, text) =
            (written.data.unwrap_or_default(), written.string_data.unwrap_or_default());
        let either = |data: Option<ByteString>, text: Option<String>| {
            text.map(String::into_bytes).or(data.map(|ByteString(bytes)| bytes))
        };
        let key = either(data.key, text.key).unwrap_or_default();
        Self::new(
            either(data.certificates, text.certificates).unwrap_or_default(),
            &key,
            either(data.authorities, text.authorities),
        )
    }
}

/// A Secret as it is kept for a restart, with its key.
#[derive(Serialize, Deserialize)]
pub(crate) struct KeptSecret {
    certificates: ByteString,
    key: ByteString,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    authorities: Option<ByteString>,
}

impl From<&Secret> for KeptSecret {
    fn from(secret: &Secret) -> Self {
        let authorities = secret.authorities.as_deref();
        Self {
            certificates: ByteString(secret.certificates.to_vec()),
            key: ByteString(secret.key.bytes().to_vec()),
            authorities: authorities.map(|bytes| ByteString(bytes.to_vec())),
        }
    }
}

impl From<KeptSecret> for Secret {
    fn from(kept: KeptSecret) -> Self {
        let KeptSecret { certificates, key, authorities } = kept;
        Self::new(certificates.0, &key.0, authorities.map(|ByteString(bytes)| bytes))
    }
}
