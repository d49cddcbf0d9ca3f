//! The one table of what can go wrong with a request: status, machine reason, whose fault it is,
//! and whether trying again may help.

mod grpc;
mod message;
mod problem;
#[cfg(test)]
mod tests;

use fairway_snapshot::normalize::Refusal;
use http::StatusCode;

pub use message::MessageProblem;
pub(crate) use problem::wants_json;

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Blame {
    /// The client's.
    Downstream,
    /// Ours, or that of the configuration.
    Gateway,
    /// The backend's.
    Upstream,
}

impl Blame {
    /// The word in log and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Downstream => "downstream",
            Self::Gateway => "gateway",
            Self::Upstream => "upstream",
        }
    }
}

/// What went wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ProxyError {
    /// The path is refused.
    #[error("{0}")]
    Path(Refusal),
    /// What came is no request, or one that can be read in two ways.
    #[error("{}", .0.as_str())]
    Message(MessageProblem),
    /// The head is larger than what is taken, or has more fields (RFC 6585 section 5).
    #[error("head_too_large")]
    HeadTooLarge,
    /// Frames of HTTP/2 came that cost work and say nothing (RFC 9113 section 10.5).
    #[error("http2_flood")]
    Http2Flood,
    /// The handshake of TLS failed (RFC 8446 section 4).
    #[error("tls_handshake_failed")]
    TlsHandshake,
    /// The head did not come whole in time.
    #[error("client_head_timeout")]
    ClientHeadTimeout,
    /// A request of HTTP/1.1 without `Host` (RFC 9112 section 3.2).
    #[error("host_missing")]
    NoHost,
    /// More than one `Host`, or one that is no host.
    #[error("host_malformed")]
    BadHost,
    /// A connection for this host would show another certificate (RFC 9110 section 15.5.20).
    #[error("misdirected")]
    Misdirected,
    /// `CONNECT`: this is no proxy that opens tunnels (RFC 9110 section 9.3.6).
    #[error("method_not_supported")]
    MethodNotSupported,
    /// A body with a transfer coding beside `chunked` (RFC 9112 section 6.1).
    #[error("transfer_coding_not_supported")]
    TransferCodingNotSupported,
    /// The target is longer than what can be forwarded.
    #[error("target_too_long")]
    TargetTooLong,
    /// The body is larger than the rule takes (RFC 9110 section 15.5.14).
    #[error("body_too_large")]
    BodyTooLarge,
    /// The request is for a version of the API that there is not, or for none where it must name
    /// one.
    #[error("version_unknown")]
    VersionUnknown,
    /// The client's body broke off or is malformed.
    #[error("request_body_error")]
    RequestBodyError,
    /// The client's body did not move for too long.
    #[error("client_idle_timeout")]
    ClientIdleTimeout,
    /// The client left before the end of the answer.
    #[error("client_closed")]
    ClientClosed,
    /// No route knows the path.
    #[error("route_not_found")]
    RouteNotFound,
    /// A route knows the path, but not with this method.
    #[error("method_not_allowed")]
    MethodNotAllowed,
    /// The gateway ended before the exchange did.
    #[error("shutting_down")]
    ShuttingDown,
    /// There are too many requests in flight, or memory is nearly used up (RFC 9110 section 15.6.4).
    #[error("overloaded")]
    Overloaded,
    /// The rule could not be compiled.
    #[error("rule_invalid")]
    RuleInvalid,
    /// The backend that was picked could not be resolved when the rule was compiled.
    #[error("backend_invalid")]
    BackendInvalid,
    /// All weights of the rule are zero.
    #[error("no_weight")]
    NoWeight,
    /// The upstream's name has no address.
    #[error("no_endpoints")]
    NoEndpoints,
    /// The upstream's name leads only to addresses that no backend may have.
    #[error("address_not_allowed")]
    AddressNotAllowed,
    /// The upstream's name could not be resolved.
    #[error("name_not_resolved")]
    NameNotResolved,
    /// The backend refused the connection.
    #[error("connect_refused")]
    ConnectRefused,
    /// The backend could not be reached.
    #[error("connect_failed")]
    ConnectFailed,
    /// The connection was not open in time.
    #[error("connect_timeout")]
    ConnectTimeout,
    /// The backend closed the connection before the end of its answer.
    #[error("upstream_reset")]
    UpstreamReset,
    /// The backend's answer is malformed.
    #[error("upstream_protocol_error")]
    UpstreamProtocolError,
    /// The head of the answer did not come in time.
    #[error("response_timeout")]
    ResponseTimeout,
    /// The head of the answer did not come in the time of one attempt.
    #[error("attempt_timeout")]
    AttemptTimeout,
    /// The whole request took too long.
    #[error("request_timeout")]
    RequestTimeout,
    /// A body did not move for too long, and not for lack of the client.
    #[error("idle_timeout")]
    IdleTimeout,
}

