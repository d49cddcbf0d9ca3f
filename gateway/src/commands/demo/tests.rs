//! The demo leaves alone what is not its own: manifests and ports.

use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;

use super::{MANIFESTS, demo, free_or_any, rename_line, taken, write_manifests};
use crate::COULD_NOT_RUN;
use crate::args::DemoArgs;

#[test]
fn manifests_that_exist_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let stock = dir.path().join("stock.yaml");
    std::fs::write(&stock, "# mine").unwrap();
    let folder = write_manifests(Some(dir.path())).unwrap();
    assert_eq!(folder.kept, ["stock.yaml"]);
    assert_eq!(std::fs::read_to_string(&stock).unwrap(), "# mine");
    for (name, _) in MANIFESTS {
        assert!(dir.path().join(name).exists(), "{name}");
    }
}

#[tokio::test]
async fn a_taken_port_is_told_before_anything_starts() {
    let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = holder.local_addr().unwrap().port();
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("routes");
    let code = demo(&DemoArgs { port, dir: Some(folder.clone()) }).await.unwrap();
    assert_eq!(code, COULD_NOT_RUN);
    assert!(!folder.exists(), "nothing is written");
}

#[test]
fn the_port_to_try_is_free() {
    let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = holder.local_addr().unwrap().port();
    // The next one is taken too, unless somebody else has it already.
    let _next = TcpListener::bind((Ipv4Addr::LOCALHOST, port.saturating_add(1)));
    let told = taken(port).unwrap();
    let (_, advice) = told.split_once("; try: fairway demo --port ").unwrap();
    let other: u16 = advice.parse().unwrap();
    assert!(other == 0 || other > port.saturating_add(1), "{told}");
    assert_eq!(taken(0), None);
}

#[test]
fn a_control_port_is_never_the_port_to_serve_on() {
    assert_eq!(free_or_any(9901, 9901), "127.0.0.1:0");
}

#[test]
fn the_line_that_moves_a_route_works_in_any_folder() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("it's a folder");
    write_manifests(Some(&folder)).unwrap();
    let line = rename_line(&folder);
    assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success(), "{line}");
    let text = std::fs::read_to_string(folder.join("stock.yaml")).unwrap();
    assert!(text.contains("/e/price/") && !text.contains("/e/stock/of/"), "{text}");
    assert!(folder.join("stock.yaml.bak").exists(), "BSD takes the next word for the suffix");
}
