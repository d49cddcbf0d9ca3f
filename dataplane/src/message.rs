//! The messages that the proxy and its filters speak of, whatever codec read them.

use bytes::Bytes;
use http::{Method, StatusCode, Uri, Version};

use crate::fields::Fields;

/// The head of a request.
#[derive(Clone, Debug)]
pub(crate) struct RequestHead {
    pub(crate) method: Method,
    /// The target as it came, in origin form or absolute form (RFC 9112 section 3.2).
    pub(crate) target: Uri,
    pub(crate) version: Version,
    pub(crate) headers: Fields,
}

/// The head of a response.
#[derive(Debug)]
pub(crate) struct ResponseHead {
    pub(crate) status: StatusCode,
    /// The reason phrase, when it is not the usual one of the status.
    pub(crate) reason: Option<Bytes>,
    pub(crate) headers: Fields,
}

/// Whether an answer with this status has no body by definition (RFC 9112 section 6.3).
pub(crate) fn has_no_body(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

impl RequestHead {
    /// Stands for a head that could not be read: `-` for its method, and no path.
    pub(crate) fn unreadable() -> Self {
        Self {
            method: Method::from_bytes(b"-").unwrap_or_default(),
            target: Uri::from_static("-"),
            version: Version::HTTP_11,
            headers: Fields::new(),
        }
    }
}