/// A row of the table.
struct Row {
    status: u16,
    title: &'static str,
    blame: Blame,
    retryable: bool,
}

const fn row(status: u16, title: &'static str, blame: Blame, retryable: bool) -> Row {
    Row { status, title, blame, retryable }
}

impl ProxyError {
    /// The table. `retryable` says that another attempt may succeed when nothing was sent.
    const fn row(self) -> Row {
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

    /// The status that the client gets. 499 is never sent; it stands in log and metrics, as in
    /// nginx.
    #[must_use]
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.row().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The machine word in log, metrics and problem body.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Path(refusal) => refusal.as_str(),
            Self::Message(problem) => problem.as_str(),
            Self::HeadTooLarge => "head_too_large",
            Self::Http2Flood => "http2_flood",
            Self::TlsHandshake => "tls_handshake_failed",
            Self::ClientHeadTimeout => "client_head_timeout",
            Self::NoHost => "host_missing",
            Self::BadHost => "host_malformed",
            Self::Misdirected => "misdirected",
            Self::MethodNotSupported => "method_not_supported",
            Self::TransferCodingNotSupported => "transfer_coding_not_supported",
            Self::TargetTooLong => "target_too_long",
            Self::BodyTooLarge => "body_too_large",
            Self::VersionUnknown => "version_unknown",
            Self::RequestBodyError => "request_body_error",
            Self::ClientIdleTimeout => "client_idle_timeout",
            Self::ClientClosed => "client_closed",
            Self::RouteNotFound => "route_not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::ShuttingDown => "shutting_down",
            Self::Overloaded => "overloaded",
            Self::RuleInvalid => "rule_invalid",
            Self::BackendInvalid => "backend_invalid",
            Self::NoWeight => "no_weight",
            Self::NoEndpoints => "no_endpoints",
            Self::AddressNotAllowed => "address_not_allowed",
            Self::NameNotResolved => "name_not_resolved",
            Self::ConnectRefused => "connect_refused",
            Self::ConnectFailed => "connect_failed",
            Self::ConnectTimeout => "connect_timeout",
            Self::UpstreamReset => "upstream_reset",
            Self::UpstreamProtocolError => "upstream_protocol_error",
            Self::ResponseTimeout => "response_timeout",
            Self::AttemptTimeout => "attempt_timeout",
            Self::RequestTimeout => "request_timeout",
            Self::IdleTimeout => "idle_timeout",
        }
    }

    /// Whose fault it is.
    #[must_use]
    pub const fn blame(self) -> Blame {
        self.row().blame
    }

    /// Whether another attempt may succeed when nothing was sent.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        self.row().retryable
    }

    /// Whether nothing that comes behind such a request over its connection is believed.
    pub(crate) const fn ends_connection(self) -> bool {
        matches!(
            self,
            Self::Message(_)
                | Self::HeadTooLarge
                | Self::ClientHeadTimeout
                | Self::NoHost
                | Self::BadHost
                | Self::MethodNotSupported
                | Self::TransferCodingNotSupported
                | Self::RequestBodyError
        )
    }

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
            Self::Misdirected => "Open a connection of its own for this host.",
            Self::MethodNotSupported => "CONNECT opens tunnels, and this gateway opens none.",
            Self::TransferCodingNotSupported => {
                "Send the body with Content-Length, or chunked alone."
            }
            Self::BadHost => "Send one Host field with a name or an address, and perhaps a port.",
            _ => "The operator finds the cause in the log by the request id.",
        }
    }

    /// Every error, for tables in tests and docs.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut all = Refusal::ALL.map(Self::Path).to_vec();
        all.extend(MessageProblem::ALL.map(Self::Message));
        all.extend([
            Self::HeadTooLarge,
            Self::Http2Flood,
            Self::TlsHandshake,
            Self::ClientHeadTimeout,
            Self::NoHost,
            Self::BadHost,
            Self::Misdirected,
            Self::MethodNotSupported,
            Self::TransferCodingNotSupported,
            Self::TargetTooLong,
            Self::BodyTooLarge,
            Self::VersionUnknown,
            Self::RequestBodyError,
            Self::ClientIdleTimeout,
            Self::ClientClosed,
            Self::RouteNotFound,
            Self::MethodNotAllowed,
            Self::ShuttingDown,
            Self::Overloaded,
            Self::RuleInvalid,
            Self::BackendInvalid,
            Self::NoWeight,
            Self::NoEndpoints,
            Self::AddressNotAllowed,
            Self::NameNotResolved,
            Self::ConnectRefused,
            Self::ConnectFailed,
            Self::ConnectTimeout,
            Self::UpstreamReset,
            Self::UpstreamProtocolError,
            Self::ResponseTimeout,
            Self::AttemptTimeout,
            Self::RequestTimeout,
            Self::IdleTimeout,
        ]);
        all
    }
}
