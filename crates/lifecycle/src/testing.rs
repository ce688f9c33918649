//! Fixtures: certificates as the feed tells of them, and an issuer that signs CRLs for real.

pub(crate) mod lists;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use lgpki_domain::{
    ApplicationId, Authority, AuthorityKey, CertificateKind, CrlNumber, CrlOptions, CrlScope,
    CrlSeries, Digest, JstDate, KeyAlgorithm, Names, RevocationReason, Serial, Subject, Timestamp,
    Validity,
};
use lgpki_keys::{Signer as _, SoftwareKey};
use lgpki_proto::RemoteError;
use lgpki_testkit::SeededRandom;
use lgpki_x509::{
    Addresses, Blueprint, CertificationRequest, Issuer as CaKey, Particulars, SubjectPublicKey,
    authority,
    lint::{lint_authority, lint_certificate, lint_crl},
    ocsp::responder_subject,
    tbs,
};
use tokio::sync::{Semaphore, mpsc, watch};
use tonic::Code;

pub(crate) use self::lists::{listed, listed_at};
use crate::ports::{
    AbandonedSerial, CrlList, CrlToSign, FeedBatch, FeedEvent, FeedItem, IssuedCertificate, Issuer,
    IssuerInfo, KnownKey, ResponderToCertify, RevocationOrder,
};

/// A time in Japan, such as `2008-02-04T09:15:00`.
pub(crate) fn at(text: &str) -> Timestamp {
    format!("{text}+09:00").parse().unwrap()
}

/// The series of a CA's first key's CRLs of all user certificates.
pub(crate) const fn series(authority: Authority) -> CrlSeries {
    CrlSeries {
        key: AuthorityKey::new(authority, 1),
        scope: CrlScope::User,
    }
}

/// The serial number of the `n`th certificate; they ascend.
pub(crate) fn serial(n: u32) -> Serial {
    let mut bytes = [0x41; 16];
    bytes[1..5].copy_from_slice(&n.to_be_bytes());
    Serial::from_bytes(&bytes).unwrap()
}

/// The number of the `n`th application.
pub(crate) fn application(n: u32) -> ApplicationId {
    ApplicationId::from_bytes((u128::from(n) + 1).to_be_bytes())
}

/// The `n`th certificate: a mail certificate of the branch 01001, first valid on `day`.
pub(crate) fn issued_on(n: u32, day: &str) -> IssuedCertificate {
    let names = |en: &str, ja: &str| Names::try_new("name", en, ja).unwrap();
    let validity = Validity::for_subscriber(day.parse().unwrap());
    IssuedCertificate {
        application: application(n),
        authority: Authority::Application,
        branch: "01001".parse().ok(),
        der: vec![0x30; 900],
        generation: 1,
        issued_at: validity.not_before().plus_seconds(40_000),
        key_digest: Digest([u8::try_from(n % 251).unwrap(); 32]),
        kind: CertificateKind::Mail,
        not_after: validity.not_after(),
        not_before: validity.not_before(),
        scope: CrlScope::User,
        serial: serial(n),
        subject: Subject {
            body: names("Hokkaido Body 1", "北海道第一団体"),
            unit: Some(names("General Affairs", "総務部")),
            name: names("Chief", "総務部長"),
        },
    }
}

/// The `n`th certificate of the opening day.
pub(crate) fn issued(n: u32) -> IssuedCertificate {
    issued_on(n, "2008-02-04")
}

/// The feed's word on it; its index in the issuer's log is ten times `n`.
pub(crate) fn item(issued: IssuedCertificate, n: u32) -> FeedItem {
    FeedItem {
        index: u64::from(n) * 10,
        event: FeedEvent::Issued(Box::new(issued)),
    }
}

/// The feed's word on the `n`th certificate of the opening day.
pub(crate) fn issued_item(n: u32) -> FeedItem {
    item(issued(n), n)
}

