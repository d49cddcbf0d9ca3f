//! `cargo xtask tidy`: the house rules, checked. All problems are told at once.

mod functions;
mod graph;
mod links;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::steps::say;
use crate::{codegen, root};

/// The longest that a file may be.
const FILE_LINES: usize = 400;
/// The longest that a function may be.
const FUNCTION_LINES: usize = 80;

/// A file of the project: its path from the top, and its text.
pub(crate) struct File {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// Checks everything.
pub(crate) fn run() -> anyhow::Result<()> {
    let files = tracked()?;
    let mut problems = Vec::new();
    let rust: Vec<&File> = files.iter().filter(|file| has_ending(file, "rs")).collect();
    for file in &rust {
        problems.extend(check_rust(file));
    }
    for file in &files {
        problems.extend(check_words(file));
        if has_ending(file, "md") {
            problems
                .extend(links::check(&file.path, &file.text, &|path| root().join(path).exists()));
        }
    }
    problems.extend(graph::check(&graph::metadata()?));
    problems.extend(
        codegen::stale()?
            .into_iter()
            .map(|path| format!("{path}: not what the code generates; run cargo xtask codegen")),
    );
    tell_longest(&rust);
    say(&format!("    {} packages in the default graph", graph::size()?));
    if problems.is_empty() {
        return Ok(());
    }
    bail!("{} problems:\n  {}", problems.len(), problems.join("\n  "))
}

/// The files that git knows of or would take.
fn tracked() -> anyhow::Result<Vec<File>> {
    let output = Command::new("git")
        .current_dir(root())
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .output()
        .context("cannot ask git for the files")?;
    let names = String::from_utf8(output.stdout).context("a file has a name that is not UTF-8")?;
    let mut files = Vec::new();
    for name in names.lines() {
        let path = root().join(name);
        // Deleted and not committed yet, or not text.
        if let Ok(text) = std::fs::read_to_string(&path) {
            files.push(File { path: PathBuf::from(name), text });
        }
    }
    Ok(files)
}

fn has_ending(file: &File, ending: &str) -> bool {
    file.path.extension().is_some_and(|extension| extension == ending)
}

/// The rules for a file of Rust.
fn check_rust(file: &File) -> Vec<String> {
    let path = file.path.display();
    let mut problems = Vec::new();
    let lines = file.text.lines().count();
    if lines > FILE_LINES {
        problems.push(format!("{path}: {lines} lines, at most {FILE_LINES}: split it by subject"));
    }
    if !file.text.starts_with("//! ") {
        problems.push(format!(
            "{path}: the first line is not a //! sentence that says why the file exists"
        ));
    }
    if file.path.file_name().is_some_and(|name| name == "mod.rs") {
        problems.push(format!("{path}: name it after its module, beside its folder"));
    }
    for function in functions::find(&file.text) {
        if function.lines > FUNCTION_LINES {
            problems.push(format!(
                "{path}:{}: function {} has {} lines, at most {FUNCTION_LINES}",
                function.line, function.name, function.lines
            ));
        }
    }
    for (number, line) in (1..).zip(file.text.lines()) {
        for mark in unfinished() {
            if line.contains(&mark) {
                problems.push(format!("{path}:{number}: {mark} is unfinished work: finish it"));
            }
        }
    }
    problems
}

/// Marks of unfinished work, put together so that this file does not hold them.
fn unfinished() -> Vec<String> {
    ["TO DO", "FIX ME", "to do!(", "un implemented!(", "#[ig nore"]
        .iter()
        .map(|mark| mark.replace(' ', ""))
        .collect()
}

/// Words that say where the project was written, instead of what it is.
fn check_words(file: &File) -> Vec<String> {
    let words = ["/work /main", ".. /shared", "/tmp/bash _jobs"].map(|word| word.replace(' ', ""));
    let mut problems = Vec::new();
    for (number, line) in (1..).zip(file.text.lines()) {
        for word in words.iter().filter(|word| line.contains(word.as_str())) {
            problems
                .push(format!("{}:{number}: {word} is a path of one machine", file.path.display()));
        }
    }
    problems
}

fn tell_longest(files: &[&File]) {
    let longest = files.iter().max_by_key(|file| file.text.lines().count());
    if let Some(file) = longest {
        say(&format!(
            "    longest file: {} with {} lines",
            file.path.display(),
            file.text.lines().count()
        ));
    }
    let all = files.iter().flat_map(|file| {
        functions::find(&file.text).into_iter().map(|function| (function, &file.path))
    });
    if let Some((function, path)) = all.max_by_key(|(function, _)| function.lines) {
        say(&format!(
            "    longest function: {} in {} with {} lines",
            function.name,
            path.display(),
            function.lines
        ));
    }
    let count: usize = files.iter().map(|file| file.text.lines().count()).sum();
    say(&format!("    {} files of Rust with {count} lines", files.len()));
}

/// A path without `./` and `..`.
fn clean(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                out.pop();
            }
            std::path::Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}
