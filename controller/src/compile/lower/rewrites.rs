//! What of a rule depends on what its matches capture, and the host that its backends see.

use fairway_crds::RouteRule;
use fairway_crds::conditions::Reason;
use fairway_snapshot::{Filter, PathTemplate, RuleId};
use http::HeaderValue;

use super::super::answers;
use super::super::matches::ParsedMatch;
use super::{Lowering, Made};

impl Lowering<'_> {
    /// What of a rule depends on one match, or why that answers 500. A template is resolved against
    /// the captures of its pattern.
    pub(super) fn made(
        &mut self,
        id: &RuleId,
        written: &RouteRule,
        field: &str,
        parsed: &ParsedMatch<'_>,
        host: &Result<Option<Filter>, String>,
    ) -> Result<Made, String> {
        let rewrite = written.rewrite.as_ref().and_then(|rewrite| rewrite.path.as_ref());
        let redirect = written.redirect.as_ref().and_then(|redirect| redirect.path.as_ref());
        let path = self.template(id, rewrite, format!("{field}.rewrite.path"), parsed);
        let location = self.template(id, redirect, format!("{field}.redirect.path"), parsed);
        if let Some(problem) = &parsed.problem {
            return Err(problem.clone());
        }
        let path = path?.map(Filter::RewritePath);
        let filters = path.into_iter().chain(host.clone()?).collect();
        Ok(Made { filters, location: location? })
    }

    /// A template for the captures of a match.
    fn template(
        &mut self,
        id: &RuleId,
        text: Option<&String>,
        field: String,
        parsed: &ParsedMatch<'_>,
    ) -> Result<Option<PathTemplate>, String> {
        let Some(text) = text else { return Ok(None) };
        PathTemplate::parse(text, &parsed.path).map(Some).map_err(|error| {
            let message = error.to_string();
            self.tell(Some(&id.name), field, Reason::InvalidRule, message.clone());
            message
        })
    }

    /// The Host that backends see, or why the rule answers 500.
    pub(super) fn rewritten_host(
        &mut self,
        id: &RuleId,
        written: &RouteRule,
        field: &str,
    ) -> Result<Option<Filter>, String> {
        let Some(rewrite) = &written.rewrite else { return Ok(None) };
        let (field, read) = if written.backends.is_empty() {
            let message = fairway_crds::names::REWRITE_OF_BACKENDS.to_owned();
            (format!("{field}.rewrite"), Err(message))
        } else {
            let Some(host) = &rewrite.host else { return Ok(None) };
            let read = answers::one_host(host)
                .and_then(|host| HeaderValue::from_str(&host).map_err(|error| error.to_string()));
            (format!("{field}.rewrite.host"), read)
        };
        read.map(|host| Some(Filter::RewriteHost(host))).inspect_err(|message| {
            self.tell(Some(&id.name), field, Reason::InvalidRule, message.clone());
        })
    }
}
