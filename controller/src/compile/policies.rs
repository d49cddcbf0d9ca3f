//! Policy layers: each value is taken from the most specific place that sets it, and remembers
//! that place.

use std::time::Duration;

use fairway_crds::{
    Hsts as WrittenHsts, Limits as WrittenLimits, MOST_SECONDS, Policy as Written,
    Timeouts as WrittenTimeouts, names,
};
use fairway_snapshot::{Hsts, Limits, Mode, PathMatch, Policy, Source, Sourced, Timeouts};

use super::{api_versions, headers};

/// A policy as somebody wrote it, and who.
pub(super) struct Layer<'a> {
    pub(super) source: Source,
    pub(super) policy: Option<&'a Written>,
    /// Where it stands, for messages; only objects have problems, the operator's settings were
    /// checked before.
    pub(super) field: String,
}

/// A limit: its name, what is written, and what it is merged into.
type Field<'a> = (&'static str, &'a Option<String>, &'a mut Sourced<Option<Duration>>);

/// Merges the layers, the stronger last. A value that cannot be read is told to `problem` with
/// its field, and leaves what the weaker layers say.
pub(super) fn merge(layers: &[Layer<'_>], mut problem: impl FnMut(String, String)) -> Policy {
    let limits = limits(layers, &mut problem);
    let hsts = hsts(layers, &mut problem);
    let mut timeouts = Timeouts::default();
    for layer in layers {
        let Some(written) = layer.policy.and_then(|policy| policy.timeouts.as_ref()) else {
            continue;
        };
        let WrittenTimeouts { response, request, attempt, connect, idle } = written;
        let fields: [Field<'_>; 5] = [
            ("response", response, &mut timeouts.response),
            ("request", request, &mut timeouts.request),
            ("attempt", attempt, &mut timeouts.attempt),
            ("connect", connect, &mut timeouts.connect),
            ("idle", idle, &mut timeouts.idle),
        ];
        for (name, written, merged) in fields {
            let Some(text) = written else { continue };
            match duration(text) {
                Ok(limit) => merged.layer(Some(limit), layer.source),
                Err(message) => problem(format!("{}.timeouts.{name}", layer.field), message),
            }
        }
    }
    // Mirrors are found where backends are: see lower/mirrors.rs.
    Policy { timeouts, limits, hsts, ..Policy::default() }
}

fn limits(layers: &[Layer<'_>], problem: &mut impl FnMut(String, String)) -> Limits {
    let mut limits = Limits::default();
    for layer in layers {
        let Some(written) = layer.policy.and_then(|policy| policy.limits.as_ref()) else {
            continue;
        };
        let WrittenLimits { body_bytes, mode: written_mode } = written;
        let bytes = body_bytes.map(|bytes| Some(bytes).filter(|bytes| *bytes > 0));
        limits.body_bytes.layer(bytes, layer.source);
        match written_mode.as_deref().map(mode) {
            None => {}
            Some(Ok(mode)) => limits.mode.layer(Some(mode), layer.source),
            Some(Err(message)) => problem(format!("{}.limits.mode", layer.field), message),
        }
    }
    limits
}

fn hsts(layers: &[Layer<'_>], problem: &mut impl FnMut(String, String)) -> Hsts {
    let mut hsts = Hsts::default();
    for layer in layers {
        let Some(written) = layer.policy.and_then(|policy| policy.hsts.as_ref()) else { continue };
        let WrittenHsts { max_age, include_sub_domains, preload } = *written;
        match max_age {
            Some(seconds) if seconds > MOST_SECONDS => {
                let message = format!("{seconds}: {}", names::SECONDS);
                problem(format!("{}.hsts.maxAge", layer.field), message);
            }
            seconds => hsts.max_age.layer(seconds.map(Some), layer.source),
        }
        hsts.include_sub_domains.layer(include_sub_domains, layer.source);
        hsts.preload.layer(preload, layer.source);
    }
    hsts
}

/// A mode by its name.
pub(super) fn mode(text: &str) -> Result<Mode, String> {
    match text {
        "Enforce" => Ok(Mode::Enforce),
        "Observe" => Ok(Mode::Observe),
        other => Err(format!("{other:?}: {}", names::MODE)),
    }
}

/// A duration in the notation of the Gateway API (GEP-2257): one to four numbers with a unit of
/// h, m, s or ms. Zero means no limit.
///
/// # Errors
///
/// What is wrong and what to write instead.
pub fn duration(text: &str) -> Result<Option<Duration>, String> {
    let malformed = || {
        format!(
            "{text:?} is not a duration: write a number and a unit of h, m, s or ms, for example 15s, 500ms or 1m30s; 0s for no limit"
        )
    };
    let mut rest = text;
    let mut total = Duration::ZERO;
    let mut parts = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(malformed)?;
        let (number, tail) = rest.split_at(digits);
        if number.is_empty() || number.len() > 5 {
            return Err(malformed());
        }
        let value: u64 = number.parse().map_err(|_| malformed())?;
        let units = [("ms", 1), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
        let (unit, scale) =
            units.into_iter().find(|(unit, _)| tail.starts_with(unit)).ok_or_else(malformed)?;
        total += Duration::from_millis(value * scale);
        rest = &tail[unit.len()..];
        parts += 1;
    }
    if parts == 0 || parts > 4 {
        return Err(malformed());
    }
    Ok((!total.is_zero()).then_some(total))
}

/// What is wrong with a policy that an operator wrote: field and problem of each mistake.
#[must_use]
pub fn policy_problems(policy: &Written) -> Vec<(String, String)> {
    let mut problems = Vec::new();
    let layer =
        Layer { source: Source::Installation, policy: Some(policy), field: "policy".to_owned() };
    let layers = [layer];
    merge(&layers, |field, problem| problems.push((field, problem)));
    // What an operator writes is for every path: it may use what all of them capture.
    let everything = PathMatch::everything();
    headers::filters(&layers, &everything, &mut |field, problem| problems.push((field, problem)));
    api_versions::merged(&layers, &mut |field, problem| problems.push((field, problem)));
    if policy.mirror.is_some() {
        problems.push(("policy.mirror".to_owned(), names::MIRROR_OF_ROUTES.to_owned()));
    }
    problems
}
