//! The command line of Fairway and the wiring of its parts. Nothing else lives here.

mod args;
mod commands;
mod output;
mod overrides;
mod reload;
mod settings;
#[cfg(test)]
mod tests;
mod wiring;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};

/// Could not run: wrong settings, a taken port, nothing to read.
pub(crate) const COULD_NOT_RUN: u8 = 2;
/// Ran, and found something.
pub(crate) const FINDINGS: u8 = 1;

/// Runs the command that the arguments name.
#[must_use]
pub fn main() -> ExitCode {
    let args = Args::parse();
    let result = match args.command {
        Command::Run(args) => commands::run::main(&args),
        Command::Check(args) => commands::check::main(&args),
        Command::Diff(args) => commands::diff::main(&args),
        Command::Routes(args) => commands::routes::main(&args),
        Command::Why(args) => commands::why::main(&args),
        Command::Demo(args) => commands::demo::main(&args),
        Command::DemoService(args) => commands::demo_service::main(&args),
        Command::Get(args) => commands::get::main(&args),
        Command::Schema => commands::schema::main(),
        Command::Crds => commands::crds::main(),
        Command::Completions { shell } => commands::completions::main(shell),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            output::error(&format!("{error:#}"));
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

/// The command line, for its reference in the docs.
#[must_use]
pub fn command() -> clap::Command {
    <Args as clap::CommandFactory>::command()
}

/// Every setting as a row of Markdown, for the reference in the docs.
#[must_use]
pub fn settings_table() -> String {
    settings::table::markdown()
}
