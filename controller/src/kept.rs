//! The last good inputs, kept in a folder that outlives the process: a gateway that starts while the
//! API server is away serves them rather than nothing.
//!
//! What is kept are inputs and never a snapshot: they are compiled anew, by the rules of the version
//! that reads them. With the certificates that routes name they hold private keys: nobody but the user of the process
//! may read the file (decision 022). A file of another version or class, or one that is not whole,
//! counts as none.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io::{BufWriter, IntoInnerError, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fairway_snapshot::ObjectId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::Inputs;
use crate::hexadecimal::hexadecimal;
use crate::inputs::{Bundle, Grant, KeptSecret, Route, Secret, Service};
use crate::metrics::ControllerMetrics;

/// The form of the file. Another one is not read.
const VERSION: u32 = 4;
/// How long the API server may take at the start, before what was kept serves.
const WAIT: Duration = Duration::from_secs(3);
/// How long changes are collected before they are written.
const REST: Duration = Duration::from_secs(1);
const FILE: &str = "inputs.json";

/// Keeps inputs in a folder.
#[derive(Clone, Debug)]
pub struct Keeper {
    folder: PathBuf,
    class: String,
}

/// Why what was kept cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// It is of another version of Fairway, or of another class.
    #[error("it is of version {version} and class {class}")]
    Other {
        /// Its version.
        version: u32,
        /// Its class.
        class: String,
    },
    /// It is not what was written.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

/// The first line of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    version: u32,
    class: String,
    sha256: String,
}

/// The second, as it is read.
#[derive(Deserialize)]
struct Body {
    routes: Vec<(String, String, Route)>,
    services: Vec<(String, String, Service)>,
    grants: Vec<(String, String, Grant)>,
    secrets: Vec<(String, String, KeptSecret)>,
    config_maps: Vec<(String, String, Bundle)>,
}

