//! Certificates of authorities, which vouch for backends.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text::hexadecimal;

/// Certificates of authorities, any of which may vouch for a backend, and nobody else. Its
/// [`crate::ResourceId`] says all of its content.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Authorities {
    /// The certificates (X.509) in DER; at least one.
    #[serde(with = "hexadecimal")]
    pub certificates: Box<[Box<[u8]>]>,
}

/// How many there are: nobody reads more of them.
impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorities({})", self.certificates.len())
    }
}

#[cfg(test)]
mod tests {
    use super::Authorities;

    #[test]
    fn what_is_written_down_can_be_read() {
        let certificates = [[0x30, 0x0f, 0xa0].into()].into();
        let authorities = Authorities { certificates };
        let text = serde_json::to_string(&authorities).unwrap();
        assert_eq!(text, r#"["300fa0"]"#);
        assert_eq!(serde_json::from_str::<Authorities>(&text).unwrap(), authorities);
        for wrong in ["3", "3g", "30f"] {
            let text = format!(r#"["{wrong}"]"#);
            assert!(serde_json::from_str::<Authorities>(&text).is_err(), "{wrong}");
        }
    }
}
