//! A server that answers as told, for tests of what is written.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use kube::{Client, Config};
use serde_json::{Value, json};

/// A client of a server that gives each request, which has a body, the next of these answers, and
/// what was asked: the first line and the body.
pub(super) fn server(answers: Vec<(u16, Value)>) -> (Client, Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, asked) = channel();
    std::thread::spawn(move || {
        for (code, body) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let asked = loop {
                let mut part = [0; 4096];
                let length = stream.read(&mut part).unwrap();
                request.extend_from_slice(&part[..length]);
                let text = String::from_utf8_lossy(&request);
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                if let Ok(body) = serde_json::from_str(body) {
                    break (head.lines().next().unwrap().to_owned(), body);
                }
            };
            // Whoever does not look at what was asked is gone.
            let _ = sender.send(asked);
            let body = body.to_string();
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {code} x\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
            );
            stream.write_all((head + &body).as_bytes()).unwrap();
        }
    });
    let config = Config::new(format!("http://{address}").parse().unwrap());
    (Client::try_from(config).unwrap(), asked)
}

/// What an API server answers to what it refuses.
pub(super) fn refused(code: u16, reason: &str, cause: &str) -> (u16, Value) {
    let details = json!({ "causes": [{ "reason": cause, "message": "x", "field": "x" }] });
    let status = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "x",
        "reason": reason, "code": code, "details": details });
    (code, status)
}
