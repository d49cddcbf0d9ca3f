//! Compiling, as data: golden pairs, one bad field for each reason, and what must never depend on
//! order or memory.

mod golden;
mod host_policy;
mod reasons;
mod routes;

use std::collections::BTreeMap;
use std::sync::Arc;

use fairway_crds::{
    BackendRef, RouteMatch, RouteRule, RouteTest, ServiceRoute, ServiceRouteSpec, TestExpect,
    TestRequest,
};
use fairway_snapshot::{Host, ObjectId};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use proptest::prelude::*;

use super::{CompileOptions, Discovery, Memo, compile};
use crate::Inputs;
use crate::inputs::{Grant, Permitted, Route, Service, ServicePort};

/// A Service with one port.
fn service(port: u16) -> Arc<Service> {
    let ports = vec![ServicePort { name: Some("http".into()), port, app_protocol: None }];
    Arc::new(Service { ports, ..Service::default() })
}

fn written(path: &str, service: &str, hosts: &[&str]) -> ServiceRoute {
    let backend = BackendRef {
        service: Some(service.to_owned()),
        port: Some(IntOrString::String("http".to_owned())),
        ..BackendRef::default()
    };
    let matches = vec![RouteMatch { path: Some(path.to_owned()), ..RouteMatch::default() }];
    let rule = RouteRule { matches, backends: vec![backend], ..RouteRule::default() };
    let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
    let spec = ServiceRouteSpec { hosts, rules: vec![rule], ..ServiceRouteSpec::default() };
    ServiceRoute::new("x", spec)
}

fn held(route: &ServiceRoute) -> Arc<Route> {
    Arc::new(Route::from(route))
}

fn route(path: &str, service: &str, hosts: &[&str]) -> Arc<Route> {
    held(&written(path, service, hosts))
}

/// An edit of the world.
#[derive(Clone, Debug)]
enum Edit {
    Put(u8, u8, u8),
    Remove(u8),
    Service(u8, u16),
    NoService(u8),
    Grant(u8, u8),
    NoGrant(u8),
    PutAcross(u8, u8),
    PutTested(u8, u8, u8),
    /// With methods, and as old as it says.
    PutMethods(u8, u8, u8, i64),
    /// By expressions, two of them.
    PutRegex(u8, u8),
    /// For several paths at once.
    PutWide(u8),
}

const METHODS: [&[&str]; 4] = [&["GET"], &["HEAD"], &["GET", "HEAD"], &["POST"]];

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (0..6u8, 0..5u8, 0..3u8).prop_map(|(name, path, host)| Edit::Put(name, path, host)),
        (0..6u8).prop_map(Edit::Remove),
        (0..3u8, 1..4u16).prop_map(|(name, port)| Edit::Service(name, port)),
        (0..3u8).prop_map(Edit::NoService),
        (0..2u8, 0..4u8).prop_map(|(name, to)| Edit::Grant(name, to)),
        (0..2u8).prop_map(Edit::NoGrant),
        (0..6u8, 0..3u8).prop_map(|(name, service)| Edit::PutAcross(name, service)),
        (0..6u8, 0..5u8, 0..3u8).prop_map(|(name, path, host)| Edit::PutTested(name, path, host)),
        (0..6u8, 0..3u8, 0..4u8, 0..3i64).prop_map(|(name, path, methods, created)| {
            Edit::PutMethods(name, path, methods, created)
        }),
        (0..6u8, 0..3u8).prop_map(|(name, path)| Edit::PutRegex(name, path)),
        (0..6u8).prop_map(Edit::PutWide),
    ]
}

