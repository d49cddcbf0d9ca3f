//! Bodies on their way: streamed, counted and watched, never buffered.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::Frame;
use tokio::time::Sleep;

use crate::context::{Exchange, RequestContext};
use crate::downstream::{Broken, ClientSource};
use crate::error::ProxyError;
use crate::mirror::Copies;
use crate::timers::poll_deadline;
use crate::upstream::exchange::ResponseBody;

/// How much of a body is read that nobody needs, to keep its connection.
const SKIP: usize = 64 * 1024;

/// The body of a response.
pub(crate) enum Body {
    /// An answer of our own, with the guard of its request.
    Own(Option<Bytes>, Box<RequestContext>),
    /// What a backend sends.
    Upstream(UpstreamBody),
}

/// Why a body broke off, for the codec that was sending it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BodyError(ProxyError);

/// What a client sends.
pub(crate) struct ClientBody {
    body: ClientSource,
    /// The most that it may come to, and whether it is broken off there.
    limit: Option<(u64, bool)>,
    /// Who else gets each part.
    copies: Option<Box<Copies>>,
    /// Whether it is of another protocol, that was switched to.
    tunnel: bool,
    exchange: Rc<Exchange>,
}

/// What a backend sends, with the guard of its request.
pub(crate) struct UpstreamBody {
    /// Taken when it has ended: its connection then serves others.
    body: Option<ResponseBody>,
    context: Box<RequestContext>,
    limits: BodyLimits,
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether the head has come just now, and nobody has waited since.
    at_head: bool,
}

/// How long the body of a response may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimits {
    /// Between two movements of either body.
    pub(crate) idle: Option<Duration>,
    /// When the whole request must have ended.
    pub(crate) deadline: Option<Instant>,
}

// === impl ClientBody ===

impl ClientBody {
    pub(crate) fn new(body: ClientSource, exchange: Rc<Exchange>) -> Self {
        Self { body, limit: None, copies: None, tunnel: false, exchange }
    }

    /// From here on everything that the client sends, until it ends.
    pub(crate) fn into_tunnel(mut self) -> Self {
        self.body.open();
        self.tunnel = true;
        // The client's side ends when its connection does, and no request after it.
        self.exchange.request_ended.set(None);
        self
    }

    /// Breaks the body off when it comes to more bytes than this, or only notes that it does.
    pub(crate) fn limit(&mut self, most: u64, enforced: bool) {
        self.limit = Some((most, enforced));
    }

    /// Who gets each part beside the backend.
    pub(crate) fn copies(&mut self) -> &mut Copies {
        self.copies.get_or_insert_default()
    }

    /// Reads what has come already and throws it away, so that the connection can go on after an
    /// answer that needed no body. A body that has not come whole by then is given up.
    pub(crate) async fn skip(&mut self) {
        let (mut skipped, mut turns) = (0, 0);
        std::future::poll_fn(|cx| {
            while skipped < SKIP {
                match self.poll_frame(cx) {
                    Poll::Ready(Some(Ok(frame))) => {
                        skipped += frame.data_ref().map_or(0, Bytes::len);
                        if self.is_end_stream() {
                            break;
                        }
                    }
                    Poll::Ready(_) => break,
                    // The runtime gets a turn to notice what has come.
                    Poll::Pending if turns < 2 => {
                        turns += 1;
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    Poll::Pending => break,
                }
            }
            Poll::Ready(())
        })
        .await;
    }

    /// Its length, when the client said it.
    pub(crate) fn length(&self) -> Option<u64> {
        self.body.remaining()
    }

    /// The backend takes nothing now: what comes in small parts is gathered.
    pub(crate) fn poll_gather(&mut self, cx: &mut Context<'_>) {
        self.body.poll_gather(cx);
    }

    /// Whether nothing comes any more.
    pub(crate) fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    /// The next part.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ProxyError>>> {
        if self.copies.as_mut().is_some_and(|copies| copies.gives_way()) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Poll::Ready(next) = self.body.poll_frame(cx) else {
            self.exchange.awaits_client.set(true);
            self.exchange.sends.wait();
            return Poll::Pending;
        };
        let now = Instant::now();
        self.exchange.awaits_client.set(false);
        self.exchange.moved.set(now);
        let bytes =
            next.as_ref().and_then(|next| next.as_ref().ok()?.data_ref()).map_or(0, Bytes::len);
        self.exchange.has_sent(u64::try_from(bytes).unwrap_or_default());
        Poll::Ready(match next {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    let length = u64::try_from(data.len()).unwrap_or_default();
                    let received = self.exchange.received.get() + length;
                    self.exchange.received.set(received);
                    let beyond = self.limit.filter(|(most, _)| received > *most);
                    if beyond.is_some_and(|(_, enforced)| !enforced) {
                        self.exchange.over.set(true);
                    } else if beyond.is_some() {
                        self.exchange.broken.set(Some(ProxyError::BodyTooLarge));
                        return Poll::Ready(Some(Err(ProxyError::BodyTooLarge)));
                    }
                }
                let ended = self.body.is_end_stream();
                if ended {
                    self.exchange.request_ended.set(Some(now));
                }
                if let Some(copies) = &mut self.copies {
                    copies.push(&frame, ended);
                }
                Some(Ok(frame))
            }
            Some(Err(Broken)) => {
                let error = if self.tunnel {
                    ProxyError::ClientClosed
                } else {
                    ProxyError::RequestBodyError
                };
                self.exchange.broken.set(Some(error));
                Some(Err(error))
            }
            None => {
                self.exchange.request_ended.set(Some(now));
                if let Some(copies) = &self.copies {
                    copies.end();
                }
                None
            }
        })
    }
}

