//! What changes a request or a response on its way: a closed set, each with its phase.

use std::sync::Arc;

use http::HeaderValue;
use serde::{Deserialize, Serialize};

use crate::text::header_text;
use crate::{ApiVersions, HeaderEdits, PathTemplate};

/// When a filter acts. A request passes the phases in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// The head of the request is known, nothing was sent to a backend.
    RequestHead,
    /// The body of the request passes, or was buffered when the filter needs the whole of it.
    RequestBody,
    /// The head of the backend's response is known, nothing was sent to the client.
    ResponseHead,
    /// The body of the response passes.
    ResponseBody,
    /// Fairway answers itself; such an answer passes the same headers, CORS and log.
    LocalReply,
    /// The exchange has ended, however it did.
    End,
}

/// A filter of a rule, with its parsed settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Filter {
    /// Replaces the path that the backend sees.
    RewritePath(PathTemplate),
    /// Replaces the `Host` that the backend sees; `X-Forwarded-Host` tells the client's.
    RewriteHost(#[serde(with = "header_text")] HeaderValue),
    /// Refuses versions of an API that there are not, and tells of those that end.
    Versions(Arc<ApiVersions>),
    /// Changes the header fields of the request.
    RequestHeaders(Arc<HeaderEdits>),
    /// Changes those of the answer, whoever gives it.
    ResponseHeaders(Arc<HeaderEdits>),
}

impl Filter {
    /// The phase in which this filter acts.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        match self {
            Self::RewritePath(_)
            | Self::RewriteHost(_)
            | Self::Versions(_)
            | Self::RequestHeaders(_) => Phase::RequestHead,
            Self::ResponseHeaders(_) => Phase::ResponseHead,
        }
    }
}
