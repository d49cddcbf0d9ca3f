//! A real DNS server on a free port of loopback, which answers from a map that the test fills.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{RData, Record, RecordType};
use tokio::net::UdpSocket;

/// A DNS server.
pub struct Dns {
    /// Where it listens.
    pub address: SocketAddr,
    zone: Arc<Zone>,
}

#[derive(Default)]
struct Zone {
    names: Mutex<HashMap<String, Vec<Ipv4Addr>>>,
    ttl: AtomicU32,
    broken: AtomicBool,
    queries: AtomicUsize,
}

impl Dns {
    /// A server with an empty zone and a time to live of 1 s.
    pub async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let zone = Arc::new(Zone { ttl: AtomicU32::new(1), ..Zone::default() });
        tokio::spawn(serve(socket, Arc::clone(&zone)));
        Self { address, zone }
    }

    /// Gives a name these addresses; `*` is every name that has none of its own.
    pub fn set(&self, name: &str, addresses: &[Ipv4Addr]) {
        self.zone.names.lock().unwrap().insert(name.to_owned(), addresses.to_vec());
    }

    /// Removes a name.
    pub fn remove(&self, name: &str) {
        self.zone.names.lock().unwrap().remove(name);
    }

    /// Whether every question is answered with SERVFAIL.
    pub fn set_broken(&self, broken: bool) {
        self.zone.broken.store(broken, Relaxed);
    }

    /// How many questions were asked.
    pub fn queries(&self) -> usize {
        self.zone.queries.load(Relaxed)
    }
}

async fn serve(socket: UdpSocket, zone: Arc<Zone>) {
    let mut buffer = [0; 4096];
    while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
        let Ok(question) = Message::from_vec(&buffer[..length]) else { continue };
        if let Ok(answer) = zone.answer(&question).to_vec() {
            let _ = socket.send_to(&answer, from).await;
        }
    }
}

impl Zone {
    fn answer(&self, question: &Message) -> Message {
        self.queries.fetch_add(1, Relaxed);
        let mut answer =
            Message::new(question.metadata.id, MessageType::Response, question.metadata.op_code);
        answer.metadata.recursion_desired = question.metadata.recursion_desired;
        answer.metadata.recursion_available = true;
        for query in &question.queries {
            answer.add_query(query.clone());
            if self.broken.load(Relaxed) {
                answer.metadata.response_code = ResponseCode::ServFail;
                continue;
            }
            let name = query.name().to_ascii().to_ascii_lowercase();
            let names = self.names.lock().unwrap();
            let Some(addresses) = names.get(&name).or_else(|| names.get("*")) else {
                answer.metadata.response_code = ResponseCode::NXDomain;
                continue;
            };
            if query.query_type() == RecordType::A {
                for address in addresses {
                    let data = RData::A(A(*address));
                    let ttl = self.ttl.load(Relaxed);
                    answer.add_answer(Record::from_rdata(query.name().clone(), ttl, data));
                }
            }
        }
        answer
    }
}
