//! What people see. Colours only where a terminal shows them and `NO_COLOR` does not forbid.

use std::io::Write;

use anstyle::{AnsiColor, Style};

pub(crate) const RED: Style = AnsiColor::Red.on_default().bold();
pub(crate) const YELLOW: Style = AnsiColor::Yellow.on_default().bold();
pub(crate) const GREEN: Style = AnsiColor::Green.on_default().bold();
pub(crate) const BOLD: Style = Style::new().bold();

/// Prints to stdout; whoever reads may have gone.
pub(crate) fn line(text: &str) {
    let _ = writeln!(anstream::stdout(), "{text}");
}

/// Prints an error to stderr.
pub(crate) fn error(text: &str) {
    let _ = writeln!(anstream::stderr(), "{RED}error{RED:#}: {text}");
}

/// Prints a warning to stderr.
pub(crate) fn warning(text: &str) {
    let _ = writeln!(anstream::stderr(), "{YELLOW}warning{YELLOW:#}: {text}");
}

/// Prints a value as JSON.
pub(crate) fn json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    let _ = writeln!(std::io::stdout(), "{text}");
    Ok(())
}
