//! Names that the schema refuses, refused again: an object may be older than the schema, and a
//! folder has no API server.

use fairway_crds::names::{self, LONGEST_LABEL, LONGEST_NAME};

/// What is wrong with the name of a rule.
pub(super) fn rule(name: &str) -> Option<String> {
    refusal(name, names::is_label(name), LONGEST_LABEL, names::RULE_NAME)
}

/// What is wrong with the name of a class.
pub(super) fn class(name: &str) -> Option<String> {
    refusal(name, names::is_label(name), LONGEST_LABEL, names::CLASS)
}

/// What is wrong with the name of a Service.
pub(crate) fn service(name: &str) -> Option<String> {
    refusal(name, names::is_service(name), LONGEST_LABEL, names::SERVICE)
}

/// What is wrong with the name of a Secret.
pub(crate) fn secret(name: &str) -> Option<String> {
    refusal(name, names::is_object(name), LONGEST_NAME, names::SECRET)
}

/// What is wrong with the name of a namespace.
pub(crate) fn namespace(name: &str) -> Option<String> {
    refusal(name, names::is_label(name), LONGEST_LABEL, names::NAMESPACE)
}

/// What is wrong with the name of a ConfigMap.
pub(crate) fn config_map(name: &str) -> Option<String> {
    refusal(name, names::is_object(name), LONGEST_NAME, names::CONFIG_MAP)
}

/// What is wrong with the name of a ServiceRoute.
pub(crate) fn object(name: &str) -> Option<String> {
    refusal(name, names::is_object(name), LONGEST_NAME, names::OBJECT)
}

fn refusal(name: &str, good: bool, longest: usize, sentence: &str) -> Option<String> {
    if good {
        return None;
    }
    if name.len() > longest {
        return Some(format!("{name:?} has {} characters: write at most {longest}", name.len()));
    }
    Some(format!("{name:?}: {sentence}"))
}