fn apply(inputs: &mut Inputs, edit: &Edit) {
    let object = |name: u8| ObjectId::new("ns", format!("object-{name}"));
    let service_name = |name: u8| format!("service-{name}");
    match edit {
        Edit::Put(name, path, host) => {
            let hosts: &[&str] =
                [&[][..], &["a.example"], &["*.example", "a.example"]][usize::from(*host)];
            let made = route(&format!("/p{path}/*"), &service_name(name % 3), hosts);
            inputs.routes.insert(object(*name), made);
        }
        Edit::Remove(name) => {
            inputs.routes.remove(&object(*name));
        }
        Edit::Service(name, port) => {
            inputs.services.insert(ObjectId::new("ns", service_name(*name)), service(*port));
        }
        Edit::Grant(name, to) => {
            let service = (*to < 3).then(|| service_name(*to).into());
            let to = service.map_or(Permitted::All, |name| Permitted::Named(vec![name]));
            let grant = Grant { from: vec!["away".into()], to };
            inputs.grants.insert(ObjectId::new("ns", format!("grant-{name}")), Arc::new(grant));
        }
        Edit::NoGrant(name) => {
            inputs.grants.remove(&ObjectId::new("ns", format!("grant-{name}")));
        }
        Edit::PutAcross(name, service) => {
            let mut made = written("/across/*", &service_name(*service), &[]);
            made.spec.rules[0].backends[0].namespace = Some("ns".to_owned());
            inputs.routes.insert(ObjectId::new("away", format!("object-{name}")), held(&made));
        }
        Edit::PutTested(name, path, host) => {
            let hosts = [&[][..], &["b.example"], &["*.example", "a.example"]][usize::from(*host)];
            let mut made = written("/tested/*", "service-0", hosts);
            let request = TestRequest {
                host: [None, Some("a.example"), Some("x.b.example")][usize::from(*host)]
                    .map(str::to_owned),
                path: format!("/p{path}/x"),
                ..TestRequest::default()
            };
            let expect = TestExpect { status: Some(404), ..TestExpect::default() };
            made.spec.tests = vec![RouteTest { request, expect }];
            inputs.routes.insert(object(*name), held(&made));
        }
        Edit::PutMethods(name, path, methods, created) => {
            let mut made = written(&format!("/p{path}/{{x}}"), "service-0", &[]);
            let methods = METHODS[usize::from(*methods)].iter().map(|name| (*name).to_owned());
            made.spec.rules[0].matches[0].methods = methods.collect();
            let created = jiff::Timestamp::from_second(*created).unwrap();
            made.metadata.creation_timestamp = Some(Time(created));
            inputs.routes.insert(object(*name), held(&made));
        }
        Edit::PutWide(name) => {
            let mut made = written("/x", "service-0", &[]);
            made.spec.rules[0].matches = (0..5)
                .map(|path| RouteMatch {
                    path: Some(format!("/p{path}/*")),
                    ..RouteMatch::default()
                })
                .collect();
            inputs.routes.insert(object(*name), held(&made));
        }
        Edit::PutRegex(name, path) => {
            let mut made = written("/x", "service-0", &[]);
            let paths = [format!("/p{path}/.*"), format!("/p{path}/x.*")];
            made.spec.rules[0].matches = paths
                .map(|path| RouteMatch { path_regex: Some(path), ..RouteMatch::default() })
                .into();
            inputs.routes.insert(object(*name), held(&made));
        }
        Edit::NoService(name) => {
            inputs.services.remove(&ObjectId::new("ns", service_name(*name)));
        }
    }
}

proptest! {
    #[test]
    fn memory_changes_the_cost_and_never_the_result(edits in prop::collection::vec(edit(), 1..40)) {
        let options = CompileOptions::default();
        let mut inputs = Inputs::default();
        let mut memo = Memo::default();
        for edit in edits {
            apply(&mut inputs, &edit);
            let remembered = compile(&inputs, &options, &mut memo);
            let fresh = compile(&inputs, &options, &mut Memo::default());
            prop_assert_eq!(&remembered.snapshot, &fresh.snapshot);
            prop_assert_eq!(&remembered.statuses, &fresh.statuses);
            prop_assert_eq!(&remembered.wanted, &fresh.wanted);
        }
    }

    #[test]
    fn the_order_of_edits_does_not_matter(
        edits in prop::collection::vec((0..6u8, 0..5u8, 0..3u8), 1..12),
        seed in any::<u64>(),
    ) {
        // The last edit of each object counts, whatever came between.
        let last: BTreeMap<u8, Edit> =
            edits.iter().map(|(n, p, h)| (*n, Edit::Put(*n, *p, *h))).collect();
        let mut shuffled: Vec<&Edit> = last.values().collect();
        fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
        let options = CompileOptions::default();
        let world = |edits: &mut dyn Iterator<Item = &Edit>| {
            let mut inputs = Inputs::default();
            edits.for_each(|edit| apply(&mut inputs, edit));
            let snapshot = compile(&inputs, &options, &mut Memo::default()).snapshot;
            serde_json::to_string(&snapshot).unwrap()
        };
        prop_assert_eq!(world(&mut last.values()), world(&mut shuffled.into_iter()));
    }
}

