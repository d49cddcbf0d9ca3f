//! Names of certificates (RFC 9525 section 6.3): `*` stands for one whole label, the first.

/// The name with `*` that is for a host, beside its own: `*.example.com` for `api.example.com`.
#[must_use]
pub fn parent_wildcard(host: &str) -> Option<String> {
    let (label, parent) = host.split_once('.')?;
    (!label.is_empty() && !parent.is_empty()).then(|| format!("*.{parent}"))
}

/// Whether a name of a certificate is for a host; both in lower case.
#[must_use]
pub fn covers(name: &str, host: &str) -> bool {
    if name == host {
        return true;
    }
    let Some(parent) = name.strip_prefix("*.") else { return false };
    host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == parent)
}
