//! Domain to wire.

use lgpki_domain::Timestamp;
use lgpki_proto::{
    convert::{wire, wire_or_unset},
    v1,
};

use crate::ports::{Certificate, CertificateState, Publication, RevocationOutcome};
use crate::{alarm::Alarm, app::AuthorityStanding};

/// A text, empty where there is none.
pub(super) fn text_or_empty<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// The number of a state.
pub(super) const fn state(state: CertificateState) -> v1::CertificateState {
    match state {
        CertificateState::Valid => v1::CertificateState::Valid,
        CertificateState::Revoked => v1::CertificateState::Revoked,
        CertificateState::Expired => v1::CertificateState::Expired,
        CertificateState::Renewing => v1::CertificateState::Renewing,
    }
}

/// A certificate with its state at `now`.
pub(super) fn certificate(certificate: Certificate, now: Timestamp) -> v1::Certificate {
    let Certificate {
        issued,
        revocation,
        renewal,
    } = certificate;
    let (revoked, renewing) = (revocation.is_some(), renewal.is_some());
    let state_now = CertificateState::at(now, issued.not_after, revoked, renewing);
    v1::Certificate {
        serial: issued.serial.to_string(),
        authority: wire(issued.authority),
        kind: wire(issued.kind),
        branch: text_or_empty(issued.branch),
        subject: Some((&issued.subject).into()),
        not_before: issued.not_before.to_string(),
        not_after: issued.not_after.to_string(),
        state: state(state_now).into(),
        revoked_at: text_or_empty(revocation.map(|revocation| revocation.at)),
        revocation_reason: wire_or_unset(revocation.map(|revocation| revocation.reason)),
        application_id: issued.application.to_string(),
        key_digest: issued.key_digest.to_string(),
        der: issued.der,
    }
}

/// A certificate's standing.
pub(super) fn standing(certificate: Certificate) -> v1::Standing {
    let Certificate {
        issued,
        revocation,
        renewal,
    } = certificate;
    v1::Standing {
        serial: issued.serial.to_string(),
        branch: text_or_empty(issued.branch),
        kind: wire(issued.kind),
        subject: Some((&issued.subject).into()),
        key_digest: issued.key_digest.to_string(),
        not_before: issued.not_before.to_string(),
        not_after: issued.not_after.to_string(),
        revoked_at: text_or_empty(revocation.map(|revocation| revocation.at)),
        application_id: issued.application.to_string(),
        renewal: text_or_empty(renewal),
    }
}

/// What became of an order.
pub(super) fn revocation(command_id: String, outcome: RevocationOutcome) -> v1::RevocationResult {
    let (revoked_at, refused) = match outcome {
        Ok(at) => (at.to_string(), None),
        Err(fault) => (String::new(), Some(fault.into())),
    };
    v1::RevocationResult {
        command_id,
        revoked_at,
        refused,
    }
}

/// A published CRL; `url` is where it is fetched.
pub(super) fn publication(publication: &Publication, url: String) -> v1::PublishedCrl {
    let series = publication.series;
    v1::PublishedCrl {
        authority: wire(series.key.authority),
        number: publication.number.0,
        this_update: publication.this_update.to_string(),
        next_update: publication.next_update.to_string(),
        entries: publication.entries,
        digest: publication.digest.to_string(),
        url,
        key_generation: series.key.generation,
        scope: series.scope.to_string(),
        base_number: publication.base.map_or(0, |base| base.0),
    }
}

/// A key of a CA with its newest CRLs and what is wrong with them.
pub(super) fn authority(standing: &AuthorityStanding) -> v1::AuthorityInfo {
    let info = &standing.info;
    let newest = standing.crls.first();
    let first = info.crl_options.scopes().next().unwrap_or_default();
    let crl =
        |one: &Publication| publication(one, info.crl_url(one.series.scope, one.list().delta));
    v1::AuthorityInfo {
        authority: wire(info.authority),
        certificate: info.certificate.to_vec(),
        crl_number: newest.map_or(0, |newest| newest.number.0),
        crl_next_update: text_or_empty(newest.map(|newest| newest.next_update)),
        crl_url: info.crl_url(first, false),
        key_generation: info.generation,
        crls: standing.crls.iter().map(crl).collect(),
        alarms: standing.alarms.iter().map(alarm).collect(),
        unlinked: info.unlinked,
    }
}

fn alarm(alarm: &Alarm) -> v1::Alarm {
    v1::Alarm {
        kind: alarm.kind.name().to_owned(),
        scope: text_or_empty(alarm.list.map(|list| list.series.scope)),
        since: alarm.since.to_string(),
        message: alarm.message.clone(),
        delta: alarm.list.is_some_and(|list| list.delta),
    }
}
