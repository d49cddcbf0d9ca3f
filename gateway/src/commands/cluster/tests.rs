//! Kubeconfigs as people get them wrong.

use std::path::PathBuf;

use kube::config::KubeconfigError;

use super::{place, read};

const TWO: &str = "apiVersion: v1
kind: Config
clusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}]
contexts: [{name: home, context: {cluster: a}}, {name: work, context: {cluster: a}}]
";

#[tokio::test]
async fn what_is_wrong_with_a_kubeconfig_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let two = dir.path().join("two");
    std::fs::write(&two, TWO).unwrap();
    let empty = dir.path().join("empty");
    std::fs::write(&empty, "").unwrap();
    let advice = "write --kubeconfig FILE, or serve a folder with --manifests DIR";
    let cases = [
        (dir.path().join("nope"), None, format!("no such file: {advice}")),
        (dir.path().to_owned(), None, format!("it is a folder: {advice}")),
        (
            two.clone(),
            None,
            "it names no current context: write --context NAME with one of home, work".to_owned(),
        ),
        (
            two,
            Some("hom"),
            "it has no context hom: write --context NAME with one of home, work".to_owned(),
        ),
        (empty, None, format!("failed to determine current context: {advice}")),
    ];
    for (file, context, expected) in cases {
        let told = read(Some(&file), context).await.unwrap_err().to_string();
        assert_eq!(told, format!("kubeconfig {}: {expected}", file.display()));
    }
}

#[test]
fn of_several_kubeconfigs_the_wrong_one_is_named() {
    let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
    let error = KubeconfigError::ReadConfig(missing, PathBuf::from("/second"));
    assert_eq!(place(None, &error), "not in a pod, and kubeconfig /second");
}
