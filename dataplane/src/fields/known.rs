//! The names that the gateway speaks of itself.

use http::HeaderName;

/// Gives each name its number and its text, which is written in small letters as HTTP/2 has it.
macro_rules! known {
    ($($name:ident $text:literal)*) => {
        /// A name of a field that the gateway speaks of itself.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum Known { $($name),* }

        impl Known {
            /// Each of them, by its number.
            pub(super) const ALL: &[Self] = &[$(Self::$name),*];

            /// The name in small letters.
            pub(crate) const fn text(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            /// The same as HTTP/2 has it.
            pub(super) fn name(self) -> &'static HeaderName {
                match self {
                    $(Self::$name => {
                        static NAME: HeaderName = HeaderName::from_static($text);
                        &NAME
                    })*
                }
            }
        }
    };
}

known! {
    Accept "accept"
    AccessControlRequestMethod "access-control-request-method"
    Allow "allow"
    Connection "connection"
    ContentLength "content-length"
    ContentType "content-type"
    Cookie "cookie"
    Date "date"
    Deprecation "deprecation"
    Expect "expect"
    Forwarded "forwarded"
    GrpcMessage "grpc-message"
    GrpcStatus "grpc-status"
    Host "host"
    KeepAlive "keep-alive"
    Link "link"
    Location "location"
    Origin "origin"
    Proxy "proxy"
    ProxyAuthorization "proxy-authorization"
    ProxyConnection "proxy-connection"
    RetryAfter "retry-after"
    SecWebsocketAccept "sec-websocket-accept"
    SecWebsocketKey "sec-websocket-key"
    ServerTiming "server-timing"
    StrictTransportSecurity "strict-transport-security"
    Sunset "sunset"
    Te "te"
    TransferEncoding "transfer-encoding"
    Upgrade "upgrade"
    UserAgent "user-agent"
    Vary "vary"
    XForwardedFor "x-forwarded-for"
    XForwardedHost "x-forwarded-host"
    XForwardedPort "x-forwarded-port"
    XForwardedProto "x-forwarded-proto"
    XProcessTime "x-process-time"
    XRequestId "x-request-id"
}

/// What tells small letters from capital ones.
const SMALL: u8 = 0x20;
/// The longest of them.
const LONGEST: usize = 29;
/// The most of one length.
const MOST: usize = 8;

/// The names by their length.
static BY_LENGTH: [[Option<Known>; MOST]; LONGEST + 1] = by_length();

const fn by_length() -> [[Option<Known>; MOST]; LONGEST + 1] {
    let mut all = [[None; MOST]; LONGEST + 1];
    let mut index = 0;
    while index < Known::ALL.len() {
        let known = Known::ALL[index];
        let same = &mut all[known.text().len()];
        let mut free = 0;
        while same[free].is_some() {
            free += 1;
        }
        same[free] = Some(known);
        index += 1;
    }
    all
}

impl Known {
    /// What stands for it in a set of names.
    pub(crate) const fn bit(self) -> u64 {
        1 << self as u8
    }

    /// The name that is written so, with letters of either size. `name` is a token (RFC 9110 section
    /// 5.6.2), where the bit that tells small letters from capital ones is set in all else.
    pub(crate) fn of(name: &[u8]) -> Option<Self> {
        let first = name.first()? | SMALL;
        for known in BY_LENGTH.get(name.len())? {
            let known = (*known)?;
            let text = known.text().as_bytes();
            // Most names of one length differ in the first letter.
            if text[0] == first {
                // Without an early end, so that many bytes are compared in one step.
                let differ = |found, (one, other): (&u8, &u8)| found | ((one | SMALL) ^ other);
                if name.iter().zip(text).fold(0, differ) == 0 {
                    return Some(known);
                }
            }
        }
        None
    }

    /// The set of all these.
    pub(crate) const fn set(names: &[Self]) -> u64 {
        let (mut set, mut index) = (0, 0);
        while index < names.len() {
            set |= names[index].bit();
            index += 1;
        }
        set
    }
}
