//! Who may use what: the hosts, and under a shared host the paths, that the operator gives to each
//! namespace. What is not given is not used: no entry for a namespace means nothing for it.

use std::fmt;
use std::str::FromStr;

use fairway_snapshot::{HostPattern, PathMatch, PathPattern};

/// The entries, in the order in which they are tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPolicy {
    /// The first whose namespaces hold the one of an object decides for it, alone.
    pub entries: Vec<HostPolicyEntry>,
}

/// What some namespaces may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPolicyEntry {
    /// For whom this is.
    pub namespaces: Vec<NamespacePattern>,
    /// What they may use; nothing when it is empty.
    pub allow: Vec<Allowed>,
}

/// Hosts, and the paths under them that may be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Every host when there is none.
    pub hosts: Vec<HostPattern>,
    /// Every path when there is none. Without captures: exact paths, and those that end with `/*`.
    pub paths: Vec<PathPattern>,
}

/// The name of a namespace, in which one `*` may stand for any text: `finance`, `team-*`, `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespacePattern {
    before: Box<str>,
    /// What stands behind the `*`, where there is one.
    after: Option<Box<str>>,
}

impl FromStr for NamespacePattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (before, after) = match text.split_once('*') {
            Some((before, after)) => (before, Some(after)),
            None => (text, None),
        };
        let word = |part: &str| {
            part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        let good = !text.is_empty() && word(before) && after.is_none_or(word);
        if !good || text.starts_with('-') || text.ends_with('-') || text.len() > 63 {
            return Err(format!(
                "{text:?} names no namespace: write a name such as finance, or one with a *, such as team-*"
            ));
        }
        Ok(Self { before: before.into(), after: after.map(Into::into) })
    }
}

impl NamespacePattern {
    fn matches(&self, namespace: &str) -> bool {
        match &self.after {
            None => *self.before == *namespace,
            Some(after) => {
                namespace.strip_prefix(&*self.before).is_some_and(|rest| rest.ends_with(&**after))
            }
        }
    }
}

impl HostPolicy {
    /// What a namespace may use: nothing when no entry is for it.
    #[must_use]
    pub fn of(&self, namespace: &str) -> &[Allowed] {
        let mine =
            |entry: &&HostPolicyEntry| entry.namespaces.iter().any(|one| one.matches(namespace));
        self.entries.iter().find(mine).map_or(&[], |entry| &entry.allow)
    }
}

impl Allowed {
    /// Whether every request for `host` is for one of these hosts.
    pub(super) fn covers_host(&self, host: &HostPattern) -> bool {
        self.hosts.is_empty() || self.hosts.iter().any(|allowed| covers(allowed, host))
    }

    /// Whether every path that `path` takes lies within one of these. Of templates and regular
    /// expressions the literal text before everything else must do so.
    pub(super) fn covers_path(&self, path: &PathMatch) -> bool {
        self.paths.is_empty() || self.paths.iter().any(|allowed| within(path, allowed))
    }
}

/// Whether each host of `host` is one of `allowed`.
fn covers(allowed: &HostPattern, host: &HostPattern) -> bool {
    match (allowed, host) {
        (HostPattern::Any, _) => true,
        (_, HostPattern::Exact(name)) => allowed.matches(name),
        (HostPattern::Wildcard(wide), HostPattern::Wildcard(narrow)) => narrow.ends_with(&**wide),
        (HostPattern::Exact(_) | HostPattern::Wildcard(_), _) => false,
    }
}

fn within(path: &PathMatch, allowed: &PathPattern) -> bool {
    if let PathMatch::Pattern(pattern) = path
        && pattern.is_exact()
    {
        return allowed.matches(pattern.as_str());
    }
    // `/e/fin/*` also takes `/e/fin`, and so may what ends with the same `/*`; `/e/fin.*` as a
    // regular expression would take `/e/finance`, so that the slash must be part of the text.
    let below = allowed.literal_prefix();
    let all = below == "/";
    allowed.has_rest() && (all || path.literal_prefix().starts_with(below))
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts = joined(&self.hosts, "every host");
        if self.paths.is_empty() {
            f.write_str(&hosts)
        } else {
            write!(f, "{hosts} with {}", joined(&self.paths, ""))
        }
    }
}

/// What may be written, for messages.
pub(super) fn advice(allowed: &[Allowed]) -> String {
    if allowed.is_empty() {
        return "its namespace may use nothing: ask the operator for an entry in hostPolicy".into();
    }
    let all: Vec<String> = allowed.iter().map(ToString::to_string).collect();
    format!("its namespace may use {}", all.join("; "))
}

pub(super) fn joined<D: fmt::Display>(items: &[D], none: &str) -> String {
    if items.is_empty() {
        return none.to_owned();
    }
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