/// The feed's word on an attempt that was abandoned.
pub(crate) fn abandoned_item(n: u32) -> FeedItem {
    let of = issued(n);
    FeedItem {
        index: u64::from(n) * 10,
        event: FeedEvent::Abandoned(AbandonedSerial {
            abandoned_at: of.issued_at,
            application: of.application,
            authority: of.authority,
            generation: 1,
            not_after: of.not_after,
            scope: CrlScope::User,
            serial: of.serial,
        }),
    }
}

/// The order of the application `command` to revoke the `n`th certificate.
pub(crate) fn order(command: u32, n: u32, reason: RevocationReason) -> RevocationOrder {
    RevocationOrder {
        command: application(command),
        serial: serial(n),
        reason,
        branch: "01001".parse().ok(),
        actor: "branch-officer/01001/41".to_owned(),
        answers_index: u64::from(command),
    }
}

/// An issuer in this process: real keys, real signatures, the real lint, no log. Clones are the
/// same issuer.
#[derive(Clone)]
pub(crate) struct FakeIssuer(Arc<Inner>);

struct Inner {
    cas: Vec<Ca>,
    state: Mutex<State>,
    /// How many CRLs may be signed before the next one waits.
    turns: Semaphore,
    feed: watch::Sender<Vec<FeedItem>>,
}

struct Ca {
    key: SoftwareKey,
    x509: CaKey,
}

#[derive(Default)]
struct State {
    highest: HashMap<CrlSeries, u64>,
    signed: HashMap<(CrlList, u64), (Digest, Vec<u8>)>,
    /// thisUpdate of the newest complete CRL, with which its delta shares number and time.
    complete: HashMap<CrlSeries, (u64, Timestamp)>,
    refusals: Vec<Code>,
    lose_answers: usize,
    refuse_deltas: usize,
    hang_up: usize,
    lose_deltas: usize,
    away: bool,
    today: Option<JstDate>,
    responders: usize,
    given_up: usize,
    requests: Vec<ResponderToCertify>,
    asked: Vec<CrlList>,
}

impl FakeIssuer {
    /// Two CAs that opened with LGPKI.
    pub(crate) fn new() -> Self {
        Self::publishing(CrlOptions::default())
    }

    /// Two CAs that publish their revocations in this way.
    pub(crate) fn publishing(options: CrlOptions) -> Self {
        Self::opened_on("2008-02-04", options)
    }

    /// Two CAs that opened on this day.
    pub(crate) fn opened_on(day: &str, options: CrlOptions) -> Self {
        let random = SeededRandom::new(7);
        let ca = |authority| {
            let key = SoftwareKey::generate(KeyAlgorithm::P256).unwrap();
            let public = SubjectPublicKey::parse("key", key.public_key().der()).unwrap();
            let blueprint = authority::CaBlueprint {
                authority,
                public_key: &public,
                serial: Serial::draw(&random).unwrap(),
                validity: Validity::for_ca(day.parse().unwrap()),
            };
            let tbs = authority::build(&blueprint).unwrap();
            let linted = lint_authority(&blueprint, tbs).unwrap();
            let signature = key.sign(linted.tbs()).unwrap();
            let certificate = linted.into_certificate(&signature);
            let addresses = Addresses::at(&["http://crl.example".to_owned()], authority, 1);
            let x509 = CaKey::try_new(authority, 1, &certificate, addresses).unwrap();
            let x509 = x509.with_crl_options(options).unwrap();
            Ca { key, x509 }
        };
        Self(Arc::new(Inner {
            cas: Authority::ALL.map(ca).into(),
            state: Mutex::default(),
            turns: Semaphore::new(Semaphore::MAX_PERMITS),
            feed: watch::Sender::new(Vec::new()),
        }))
    }

    /// The CA's key and certificate.
    pub(crate) fn ca(&self, authority: Authority) -> &CaKey {
        &self
            .0
            .cas
            .iter()
            .find(|ca| ca.x509.authority() == authority)
            .unwrap()
            .x509
    }

