//! Writing an image: one layer, an OCI layout in a tar that docker and podman load too, and the
//! same bytes for the same content.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What an image consists of.
pub(crate) struct Image<'a> {
    /// Name and tag.
    pub(crate) name: &'a str,
    /// What is started, with its first arguments.
    pub(crate) command: &'a [&'a str],
    /// Its environment: `NAME=value`.
    pub(crate) environment: &'a [String],
    /// Who starts it.
    pub(crate) user: u32,
    /// Its files.
    pub(crate) entries: Vec<Entry>,
}

/// A file of an image.
pub(crate) struct Entry {
    path: &'static str,
    mode: u32,
    data: Vec<u8>,
}

impl Entry {
    pub(crate) fn file(path: &'static str, mode: u32, data: Vec<u8>) -> Self {
        Self { path, mode, data }
    }
}

/// Writes the archive; gives the digest of the manifest, by which a registry knows the image.
pub(crate) fn write(image: &Image<'_>, output: &Path) -> anyhow::Result<String> {
    let layer = layer(&image.entries)?;
    let config = json!({
        "architecture": match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        },
        "config": {
            "Entrypoint": image.command,
            "Env": image.environment,
            "User": format!("{0}:{0}", image.user),
            "WorkingDir": "/",
        },
        "created": "1970-01-01T00:00:00Z",
        "os": "linux",
        "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
    });
    let config = config.to_string().into_bytes();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", &layer)],
    });
    let manifest = manifest.to_string().into_bytes();
    let tag = image.name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
    let mut entry = descriptor("application/vnd.oci.image.manifest.v1+json", &manifest);
    // Registries' tools read the tag, containerd the whole name.
    entry["annotations"] = json!({
        "org.opencontainers.image.ref.name": tag,
        "io.containerd.image.name": image.name,
    });
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [entry],
    });
    // What `docker load` of older versions reads.
    let docker = json!([{
        "Config": blob(&config),
        "RepoTags": [image.name],
        "Layers": [blob(&layer)],
    }]);
    let file = std::fs::File::create(output)
        .with_context(|| format!("cannot write {}", output.display()))?;
    let mut archive = tar::Builder::new(std::io::BufWriter::new(file));
    append(&mut archive, "oci-layout", 0o644, br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    append(&mut archive, "index.json", 0o644, index.to_string().as_bytes())?;
    append(&mut archive, "manifest.json", 0o644, docker.to_string().as_bytes())?;
    for data in [&config, &manifest, &layer] {
        append(&mut archive, &blob(data), 0o644, data)?;
    }
    let written = archive.into_inner().and_then(|mut file| std::io::Write::flush(&mut file));
    written.with_context(|| format!("cannot write {}", output.display()))?;
    Ok(digest(&manifest))
}

/// The tar of the files, with the folders that lead to them.
fn layer(entries: &[Entry]) -> anyhow::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut folders = BTreeSet::new();
    for entry in entries {
        let parents = Path::new(entry.path).ancestors().skip(1);
        folders.extend(parents.filter(|path| !path.as_os_str().is_empty()));
    }
    for folder in folders {
        let mut header = header(0o755, 0);
        header.set_entry_type(tar::EntryType::Directory);
        archive.append_data(&mut header, folder, std::io::empty())?;
    }
    for entry in entries {
        append(&mut archive, entry.path, entry.mode, &entry.data)?;
    }
    Ok(archive.into_inner()?)
}

fn append(
    archive: &mut tar::Builder<impl std::io::Write>,
    path: &str,
    mode: u32,
    data: &[u8],
) -> anyhow::Result<()> {
    Ok(archive.append_data(&mut header(mode, data.len() as u64), path, data)?)
}

/// Nothing in it tells when and by whom it was made.
fn header(mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

fn descriptor(kind: &str, data: &[u8]) -> Value {
    json!({ "mediaType": kind, "digest": digest(data), "size": data.len() })
}

fn blob(data: &[u8]) -> String {
    format!("blobs/{}", digest(data).replace(':', "/"))
}

fn digest(data: &[u8]) -> String {
    let hash: String = Sha256::digest(data).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hash}")
}
