//! Names of backends, asked from a real DNS server.

use std::net::Ipv4Addr;

use fairway_snapshot::AddressPolicy;
use fairway_tests::dns::Dns;
use fairway_tests::eventually::eventually;
use fairway_tests::gateway::{Gateway, config, options, route};
use fairway_tests::http::get;
use fairway_tests::origin::Echo;

const NAME: &str = "finance.default.svc.cluster.local.";

fn service(port: u16) -> String {
    route(&format!("- backends: [{{service: finance, port: {port}}}]"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_found_by_its_name_and_kept_while_dns_is_broken() {
    let (echo, dns) = (Echo::start("a").await, Dns::start().await);
    dns.set(NAME, &[Ipv4Addr::LOCALHOST]);
    let gateway = Gateway::start_with_dns(&service(echo.address.port()), dns.address).await;
    assert_eq!(get(gateway.address(), "/").await.status, 200);
    dns.set_broken(true);
    let before = dns.queries();
    // The time to live is a second: it is asked again, in vain, and the last good answer stays.
    eventually("the broken server was asked", || async {
        assert_eq!(get(gateway.address(), "/").await.status, 200);
        (dns.queries() > before + 2).then_some(())
    })
    .await;
    assert!(gateway.metrics().await["fairway_dns_lookups_total{result=\"failed\"}"] > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_not_there_is_503_until_it_is() {
    let (echo, dns) = (Echo::start("a").await, Dns::start().await);
    let gateway = Gateway::start_with_dns(&service(echo.address.port()), dns.address).await;
    let answer = get(gateway.address(), "/").await;
    assert_eq!((answer.status, answer.problem().as_str()), (503, "no_endpoints"));
    dns.set(NAME, &[Ipv4Addr::LOCALHOST]);
    eventually("the name is found", || async {
        (get(gateway.address(), "/").await.status == 200).then_some(())
    })
    .await;
    let broken = Dns::start().await;
    broken.set_broken(true);
    let gateway = Gateway::start_with_dns(&service(echo.address.port()), broken.address).await;
    let answer = get(gateway.address(), "/").await;
    assert_eq!((answer.status, answer.problem().as_str()), (503, "name_not_resolved"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_address_is_taken_when_the_time_to_live_has_passed() {
    let dns = Dns::start().await;
    // Two servers on one port, each on an address of its own.
    let old = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = old.local_addr().unwrap().port();
    let new = tokio::net::TcpListener::bind(("127.0.0.2", port)).await.unwrap();
    for (listener, name) in [(old, "old"), (new, "new")] {
        let router = axum::Router::new().fallback(move || async move { name });
        tokio::spawn(async move { axum::serve(listener, router).await });
    }
    dns.set(NAME, &[Ipv4Addr::LOCALHOST]);
    let gateway = Gateway::start_with_dns(&service(port), dns.address).await;
    assert_eq!(get(gateway.address(), "/").await.body, b"old");
    dns.set(NAME, &[Ipv4Addr::new(127, 0, 0, 2)]);
    eventually("the new address answers", || async {
        (get(gateway.address(), "/").await.body == b"new").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_to_a_reserved_address_leads_nowhere() {
    let (echo, dns) = (Echo::start("a").await, Dns::start().await);
    dns.set(NAME, &[Ipv4Addr::LOCALHOST, Ipv4Addr::new(169, 254, 169, 254)]);
    for (except, status) in [("127.0.0.2/32", 500), ("127.0.0.0/8", 200)] {
        let config = fairway_dataplane::Config {
            dns: fairway_dataplane::DnsServers::These(vec![dns.address]),
            addresses: AddressPolicy::NotReserved { except: vec![except.parse().unwrap()] },
            ..config()
        };
        let gateway = Gateway::start_with(&service(echo.address.port()), config, options()).await;
        let answer = get(gateway.address(), "/").await;
        assert_eq!(answer.status, status, "{except}");
        if status == 500 {
            assert_eq!(answer.problem(), "address_not_allowed");
            assert_eq!(echo.requests(), 0);
        }
    }
}
