//! Bodies, callers and applications for tests.

use lgpki_domain::{
    ApplicationId, BodyCode, Caller, CertificateKind, Digest, KeyAlgorithm, KeyMedium, Names,
    OfficerRole, Randomness, RevocationReason, Role, Serial, Subject, Timestamp,
    application::{Approver, Sort},
    directory::{Body, Branch, Organization},
    examination::BranchExamination,
};

use crate::ports::{
    Acceptance, Act, ActRefused, Application, Claimed, Command, Content, Filter, IntakeStore,
    IssueContent, Lane, NewApplication, RenewalAnswer, RenewalAnswered, Settled, Settlement,
};

/// 2008-02-04T09:00:00+09:00 and `n` seconds.
pub(super) fn at(n: i64) -> Timestamp {
    Timestamp::from_seconds(1_202_083_200 + n)
}

pub(super) fn code(text: &str) -> BodyCode {
    text.parse().unwrap()
}

pub(super) fn of_branch(text: &str) -> Filter {
    Filter {
        branch: Some(code(text)),
        ..Filter::default()
    }
}

pub(super) fn names(en: &str, ja: &str) -> Names {
    Names::try_new("names", en, ja).unwrap()
}

/// A serial number, the same for the same `n`.
pub(super) fn serial(n: u8) -> Serial {
    let mut bytes = [n; 16];
    bytes[0] = 0x41;
    Serial::from_bytes(&bytes).unwrap()
}

pub(super) fn officer(branch: &str) -> Caller {
    Caller::Officer {
        role: OfficerRole::BranchOfficer,
        body: Some(code(branch)),
        serial: serial(0xee),
    }
}

pub(super) fn operator(n: u8) -> Caller {
    Caller::Officer {
        role: OfficerRole::Operator,
        body: None,
        serial: serial(n),
    }
}

/// An operator with the login certificate `serial(card)`.
pub(super) fn approver(card: u8, person: u8) -> Approver {
    Approver {
        serial: serial(card),
        subject: Digest([person; 32]),
    }
}

pub(super) fn body(text: &str) -> Body {
    Body {
        code: code(text),
        names: names(&format!("City {text}"), "札幌市"),
        branch: Branch::Active,
    }
}

pub(super) fn unit(body: &str, en: &str, ja: &str) -> Organization {
    Organization {
        body: code(body),
        names: names(en, ja),
    }
}

/// The number of the `n`th application.
pub(super) fn id(n: u16) -> ApplicationId {
    #[derive(Debug)]
    struct Fixed(u16);
    impl Randomness for Fixed {
        fn fill(&self, out: &mut [u8]) -> Result<(), lgpki_domain::random::RandomnessFailed> {
            out.fill(0);
            let [.., a, b] = out else { return Ok(()) };
            [*a, *b] = self.0.to_be_bytes();
            Ok(())
        }
    }
    ApplicationId::draw(at(i64::from(n)), &Fixed(n)).unwrap()
}

/// An application for an official-duty certificate, with a key and a subject of its own.
pub(crate) fn issue(n: u16) -> NewApplication {
    let [high, low] = n.to_be_bytes();
    let mut digest = [high; 32];
    digest[31] = low;
    NewApplication {
        id: id(n),
        request_id: format!("request-{n:05}").parse().unwrap(),
        branch: Some(code("01001")),
        sort: Sort::Issue,
        content_digest: Digest(digest),
        content: Content::Issue(IssueContent {
            renews: None,
            renews_until: None,
            kind: CertificateKind::OfficialDuty,
            subject: Subject {
                body: body("01001").names,
                unit: Some(names("General Affairs", "総務部")),
                name: names(&format!("Post {n}"), "市長"),
            },
            csr: vec![low; 700],
            public_key: vec![high; 294],
            key_digest: Digest(digest),
            key_algorithm: KeyAlgorithm::Rsa2048,
            medium: KeyMedium::IcCard,
            dns_names: Vec::new(),
            mail_address: None,
            login_role: None,
        }),
        examination: BranchExamination {
            office: "総務課長".to_owned(),
            decided_on: at(0).jst_date(),
        },
        examiner_commitment: Some("c29tZSBjb21taXRtZW50".to_owned()),
        approvals_needed: 0,
        standings_position: 0,
        caller: officer("01001"),
        received_at: at(i64::from(n)),
    }
}

