//! The flags of the settings, made from the table.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::table::{SETTINGS, Setting};

/// Settings as flags gave them; the table makes the flags.
#[derive(Clone, Debug, Default)]
pub(crate) struct SettingArgs {
    pub(crate) given: BTreeMap<&'static str, Vec<String>>,
    pub(crate) config: Option<PathBuf>,
}

impl clap::Args for SettingArgs {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .help("A YAML file with settings [env: FAIRWAY_CONFIG]")
            .help_heading("Settings");
        SETTINGS
            .iter()
            .filter(|setting| !setting.secret && !setting.file_only)
            .fold(command.arg(config), |command, setting| command.arg(flag(setting)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn flag(setting: &'static Setting) -> Arg {
    let default = if setting.default.is_empty() {
        String::new()
    } else {
        format!(" [default: {}]", setting.default)
    };
    let arg = Arg::new(setting.name)
        .long(setting.name)
        .help(format!("{} [env: {}]{default}", setting.help, setting.variable))
        .help_heading("Settings")
        .action(if setting.many { ArgAction::Append } else { ArgAction::Set });
    if setting.is_switch() {
        arg.num_args(0..=1).require_equals(true).default_missing_value("true").value_name("BOOL")
    } else {
        arg.value_name(setting.value)
    }
}

impl clap::FromArgMatches for SettingArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut args = Self::default();
        args.update_from_arg_matches(matches)?;
        Ok(args)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.config = matches.get_one::<String>("config").map(PathBuf::from);
        for setting in SETTINGS.iter().filter(|setting| !setting.secret && !setting.file_only) {
            if let Some(values) = matches.get_many::<String>(setting.name) {
                self.given.insert(setting.name, values.cloned().collect());
            }
        }
        Ok(())
    }
}
