//! Certificates of authorities, which vouch for backends.

use std::fmt;

use serde::{Deserialize, Serialize};

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

/// Bytes as text.
mod hexadecimal {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    type All = Box<[Box<[u8]>]>;

    pub(super) fn serialize<S: Serializer>(all: &All, serializer: S) -> Result<S::Ok, S::Error> {
        let text =
            |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        all.iter().map(|one| text(one)).collect::<Vec<_>>().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<All, D::Error> {
        let digit = |digit: &u8| char::from(*digit).to_digit(16);
        let byte = |pair: &[u8]| match pair {
            [high, low] => u8::try_from(digit(high)? * 16 + digit(low)?).ok(),
            _ => None,
        };
        let bytes = |text: &String| text.as_bytes().chunks(2).map(byte).collect();
        let texts = Vec::<String>::deserialize(from)?;
        let all: Option<All> = texts.iter().map(bytes).collect();
        all.ok_or_else(|| D::Error::custom("a certificate is written in hexadecimal digits"))
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