/// An application that waits for `needed` operators.
pub(super) fn manual(n: u16, needed: u32) -> NewApplication {
    NewApplication {
        approvals_needed: needed,
        ..issue(n)
    }
}

/// An application to revoke certificate `serial(of)`.
pub(super) fn revoke(n: u16, of: u8, reason: RevocationReason) -> NewApplication {
    let base = issue(n);
    let Content::Issue(content) = &base.content else {
        unreachable!()
    };
    NewApplication {
        sort: Sort::Revoke,
        content: Content::Revoke {
            serial: serial(of),
            reason,
            kind: content.kind,
            subject: content.subject.clone(),
        },
        ..base
    }
}

/// An application to renew certificate `serial(of)`, which `needed` operators must approve.
pub(super) fn renew(n: u16, of: u8, needed: u32) -> NewApplication {
    let new = NewApplication {
        sort: Sort::Renew,
        approvals_needed: needed,
        ..issue(n)
    };
    with(new, |content| content.renews = Some(serial(of)))
}

/// Notes what lifecycle answered about a renewal.
pub(super) async fn answer(store: &impl IntakeStore, id: ApplicationId, answer: RenewalAnswer) {
    let answers = vec![RenewalAnswered { id, answer }];
    store.settle_renewals(answers, at(900)).await.unwrap();
}

/// Changes what an application for a certificate holds.
pub(super) fn with(
    mut new: NewApplication,
    change: impl FnOnce(&mut IssueContent),
) -> NewApplication {
    if let Content::Issue(content) = &mut new.content {
        change(content);
    }
    new
}

/// The body 01001 with a branch, as every test needs it.
pub(crate) async fn begin(store: &impl IntakeStore) {
    let bodies = vec![body("01001"), body("01002")];
    store
        .import_bodies(bodies, "init".to_owned(), at(0))
        .await
        .unwrap();
}

pub(super) async fn accept(store: &impl IntakeStore, new: NewApplication) -> Application {
    let answers = store.accept(vec![new]).await.unwrap();
    match answers.into_iter().next().unwrap() {
        Acceptance::Accepted(application) => application,
        other => panic!("not accepted: {other:?}"),
    }
}

/// The fields and reasons for which an application is refused.
pub(super) async fn refused(
    store: &impl IntakeStore,
    new: NewApplication,
) -> Vec<(String, &'static str)> {
    let answers = store.accept(vec![new]).await.unwrap();
    match answers.into_iter().next().unwrap() {
        Acceptance::Refused(faults) => faults.into_iter().map(|f| (f.field, f.reason)).collect(),
        other => panic!("not refused: {other:?}"),
    }
}

pub(super) fn command(id: ApplicationId, act: Act) -> Command {
    Command {
        id,
        act,
        branch: None,
        caller: operator(1),
        at: at(5000),
    }
}

pub(super) async fn act(
    store: &impl IntakeStore,
    id: ApplicationId,
    act: Act,
) -> Result<Application, ActRefused> {
    let answers = store.act(vec![command(id, act)]).await.unwrap();
    answers.into_iter().next().unwrap()
}

pub(super) async fn claim(store: &impl IntakeStore, most: usize) -> Vec<Claimed> {
    store
        .claim(Lane::Certificates, most, at(6000))
        .await
        .unwrap()
}

pub(super) async fn claim_revocations(store: &impl IntakeStore, most: usize) -> Vec<Claimed> {
    store
        .claim(Lane::Revocations, most, at(6000))
        .await
        .unwrap()
}

pub(super) fn numbers(claimed: &[Claimed]) -> Vec<ApplicationId> {
    claimed.iter().map(|one| one.application.id).collect()
}

pub(super) async fn settle(store: &impl IntakeStore, id: ApplicationId, outcome: Settled) {
    let at = at(7000);
    let settlement = Settlement { id, outcome, at };
    store.settle(vec![settlement]).await.unwrap();
}

/// The issuer's answer: certificate `serial(n)` at index `n` of its log.
pub(super) fn issued(n: u8) -> Settled {
    Settled::Issued {
        serial: serial(n),
        certificate: vec![n; 900],
        issuer_index: u64::from(n),
    }
}

pub(super) async fn state(store: &impl IntakeStore, id: ApplicationId) -> &'static str {
    let application = store.application(id).await.unwrap();
    application.unwrap().state.name()
}

pub(super) const SERVICE: Caller = Caller::Service(Role::Intake);
