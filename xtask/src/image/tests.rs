//! An image holds what was put in, each blob is found by its digest, and the same content gives the
//! same bytes.

use std::collections::BTreeMap;
use std::io::Read;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Entry, Image, write};

fn image(output: &std::path::Path) -> String {
    let entries = vec![
        Entry::file("etc/passwd", 0o644, b"fairway".to_vec()),
        Entry::file("fairway", 0o755, b"binary".to_vec()),
    ];
    let image = Image {
        name: "localhost/fairway:1",
        command: &["/fairway"],
        environment: &["A=b".to_owned()],
        user: 65_532,
        entries,
    };
    write(&image, output).unwrap()
}

fn files(tar: &[u8]) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut archive = tar::Archive::new(tar);
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut data = Vec::new();
        entry.read_to_end(&mut data).unwrap();
        let path = entry.path().unwrap().display().to_string();
        (path, (entry.header().mode().unwrap(), data))
    });
    entries.collect()
}

#[test]
fn the_same_content_gives_the_same_bytes_and_digest() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("a.tar"), folder.path().join("b.tar"));
    assert_eq!(image(&first), image(&second));
    assert_eq!(std::fs::read(first).unwrap(), std::fs::read(second).unwrap());
}

#[test]
fn each_blob_has_the_digest_of_its_name_and_the_layer_holds_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("image.tar");
    let digest = image(&output);
    let files_of_archive = files(&std::fs::read(output).unwrap());
    let read = |path: &str| -> Value {
        serde_json::from_slice(&files_of_archive[path].1).unwrap_or_else(|e| panic!("{path}: {e}"))
    };
    for (path, (_, data)) in &files_of_archive {
        if let Some(name) = path.strip_prefix("blobs/sha256/") {
            let hash: String =
                Sha256::digest(data).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(name, hash);
        }
    }
    let index = read("index.json");
    assert_eq!(index["manifests"][0]["digest"], digest.as_str());
    let blob =
        |digest: &Value| read(&format!("blobs/{}", digest.as_str().unwrap().replace(':', "/")));
    let manifest = blob(&index["manifests"][0]["digest"]);
    let config = blob(&manifest["config"]["digest"]);
    assert_eq!(config["config"]["Env"], serde_json::json!(["A=b"]));
    let annotations = &index["manifests"][0]["annotations"];
    assert_eq!(annotations["io.containerd.image.name"], "localhost/fairway:1");
    let manifest = read(&format!("blobs/{}", digest.replace(':', "/")));
    let path_of =
        |value: &Value| format!("blobs/{}", value["digest"].as_str().unwrap().replace(':', "/"));
    let config = read(&path_of(&manifest["config"]));
    assert_eq!(config["config"]["User"], "65532:65532");
    assert_eq!(config["rootfs"]["diff_ids"][0], manifest["layers"][0]["digest"]);
    let layer = files(&files_of_archive[&path_of(&manifest["layers"][0])].1);
    assert_eq!(layer["fairway"], (0o755, b"binary".to_vec()));
    assert_eq!(layer["etc/passwd"], (0o644, b"fairway".to_vec()));
    assert!(layer.contains_key("etc/") || layer.contains_key("etc"), "{:?}", layer.keys());
    assert_eq!(read("manifest.json")[0]["RepoTags"][0], "localhost/fairway:1");
}
