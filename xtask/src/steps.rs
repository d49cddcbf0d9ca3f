//! Running steps one after the other, and telling how long each took.

use std::io::{IsTerminal, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};

/// Tells a line to whoever watches.
pub(crate) fn say(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Runs a step and tells its name and time.
pub(crate) fn step<T>(name: &str, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    say(&format!("==> {name}"));
    let began = Instant::now();
    let result = work().with_context(|| format!("step {name:?}"));
    let word = if result.is_ok() { "done" } else { "failed" };
    say(&format!("    {word} in {:.1} s: {name}", began.elapsed().as_secs_f64()));
    result
}

/// Runs a command to its end; its output passes through.
pub(crate) fn pass(command: &mut Command) -> anyhow::Result<()> {
    let shown = show(command);
    let status = command.status().with_context(|| format!("cannot start {shown}"))?;
    if !status.success() {
        bail!("{shown} ended with {status}; run it alone to see more");
    }
    Ok(())
}

/// Runs a command that takes long and says little: a spinner while it runs, its output only when
/// it fails.
pub(crate) fn quiet(name: &str, command: &mut Command) -> anyhow::Result<()> {
    let shown = show(command);
    let spinner = spinner(name);
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {shown}"))?;
    spinner.finish_and_clear();
    if !output.status.success() {
        bail!(
            "{shown} ended with {}:\n{}{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(())
}

fn spinner(name: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        say(&format!("    {name} ..."));
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("    {spinner} {msg} {elapsed}");
    let bar = ProgressBar::new_spinner().with_message(name.to_owned());
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

fn show(command: &Command) -> String {
    let args = command.get_args().map(|arg| arg.to_string_lossy().into_owned());
    let program = command.get_program().to_string_lossy().into_owned();
    std::iter::once(program).chain(args).collect::<Vec<_>>().join(" ")
}
