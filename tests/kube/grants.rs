//! Backends in other namespaces: permitted by a ReferenceGrant, whose kind a cluster may not have.

use fairway_tests::eventually::eventually;
use fairway_tests::http::get;
use serde_json::json;

use super::{World, answers};

pub(crate) const KIND: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/referencegrants.yaml");

async fn refs(world: &World) -> (String, String, String) {
    eventually("the references are told", || async {
        let refs = world.kube.condition("market", "across", "ResolvedRefs").await;
        (refs.0 != "?").then_some(refs)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_counts_from_the_moment_it_is_there_until_it_is_gone() {
    let world = World::start().await;
    world.kube.namespace("shared").await;
    world.kube.service("shared", "billing", world.finance.address.port()).await;
    let backend = json!([{ "service": "billing", "namespace": "shared", "port": "http" }]);
    let rules = json!({ "rules": [{ "match": [{ "path": "/x" }], "backends": backend }] });
    world.kube.apply("market", "across", rules).await;
    // The kind does not exist, and that holds nobody up.
    let fairway = world.fairway().await;
    let answer = get(fairway.address, "/x").await;
    assert_eq!((answer.status, answer.problem().as_str()), (500, "backend_invalid"));
    let (word, reason, message) = refs(&world).await;
    assert_eq!((word.as_str(), reason.as_str()), ("False", "RefNotPermitted"));

    // What the message shows can be applied as it stands.
    let begin = message.find("{apiVersion").expect("the message shows a grant");
    let grant = &message[begin..];
    let (code, said) = world.kube.kubectl(&["apply", "-f", KIND], "");
    assert_eq!(code, 0, "{said}");
    let (code, said) = world
        .kube
        .kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "-f", KIND], "");
    assert_eq!(code, 0, "{said}");
    let apply = || {
        let (code, said) = world.kube.kubectl(&["apply", "-f", "-"], grant);
        assert_eq!(code, 0, "{said}");
    };
    apply();
    answers(fairway.address, "/x", 200).await;
    eventually("the reference is permitted", || async {
        (refs(&world).await.0 == "True").then_some(())
    })
    .await;

    let (code, said) = world.kube.kubectl(&["delete", "-f", "-"], grant);
    assert_eq!(code, 0, "{said}");
    answers(fairway.address, "/x", 500).await;
    apply();
    answers(fairway.address, "/x", 200).await;
    // A gateway that starts knows the grants before it serves.
    let second = world.fairway().await;
    assert_eq!(get(second.address, "/x").await.status, 200);

    // With the kind go its objects.
    let (code, said) = world.kube.kubectl(&["delete", "-f", KIND], "");
    assert_eq!(code, 0, "{said}");
    answers(fairway.address, "/x", 500).await;
    let (code, said) = world.kube.kubectl(&["apply", "-f", KIND], "");
    assert_eq!(code, 0, "{said}");
    eventually("the kind is served again", || async {
        (world.kube.kubectl(&["apply", "-f", "-"], grant).0 == 0).then_some(())
    })
    .await;
    answers(fairway.address, "/x", 200).await;
}
