//! Where settings come from: the file, the environment and flags, the stronger last.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::Value;

use super::flags::SettingArgs;
use super::hint::{did_you_mean_or_all, nearest};
use super::table::{SETTINGS, Setting};

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
    /// What a mistake calls it: `--class`, `FAIRWAY_CLASS`, `fairway.yaml: class`.
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
    /// The settings file, when there is one.
    pub(super) file: Option<PathBuf>,
    /// Addresses for Services from all sources, the weaker source first: each Service has a
    /// precedence of its own.
    pub(crate) backends: Vec<GivenBackend>,
}

/// An address for a Service that somebody gave.
#[derive(Clone, Debug)]
pub(crate) struct GivenBackend {
    pub(crate) source: SourceName,
    /// What a mistake calls it: `--backend`, `FAIRWAY_BACKEND_MARKET__FINANCE`.
    pub(crate) place: String,
    /// `namespace/service=host:port`.
    pub(crate) text: String,
}

impl Raw {
    pub(crate) fn get(&self, name: &str) -> Option<&Given> {
        self.given.get(name)
    }

    fn add(&mut self, name: &'static str, given: Given) {
        if name == "backend" {
            self.add_backends(&given);
        } else {
            self.given.insert(name, given);
        }
    }

    fn add_backends(&mut self, given: &Given) {
        let texts: Vec<String> = match &given.tree {
            Some(Value::Object(entries)) => {
                entries.iter().map(|(name, value)| format!("{name}={}", scalar(value))).collect()
            }
            _ => given.values.clone(),
        };
        let (source, place) = (&given.source, &given.place);
        self.backends.extend(texts.into_iter().map(|text| GivenBackend {
            source: source.clone(),
            place: place.clone(),
            text,
        }));
    }
}

/// The variables whose names are ours; those of others may hold what they like.
pub(super) fn ours(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    mistakes: &mut Vec<String>,
) -> BTreeMap<String, String> {
    let mut ours = BTreeMap::new();
    for (variable, value) in environment {
        let variable = variable.to_string_lossy().into_owned();
        if !variable.starts_with("FAIRWAY_") {
            continue;
        }
        match value.into_string() {
            Ok(value) => {
                ours.insert(variable, value);
            }
            Err(value) => {
                let setting = SETTINGS.iter().find(|setting| setting.variable == variable);
                let value = if setting.is_some_and(|setting| setting.secret) {
                    "its value".to_owned()
                } else {
                    format!("{:?}", value.to_string_lossy())
                };
                mistakes.push(format!("{variable}: {value} is not UTF-8 text: write it in UTF-8"));
            }
        }
    }
    ours
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
        raw.file = Some(file);
    }
    from_environment(environment, &mut raw, mistakes);
    for (name, values) in &args.given {
        let place = format!("--{name}");
        let given = Given { source: SourceName::Flag, place, values: values.clone(), tree: None };
        raw.add(name, given);
    }
    raw
}

fn from_file(file: &std::path::Path, raw: &mut Raw, mistakes: &mut Vec<String>) {
    let name = file.display();
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => return mistakes.push(format!("--config {name}: cannot be read: {error}")),
    };
    // `off` is a level of the log and `no` may be a name: only true and false are switches.
    let options = serde_saphyr::options! { strict_booleans: true };
    let entries = match serde_saphyr::from_str_with_options::<Value>(&text, options) {
        Ok(Value::Object(entries)) => entries,
        Ok(Value::Null) => return,
        Ok(_) => return mistakes.push(format!("{name}: write settings as key: value")),
        Err(error) => return mistakes.push(format!("{name}: {error}")),
    };
    for (key, value) in entries {
        let Some(setting) = SETTINGS.iter().find(|setting| setting.key() == key) else {
            let keys: Vec<String> = SETTINGS.iter().map(Setting::key).collect();
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let advice = did_you_mean_or_all(&key, &keys);
            mistakes.push(format!("{name}: unknown setting {key}: {advice}"));
            continue;
        };
        let values: Vec<String> = match &value {
            // A key without a value is one that somebody has not filled in.
            Value::Null => continue,
            Value::Array(items) => {
                items.iter().filter(|item| !item.is_null()).map(scalar).collect()
            }
            other => vec![scalar(other)],
        };
        let tree = (setting.file_only || value.is_object()).then_some(value);
        let place = format!("{name}: {key}");
        raw.add(setting.name, Given { source: SourceName::File, place, values, tree });
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
        if variable == "FAIRWAY_CONFIG" {
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
            raw.add(setting.name, given);
        } else if let Some((namespace, service)) = service_of(&variable) {
            let text = format!("{namespace}/{service}={value}");
            if service.contains("--") {
                mistakes.push(format!(
                    "{variable}: it is not clear where the namespace ends: write --backend {text}"
                ));
            }
            let source = SourceName::Environment;
            raw.backends.push(GivenBackend { source, place: variable, text });
        } else if !of_a_service(&variable) {
            mistakes.push(format!("unknown variable {variable}: {}", meant(&variable)));
        }
    }
}

/// What to write instead of a variable that is not known.
fn meant(variable: &str) -> String {
    if variable.starts_with("FAIRWAY_BACKEND_") {
        return "write FAIRWAY_BACKEND_<NAMESPACE>__<SERVICE>=host:port, with two underscores between the names".to_owned();
    }
    // What all have in common must not make them near.
    let own = |name: &'static str| name.strip_prefix("FAIRWAY_");
    let known: Vec<&str> = SETTINGS.iter().filter_map(|setting| own(setting.variable)).collect();
    let wanted = variable.strip_prefix("FAIRWAY_").unwrap_or(variable);
    match nearest(wanted, &known) {
        Some(near) => format!("did you mean FAIRWAY_{near}?"),
        None => "fairway run --help names those that are known".to_owned(),
    }
}

/// Namespace and name of the Service in `FAIRWAY_BACKEND_<NAMESPACE>__<SERVICE>`. Kubernetes
/// makes variables with such a name only for a Service whose own name holds `--`.
fn service_of(variable: &str) -> Option<(String, String)> {
    let (namespace, service) = variable.strip_prefix("FAIRWAY_BACKEND_")?.split_once("__")?;
    // Names in Kubernetes have no underscore, so that this is the only way back.
    let back = |part: &str| part.to_ascii_lowercase().replace('_', "-");
    Some((back(namespace), back(service)))
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
