//! What answers mean.

use lgpki_domain::{
    CertificateKind, Digest, KeyAlgorithm, KeyMedium, Names, RevocationReason, Subject,
    application::{Sort, State},
    examination::BranchExamination,
};
use lgpki_proto::v1::issuance_result::Outcome;

use super::*;
use crate::ports::Application;

const T: Timestamp = Timestamp::from_seconds(1_234_567_890);

fn subject() -> Subject {
    let names = |en: &str, ja: &str| Names::try_new("x", en, ja).unwrap();
    Subject {
        body: names("Body", "団体"),
        unit: None,
        name: names("Mayor", "市長"),
    }
}

fn serial() -> Serial {
    Serial::from_bytes(&[0x41; 16]).unwrap()
}

fn claimed(content: Content, sort: Sort) -> Claimed {
    let day = "2009-01-01".parse().unwrap();
    Claimed {
        application: Application {
            id: ApplicationId::from_bytes([1; 16]),
            request_id: "request-1".parse().unwrap(),
            branch: "01001".parse().ok(),
            sort,
            content,
            examination: BranchExamination::try_new("x", "総務課長", true, day, T).unwrap(),
            examiner_commitment: None,
            content_digest: Digest([7; 32]),
            applicant: "branch-officer/01001/41".to_owned(),
            received_at: T,
            state: State::Issuing { at: T, attempt: 2 },
            log_index: 9,
            estimate: None,
        },
        attempt: 2,
        again: false,
    }
}

fn issue() -> IssueContent {
    IssueContent {
        renews: None,
        renews_until: None,
        kind: CertificateKind::OfficialDuty,
        subject: subject(),
        csr: Vec::new(),
        public_key: vec![1, 2, 3],
        key_digest: Digest([8; 32]),
        key_algorithm: KeyAlgorithm::P256,
        medium: KeyMedium::IcCard,
        dns_names: Vec::new(),
        mail_address: None,
        login_role: None,
    }
}

fn answer(outcome: Outcome) -> Answer {
    let claimed = claimed(Content::Issue(issue()), Sort::Issue);
    let result = v1::IssuanceResult {
        application_id: claimed.application.id.to_string(),
        outcome: Some(outcome),
    };
    issued(&claimed, result, T)
}

#[test]
fn an_order_is_named_by_its_application_and_carries_the_attempt() {
    let claimed = claimed(Content::Issue(issue()), Sort::Issue);
    let order = issuance(&claimed, &issue());
    assert_eq!(order.application_id, claimed.application.id.to_string());
    assert_eq!((order.attempt, order.answers_index), (2, 9));
    assert_eq!(order.content_digest, Digest([7; 32]).to_string());
    assert_eq!(order.subject_public_key_info, [1, 2, 3]);
}

#[test]
fn each_answer_settles_in_its_own_way() {
    let certificate = answer(Outcome::Issued(v1::Issued {
        serial: serial().to_string(),
        certificate: vec![5],
        log_index: 3,
    }));
    assert!(matches!(
        certificate,
        Answer::Settled(Settlement {
            outcome: Settled::Issued {
                issuer_index: 3,
                ..
            },
            ..
        })
    ));
    let refused = answer(Outcome::Refused(v1::IssuanceRefused {
        faults: vec![v1::FieldFault {
            field: "key".to_owned(),
            reason: "KEY_CERTIFIED_BEFORE".to_owned(),
            message: "make a new key".to_owned(),
        }],
    }));
    let Answer::Settled(Settlement {
        outcome: Settled::Failed { reason },
        ..
    }) = refused
    else {
        panic!("{refused:?}")
    };
    assert_eq!(reason, "make a new key [KEY_CERTIFIED_BEFORE]");
    assert!(matches!(
        answer(Outcome::Abandoned(v1::IssuanceAbandoned { attempt: 2 })),
        Answer::Settled(Settlement {
            outcome: Settled::Abandoned { attempt: 2 },
            ..
        })
    ));
}

#[test]
fn what_is_open_or_cannot_be_read_is_asked_again() {
    let open = answer(Outcome::InProgress(v1::IssuanceInProgress { attempt: 2 }));
    assert!(matches!(open, Answer::Later));
    let garbled = answer(Outcome::Issued(v1::Issued::default()));
    assert!(matches!(garbled, Answer::Later));
    let claimed = claimed(Content::Issue(issue()), Sort::Issue);
    let other = v1::IssuanceResult {
        application_id: ApplicationId::from_bytes([2; 16]).to_string(),
        outcome: Some(Outcome::Abandoned(v1::IssuanceAbandoned { attempt: 2 })),
    };
    assert!(matches!(issued(&claimed, other, T), Answer::Later));
}

#[test]
fn a_revocation_is_done_when_lifecycle_says_when() {
    let content = Content::Revoke {
        serial: serial(),
        reason: RevocationReason::CessationOfOperation,
        kind: CertificateKind::Mail,
        subject: subject(),
    };
    let claimed = claimed(content, Sort::Abolish);
    let id = claimed.application.id;
    let order = revocation(&claimed).unwrap();
    assert_eq!(order.command_id, id.to_string());
    assert_eq!(order.reason, 5);
    let mut result = v1::RevocationResult {
        command_id: id.to_string(),
        ..v1::RevocationResult::default()
    };
    assert!(revoked(id, &result, T).is_none());
    result.revoked_at = T.to_string();
    let done = revoked(id, &result, T).unwrap();
    assert!(matches!(done.outcome, Settled::Completed));
    result.refused = Some(v1::FieldFault::default());
    let failed = revoked(id, &result, T).unwrap();
    assert!(matches!(failed.outcome, Settled::Failed { .. }));
}
