//! Writing an answer to a client (RFC 9112 section 6): its head, and its body part by part as the
//! backend sends it.

use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{StatusCode, Version};
use http_body::Frame;

use super::wire::Wire;
use crate::body::{Body, BodyError};
use crate::context::Exchange;
use crate::fields::Known;
use crate::h1::Framing;
use crate::headers::strip_trailers;
use crate::message::{ResponseHead, has_no_body};

/// What of a request decides how its answer is written.
pub(super) struct Asked {
    pub(super) head_only: bool,
    pub(super) version: Version,
    pub(super) keep_alive: bool,
    pub(super) exchange: Rc<Exchange>,
}

impl Asked {
    /// Writes the interim answers that have come; says whether the client took them. HTTP/1.0 knows
    /// none (RFC 9110 section 15.2).
    pub(super) fn poll_interim(&self, wire: &Wire, cx: &mut Context<'_>) -> Poll<bool> {
        while !self.exchange.interim.borrow().is_empty() {
            if ready!(wire.poll_flush(cx)).is_err() {
                return Poll::Ready(false);
            }
            let head = self.exchange.interim.borrow_mut().remove(0);
            if head.status == StatusCode::CONTINUE && !wire.expects.take() {
                // It sends its body already.
                continue;
            }
            if self.version >= Version::HTTP_11 {
                let mut output = wire.output.borrow_mut();
                let own = output.begin();
                status_line(own, &head);
                head.headers.write(own, 0);
                own.extend_from_slice(b"\r\n");
            }
        }
        wire.poll_flush(cx).map(|flushed| flushed.is_ok())
    }
}

/// What of an answer belongs to the connection, and is made anew.
const MADE_ANEW: u64 = Known::set(&[Known::Connection, Known::TransferEncoding]);

/// How an answer is framed, and whether the connection goes on behind it.
struct Answer {
    framing: Framing,
    keep_alive: bool,
    /// Whether the connection goes on in another protocol.
    switched: bool,
}

/// Writes an answer; says whether the connection can serve another request.
pub(super) async fn respond(wire: &Wire, asked: &Asked, head: &ResponseHead, body: Body) -> bool {
    let mut body = body;
    wire.answers(Some(&asked.exchange));
    // What it was told before is whole.
    if !std::future::poll_fn(|cx| asked.poll_interim(wire, cx)).await {
        return false;
    }
    // The client need not be told any more to send its body: it has its answer. Whether it sends it all
    // the same is not known (RFC 9110 section 10.1.1).
    let unsent = wire.expects.take();
    let answer = Answer::of(asked, head, &body, unsent);
    answer.head(wire, asked, head);
    let sent = answer.framing == Framing::Empty || answer.body(wire, &mut body).await;
    let flushed = sent && flush(wire, &mut body).await;
    // Here the exchange ends, and is told of.
    drop(body);
    wire.answers(None);
    flushed && answer.keep_alive && wire.decoder.borrow().is_done()
}

impl Answer {
    fn of(asked: &Asked, head: &ResponseHead, body: &Body, unsent: bool) -> Self {
        let close = head
            .headers
            .get(Known::Connection)
            .is_some_and(|value| value.eq_ignore_ascii_case(b"close"));
        let switched = head.status == StatusCode::SWITCHING_PROTOCOLS;
        let keep_alive = asked.keep_alive && !close && !unsent && !switched;
        let bodiless = asked.head_only || has_no_body(head.status);
        let framing = match body.remaining() {
            _ if bodiless => Framing::Empty,
            Some(length) => Framing::Length(length),
            // HTTP/1.0 knows no chunks.
            None if switched || asked.version == Version::HTTP_10 => Framing::UntilClose,
            None => Framing::Chunked,
        };
        Self { framing, keep_alive: keep_alive && framing != Framing::UntilClose, switched }
    }

