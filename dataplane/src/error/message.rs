//! What of a message cannot be read, or in one way only.

use super::ProxyError;

/// Why a message is no HTTP/1.1 that can be read in one way only (RFC 9112).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageProblem {
    /// The request line or a field is malformed.
    Head,
    /// A line does not end with CR and LF (section 2.2).
    LineEnding,
    /// The target is in no form that a gateway takes (section 3.2).
    Target,
    /// Another version than 1.0 and 1.1 (section 2.3).
    Version,
    /// More than one `Content-Length`, or one that is no plain number (section 6.3).
    Length,
    /// A `Transfer-Encoding` that is not `chunked` alone and last, or one in HTTP/1.0 (section 6.1).
    TransferCoding,
    /// Both `Content-Length` and `Transfer-Encoding` (section 6.3).
    LengthAndCoding,
    /// The frames are no HTTP/2 (RFC 9113).
    Http2,
    /// No TLS came to a port that speaks it.
    NoTls,
    /// No PROXY protocol came to a port that wants it.
    NoProxyProtocol,
    /// What came is neither version 1 nor version 2 of the PROXY protocol.
    ProxyProtocol,
}

impl MessageProblem {
    /// Every problem, for tables in tests and docs.
    pub const ALL: [Self; 11] = [
        Self::Head,
        Self::LineEnding,
        Self::Target,
        Self::Version,
        Self::Length,
        Self::TransferCoding,
        Self::LengthAndCoding,
        Self::Http2,
        Self::NoTls,
        Self::NoProxyProtocol,
        Self::ProxyProtocol,
    ];

    /// The machine word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Head => "head_malformed",
            Self::LineEnding => "line_ending_malformed",
            Self::Target => "target_malformed",
            Self::Version => "version_not_supported",
            Self::Length => "content_length_malformed",
            Self::TransferCoding => "transfer_encoding_malformed",
            Self::LengthAndCoding => "content_length_and_transfer_encoding",
            Self::Http2 => "http2_malformed",
            Self::NoTls => "tls_missing",
            Self::NoProxyProtocol => "proxy_protocol_missing",
            Self::ProxyProtocol => "proxy_protocol_malformed",
        }
    }

    /// What to send instead.
    pub(super) const fn advice(self) -> &'static str {
        match self {
            Self::Head => "Send a method, a target and a version, and fields without folded lines.",
            Self::LineEnding => "End each line with CR and LF.",
            Self::Target => "Send a target that begins with a slash, and no fragment.",
            Self::Version => "Send HTTP/1.1.",
            Self::Length => "Send one Content-Length, a plain decimal number.",
            Self::TransferCoding => "Send Transfer-Encoding: chunked alone, or Content-Length.",
            Self::LengthAndCoding => "Send Content-Length or Transfer-Encoding, and not both.",
            Self::Http2 => "Send frames as RFC 9113 describes them.",
            Self::NoProxyProtocol | Self::ProxyProtocol => {
                "Begin with version 1 or 2 of the PROXY protocol."
            }
            Self::NoTls => "This port speaks HTTPS: write https:// in the address.",
        }
    }
}

impl From<MessageProblem> for ProxyError {
    fn from(problem: MessageProblem) -> Self {
        Self::Message(problem)
    }
}
