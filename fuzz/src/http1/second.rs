//! What hyper reads, polled by hand over bytes in memory: nothing here waits for anything.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use http::header::{HOST, HeaderValue, UPGRADE};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};

use super::{End, ReadBody};

/// As many fields as we take.
const MAX_FIELDS: usize = 128;
/// More steps than any message needs; one that takes them all goes round in circles.
const MOST_STEPS: usize = 100_000;

/// A request as hyper read it.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) method: Method,
    pub(super) target: Uri,
    pub(super) version: Version,
    pub(super) headers: HeaderMap,
    pub(super) body: ReadBody,
}

/// A response as hyper read it.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: ReadBody,
}

/// One end of a connection: bytes come, and what is written goes nowhere.
struct Wire {
    comes: Bytes,
    /// Whether bytes come only behind something that was written.
    asks: bool,
    reader: Option<Waker>,
}

/// Whether whoever was polled wants to be polled again.
#[derive(Default)]
struct Woken(AtomicBool);

/// What hyper's server takes of these bytes, request by request.
pub(super) fn requests(bytes: &[u8]) -> Vec<Taken> {
    let taken = Rc::new(RefCell::new(Vec::new()));
    let service = hyper::service::service_fn(|request: Request<Incoming>| {
        let taken = Rc::clone(&taken);
        async move {
            let (head, body) = request.into_parts();
            let number = {
                let mut taken = taken.borrow_mut();
                taken.push(Taken {
                    method: head.method,
                    target: head.uri,
                    version: head.version,
                    headers: head.headers,
                    body: ReadBody::default(),
                });
                taken.len() - 1
            };
            let body = read(body).await;
            taken.borrow_mut()[number].body = body;
            // Not a success, behind which CONNECT would not be HTTP any more.
            let mut answer = Response::new(Empty::<Bytes>::new());
            *answer.status_mut() = StatusCode::NOT_FOUND;
            Ok::<_, Infallible>(answer)
        }
    });
    let wire = Wire { comes: Bytes::copy_from_slice(bytes), asks: false, reader: None };
    let mut server = hyper::server::conn::http1::Builder::new();
    server.half_close(true).max_headers(MAX_FIELDS);
    drop(drive(server.serve_connection(wire, &service)));
    taken.take()
}

/// What hyper's client takes of these bytes as the answer to a request.
pub(super) fn response(
    method: &Method,
    upgrade: Option<&HeaderValue>,
    bytes: &[u8],
) -> Option<Answered> {
    let wire = Wire { comes: Bytes::copy_from_slice(bytes), asks: true, reader: None };
    let answered = Rc::new(Cell::new(None));
    let told = Rc::clone(&answered);
    let talk = async move {
        let mut client = hyper::client::conn::http1::Builder::new();
        client.max_headers(MAX_FIELDS);
        let Ok((mut sender, connection)) = client.handshake(wire).await else { return };
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.method_mut() = method.clone();
        request.headers_mut().insert(HOST, HeaderValue::from_static("a"));
        if let Some(protocol) = upgrade {
            request.headers_mut().insert(UPGRADE, protocol.clone());
        }
        let exchange = async {
            let Ok(answer) = sender.send_request(request).await else { return };
            let (head, body) = answer.into_parts();
            let (status, headers) = (head.status, head.headers);
            // What follows a switch is nothing that it reads.
            let switched = status == StatusCode::SWITCHING_PROTOCOLS;
            let body = if switched { ReadBody::default() } else { read(body).await };
            told.set(Some(Answered { status, headers, body }));
        };
        let (mut exchange, mut connection) = (pin!(exchange), pin!(connection));
        let mut ended = false;
        std::future::poll_fn(|cx| {
            ended = ended || connection.as_mut().poll(cx).is_ready();
            exchange.as_mut().poll(cx)
        })
        .await;
    };
    drive(talk);
    answered.take()
}

/// Reads a body to its end, if it has one.
async fn read(mut body: Incoming) -> ReadBody {
    let mut read = ReadBody::default();
    loop {
        match body.frame().await {
            None => {
                read.end = End::Whole;
                return read;
            }
            Some(Err(_)) => {
                read.end = End::Broken;
                return read;
            }
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => read.data.extend_from_slice(&data),
                Err(frame) => read.trailers = frame.into_trailers().unwrap_or_default(),
            },
        }
    }
}

/// Polls until the end, or until nothing more can happen.
fn drive<F: Future>(future: F) -> Option<F::Output> {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    for _ in 0..MOST_STEPS {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return Some(output);
        }
        if !woken.0.swap(false, Relaxed) {
            return None;
        }
    }
    panic!("hyper goes round in circles");
}

// === impl Woken ===

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

// === impl Wire ===

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.asks {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let length = buffer.remaining().min(self.comes.len());
        buffer.put_slice(&self.comes.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl Write for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.asks = false;
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
