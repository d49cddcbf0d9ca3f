//! `fairway why`: which rule takes a request, and why no other does.

#[cfg(test)]
mod tests;

use std::fmt::Write;

use comfy_table::{ContentArrangement, Table, presets};
use fairway_controller::Compilation;
use fairway_snapshot::ObjectId;
use fairway_snapshot::dump::{BackendView, EndpointsView, MirrorView, limit};
use fairway_snapshot::why::{CandidateView, OutcomeView, Verdict, WhyRequest, WhyView};

use super::control_runtime;
use super::routes::{conditions, methods};
use super::source::{admin_url, compiled, told};
use crate::args::{Output, WhyArgs};
use crate::output;
use crate::settings::Settings;

pub(crate) fn main(args: &WhyArgs) -> anyhow::Result<u8> {
    let settings = Settings::load(&args.settings)?;
    let request = WhyRequest {
        method: args.method.clone(),
        url: args.url.clone(),
        headers: args.header.clone(),
        listener: args.on.clone(),
        expect: args.expect.clone(),
    };
    let view = control_runtime()?.block_on(answer(args, &settings, &request))?;
    if args.output == Output::Json {
        output::json(&view)?;
    } else {
        output::line(&text(&view, args.output == Output::Wide));
    }
    Ok(u8::from(view.expected.is_some_and(|expected| !expected.wins)))
}

async fn answer(
    args: &WhyArgs,
    settings: &Settings,
    request: &WhyRequest,
) -> anyhow::Result<WhyView> {
    if let Some(from) = &args.from {
        let url = admin_url(from, "why").map_err(anyhow::Error::msg)?;
        return told(reqwest::Client::new().post(url).json(request), settings).await;
    }
    let compiled = compiled(settings).await?;
    let mut view = request
        .answer(&compiled.snapshot, &settings.config.redaction)
        .map_err(anyhow::Error::msg)?;
    view.tests = tests(&view, &compiled);
    Ok(view)
}

/// What became of the tests of the object whose rule takes the request.
fn tests(view: &WhyView, compiled: &Compilation) -> Option<String> {
    let mut names = view.outcome.rule.as_ref()?.split('/');
    let id = ObjectId::new(names.next()?, names.next()?);
    let verdict = compiled.statuses.get(&id)?.tests_passed.as_ref()?;
    Some(verdict.message.to_string())
}

/// The answer for people.
fn text(view: &WhyView, wide: bool) -> String {
    let asked = &view.asked;
    let query = asked.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
    let host = if asked.host.is_empty() { "no host" } else { &asked.host };
    let mut text =
        format!("{} {}{query}, {host}, listener {}\n", asked.method, asked.path, asked.listener);
    for (name, value) in facts(&view.outcome) {
        let _ = writeln!(text, "  {name:<9} {value}");
    }
    if let Some(tests) = &view.tests {
        for line in tests.lines() {
            let _ = writeln!(text, "  {:<9} {line}", "tests");
        }
    }
    if view.candidates.is_empty() {
        // Where the path is refused no rule is looked for.
        if view.outcome.status == Some(404) {
            text.push_str("\nNo rule of any host that fits knows this path.");
        }
    } else {
        text.push_str("\nThe rules that know the path, the strongest first:\n");
        text.push_str(&candidates(&view.candidates, wide));
    }
    if let Some(expected) = &view.expected {
        let reason = if expected.wins { "it wins" } else { &expected.reason };
        let _ = write!(text, "\n\n{}: {reason}", expected.rule);
    }
    text
}

/// What becomes of the request, as names and values.
fn facts(outcome: &OutcomeView) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(rule) = &outcome.rule {
        facts.push(("rule", rule.clone()));
    }
    if let Some(status) = outcome.status {
        let message = outcome.message.as_ref().map(|message| format!(": {message}"));
        facts.push(("answers", format!("{status}{}", message.unwrap_or_default())));
    }
    let optional = [
        ("allow", &outcome.allow),
        ("location", &outcome.location),
        ("sends", &outcome.path),
        ("host", &outcome.host),
    ];
    for (name, value) in optional {
        facts.extend(value.clone().map(|value| (name, value)));
    }
    facts.extend(outcome.version.clone().map(|version| ("version", version)));
    for edit in &outcome.edits {
        facts.push(("changes", edit.clone()));
    }
    if let Some(most) = outcome.body_bytes {
        facts.push(("takes", format!("bodies of at most {most} bytes")));
    }
    for backend in &outcome.backends {
        facts.push(("backend", told_backend(backend)));
    }
    for mirror in &outcome.mirrors {
        facts.push(("mirror", told_mirror(mirror)));
    }
    if let Some(timeouts) = outcome.timeouts.as_ref().filter(|_| outcome.path.is_some()) {
        let all = [
            ("response", &timeouts.response),
            ("request", &timeouts.request),
            ("attempt", &timeouts.attempt),
            ("connect", &timeouts.connect),
            ("idle", &timeouts.idle),
        ];
        let all = all.map(|(name, value)| format!("{name} {}", limit(value)));
        facts.push(("timeouts", all.join(", ")));
    }
    facts
}

fn told_backend(backend: &BackendView) -> String {
    let mut text = format!("{} weight {}", backend.reference, backend.weight);
    if let Some(reason) = &backend.invalid {
        let _ = write!(text, ", answered 500: {reason}");
    }
    text + &place(backend.upstream.as_ref(), backend.endpoints.as_ref())
}

fn told_mirror(mirror: &MirrorView) -> String {
    let mut text = format!(
        "{} gets copies of {} ({})",
        mirror.reference,
        mirror.percent,
        mirror.source.as_str()
    );
    if let Some(reason) = &mirror.invalid {
        let _ = write!(text, ", not sent: {reason}");
    }
    text + &place(mirror.upstream.as_ref(), mirror.endpoints.as_ref())
}

/// Where a backend or a mirror is.
fn place(upstream: Option<&String>, endpoints: Option<&EndpointsView>) -> String {
    let mut text = String::new();
    if let Some(upstream) = upstream {
        let _ = write!(text, ", {upstream}");
    }
    if let Some(known) = endpoints {
        let addresses: Vec<String> = known.addresses.iter().map(ToString::to_string).collect();
        let _ = write!(text, ", {} {}", known.state, addresses.join(" "));
    }
    text
}

fn candidates(candidates: &[CandidateView], wide: bool) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    let conditional = candidates.iter().any(|candidate| !conditions(&candidate.route).is_empty());
    let mut header = vec!["", "RULE", "HOST", "PATH", "METHODS"];
    header.extend(conditional.then_some("CONDITIONS"));
    header.extend(wide.then_some("MATCH"));
    header.push("WHY");
    table.set_header(header);
    for candidate in candidates {
        let (sign, word) = match candidate.verdict {
            Verdict::Wins => ("=>", "wins"),
            Verdict::Loses => ("", "loses"),
            Verdict::Fails => ("", "no"),
            Verdict::NotAsked => ("", "not asked"),
        };
        let why = if candidate.reason.is_empty() {
            word.to_owned()
        } else {
            let between = if candidate.verdict == Verdict::Wins { " " } else { ": " };
            format!("{word}{between}{}", candidate.reason)
        };
        let route = &candidate.route;
        let mut row = vec![
            sign.to_owned(),
            candidate.rule.clone(),
            route.host.clone(),
            route.path.clone(),
            methods(route),
        ];
        row.extend(conditional.then(|| conditions(route)));
        row.extend(wide.then(|| candidate.match_index.to_string()));
        row.push(why);
        table.add_row(row);
    }
    table.trim_fmt()
}