#[test]
fn a_host_that_no_change_touches_is_the_same_value() {
    let options = CompileOptions::default();
    let mut memo = Memo::default();
    let mut inputs = Inputs::default();
    apply(&mut inputs, &Edit::Service(0, 80));
    inputs.routes.insert(ObjectId::new("ns", "a"), route("/a", "service-0", &["a.example"]));
    inputs.routes.insert(ObjectId::new("ns", "b"), route("/b", "service-0", &["b.example"]));
    let host = |snapshot: &fairway_snapshot::Snapshot, index: usize| -> Arc<Host> {
        let listener = snapshot.listeners.values().next().unwrap();
        Arc::clone(&listener.hosts[index])
    };
    let first = compile(&inputs, &options, &mut memo).snapshot;
    inputs.routes.insert(ObjectId::new("ns", "b"), route("/c", "service-0", &["b.example"]));
    let second = compile(&inputs, &options, &mut memo).snapshot;
    assert!(Arc::ptr_eq(&host(&first, 0), &host(&second, 0)));
    assert!(!Arc::ptr_eq(&host(&first, 1), &host(&second, 1)));
    // One that is written anew and says the same changes nothing, as often as that happens.
    for _ in 0..2 {
        inputs.routes.insert(ObjectId::new("ns", "b"), route("/c", "service-0", &["b.example"]));
        let again = compile(&inputs, &options, &mut memo).snapshot;
        assert!(Arc::ptr_eq(&host(&second, 1), &host(&again, 1)));
    }
}

#[test]
fn other_options_leave_nothing_behind() {
    let mut memo = Memo::default();
    let mut inputs = Inputs::default();
    apply(&mut inputs, &Edit::Service(0, 80));
    apply(&mut inputs, &Edit::Put(0, 0, 0));
    let ours = CompileOptions::default();
    assert_eq!(compile(&inputs, &ours, &mut memo).statuses.len(), 1);
    let theirs = CompileOptions { class: "other".to_owned(), ..CompileOptions::default() };
    let other = compile(&inputs, &theirs, &mut memo);
    assert_eq!((other.statuses.len(), other.snapshot.upstreams.len()), (0, 0));
    let again = compile(&inputs, &ours, &mut memo);
    assert_eq!((again.statuses.len(), again.snapshot.upstreams.len()), (1, 1));
}

#[test]
fn a_rule_of_an_object_that_is_older_than_the_schema_is_told_its_name() {
    let mut inputs = Inputs::default();
    apply(&mut inputs, &Edit::Service(0, 80));
    for (name, told) in [
        ("Quotes", "\"Quotes\": a rule is named with lower case letters"),
        ("", "\"\": a rule is named with lower case letters"),
        (&"a".repeat(64), "has 64 characters: write at most 63"),
    ] {
        let mut object = written("/a", "service-0", &[]);
        object.spec.rules[0].name = Some(name.to_owned());
        let id = ObjectId::new("ns", "a");
        inputs.routes.insert(id.clone(), held(&object));
        let compilation = compile(&inputs, &CompileOptions::default(), &mut Memo::default());
        let status = &compilation.statuses[&id];
        assert!(!status.accepted.status && status.accepted.message.contains(told), "{status:?}");
        assert_eq!(status.rules, 1, "its requests are served all the same");
    }
}

#[test]
fn a_class_that_the_schema_refuses_is_told() {
    let mut object = written("/a", "service-0", &[]);
    object.spec.class = Some("Ours".to_owned());
    let id = ObjectId::new("ns", "a");
    let mut inputs = Inputs::default();
    inputs.routes.insert(id.clone(), held(&object));
    let options = CompileOptions { class: "Ours".to_owned(), ..CompileOptions::default() };
    let compilation = compile(&inputs, &options, &mut Memo::default());
    let told = &compilation.statuses[&id].accepted.message;
    assert_eq!(
        told,
        "spec.class: \"Ours\": a class is named with lower case letters, digits and -: write fairway"
    );
}

