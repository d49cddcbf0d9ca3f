//! `fairway check`: what is wrong with manifests, found by the reader and the compiler that the
//! gateway uses.

mod ids;
mod lints;
mod sarif;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use fairway_controller::compile::{CompileOptions, Severity};
use fairway_controller::files::{FileProblem, Loaded, load};
use fairway_controller::{Memo, compile};
use fairway_snapshot::ObjectId;
use serde::Serialize;

use super::{environment, shown};
use crate::args::{CheckArgs, CheckOutput, Denied};
use crate::output::{self, BOLD, GREEN, RED, YELLOW};
use crate::settings::{Settings, of_files};
use crate::{COULD_NOT_RUN, FINDINGS};

/// Something that was found.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    file: PathBuf,
    line: usize,
    column: usize,
    severity: &'static str,
    reason: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    message: String,
}

pub(crate) fn main(args: &CheckArgs) -> anyhow::Result<u8> {
    let settings = Settings::load(&args.settings)?;
    let options = of_files(settings.options);
    let Checked { mut findings, notes, could_run } = check(&args.paths, &options);
    findings.retain(|finding| !args.ignore.contains(&finding.reason));
    match args.output {
        CheckOutput::Json => output::json(&findings)?,
        CheckOutput::Sarif => output::json(&sarif::log(&findings))?,
        CheckOutput::Table => print(&findings, &notes),
    }
    let fails = |finding: &Finding| finding.fails(args.deny);
    Ok(match findings.iter().any(fails) {
        _ if !could_run => COULD_NOT_RUN,
        true => FINDINGS,
        false => 0,
    })
}

/// What came of checking.
#[derive(Debug)]
struct Checked {
    findings: Vec<Finding>,
    notes: Vec<FileProblem>,
    /// Whether there was anything to check.
    could_run: bool,
}

fn check(paths: &[PathBuf], options: &CompileOptions) -> Checked {
    let (mut findings, notes, could_run) = match load(paths, &environment) {
        Ok(loaded) if nothing_in(&loaded) => {
            let message = "no document to check: put a ServiceRoute into a file";
            let nothing = paths.iter().map(|path| Finding::of(path, message.to_owned()));
            (nothing.collect(), Vec::new(), false)
        }
        Ok(loaded) => (compiled(&loaded, options), loaded.notes, true),
        Err(errors) => {
            let could_run = any_was_read(paths, &errors.problems);
            (errors.problems.into_iter().map(Finding::from).collect(), Vec::new(), could_run)
        }
    };
    findings.sort();
    Checked { findings, notes, could_run }
}

fn nothing_in(loaded: &Loaded) -> bool {
    let inputs = &loaded.inputs;
    inputs.routes.is_empty() && inputs.services.is_empty() && loaded.notes.is_empty()
}

/// Whether every path exists and at least one held a manifest. A problem of a whole path, without
/// a line, means that nothing was read there.
fn any_was_read(paths: &[PathBuf], problems: &[FileProblem]) -> bool {
    let whole = |path: &PathBuf| problems.iter().any(|p| p.line == 0 && p.file == *path);
    paths.iter().all(|path| path.exists()) && !paths.iter().all(whole)
}

/// What the compiler says of manifests that could be read, of every class.
fn compiled(loaded: &Loaded, options: &CompileOptions) -> Vec<Finding> {
    let classes: std::collections::BTreeSet<String> =
        loaded.inputs.routes.values().map(|route| route.class().to_owned()).collect();
    let mut findings = lints::matches(loaded, options);
    for class in classes {
        let options = CompileOptions { class, ..options.clone() };
        let compilation = compile(&loaded.inputs, &options, &mut Memo::default());
        for status in compilation.statuses.values() {
            for found in &status.diagnostics {
                findings.push(Finding {
                    severity: match found.severity {
                        Severity::Error => "error",
                        Severity::Warning => "warning",
                    },
                    reason: found.reason.to_string(),
                    object: Some(found.object.to_string()),
                    rule: found.rule.as_deref().map(str::to_owned),
                    message: found.message.clone(),
                    ..Finding::at(loaded, &found.object, found.field.clone())
                });
            }
        }
    }
    findings
}

impl From<FileProblem> for Finding {
    fn from(problem: FileProblem) -> Self {
        let FileProblem { file, line, column, message } = problem;
        Self { line, column, ..Self::of(&file, message) }
    }
}

impl Finding {
    /// Whether the run ends with 1 for it.
    fn fails(&self, deny: Option<Denied>) -> bool {
        match deny {
            Some(Denied::Warnings) => self.severity != "note",
            None => self.severity == "error",
        }
    }

    /// About a field of an object.
    fn at(loaded: &Loaded, object: &ObjectId, field: String) -> Self {
        let place = loaded.locate(object, &field);
        let (file, line, column) = place.unwrap_or((Path::new(""), 0, 0));
        let message = String::new();
        Self { line, column, field: Some(field), ..Self::of(file, message) }
    }

    /// About a whole file or folder.
    fn of(file: &Path, message: String) -> Self {
        Self {
            file: file.to_owned(),
            line: 0,
            column: 0,
            severity: "error",
            reason: "InvalidManifest".to_owned(),
            object: None,
            rule: None,
            field: None,
            message,
        }
    }
}

fn print(findings: &[Finding], notes: &[FileProblem]) {
    for note in notes {
        output::line(&format!("{note}"));
    }
    for finding in findings {
        output::line(&line(finding));
    }
    match findings.len() {
        0 => output::line(&format!("{GREEN}nothing found{GREEN:#}")),
        1 => output::line("1 finding"),
        many => output::line(&format!("{many} findings")),
    }
}

/// A finding for people.
fn line(finding: &Finding) -> String {
    let place = shown(&finding.file, finding.line, finding.column);
    let colour = match finding.severity {
        "error" => RED,
        "warning" => YELLOW,
        _ => BOLD,
    };
    let subject = match (&finding.object, &finding.rule) {
        (Some(object), Some(rule)) => format!(" {object} rule {rule}:"),
        (Some(object), None) => format!(" {object}:"),
        (None, _) => String::new(),
    };
    let field = finding.field.as_ref().map_or_else(String::new, |field| format!(" {field}:"));
    format!(
        "{place}: {colour}{}{colour:#} [{}]{subject}{field} {}",
        finding.severity, finding.reason, finding.message
    )
}
