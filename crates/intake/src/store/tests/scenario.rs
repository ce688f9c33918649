//! A long random life of a store, and a picture of all that it knows.

use lgpki_domain::{ApplicationId, Limits, RevocationReason};
use lgpki_testkit::SeededRandom;

use super::fixtures::{
    approver, at, begin, code, command, id, issue, issued, manual, officer, revoke, unit, with,
};
use crate::{
    error::StoreError,
    ports::{
        Act, Application, Content, DirectoryChange, Filter, IntakeStore, Lane, LimitsInForce,
        NewApplication, Settled, Settlement,
    },
};

/// All that can be read from a store.
#[derive(Debug, PartialEq)]
pub(super) struct Picture {
    applications: Vec<Application>,
    certificates: Vec<Option<(Vec<u8>, u64)>>,
    counts: Vec<(&'static str, u64)>,
    unconfirmed: Vec<ApplicationId>,
    bodies: Vec<lgpki_domain::directory::Body>,
    units: usize,
    accounts: usize,
    limits: LimitsInForce,
}

impl Picture {
    /// Fails where `other` differs, naming the difference only.
    pub(super) fn assert_same(&self, other: &Self) {
        for (one, its_like) in self.applications.iter().zip(&other.applications) {
            let brief = |a: &Application| (a.id, a.log_index, a.state.clone());
            assert_eq!(brief(one), brief(its_like));
            assert!(one == its_like, "the content of {} differs", one.id);
        }
        assert_eq!(self.counts, other.counts);
        assert_eq!(self.unconfirmed, other.unconfirmed);
        assert_eq!((self.units, self.accounts), (other.units, other.accounts));
        assert!(self == other, "another difference");
    }
}

/// Everything in `store`, checked for what must always hold.
pub(super) async fn picture(store: &impl IntakeStore) -> Picture {
    let listed = store.list(Filter::default(), None, 10_000).await.unwrap();
    let mut applications = Vec::new();
    for one in &listed {
        let whole = store.application(one.id).await.unwrap().unwrap();
        let by_request = store.by_request(whole.branch, whole.request_id.clone());
        assert_eq!(by_request.await.unwrap().as_ref(), Some(&whole));
        applications.push(whole);
    }
    let ids: Vec<_> = listed.iter().map(|one| one.id).collect();
    let certificates = store.certificates(ids.clone()).await.unwrap();
    let counts = store.counts().await.unwrap();
    for (state, count) in &counts {
        let there = applications.iter().filter(|one| one.state.name() == *state);
        assert_eq!(there.count() as u64, *count, "{state}");
    }
    for (one, certificate) in applications.iter().zip(&certificates) {
        let issued = matches!(one.state.name(), "issued" | "delivered");
        assert_eq!(certificate.is_some(), issued, "{}", one.state.name());
    }
    no_two_open_for_one_subject(&applications);
    let (units, accounts) = store.entries(code("01001")).await.unwrap();
    Picture {
        applications,
        certificates: certificates
            .into_iter()
            .map(|c| c.map(|c| (c.certificate, c.issuer_index)))
            .collect(),
        counts,
        unconfirmed: store.unconfirmed(at(1_000_000), 10_000).await.unwrap(),
        bodies: store.bodies(None, None, 10_000).await.unwrap(),
        limits: store.limits().await.unwrap(),
        units: units.len(),
        accounts: accounts.len(),
    }
}

fn no_two_open_for_one_subject(applications: &[Application]) {
    let mut open = std::collections::HashSet::new();
    for one in applications.iter().filter(|one| one.state.is_open()) {
        let taken = match &one.content {
            Content::Issue(content) => format!("{:?}", content.subject),
            Content::Revoke { serial, reason, .. } => format!("{serial} {}", reason.is_urgent()),
        };
        assert!(
            open.insert(taken.clone()),
            "two open applications for {taken}"
        );
    }
}

/// The `n`th application of the life: now and then with another's key or subject.
fn application(random: &SeededRandom, n: u16) -> NewApplication {
    let other = u16::try_from(random.below(u64::from(n) + 1)).unwrap();
    let Content::Issue(others) = issue(other).content else {
        unreachable!()
    };
    let small = u8::try_from(random.below(20)).unwrap();
    match random.below(10) {
        0 => with(issue(n), |c| c.key_digest = others.key_digest),
        1 => with(issue(n), |c| c.subject = others.subject),
        2 | 3 => manual(n, 1),
        4 => manual(n, 2),
        5 => revoke(n, small, RevocationReason::Superseded),
        6 => NewApplication {
            // The same request id may come again from a branch, as another application.
            id: id(20_000 + n),
            branch: None,
            ..revoke(n, small, RevocationReason::KeyCompromise)
        },
        7 => issue(other),
        _ => issue(n),
    }
}

fn any_act(random: &SeededRandom) -> Act {
    // Two of the four cards are one person's.
    let card = u8::try_from(random.below(4)).unwrap();
    let operator = approver(card, card / 2);
    match random.below(8) {
        0 => Act::Reject {
            reason: "書類が足りません".to_owned(),
        },
        1 => Act::Withdraw,
        2 => Act::PresumeDelivery,
        3 | 4 => Act::ConfirmDelivery,
        _ => Act::Approve { operator },
    }
}

fn answer(random: &SeededRandom, application: &Application, attempt: u32) -> Settled {
    let bytes = application.id.to_bytes();
    match (random.below(8), application.sort.yields_certificate()) {
        (0, true) => Settled::Abandoned { attempt },
        (1, _) => Settled::Failed {
            reason: "KEY_CERTIFIED_BEFORE".to_owned(),
        },
        (_, true) => issued(bytes[15]),
        (_, false) => Settled::Completed,
    }
}

/// Lives for `steps` random steps from the `from`th application on; ends early if the store fails.
pub(super) async fn live(
    store: &impl IntakeStore,
    random: &SeededRandom,
    from: u16,
    steps: u16,
) -> Result<(), StoreError> {
    for step in 0..steps {
        let n = from + step * 4;
        let now = at(10_000 + i64::from(n));
        let of = |n: u64| id(u16::try_from(n).unwrap());
        match random.below(8) {
            0..=2 => {
                let batch = (n..n + 4).map(|n| application(random, n)).collect();
                store.accept(batch).await?;
            }
            3 | 4 => {
                let any = |_| command(of(random.below(u64::from(n) + 1)), any_act(random));
                store.act((0..6).map(any).collect()).await?;
            }
            5 => {
                let unit = unit("01001", &format!("Unit {n}"), &format!("{n}課"));
                let change = vec![DirectoryChange::RegisterOrganization(unit)];
                let done = store.change_directory(code("01001"), change, officer("01001"), now);
                done.await?.ok();
            }
            _ => {
                let most = usize::try_from(random.below(6)).unwrap();
                let mut settlements = Vec::new();
                let mut released = Vec::new();
                let lane = match random.below(3) {
                    0 => Lane::Revocations,
                    _ => Lane::Certificates,
                };
                for one in store.claim(lane, most, now).await? {
                    let id = one.application.id;
                    match random.below(6) {
                        0 => released.push(id),
                        1 => {}
                        _ => settlements.push(Settlement {
                            id,
                            outcome: answer(random, &one.application, one.attempt),
                            at: now,
                        }),
                    }
                }
                store.settle(settlements).await?;
                store.release(released).await?;
            }
        }
    }
    Ok(())
}

/// Begins a life.
pub(super) async fn born(store: &impl IntakeStore) {
    begin(store).await;
    let limits = Limits {
        queue: 77,
        ..Limits::default()
    };
    let changed = store.change_limits(limits, 0, officer("01001"), at(1));
    changed.await.unwrap().unwrap();
}
