//! HTTP Strict Transport Security (RFC 6797) of a rule.

use serde::{Deserialize, Serialize};

use crate::Sourced;

/// What browsers are told about coming by HTTPS only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hsts {
    /// For how many seconds they remember it; with none nothing is said.
    pub max_age: Sourced<Option<u64>>,
    /// Whether it holds for every name below the host too.
    pub include_sub_domains: Sourced<bool>,
    /// Whether browsers may ship it.
    pub preload: Sourced<bool>,
}

impl Hsts {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The value of `Strict-Transport-Security` (RFC 6797 section 6.1), where anything is said.
    #[must_use]
    pub fn value(&self) -> Option<String> {
        let mut value = format!("max-age={}", self.max_age.value?);
        let further = [
            (self.include_sub_domains.value, "; includeSubDomains"),
            (self.preload.value, "; preload"),
        ];
        value.extend(further.into_iter().filter(|(said, _)| *said).map(|(_, text)| text));
        Some(value)
    }
}
