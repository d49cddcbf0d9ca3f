//! Answers that Fairway makes itself: errors as problems (RFC 9457), `OPTIONS`, and what rules
//! answer without a backend.

use bytes::Bytes;
use fairway_snapshot::MethodSet;
use http::StatusCode;

use crate::body::Body;
use crate::context::RequestContext;
use crate::error::{ProxyError, wants_json};
use crate::fields::{Fields, Known};
use crate::filters;
use crate::message::{ResponseHead, has_no_body};
use crate::rules::FixedAnswer;

/// An answer of our own.
#[derive(Debug)]
pub(crate) enum Reply {
    /// Something went wrong; for a method that is not allowed, with those that are.
    Error(ProxyError, Option<String>),
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
        Self::Error(ProxyError::MethodNotAllowed, Some(allow.to_string()))
    }

    /// 204, with the methods that are known at the path (RFC 9110 section 9.3.7).
    pub(crate) fn options(allow: &MethodSet) -> Self {
        let headers = [(Known::Allow, allow.to_string())].into_iter().collect();
        let status = StatusCode::NO_CONTENT;
        Self::fixed(FixedAnswer { status, headers, body: Bytes::new() })
    }

    /// Elsewhere (RFC 9110 section 15.4).
    pub(crate) fn redirect(status: u16, location: &str) -> Self {
        // A path and a query as they came hold only what a field may, and so does the rest.
        if !is_value(location) {
            return ProxyError::RuleInvalid.into();
        }
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::FOUND);
        let headers = [(Known::Location, location)].into_iter().collect();
        Self::fixed(FixedAnswer { status, headers, body: Bytes::new() })
    }

    /// A fixed answer.
    pub(crate) fn fixed(answer: FixedAnswer) -> Self {
        Self::Answer(Box::new(answer))
    }
}

/// Whether a text may be the value of a field (RFC 9110 section 5.5).
fn is_value(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'\t' || !byte.is_ascii_control())
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
        headers.set(Known::ContentLength, itoa::Buffer::new().format(body.len()).as_bytes());
    }
    filters::finish(&context, &mut headers);
    // What is left of a body would be read as the next request.
    if context.exchange.request_ended.get().is_none()
        || error.is_some_and(ProxyError::ends_connection)
    {
        headers.set(Known::Connection, b"close");
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
    let mut headers = Fields::new();
    headers.add(Known::ContentType, b"application/grpc");
    let status = error.grpc_status();
    headers.add(Known::GrpcStatus, itoa::Buffer::new().format(status).as_bytes());
    headers.add(Known::GrpcMessage, message.as_bytes());
    FixedAnswer { status: StatusCode::OK, headers, body: Bytes::new() }
}

/// An error as a problem, or as text for clients that do not take JSON.
fn problem(context: &RequestContext, error: ProxyError, allow: Option<String>) -> FixedAnswer {
    let mut headers: Fields = allow.map(|allow| (Known::Allow, allow)).into_iter().collect();
    let json = wants_json(context.accept());
    let media = if json { "application/problem+json" } else { "text/plain; charset=utf-8" };
    headers.add(Known::ContentType, media.as_bytes());
    let id = context.id.as_str();
    let versions = context.rule.as_ref().and_then(|rule| rule.rule.versions());
    let detail = versions.filter(|_| error == ProxyError::VersionUnknown);
    let detail = detail.map(|versions| versions.advice());
    let detail = detail.as_deref();
    if error == ProxyError::Overloaded {
        // A guess: it ends when what is in flight does.
        headers.add(Known::RetryAfter, b"1");
    }
    let body = if json { error.problem_json(detail, id) } else { error.plain_text(detail, id) };
    FixedAnswer { status: error.status(), headers, body }
}
