//! One stream: its request, and its answer as the backend sends it.

use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::header::{CONTENT_LENGTH, DATE, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};
use http_body::Frame;
use tokio::time::Sleep;

use super::request::{Opened, Refused, open};
use crate::body::Body;
use crate::context::Exchange;
use crate::downstream::{ClientConnection, ClientSource};
use crate::fields::Known;
use crate::headers::strip_trailers;
use crate::message::{ResponseHead, has_no_body};
use crate::proxy::{self, Incoming, Tunnel};
use crate::streams::poll_send;
use crate::timers::poll_deadline;
use crate::worker::Worker;

/// What of a request decides how its answer is written.
struct Asked {
    head_only: bool,
    exchange: Rc<Exchange>,
}

/// Serves one stream to its end.
pub(super) async fn exchange(
    worker: Rc<Worker>,
    connection: Rc<ClientConnection>,
    request: Request<RecvStream>,
    mut answer: SendResponse<Bytes>,
) {
    let opened = match open(request, &worker.config) {
        Ok(opened) => opened,
        Err(refused) => {
            let Refused { head, error } = *refused;
            let exchange = Exchange::begin(&connection, true);
            let asked = Asked { head_only: head.method == Method::HEAD, exchange };
            let (head, body) = proxy::refuse(&worker, &connection, &head, error);
            return asked.respond(&worker, answer, head, body).await;
        }
    };
    let Opened { head, body, expects, protocol } = opened;
    let has_body = !body.is_end_stream() && protocol.is_none();
    let exchange = Exchange::begin(&connection, has_body);
    let asked = Asked { head_only: head.method == Method::HEAD, exchange: Rc::clone(&exchange) };
    let (body, tunnel) = match protocol {
        Some(protocol) => {
            let client = ClientSource::Http2(body);
            (None, Some(Tunnel { protocol, client, only: true }))
        }
        None => (has_body.then_some(ClientSource::Http2(body)), None),
    };
    let incoming = Incoming { body, expects, tunnel, exchange };
    let answered = {
        let mut served = pin!(proxy::serve(&worker, &connection, head, incoming));
        std::future::poll_fn(|cx| {
            // A stream that was reset, or whose connection is gone, has nobody to answer.
            if answer.poll_reset(cx).is_ready() {
                return Poll::Ready(None);
            }
            let answered = served.as_mut().poll(cx).map(Some);
            asked.tell(&mut answer);
            answered
        })
        .await
    };
    if let Some((head, body)) = answered {
        asked.respond(&worker, answer, head, body).await;
    }
}

impl Asked {
    /// Passes interim answers on.
    fn tell(&self, answer: &mut SendResponse<Bytes>) {
        for head in self.exchange.interim.borrow_mut().drain(..) {
            // There is no switch inside of HTTP/2, and what cannot be sent is not missed.
            let _ = answer.send_informational(response(head.status, head.headers.to_map(0)));
        }
    }

    /// Writes an answer.
    async fn respond(
        &self,
        worker: &Worker,
        mut answer: SendResponse<Bytes>,
        head: ResponseHead,
        mut body: Body,
    ) {
        self.tell(&mut answer);
        let (head, bodiless) = self.head(worker, head, &body);
        let Ok(mut stream) = answer.send_response(head, bodiless) else { return };
        if !bodiless {
            self.body(&mut stream, &mut body).await;
        }
        // Here the exchange ends, and is told of.
        drop(body);
    }

    /// The head as HTTP/2 has it, and whether nothing follows.
    fn head(&self, worker: &Worker, head: ResponseHead, body: &Body) -> (Response<()>, bool) {
        let ResponseHead { status, headers, .. } = head;
        let switched = status == StatusCode::SWITCHING_PROTOCOLS;
        let status = if switched { StatusCode::OK } else { status };
        let no_body = has_no_body(status);
        // What a HEAD or a 304 says of a body that does not come is left as it is.
        let told = (self.head_only || no_body) && status != StatusCode::NO_CONTENT;
        // What belongs to a connection of HTTP/1 (RFC 9113 section 8.2.2).
        let mut without = Known::Connection.bit();
        if switched {
            without |= Known::Upgrade.bit() | Known::SecWebsocketAccept.bit();
        }
        if !told {
            without |= Known::ContentLength.bit();
        }
        let dated = headers.contains(Known::Date);
        let mut headers = headers.to_map(without);
        if let Some(length) = body.remaining().filter(|_| !told && !no_body) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        if !dated {
            headers.insert(DATE, worker.date.value());
        }
        let bodiless = self.head_only || no_body || body.is_end_stream();
        (response(status, headers), bodiless)
    }

    /// Writes the body part by part.
    async fn body(&self, stream: &mut SendStream<Bytes>, body: &mut Body) {
        loop {
            let next = std::future::poll_fn(|cx| {
                if let Poll::Ready(next) = body.poll_frame(cx) {
                    return Poll::Ready(Some(next));
                }
                stream.poll_reset(cx).map(|_| None)
            });
            let Some(next) = next.await else { return };
            let sent = match next.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => {
                    let last = body.is_end_stream();
                    self.data(stream, body, data, last).await && !last
                }
                Some(Ok(Err(frame))) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    let _ = stream.send_trailers(strip_trailers(trailers));
                    false
                }
                Some(Err(_)) => {
                    stream.send_reset(Reason::INTERNAL_ERROR);
                    false
                }
                None => {
                    let _ = stream.send_data(Bytes::new(), true);
                    false
                }
            };
            if !sent {
                return;
            }
        }
    }

    /// Sends a part as the client takes it; says whether it took it. What the client sends meanwhile goes
    /// on to the backend, for each may wait for the other.
    async fn data(
        &self,
        stream: &mut SendStream<Bytes>,
        body: &mut Body,
        mut data: Bytes,
        last: bool,
    ) -> bool {
        if data.is_empty() {
            return stream.send_data(data, last).is_ok();
        }
        let mut timer = None;
        let taken = std::future::poll_fn(|cx| {
            let before = data.len();
            let taken = poll_send(stream, &mut data, last, cx);
            if taken.is_ready() || data.len() < before {
                self.exchange.has_read(u64::try_from(before - data.len()).unwrap_or_default());
            }
            if taken.is_ready() {
                return taken;
            }
            self.exchange.reads.wait();
            body.poll_upload(cx);
            self.poll_late(&mut timer, cx).map(|()| false)
        });
        let taken = taken.await;
        if !taken {
            stream.send_reset(Reason::CANCEL);
        }
        taken
    }

    /// Pending until the client has taken too little for too long.
    fn poll_late(&self, timer: &mut Option<Pin<Box<Sleep>>>, cx: &mut Context<'_>) -> Poll<()> {
        ready!(poll_deadline(timer, || self.exchange.reads_until(), cx));
        self.exchange.gives_up();
        Poll::Ready(())
    }
}

fn response(status: StatusCode, headers: HeaderMap) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = status;
    *response.version_mut() = Version::HTTP_2;
    *response.headers_mut() = headers;
    response
}
