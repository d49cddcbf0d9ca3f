//! Events about certificates that end, also when nothing changes in the cluster: a renewal that does
//! not happen is no change.

use std::collections::BTreeMap;
use std::time::Duration;

use fairway_snapshot::ObjectId;
use jiff::Timestamp;
use tokio::time::Instant;

use super::super::happenings::{Happening, Kind};
use super::StatusWriter;
use crate::compile::CertificateEnd;

const DAY: i64 = 24 * 60 * 60;
/// When an end is spoken of, in seconds before it, the last first.
const STAGES: [i64; 4] = [0, DAY, 7 * DAY, 30 * DAY];
/// The clock may be set: it is looked at this often whatever it said.
const AGAIN: Duration = Duration::from_secs(60 * 60);
const EXPIRES: &str = "CertificateExpires";
const EXPIRED: &str = "CertificateExpired";

/// What was said of the end of certificates.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// For each object the end that was spoken of, and at which stage.
    said: BTreeMap<ObjectId, (i64, i64)>,
    /// When to look again; at once where none is set.
    at: Option<Instant>,
}

impl Ends {
    /// Objects have other certificates than before.
    pub(super) fn changed(&mut self) {
        self.at = None;
    }

    /// What is news of these certificates, and how many seconds it takes until there is more.
    fn look<'o>(
        &mut self,
        ends: impl Iterator<Item = (&'o ObjectId, &'o CertificateEnd)>,
        now: i64,
    ) -> (Vec<(ObjectId, Happening)>, Option<i64>) {
        let mut before = std::mem::take(&mut self.said);
        let (mut news, mut next) = (Vec::new(), None);
        for (id, end) in ends {
            let left = end.not_after.saturating_sub(now);
            // The next stage is the largest that has not come.
            let coming = STAGES.into_iter().rev().find(|stage| left > *stage);
            if let Some(stage) = coming {
                let wait = left - stage;
                next = Some(next.map_or(wait, |known: i64| known.min(wait)));
            }
            let Some(stage) = STAGES.into_iter().find(|stage| left <= *stage) else { continue };
            let said = (end.not_after, stage);
            if before.remove(id) != Some(said) {
                news.push((id.clone(), happening(end, stage, left)));
            }
            self.said.insert(id.clone(), said);
        }
        (news, next)
    }
}

fn happening(end: &CertificateEnd, stage: i64, left: i64) -> Happening {
    let CertificateEnd { secret, not_after } = end;
    let when =
        Timestamp::from_second(*not_after).map_or_else(|_| String::new(), |at| at.to_string());
    let (reason, message) = if stage == 0 {
        let message = format!(
            "the certificate of Secret {secret} ended at {when}, and clients refuse it: renew it"
        );
        (EXPIRED, message)
    } else {
        let days = left.saturating_add(DAY - 1) / DAY;
        let days = if days == 1 { "a day".to_owned() } else { format!("{days} days") };
        let message = format!(
            "the certificate of Secret {secret} ends at {when}, within {days}: renew it, or look why whoever renews it does not"
        );
        (EXPIRES, message)
    };
    Happening { kind: Kind::Warning, reason: reason.to_owned(), message }
}

impl StatusWriter {
    /// Tells of certificates that end; says when to look again.
    pub(super) fn tell_ends(&mut self, now: Instant) -> Instant {
        if let Some(at) = self.ends.at.filter(|at| *at > now) {
            return at;
        }
        let ends = self.tracked.iter();
        let ends =
            ends.filter_map(|(id, tracked)| Some((id, tracked.status.certificate.as_ref()?)));
        let (news, next) = self.ends.look(ends, Timestamp::now().as_second());
        for (id, happening) in news {
            let uid = self.observed.get(&id).and_then(|known| known.uid);
            self.teller.tell(&id, uid.as_deref(), vec![happening]);
        }
        // A stage has come when its second is over.
        let next = next.and_then(|seconds| u64::try_from(seconds.saturating_add(1)).ok());
        let wait = next.map_or(AGAIN, |seconds| Duration::from_secs(seconds).min(AGAIN));
        let at = now + wait;
        self.ends.at = Some(at);
        at
    }
}

#[cfg(test)]
mod tests {
    use fairway_snapshot::ObjectId;

    use super::{DAY, Ends};
    use crate::compile::CertificateEnd;

    /// What is said at these times of an object whose certificate ends then, and the wait after it.
    fn said(ends: &mut Ends, now: i64, not_after: i64) -> (Vec<String>, Option<i64>) {
        let id = ObjectId::new("market", "api");
        let end = CertificateEnd { secret: ObjectId::new("market", "tls"), not_after };
        let (news, next) = ends.look([(&id, &end)].into_iter(), now);
        (news.into_iter().map(|(_, said)| said.reason + ": " + &said.message).collect(), next)
    }

    #[test]
    fn each_stage_is_told_once_and_waited_for() {
        let mut ends = Ends::default();
        let end = 100 * DAY;
        for (now, told, next) in [
            (60 * DAY, None, Some(10 * DAY)),
            (70 * DAY, Some("within 30 days"), Some(23 * DAY)),
            (70 * DAY + 1, None, Some(23 * DAY - 1)),
            (93 * DAY, Some("within 7 days"), Some(6 * DAY)),
            (99 * DAY, Some("within a day"), Some(DAY)),
            (100 * DAY - 1, None, Some(1)),
            (
                100 * DAY,
                Some(
                    "CertificateExpired: the certificate of Secret market/tls ended at 1970-04-11T00:00:00Z, and clients refuse it: renew it",
                ),
                None,
            ),
            (200 * DAY, None, None),
        ] {
            let (said, wait) = said(&mut ends, now, end);
            assert_eq!(wait, next, "{now}");
            assert_eq!(said.len(), usize::from(told.is_some()), "{now}: {said:?}");
            assert!(said.iter().all(|one| one.contains(told.unwrap_or_default())), "{said:?}");
        }
    }

    #[test]
    fn a_renewed_certificate_begins_anew_and_one_that_is_gone_is_forgotten() {
        let mut ends = Ends::default();
        assert_eq!(said(&mut ends, 0, DAY).0.len(), 1);
        assert_eq!(said(&mut ends, 0, 90 * DAY).0.len(), 0);
        assert_eq!(said(&mut ends, 0, DAY).0.len(), 1);
        assert!(ends.look(std::iter::empty(), 0).0.is_empty());
        assert_eq!(said(&mut ends, 0, DAY).0.len(), 1);
        // Who came late hears of the stage that it is in.
        let (told, next) = said(&mut Ends::default(), 0, 5 * DAY);
        assert!(told[0].contains("within 5 days"), "{told:?}");
        assert_eq!(next, Some(4 * DAY));
    }
}
