//! A sample service says who it is and what it was asked, and ends when it is told to.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::serve;
use crate::args::{DemoServiceArgs, SampleService};

#[tokio::test]
async fn it_says_who_it_is_and_ends() {
    for name in [SampleService::Finance, SampleService::Stock, SampleService::Esg] {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let args = DemoServiceArgs { name, listen, drain_delay: Duration::ZERO };
        let (end, ended) = oneshot::channel::<()>();
        let server = tokio::spawn(async move {
            let wait = async { ended.await.unwrap_or_default() };
            serve(&args, listener, wait).await.unwrap();
        });
        let health = reqwest::get(format!("http://{address}/healthz")).await.unwrap();
        assert_eq!(health.status(), 200);
        let hello = reqwest::Client::new().put(format!("http://{address}/some/hello?x=1"));
        let hello: Value = hello.send().await.unwrap().json().await.unwrap();
        let seen = ["service", "method", "path", "query", "protocol"].map(|key| &hello[key]);
        assert_eq!(seen, [name.as_str(), "PUT", "/some/hello", "x=1", "HTTP/1.1"]);
        end.send(()).unwrap();
        server.await.unwrap();
        assert!(reqwest::get(format!("http://{address}/healthz")).await.is_err());
    }
}
