//! Errors as clients read them.

use bytes::Bytes;
use http::header::HeaderValue;

use super::{ProxyError, Row};

impl ProxyError {
    /// The body of an answer, with what a person reads beside the title where more is known, as
    /// `application/problem+json` (RFC 9457).
    pub(crate) fn problem_json(self, detail: Option<&str>, request_id: &str) -> Bytes {
        let Row { status, title, .. } = self.row();
        let (reason, detail) = (self.reason(), detail.unwrap_or(self.detail()));
        // Nothing here needs escaping: texts are our own, or of words and names of header fields;
        // the id has digits and hyphens.
        Bytes::from(format!(
            "{{\"type\":\"https://fairway.dev/problems/{reason}\",\"title\":\"{title}\",\"status\":{status},\
             \"detail\":\"{detail}\",\"reason\":\"{reason}\",\"requestId\":\"{request_id}\"}}\n"
        ))
    }

    /// The same for clients that do not accept JSON.
    pub(crate) fn plain_text(self, detail: Option<&str>, request_id: &str) -> Bytes {
        let Row { status, title, .. } = self.row();
        let (reason, detail) = (self.reason(), detail.unwrap_or(self.detail()));
        Bytes::from(format!(
            "{status} {title}\n{detail}\nreason: {reason}\nrequest id: {request_id}\n"
        ))
    }
}

/// Whether a client takes a problem as JSON. Without `Accept` it does (RFC 9110 section 12.5.1).
pub(crate) fn wants_json(accept: Option<&HeaderValue>) -> bool {
    let Some(accept) = accept else { return true };
    accept.as_bytes().split(|byte| *byte == b',').any(|range| {
        let mut parts = range.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let media = parts.next().unwrap_or_default().to_ascii_lowercase();
        let known = matches!(
            media.as_slice(),
            b"*/*" | b"application/*" | b"application/json" | b"application/problem+json"
        );
        known && !parts.any(|part| matches!(part, b"q=0" | b"q=0.0" | b"q=0.00" | b"q=0.000"))
    })
}
