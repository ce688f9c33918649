//! Renewal slots over the RPCs: booked ahead, let pass, moved with the capacity, and their tokens.

use lgpki_domain::{BodyCode, JstDate, slots::SlotToken};
use lgpki_ledger::serial::base64url_decode;
use lgpki_proto::{
    RemoteError,
    v1::{lifecycle_service_server::LifecycleService as _, slot_service_server::SlotService as _},
};
use ring::signature::{ED25519, UnparsedPublicKey};
use tonic::Code;

use super::*;
use crate::{
    ports::SlotStore as _,
    testing::{issued, issued_item, item},
};

fn booking(per_business_day: u32) -> SlotConfig {
    SlotConfig {
        per_business_day,
        ..SlotConfig::default()
    }
}

/// A service that books, its clock at noon of a day.
async fn world(day: &str, slots: SlotConfig) -> World {
    let left = Left {
        clock: ManualClock::new(at(&format!("{day}T12:00:00"))),
        issuer: FakeIssuer::new(),
        dir: tempfile::tempdir().unwrap(),
        slots,
    };
    let world = left.start().await;
    world.all_published().await;
    world
}

/// With so many certificates of the opening day, whose windows open on 2010-08-03, all booked.
async fn booked(count: u32) -> World {
    let world = world("2010-07-05", booking(10)).await;
    world.register((1..=count).map(issued_item).collect()).await;
    world.clock.set(at("2010-07-06T00:05:00"));
    for n in 1..=count {
        world.slot(n, |_| true).await;
    }
    world
}

impl World {
    /// The slot of a certificate, once it is one that is wanted.
    async fn slot(&self, n: u32, wanted: impl Fn(JstDate) -> bool) -> JstDate {
        self.eventually(|| async {
            let found = self.store.renewable(serial(n)).await.unwrap().unwrap();
            found.slot.filter(|day| wanted(*day))
        })
        .await
    }

    async fn info(&self, n: u32) -> Result<v1::RenewalInfo, RemoteError> {
        let request = v1::GetRenewalInfoRequest {
            serial: serial(n).to_string(),
            with_token: true,
            branch: String::new(),
        };
        let answer = self.handlers.get_renewal_info(from_intake(request)).await;
        let info = answer.map(|answer| answer.into_inner().info.unwrap());
        info.map_err(RemoteError::from)
    }

    async fn keys(&self) -> Vec<Vec<u8>> {
        let request = from_intake(v1::ListSlotKeysRequest {});
        let answer = self.handlers.list_slot_keys(request).await;
        answer.unwrap().into_inner().keys
    }

    async fn list(&self, request: v1::ListRenewalInfoRequest) -> v1::ListRenewalInfoResponse {
        let answer = self.handlers.list_renewal_info(from_intake(request)).await;
        answer.unwrap().into_inner()
    }
}

/// The claim of a token that one of these keys has signed.
fn verified(token: &str, keys: &[Vec<u8>]) -> Option<lgpki_domain::slots::SlotClaim> {
    let token = SlotToken::parse(&base64url_decode(token)?).ok()?;
    let message = token.claim.message();
    keys.iter()
        .any(|key| {
            let key = UnparsedPublicKey::new(&ED25519, key);
            key.verify(&message, &token.signature).is_ok()
        })
        .then_some(token.claim)
}

#[tokio::test]
async fn a_token_given_before_a_restart_verifies_after_it_and_slots_stay() {
    let world = booked(2).await;
    let before = world.info(1).await.unwrap();
    assert_eq!(before.window_opens, "2010-08-03");
    assert!(
        before.slot_opens.ends_with("T09:00:00.000+09:00"),
        "{before:?}"
    );
    assert!(
        before.slot_closes.starts_with(&before.slot_day),
        "{before:?}"
    );
    let left = world.stop().await;
    let world = left.start().await;
    let after = world.info(1).await.unwrap();
    assert_eq!(after.slot_day, before.slot_day);
    assert_ne!(after.token, before.token);
    let keys = world.keys().await;
    assert_eq!(keys.len(), 2);
    for token in [&before.token, &after.token] {
        let claim = verified(token, &keys).unwrap();
        assert_eq!(claim.serial, serial(1));
        assert_eq!(claim.branch, "01001".parse::<BodyCode>().unwrap());
        assert_eq!(claim.day.to_string(), before.slot_day);
    }
    assert_eq!(verified(&before.token, &keys[1..]), None);
    world.stop().await;
}

#[tokio::test]
async fn a_slot_that_is_let_pass_is_booked_anew_but_not_while_the_renewal_is_open() {
    let world = booked(2).await;
    let (first, second) = (world.slot(1, |_| true).await, world.slot(2, |_| true).await);
    // A branch makes one trip.
    assert_eq!(first, second);
    world.clock.set(first.start().plus_seconds(36_000));
    let order = v1::RenewalOrder {
        command_id: application(101).to_string(),
        serial: serial(2).to_string(),
        branch: "01001".to_owned(),
        applied_at: first.start().plus_seconds(36_000).to_string(),
        actor: "branch-officer/01001/41".to_owned(),
        answers_index: 7,
    };
    let request = v1::OpenRenewalsRequest {
        orders: vec![order],
    };
    let opened = world.handlers.open_renewals(from_intake(request)).await;
    assert_eq!(opened.unwrap().into_inner().results[0].refused, None);
    world
        .clock
        .set(first.plus_days(1).start().plus_seconds(300));
    let again = world.slot(1, |day| day != first).await;
    assert!(again > first.plus_days(1));
    let missed = world.info(1).await.unwrap();
    assert_eq!((missed.missed, missed.renewing), (1, false));
    let renewing = world.info(2).await.unwrap();
    assert_eq!((renewing.missed, renewing.renewing), (0, true));
    assert_eq!(renewing.slot_day, first.to_string());
    // Its day is over.
    assert_eq!(renewing.token, "");
    world.stop().await;
}

