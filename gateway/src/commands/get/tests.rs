//! A probe says yes only to what was expected, and asks again for as long as it may.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use tokio::net::TcpListener;

use super::{address, get};
use crate::args::GetArgs;

fn args(url: &str) -> GetArgs {
    GetArgs {
        url: url.to_owned(),
        header: Vec::new(),
        expect: None,
        contains: None,
        retry_for: Duration::ZERO,
    }
}

/// A server that answers 503 so many times, and then tells the host that it was asked for.
async fn server(failures: usize) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let answer = move |headers: HeaderMap| async move {
        let status = if asked.fetch_add(1, Ordering::Relaxed) < failures {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::OK
        };
        (status, headers["host"].to_str().unwrap().to_owned())
    };
    let router = axum::Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/x")
}

#[tokio::test]
async fn only_what_was_expected_is_well() {
    let url = server(0).await;
    assert_eq!(get(&args(&url)).await.unwrap(), 0);
    assert_eq!(get(&GetArgs { expect: Some(200), ..args(&url) }).await.unwrap(), 0);
    assert_eq!(get(&GetArgs { expect: Some(404), ..args(&url) }).await.unwrap(), 1);
    let header = vec!["Host: api.example.com".to_owned()];
    let contains = Some("api.example.com".to_owned());
    let asked = GetArgs { header, contains: contains.clone(), ..args(&url) };
    assert_eq!(get(&asked).await.unwrap(), 0);
    assert_eq!(get(&GetArgs { contains, ..args(&url) }).await.unwrap(), 1);
    assert_eq!(get(&args(&server(1).await)).await.unwrap(), 1);
}

#[tokio::test]
async fn it_asks_again_for_as_long_as_it_may() {
    let url = server(2).await;
    let patient = GetArgs { retry_for: Duration::from_secs(20), ..args(&url) };
    assert_eq!(get(&patient).await.unwrap(), 0);
    // Nobody listens on a port that was just given back.
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
    assert_eq!(get(&args(&closed.to_string())).await.unwrap(), 1);
}

#[tokio::test]
async fn what_cannot_be_asked_is_told() {
    assert_eq!(address("gateway:80/x").unwrap().as_str(), "http://gateway/x");
    for url in ["https://a", "", "http://", "a b"] {
        let told = address(url).unwrap_err().to_string();
        assert_eq!(told, format!("{url:?} cannot be asked: write http://HOST:PORT/PATH"));
    }
    let told = get(&GetArgs { header: vec!["host".to_owned()], ..args("a") }).await.unwrap_err();
    assert!(told.to_string().starts_with("--header \"host\" is not a header"), "{told}");
}