    fn head(&self, wire: &Wire, asked: &Asked, head: &ResponseHead) {
        let mut output = wire.output.borrow_mut();
        let own = output.begin();
        status_line(own, head);
        // The length that an answer without a body would have had is told, but not where there is no
        // body by definition (RFC 9110 section 8.6).
        let unknown = matches!(self.framing, Framing::Chunked | Framing::UntilClose);
        let unmeasured = unknown || head.status == StatusCode::NO_CONTENT;
        let measured = !unmeasured && head.headers.contains(Known::ContentLength);
        let length = if unmeasured { Known::ContentLength.bit() } else { 0 };
        head.headers.write(own, length | MADE_ANEW);
        match self.framing {
            Framing::Length(length) if !measured => {
                own.extend_from_slice(b"content-length: ");
                own.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
                own.extend_from_slice(b"\r\n");
            }
            Framing::Chunked => {
                own.extend_from_slice(b"transfer-encoding: chunked\r\n");
            }
            Framing::Length(_) | Framing::UntilClose | Framing::Empty => {}
        }
        if !head.headers.contains(Known::Date) {
            own.extend_from_slice(b"date: ");
            wire.worker.date.write(own);
            own.extend_from_slice(b"\r\n");
        }
        if self.switched {
            own.extend_from_slice(b"connection: upgrade\r\n");
        } else if !self.keep_alive {
            own.extend_from_slice(b"connection: close\r\n");
        } else if asked.version == Version::HTTP_10 {
            own.extend_from_slice(b"connection: keep-alive\r\n");
        }
        own.extend_from_slice(b"\r\n");
    }

    /// Writes the body; says whether it came to its end. The first part goes with the head, in one
    /// write.
    async fn body(&self, wire: &Wire, body: &mut Body) -> bool {
        let chunked = self.framing == Framing::Chunked;
        let mut first = true;
        loop {
            if !first && !flush(wire, body).await {
                return false;
            }
            let next = if body.is_end_stream() { Some(None) } else { next(wire, body).await };
            let Some(next) = next else { return false };
            let mut output = wire.output.borrow_mut();
            let frame = match next {
                None => None,
                Some(Ok(frame)) => Some(frame),
                Some(Err(_)) => return false,
            };
            match frame.map(Frame::into_data) {
                Some(Ok(data)) if data.is_empty() => {}
                Some(Ok(data)) if chunked => {
                    let last = body.is_end_stream();
                    output.chunk(data, last);
                    if last {
                        return true;
                    }
                    first = false;
                }
                Some(Ok(data)) => {
                    output.data(data);
                    first = false;
                }
                Some(Err(frame)) => {
                    let trailers = frame.into_trailers().ok().filter(|_| chunked);
                    let trailers = trailers.map(strip_trailers);
                    if chunked {
                        output.last_chunk(trailers.as_ref());
                    }
                    return true;
                }
                None => {
                    if chunked {
                        output.last_chunk(None);
                    }
                    return true;
                }
            }
        }
    }
}

fn status_line(own: &mut Vec<u8>, head: &ResponseHead) {
    own.extend_from_slice(b"HTTP/1.1 ");
    own.extend_from_slice(head.status.as_str().as_bytes());
    own.push(b' ');
    let usual = || head.status.canonical_reason().unwrap_or_default().as_bytes();
    own.extend_from_slice(head.reason.as_deref().unwrap_or_else(usual));
    own.extend_from_slice(b"\r\n");
}

/// The next part of a body; none when the client is gone. While it is waited for, what is there
/// leaves.
async fn next(wire: &Wire, body: &mut Body) -> Option<Option<Result<Frame<Bytes>, BodyError>>> {
    std::future::poll_fn(|cx| {
        if let Poll::Ready(next) = body.poll_frame(cx) {
            return Poll::Ready(Some(next));
        }
        if matches!(wire.poll_flush(cx), Poll::Ready(Err(_))) || wire.poll_gone(cx).is_ready() {
            return Poll::Ready(None);
        }
        Poll::Pending
    })
    .await
}

/// Writes what is there; says whether the client took it. What the client sends meanwhile goes on to
/// the backend, for each may wait for the other.
async fn flush(wire: &Wire, body: &mut Body) -> bool {
    let flushed = std::future::poll_fn(|cx: &mut Context<'_>| match wire.poll_flush(cx) {
        Poll::Ready(flushed) => Poll::Ready(flushed.is_ok()),
        Poll::Pending => {
            body.poll_upload(cx);
            Poll::Pending
        }
    });
    flushed.await
}
