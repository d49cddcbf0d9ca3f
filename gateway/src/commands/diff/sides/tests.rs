//! Which side is a cluster, and what manifests mean beside one.

use std::path::Path;
use std::sync::Arc;

use fairway_controller::Inputs;
use fairway_controller::files::load;
use fairway_controller::inputs::Service;
use fairway_snapshot::ObjectId;

use super::{Side, applied};

#[test]
fn a_side_is_a_cluster_only_by_its_word() {
    let cluster = |context: &str| Side::Cluster(Some(context.to_owned()));
    for (named, expected) in [
        ("cluster", Side::Cluster(None)),
        ("cluster:staging", cluster("staging")),
        ("cluster:a/b:c", cluster("a/b:c")),
        ("./cluster", Side::Files("./cluster".into())),
        ("clusters", Side::Files("clusters".into())),
        ("cluster/", Side::Files("cluster/".into())),
    ] {
        assert_eq!(Side::of(Path::new(named)), expected, "{named}");
    }
}

fn world(names: &[&str], path: &str) -> Inputs {
    let documents = names.iter().map(|name| {
        format!(
            "---\napiVersion: fairway.dev/v1alpha1\nkind: ServiceRoute\nmetadata: {{name: {name}, namespace: n}}\nspec: {{rules: [{{match: [{{path: {path}}}], backends: [{{service: s, port: 80}}]}}]}}\n"
        )
    });
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.yaml"), documents.collect::<String>()).unwrap();
    load(&[folder.path().to_owned()], &|_| None).unwrap().inputs
}

#[test]
fn manifests_are_put_over_a_cluster() {
    let mut cluster = world(&["kept", "known"], "/old");
    for (_, route) in &mut cluster.routes {
        let route = Arc::make_mut(route);
        (route.created, route.generation) = (7, Some(3));
    }
    let id = |name: &str| ObjectId::new("n", name);
    cluster.services.insert(id("theirs"), Arc::new(Service::default()));
    let mut manifests = world(&["known", "fresh"], "/new");
    manifests.services.insert(id("ours"), Arc::new(Service::default()));
    for prune in [false, true] {
        let world = applied(&cluster, &manifests, prune);
        let ages: Vec<(String, i64)> =
            world.routes.iter().map(|(id, route)| (id.name.to_string(), route.created)).collect();
        let mut expected =
            vec![("fresh".to_owned(), i64::MAX), ("kept".to_owned(), 7), ("known".to_owned(), 7)];
        expected.retain(|(name, _)| !prune || name != "kept");
        assert_eq!(ages, expected, "prune {prune}");
        let known = world.routes.get(&id("known")).unwrap();
        assert_eq!(known.generation, Some(3));
        let path = known.spec().unwrap().rules.remove(0).matches.remove(0).path;
        assert_eq!(path.as_deref(), Some("/new"));
        assert!(world.services.contains_key(&id("theirs")), "a Service is not pruned");
        assert!(world.services.contains_key(&id("ours")));
    }
}
