//! Certificates that listeners show to clients.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::text::hexadecimal;
use crate::{Concealed, ObjectId};

/// A certificate with its chain and its key. Its [`crate::ResourceId`] says all of its content, the
/// key too: two with one id are the same.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    /// The Secret that holds it.
    pub secret: ObjectId,
    /// The names that it is for, in lower case; `*.example.com` among them.
    pub names: Box<[Arc<str>]>,
    /// When it ends, in seconds since 1970.
    pub not_after: i64,
    /// The certificates in DER, its own first.
    #[serde(with = "hexadecimal")]
    pub chain: Box<[Box<[u8]>]>,
    /// Its private key in DER. It is never written down: who sends a snapshot elsewhere sends keys
    /// on a way of their own.
    pub key: Concealed,
}

/// The key is not looked at, for the id says which it is, and what was written down has none.
impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        let Self { secret, names, not_after, chain, key: _ } = self;
        (secret, names, not_after, chain)
            == (&other.secret, &other.names, &other.not_after, &other.chain)
    }
}

impl Eq for Certificate {}
