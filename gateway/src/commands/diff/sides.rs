//! The two sides of a comparison: where their objects are, and what manifests mean beside a
//! cluster.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::bail;
use fairway_controller::files::load;
use fairway_controller::{CompileOptions, Inputs};

use super::super::environment;
use super::super::source::cluster;
use crate::args::DiffArgs;
use crate::settings::{Settings, of_files};

/// One side, as it was named.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Side {
    /// A folder or file.
    Files(PathBuf),
    /// A cluster; the context of the kubeconfig where one is named.
    Cluster(Option<String>),
}

/// Both sides, compiled by the same options.
#[derive(Debug)]
pub(super) struct Sides {
    pub(super) old: Inputs,
    pub(super) new: Inputs,
    pub(super) options: CompileOptions,
    /// Whether the age of an object is the same object's on both sides.
    pub(super) one_history: bool,
}

impl Side {
    fn of(named: &Path) -> Self {
        match named.to_str() {
            Some("cluster") => Self::Cluster(None),
            Some(text) => match text.strip_prefix("cluster:") {
                Some(context) => Self::Cluster(Some(context.to_owned())),
                None => Self::Files(named.to_owned()),
            },
            None => Self::Files(named.to_owned()),
        }
    }

    async fn inputs(&self, settings: &Settings) -> anyhow::Result<Inputs> {
        match self {
            Self::Files(path) => match load(std::slice::from_ref(path), &environment) {
                Ok(loaded) => Ok(loaded.inputs),
                Err(errors) => bail!("manifests:\n{errors}"),
            },
            Self::Cluster(context) => {
                let named = context.clone().or_else(|| settings.context.clone());
                cluster(&Settings { context: named, ..settings.clone() }).await
            }
        }
    }
}

/// Reads both sides.
pub(super) async fn read(args: &DiffArgs, settings: &Settings) -> anyhow::Result<Sides> {
    let (old, new) = (Side::of(&args.old), Side::of(&args.new));
    let clusters = [&old, &new].iter().filter(|side| matches!(side, Side::Cluster(_))).count();
    if !settings.manifests.is_empty() {
        bail!(
            "diff is told its sides as arguments: write fairway diff OLD NEW, without --manifests and FAIRWAY_MANIFESTS"
        );
    }
    if args.prune && clusters != 1 {
        bail!(
            "--prune goes with a cluster and a folder: two folders, or two clusters, are compared as they are"
        );
    }
    if old == new && clusters == 2 {
        bail!(
            "both sides are the same cluster: name a folder, or another cluster as cluster:CONTEXT"
        );
    }
    let (mut old_inputs, mut new_inputs) =
        (old.inputs(settings).await?, new.inputs(settings).await?);
    match (&old, &new) {
        (Side::Cluster(_), Side::Files(_)) => {
            new_inputs = applied(&old_inputs, &new_inputs, args.prune);
        }
        (Side::Files(_), Side::Cluster(_)) => {
            old_inputs = applied(&new_inputs, &old_inputs, args.prune);
        }
        (Side::Files(_), Side::Files(_)) | (Side::Cluster(_), Side::Cluster(_)) => {}
    }
    let options = settings.options.clone();
    Ok(Sides {
        old: old_inputs,
        new: new_inputs,
        options: if clusters == 0 { of_files(options) } else { options },
        one_history: clusters < 2,
    })
}

/// What a cluster would hold once manifests are applied to it: an object that is there keeps its
/// age, and one that is not yet is younger than all. With `prune` the ServiceRoutes that the
/// manifests do not name are gone; Services, grants and Secrets stay, for others than teams apply them.
pub(super) fn applied(cluster: &Inputs, manifests: &Inputs, prune: bool) -> Inputs {
    let mut world = cluster.clone();
    for (id, _) in &cluster.routes {
        if prune && !manifests.routes.contains_key(id) {
            world.routes.remove(id);
        }
    }
    for (id, _) in &cluster.unreadable {
        if prune || manifests.routes.contains_key(id) {
            world.unreadable.remove(id);
        }
    }
    for (id, route) in &manifests.routes {
        let known = cluster.routes.get(id);
        let mut made = (**route).clone();
        made.created = known.map_or(i64::MAX, |known| known.created);
        made.generation = known.and_then(|known| known.generation);
        world.routes.insert(id.clone(), Arc::new(made));
    }
    for (id, service) in &manifests.services {
        world.services.insert(id.clone(), Arc::clone(service));
    }
    for (id, grant) in &manifests.grants {
        world.grants.insert(id.clone(), Arc::clone(grant));
    }
    for (id, secret) in &manifests.secrets {
        world.secrets.insert(id.clone(), Arc::clone(secret));
    }
    world
}
