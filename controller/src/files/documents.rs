//! From paths to objects: which files are read, and what each of their documents is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use fairway_crds::{GROUP, ServiceRoute, VERSION};
use fairway_snapshot::ObjectId;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use serde::de::DeserializeOwned;

use super::expand::{expand, parse_env_file};
use super::known;
use super::schema::check_object;
use super::tree::{Kind, Node, Problem, parse};
use super::{FileProblem, LoadErrors, Loaded, Source};
use crate::compile::names;
use crate::inputs::{
    Bundle, CA_LABEL, Grant, Route, SECRET_TYPE, Secret, Service, WrittenConfigMap, WrittenGrant,
    WrittenSecret, WrittenService,
};

/// The versions of ReferenceGrant, which mean the same.
const GRANT_VERSIONS: [&str; 2] =
    ["gateway.networking.k8s.io/v1", "gateway.networking.k8s.io/v1beta1"];
/// Larger files are no manifests.
const LARGEST_FILE: u64 = 16 * 1024 * 1024;

/// Reads paths one after the other and collects everything.
#[derive(Default)]
pub(super) struct Reader {
    loaded: Loaded,
    problems: Vec<FileProblem>,
    /// Where each object was read first, by kind.
    seen: BTreeMap<(&'static str, ObjectId), (PathBuf, usize)>,
}

/// The schema of the CRD. Making it takes longer than reading a manifest.
static SCHEMA: LazyLock<Option<JSONSchemaProps>> = LazyLock::new(crd_schema);

impl Reader {
    pub(super) fn read(&mut self, path: &Path, environment: &dyn Fn(&str) -> Option<String>) {
        let folder = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
        let settings = self.env_file(&folder.join(".env"));
        let lookup = |name: &str| environment(name).or_else(|| settings.get(name).cloned());
        if path.is_dir() {
            let files = match manifests(path) {
                Ok(files) => files,
                Err(error) => return self.whole(path, format!("cannot be listed: {error}")),
            };
            if files.is_empty() {
                let message = "holds no manifests: put a ServiceRoute into a file that ends with .yaml, .yml or .json";
                return self.whole(path, message);
            }
            for file in files {
                self.file(&file, &lookup);
            }
        } else if path.exists() {
            self.file(path, &lookup);
        } else {
            self.whole(path, "does not exist: name a folder or a file with manifests");
        }
    }

    pub(super) fn finish(mut self) -> Result<Loaded, LoadErrors> {
        if self.problems.is_empty() {
            return Ok(self.loaded);
        }
        self.problems.sort();
        self.problems.dedup();
        Err(LoadErrors { problems: self.problems })
    }

    fn whole(&mut self, file: &Path, message: impl Into<String>) {
        self.problems.push(FileProblem::whole(file, message));
    }

    fn add(&mut self, file: &Path, problems: Vec<Problem>) {
        self.problems.extend(problems.into_iter().map(|problem| at(file, problem)));
    }

