//! What libFuzzer tells, read.

use super::{Target, log, manifests, messages};
use clap::ValueEnum;
use std::path::Path;

const FOUND: &str = "#2\tINITED cov: 1\n\nthread '<unnamed>' panicked at snapshot/src/normalize.rs:1:1:\n\"/a\" twice\n==1== ERROR: libFuzzer: deadly signal\nartifact_prefix='x/'; Test unit written to x/crash-1\nstat::number_of_executed_units: 12\nstat::average_exec_per_sec:     3\nstat::new_units_added:          4\n";

#[test]
fn a_finding_is_told_from_its_panic_on() {
    assert!(log::told(FOUND).starts_with("thread '<unnamed>' panicked at snapshot"));
    assert_eq!(log::finding(FOUND), Some("x/crash-1"));
    let slow = "#1\n==1== ERROR: libFuzzer: timeout after 10 seconds\n";
    assert_eq!(log::told(slow), "==1== ERROR: libFuzzer: timeout after 10 seconds");
    assert_eq!(log::finding(slow), None);
}

#[test]
fn the_end_of_a_run_says_how_much_was_tried() {
    assert_eq!(log::summary(FOUND), "12 executions, 3 a second; 4 inputs were new");
    assert_eq!(log::summary(""), "? executions, ? a second; ? inputs were new");
}

#[test]
fn every_target_has_its_binary_and_its_dictionary() {
    let manifest = std::fs::read_to_string(crate::root().join("fuzz/Cargo.toml")).unwrap();
    for target in Target::value_variants() {
        let name = target.name();
        assert_eq!(target.to_possible_value().unwrap().get_name(), name);
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
        assert!(crate::root().join(format!("fuzz/dictionaries/{name}.dict")).exists(), "{name}");
    }
}

#[test]
fn manifests_are_seeds_and_what_they_compile_to_is_none() {
    let seeds = manifests(Path::new("tests/testdata/compile")).unwrap();
    assert!(seeds.len() > 100, "{}", seeds.len());
    assert!(seeds.iter().all(|seed| seed.to_string_lossy().ends_with(".in.yaml")));
}

#[test]
fn messages_are_seeds_each_in_a_file() {
    let lists = ["tests/testdata/http1/passed.json", "fuzz/seeds/http1_response.json"];
    let seeds = messages("test", &lists).unwrap();
    let first = std::fs::read_to_string(&seeds[0]).unwrap();
    assert!(first.ends_with("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "{first:?}");
    let last = std::fs::read_to_string(seeds.last().unwrap()).unwrap();
    assert!(last.starts_with("GHTTP/1.1 200 OK\r\n"), "{last:?}");
    assert!(messages("test", &["Cargo.toml"]).is_err());
}