#[tokio::test]
async fn another_capacity_moves_what_does_not_fit_and_nothing_twice() {
    let world = booked(40).await;
    let mut before = Vec::new();
    for n in 1..=40 {
        before.push(world.slot(n, |_| true).await);
    }
    let mut left = world.stop().await;
    left.slots = booking(2);
    let world = left.start().await;
    let load = world
        .eventually(|| async {
            let load = world.store.slot_load().await.unwrap();
            load.values().all(|booked| *booked <= 2).then_some(load)
        })
        .await;
    assert_eq!(load.values().sum::<u32>(), 40);
    world
        .eventually(|| async {
            let capacity = world.store.slot_capacity().await.unwrap();
            (capacity == Some(2)).then_some(())
        })
        .await;
    // Held again, a round finds nothing to do.
    let size = *world.store.durable().borrow();
    let settings = Arc::clone(&world.handlers.app.slots.settings);
    let booker = Booker {
        store: world.store.clone(),
        clock: Arc::new(world.clock.clone()),
        settings,
        forecast: watch::channel(Forecast::default()).0,
    };
    booker.round(world.clock.now()).await.unwrap();
    assert_eq!(*world.store.durable().borrow(), size);
    world.stop().await;
}

#[tokio::test]
async fn what_cannot_be_renewed_has_no_slot_and_is_told_so() {
    let world = booked(3).await;
    let (day, unknown) = (world.slot(3, |_| true).await, world.info(9).await);
    let reason = |refused: Result<v1::RenewalInfo, RemoteError>| {
        let refused = refused.unwrap_err();
        (refused.code, refused.reason)
    };
    let not_found = (Code::NotFound, "CERTIFICATE_UNKNOWN".to_owned());
    assert_eq!(reason(unknown), not_found);
    let of_another = v1::GetRenewalInfoRequest {
        serial: serial(1).to_string(),
        with_token: true,
        branch: "01002".to_owned(),
    };
    let hidden = world
        .handlers
        .get_renewal_info(from_intake(of_another))
        .await;
    let hidden = RemoteError::from(hidden.unwrap_err());
    assert_eq!((hidden.code, hidden.reason), not_found);
    world.revoke(101, 3, RevocationReason::Superseded).await;
    let refused = reason(world.info(3).await);
    assert_eq!(
        refused,
        (Code::FailedPrecondition, "NOT_RENEWABLE".to_owned())
    );
    let load = world.store.slot_load().await.unwrap();
    assert_eq!(load.get(&day), Some(&2));
    world.stop().await;
}

#[tokio::test]
async fn lists_are_by_page_branch_and_day_and_the_load_counts_them() {
    let world = world("2010-07-05", booking(10)).await;
    let of = |n: u32, branch: &str| {
        let certificate = crate::ports::IssuedCertificate {
            branch: branch.parse().ok(),
            ..issued(n)
        };
        item(certificate, n)
    };
    let items = (1..=60).map(|n| of(n, if n % 2 == 0 { "01001" } else { "13001" }));
    world.register(items.collect()).await;
    world.clock.set(at("2010-07-06T00:05:00"));
    for n in 1..=60 {
        world.slot(n, |_| true).await;
    }
    let mut listed = Vec::new();
    let mut page_token = String::new();
    loop {
        let page = world.list(v1::ListRenewalInfoRequest {
            branch: "01001".to_owned(),
            page_size: 7,
            page_token,
            ..v1::ListRenewalInfoRequest::default()
        });
        let page = page.await;
        listed.extend(page.infos);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(listed.len(), 30);
    assert!(
        listed
            .iter()
            .all(|info| info.branch == "01001" && info.token.is_empty())
    );
    let day = listed[0].slot_day.clone();
    let of_day = world.list(v1::ListRenewalInfoRequest {
        slot_day: day.clone(),
        with_tokens: true,
        page_size: 1_000,
        ..v1::ListRenewalInfoRequest::default()
    });
    let of_day = of_day.await.infos;
    assert!(
        of_day
            .iter()
            .all(|info| info.slot_day == day && !info.token.is_empty())
    );
    let request = from_intake(v1::GetSlotLoadRequest::default());
    let load = world
        .handlers
        .get_slot_load(request)
        .await
        .unwrap()
        .into_inner();
    assert_eq!((load.booked, load.per_business_day), (60, 10));
    let loaded = load.days.iter().find(|one| one.day == day).unwrap();
    assert_eq!(loaded.booked as usize, of_day.len());
    let own = 90 * u64::from(loaded.booked);
    assert_eq!(loaded.load_hundredths, loaded.expected_hundredths + own);
    let far = v1::GetSlotLoadRequest {
        from: "2010-01-01".to_owned(),
        to: "2020-01-01".to_owned(),
    };
    let refused = world.handlers.get_slot_load(from_intake(far)).await;
    assert_eq!(
        RemoteError::from(refused.unwrap_err()).faults[0].field,
        "to"
    );
    world.stop().await;
}
