//! Two replicas of a class, as a Deployment runs them.

use std::path::Path;

use fairway_tests::eventually::eventually;
use fairway_tests::fairway::Fairway;
use serde_json::{Value, json};

use super::World;

/// Two replicas of a class, the leader first.
pub(super) struct Pair {
    pub(super) leader: Fairway,
    /// As whom it speaks to the API server.
    pub(super) user: String,
    pub(super) other: Fairway,
}

impl World {
    /// A replica of a class in the namespace `fairway-system`.
    pub(super) async fn replica(&self, class: &str, pod: &str, kubeconfig: &Path) -> Fairway {
        let mut args = self.args(kubeconfig);
        args.push(format!("--class={class}"));
        args.push("--pod-namespace=fairway-system".to_owned());
        args.push(format!("--pod-name={pod}"));
        args.push(format!("--pod-uid=uid-of-{pod}"));
        Fairway::start(&args).await
    }

    pub(super) async fn pair(&self, class: &str) -> Pair {
        let names = [format!("{class}-a"), format!("{class}-b")];
        let files = [self.kube.kubeconfig_as(&names[0]), self.kube.kubeconfig_as(&names[1])];
        let (a, b) = tokio::join!(
            self.replica(class, &names[0], &files[0]),
            self.replica(class, &names[1], &files[1])
        );
        let [name_a, name_b] = names;
        let first = eventually("one leads, and the other knows", || async {
            let followers =
                [&b, &a].map(|one| one.process.errors().contains("another replica leads"));
            match (leads(&a).await, leads(&b).await) {
                (true, false) if followers[0] => Some(true),
                (false, true) if followers[1] => Some(false),
                _ => None,
            }
        })
        .await;
        if first {
            Pair { leader: a, user: name_a, other: b }
        } else {
            Pair { leader: b, user: name_b, other: a }
        }
    }
}

pub(super) async fn leads(fairway: &Fairway) -> bool {
    fairway.metric("fairway_leader").await == 1.0
}

/// A route of a class at `/<class>/*`.
pub(super) fn spec(class: &str, to: &str) -> Value {
    json!({ "class": class, "rules": [{
        "match": [{ "path": format!("/{class}/*") }], "rewrite": { "path": to },
        "backends": [{ "service": "finance", "port": "http" }] }] })
}
