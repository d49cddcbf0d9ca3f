//! The life of a release with the demo on a real API server: installed at once with its
//! definitions, upgraded without a gap, uninstalled without a loss.

use fairway_tests::eventually::eventually;
use fairway_tests::helm::chart;
use fairway_tests::kube::Kube;
use kube::api::ListParams;

/// Names, uids and classes of the routes of the demo.
async fn routes(kube: &Kube) -> Vec<(String, String, String)> {
    let list = kube.routes("fairway-system").list(&ListParams::default()).await.unwrap();
    let route = |route: fairway_crds::ServiceRoute| {
        (route.metadata.name.unwrap(), route.metadata.uid.unwrap(), route.spec.class.unwrap())
    };
    list.items.into_iter().map(route).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_comes_changes_and_goes() {
    let kube = Kube::start().await;
    // The release brings the definitions itself.
    let (code, said) = kube.kubectl(&["delete", "crd", "--all", "--wait"], "");
    assert_eq!(code, 0, "{said}");
    let chart = chart().display().to_string();
    let good = |args: &[&str]| {
        let (code, said) = kube.helm(args);
        assert_eq!(code, 0, "{args:?}: {said}");
        said
    };
    let place = ["--namespace", "fairway-system"];
    let with = |args: &[&str]| -> String {
        let args: Vec<&str> = args.iter().copied().chain(place).collect();
        good(&args)
    };
    let said =
        with(&["install", "fairway", &chart, "--create-namespace", "--set", "demo.enabled=true"]);
    assert!(said.contains("curl -i http://127.0.0.1:8080/e/fin/hello"), "{said}");
    let installed = routes(&kube).await;
    let names: Vec<&str> = installed.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, ["fairway-demo-esg", "fairway-demo-finance", "fairway-demo-stock"]);

    // An upgrade changes routes in place: one that was made anew would have another uid.
    with(&["upgrade", "fairway", &chart, "--set", "demo.enabled=true,class=other"]);
    let changed = routes(&kube).await;
    for ((name, uid, _), (_, now, class)) in installed.iter().zip(&changed) {
        assert_eq!((now, class.as_str()), (uid, "other"), "{name}");
    }
    with(&["rollback", "fairway", "1"]);
    assert_eq!(routes(&kube).await, installed);

    // Somebody's own route outlives the release, since its definition does.
    let spec = serde_json::json!({ "rules": [{ "backends": [{ "service": "x", "port": 80 }] }] });
    kube.namespace("market").await;
    kube.apply("market", "theirs", spec).await;
    with(&["uninstall", "fairway"]);
    eventually("the routes of the demo are gone", || async {
        routes(&kube).await.is_empty().then_some(())
    })
    .await;
    assert!(kube.routes("market").get("theirs").await.is_ok());
    let (_, left) =
        kube.kubectl(&["get", "all,configmap,role", "-n", "fairway-system", "-o", "name"], "");
    assert_eq!(left, "", "is left behind");
}
