//! The header fields of a request, as conditions look at them, whoever holds them and however.

use std::fmt;

use http::header::{HeaderMap, HeaderName, HeaderValue};

/// Header fields that can be asked for the values under a name (RFC 9110 section 5.2).
pub trait HeaderFields: fmt::Debug {
    /// The first value under a name.
    fn first(&self, name: &HeaderName) -> Option<&[u8]>;

    /// Whether any value under a name passes a test; values come in their order until one does.
    fn any(&self, name: &HeaderName, test: &mut dyn FnMut(&[u8]) -> bool) -> bool;
}

impl HeaderFields for HeaderMap {
    fn first(&self, name: &HeaderName) -> Option<&[u8]> {
        self.get(name).map(HeaderValue::as_bytes)
    }

    fn any(&self, name: &HeaderName, test: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.get_all(name).iter().any(|value| test(value.as_bytes()))
    }
}
