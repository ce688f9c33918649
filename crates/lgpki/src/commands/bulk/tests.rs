//! What counts as selected, and what counts as done.

use lgpki_proto::v1::CertificateState;

use super::{selection::parse_serials, sent::is_done, *};

fn certificate(serial: &str, branch: &str, state: CertificateState) -> v1::Certificate {
    v1::Certificate {
        serial: serial.to_owned(),
        branch: branch.to_owned(),
        kind: v1::CertificateKind::WebServer.into(),
        state: state.into(),
        ..Default::default()
    }
}

fn selection(last: CertificateState) -> Selection {
    let mut selection = Selection::default();
    for (serial, branch, state) in [
        ("42", "01001", CertificateState::Valid),
        ("41", "01002", CertificateState::Renewing),
        ("43", "01001", last),
    ] {
        selection.add(certificate(serial, branch, state), None, false);
    }
    selection
}

#[test]
fn a_token_stays_the_same_while_its_certificates_are_revoked_and_stands_for_nothing_else() {
    let whole = selection(CertificateState::Valid);
    let begun = selection(CertificateState::Revoked);
    assert_eq!(whole.token(4, 0), begun.token(4, 0));
    assert_ne!(whole.token(4, 0), whole.token(1, 0));
    let mut more = selection(CertificateState::Valid);
    more.add(
        certificate("44", "01001", CertificateState::Expired),
        None,
        false,
    );
    assert_ne!(whole.token(4, 0), more.token(4, 0));
    assert_ne!(whole.token(4, 0), whole.token(4, 1), "decided once more");
    assert_eq!((whole.standing().len(), begun.standing().len()), (3, 2));
    let counts = whole.counts();
    assert_eq!(counts[&("01001", "web-server")], 2);
    assert_eq!(counts[&("01002", "web-server")], 1);
}

#[test]
fn request_ids_are_ones_that_the_contract_takes() {
    let token = selection(CertificateState::Valid).token(4, 0);
    let id = request_id(&token, &"4d".repeat(16));
    assert_eq!(id, request_id(&token, &"4d".repeat(16)));
    assert!(id.parse::<lgpki_domain::RequestId>().is_ok(), "{id}");
}

#[test]
fn what_was_taken_before_counts_as_done_and_nothing_else_does() {
    let refusal = |reason: &str, faults: &[&str]| v1::Refusal {
        reason: reason.to_owned(),
        faults: faults
            .iter()
            .map(|reason| v1::FieldFault {
                reason: (*reason).to_owned(),
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    };
    assert!(!is_done(&refusal("REQUEST_ID_TAKEN", &[])));
    assert!(is_done(&refusal(
        "APPLICATION_REFUSED",
        &["REVOCATION_IS_OPEN"]
    )));
    let other = ["REVOCATION_IS_OPEN", "EXAMINER_MISSING"];
    assert!(!is_done(&refusal("APPLICATION_REFUSED", &other)));
    assert!(!is_done(&refusal("STORE_BUSY", &[])));
}

#[test]
fn a_list_of_serials_names_the_line_that_is_none() {
    let serial = "4d".repeat(16);
    let text = format!("\u{feff}# lost\n{serial} # a card\n\n{serial}\n");
    assert_eq!(parse_serials(&text).unwrap().len(), 1);
    assert!(parse_serials("\n12").unwrap_err().starts_with("line 2: "));
}

#[test]
fn what_links_cas_answers_for_them_or_is_logged_in_with_is_revoked_only_when_named() {
    let of = |serial: &str, kind: v1::CertificateKind, branch: &str| v1::Certificate {
        kind: kind.into(),
        ..certificate(serial, branch, CertificateState::Valid)
    };
    let all = || {
        [
            of("41", v1::CertificateKind::Login, ""),
            of("42", v1::CertificateKind::Login, ""),
            of("43", v1::CertificateKind::Cross, ""),
            of("44", v1::CertificateKind::Link, ""),
            of("45", v1::CertificateKind::OcspResponder, ""),
            of("46", v1::CertificateKind::Login, "01001"),
            of("47", v1::CertificateKind::Mail, "01001"),
        ]
    };
    let own = "41".to_owned();
    let select = |listed| {
        let mut selection = Selection::default();
        for one in all() {
            selection.add(one, Some(&own), listed);
        }
        selection
    };
    let order = |selection: &Selection| {
        let standing = selection.standing().into_iter();
        standing
            .map(|(serial, _)| serial.clone())
            .collect::<Vec<_>>()
    };
    let fitting = select(false);
    assert_eq!(
        order(&fitting),
        ["46", "47", "42"],
        "an operator's login comes last"
    );
    let left_out: Vec<_> = fitting.left_out.iter().map(|l| l.serial.as_str()).collect();
    assert_eq!(left_out, ["41", "43", "44", "45"]);
    let told = fitting.left_out[0].to_string();
    assert!(
        told.contains("41 (login), for you are logged in with it"),
        "{told}"
    );
    let listed = select(true);
    assert_eq!(order(&listed), ["43", "44", "45", "46", "47", "42", "41"]);
    assert!(listed.left_out.is_empty());
}

#[test]
fn only_an_application_that_will_revoke_the_certificate_for_the_reason_counts_as_done() {
    let round = Round {
        reason: v1::RevocationReason::Superseded.into(),
        again: 1,
    };
    let right = v1::Application {
        id: "01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned(),
        sort: ApplicationSort::Revoke.into(),
        serial: "41".to_owned(),
        revocation_reason: round.reason,
        state: ApplicationState::Examining.into(),
        ..v1::Application::default()
    };
    let judged = |change: &dyn Fn(&mut v1::Application)| {
        let mut found = right.clone();
        change(&mut found);
        round.judge("41", &found).map(|refusal| refusal.message)
    };
    assert_eq!(judged(&|_| {}), None);
    assert_eq!(judged(&|a| a.set_state(ApplicationState::Completed)), None);
    let rejected = judged(&|a| {
        a.set_state(ApplicationState::Rejected);
        "no such loss".clone_into(&mut a.reason);
    });
    let rejected = rejected.unwrap();
    assert!(
        rejected.contains("was rejected (no such loss)"),
        "{rejected}"
    );
    assert!(rejected.ends_with("--again 2"), "{rejected}");
    assert!(judged(&|a| a.set_state(ApplicationState::Withdrawn)).is_some());
    assert!(judged(&|a| a.set_state(ApplicationState::Failed)).is_some());
    assert!(judged(&|a| a.serial.push('0')).is_some());
    assert!(judged(&|a| a.set_sort(ApplicationSort::Abolish)).is_some());
    assert!(judged(&|a| a.revocation_reason = 1).is_some());

    let mut sent = Sent::new(round);
    let mut rejected = right.clone();
    rejected.set_state(ApplicationState::Rejected);
    for application in [right, rejected] {
        let accepted = v1::SubmitApplicationResponse {
            application: Some(application),
            repeated: true,
            slot: None,
        };
        let answer = v1::SubmitApplicationsResponse {
            request_id: "bulk-1".to_owned(),
            outcome: Some(v1::submit_applications_response::Outcome::Accepted(
                accepted,
            )),
        };
        sent.count("41", answer);
    }
    assert_eq!((sent.before, sent.waiting, sent.refused.len()), (1, 1, 1));
    let told = tally(&sent, 14);
    assert_eq!(
        told,
        "0 applied for; 1 applied for before; 14 revoked or expired before"
    );
}
