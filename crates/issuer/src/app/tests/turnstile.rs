//! What the signing step lets through, and what it refuses before any key is used.

use std::{sync::Arc, time::Duration};

use lgpki_domain::{Authority, CertificateKind, ErrorClass};
use lgpki_ledger::{Evidence, WitnessKey};
use lgpki_store::{Carried, Carrier, Options, Post, Publishing, WitnessLimits, Witnessing};
use lgpki_testkit::{log_identity, log_identity_with};

use super::{crl::sign_first, support::*};
use crate::{
    app::{
        Answer, App, Order,
        order::{Draft, draft},
    },
    error::IssuerError,
    ports::{Epoch, Intend, IntentOutcome, IssuerStore as _},
    store::LogStore,
    turnstile::{Turnstile, Unproven},
};

fn drafted(app: &App<LogStore>, n: u8) -> Draft {
    let wanted = order(n, CertificateKind::OfficialDuty).wanted.unwrap();
    let ca = wanted.kind.authority().and_then(|a| app.ca(a));
    let random = app.ports.randomness.as_ref();
    draft(wanted, ca, opening_day(), random).unwrap()
}

/// Records the intents of all of these in one frame.
async fn intended(app: &App<LogStore>, drafts: &[&Draft]) -> Vec<Evidence> {
    let intend = |(n, draft): (u8, &&Draft)| Intend {
        application: order(n, CertificateKind::OfficialDuty).application,
        attempt: 1,
        content_digest: order(n, CertificateKind::OfficialDuty).content_digest,
        stamp: app.stamp("intake"),
        proposal: Ok(draft.proposal()),
    };
    let batch = (50..).zip(drafts).map(intend).collect();
    let outcomes = app.store.intend(app.epoch, batch).await.unwrap();
    let evidence = |outcome| match outcome {
        IntentOutcome::Intended {
            evidence: Some(evidence),
            ..
        } => *evidence,
        other => panic!("not intended: {other:?}"),
    };
    outcomes.into_iter().map(evidence).collect()
}

fn redeem(turnstile: &Turnstile, draft: &Draft, evidence: &Evidence) -> Result<(), Unproven> {
    turnstile.certificate(&draft.linted, evidence).map(drop)
}

#[tokio::test]
async fn an_intent_lets_its_own_certificate_through_once_and_no_other() {
    let fixture = Fixture::new().await;
    let app = fixture.app.as_ref();
    let (a, b) = (drafted(app, 1), drafted(app, 2));
    let shown = intended(app, &[&a, &b]).await;
    let turnstile = app.turnstile.as_ref();
    assert_eq!(redeem(turnstile, &b, &shown[0]), Err(Unproven::Intent));
    assert_eq!(redeem(turnstile, &a, &shown[1]), Err(Unproven::Intent));
    // What was refused is not used up.
    assert_eq!(redeem(turnstile, &a, &shown[0]), Ok(()));
    assert_eq!(redeem(turnstile, &a, &shown[0]), Err(Unproven::Redeemed));
    assert_eq!(redeem(turnstile, &b, &shown[1]), Ok(()));
    assert_eq!(redeem(turnstile, &b, &shown[1]), Err(Unproven::Redeemed));
}

#[tokio::test]
async fn an_intent_that_is_not_in_the_log_opens_nothing() {
    let fixture = Fixture::new().await;
    let app = fixture.app.as_ref();
    let draft = drafted(app, 1);
    let shown = intended(app, &[&draft]).await.remove(0);
    let turnstile = app.turnstile.as_ref();
    // An entry that was never recorded, though it says the right thing.
    let mut forged = shown.clone();
    let text = String::from_utf8(forged.entry.clone()).unwrap();
    forged.entry = text.replace("issuer-1", "issuer-2").into_bytes();
    assert_ne!(forged, shown);
    assert_eq!(redeem(turnstile, &draft, &forged), Err(Unproven::Path));
    let mut elsewhere = shown.clone();
    elsewhere.leaf -= 1;
    assert_eq!(redeem(turnstile, &draft, &elsewhere), Err(Unproven::Path));
    let mut cut = shown.clone();
    cut.path.pop();
    assert_eq!(redeem(turnstile, &draft, &cut), Err(Unproven::Path));
    assert_eq!(redeem(turnstile, &draft, &shown), Ok(()));
}

#[tokio::test]
async fn a_head_that_the_logs_key_did_not_sign_opens_nothing() {
    let fixture = Fixture::new().await;
    let app = fixture.app.as_ref();
    let draft = drafted(app, 1);
    let shown = intended(app, &[&draft]).await.remove(0);
    for stranger in [log_identity_with("issuer-1", 8), log_identity("intake-1")] {
        let turnstile = Turnstile::new(stranger, app.epoch);
        assert_eq!(redeem(&turnstile, &draft, &shown), Err(Unproven::Head));
    }
    let turnstile = app.turnstile.as_ref();
    let mut changed = shown.clone();
    changed.head.size += 1;
    assert_eq!(redeem(turnstile, &draft, &changed), Err(Unproven::Head));
    let mut changed = shown.clone();
    changed.head.signature[0] ^= 1;
    assert_eq!(redeem(turnstile, &draft, &changed), Err(Unproven::Head));
    assert_eq!(redeem(turnstile, &draft, &shown), Ok(()));
}

#[tokio::test]
async fn an_older_process_intents_are_not_redeemed_by_the_next() {
    let fixture = Fixture::new().await;
    let app = fixture.app.as_ref();
    let draft = drafted(app, 1);
    let shown = intended(app, &[&draft]).await.remove(0);
    let next = Turnstile::new(log_identity("issuer-1"), Epoch(app.epoch.0 + 1));
    assert_eq!(redeem(&next, &draft, &shown), Err(Unproven::Epoch));
}

