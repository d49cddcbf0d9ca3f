//! Without descriptors accepting pauses and goes on by itself; operators get in all the while.

use std::time::Duration;

use fairway_tests::eventually::eventually;
use fairway_tests::fairway::Fairway;
use fairway_tests::gateway::everything_to;
use fairway_tests::http::{Client, ask, get};
use fairway_tests::origin::Echo;
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_without_descriptors_lives_and_recovers() {
    let echo = Echo::start("a").await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("all.yaml"), everything_to(echo.address)).unwrap();
    let args = [
        format!("--manifests={}", folder.path().display()),
        "--max-connections=100000".to_owned(),
        "--workers=1".to_owned(),
        "--upstream-idle=100ms".to_owned(),
    ];
    let fairway = Fairway::with_files(96, &args).await;
    assert_eq!(get(fairway.address, "/").await.status, 200);
    // More than there are; those that are not accepted wait in the queue of the kernel.
    let mut held = Vec::new();
    for _ in 0..150 {
        held.push(TcpStream::connect(fairway.address).await.unwrap());
    }
    eventually("accepting fails", || async {
        (fairway.metric("fairway_accept_failures_total").await > 0.0).then_some(())
    })
    .await;
    let limit = std::fs::read_dir(format!("/proc/{}/fd", fairway.process.pid)).unwrap().count();
    assert!((80..=96).contains(&limit), "{limit} are open");
    // Each with a connection of its own, which nothing is left for.
    for _ in 0..20 {
        assert_eq!(get(fairway.status, "/healthz").await.status, 200);
        assert_eq!(get(fairway.status, "/readyz").await.status, 200);
        let routes = "GET /routes HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
        assert_eq!(ask(fairway.admin, routes).await.status, 200);
    }
    let mut operators = Vec::new();
    for _ in 0..6 {
        let mut client = Client::connect(fairway.admin).await;
        client.patience = Duration::from_secs(5);
        assert_eq!(client.ask("GET /routes HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await.status, 200);
        operators.push(client);
    }
    drop(operators);
    // It says so now and then, and not twenty times a second.
    let told = fairway.process.errors();
    assert_eq!(told.matches("accept failed, trying again").count(), 1, "{told}");
    drop(held);
    eventually("it serves again", || async {
        let answer = tokio::time::timeout(Duration::from_secs(1), get(fairway.address, "/")).await;
        answer.ok().filter(|answer| answer.status == 200)
    })
    .await;
    assert!(!fairway.process.ended());
}
