//! `fairway check`: what is wrong with manifests, found by the reader and the compiler that the
//! gateway uses.

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use fairway_controller::compile::{CompileOptions, ExternalHosts, Severity, UnknownService};
use fairway_controller::files::{FileProblem, Loaded, load};
use fairway_controller::{Memo, compile};
use serde::Serialize;

use super::{environment, shown};
use crate::args::{CheckArgs, Output};
use crate::output::{self, GREEN, RED, YELLOW};
use crate::settings::Settings;
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
    let mut options = settings.options;
    options.unknown_service = UnknownService::TakeAsNamed;
    options.external_hosts = ExternalHosts::All;
    let Checked { findings, notes, could_run } = check(&args.paths, &options);
    match args.output {
        Output::Json => output::json(&findings)?,
        Output::Table | Output::Wide => print(&findings, &notes),
    }
    Ok(match findings.is_empty() {
        true => 0,
        false if could_run => FINDINGS,
        false => COULD_NOT_RUN,
    })
}

/// What came of checking.
#[derive(Debug)]
struct Checked {
    findings: Vec<Finding>,
    notes: Vec<FileProblem>,
    /// Whether every path could be looked at.
    could_run: bool,
}

fn check(paths: &[PathBuf], options: &CompileOptions) -> Checked {
    let (mut findings, notes, could_run) = match load(paths, &environment) {
        Ok(loaded) => (compiled(&loaded, options), loaded.notes, true),
        Err(errors) => {
            let missing = errors.problems.iter().any(|problem| !problem.file.exists());
            (errors.problems.into_iter().map(Finding::from).collect(), Vec::new(), !missing)
        }
    };
    findings.sort();
    Checked { findings, notes, could_run }
}

/// What the compiler says of manifests that could be read, of every class.
fn compiled(loaded: &Loaded, options: &CompileOptions) -> Vec<Finding> {
    let classes: std::collections::BTreeSet<String> = loaded
        .inputs
        .routes
        .values()
        .map(|route| {
            route.spec.class.clone().unwrap_or_else(|| fairway_crds::DEFAULT_CLASS.to_owned())
        })
        .collect();
    let mut findings = Vec::new();
    for class in classes {
        let options = CompileOptions { class, ..options.clone() };
        let compilation = compile(&loaded.inputs, &options, &mut Memo::default());
        for status in compilation.statuses.values() {
            for found in &status.diagnostics {
                let place = loaded.locate(&found.object, &found.field);
                let (file, line, column) = place.map_or_else(
                    || (PathBuf::new(), 0, 0),
                    |(file, line, column)| (file.to_owned(), line, column),
                );
                findings.push(Finding {
                    file,
                    line,
                    column,
                    severity: match found.severity {
                        Severity::Error => "error",
                        Severity::Warning => "warning",
                    },
                    reason: found.reason.to_string(),
                    object: Some(found.object.to_string()),
                    rule: found.rule.as_deref().map(str::to_owned),
                    field: Some(found.field.clone()),
                    message: found.message.clone(),
                });
            }
        }
    }
    findings
}

impl From<FileProblem> for Finding {
    fn from(problem: FileProblem) -> Self {
        Self {
            file: problem.file,
            line: problem.line,
            column: problem.column,
            severity: "error",
            reason: "InvalidManifest".to_owned(),
            object: None,
            rule: None,
            field: None,
            message: problem.message,
        }
    }
}

fn print(findings: &[Finding], notes: &[FileProblem]) {
    for note in notes {
        output::line(&format!("{note}"));
    }
    for finding in findings {
        let place = shown(&finding.file, finding.line, finding.column);
        let colour = if finding.severity == "error" { RED } else { YELLOW };
        let subject = match (&finding.object, &finding.rule) {
            (Some(object), Some(rule)) => format!(" {object} rule {rule}:"),
            (Some(object), None) => format!(" {object}:"),
            (None, _) => String::new(),
        };
        let field = finding.field.as_ref().map_or_else(String::new, |field| format!(" {field}:"));
        output::line(&format!(
            "{place}: {colour}{}{colour:#} [{}]{subject}{field} {}",
            finding.severity, finding.reason, finding.message
        ));
    }
    match findings.len() {
        0 => output::line(&format!("{GREEN}nothing found{GREEN:#}")),
        1 => output::line("1 finding"),
        many => output::line(&format!("{many} findings")),
    }
}