#[tokio::test]
async fn what_was_forgotten_of_the_redeemed_stays_redeemed() {
    let fixture = Fixture::new().await;
    let app = fixture.app.as_ref();
    let drafts: Vec<_> = (1..=5).map(|n| drafted(app, n)).collect();
    let shown = intended(app, &drafts.iter().collect::<Vec<_>>()).await;
    let turnstile = Turnstile::remembering(log_identity("issuer-1"), app.epoch, 2);
    for (draft, evidence) in drafts.iter().zip(&shown).skip(1) {
        assert_eq!(redeem(&turnstile, draft, evidence), Ok(()));
    }
    // The first was never redeemed, but lies before all that is remembered.
    for (draft, evidence) in drafts.iter().zip(&shown) {
        assert_eq!(redeem(&turnstile, draft, evidence), Err(Unproven::Redeemed));
    }
}

#[tokio::test]
async fn a_key_whose_intent_is_not_proved_is_not_used_and_the_intent_is_closed() {
    let mut fixture = Fixture::new().await;
    let gate = fixture.hold_signing(Authority::Organization);
    gate.open();
    let stranger = log_identity_with("issuer-1", 8);
    let app = Arc::get_mut(&mut fixture.app).unwrap();
    let own = std::mem::replace(
        &mut app.turnstile,
        Arc::new(Turnstile::new(stranger, app.epoch)),
    );
    let begin = fixture.log_size();
    let wanted = || vec![order(9, CertificateKind::OfficialDuty)];
    let answers = fixture.issue(wanted()).await;
    assert_eq!(answers, [Answer::Abandoned { attempt: 1 }]);
    let kinds = ["certificate.intent", "certificate.abandoned"];
    assert_eq!((fixture.kinds(begin), gate.uses()), (kinds.into(), 0));
    let refused = sign_first(&fixture).await;
    assert!(matches!(
        refused,
        Err(IssuerError::Unproven(Unproven::Head))
    ));
    assert_eq!(gate.uses(), 0);
    Arc::get_mut(&mut fixture.app).unwrap().turnstile = own;
    let again = Order {
        attempt: 2,
        ..order(9, CertificateKind::OfficialDuty)
    };
    certificate(&fixture.issue(vec![again]).await[0]);
    assert_eq!(gate.uses(), 1);
}

#[tokio::test]
async fn while_publication_is_late_certificates_wait_and_crls_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let publishing = Publishing {
        every: Duration::from_millis(1),
        limit: Duration::ZERO,
        ..Publishing::default()
    };
    let options = Options {
        publish: Some(publishing),
        ..Options::new(log_identity("issuer-1"))
    };
    let (store, _) = LogStore::open_embedded(dir.path(), options).unwrap();
    let in_the_way = dir.path().join("audit");
    std::fs::write(&in_the_way, "").unwrap();
    let fixture = Fixture::on(store, dir).await;
    let late = || fixture.store.hold();
    eventually(|| late().is_some()).await;
    let wanted = || vec![order(9, CertificateKind::OfficialDuty)];
    let begin = fixture.log_size();
    let refused = fixture.app.issue(wanted(), "intake".to_owned()).await;
    let refused = refused.unwrap_err();
    assert!(matches!(refused, IssuerError::PublicationLate(_)));
    assert_eq!(refused.class(), ErrorClass::Unavailable);
    assert_eq!(refused.reason(), "PUBLICATION_LATE");
    assert_eq!(fixture.log_size(), begin, "nothing was intended");
    sign_first(&fixture).await.unwrap();
    std::fs::remove_file(&in_the_way).unwrap();
    eventually(|| late().is_none()).await;
    // Each record is late for a moment, as there is no time allowed.
    let issued = loop {
        if let Ok(answers) = fixture.app.issue(wanted(), "intake".to_owned()).await {
            break answers;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    };
    certificate(&issued[0]);
    fixture.store.close().await;
}

/// Looks again until it holds.
/// Witnesses that nobody reaches.
#[derive(Debug)]
struct Nobody;

impl Carrier for Nobody {
    fn carry(&self, posts: Vec<Post>) -> Vec<Result<Carried, String>> {
        posts.iter().map(|_| Err("away".to_owned())).collect()
    }
}

#[tokio::test]
async fn once_witnesses_lag_past_the_limit_certificates_wait_and_crls_go_on() {
    let issued = async |stop: Option<Duration>| {
        let dir = tempfile::tempdir().unwrap();
        let limits = WitnessLimits {
            lag: Duration::ZERO,
            stop,
        };
        let key = WitnessKey::new("w.example".parse().unwrap(), [1; 32]);
        let witnesses = Witnessing::try_new(vec![key], 1, limits, Arc::new(Nobody)).unwrap();
        let publishing = Publishing {
            witnesses: Some(Arc::new(witnesses)),
            ..Publishing::default()
        };
        let options = Options {
            publish: Some(publishing),
            ..Options::new(log_identity("issuer-1"))
        };
        let (store, _) = LogStore::open_embedded(dir.path(), options).unwrap();
        let fixture = Fixture::on(store, dir).await;
        sign_first(&fixture).await.unwrap();
        let wanted = vec![order(9, CertificateKind::OfficialDuty)];
        fixture.app.issue(wanted, "intake".to_owned()).await
    };
    let refused = issued(Some(Duration::ZERO)).await.unwrap_err();
    assert_eq!(refused.class(), ErrorClass::Unavailable);
    assert_eq!(refused.reason(), "WITNESSES_LATE");
    // Without such a limit it is told, and nothing waits.
    certificate(&issued(None).await.unwrap()[0]);
}

async fn eventually(holds: impl Fn() -> bool) {
    let patience = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_mins(1), patience).await;
    waited.expect("it holds at last");
}
