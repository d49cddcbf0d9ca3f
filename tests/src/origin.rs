//! Backends: one that says what it got, and one that says byte for byte what a test tells it to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, Version};
use axum::response::Response;
use axum::routing::any;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Receiver, channel};
use tokio_rustls::TlsAcceptor;

/// A backend that answers with what it got, as JSON.
pub struct Echo {
    /// Where it listens.
    pub address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

#[derive(Clone)]
struct Named {
    name: Arc<str>,
    requests: Arc<AtomicUsize>,
}

impl Echo {
    /// Starts it; `name` is told in every answer.
    pub async fn start(name: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self::over(name, listener, address)
    }

    /// The same over TLS; `acceptor` is asked for each connection.
    pub async fn secured(name: &str, acceptor: impl Fn() -> TlsAcceptor + Send + 'static) -> Self {
        let listener = crate::tls::Listener::start(acceptor).await;
        let address = listener.address();
        Self::over(name, listener, address)
    }

    fn over<L>(name: &str, listener: L, address: SocketAddr) -> Self
    where
        L: axum::serve::Listener<Addr = SocketAddr>,
    {
        let requests = Arc::new(AtomicUsize::new(0));
        let state = Named { name: name.into(), requests: Arc::clone(&requests) };
        let router = Router::new()
            .route("/status/{code}", any(status))
            .route("/bytes/{count}", any(bytes))
            .fallback(echo)
            .with_state(state);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, requests }
    }

    /// How many requests it answered.
    pub fn requests(&self) -> usize {
        self.requests.load(Relaxed)
    }
}

async fn echo(
    State(state): State<Named>,
    method: Method,
    uri: Uri,
    version: Version,
    headers: HeaderMap,
    body: Bytes,
) -> Json<Value> {
    state.requests.fetch_add(1, Relaxed);
    let headers: BTreeMap<String, Vec<String>> = headers
        .keys()
        .map(|name| {
            let values = headers.get_all(name).iter();
            (
                name.to_string(),
                values
                    .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
                    .collect(),
            )
        })
        .collect();
    Json(json!({
        "name": &*state.name,
        "method": method.as_str(),
        "path": uri.path(),
        "query": uri.query(),
        "version": format!("{version:?}"),
        "scheme": uri.scheme_str(),
        "headers": headers,
        "body": String::from_utf8_lossy(&body),
    }))
}

async fn status(axum::extract::Path(code): axum::extract::Path<u16>) -> StatusCode {
    StatusCode::from_u16(code).unwrap()
}

async fn bytes(axum::extract::Path(count): axum::extract::Path<usize>) -> Response {
    Response::new(Body::from(vec![b'x'; count]))
}

/// A backend whose every connection runs a script.
pub struct Raw {
    /// Where it listens.
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Raw {
    /// Starts it; `script` gets the number of the connection, from 0, and the connection.
    pub async fn start<F, S>(script: S) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
        S: Fn(usize, TcpStream) -> F + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(script(count.fetch_add(1, Relaxed), stream));
            }
        });
        Self { address, connections }
    }

    /// One that tells when the other side is gone, and says nothing until then; of `/begun` and
    /// `/breaks` it sends the first byte of an answer, and breaks that of `/breaks` off.
    pub async fn waits() -> (Self, Receiver<()>) {
        let (told, tells) = channel(1);
        let origin = Self::start(move |_, mut stream| {
            let told = told.clone();
            async move {
                let head = read_head(&mut stream).await;
                let breaks = head.starts_with("GET /breaks ");
                if breaks || head.starts_with("GET /begun ") {
                    write(&mut stream, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx").await;
                }
                if breaks {
                    return;
                }
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest).await;
                let _ = told.send(()).await;
            }
        })
        .await;
        (origin, tells)
    }

    /// One that closes each connection instead of an answer.
    pub async fn closes() -> Self {
        Self::start(|_, mut stream| async move {
            read_head(&mut stream).await;
        })
        .await
    }

    /// One that answers with what is no HTTP.
    pub async fn babbles() -> Self {
        Self::start(|_, mut stream| async move {
            read_head(&mut stream).await;
            write(&mut stream, "no http at all\r\n\r\n").await;
        })
        .await
    }

    /// How many connections were opened.
    pub fn connections(&self) -> usize {
        self.connections.load(Relaxed)
    }
}

/// Reads the head of a request.
pub async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// Writes text as it is.
pub async fn write(stream: &mut (impl AsyncWrite + Unpin), text: &str) {
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.flush().await;
}
