//! Errors as clients read them.

use bytes::Bytes;

use super::ProxyError;
use super::table::Row;

impl ProxyError {
    /// What a person reads beside the title.
    const fn detail(self) -> &'static str {
        match self {
            Self::Path(refusal) => refusal.advice(),
            Self::Message(problem) => problem.advice(),
            Self::HeadTooLarge => "Send fewer or shorter fields.",
            Self::RouteNotFound => "No rule of this gateway takes this host and path.",
            Self::MethodNotAllowed => "The methods that are allowed stand in Allow.",
            Self::NoHost => "Send one Host field.",
            Self::VersionUnknown => "Name one of the versions that there are.",
            Self::BodyTooLarge => "Send less, or in several requests.",
            Self::ClientSendsSlowly => "Send the body faster, or in several requests.",
            Self::Misdirected => "Open a connection of its own for this host.",
            Self::MethodNotSupported => "CONNECT opens tunnels, and this gateway opens none.",
            Self::TransferCodingNotSupported => {
                "Send the body with Content-Length, or chunked alone."
            }
            Self::BadHost => "Send one Host field with a name or an address, and perhaps a port.",
            _ => "The operator finds the cause in the log by the request id.",
        }
    }

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
pub(crate) fn wants_json(accept: Option<&[u8]>) -> bool {
    let Some(accept) = accept else { return true };
    accept.split(|byte| *byte == b',').any(|range| {
        let mut parts = range.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let media = parts.next().unwrap_or_default().to_ascii_lowercase();
        let known = matches!(
            media.as_slice(),
            b"*/*" | b"application/*" | b"application/json" | b"application/problem+json"
        );
        known && !parts.any(|part| matches!(part, b"q=0" | b"q=0.0" | b"q=0.00" | b"q=0.000"))
    })
}
