//! `fairway completions`: a script for a shell.

use clap_complete::{Shell, generate};

pub(crate) fn main(shell: Shell) -> anyhow::Result<u8> {
    let mut script = Vec::new();
    generate(shell, &mut crate::command(), "fairway", &mut script);
    use std::io::Write;
    let _ = std::io::stdout().write_all(&script);
    Ok(0)
}
