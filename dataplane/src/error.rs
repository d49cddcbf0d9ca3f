//! The one table of what can go wrong with a request: status, machine reason, whose fault it is,
//! and whether trying again may help.

mod grpc;
mod message;
mod problem;
mod table;
#[cfg(test)]
mod tests;
mod tls;

use fairway_snapshot::normalize::Refusal;
use http::StatusCode;

pub use message::MessageProblem;
pub(crate) use problem::wants_json;
pub use tls::TlsProblem;

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
    /// The client's body moved, and for too long too slowly.
    #[error("client_sends_too_slowly")]
    ClientSendsSlowly,
    /// The client took of the answer too little for too long; it got no more of it.
    #[error("client_reads_too_slowly")]
    ClientReadsSlowly,
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
    /// The handshake of TLS with the backend failed (RFC 8446 section 4), or it was not who it
    /// should be (RFC 9525). Nothing is ever sent in plain text instead.
    #[error("upstream_tls")]
    UpstreamTls(TlsProblem),
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

impl ProxyError {
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
            Self::ClientSendsSlowly => "client_sends_too_slowly",
            Self::ClientReadsSlowly => "client_reads_too_slowly",
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
            Self::UpstreamTls(_) => "upstream_tls",
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
            Self::ClientSendsSlowly,
            Self::ClientReadsSlowly,
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
            Self::UpstreamTls(TlsProblem::Broken),
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
