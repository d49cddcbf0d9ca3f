//! Header rules that hold for every message that passes: what belongs to one connection only is
//! taken off (RFC 9110 section 7.6.1).

#[cfg(test)]
mod tests;

use http::Method;
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue,
    PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
};

use crate::error::ProxyError;
use crate::message::RequestHead;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
/// A request header `Proxy` becomes `HTTP_PROXY` in CGI programs; no client has a reason to send
/// it (CVE-2016-5385).
const PROXY: HeaderName = HeaderName::from_static("proxy");

/// Refuses what cannot be passed on as it was meant: a tunnel.
pub(crate) fn check_request(head: &RequestHead) -> Result<(), ProxyError> {
    if head.method == Method::CONNECT { Err(ProxyError::MethodNotSupported) } else { Ok(()) }
}

/// Whether a client waits to be told to send its body (RFC 9110 section 10.1.1).
pub(crate) fn expects_continue(headers: &HeaderMap) -> bool {
    let expected = headers.get(EXPECT).map_or(&b""[..], HeaderValue::as_bytes);
    expected.trim_ascii().eq_ignore_ascii_case(b"100-continue")
}

/// Takes off a request the fields whose name holds a `_`. CGI and WSGI programs cannot tell them
/// from those with a `-` in its place, so that `X_Forwarded_For` would speak for us.
fn strip_ambiguous(headers: &mut HeaderMap) {
    let ambiguous = |name: &&HeaderName| name.as_str().contains('_');
    let found: Vec<HeaderName> = headers.keys().filter(ambiguous).cloned().collect();
    for name in found {
        headers.remove(name);
    }
}

/// Takes off a request what belongs to the client's connection. `TE: trailers` stays, for it asks
/// the whole chain. `Expect` is made anew for the backend where the client waits for it.
pub(crate) fn strip_request(headers: &mut HeaderMap) {
    let found = strip_connection(headers);
    if found.te {
        let trailers = headers.get_all(TE).iter().any(has_trailers);
        headers.remove(TE);
        if trailers {
            headers.insert(TE, HeaderValue::from_static("trailers"));
        }
    }
    if found.ambiguous {
        strip_ambiguous(headers);
    }
    if found.request_only {
        headers.remove(EXPECT);
        headers.remove(PROXY);
        headers.remove(PROXY_AUTHORIZATION);
    }
}

/// Takes off a response what belongs to the backend's connection.
pub(crate) fn strip_response(headers: &mut HeaderMap) {
    let found = strip_connection(headers);
    if found.te {
        headers.remove(TE);
    }
}

/// Takes off trailers what would frame or route a message, were they merged into its head (RFC 9110
/// section 6.5.1).
pub(crate) fn strip_trailers(mut trailers: HeaderMap) -> HeaderMap {
    for name in [CONNECTION, CONTENT_LENGTH, HOST, TE, TRANSFER_ENCODING, UPGRADE] {
        trailers.remove(name);
    }
    trailers
}

/// What a look at all names found beside the headers that were removed at once.
#[derive(Default)]
struct Found {
    te: bool,
    request_only: bool,
    /// Whether a name holds a `_`.
    ambiguous: bool,
}

/// Removes the headers of one connection, and those that `Connection` names. Most messages have
/// none, so that names are only looked at once.
fn strip_connection(headers: &mut HeaderMap) -> Found {
    let mut found = Found::default();
    let mut connection = false;
    let mut other = false;
    for name in headers.keys() {
        if *name == CONNECTION {
            connection = true;
        } else if *name == TRANSFER_ENCODING
            || *name == UPGRADE
            || *name == KEEP_ALIVE
            || *name == PROXY_CONNECTION
        {
            other = true;
        } else if *name == TE {
            found.te = true;
        } else if *name == EXPECT || *name == PROXY_AUTHORIZATION || *name == PROXY {
            found.request_only = true;
        } else if name.as_str().contains('_') {
            found.ambiguous = true;
        }
    }
    if connection {
        strip_named(headers);
        headers.remove(CONNECTION);
    }
    if other {
        headers.remove(TRANSFER_ENCODING);
        headers.remove(UPGRADE);
        headers.remove(KEEP_ALIVE);
        headers.remove(PROXY_CONNECTION);
    }
    found
}

/// Removes every header that `Connection` names. Those that frame or route the message stay, for
/// a client must not be able to make us drop them.
fn strip_named(headers: &mut HeaderMap) {
    let mut named: Vec<HeaderName> = Vec::new();
    for value in headers.get_all(CONNECTION) {
        for token in value.as_bytes().split(|byte| *byte == b',') {
            let token = token.trim_ascii();
            let usual = token.eq_ignore_ascii_case(b"close")
                || token.eq_ignore_ascii_case(b"keep-alive")
                || token.eq_ignore_ascii_case(b"te")
                || token.eq_ignore_ascii_case(b"upgrade");
            if !usual && let Ok(name) = HeaderName::from_bytes(token) {
                named.push(name);
            }
        }
    }
    for name in named {
        if name != HOST && name != CONTENT_LENGTH {
            headers.remove(name);
        }
    }
}

fn has_trailers(value: &HeaderValue) -> bool {
    value.as_bytes().split(|byte| *byte == b',').any(|part| {
        let name = part.split(|byte| *byte == b';').next().unwrap_or_default();
        name.trim_ascii().eq_ignore_ascii_case(b"trailers")
    })
}