// === impl UpstreamBody ===

impl UpstreamBody {
    pub(crate) fn new(
        body: ResponseBody,
        context: Box<RequestContext>,
        limits: BodyLimits,
    ) -> Self {
        let mut body = Self { body: Some(body), context, limits, timer: None, at_head: true };
        if body.is_end_stream() {
            body.end(body.context.exchange.moved.get());
        }
        body
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            Some(body) => body.is_end_stream(),
            None => self.context.error.is_none(),
        }
    }

    /// The backend has sent everything: its connection can serve the next request.
    fn end(&mut self, now: Instant) {
        self.context.complete = true;
        if self.context.exchange.request_ended.get().is_none() {
            self.context.connection.linger();
        }
        if let Some(body) = self.body.take() {
            body.finish(&self.context.worker.pool, now);
        }
    }

    /// An error ends the connection, and what the codec has not sent by then is lost: it gets one
    /// turn to send the head and what came before.
    fn fail(
        &mut self,
        error: ProxyError,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.context.error = Some(error);
        self.body = None;
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(error) = self.context.error {
            return Poll::Ready(Some(Err(BodyError(error))));
        }
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let at_head = std::mem::take(&mut self.at_head);
        let Poll::Ready(next) = body.poll_frame(cx) else {
            return match self.poll_limits(cx) {
                Poll::Ready(error) => self.fail(error, cx),
                Poll::Pending => Poll::Pending,
            };
        };
        match next {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.context.sent += u64::try_from(data.len()).unwrap_or_default();
                }
                let moved = &self.context.exchange.moved;
                let now = if at_head { moved.get() } else { Instant::now() };
                moved.set(now);
                if self.is_end_stream() {
                    self.end(now);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                let broken = self.context.exchange.broken.get();
                self.fail(broken.unwrap_or(error), cx)
            }
            None => {
                self.end(Instant::now());
                Poll::Ready(None)
            }
        }
    }

    /// The nearest limit, and what has happened when it passes.
    fn nearest(limits: BodyLimits, exchange: &Exchange) -> Option<(Instant, ProxyError)> {
        let idle = limits.idle.map(|idle| (exchange.moved.get() + idle, ProxyError::IdleTimeout));
        let deadline = limits.deadline.map(|deadline| (deadline, ProxyError::RequestTimeout));
        match (idle, deadline) {
            (Some(idle), Some(deadline)) if deadline.0 >= idle.0 => Some(idle),
            (idle, deadline) => deadline.or(idle),
        }
    }

    /// Waits for the nearest limit.
    fn poll_limits(&mut self, cx: &mut Context<'_>) -> Poll<ProxyError> {
        let (limits, exchange) = (self.limits, &self.context.exchange);
        let at = || Self::nearest(limits, exchange).map(|(at, _)| at);
        ready!(poll_deadline(&mut self.timer, at, cx));
        let passed = Self::nearest(limits, exchange);
        Poll::Ready(passed.map_or(ProxyError::IdleTimeout, |(_, error)| error))
    }
}

// === impl Body ===

impl Body {
    /// The next part.
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self {
            Self::Own(bytes, context) => Poll::Ready(bytes.take().map(|bytes| {
                context.sent = u64::try_from(bytes.len()).unwrap_or_default();
                Ok(Frame::data(bytes))
            })),
            Self::Upstream(body) => body.poll(cx),
        }
    }

    /// Whether nothing comes any more.
    pub(crate) fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(bytes, _) => bytes.is_none(),
            Self::Upstream(body) => body.is_end_stream(),
        }
    }

    /// How much comes still, when that is known.
    pub(crate) fn remaining(&self) -> Option<u64> {
        match self {
            Self::Own(bytes, _) => {
                let length = bytes.as_ref().map_or(0, Bytes::len);
                Some(u64::try_from(length).unwrap_or_default())
            }
            Self::Upstream(body) => match &body.body {
                Some(body) => body.remaining(),
                None => Some(0),
            },
        }
    }

    /// Sends what can be sent of the rest of the request's body.
    pub(crate) fn poll_upload(&mut self, cx: &mut Context<'_>) {
        if let Self::Upstream(UpstreamBody { body: Some(body), .. }) = self {
            body.poll_upload(cx);
        }
    }
}
