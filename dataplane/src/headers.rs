//! Header rules that hold for every message that passes: what belongs to one connection only is
//! taken off (RFC 9110 section 7.6.1).

#[cfg(test)]
mod tests;

use http::Method;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, TE, TRANSFER_ENCODING, UPGRADE};

use crate::error::ProxyError;
use crate::fields::{Fields, Known};
use crate::h1::options;
use crate::message::RequestHead;

/// What belongs to one connection, whatever `Connection` names.
const OF_A_CONNECTION: u64 = Known::set(&[
    Known::Connection,
    Known::KeepAlive,
    Known::ProxyConnection,
    Known::TransferEncoding,
    Known::Upgrade,
]);
/// What a request says to its peer alone. A field `Proxy` becomes `HTTP_PROXY` in CGI programs; no
/// client has a reason to send it (CVE-2016-5385).
const TO_A_PEER: u64 = Known::set(&[Known::Expect, Known::Proxy, Known::ProxyAuthorization]);

/// Refuses what cannot be passed on as it was meant: a tunnel.
pub(crate) fn check_request(head: &RequestHead) -> Result<(), ProxyError> {
    if head.method == Method::CONNECT { Err(ProxyError::MethodNotSupported) } else { Ok(()) }
}

/// Whether a client waits to be told to send its body (RFC 9110 section 10.1.1).
pub(crate) fn expects_continue(headers: &Fields) -> bool {
    let expected = headers.get(Known::Expect).unwrap_or_default();
    expected.trim_ascii().eq_ignore_ascii_case(b"100-continue")
}

/// Takes off a request what belongs to the client's connection. `TE: trailers` stays, for it asks
/// the whole chain. `Expect` is made anew for the backend where the client waits for it. So are
/// taken off the fields whose name holds a `_`: CGI and WSGI programs cannot tell them from those
/// with a `-` in its place, so that `X_Forwarded_For` would speak for us.
pub(crate) fn strip_request(headers: &mut Fields) {
    strip_connection(headers);
    if headers.contains(Known::Te) {
        let trailers = headers.all(Known::Te).any(has_trailers);
        headers.remove(Known::Te);
        if trailers {
            headers.add(Known::Te, b"trailers");
        }
    }
    if headers.has_ambiguous() {
        headers.retain(|field| !field.name.contains(&b'_'));
    }
    headers.remove_set(TO_A_PEER);
}

/// Takes off a response what belongs to the backend's connection.
pub(crate) fn strip_response(headers: &mut Fields) {
    strip_connection(headers);
    headers.remove(Known::Te);
}

/// Takes off trailers what would frame or route a message, were they merged into its head (RFC 9110
/// section 6.5.1).
pub(crate) fn strip_trailers(mut trailers: HeaderMap) -> HeaderMap {
    for name in [CONNECTION, CONTENT_LENGTH, HOST, TE, TRANSFER_ENCODING, UPGRADE] {
        trailers.remove(name);
    }
    trailers
}

/// Removes the fields of one connection, and those that `Connection` names.
fn strip_connection(headers: &mut Fields) {
    if headers.contains(Known::Connection) {
        strip_named(headers);
    }
    headers.remove_set(OF_A_CONNECTION);
}

/// Removes every field that `Connection` names. Those that frame or route the message stay, for
/// a client must not be able to make us drop them.
fn strip_named(headers: &mut Fields) {
    let named = headers.all(Known::Connection).flat_map(options);
    let usual = |name: &&[u8]| name.eq_ignore_ascii_case(b"close") || stays(Known::of(name));
    let mut named: Vec<Vec<u8>> =
        named.filter(|name| !usual(name)).map(<[u8]>::to_ascii_lowercase).collect();
    // There may be as many as a head has room for.
    named.sort_unstable();
    if !named.is_empty() {
        headers.retain(|field| {
            let name = field.name.to_ascii_lowercase();
            stays(field.known) || named.binary_search(&name).is_err()
        });
    }
}

/// What is not removed for being named, or not for that: `TE` is looked at for itself.
fn stays(name: Option<Known>) -> bool {
    use Known::{ContentLength, Host, KeepAlive, Te, Upgrade};
    matches!(name, Some(ContentLength | Host | KeepAlive | Te | Upgrade))
}

fn has_trailers(value: &[u8]) -> bool {
    value.split(|byte| *byte == b',').any(|part| {
        let name = part.split(|byte| *byte == b';').next().unwrap_or_default();
        name.trim_ascii().eq_ignore_ascii_case(b"trailers")
    })
}
