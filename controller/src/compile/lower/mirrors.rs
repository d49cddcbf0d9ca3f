//! The mirrors of an object, resolved as backends are. One that cannot be used is told, and the
//! rule serves all the same: what becomes of a copy never changes what a client gets.

use std::sync::Arc;

use fairway_crds::conditions::Reason;
use fairway_crds::{MAX_MIRRORS, Mirror as Written, RouteRule, names};
use fairway_snapshot::{Mirror, RuleId, Source, Sourced};

use super::Lowering;

impl Lowering<'_> {
    /// The mirrors of every rule that has no list of its own.
    pub(super) fn mirror_of_spec(&mut self) -> Sourced<Box<[Mirror]>> {
        let written = self.spec.policy.as_ref().and_then(|policy| policy.mirror.as_deref());
        let Some(written) = written else { return Sourced::default() };
        let value = self.mirrors(None, written, "spec.policy.mirror");
        Sourced { value, source: Source::Spec }
    }

    /// The mirrors of a rule: its own list, or that of the spec.
    pub(super) fn mirror(
        &mut self,
        id: &RuleId,
        written: &RouteRule,
        field: &str,
        of_spec: &Sourced<Box<[Mirror]>>,
    ) -> Sourced<Box<[Mirror]>> {
        let own = written.policy.as_ref().and_then(|policy| policy.mirror.as_deref());
        let field = format!("{field}.policy.mirror");
        let forwards = !written.backends.is_empty();
        match own {
            // Nothing is copied where nothing is sent.
            None if !forwards => Sourced::default(),
            None => of_spec.clone(),
            Some(_) if !forwards => {
                let message = names::MIRROR_OF_BACKENDS.to_owned();
                self.tell(Some(&id.name), field, Reason::InvalidRule, message);
                Sourced::default()
            }
            Some(own) => {
                let value = self.mirrors(Some(&id.name), own, &field);
                Sourced { value, source: Source::Rule }
            }
        }
    }

    /// A list, without the entries that make no sense.
    fn mirrors(
        &mut self,
        rule: Option<&Arc<str>>,
        written: &[Written],
        field: &str,
    ) -> Box<[Mirror]> {
        if written.len() > MAX_MIRRORS {
            let message = format!("{} are too many: {}", written.len(), names::MIRRORS);
            self.tell(rule, field.to_owned(), Reason::InvalidRule, message);
        }
        let mut mirrors = Vec::new();
        for (index, written) in written.iter().enumerate().take(MAX_MIRRORS) {
            let field = format!("{field}[{index}]");
            let share = share(written).map_err(|message| {
                self.tell(rule, format!("{field}.percent"), Reason::InvalidRule, message);
            });
            let resolved = self.resolved(rule, &written.backend(), &field);
            if let (Ok(backend), Ok(share)) = (resolved, share) {
                mirrors.push(Mirror::new(backend, share));
            }
        }
        mirrors.into()
    }
}

/// The share of a mirror, of [`Mirror::WHOLE`]. What is beyond four decimals is rounded.
fn share(written: &Written) -> Result<u32, String> {
    let Some(percent) = &written.percent else { return Ok(Mirror::WHOLE) };
    let wrong = || format!("{percent} is no share: {}", names::PERCENT);
    let value = percent.as_f64().ok_or_else(wrong)?;
    if value != 0.0 && !(0.0001..=100.0).contains(&value) {
        return Err(wrong());
    }
    let share = (value * f64::from(Mirror::WHOLE / 100)).round();
    // A whole number from 0 to WHOLE.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "see above")]
    Ok(share as u32)
}
