//! A question as people and scripts write it.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde::{Deserialize, Serialize};

use super::{OutcomeView, Question, WhyView, why};
use crate::answer::split;
use crate::table::preflight;
use crate::{ListenerName, Protocol, Redaction, RouteTable, Scheme, Snapshot};

/// Which request is asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WhyRequest {
    /// The method.
    pub method: String,
    /// `http://api.example.com/e/fin/x?y=1`, or the path alone for a request to no special host.
    pub url: String,
    /// Header fields as `name: value`. A `host` among them wins over that of the URL.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<String>,
    /// The listener. Default: the one with the port of the URL, or the first that speaks what the URL
    /// says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener: Option<String>,
    /// The rule that should win: `namespace/name` or `namespace/name/rule`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<String>,
}

impl WhyRequest {
    /// Answers it, without repeating what is secret.
    ///
    /// # Errors
    ///
    /// What cannot be read, with what to write instead.
    pub fn answer(&self, snapshot: &Snapshot, redaction: &Redaction) -> Result<WhyView, String> {
        self.put(snapshot, |question| {
            let listener = question.listener;
            why(snapshot, question, redaction)
                .ok_or_else(|| format!("there is no listener {listener}"))
        })?
    }

    /// Whether method, URL and headers can be read.
    #[must_use]
    pub fn can_be_read(&self) -> bool {
        let headers = self.headers.iter().all(|line| header(line).is_ok());
        self.method.parse::<Method>().is_ok() && parts(&self.url).is_ok() && headers
    }

    /// Reads it as a question to a snapshot, and puts it.
    ///
    /// # Errors
    ///
    /// As of [`Self::answer`].
    pub(crate) fn put<R>(
        &self,
        snapshot: &Snapshot,
        put: impl FnOnce(&Question<'_>) -> R,
    ) -> Result<R, String> {
        let method: Method = self.method.parse().map_err(|_| {
            format!("{:?} is not a method: write one word, for example GET", self.method)
        })?;
        let (authority, path, query) = parts(&self.url)?;
        let mut headers = HeaderMap::new();
        for line in &self.headers {
            let (name, value) = header(line)?;
            headers.append(name, value);
        }
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok().map(str::to_owned));
        let authority = host.unwrap_or_else(|| authority.to_owned());
        let secured = self.url.starts_with("https://");
        let listener = listener(snapshot, self.listener.as_deref(), &authority, secured)?;
        let speaks = snapshot.listeners.get(&listener).map(|listener| listener.protocol);
        // To a listener without TLS a client may come by HTTPS through somebody who ends it.
        let https = secured || speaks == Some(Protocol::Https);
        let asked_for = preflight(&method, &headers);
        Ok(put(&Question {
            listener: &listener,
            scheme: if https { Scheme::Https } else { Scheme::Http },
            method: &method,
            authority: &authority,
            path,
            query,
            headers: &headers,
            preflight: asked_for.as_ref(),
            expect: self.expect.as_deref(),
        }))
    }
}

/// A snapshot of which much is asked: its tables are built once.
#[derive(Debug)]
pub struct Asking<'s> {
    pub(crate) snapshot: Cow<'s, Snapshot>,
    pub(crate) tables: RouteTable<()>,
}

impl<'s> Asking<'s> {
    /// For this snapshot.
    #[must_use]
    pub fn of(snapshot: Cow<'s, Snapshot>) -> Self {
        let tables = RouteTable::build(&snapshot, None, |_| ());
        Self { snapshot, tables }
    }

    /// The listener that a request comes to, and what becomes of it there.
    ///
    /// # Errors
    ///
    /// What of the request cannot be read, with what to write instead.
    pub fn outcome(&self, request: &WhyRequest) -> Result<(ListenerName, OutcomeView), String> {
        request.put(&self.snapshot, |question| {
            let table = self.tables.listener(question.listener);
            let outcome = table.map(|table| question.outcome(table)).unwrap_or_default();
            (question.listener.clone(), outcome)
        })
    }
}

/// Authority, path and query of a URL. A fragment is never sent.
fn parts(url: &str) -> Result<(&str, &str, Option<&str>), String> {
    let wrong = || {
        // It may be one for the user and the password in it.
        let told = Redaction::default().redact_url(url);
        format!(
            "{told:?} is not a URL: write http://api.example.com/e/fin/x, or the path alone: /e/fin/x"
        )
    };
    let url_alone = url.split('#').next().unwrap_or_default();
    let (authority, target) = if url_alone.starts_with('/') {
        ("", url_alone)
    } else {
        let behind = url_alone.strip_prefix("http://");
        let behind = behind.or_else(|| url_alone.strip_prefix("https://")).ok_or_else(wrong)?;
        let end = behind.find(['/', '?']).unwrap_or(behind.len());
        behind.split_at(end)
    };
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    if url_alone.contains([' ', '\t']) || authority.contains('@') {
        return Err(wrong());
    }
    Ok((authority, if path.is_empty() { "/" } else { path }, query))
}

fn header(line: &str) -> Result<(HeaderName, HeaderValue), String> {
    let wrong = || {
        // The name alone: what stands behind it may be a credential.
        let name = line.split_once(':').or_else(|| line.split_once([' ', '=']));
        let name = name.map_or(line, |(name, _)| name);
        format!("{name:?} is not a header: write 'x-api-version: v2'")
    };
    let (name, value) = line.split_once(':').ok_or_else(wrong)?;
    let name = name.trim().parse().map_err(|_| wrong())?;
    Ok((name, value.trim().parse().map_err(|_| wrong())?))
}

/// The listener that is named; else the one with the port of the authority, else the first, of those
/// with HTTPS where a URL says that and there are any.
fn listener(
    snapshot: &Snapshot,
    named: Option<&str>,
    authority: &str,
    secured: bool,
) -> Result<ListenerName, String> {
    let all = || snapshot.listeners.keys();
    if let Some(named) = named {
        let known = all().find(|name| name.as_str() == named).cloned();
        return known.ok_or_else(|| {
            let names = all().map(ListenerName::as_str).collect::<Vec<_>>().join(", ");
            format!("there is no listener {named:?}: write one of {names}")
        });
    }
    let (_, port) = split(authority);
    let bound = snapshot.listeners.iter().find(|(_, listener)| Some(listener.bind.port()) == port);
    let https = snapshot.listeners.iter();
    let https = https.filter(|(_, listener)| secured && listener.protocol == Protocol::Https);
    let chosen = bound.or_else(|| https.into_iter().next()).map(|(name, _)| name);
    let chosen = chosen.or_else(|| all().next());
    chosen.cloned().ok_or_else(|| "there is no listener".to_owned())
}
