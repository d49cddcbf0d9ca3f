//! The filters of a request, in the one order in which they act, each with the reason for its
//! place. No other file decides this order.

use bytes::Bytes;
use fairway_snapshot::{Filter, Rule};
use http::uri::PathAndQuery;
use http::{StatusCode, Uri};

use crate::context::RequestContext;
use crate::edits;
use crate::error::ProxyError;
use crate::fields::{Fields, Known};
use crate::headers::{strip_request, strip_response};
use crate::message::{RequestHead, ResponseHead};
use crate::{timing, versions};

/// What happens to the head of a request before it is sent.
pub(crate) fn request(
    context: &RequestContext,
    rule: &Rule,
    head: &mut RequestHead,
    path: Option<String>,
) -> Result<(), ProxyError> {
    // The target first: it needs the query as it came.
    head.target = target(&head.target, path)?;
    // Then off with what belongs to the client's connection, so that it cannot remove what is set
    // below by naming it in Connection.
    strip_request(&mut head.headers);
    // Last what we say of the request ourselves: nothing may change it any more.
    context.connection.forwarded.apply(&mut head.headers, context.told.as_deref());
    head.headers.set(Known::XRequestId, context.id.bytes());
    // A backend sees the version that serves the request, wherever the client named it.
    if let (Some(versions), Some(index)) = (rule.versions(), context.version_served) {
        versions::tell_backend(versions, index, &mut head.headers);
    }
    // What the policy changes: it may change what stands above, and must see it.
    let made = context.made.as_deref().map_or(&[][..], |made| &made.request);
    for filter in &rule.filters {
        if let Filter::RequestHeaders(edits) = filter {
            edits::apply(edits, made, &mut head.headers);
        }
    }
    // The host after what tells the client's.
    for filter in &rule.filters {
        if let Filter::RewriteHost(host) = filter {
            head.headers.set(Known::Host, host.as_bytes());
        }
    }
    Ok(())
}

/// What happens to the head of a backend's response before the client gets it.
pub(crate) fn response(context: &RequestContext, head: &mut ResponseHead) {
    let switched = head.status == StatusCode::SWITCHING_PROTOCOLS;
    let protocol = head.headers.get(Known::Upgrade).filter(|_| switched).map(<[u8]>::to_vec);
    strip_response(&mut head.headers);
    if let Some(protocol) = protocol {
        head.headers.add(Known::Upgrade, &protocol);
    }
    finish(context, &mut head.headers);
}

/// What every answer gets, our own ones too.
pub(crate) fn finish(context: &RequestContext, headers: &mut Fields) {
    if let Some(versions) = context.rule.as_ref().and_then(|rule| rule.rule.versions()) {
        versions::tell_client(versions, context.version_served, headers);
    }
    // Never without TLS (RFC 6797 section 7.2); what a backend says itself stays.
    if let Some(hsts) = context.rule.as_ref().and_then(|rule| rule.hsts.as_ref())
        && context.is_https()
        && !headers.contains(Known::StrictTransportSecurity)
    {
        headers.add(Known::StrictTransportSecurity, hsts);
    }
    let filters = context.rule.as_ref().map_or(&[][..], |rule| &rule.rule.filters);
    for filter in filters {
        if let Filter::ResponseHeaders(edits) = filter {
            let made = context.made.as_deref().map_or(&[][..], |made| &made.response);
            edits::apply(edits, made, headers);
        }
    }
    timing::apply(context, headers);
    // A connection that is being drained ends with this answer.
    if context.worker.draining.get() {
        headers.set(Known::Connection, b"close");
    }
}

/// The target in origin form: `path` when it changed, and the query as it came.
fn target(given: &Uri, path: Option<String>) -> Result<Uri, ProxyError> {
    let whole = match (path, given.path_and_query()) {
        (None, Some(whole)) => whole.clone(),
        (None, None) => PathAndQuery::from_static("/"),
        (Some(mut path), _) => {
            if let Some(query) = given.query() {
                path.push('?');
                path.push_str(query);
            }
            PathAndQuery::from_maybe_shared(Bytes::from(path))
                .map_err(|_| ProxyError::TargetTooLong)?
        }
    };
    Ok(Uri::from(whole))
}
