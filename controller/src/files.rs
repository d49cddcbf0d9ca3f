//! Manifests from a folder: the same inputs as from an API server, for running without a cluster,
//! for `fairway check` and for tests.
//!
//! Every problem of every file is found in one go. While a folder is followed, a state with
//! problems is told and not taken: the last good one stays.

mod documents;
mod editor;
mod expand;
mod follow;
mod known;
mod schema;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use fairway_snapshot::ObjectId;
use serde::Serialize;

use crate::Inputs;
use documents::Reader;
pub use editor::json_schema;
pub use follow::{Follow, FollowEvent};
use tree::{Node, Place};

/// What a folder holds.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// Its objects.
    pub inputs: Inputs,
    /// Documents that are not ours, and were skipped.
    pub notes: Vec<FileProblem>,
    sources: BTreeMap<ObjectId, Source>,
}

/// Where an object was read.
#[derive(Clone, Debug)]
struct Source {
    file: PathBuf,
    tree: Node,
}

/// Something that was found in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct FileProblem {
    /// The file or folder.
    pub file: PathBuf,
    /// The line, from 1; 0 when it is about the whole file.
    pub line: usize,
    /// The column, from 1; 0 when it is about the whole file.
    pub column: usize,
    /// The problem, and what to write instead.
    pub message: String,
}

/// Everything that is wrong with a folder, in the order of files and lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LoadErrors {
    /// The problems; there is at least one.
    pub problems: Vec<FileProblem>,
}

/// Reads manifests: each path is a file, or a folder whose `.yaml`, `.yml` and `.json` files are
/// read. Variables come from `environment`, then from `.env` in the folder.
///
/// # Errors
///
/// Every problem of every file.
pub fn load(
    paths: &[PathBuf],
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Loaded, LoadErrors> {
    let mut reader = Reader::default();
    for path in paths {
        reader.read(path, environment);
    }
    reader.finish()
}

/// The same of a manifest that is at hand, as if the file of this name held it. It need not exist,
/// and no `.env` beside it is read.
///
/// # Errors
///
/// Every problem of the text.
pub fn load_text(
    file: &Path,
    text: &str,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Loaded, LoadErrors> {
    let mut reader = Reader::default();
    reader.text(file, text, environment);
    reader.finish()
}

impl Loaded {
    /// The place of a field of an object: `spec.rules[0].match[1].path`.
    #[must_use]
    pub fn locate(&self, object: &ObjectId, field: &str) -> Option<(&Path, usize, usize)> {
        let source = self.sources.get(object)?;
        let Place { line, column } = source.tree.locate(field);
        Some((&source.file, line, column))
    }

    /// Takes over the objects of `previous` that are equal, so that the compiler sees at once that
    /// they did not change.
    pub fn reuse(&mut self, previous: &Inputs) {
        for (id, route) in &mut self.inputs.routes {
            if let Some(known) = previous.routes.get(id).filter(|known| *known == route) {
                *route = std::sync::Arc::clone(known);
            }
        }
        for (id, secret) in &mut self.inputs.secrets {
            if let Some(known) = previous.secrets.get(id).filter(|known| *known == secret) {
                *secret = std::sync::Arc::clone(known);
            }
        }
    }
}

impl FileProblem {
    fn whole(file: &Path, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: 0, column: 0, message: message.into() }
    }
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if self.line > 0 {
            write!(f, "{}:{}:", self.line, self.column)?;
        }
        write!(f, " {}", self.message)
    }
}

impl fmt::Display for LoadErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for LoadErrors {}
