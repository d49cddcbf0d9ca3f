//! The way of a request's body to a backend of HTTP/2, as its windows have room.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, SendStream};

use crate::error::ProxyError;
use crate::headers::strip_trailers;
use crate::streams::poll_send;
use crate::upstream::exchange::RequestBody;

/// What is left to be sent.
pub(super) struct Upload {
    stream: SendStream<Bytes>,
    body: Option<RequestBody>,
    /// A part that waits for room.
    waiting: Bytes,
    /// Whether it is the last one.
    last: bool,
    /// Whether anything of the body was taken.
    touched: bool,
}

impl Upload {
    pub(super) fn begin(stream: SendStream<Bytes>, body: Option<RequestBody>) -> Self {
        Self { stream, body, waiting: Bytes::new(), last: false, touched: false }
    }

    /// The body, and whether nothing of it was taken.
    pub(super) fn into_unread(self) -> (Option<RequestBody>, bool) {
        (self.body.filter(|_| !self.touched), !self.touched)
    }

    /// Sends what can be sent now. An error is one of the client's body; a backend that takes no
    /// more is none, since it may have answered.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ProxyError>> {
        while let Some(body) = &mut self.body {
            if !self.waiting.is_empty() {
                let sent = poll_send(&mut self.stream, &mut self.waiting, self.last, cx);
                if sent.is_pending() {
                    body.poll_gather(cx);
                }
                if !ready!(sent) || self.last {
                    self.body = None;
                }
                continue;
            }
            let next = ready!(body.poll_frame(cx));
            self.touched = true;
            match next {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if data.is_empty() => {}
                    Ok(data) => {
                        self.last = body.is_end_stream();
                        self.waiting = data;
                    }
                    Err(frame) => {
                        self.body = None;
                        let trailers = frame.into_trailers().unwrap_or_default();
                        let _ = self.stream.send_trailers(strip_trailers(trailers));
                    }
                },
                Some(Err(error)) => {
                    self.body = None;
                    self.stream.send_reset(Reason::CANCEL);
                    return Poll::Ready(Err(error));
                }
                None => {
                    self.body = None;
                    let _ = self.stream.send_data(Bytes::new(), true);
                }
            }
        }
        Poll::Ready(Ok(()))
    }
}
