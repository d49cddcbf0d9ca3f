//! Where settings come from: flags made from the table, the environment, and the file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde::Serialize;
use serde_json::Value;

use super::table::{SETTINGS, Setting};

/// Settings as flags gave them; the table makes the flags.
#[derive(Clone, Debug, Default)]
pub(crate) struct SettingArgs {
    pub(crate) given: BTreeMap<&'static str, Vec<String>>,
    pub(crate) config: Option<PathBuf>,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SourceName {
    Default,
    Flag,
    Environment,
    File,
}

impl SourceName {
    pub(crate) const fn as_str(&self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::File => "file",
        }
    }
}

/// A setting that somebody gave.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) source: SourceName,
    /// What a mistake calls it: `--class`, `FAIRWAY_CLASS`, `class in fairway.yaml`.
    pub(crate) place: String,
    pub(crate) values: Vec<String>,
    /// Its value in the file, when it is more than a line.
    pub(crate) tree: Option<Value>,
}

impl Given {
    pub(crate) fn text(&self) -> String {
        match &self.tree {
            Some(tree) => tree.to_string(),
            None => self.values.join(", "),
        }
    }
}

/// Everything that was given, by the name of the setting, the strongest source only.
#[derive(Clone, Debug, Default)]
pub(crate) struct Raw {
    given: BTreeMap<&'static str, Given>,
    /// `FAIRWAY_BACKEND_<NAMESPACE>__<SERVICE>`, as `namespace/service=host:port`.
    pub(crate) backends: Vec<(String, String)>,
}

impl Raw {
    pub(crate) fn get(&self, name: &str) -> Option<&Given> {
        self.given.get(name)
    }
}

/// Collects all sources.
pub(super) fn collect(
    args: &SettingArgs,
    environment: BTreeMap<String, String>,
    mistakes: &mut Vec<String>,
) -> Raw {
    let mut raw = Raw::default();
    let named = environment.get("FAIRWAY_CONFIG").map(PathBuf::from);
    if let Some(file) = args.config.clone().or(named) {
        from_file(&file, &mut raw, mistakes);
    }
    from_environment(environment, &mut raw, mistakes);
    for (name, values) in &args.given {
        let place = format!("--{name}");
        let given = Given { source: SourceName::Flag, place, values: values.clone(), tree: None };
        raw.given.insert(name, given);
    }
    raw
}

fn from_file(file: &std::path::Path, raw: &mut Raw, mistakes: &mut Vec<String>) {
    let name = file.display();
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => return mistakes.push(format!("--config {name}: cannot be read: {error}")),
    };
    let entries = match serde_saphyr::from_str::<Value>(&text) {
        Ok(Value::Object(entries)) => entries,
        Ok(Value::Null) => return,
        Ok(_) => return mistakes.push(format!("{name}: write settings as key: value")),
        Err(error) => return mistakes.push(format!("{name}: {error}")),
    };
    for (key, value) in entries {
        let Some(setting) = SETTINGS.iter().find(|setting| setting.key() == key) else {
            let keys: Vec<String> = SETTINGS.iter().map(Setting::key).collect();
            mistakes.push(format!("{name}: unknown setting {key}{}", hint(&key, &keys)));
            continue;
        };
        let values = match &value {
            Value::Array(items) => items.iter().map(scalar).collect(),
            other => vec![scalar(other)],
        };
        let tree = matches!(value, Value::Object(_)).then_some(value);
        let place = format!("{key} in {name}");
        raw.given.insert(setting.name, Given { source: SourceName::File, place, values, tree });
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn from_environment(
    environment: BTreeMap<String, String>,
    raw: &mut Raw,
    mistakes: &mut Vec<String>,
) {
    for (variable, value) in environment {
        if !variable.starts_with("FAIRWAY_")
            || variable == "FAIRWAY_CONFIG"
            || of_a_service(&variable)
        {
            continue;
        }
        let setting = SETTINGS.iter().find(|setting| setting.variable == variable);
        if let Some(setting) = setting {
            let values = if setting.many {
                value
                    .split(',')
                    .map(str::trim)
                    .filter(|v| !v.is_empty())
                    .map(str::to_owned)
                    .collect()
            } else {
                vec![value]
            };
            let given =
                Given { source: SourceName::Environment, place: variable, values, tree: None };
            raw.given.insert(setting.name, given);
        } else if let Some((namespace, service)) =
            variable.strip_prefix("FAIRWAY_BACKEND_").and_then(|name| name.split_once("__"))
        {
            // Names in Kubernetes have no underscore, so that this is the only way back.
            let back = |part: &str| part.to_ascii_lowercase().replace('_', "-");
            let text = format!("{}/{}={value}", back(namespace), back(service));
            raw.backends.push((variable, text));
        } else {
            let known: Vec<String> =
                SETTINGS.iter().map(|setting| setting.variable.to_owned()).collect();
            mistakes.push(format!("unknown variable {variable}{}", hint(&variable, &known)));
        }
    }
}

/// Kubernetes sets these for a Service whose name begins with `fairway`.
fn of_a_service(variable: &str) -> bool {
    let rest = variable.strip_prefix("FAIRWAY_").unwrap_or_default();
    rest == "PORT"
        || rest.starts_with("PORT_")
        || rest.starts_with("SERVICE_")
        || rest.ends_with("_SERVICE_HOST")
        || rest.contains("_SERVICE_PORT")
        || rest.ends_with("_PORT")
        || rest.contains("_PORT_")
}

fn hint(wanted: &str, known: &[String]) -> String {
    let scored = known.iter().map(|name| (distance(wanted, name), name));
    match scored.min() {
        Some((distance, name)) if distance <= 3 => format!(": did you mean {name}?"),
        _ => String::new(),
    }
}

/// How many letters differ, in a way that is good enough for a hint.
fn distance(a: &str, b: &str) -> usize {
    let common = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let behind = a.bytes().rev().zip(b.bytes().rev()).take_while(|(a, b)| a == b).count();
    let longest = a.len().max(b.len());
    longest.saturating_sub((common + behind).min(longest))
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
