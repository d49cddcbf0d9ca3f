//! Answers that Fairway makes itself: errors as problems (RFC 9457), and `OPTIONS`.

use bytes::Bytes;
use fairway_snapshot::MethodSet;
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::body::Body;
use crate::context::RequestContext;
use crate::error::{ProxyError, wants_json};
use crate::filters;
use crate::message::ResponseHead;

/// An answer of our own.
#[derive(Debug)]
pub(crate) struct Reply {
    /// What went wrong; nothing did for an `OPTIONS` request.
    error: Option<ProxyError>,
    allow: Option<HeaderValue>,
}

impl From<ProxyError> for Reply {
    fn from(error: ProxyError) -> Self {
        Self { error: Some(error), allow: None }
    }
}

impl Reply {
    /// 405, with the methods that are known at the path (RFC 9110 section 15.5.6).
    pub(crate) fn method_not_allowed(allow: &MethodSet) -> Self {
        Self { error: Some(ProxyError::MethodNotAllowed), allow: field(allow) }
    }

    /// 204, with the methods that are known at the path (RFC 9110 section 9.3.7).
    pub(crate) fn options(allow: &MethodSet) -> Self {
        Self { error: None, allow: field(allow) }
    }
}

fn field(allow: &MethodSet) -> Option<HeaderValue> {
    HeaderValue::from_str(&allow.to_string()).ok()
}

/// The answer as a message. The guard goes into its body.
pub(crate) fn local_reply(mut context: Box<RequestContext>, reply: Reply) -> (ResponseHead, Body) {
    let mut headers = HeaderMap::new();
    if let Some(allow) = reply.allow {
        headers.insert(ALLOW, allow);
    }
    let status = reply.error.map_or(StatusCode::NO_CONTENT, ProxyError::status);
    let body = match reply.error {
        Some(error) => {
            let json = wants_json(context.accept.as_ref());
            let media = if json { "application/problem+json" } else { "text/plain; charset=utf-8" };
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
            let body = if json {
                error.problem_json(context.id.as_str())
            } else {
                error.plain_text(context.id.as_str())
            };
            headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
            Some(body)
        }
        None => None,
    };
    filters::finish(&context, &mut headers);
    // What is left of a body would be read as the next request.
    if context.exchange.request_ended.get().is_none() {
        headers.insert(http::header::CONNECTION, HeaderValue::from_static("close"));
        context.connection.linger();
    }
    context.status = Some(status);
    context.error = reply.error;
    context.complete = true;
    let head = ResponseHead { status, reason: None, headers };
    (head, Body::Own(body.filter(|body: &Bytes| !body.is_empty()), context))
}
