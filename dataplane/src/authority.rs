//! The host that a request is for (RFC 9112 section 3.2).

#[cfg(test)]
mod tests;

use http::Version;

use crate::error::ProxyError;
use crate::fields::Known;
use crate::message::RequestHead;

/// The host in lower case, without port and final dot.
pub(crate) struct Host(String);

impl std::ops::Deref for Host {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// The host of a request. A target in absolute form names it too, and must name the same: readers
/// differ in which of the two they believe (RFC 9112 section 3.2.2).
pub(crate) fn host(head: &mut RequestHead) -> Result<Host, ProxyError> {
    let field = head.headers.get(Known::Host);
    if field.is_some() && head.headers.only(Known::Host).is_none() {
        return Err(ProxyError::BadHost);
    }
    let host = field.map(parse).transpose()?;
    if host.is_none() && head.version >= Version::HTTP_11 {
        return Err(ProxyError::NoHost);
    }
    let Some(authority) = head.target.authority() else {
        return Ok(host.unwrap_or_else(|| Host(String::new())));
    };
    let authority = authority.as_str().as_bytes();
    if field.is_some_and(|field| !field.eq_ignore_ascii_case(authority)) {
        return Err(ProxyError::BadHost);
    }
    let host = parse(authority)?;
    head.headers.set(Known::Host, authority);
    Ok(host)
}

/// Whether a field value is a host that could be forwarded.
pub(crate) fn is_host(field: &[u8]) -> bool {
    !field.is_empty() && parse(field).is_ok()
}

/// `uri-host [ ":" port ]` of RFC 9110 section 7.2, without userinfo. Blanks, lists and paths do
/// not pass, since a backend might read them in another way.
fn parse(field: &[u8]) -> Result<Host, ProxyError> {
    let bracketed = field.first() == Some(&b'[');
    let end = if bracketed {
        field.iter().position(|byte| *byte == b']').ok_or(ProxyError::BadHost)? + 1
    } else {
        field.iter().position(|byte| *byte == b':').unwrap_or(field.len())
    };
    let (name, port) = field.split_at(end);
    let name_ok = if bracketed {
        name[1..end - 1].iter().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'))
    } else {
        name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
    };
    let port_ok = match port {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !name_ok || !port_ok || (name.is_empty() && !port.is_empty()) {
        return Err(ProxyError::BadHost);
    }
    let mut name = name.strip_suffix(b".").unwrap_or(name).to_vec();
    name.make_ascii_lowercase();
    String::from_utf8(name).map(Host).map_err(|_| ProxyError::BadHost)
}
