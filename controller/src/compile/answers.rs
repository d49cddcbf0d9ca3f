//! What a rule answers itself: user text, parsed once.

use std::num::NonZeroU16;
use std::sync::Arc;

use fairway_crds::{Redirect as WrittenRedirect, Respond as WrittenRespond, names};
use fairway_snapshot::{HostPattern, Redirect, Respond, Scheme};
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue};

use super::headers::OURS;

/// What an answer is sent with where a redirect says nothing.
const FOUND: u16 = 302;
/// The statuses that send a client elsewhere.
const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

/// Reads a redirect, all but its path, which each match resolves. What is wrong is told to `problem`
/// with the field below that of the redirect.
pub(super) fn redirect(
    written: &WrittenRedirect,
    mut problem: impl FnMut(&str, String),
) -> Option<Redirect> {
    let WrittenRedirect { scheme, host, port, path, status } = written;
    let mut good = true;
    let mut wrong = |field: &str, message: String| {
        good = false;
        problem(field, message);
    };
    if scheme.is_none() && host.is_none() && port.is_none() && path.is_none() {
        wrong("", names::REDIRECT_CHANGES.to_owned());
    }
    let scheme = scheme.as_deref().and_then(|text| match text {
        "http" => Some(Scheme::Http),
        "https" => Some(Scheme::Https),
        other => {
            wrong(".scheme", format!("{other:?} is no scheme of ours: write http or https"));
            None
        }
    });
    let host = host.as_deref().and_then(|text| match one_host(text) {
        Ok(host) => Some(host),
        Err(message) => {
            wrong(".host", message);
            None
        }
    });
    let port = port.and_then(|number| {
        let port = NonZeroU16::new(number);
        if port.is_none() {
            wrong(".port", "0 is not a port: write a number from 1 to 65535".to_owned());
        }
        port
    });
    let status = status.unwrap_or(FOUND);
    if !REDIRECTS.contains(&status) {
        let message = format!("{status} sends nobody elsewhere: write 301, 302, 303, 307 or 308");
        wrong(".status", message);
    }
    good.then_some(Redirect { status, scheme, host, port, path: None })
}

/// Reads a fixed answer.
pub(super) fn respond(
    written: &WrittenRespond,
    mut problem: impl FnMut(&str, String),
) -> Option<Respond> {
    let mut good = true;
    let mut wrong = |field: &str, message: String| {
        good = false;
        problem(field, message);
    };
    let status = written.status.unwrap_or(200);
    if !(200..600).contains(&status) {
        wrong(".status", format!("{status} ends no request: write a status from 200 to 599"));
    }
    let body: Arc<str> = written.body.as_deref().unwrap_or_default().into();
    if matches!(status, 204 | 205 | 304) && !body.is_empty() {
        wrong(".body", format!("an answer {status} has no body: remove it, or write status: 200"));
    }
    let mut headers = Vec::with_capacity(written.headers.len() + 1);
    for (name, value) in &written.headers {
        let field = format!(".headers.{name}");
        let parsed = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value));
        match parsed {
            (Ok(name), _) if OURS.contains(&name) => {
                wrong(&field, format!("{name} is set by the gateway: remove it"));
            }
            (Ok(name), Ok(value)) => headers.push((name, value)),
            (Err(_), _) => wrong(&field, format!("{name:?}: {}", names::HEADER_NAME)),
            (Ok(_), Err(_)) => {
                let message = format!(
                    "{value:?} is no value of a header: write visible characters on one line"
                );
                wrong(&field, message);
            }
        }
    }
    if !body.is_empty() && headers.iter().all(|(name, _)| *name != CONTENT_TYPE) {
        headers.push((CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")));
    }
    good.then_some(Respond { status, headers, body })
}

/// One host: a name, not a pattern.
pub(super) fn one_host(text: &str) -> Result<Arc<str>, String> {
    match text.parse::<HostPattern>() {
        Ok(HostPattern::Exact(host)) => Ok(host),
        Ok(HostPattern::Wildcard(_) | HostPattern::Any) => {
            Err(format!("{text:?}: {}", names::ONE_HOST))
        }
        Err(error) => Err(error.to_string()),
    }
}
