//! One macro for values with a grammar: they are written as the text that a user wrote.

/// Implements serde for a type that has `FromStr` and `Display`, as a string.
macro_rules! serde_as_text {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use serde_as_text;

/// The byte that a percent triplet stands for; `digits` begins behind the `%`.
pub(crate) fn triplet(digits: &[u8]) -> Option<u8> {
    let [high, low, ..] = digits else { return None };
    let value = |digit: &u8| char::from(*digit).to_digit(16);
    u8::try_from(value(high)? * 16 + value(low)?).ok()
}

/// Header fields as a list of names and values.
pub(crate) mod header_fields {
    use http::{HeaderName, HeaderValue};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        fields: &[(HeaderName, HeaderValue)],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        serializer.collect_seq(fields.iter().map(|(name, value)| (name.as_str(), text(value))))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, D::Error> {
        let fields = Vec::<(String, String)>::deserialize(deserializer)?;
        let parsed = fields.into_iter().map(|(name, value)| {
            let name = name.parse().map_err(serde::de::Error::custom)?;
            Ok((name, value.parse().map_err(serde::de::Error::custom)?))
        });
        parsed.collect()
    }
}

/// The name or the value of a header field as text.
pub(crate) mod header_text {
    use std::borrow::Cow;
    use std::fmt::Display;
    use std::str::FromStr;

    use http::{HeaderName, HeaderValue};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) trait HeaderText: FromStr<Err: Display> {
        fn text(&self) -> Cow<'_, str>;
    }

    impl HeaderText for HeaderName {
        fn text(&self) -> Cow<'_, str> {
            self.as_str().into()
        }
    }

    impl HeaderText for HeaderValue {
        fn text(&self) -> Cow<'_, str> {
            String::from_utf8_lossy(self.as_bytes())
        }
    }

    pub(crate) fn serialize<T: HeaderText, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&value.text())
    }

    pub(crate) fn deserialize<'de, T: HeaderText, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The same, where there is one.
pub(crate) mod optional_header_text {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::header_text::HeaderText;

    pub(crate) fn serialize<T: HeaderText, S: Serializer>(
        value: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_ref().map(HeaderText::text).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, T: HeaderText, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
    }
}

/// Names of header fields as a list of texts.
pub(crate) mod header_names {
    use http::HeaderName;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        names: &[HeaderName],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(names.iter().map(HeaderName::as_str))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Box<[HeaderName]>, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        let parsed = names.into_iter().map(|name| name.parse().map_err(serde::de::Error::custom));
        parsed.collect()
    }
}

/// Values in DER as hexadecimal digits.
pub(crate) mod hexadecimal {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    type All = Box<[Box<[u8]>]>;

    pub(crate) fn serialize<S: Serializer>(all: &All, serializer: S) -> Result<S::Ok, S::Error> {
        let text =
            |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        all.iter().map(|one| text(one)).collect::<Vec<_>>().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<All, D::Error> {
        let byte = |pair: &[u8]| super::triplet(pair).filter(|_| pair.len() == 2);
        let bytes = |text: &String| text.as_bytes().chunks(2).map(byte).collect();
        let texts = Vec::<String>::deserialize(from)?;
        let all: Option<All> = texts.iter().map(bytes).collect();
        all.ok_or_else(|| D::Error::custom("a certificate is written in hexadecimal digits"))
    }
}
