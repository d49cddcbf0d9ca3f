//! Bytes that nobody may read by chance: private keys.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes that are held and handed on, and shown by nothing: neither `Debug` nor serialising gives
/// them away. What was written down comes back empty. Cheap to copy.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Concealed(Arc<[u8]>);

/// What stands where the bytes would.
const SHOWN: &str = "(concealed)";

impl Concealed {
    /// The bytes, for whoever needs them.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for Concealed {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl fmt::Debug for Concealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SHOWN)
    }
}

impl Serialize for Concealed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(SHOWN)
    }
}

impl<'de> Deserialize<'de> for Concealed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self::default())
    }
}
