//! Slot tokens at the door: whether an application comes in the slot that lifecycle booked for it.
//!
//! The keys that verify tokens are lifecycle's and are kept by name; it is asked for them when a token names one
//! that is not known, once a second at most. A slot lets in a few applications, for a repetition must not be
//! turned away, and no more; and of a login certificate that brings forged tokens only a few are verified in a day, for
//! whoever is turned away should cost little. All of it is memory: after a restart the keys are asked for again.

use std::collections::HashMap;

use lgpki_domain::{
    BodyCode, JstDate, Serial, Timestamp,
    slots::{SlotKeyId, SlotRefused, SlotToken},
};
use lgpki_proto::v1;
use lgpki_x509::key::sha256;
use parking_lot::Mutex;
use ring::signature::{ED25519, UnparsedPublicKey};

use crate::peers::{Peers, within_deadline};

/// Milliseconds between two questions for the keys.
const BETWEEN: i64 = 1_000;
/// Applications that one slot lets in unmetered.
const MOST_USES: u8 = 3;

/// Signatures of tokens that one login certificate brought and that were found bad on one day. Of those that it brings
/// after that none is looked at, not even a good one, until the next day.
const MOST_BAD: u8 = 20;

/// A token as an application brought it, or why it is none.
pub type Brought = Result<SlotToken, SlotRefused>;

/// What became of a token.
pub type SlotUse = Result<(), SlotRefused>;

/// Who brings a token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bearer {
    /// The login certificate.
    pub(crate) caller: Option<Serial>,
    /// The branch.
    pub(crate) branch: Option<BodyCode>,
}

/// Knows keys and uses.
#[derive(Debug, Default)]
pub struct Slots {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    keys: HashMap<SlotKeyId, [u8; 32]>,
    asked_at: Option<Timestamp>,
    /// What happened on one day.
    day: Option<(JstDate, Day)>,
}

#[derive(Debug, Default)]
struct Day {
    /// Who came in their slots: certificates to be renewed.
    came: HashMap<Serial, u8>,
    /// Who brought bad signatures: login certificates.
    bad: HashMap<Serial, u8>,
}

impl Slots {
    /// Asks lifecycle for its keys if one of these tokens names one that is not known.
    pub(crate) async fn learn(
        &self,
        brought: impl Iterator<Item = &Brought>,
        peers: &Peers,
        now: Timestamp,
    ) {
        {
            let mut inner = self.inner.lock();
            let mut tokens = brought.flatten();
            let unknown = tokens.any(|token| !inner.keys.contains_key(&token.key));
            let recently = inner
                .asked_at
                .is_some_and(|at| at <= now && now < at.plus_millis(BETWEEN));
            if !unknown || recently {
                return;
            }
            inner.asked_at = Some(now);
        }
        let asked = within_deadline(v1::ListSlotKeysRequest {});
        match peers.lifecycle().list_slot_keys(asked).await {
            Ok(answer) => self.know(&answer.into_inner().keys),
            Err(status) => {
                tracing::info!(code = ?status.code(), "lifecycle does not tell the keys of slot tokens now");
            }
        }
    }

    fn know(&self, keys: &[Vec<u8>]) {
        let named = keys.iter().filter_map(|key| {
            let key = <[u8; 32]>::try_from(key.as_slice()).ok()?;
            Some((SlotKeyId::of(sha256(&key)), key))
        });
        self.inner.lock().keys = named.collect();
    }

