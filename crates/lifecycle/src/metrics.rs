//! What lifecycle counts and measures. Labels come from closed lists, never from serial numbers.

use lgpki_domain::{Authority, AuthorityKey, RevocationReason, Timestamp};
use lgpki_runtime::plain_http::TurnedAway;
use metrics::{counter, gauge};

use crate::{
    alarm::{Alarm, AlarmKind},
    gate::Rule,
    ports::{CrlList, Publication, SlotBooking},
    worker::plan::Due,
};

/// Certificates entered the inventory.
pub(crate) fn registered(count: usize, position: u64) {
    counter!("lgpki_lifecycle_registrations_total").increment(count as u64);
    #[expect(
        clippy::cast_precision_loss,
        reason = "a log has far fewer than 2^52 entries"
    )]
    gauge!("lgpki_lifecycle_issuance_position").set(position as f64);
}

/// Whether the issuer's feed is connected.
pub(crate) fn following(connected: bool) {
    gauge!("lgpki_lifecycle_feed_connected").set(if connected { 1.0 } else { 0.0 });
}

/// A certificate was revoked.
pub(crate) fn revoked(reason: RevocationReason) {
    counter!("lgpki_lifecycle_revocations_total", "reason" => reason.name()).increment(1);
}

/// Renewal slots were booked, or let pass.
pub(crate) fn slots(booking: SlotBooking) {
    counter!("lgpki_lifecycle_slots_booked_total").increment(booking.booked as u64);
    counter!("lgpki_lifecycle_slots_missed_total").increment(booking.missed as u64);
}

/// A CRL was published.
pub(crate) fn published(publication: &Publication, due: Due) {
    let (authority, crl) = labels(publication.list());
    counter!("lgpki_lifecycle_crls_total", "authority" => authority, "crl" => crl, "due" => due.name())
        .increment(1);
    standing(publication);
}

/// The labels of a list: its CA, and the file's name without its ending.
fn labels(list: CrlList) -> (&'static str, String) {
    let crl = list.file().trim_end_matches(".crl").to_owned();
    (list.series.key.authority.name(), crl)
}

/// The gate refused a CRL.
pub(crate) fn refused(list: CrlList, rule: Rule) {
    let (authority, crl) = labels(list);
    counter!("lgpki_lifecycle_crl_refused_total", "authority" => authority, "crl" => crl, "rule" => rule.name())
        .increment(1);
}

/// The alarms that stand, by kind, of the kinds that were judged.
pub(crate) fn alarms(kinds: &[AlarmKind], alarms: &[Alarm]) {
    for &kind in kinds {
        let count = alarms.iter().filter(|alarm| alarm.kind == kind).count();
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        gauge!("lgpki_lifecycle_alarms", "kind" => kind.name()).set(count);
    }
}

/// The newest of a list, whether made now or before the start.
pub(crate) fn standing(publication: &Publication) {
    let (authority, crl) = labels(publication.list());
    let set = |name: &'static str, value: i64| {
        #[expect(
            clippy::cast_precision_loss,
            reason = "seconds and counts are below 2^52"
        )]
        gauge!(name, "authority" => authority, "crl" => crl.clone()).set(value as f64);
    };
    let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    set("lgpki_lifecycle_crl_number", signed(publication.number.0));
    set("lgpki_lifecycle_crl_entries", signed(publication.entries));
    set(
        "lgpki_lifecycle_crl_this_update_seconds",
        publication.this_update.as_seconds(),
    );
    set(
        "lgpki_lifecycle_crl_next_update_seconds",
        publication.next_update.as_seconds(),
    );
}

/// The CA of these CRLs has ended: when its last CRL runs out is nobody's alarm.
pub(crate) fn ended(list: CrlList) {
    let (authority, crl) = labels(list);
    for name in [
        "lgpki_lifecycle_crl_this_update_seconds",
        "lgpki_lifecycle_crl_next_update_seconds",
    ] {
        gauge!(name, "authority" => authority, "crl" => crl.clone()).set(f64::NAN);
    }
}

/// An attempt to publish a CRL failed.
pub(crate) fn publication_failed(list: CrlList) {
    let (authority, crl) = labels(list);
    counter!("lgpki_lifecycle_crl_failures_total", "authority" => authority, "crl" => crl)
        .increment(1);
}

/// A relying party asked for a file.
pub(crate) fn fetched(status: u16) {
    let status = match status {
        200 => "200",
        206 => "206",
        304 => "304",
        404 => "404",
        _ => "other",
    };
    counter!("lgpki_lifecycle_fetches_total", "status" => status).increment(1);
}

/// Somebody was turned away from the public HTTP port, or cut.
pub(crate) fn turned_away(why: TurnedAway) {
    counter!("lgpki_lifecycle_http_turned_away_total", "why" => why.name()).increment(1);
}

/// An OCSP request was answered; `outcome` is `pre-signed`, `live`, `unknown-put-off` (about what nobody
/// issued, beyond its share) or a refusal's name.
pub(crate) fn ocsp_answered(outcome: &'static str) {
    counter!("lgpki_lifecycle_ocsp_answers_total", "outcome" => outcome).increment(1);
}

/// An OCSP request was put off, for the second's share of answers of its sort was signed.
pub(crate) fn ocsp_turned_away(wanted: &'static str) {
    counter!("lgpki_lifecycle_ocsp_turned_away_total", "wanted" => wanted).increment(1);
}

/// How many OCSP answers are kept.
pub(crate) fn ocsp_kept(ca_key: AuthorityKey, count: usize) {
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 are kept")]
    gauge!(
        "lgpki_lifecycle_ocsp_kept_answers",
        "authority" => ca_key.authority.name(), "generation" => ca_key.generation.to_string()
    )
    .set(count as f64);
}

/// An OCSP responder was certified.
pub(crate) fn ocsp_certified(ca_key: AuthorityKey, until: Timestamp) {
    #[expect(clippy::cast_precision_loss, reason = "seconds are below 2^52")]
    gauge!(
        "lgpki_lifecycle_ocsp_responder_not_after_seconds",
        "authority" => ca_key.authority.name(), "generation" => ca_key.generation.to_string()
    )
    .set(until.as_seconds() as f64);
}

/// An attempt to have an OCSP responder certified failed.
pub(crate) fn ocsp_certifying_failed(authority: Authority) {
    counter!("lgpki_lifecycle_ocsp_certifying_failures_total", "authority" => authority.name())
        .increment(1);
}