    /// Adds to the feed.
    pub(crate) fn tell(&self, items: impl IntoIterator<Item = FeedItem>) {
        self.0.feed.send_modify(|feed| feed.extend(items));
    }

    /// Has nothing to tell any more.
    pub(crate) fn forget_feed(&self) {
        self.0.feed.send_replace(Vec::new());
    }

    /// Refuses the next calls for a signature.
    pub(crate) fn refuse(&self, codes: &[Code]) {
        self.state().refusals.extend(codes);
    }

    /// Refuses no longer.
    pub(crate) fn forgive(&self) {
        self.state().refusals.clear();
    }

    /// Whether it can be reached.
    pub(crate) fn set_away(&self, away: bool) {
        self.state().away = away;
    }

    /// Signs and records, but the next answers are lost on the way.
    pub(crate) fn lose_answers(&self, count: usize) {
        self.state().lose_answers = count;
    }

    /// Refuses the next deltas.
    pub(crate) fn refuse_deltas(&self, count: usize) {
        self.state().refuse_deltas = count;
    }

    /// Signs and records the next deltas, but the answers are lost on the way.
    pub(crate) fn lose_deltas(&self, count: usize) {
        self.state().lose_deltas = count;
    }

    /// The highest number signed.
    pub(crate) fn highest(&self, authority: Authority) -> u64 {
        self.highest_of(series(authority))
    }

    fn highest_of(&self, series: CrlSeries) -> u64 {
        self.state().highest.get(&series).copied().unwrap_or(0)
    }

    /// Has another one take the next number.
    pub(crate) fn take_a_number(&self, authority: Authority) {
        *self.state().highest.entry(series(authority)).or_default() += 1;
    }

    /// Certifies responders from this day on; from the opening day unless told otherwise.
    pub(crate) fn set_today(&self, today: JstDate) {
        self.state().today = Some(today);
    }

    /// How many responders were certified.
    pub(crate) fn responders(&self) -> usize {
        self.state().responders
    }

    /// Gives the next requests for a responder's certificate up; they stay given up.
    pub(crate) fn give_up(&self, count: usize) {
        self.state().given_up = count;
    }