    fn env_file(&mut self, file: &Path) -> BTreeMap<String, String> {
        match std::fs::read_to_string(file) {
            Ok(text) => {
                let (values, problems) = parse_env_file(&text);
                self.add(file, problems);
                values.into_iter().collect()
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => {
                self.whole(file, format!("cannot be read: {error}"));
                BTreeMap::new()
            }
        }
    }

    fn file(&mut self, file: &Path, lookup: &dyn Fn(&str) -> Option<String>) {
        match read_text(file) {
            Ok(text) => self.text(file, &text, lookup),
            Err(message) => self.whole(file, message),
        }
    }

    /// Takes in what a file holds.
    pub(super) fn text(
        &mut self,
        file: &Path,
        text: &str,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) {
        let (documents, mut problems) = parse(text);
        for document in documents {
            self.document(file, document, lookup, &mut problems);
        }
        self.add(file, problems);
    }

    /// Takes a document in. Variables are put into those that are read and no others: a script in
    /// a `ConfigMap` has variables of its own.
    fn document(
        &mut self,
        file: &Path,
        mut node: Node,
        lookup: &dyn Fn(&str) -> Option<String>,
        problems: &mut Vec<Problem>,
    ) {
        if node.is_null() {
            return;
        }
        if !matches!(node.kind, Kind::Map(_)) {
            problems.push(Problem::new(
                node.place,
                "not an object: write apiVersion, kind, metadata and spec",
            ));
            return;
        }
        let text = |key: &str| node.get(key).and_then(Node::text).map(str::to_owned);
        let (Some(version), Some(kind)) = (text("apiVersion"), text("kind")) else {
            let message = format!(
                "apiVersion or kind is missing: write apiVersion: {GROUP}/{VERSION} and kind: ServiceRoute"
            );
            problems.push(Problem::new(node.place, message));
            return;
        };
        let ours = version.split('/').next() == Some(GROUP);
        if version == "v1" && kind == "List" {
            if let Some(Node { kind: Kind::List(items), .. }) = node.get("items") {
                for item in items.clone() {
                    self.document(file, item, lookup, problems);
                }
            }
        } else if version == format!("{GROUP}/{VERSION}") && kind == "ServiceRoute" {
            expand(&mut node, lookup, problems);
            self.route(file, node, problems);
        } else if version == "v1" && kind == "Service" {
            expand(&mut node, lookup, problems);
            self.service(file, node, problems);
        } else if version == "v1"
            && kind == "Secret"
            && text("type").as_deref() == Some(SECRET_TYPE)
        {
            expand(&mut node, lookup, problems);
            self.secret(file, node, problems);
        } else if version == "v1" && kind == "ConfigMap" && is_bundle(&node) {
            expand(&mut node, lookup, problems);
            self.config_map(file, node, problems);
        } else if GRANT_VERSIONS.contains(&version.as_str()) && kind == "ReferenceGrant" {
            expand(&mut node, lookup, problems);
            self.grant(file, node, problems);
        } else if ours {
            let message = format!(
                "{version} {kind} is not known: write apiVersion: {GROUP}/{VERSION} and kind: ServiceRoute"
            );
            problems.push(Problem::new(node.locate("kind"), message));
        } else {
            let note = Problem::new(
                node.place,
                format!(
                    "{version} {kind} is skipped: Fairway reads ServiceRoute, Service, ReferenceGrant, Secret of type {SECRET_TYPE}, and ConfigMap with the label {}",
                    CA_LABEL.0
                ),
            );
            self.loaded.notes.push(at(file, note));
        }
    }

    /// The name of an object, unless it has none or another object has it.
    fn name(
        &mut self,
        kind: &'static str,
        file: &Path,
        node: &Node,
        problems: &mut Vec<Problem>,
    ) -> Option<ObjectId> {
        let metadata = node.get("metadata");
        if metadata.is_some_and(|metadata| !matches!(metadata.kind, Kind::Map(_))) {
            // The schema tells what metadata is.
            return None;
        }
        let text = |key: &str| metadata.and_then(|metadata| metadata.get(key)).and_then(Node::text);
        let Some(name) = text("name").filter(|name| !name.is_empty()) else {
            let message = "metadata.name is missing: write metadata: {name: finance}";
            problems.push(Problem::new(metadata.unwrap_or(node).place, message));
            return None;
        };
        let namespace = text("namespace").unwrap_or("default");
        let wrong = if kind == "Service" { names::service(name) } else { names::object(name) };
        let fields =
            [("metadata.name", wrong), ("metadata.namespace", names::namespace(namespace))];
        for (field, wrong) in fields {
            let place = node.locate(field);
            // A variable that is missing there is told already.
            let told = problems.iter().any(|problem| problem.place == place);
            if let Some(message) = wrong.filter(|_| !told) {
                problems.push(Problem::new(place, format!("{field} is {message}")));
            }
        }
        let id = ObjectId::new(namespace, name);
        let line = node.place.line;
        match self.seen.get(&(kind, id.clone())) {
            Some((first, first_line)) => {
                let message = format!(
                    "{kind} {id} stands twice, first in {}:{first_line}: remove one, or give it another name",
                    first.display()
                );
                problems.push(Problem::new(node.locate("metadata.name"), message));
                None
            }
            None => {
                self.seen.insert((kind, id.clone()), (file.to_owned(), line));
                Some(id)
            }
        }
    }

    fn route(&mut self, file: &Path, mut node: Node, problems: &mut Vec<Problem>) {
        let id = self.name("ServiceRoute", file, &node, problems);
        let before = problems.len();
        if let Some(schema) = &*SCHEMA {
            check_object(&mut node, schema, problems);
        }
        let Some(id) = id.filter(|_| problems.len() == before) else { return };
        match serde_json::from_value::<ServiceRoute>(node.value()) {
            Ok(route) => {
                self.loaded.inputs.routes.insert(id.clone(), Arc::new(Route::from(&route)));
                self.loaded.sources.insert(id, Source { file: file.to_owned(), tree: node });
            }
            Err(error) => problems.push(Problem::new(node.place, error.to_string())),
        }
    }

    /// An object of a kind of which only some fields are read. What the reader says of one that cannot
    /// be read is told, or `instead` where that may hold some of what it read.
    fn object<T: DeserializeOwned>(
        &mut self,
        kind: &'static str,
        file: &Path,
        mut node: Node,
        (schema, instead): (&JSONSchemaProps, Option<&str>),
        problems: &mut Vec<Problem>,
    ) -> Option<(ObjectId, T)> {
        let id = self.name(kind, file, &node, problems);
        let before = problems.len();
        check_object(&mut node, schema, problems);
        let id = id.filter(|_| problems.len() == before)?;
        match serde_json::from_value(node.value()) {
            Ok(written) => Some((id, written)),
            Err(error) => {
                let wrong = instead.map_or_else(|| error.to_string(), str::to_owned);
                problems.push(Problem::new(node.place, format!("{kind} {id}: {wrong}")));
                None
            }
        }
    }

    fn service(&mut self, file: &Path, node: Node, problems: &mut Vec<Problem>) {
        let read = (&known::service(), None);
        let written = self.object::<WrittenService>("Service", file, node, read, problems);
        if let Some((id, service)) = written {
            self.loaded.inputs.services.insert(id, Arc::new(Service::from(service)));
        }
    }

    fn secret(&mut self, file: &Path, node: Node, problems: &mut Vec<Problem>) {
        let instead = "data holds names with values in Base64, and stringData names with text";
        let read = (&known::secret(), Some(instead));
        let written = self.object::<WrittenSecret>("Secret", file, node, read, problems);
        if let Some((id, secret)) = written {
            self.loaded.inputs.put_secret(&id, Secret::from(secret), None);
        }
    }

    fn config_map(&mut self, file: &Path, node: Node, problems: &mut Vec<Problem>) {
        let read = (&known::config_map(), None);
        let written = self.object::<WrittenConfigMap>("ConfigMap", file, node, read, problems);
        if let Some((id, written)) = written {
            self.loaded.inputs.config_maps.insert(id, Arc::new(Bundle::from(written)));
        }
    }

    fn grant(&mut self, file: &Path, node: Node, problems: &mut Vec<Problem>) {
        let read = (&known::reference_grant(), None);
        let written = self.object::<WrittenGrant>("ReferenceGrant", file, node, read, problems);
        if let Some((id, grant)) = written {
            self.loaded.inputs.grants.insert(id, Arc::new(Grant::from(grant)));
        }
    }
}

/// Whether a ConfigMap is labelled to hold certificates of authorities.
fn is_bundle(node: &Node) -> bool {
    let (name, value) = CA_LABEL;
    let labels = node.get("metadata").and_then(|metadata| metadata.get("labels"));
    labels.and_then(|labels| labels.get(name)).and_then(Node::text) == Some(value)
}

/// The schema of a ServiceRoute, as the CRD has it.
pub(super) fn crd_schema() -> Option<JSONSchemaProps> {
    let versions = fairway_crds::all().into_iter().flat_map(|crd| crd.spec.versions);
    versions.filter_map(|version| version.schema?.open_api_v3_schema).next()
}

fn at(file: &Path, problem: Problem) -> FileProblem {
    FileProblem {
        file: file.to_owned(),
        line: problem.place.line,
        column: problem.place.column,
        message: problem.message,
    }
}

fn read_text(file: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| match std::fs::read_link(file) {
        Ok(target) if error.kind() == std::io::ErrorKind::NotFound => format!(
            "is a link to {}, which is not there: put it there, or remove the link",
            target.display()
        ),
        _ => format!("cannot be read: {error}"),
    };
    let length = std::fs::metadata(file).map_err(failed)?.len();
    if length > LARGEST_FILE {
        return Err(format!("has {length} bytes: a manifest has at most {LARGEST_FILE}"));
    }
    let bytes = std::fs::read(file).map_err(failed)?;
    String::from_utf8(bytes).map_err(|_| "is not UTF-8 text".to_owned())
}

/// The manifests of a folder, sorted. Hidden files, and the `..data` of a mounted `ConfigMap`, are
/// not read; what links lead to is. A link that leads nowhere is a manifest too: reading it is a
/// problem, whereas its routes would be dropped in silence if it were passed over.
pub(super) fn manifests(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path
            .file_name()
            .and_then(std::ffi::OsStr::to_str)
            .is_none_or(|name| name.starts_with('.'));
        let ending = path.extension().and_then(std::ffi::OsStr::to_str);
        if !hidden && matches!(ending, Some("yaml" | "yml" | "json")) && may_be_read(&path) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Whether a name with the ending of a manifest is to be read: not a folder, not something special
/// that would never end, and not a file that was removed since it was listed.
fn may_be_read(path: &Path) -> bool {
    match std::fs::metadata(path) {
        Ok(metadata) => metadata.is_file(),
        Err(_) => path.symlink_metadata().is_ok(),
    }
}