/// The same as it is written: thousands of objects are not copied for it.
#[derive(Default, Serialize)]
struct BodyRef<'a> {
    routes: Vec<(&'a str, &'a str, &'a Route)>,
    services: Vec<(&'a str, &'a str, &'a Service)>,
    grants: Vec<(&'a str, &'a str, &'a Grant)>,
    secrets: Vec<(&'a str, &'a str, KeptSecret)>,
    config_maps: Vec<(&'a str, &'a str, &'a Bundle)>,
}

/// Counts what is written into a checksum.
struct Summed<W> {
    to: W,
    sha: Sha256,
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.sha.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.to.flush()
    }
}

impl Keeper {
    /// Keeps the inputs of a class in `folder`, which must be there.
    #[must_use]
    pub fn new(folder: PathBuf, class: String) -> Self {
        Self { folder, class }
    }

    /// What was kept; none where nothing was.
    ///
    /// # Errors
    ///
    /// There is something that cannot be used.
    pub fn load(&self) -> Result<Option<Inputs>, KeptError> {
        let text = match std::fs::read_to_string(self.folder.join(FILE)) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let damaged = |error: &dyn std::fmt::Display| KeptError::Damaged(error.to_string());
        let (header, body) = text.split_once('\n').ok_or_else(|| damaged(&"one line"))?;
        let header: Header = serde_json::from_str(header).map_err(|error| damaged(&error))?;
        if header.version != VERSION || header.class != self.class {
            return Err(KeptError::Other { version: header.version, class: header.class });
        }
        if header.sha256 != checksum(body) {
            return Err(damaged(&"the checksum differs"));
        }
        // What the reader says may hold some of what it read.
        let body: Body =
            serde_json::from_str(body).map_err(|_| damaged(&"it is not what was written"))?;
        Ok(Some(body.into_inputs()))
    }

    /// Keeps inputs: the routes of our class, the Services, Secrets and ConfigMaps that they name, and
    /// the grants beside those Services.
    ///
    /// # Errors
    ///
    /// The file cannot be written; what was kept before stays.
    pub fn save(&self, inputs: &Inputs) -> std::io::Result<()> {
        // Written beside its place and moved there, so that a process that ends meanwhile leaves
        // the file before. A machine that ends loses the folder too.
        let partial = self.folder.join("inputs.json.new");
        let mut file = private(&partial)?;
        self.write_header(&mut file, &"0".repeat(64))?;
        // The checksum is known at the end: the text is never held as a whole.
        let mut body = Summed { to: BufWriter::new(file), sha: Sha256::new() };
        serde_json::to_writer(&mut body, &BodyRef::of(inputs, &self.class))?;
        let Summed { to, sha } = body;
        let mut file = to.into_inner().map_err(IntoInnerError::into_error)?;
        file.rewind()?;
        self.write_header(&mut file, &hexadecimal(&sha.finalize()))?;
        drop(file);
        std::fs::rename(partial, self.folder.join(FILE))
    }

    /// The first line; it is as long with one checksum as with another.
    fn write_header(&self, file: &mut std::fs::File, sha256: &str) -> std::io::Result<()> {
        let sha256 = sha256.to_owned();
        let header = Header { version: VERSION, class: self.class.clone(), sha256 };
        let mut line = serde_json::to_string(&header)?;
        line.push('\n');
        file.write_all(line.as_bytes())
    }
}

/// A new file that nobody else may read, whatever stood there and whatever the mask of the process is.
fn private(path: &Path) -> std::io::Result<std::fs::File> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn checksum(text: &str) -> String {
    hexadecimal(&Sha256::digest(text.as_bytes()))
}

impl<'a> BodyRef<'a> {
    fn of(inputs: &'a Inputs, class: &str) -> Self {
        let mut body = Self::default();
        let (mut named, mut secrets) = (BTreeSet::new(), BTreeSet::new());
        let mut bundles = BTreeSet::new();
        for (id, route) in inputs.routes.iter().filter(|(_, route)| route.class() == class) {
            named.extend(route.services(&id.namespace));
            secrets.extend(route.secrets(&id.namespace));
            bundles.extend(route.config_maps(&id.namespace));
            body.routes.push((&id.namespace, &id.name, route));
        }
        for (id, grant) in &inputs.grants {
            if named.iter().any(|service| service.namespace == id.namespace) {
                body.grants.push((&id.namespace, &id.name, grant));
            }
        }
        for id in named {
            if let Some((id, service)) = inputs.services.get_key_value(&id) {
                body.services.push((&id.namespace, &id.name, service));
            }
        }
        for id in secrets {
            if let Some((id, secret)) = inputs.secrets.get_key_value(&id) {
                body.secrets.push((&id.namespace, &id.name, KeptSecret::from(&**secret)));
            }
        }
        for id in bundles {
            if let Some((id, bundle)) = inputs.config_maps.get_key_value(&id) {
                body.config_maps.push((&id.namespace, &id.name, bundle));
            }
        }
        body
    }
}

impl Body {
    fn into_inputs(self) -> Inputs {
        let mut inputs = Inputs { kept: true, ..Inputs::default() };
        for (namespace, name, route) in self.routes {
            let id = ObjectId::new(namespace.as_str(), name.as_str());
            inputs.routes.insert(id, Arc::new(route));
        }
        for (namespace, name, service) in self.services {
            let id = ObjectId::new(namespace.as_str(), name.as_str());
            inputs.services.insert(id, Arc::new(service));
        }
        for (namespace, name, grant) in self.grants {
            let id = ObjectId::new(namespace.as_str(), name.as_str());
            inputs.grants.insert(id, Arc::new(grant));
        }
        for (namespace, name, secret) in self.secrets {
            let id = ObjectId::new(namespace.as_str(), name.as_str());
            inputs.secrets.insert(id, Arc::new(Secret::from(secret)));
        }
        for (namespace, name, bundle) in self.config_maps {
            let id = ObjectId::new(namespace.as_str(), name.as_str());
            inputs.config_maps.insert(id, Arc::new(bundle));
        }
        inputs
    }
}

/// Passes on what the API server tells, and keeps it. When it tells nothing at the start, what was
/// kept is passed on first. `tell` is told why what serves may be old, and when it is so no more.
pub async fn run(
    keeper: Option<Keeper>,
    mut watched: watch::Receiver<Option<Arc<Inputs>>>,
    inputs: watch::Sender<Option<Arc<Inputs>>>,
    metrics: ControllerMetrics,
    tell: impl Fn(Option<String>) + Send,
) {
    let mut load_at = keeper.as_ref().map(|_| Instant::now() + WAIT);
    let mut save_at: Option<Instant> = None;
    loop {
        let far = Instant::now() + Duration::from_secs(3600);
        let wake = load_at.into_iter().chain(save_at).min().unwrap_or(far);
        tokio::select! {
            changed = watched.changed() => {
                let Ok(()) = changed else { return };
                let Some(world) = watched.borrow_and_update().clone() else { continue };
                if metrics.inputs_kept.set(0) != 0 {
                    tracing::info!("the API server is back, kept objects are replaced");
                    tell(None);
                }
                load_at = None;
                save_at = save_at.or_else(|| keeper.as_ref().map(|_| Instant::now() + REST));
                inputs.send_replace(Some(world));
            }
            () = inputs.closed() => return,
            () = sleep_until(wake) => {
                let Some(keeper) = &keeper else { continue };
                if load_at.take_if(|at| *at <= Instant::now()).is_some()
                    && let Some(kept) = load(keeper).await
                {
                    metrics.inputs_kept.set(1);
                    tracing::warn!(routes = kept.routes.len(), "the API server does not answer, kept objects serve");
                    tell(Some("kept objects serve, the API server does not answer".to_owned()));
                    inputs.send_replace(Some(Arc::new(kept)));
                }
                if save_at.take_if(|at| *at <= Instant::now()).is_some() {
                    let world = watched.borrow().clone();
                    if let Some(world) = world {
                        save(keeper, world).await;
                    }
                }
            }
        }
    }
}

async fn load(keeper: &Keeper) -> Option<Inputs> {
    let (keeper, folder) = (keeper.clone(), keeper.folder.clone());
    match tokio::task::spawn_blocking(move || keeper.load()).await {
        Ok(Ok(kept)) => kept,
        Ok(Err(error)) => {
            let file: &Path = &folder.join(FILE);
            tracing::warn!(file = %file.display(), %error, "kept objects cannot be used");
            None
        }
        Err(_) => None,
    }
}

async fn save(keeper: &Keeper, world: Arc<Inputs>) {
    let kept = keeper.clone();
    let saved = tokio::task::spawn_blocking(move || kept.save(&world)).await;
    if let Ok(Err(error)) = saved {
        let folder = keeper.folder.display();
        tracing::warn!(%folder, %error, "objects cannot be kept for a restart without the API server");
    }
}
