//! What a candidate does with each lease that it may find, and for how long a leader leads.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use tokio::time::{Instant, advance};

use super::election::{Election, Step};
use super::{DURATION, Leadership, RENEW_DEADLINE};

fn lease(holder: &str, version: &str) -> Lease {
    let mut lease = Lease::default();
    lease.metadata.resource_version = Some(version.to_owned());
    lease.spec = Some(LeaseSpec {
        holder_identity: Some(holder.to_owned()),
        lease_transitions: Some(4),
        // The clock of the other one is a century ahead.
        renew_time: Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime(
            "2126-01-01T00:00:00Z".parse().unwrap(),
        )),
        ..LeaseSpec::default()
    });
    lease
}

/// Holder, transitions and version of what a step writes, or who leads.
fn step(election: &mut Election, lease: Option<Lease>, now: Instant) -> String {
    let told = |word: &str, lease: Lease| {
        let spec = lease.spec.unwrap();
        let version = lease.metadata.resource_version.unwrap_or_default();
        let (holder, transitions) =
            (spec.holder_identity.unwrap(), spec.lease_transitions.unwrap());
        format!("{word} {holder} {transitions} {version}")
    };
    match election.step("fairway-fairway", lease, now, Timestamp::UNIX_EPOCH) {
        Step::Create(lease) => told("create", lease),
        Step::Update(lease) => told("update", lease),
        Step::Wait { leader } => format!("wait for {leader}"),
    }
}

#[test]
fn a_lease_is_taken_when_it_is_nobodys_and_renewed_when_it_is_ours() {
    let mut election = Election::new("us".to_owned());
    let now = Instant::now();
    assert_eq!(step(&mut election, None, now), "create us 0 ");
    assert_eq!(step(&mut election, Some(lease("us", "7")), now), "update us 4 7");
    assert_eq!(step(&mut election, Some(lease("", "7")), now), "update us 5 7");
    assert_eq!(step(&mut election, Some(lease("them", "7")), now), "wait for them");
}

#[test]
fn anothers_lease_is_taken_only_after_its_duration_without_a_change() {
    let mut election = Election::new("us".to_owned());
    let began = Instant::now();
    let at = |seconds: u64| began + Duration::from_secs(seconds);
    assert_eq!(step(&mut election, Some(lease("them", "7")), at(0)), "wait for them");
    assert_eq!(step(&mut election, Some(lease("them", "7")), at(14)), "wait for them");
    // Whatever its clock says, it was renewed.
    assert_eq!(step(&mut election, Some(lease("them", "8")), at(14)), "wait for them");
    assert_eq!(election.expires(), Some(at(29)));
    assert_eq!(step(&mut election, Some(lease("them", "8")), at(28)), "wait for them");
    assert_eq!(step(&mut election, Some(lease("them", "8")), at(29)), "update us 5 8");
    // Taking it may have failed; what is then seen counts from anew.
    assert_eq!(step(&mut election, Some(lease("others", "9")), at(29)), "wait for others");
    assert_eq!(step(&mut election, Some(lease("others", "9")), at(43)), "wait for others");
}

#[test]
fn only_our_own_lease_is_released() {
    let election = Election::new("us".to_owned());
    let released = election.released(lease("us", "7")).unwrap();
    assert_eq!(released.spec.unwrap().holder_identity.unwrap(), "");
    assert_eq!(released.metadata.resource_version.unwrap(), "7");
    assert_eq!(election.released(lease("them", "7")), None);
}

#[tokio::test(start_paused = true)]
async fn leadership_ends_by_itself_before_another_may_begin() {
    assert!(RENEW_DEADLINE < DURATION);
    let leads = Leadership::Until(Instant::now() + RENEW_DEADLINE);
    advance(RENEW_DEADLINE.checked_sub(Duration::from_millis(1)).unwrap()).await;
    assert!(leads.may_write());
    advance(Duration::from_millis(1)).await;
    assert!(!leads.may_write());
    leads.over().await;
    assert!(Leadership::Only.may_write());
    assert!(!Leadership::Follower.may_write());
}
