//! Answers that Fairway makes itself: errors as problems (RFC 9457), `OPTIONS`, and what rules
//! answer without a backend.

use bytes::Bytes;
use fairway_snapshot::MethodSet;
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::body::Body;
use crate::context::RequestContext;
use crate::error::{ProxyError, wants_json};
use crate::filters;
use crate::message::{ResponseHead, has_no_body};
use crate::rules::FixedAnswer;

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// An answer of our own.
#[derive(Debug)]
pub(crate) enum Reply {
    /// Something went wrong; for a method that is not allowed, with those that are.
    Error(ProxyError, Option<HeaderValue>),
    /// Nothing did.
    Answer(Box<FixedAnswer>),
}

impl From<ProxyError> for Reply {
    fn from(error: ProxyError) -> Self {
        Self::Error(error, None)
    }
}

impl Reply {
    /// 405, with the methods that are known at the path (RFC 9110 section 15.5.6).
    pub(crate) fn method_not_allowed(allow: &MethodSet) -> Self {
        Self::Error(ProxyError::MethodNotAllowed, field(allow))
    }

    /// 204, with the methods that are known at the path (RFC 9110 section 9.3.7).
    pub(crate) fn options(allow: &MethodSet) -> Self {
        let headers = field(allow).map(|allow| (ALLOW, allow)).into_iter().collect();
        let status = StatusCode::NO_CONTENT;
        Self::fixed(FixedAnswer { status, headers, body: Bytes::new() })
    }

    /// Elsewhere (RFC 9110 section 15.4).
    pub(crate) fn redirect(status: u16, location: String) -> Self {
        // A path and a query as they came hold only what a header may, and so does the rest.
        let Ok(location) = HeaderValue::from_maybe_shared(Bytes::from(location)) else {
            return ProxyError::RuleInvalid.into();
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::FOUND);
        let headers = [(LOCATION, location)].into_iter().collect();
        Self::fixed(FixedAnswer { status, headers, body: Bytes::new() })
    }

    /// A fixed answer.
    pub(crate) fn fixed(answer: FixedAnswer) -> Self {
        Self::Answer(Box::new(answer))
    }
}

fn field(allow: &MethodSet) -> Option<HeaderValue> {
    HeaderValue::from_str(&allow.to_string()).ok()
}

/// The answer as a message. The guard goes into its body.
pub(crate) fn local_reply(mut context: Box<RequestContext>, reply: Reply) -> (ResponseHead, Body) {
    let (error, answer) = match reply {
        Reply::Error(error, _) if context.grpc => (Some(error), grpc_status(&context, error)),
        Reply::Error(error, allow) => (Some(error), problem(&context, error, allow)),
        Reply::Answer(answer) => (None, *answer),
    };
    let FixedAnswer { status, mut headers, body } = answer;
    // No length is said where there is no body by definition (RFC 9110 section 8.6).
    if !has_no_body(status) && !context.grpc {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    filters::finish(&context, &mut headers);
    // What is left of a body would be read as the next request.
    if context.exchange.request_ended.get().is_none()
        || error.is_some_and(ProxyError::ends_connection)
    {
        headers.insert(http::header::CONNECTION, HeaderValue::from_static("close"));
        context.connection.linger();
    }
    // Who counts failures counts those of gRPC by the status that others get.
    context.status = Some(error.filter(|_| context.grpc).map_or(status, ProxyError::status));
    context.error = error;
    context.complete = true;
    let head = ResponseHead { status, reason: None, headers };
    (head, Body::Own(Some(body).filter(|body: &Bytes| !body.is_empty()), context))
}

/// An error as gRPC has it: a status in the head of an answer that has nothing else (gRPC over HTTP/2,
/// "Trailers-Only").
fn grpc_status(context: &RequestContext, error: ProxyError) -> FixedAnswer {
    let message = format!("{}, request id {}", error.reason(), context.id.as_str());
    let message = HeaderValue::from_str(&message);
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(GRPC_STATUS, HeaderValue::from(error.grpc_status()));
    headers.insert(GRPC_MESSAGE, message.unwrap_or_else(|_| HeaderValue::from_static("")));
    FixedAnswer { status: StatusCode::OK, headers, body: Bytes::new() }
}

/// An error as a problem, or as text for clients that do not take JSON.
fn problem(context: &RequestContext, error: ProxyError, allow: Option<HeaderValue>) -> FixedAnswer {
    let mut headers: HeaderMap = allow.map(|allow| (ALLOW, allow)).into_iter().collect();
    let json = wants_json(context.accept.as_ref());
    let media = if json { "application/problem+json" } else { "text/plain; charset=utf-8" };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    let id = context.id.as_str();
    let versions = context.rule.as_ref().and_then(|rule| rule.rule.versions());
    let detail = versions.filter(|_| error == ProxyError::VersionUnknown);
    let detail = detail.map(|versions| versions.advice());
    let detail = detail.as_deref();
    if error == ProxyError::Overloaded {
        // A guess: it ends when what is in flight does.
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    let body = if json { error.problem_json(detail, id) } else { error.plain_text(detail, id) };
    FixedAnswer { status: error.status(), headers, body }
}