    /// Whether a token lets this branch renew this certificate now. What costs little is looked at first.
    pub(crate) fn check(
        &self,
        brought: &Brought,
        serial: Serial,
        bearer: Bearer,
        now: Timestamp,
    ) -> SlotUse {
        let token = brought.as_ref().map_err(|refused| *refused)?;
        token.claim.admits(serial, bearer.branch, now)?;
        let key = {
            let inner = self.inner.lock();
            // Whoever sends a used one again and again costs no look at its signature.
            if inner.is_used_up(serial, token.claim.day) {
                return Err(SlotRefused::Used);
            }
            // Nor does whoever forges.
            if inner.is_distrusted(bearer, token.claim.day) {
                return Err(SlotRefused::Unchecked);
            }
            inner.keys.get(&token.key).copied()
        };
        let key = UnparsedPublicKey::new(&ED25519, key.ok_or(SlotRefused::Unchecked)?);
        let message = token.claim.message();
        if key.verify(&message, &token.signature).is_err() {
            self.inner.lock().distrust(bearer, token.claim.day);
            return Err(SlotRefused::Invalid);
        }
        self.inner.lock().count(serial, token.claim.day)
    }

    /// Takes back the count of a token that was good and still let nobody in.
    pub(crate) fn give_back(&self, serial: Serial) {
        if let Some((_, day)) = &mut self.inner.lock().day
            && let Some(count) = day.came.get_mut(&serial)
        {
            *count = count.saturating_sub(1);
        }
    }
}

impl Inner {
    fn is_used_up(&self, serial: Serial, day: JstDate) -> bool {
        let count = self.on(day).and_then(|today| today.came.get(&serial));
        count.is_some_and(|count| *count >= MOST_USES)
    }

    fn is_distrusted(&self, bearer: Bearer, day: JstDate) -> bool {
        let today = self.on(day);
        let count = bearer.caller.and_then(|caller| today?.bad.get(&caller));
        count.is_some_and(|count| *count >= MOST_BAD)
    }

    fn distrust(&mut self, bearer: Bearer, day: JstDate) {
        if let Some(caller) = bearer.caller {
            let count = self.on_mut(day).bad.entry(caller).or_default();
            *count = count.saturating_add(1);
        }
    }

    fn count(&mut self, serial: Serial, day: JstDate) -> SlotUse {
        let count = self.on_mut(day).came.entry(serial).or_default();
        // Two at the same moment may both have found it unused.
        if *count >= MOST_USES {
            return Err(SlotRefused::Used);
        }
        *count += 1;
        Ok(())
    }

    /// What happened on this day.
    fn on(&self, day: JstDate) -> Option<&Day> {
        let (of, today) = self.day.as_ref()?;
        (*of == day).then_some(today)
    }

    /// The same, forgetting another day.
    fn on_mut(&mut self, day: JstDate) -> &mut Day {
        if self.day.as_ref().is_some_and(|(of, _)| *of != day) {
            self.day = None;
        }
        &mut self.day.get_or_insert_with(|| (day, Day::default())).1
    }
}

#[cfg(test)]
mod tests {
    use lgpki_domain::slots::SlotClaim;
    use ring::signature::{Ed25519KeyPair, KeyPair as _};

    use super::*;

