//! Answers in the contract's words.

use lgpki_domain::{ApplicationId, Faults};
use lgpki_ledger::Recorded;
use lgpki_proto::{
    convert::wire,
    v1::{self, issuance_event::Event, issuance_result::Outcome},
};

use crate::{
    app::Answer,
    event::{Abandoned, Issued, IssuerEvent, NamesText, SubjectText},
    ports::{AuthorityRecord, Certificate, FeedPage, Issuance},
};

fn result(application_id: String, outcome: Outcome) -> v1::IssuanceResult {
    v1::IssuanceResult {
        application_id,
        outcome: Some(outcome),
    }
}

fn certificate(certificate: Certificate) -> Outcome {
    Outcome::Issued(issued_certificate(certificate))
}

/// A certificate that exists.
pub(super) fn issued_certificate(certificate: Certificate) -> v1::Issued {
    v1::Issued {
        serial: certificate.serial.to_string(),
        certificate: certificate.der,
        log_index: certificate.index,
    }
}

/// An order refused for good.
pub(super) fn refused(application_id: String, faults: Faults) -> v1::IssuanceResult {
    let faults = faults.into_iter().map(Into::into).collect();
    result(
        application_id,
        Outcome::Refused(v1::IssuanceRefused { faults }),
    )
}

/// What became of an order.
pub(super) fn answer(id: ApplicationId, answer: Answer) -> v1::IssuanceResult {
    let id = id.to_string();
    match answer {
        Answer::Issued(issued) => result(id, certificate(issued)),
        Answer::Refused(faults) => refused(id, faults),
        Answer::InProgress { attempt } => {
            result(id, Outcome::InProgress(v1::IssuanceInProgress { attempt }))
        }
        Answer::Abandoned { attempt } => {
            result(id, Outcome::Abandoned(v1::IssuanceAbandoned { attempt }))
        }
    }
}

/// What is known of an application.
pub(super) fn issuance(id: ApplicationId, issuance: Issuance) -> v1::IssuanceResult {
    let outcome = match issuance {
        Issuance::Unknown => Outcome::Unknown(v1::IssuanceUnknown {}),
        Issuance::Issued(issued) => certificate(issued),
        Issuance::InProgress { attempt } => Outcome::InProgress(v1::IssuanceInProgress { attempt }),
        Issuance::Abandoned { attempt } => Outcome::Abandoned(v1::IssuanceAbandoned { attempt }),
    };
    result(id.to_string(), outcome)
}

/// A CA's key, and whether it waits for its link.
pub(super) fn issuer(record: AuthorityRecord, unlinked: bool) -> v1::IssuerInfo {
    let numbers = &record.crl_numbers;
    let scopes = record.crl_options.scopes();
    let crl_numbers = scopes.map(|scope| v1::ScopeNumber {
        scope: scope.to_string(),
        number: numbers.get(&scope).map_or(0, |number| number.0),
    });
    v1::IssuerInfo {
        crl_numbers: crl_numbers.collect(),
        crl_partitions: record.crl_options.partitions.into(),
        delta_crls: record.crl_options.delta,
        authority: wire(record.authority),
        certificate: record.certificate,
        key_generation: record.generation,
        crl_urls: record.addresses.crl,
        unlinked,
    }
}

/// A page of the feed.
pub(super) fn page(page: FeedPage) -> v1::FollowIssuanceResponse {
    v1::FollowIssuanceResponse {
        events: page.events.into_iter().filter_map(event).collect(),
        next_index: page.next,
    }
}

fn event(recorded: Recorded<IssuerEvent>) -> Option<v1::IssuanceEvent> {
    let event = match recorded.event {
        IssuerEvent::Issued(e) => Event::Issued(issued(e)),
        IssuerEvent::Abandoned(e) => Event::Abandoned(abandoned(&e)),
        // The store reads no other kinds for the feed.
        _ => return None,
    };
    Some(v1::IssuanceEvent {
        log_index: recorded.index,
        time: recorded.stamp.time.to_string(),
        event: Some(event),
    })
}

fn issued(e: Issued) -> v1::IssuedEvent {
    v1::IssuedEvent {
        application_id: e.application.to_string(),
        branch: e.branch.map(|b| b.to_string()).unwrap_or_default(),
        authority: wire(e.authority),
        kind: wire(e.kind),
        subject: Some(subject(e.subject)),
        certificate: e.certificate,
        serial: e.serial.to_string(),
        key_digest: e.key_digest.to_string(),
        not_before: e.not_before.to_string(),
        not_after: e.not_after.to_string(),
        key_generation: e.generation,
        crl_scope: e.scope.to_string(),
    }
}

fn abandoned(e: &Abandoned) -> v1::AbandonedEvent {
    v1::AbandonedEvent {
        application_id: e.application.to_string(),
        authority: wire(e.authority),
        serial: e.serial.to_string(),
        not_after: e.not_after.to_string(),
        key_generation: e.generation,
        crl_scope: e.scope.to_string(),
    }
}

fn subject(subject: SubjectText) -> v1::Subject {
    v1::Subject {
        body: Some(names(subject.body)),
        unit: subject.unit.map(names),
        name: Some(names(subject.name)),
    }
}

fn names(names: NamesText) -> v1::Names {
    v1::Names {
        en: names.en,
        ja: names.ja,
    }
}
