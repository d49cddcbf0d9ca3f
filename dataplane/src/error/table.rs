//! The table itself: what each error is to the client, to the operator and to a retry.

use super::{Blame, MessageProblem, ProxyError};

/// A row of the table.
pub(super) struct Row {
    pub(super) status: u16,
    pub(super) title: &'static str,
    pub(super) blame: Blame,
    pub(super) retryable: bool,
}

const fn row(status: u16, title: &'static str, blame: Blame, retryable: bool) -> Row {
    Row { status, title, blame, retryable }
}

impl ProxyError {
    /// The table. `retryable` says that another attempt may succeed when nothing was sent.
    pub(super) const fn row(self) -> Row {
        use Blame::{Downstream, Gateway, Upstream};
        match self {
            Self::Path(_) => row(400, "The path is refused", Downstream, false),
            Self::Message(MessageProblem::Version) => {
                row(505, "The version of HTTP is not supported", Downstream, false)
            }
            Self::Message(_) => row(400, "The request is malformed", Downstream, false),
            Self::HeadTooLarge => row(431, "The head is too large", Downstream, false),
            Self::Http2Flood => row(429, "Too many frames", Downstream, false),
            Self::TlsHandshake => row(400, "The handshake of TLS failed", Downstream, false),
            Self::ClientHeadTimeout => {
                row(408, "The head of the request did not come in time", Downstream, false)
            }
            Self::NoHost => row(400, "The request has no Host", Downstream, false),
            Self::BadHost => row(400, "The Host is malformed", Downstream, false),
            Self::Misdirected => row(421, "The request is misdirected", Downstream, false),
            Self::MethodNotSupported => row(501, "The method is not supported", Downstream, false),
            Self::TransferCodingNotSupported => {
                row(501, "The transfer coding is not supported", Downstream, false)
            }
            Self::TargetTooLong => row(414, "The target is too long", Downstream, false),
            Self::BodyTooLarge => row(413, "The body is too large", Downstream, false),
            Self::VersionUnknown => {
                row(400, "The version of the API is not known", Downstream, false)
            }
            Self::RequestBodyError => {
                row(400, "The body of the request broke off", Downstream, false)
            }
            Self::ClientIdleTimeout => {
                row(408, "The body of the request stopped", Downstream, false)
            }
            Self::ClientSendsSlowly => {
                row(408, "The body of the request came too slowly", Downstream, false)
            }
            Self::ClientReadsSlowly => {
                row(408, "The answer was read too slowly", Downstream, false)
            }
            Self::ClientClosed => row(499, "The client left", Downstream, false),
            Self::RouteNotFound => row(404, "No route for this path", Downstream, false),
            Self::MethodNotAllowed => row(405, "Method not allowed here", Downstream, false),
            Self::ShuttingDown => row(503, "The gateway is shutting down", Gateway, false),
            Self::Overloaded => row(503, "The gateway has too much to do", Gateway, false),
            Self::RuleInvalid => row(500, "The route is invalid", Gateway, false),
            Self::BackendInvalid => row(500, "The backend of the route is invalid", Gateway, false),
            Self::NoWeight => row(503, "Every backend of the route has weight 0", Gateway, false),
            Self::NoEndpoints => row(503, "The backend has no endpoints", Upstream, false),
            Self::AddressNotAllowed => {
                row(500, "The address of the backend is not allowed", Gateway, false)
            }
            Self::NameNotResolved => {
                row(503, "The name of the backend cannot be resolved", Upstream, false)
            }
            Self::ConnectRefused => row(502, "The backend refused the connection", Upstream, true),
            Self::ConnectFailed => row(502, "The backend cannot be reached", Upstream, true),
            Self::ConnectTimeout => row(504, "The backend did not accept in time", Upstream, true),
            Self::UpstreamTls(_) => row(502, "TLS with the backend failed", Upstream, true),
            Self::UpstreamReset => row(502, "The backend closed the connection", Upstream, true),
            Self::UpstreamProtocolError => {
                row(502, "The backend's answer is malformed", Upstream, false)
            }
            Self::ResponseTimeout => {
                row(504, "The backend did not answer in time", Upstream, false)
            }
            Self::AttemptTimeout => row(504, "The backend did not answer in time", Upstream, false),
            Self::RequestTimeout => row(504, "The request took too long", Upstream, false),
            Self::IdleTimeout => row(504, "The exchange stopped moving", Upstream, false),
        }
    }
}
