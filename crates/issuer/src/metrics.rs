//! What the issuer counts. Labels come from closed sets; no serial number or application is one.

use lgpki_domain::{Authority, Timestamp};
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use tokio::time::Instant;

use crate::app::Answer;

const ORDERS: &str = "lgpki_issuer_orders_total";
const STAGE: &str = "lgpki_issuer_batch_stage_seconds";
const CRLS: &str = "lgpki_issuer_crls_total";
const CRL_ENTRIES: &str = "lgpki_issuer_crl_entries";
const SHOWN: &str = "lgpki_issuer_feed_shown_entries";
const ISSUING_ENDS: &str = "lgpki_issuer_issuing_ends_seconds";
const EPOCH: &str = "lgpki_issuer_epoch";

/// Describes the metrics to whoever scrapes them.
pub(crate) fn describe() {
    describe_counter!(ORDERS, "Orders answered, by outcome");
    describe_histogram!(STAGE, "Seconds that a batch took in each stage");
    describe_counter!(CRLS, "CRLs signed, by CA");
    describe_gauge!(CRL_ENTRIES, "Certificates on the CRL signed last, by CA");
    describe_gauge!(SHOWN, "Entries of the log that the feed has shown");
    describe_gauge!(
        ISSUING_ENDS,
        "When the last day ends on which a CA can issue with the keys that it has, by CA"
    );
    describe_gauge!(EPOCH, "The epoch of this process");
}

/// A stage of a batch has ended.
pub(crate) fn stage(stage: &'static str, begun: Instant) {
    histogram!(STAGE, "stage" => stage).record(begun.elapsed());
}

/// A batch was answered.
pub(crate) fn answered(answers: &[Answer]) {
    let (mut issued, mut in_progress, mut abandoned, mut refused) = (0_u64, 0_u64, 0_u64, 0_u64);
    for answer in answers {
        *match answer {
            Answer::Issued(_) => &mut issued,
            Answer::InProgress { .. } => &mut in_progress,
            Answer::Abandoned { .. } => &mut abandoned,
            Answer::Refused(_) => &mut refused,
        } += 1;
    }
    for (outcome, count) in [
        ("issued", issued),
        ("in-progress", in_progress),
        ("abandoned", abandoned),
        ("refused", refused),
    ] {
        if count > 0 {
            counter!(ORDERS, "outcome" => outcome).increment(count);
        }
    }
}

/// A CRL was signed.
pub(crate) fn crl_signed(authority: Authority, entries: u64) {
    counter!(CRLS, "authority" => authority.name()).increment(1);
    #[expect(
        clippy::cast_precision_loss,
        reason = "a CRL has fewer than 2^52 entries"
    )]
    gauge!(CRL_ENTRIES, "authority" => authority.name()).set(entries as f64);
}

/// The feed has shown everything below `next`.
pub(crate) fn shown(next: u64) {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a log has fewer than 2^52 entries"
    )]
    gauge!(SHOWN).set(next as f64);
}

/// The last second in which a CA can issue with the keys that it has.
pub(crate) fn issuing_ends(authority: Authority, at: Timestamp) {
    #[expect(
        clippy::cast_precision_loss,
        reason = "seconds of this era are below 2^52"
    )]
    gauge!(ISSUING_ENDS, "authority" => authority.name()).set(at.as_seconds() as f64);
}

/// An epoch was opened.
pub(crate) fn epoch(epoch: u64) {
    #[expect(
        clippy::cast_precision_loss,
        reason = "there are fewer than 2^52 epochs"
    )]
    gauge!(EPOCH).set(epoch as f64);
}