    /// What was asked to be certified.
    pub(crate) fn requests(&self) -> Vec<ResponderToCertify> {
        self.state().requests.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A refusal.
pub(crate) fn refusal(code: Code) -> RemoteError {
    RemoteError::from(tonic::Status::new(code, "refused by the test"))
}

impl Issuer for FakeIssuer {
    async fn issuers(&self) -> Result<Vec<IssuerInfo>, RemoteError> {
        if self.state().away {
            return Err(refusal(Code::Unavailable));
        }
        let info = |ca: &Ca| IssuerInfo {
            authority: ca.x509.authority(),
            certificate: ca.x509.certificate().into(),
            generation: ca.x509.generation(),
            crl_urls: ca.x509.addresses().crl.clone(),
            crl_options: ca.x509.crl_options(),
            crl_numbers: ca
                .x509
                .crl_options()
                .scopes()
                .map(|scope| {
                    let key = series(ca.x509.authority()).key;
                    (scope, CrlNumber(self.highest_of(CrlSeries { key, scope })))
                })
                .collect(),
            unlinked: false,
            known: KnownKey::default(),
        };
        Ok(self.0.cas.iter().map(info).collect())
    }

    async fn sign_crl(&self, mut crl: CrlToSign) -> Result<Vec<u8>, RemoteError> {
        if self.state().hangs_up() {
            return Err(refusal(Code::Unavailable));
        }
        let Some((tbs, digest)) = lists::gather(&mut crl).await else {
            return Err(refusal(Code::InvalidArgument));
        };
        let ca = self
            .0
            .cas
            .iter()
            .find(|ca| ca.x509.authority() == crl.series.key.authority)
            .unwrap();
        let number = crl.number.0;
        let list = CrlList {
            series: crl.series,
            delta: crl.base.is_some(),
        };
        self.state().asked.push(list);
        self.0.turns.acquire().await.unwrap().forget();
        let mut state = self.state();
        if let Some(code) = state.refusals.pop() {
            return Err(refusal(code));
        }
        if list.delta && state.refuse_deltas > 0 {
            state.refuse_deltas -= 1;
            return Err(refusal(Code::Unavailable));
        }
        if let Some((before, signature)) = state.signed.get(&(list, number)) {
            return if *before == digest {
                Ok(signature.clone())
            } else {
                Err(refusal(Code::Aborted))
            };
        }
        let linted = lint_crl(&ca.x509, &tbs).unwrap();
        let summary = linted.summary();
        assert_eq!((summary.number, summary.base), (crl.number, crl.base));
        let together =
            list.delta && state.complete.get(&crl.series) == Some(&(number, summary.this_update));
        let highest = state.highest.entry(crl.series).or_default();
        if number != *highest + 1 && !(together && number == *highest) {
            return Err(refusal(Code::Aborted));
        }
        *highest = number;
        if !list.delta {
            let at = (number, summary.this_update);
            state.complete.insert(crl.series, at);
        }
        let signature = ca.key.sign(&tbs).unwrap();
        let signed = (digest, signature.clone());
        state.signed.insert((list, number), signed);
        if list.delta && state.lose_deltas > 0 {
            state.lose_deltas -= 1;
            return Err(refusal(Code::Unavailable));
        }
        if state.lose_answers > 0 {
            state.lose_answers -= 1;
            return Err(refusal(Code::Unavailable));
        }
        Ok(signature)
    }

    async fn certify_responder(
        &self,
        responder: ResponderToCertify,
    ) -> Result<Vec<u8>, RemoteError> {
        let mut state = self.state();
        if state.away {
            return Err(refusal(Code::Unavailable));
        }
        state.requests.push(responder.clone());
        if state.given_up > 0 {
            state.given_up -= 1;
            return Err(refusal(Code::Aborted));
        }
        let wanted = |ca: &&Ca| ca.x509.authority() == responder.authority;
        let ca = self.0.cas.iter().find(wanted).unwrap();
        let csr = CertificationRequest::parse("csr", &responder.csr).unwrap();
        let subject = responder_subject(responder.authority).unwrap();
        let particulars = Particulars::OcspResponder;
        csr.check_names("csr", &subject, &particulars).unwrap();
        let opening = || "2008-02-04".parse().unwrap();
        let today = state.today.unwrap_or_else(opening);
        state.responders += 1;
        let blueprint = Blueprint {
            subject: &subject,
            particulars: &particulars,
            public_key: csr.public_key(),
            serial: serial(u32::MAX - u32::try_from(state.responders).unwrap()),
            validity: Validity::for_responder(today, ca.x509.validity()).unwrap(),
        };
        let built = tbs::build(&ca.x509, &blueprint).unwrap();
        let linted = lint_certificate(&ca.x509, &blueprint, built).unwrap();
        let signature = ca.key.sign(linted.tbs()).unwrap();
        Ok(linted.into_certificate(&signature))
    }

    async fn follow(&self, from: u64, into: mpsc::Sender<FeedBatch>) -> Result<(), RemoteError> {
        if self.state().away {
            return Err(refusal(Code::Unavailable));
        }
        let mut feed = self.0.feed.subscribe();
        let mut next = from;
        loop {
            let items: Vec<_> = feed
                .borrow_and_update()
                .iter()
                .filter(|i| i.index >= next)
                .cloned()
                .collect();
            next = items.last().map_or(next, |item| item.index + 5);
            if into.send(FeedBatch { items, next }).await.is_err() {
                return Ok(());
            }
            tokio::select! {
                _ = feed.changed() => {}
                () = into.closed() => return Ok(()),
            }
        }
    }
}