    fn pair(seed: u8) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
    }

    fn public(seed: u8) -> Vec<u8> {
        pair(seed).public_key().as_ref().to_vec()
    }

    fn serial(n: u8) -> Serial {
        Serial::from_bytes(&[n; 16]).unwrap()
    }

    fn branch() -> BodyCode {
        "01001".parse().unwrap()
    }

    /// Somebody of the branch, with this login certificate.
    fn bearer(n: u8) -> Bearer {
        Bearer {
            caller: Some(serial(n)),
            branch: Some(branch()),
        }
    }

    fn token(seed: u8, n: u8) -> SlotToken {
        let day: JstDate = "2010-11-04".parse().unwrap();
        let claim = SlotClaim {
            serial: serial(n),
            branch: branch(),
            day,
            until: day.last_second(),
        };
        let signature = pair(seed).sign(&claim.message());
        SlotToken {
            key: SlotKeyId::of(sha256(&public(seed))),
            claim,
            signature: signature.as_ref().try_into().unwrap(),
        }
    }

    #[test]
    fn a_token_counts_on_its_day_for_its_certificate_and_under_a_key_of_lifecycles() {
        let slots = Slots::default();
        slots.know(&[public(1), public(2), vec![1, 2, 3]]);
        let noon: Timestamp = "2010-11-04T12:00:00+09:00".parse().unwrap();
        let check = |token: Brought, n, now| slots.check(&token, serial(n), bearer(0x61), now);
        assert_eq!(check(Ok(token(1, 0x41)), 0x41, noon), Ok(()));
        assert_eq!(check(Ok(token(2, 0x42)), 0x42, noon), Ok(()));
        let unknown = check(Ok(token(3, 0x41)), 0x41, noon);
        assert_eq!(unknown, Err(SlotRefused::Unchecked));
        let other = check(Ok(token(1, 0x41)), 0x42, noon);
        assert_eq!(other, Err(SlotRefused::OfAnother));
        let late = check(Ok(token(1, 0x41)), 0x41, noon.plus_seconds(86_400));
        let day = token(1, 0x41).claim.day;
        assert_eq!(late, Err(SlotRefused::NotToday(day)));
        // Under another's name, and with another day put in.
        let forged = SlotToken {
            key: token(2, 0x41).key,
            ..token(1, 0x41)
        };
        assert_eq!(check(Ok(forged), 0x41, noon), Err(SlotRefused::Invalid));
        let mut moved = token(1, 0x41);
        moved.claim.day = day.plus_days(1);
        moved.claim.until = day.plus_days(1).last_second();
        let tomorrow = noon.plus_seconds(86_400);
        assert_eq!(check(Ok(moved), 0x41, tomorrow), Err(SlotRefused::Invalid));
        let none = check(Err(SlotRefused::Malformed), 0x41, noon);
        assert_eq!(none, Err(SlotRefused::Malformed));
    }

    #[test]
    fn a_slot_lets_in_a_repetition_but_not_a_flood() {
        let slots = Slots::default();
        slots.know(&[public(1)]);
        let noon: Timestamp = "2010-11-04T12:00:00+09:00".parse().unwrap();
        let check = |n| slots.check(&Ok(token(1, n)), serial(n), bearer(0x61), noon);
        for _ in 0..MOST_USES {
            assert_eq!(check(0x41), Ok(()));
        }
        assert_eq!(check(0x41), Err(SlotRefused::Used));
        assert_eq!(check(0x42), Ok(()));
        slots.give_back(serial(0x41));
        assert_eq!(check(0x41), Ok(()));
        assert_eq!(check(0x41), Err(SlotRefused::Used));
    }

    #[test]
    fn whoever_forges_is_soon_not_looked_at_any_more_until_the_next_day_and_nobody_else_feels_it() {
        let slots = Slots::default();
        slots.know(&[public(1), public(2)]);
        let noon: Timestamp = "2010-11-04T12:00:00+09:00".parse().unwrap();
        let forged = SlotToken {
            key: token(2, 0x41).key,
            ..token(1, 0x41)
        };
        let forged = Ok(forged);
        let check = |token: &Brought, by, at| slots.check(token, serial(0x41), bearer(by), at);
        for _ in 0..MOST_BAD {
            assert_eq!(check(&forged, 0x67, noon), Err(SlotRefused::Invalid));
        }
        assert_eq!(check(&forged, 0x67, noon), Err(SlotRefused::Unchecked));
        // A good one shows that no signature is verified for this login, while others' are.
        let good = Ok(token(1, 0x41));
        assert_eq!(check(&good, 0x67, noon), Err(SlotRefused::Unchecked));
        assert_eq!(check(&forged, 0x68, noon), Err(SlotRefused::Invalid));
        assert_eq!(check(&good, 0x68, noon), Ok(()));
        let mut later = token(1, 0x41);
        later.claim.day = later.claim.day.plus_days(1);
        later.claim.until = later.claim.day.last_second();
        let signature = pair(1).sign(&later.claim.message());
        later.signature = signature.as_ref().try_into().unwrap();
        assert_eq!(check(&Ok(later), 0x67, noon.plus_seconds(86_400)), Ok(()));
    }
}