#[test]
fn the_requests_of_tests_are_those_that_can_be_read() {
    let mut inputs = Inputs::default();
    for (class, host) in [(None, Some("b.example")), (Some("other"), None)] {
        let mut object = written("/x", "service-0", &["*.example", "a.example"]);
        object.spec.class = class.map(str::to_owned);
        let test = |path: &str, host: Option<&str>| RouteTest {
            request: TestRequest {
                path: path.to_owned(),
                host: host.map(str::to_owned),
                ..TestRequest::default()
            },
            expect: TestExpect::default(),
        };
        object.spec.tests = vec![test("/x", None), test("/y", host), test("no path", None)];
        inputs.routes.insert(ObjectId::new("ns", class.unwrap_or("ours")), held(&object));
    }
    let requests = super::requests_of_tests(&inputs, "fairway");
    let urls: Vec<&str> = requests.iter().map(|request| request.url.as_str()).collect();
    assert_eq!(urls, ["http://a.example/x", "http://b.example/y"]);
}

#[test]
fn a_message_is_no_longer_than_a_condition_holds() {
    // Told thrice as long as it is written: what is there, and percent-encoded what to write.
    let mut object = written("/a", "service-0", &[]);
    object.spec.rules[0].matches[0] =
        RouteMatch { path_regex: Some("주".repeat(1024)), ..RouteMatch::default() };
    object.spec.rules = vec![object.spec.rules[0].clone(); 9];
    let id = ObjectId::new("ns", "a");
    let mut inputs = Inputs::default();
    inputs.routes.insert(id.clone(), held(&object));
    let compilation = compile(&inputs, &CompileOptions::default(), &mut Memo::default());
    let told = &compilation.statuses[&id].accepted.message;
    assert!(told.chars().count() <= 32_768, "{}", told.chars().count());
    assert!(told.starts_with("rule rule-0: spec.rules[0].match[0].pathRegex: "), "{told}");
    assert!(told.ends_with("…\nand 1 more"), "{told}");
}

#[test]
fn the_hash_is_an_objects_own() {
    let options = CompileOptions::default();
    let mut inputs = Inputs::default();
    apply(&mut inputs, &Edit::Service(0, 80));
    let a = ObjectId::new("ns", "a");
    inputs.routes.insert(a.clone(), route("/a", "service-0", &[]));
    let hash =
        |inputs: &Inputs| compile(inputs, &options, &mut Memo::default()).statuses[&a].hash.clone();
    let alone = hash(&inputs);
    inputs.routes.insert(ObjectId::new("ns", "b"), route("/a", "service-0", &[]));
    assert_eq!(hash(&inputs), alone, "another object changed it");
    apply(&mut inputs, &Edit::Service(0, 81));
    assert_ne!(hash(&inputs), alone, "what its reference leads to did not");
}

#[test]
fn upstreams_whose_endpoints_must_be_told_are_named_with_their_port() {
    let mut inputs = Inputs::default();
    apply(&mut inputs, &Edit::Service(0, 80));
    let mut object = written("/a", "service-0", &[]);
    object.spec.rules[0].backends[0].discovery = Some("endpoints".to_owned());
    inputs.routes.insert(ObjectId::new("ns", "a"), held(&object));
    let mut memo = Memo::default();
    let mut wanted = |kept: bool, options: &CompileOptions| {
        inputs.kept = kept;
        let compilation = compile(&inputs, options, &mut memo);
        assert_eq!(compilation.snapshot.upstreams.len(), 1);
        compilation.wanted
    };
    // While the API server is away nobody tells: DNS is asked.
    assert!(wanted(true, &CompileOptions::default()).is_empty());
    let cluster = wanted(false, &CompileOptions::default());
    let (id, wants) = cluster.first_key_value().unwrap();
    assert_eq!((id.as_str(), cluster.len()), ("told:service-0.ns:80", 1));
    assert_eq!(wants.service, ObjectId::new("ns", "service-0"));
    assert_eq!(wants.port.as_deref(), Some("http"));
    // A folder of manifests has nobody who tells.
    let unknown_service = super::UnknownService::TakeAsNamed;
    let folder = CompileOptions { unknown_service, ..CompileOptions::default() };
    assert!(wanted(false, &folder).is_empty());
    // What the backend says wins over the operator's default, and that over nothing.
    let endpoints = CompileOptions { discovery: Discovery::Endpoints, ..CompileOptions::default() };
    for (discovery, count) in [(Some("dns"), 0), (None, 1)] {
        let mut object = written("/a", "service-0", &[]);
        object.spec.rules[0].backends[0].discovery = discovery.map(str::to_owned);
        let mut inputs = inputs.clone();
        inputs.routes.insert(ObjectId::new("ns", "a"), held(&object));
        let compilation = compile(&inputs, &endpoints, &mut Memo::default());
        assert_eq!(compilation.wanted.len(), count, "{discovery:?}");
    }
}
