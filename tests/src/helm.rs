//! Helm, as operators run it, with the chart of this repository.

use std::path::PathBuf;
use std::process::Command;

use crate::kube::{Kube, binary};

/// The chart.
pub fn chart() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../charts/fairway")
}

/// Runs Helm without a cluster; gives its exit code, what it printed and what it complained of.
pub fn helm(args: &[&str]) -> (i32, String, String) {
    run(Command::new(binary("helm")).args(args))
}

/// What the chart renders to in the namespace `fairway-system`, with these `--set-json` values.
pub fn render(sets: &[&str], more: &[&str]) -> String {
    let chart = chart().display().to_string();
    let mut args = vec!["template", "fairway", &chart, "--namespace", "fairway-system"];
    args.extend(sets.iter().flat_map(|set| ["--set-json", set]));
    args.extend(more);
    let (code, printed, complained) = helm(&args);
    assert_eq!(code, 0, "{sets:?}: {complained}");
    printed
}

impl Kube {
    /// Runs Helm with all rights; gives its exit code and what it said.
    pub fn helm(&self, args: &[&str]) -> (i32, String) {
        let mut command = Command::new(binary("helm"));
        command.args(args).env("KUBECONFIG", &self.kubeconfig).env("HOME", self.folder.path());
        let (code, printed, complained) = run(&mut command);
        (code, printed + &complained)
    }
}

fn run(command: &mut Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}
