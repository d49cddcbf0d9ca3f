//! What is said of the version of an API: to the backend which one serves a request, to the client
//! that it ends.

use fairway_snapshot::ApiVersions;
use http::header::{ACCEPT, LINK, VARY};
use http::{HeaderMap, HeaderName, HeaderValue};

/// RFC 9745.
const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
/// RFC 8594.
const SUNSET: HeaderName = HeaderName::from_static("sunset");

/// The header field that names versions holds the one that serves the request, when the client named
/// it elsewhere or not at all.
pub(crate) fn tell_backend(versions: &ApiVersions, index: usize, headers: &mut HeaderMap) {
    if let Some(name) = &versions.header
        && !headers.contains_key(name)
        && let Ok(value) = HeaderValue::from_str(versions.name(index))
    {
        headers.insert(name.clone(), value);
    }
}

/// What ends is told, unless the backend says it better; and caches learn what the answer depends
/// on.
pub(crate) fn tell_client(versions: &ApiVersions, index: Option<usize>, headers: &mut HeaderMap) {
    if let Some(name) = &versions.header {
        headers.append(VARY, HeaderValue::from(name.clone()));
    }
    if versions.media_type.is_some() {
        headers.append(VARY, HeaderValue::from(ACCEPT));
    }
    let Some(version) = index.and_then(|index| versions.known.get(index)) else { return };
    for (name, value) in [(DEPRECATION, &version.deprecation), (SUNSET, &version.sunset)] {
        if let Some(value) = value
            && !headers.contains_key(&name)
        {
            headers.insert(name, value.clone());
        }
    }
    if let Some(link) = &version.link {
        headers.append(LINK, link.clone());
    }
}
