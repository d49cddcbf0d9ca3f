//! What is said of the version of an API: to the backend which one serves a request, to the client
//! that it ends.

use fairway_snapshot::ApiVersions;

use crate::fields::{Fields, Known};

/// The header field that names versions holds the one that serves the request, when the client named
/// it elsewhere or not at all.
pub(crate) fn tell_backend(versions: &ApiVersions, index: usize, headers: &mut Fields) {
    if let Some(name) = &versions.header
        && !headers.contains(name)
    {
        headers.add(name, versions.name(index).as_bytes());
    }
}

/// What ends is told, unless the backend says it better; and caches learn what the answer depends
/// on.
pub(crate) fn tell_client(versions: &ApiVersions, index: Option<usize>, headers: &mut Fields) {
    if let Some(name) = &versions.header {
        headers.add(Known::Vary, name.as_str().as_bytes());
    }
    if versions.media_type.is_some() {
        headers.add(Known::Vary, b"accept");
    }
    let Some(version) = index.and_then(|index| versions.known.get(index)) else { return };
    // RFC 9745 and RFC 8594.
    let ends = [(Known::Deprecation, &version.deprecation), (Known::Sunset, &version.sunset)];
    for (name, value) in ends {
        if let Some(value) = value
            && !headers.contains(name)
        {
            headers.add(name, value.as_bytes());
        }
    }
    if let Some(link) = &version.link {
        headers.add(Known::Link, link.as_bytes());
    }
}
