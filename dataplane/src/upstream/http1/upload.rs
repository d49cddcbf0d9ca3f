//! The way of a request to the backend: its head, and its body part by part as the client sends it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use tokio::io::AsyncWrite;

use crate::body::ClientBody;
use crate::error::ProxyError;
use crate::fields::Known;
use crate::h1::{Framing, Output};
use crate::headers::strip_trailers;
use crate::upstream::connect::BackendSocket;
use crate::upstream::exchange::{Outgoing, RequestBody};

/// What is left to be sent.
pub(super) struct Upload {
    state: State,
    body: Option<RequestBody>,
    framing: Framing,
    /// What of a known length has not been taken from the client yet.
    left: u64,
    /// Whether the head waits for what the client has sent with its own, to be written with it.
    gathers: bool,
    /// What was taken so: as long as nothing was sent, another connection may need it.
    gathered: Option<Frame<Bytes>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Sending,
    /// The last part is being written.
    Ending,
    Complete,
    /// The backend takes no more, or the client sends no more: the connection ends with this
    /// exchange.
    Broken,
}

impl Upload {
    /// Begins with the head, and takes the body.
    pub(super) fn begin(request: &mut Outgoing, output: &mut Output) -> Self {
        let body = request.body.take();
        let framing = match &body {
            None => Framing::Empty,
            Some(body) => body.length().map_or(Framing::Chunked, Framing::Length),
        };
        head(output.begin(), request, framing);
        let left = if let Framing::Length(length) = framing { length } else { 0 };
        let state = if body.is_some() { State::Sending } else { State::Ending };
        let gathers = state == State::Sending;
        Self { state, body, framing, left, gathers, gathered: None }
    }

    /// Passes on what the client sends of the protocol that was switched to, until it ends.
    pub(super) fn tunnel(client: ClientBody) -> Self {
        let body = Some(RequestBody::Client(client));
        Self {
            state: State::Sending,
            body,
            framing: Framing::UntilClose,
            left: 0,
            gathers: false,
            gathered: None,
        }
    }

    /// Whether the other side of a tunnel is gone.
    pub(super) fn is_cut(&self) -> bool {
        self.framing == Framing::UntilClose && self.state == State::Broken
    }

    /// The whole body, when nothing was sent.
    pub(super) fn into_unsent_body(self) -> Option<RequestBody> {
        let Self { body, gathered, .. } = self;
        let body = body?;
        Some(match gathered {
            None => body,
            gathered => RequestBody::Unsent(gathered, Box::new(body)),
        })
    }

    /// Whether everything was sent.
    pub(super) fn is_complete(&self) -> bool {
        self.state == State::Complete
    }

    /// Whether nothing more will be sent.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, State::Complete | State::Broken)
    }

    /// Sends what can be sent now. An error is one of the client's body; a backend that takes no
    /// more is none, since it may have answered.
    pub(super) fn poll(
        &mut self,
        output: &mut Output,
        stream: &mut BackendSocket,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), ProxyError>> {
        while !self.is_over() {
            let gathers = std::mem::take(&mut self.gathers);
            if !gathers {
                let flushed = output.poll_flush(stream, cx);
                if let Some(body) = self.body.as_mut().filter(|_| flushed.is_pending()) {
                    body.poll_gather(cx);
                }
                if ready!(flushed).is_err() {
                    self.state = State::Broken;
                    break;
                }
                self.gathered = None;
            }
            if self.state == State::Ending {
                if self.framing == Framing::UntilClose {
                    // Only our side ends: the backend may have more to say.
                    let _ = ready!(Pin::new(&mut *stream).poll_shutdown(cx));
                }
                self.state = State::Complete;
                break;
            }
            let Some(body) = &mut self.body else { break };
            let frame = match body.poll_frame(cx) {
                Poll::Pending if gathers => continue,
                frame => ready!(frame),
            };
            if let Some(Ok(frame)) = frame.as_ref().filter(|_| gathers) {
                self.gathered = Some(copied(frame));
            }
            match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.part(data, output)?,
                    Err(frame) => self.last(frame.into_trailers().ok(), output)?,
                },
                Some(Err(error)) => {
                    self.state = State::Broken;
                    // The answer may go on for long; whoever else gets parts must not wait for it.
                    self.body = None;
                    return Poll::Ready(Err(error));
                }
                None => self.last(None, output)?,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn part(&mut self, data: Bytes, output: &mut Output) -> Result<(), ProxyError> {
        // An empty chunk would end the body.
        if data.is_empty() {
            return Ok(());
        }
        match self.framing {
            Framing::Chunked => {
                output.chunk(data, false);
                return Ok(());
            }
            Framing::UntilClose => {
                output.data(data);
                return Ok(());
            }
            Framing::Empty | Framing::Length(_) => {}
        }
        let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
        let left = self.left.checked_sub(length);
        self.left = left.ok_or_else(|| self.wrong_length())?;
        output.data(data);
        if self.left == 0 && self.body.as_ref().is_some_and(RequestBody::is_end_stream) {
            self.state = State::Ending;
        }
        Ok(())
    }

    fn last(&mut self, trailers: Option<HeaderMap>, output: &mut Output) -> Result<(), ProxyError> {
        if self.left > 0 {
            return Err(self.wrong_length());
        }
        if self.framing == Framing::Chunked {
            let trailers = trailers.map(strip_trailers);
            output.last_chunk(trailers.as_ref());
        }
        self.state = State::Ending;
        Ok(())
    }

    /// A body that is longer or shorter than it was said to be.
    fn wrong_length(&mut self) -> ProxyError {
        self.state = State::Broken;
        ProxyError::RequestBodyError
    }
}

/// The same frame; its data is shared.
fn copied(frame: &Frame<Bytes>) -> Frame<Bytes> {
    match frame.data_ref() {
        Some(data) => Frame::data(data.clone()),
        None => Frame::trailers(frame.trailers_ref().cloned().unwrap_or_default()),
    }
}

/// The head of a request.
pub(super) fn head(own: &mut Vec<u8>, request: &Outgoing, framing: Framing) {
    let head = &request.head;
    own.extend_from_slice(head.method.as_str().as_bytes());
    own.push(b' ');
    let target = head.target.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    own.extend_from_slice(target.as_bytes());
    own.extend_from_slice(b" HTTP/1.1\r\n");
    // A length of zero tells a backend that there is no body where it expects one.
    let length = if framing == Framing::Empty { 0 } else { Known::ContentLength.bit() };
    head.headers.write(own, length | Known::TransferEncoding.bit());
    match framing {
        Framing::Empty | Framing::UntilClose => {}
        Framing::Length(length) => {
            own.extend_from_slice(b"content-length: ");
            own.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
            own.extend_from_slice(b"\r\n");
        }
        Framing::Chunked => own.extend_from_slice(b"transfer-encoding: chunked\r\n"),
    }
    if request.expects {
        own.extend_from_slice(b"expect: 100-continue\r\n");
    }
    if let Some(upgrade) = &request.upgrade {
        own.extend_from_slice(b"connection: upgrade\r\nupgrade: ");
        own.extend_from_slice(upgrade.protocol.as_bytes());
        own.extend_from_slice(b"\r\n");
    }
    own.extend_from_slice(b"\r\n");
}
