//! The table of statuses, and what comes back from them.

use std::time::Duration;

use lgpki_domain::{ErrorClass, Faults};
use tonic::{Code, Status};

use super::*;

#[test]
fn every_class_has_its_code_and_comes_back_from_it() {
    let table = [
        (ErrorClass::InvalidInput, Code::InvalidArgument),
        (ErrorClass::Unauthenticated, Code::Unauthenticated),
        (ErrorClass::Forbidden, Code::PermissionDenied),
        (ErrorClass::NotFound, Code::NotFound),
        (ErrorClass::AlreadyExists, Code::AlreadyExists),
        (ErrorClass::WrongState, Code::FailedPrecondition),
        (ErrorClass::LostRace, Code::Aborted),
        (ErrorClass::RateLimited, Code::ResourceExhausted),
        (ErrorClass::Unavailable, Code::Unavailable),
        (ErrorClass::Corrupt, Code::DataLoss),
        (ErrorClass::Internal, Code::Internal),
    ];
    assert_eq!(table.map(|(class, _)| class), ErrorClass::ALL);
    for (expected, expected_code) in table {
        assert_eq!(code(expected), expected_code);
        assert_eq!(class(expected_code), expected);
    }
}

fn refused() -> Failure {
    let mut faults = Faults::new();
    faults.push("issue.csr", "CSR_KEY_SIZE", "1024 ビットは短い");
    faults.push("branch", "BRANCH_MISSING", "no branch");
    Failure::invalid("APPLICATION_REFUSED", "the application is refused", faults)
        .retry_after(Duration::from_millis(1500))
}

#[test]
fn a_status_carries_reason_faults_and_retry_and_comes_back_typed() {
    let back = RemoteError::from(refused().into_status());
    assert_eq!(back.class(), ErrorClass::InvalidInput);
    assert_eq!(back.reason, "APPLICATION_REFUSED");
    assert_eq!(back.faults, refused().faults);
    assert_eq!(back.retry_after, Some(Duration::from_millis(1500)));
    assert_eq!(Failure::from(back), refused());
}

#[test]
fn a_refusal_says_the_same_as_a_status() {
    let from_refusal = RemoteError::from(refused().into_refusal());
    assert_eq!(from_refusal, RemoteError::from(refused().into_status()));
}

#[test]
fn a_retry_of_less_than_a_millisecond_is_still_a_retry() {
    let refusal = refused().retry_after(Duration::ZERO).into_refusal();
    assert_eq!(refusal.retry_after_ms, 1);
    let plain = Failure::not_found("X", "x").into_refusal();
    assert_eq!(plain.retry_after_ms, 0);
}

#[test]
fn internal_text_never_reaches_a_client() {
    for class in [ErrorClass::Internal, ErrorClass::Corrupt] {
        let mut failure = Failure::new(class, "SECRET_REASON", "secret: /var/lib/key");
        failure.faults = refused().faults;
        let failure = failure.with_correlation_id("c0ffee");
        let status = failure.clone().into_status();
        let seen = format!("{status:?} {:?}", RemoteError::from(&status));
        assert!(!seen.to_lowercase().contains("secret"), "{seen}");
        assert!(RemoteError::from(&status).faults.is_empty());
        assert_eq!(
            RemoteError::from(&status).correlation_id.as_deref(),
            Some("c0ffee")
        );
        let refusal = format!("{:?}", failure.into_refusal());
        assert!(!refusal.to_lowercase().contains("secret"), "{refusal}");
    }
}

#[test]
fn many_faults_stay_within_the_header_limit_of_common_clients() {
    let mut faults = Faults::new();
    for i in 0..1000 {
        faults.push(format!("ids[{i}]"), "FIELD_MALFORMED", "長".repeat(500));
    }
    let failure = Failure::invalid("X", "長".repeat(5000), faults);
    assert_eq!(failure.clone().into_refusal().faults.len(), 1000);
    let status = failure.into_status();
    // Percent-encoding makes nine bytes of each such character, base64 four of three.
    let header = status.message().len() * 3 + status.details().len() * 4 / 3;
    assert!(header < 8_000, "{header}");
    let last = RemoteError::from(status).faults.pop().unwrap();
    assert_eq!(last.reason, "MORE_FAULTS");
    assert!(last.message.starts_with("99"), "{}", last.message);
}

#[test]
fn a_foreign_status_is_a_transport_failure() {
    let back = RemoteError::from(Status::unavailable("connection refused"));
    assert_eq!(back.reason, "TRANSPORT");
    assert!(back.may_be_tried_again());
    assert_eq!(back.to_string(), "connection refused [TRANSPORT]");
}

#[test]
fn another_services_trouble_is_not_told_as_the_callers() {
    let away = RemoteError::from(Status::unavailable("connect to 10.0.0.7: refused"));
    let relayed = Failure::from(away);
    assert_eq!(relayed.reason, "SERVICE_AWAY");
    assert!(relayed.retry_after.is_some());
    assert!(!relayed.message.contains("10.0.0.7"));
    let expired = Failure::new(
        ErrorClass::Unauthenticated,
        "CLIENT_CERTIFICATE_EXPIRED",
        "expired",
    );
    let relayed = Failure::from(RemoteError::from(expired.into_status()));
    assert!(relayed.is_ours());
    assert!(relayed.message.contains("CLIENT_CERTIFICATE_EXPIRED"));
    let lost = Failure::new(ErrorClass::LostRace, "CRL_NUMBER_TAKEN", "taken");
    let relayed = Failure::from(RemoteError::from(lost.clone().into_status()));
    assert_eq!(relayed, lost);
}

#[test]
fn people_read_one_fault_a_line() {
    let text = RemoteError::from(refused().into_status()).to_string();
    assert_eq!(
        text,
        "the application is refused [APPLICATION_REFUSED]\n  \
         issue.csr: 1024 ビットは短い [CSR_KEY_SIZE]\n  \
         branch: no branch [BRANCH_MISSING]\n  \
         try again in 2 s"
    );
}

#[test]
fn a_connection_that_broke_means_that_the_peer_is_away() {
    let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    let away = RemoteError::from(Status::from_error(Box::new(broken)));
    assert_eq!(away.class(), ErrorClass::Unavailable);
    assert!(away.may_be_tried_again());
    for answered in [Status::unknown("?"), Status::internal("?")] {
        assert_eq!(RemoteError::from(answered).class(), ErrorClass::Internal);
    }
}
