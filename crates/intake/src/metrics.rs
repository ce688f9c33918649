//! What intake counts. Labels come from closed sets; no serial number and no body is ever one.

use lgpki_domain::slots::SlotRefused;
use lgpki_proto::ServiceName;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::{
    admission::Limit,
    app::{AppError, addressee::Recorded, submit::Outcome},
    ports::{Settled, Settlement, Waits},
    promises::Errors,
    slots::SlotUse,
    standings::Standings,
};

const TURNED_AWAY: &str = "lgpki_intake_turned_away_total";
const SLOT_TOKENS: &str = "lgpki_intake_slot_tokens_total";
const SUBMITTED: &str = "lgpki_intake_applications_total";
const BATCH: &str = "lgpki_intake_submit_batch_size";
const DISPATCHED: &str = "lgpki_intake_dispatched_total";
const STANDING: &str = "lgpki_intake_applications";
const KNOWN: &str = "lgpki_intake_certificates";
const POSITION: &str = "lgpki_intake_issuance_position";
const ADDRESSEES: &str = "lgpki_intake_addressee_requests_total";
const READY: &str = "lgpki_intake_standings_ready";
const AWAY: &str = "lgpki_intake_peer_away";
const ERROR: &str = "lgpki_intake_estimate_error_seconds";
const PROMISES: &str = "lgpki_intake_promises_total";
const REFUSED_ENDS: &str = "lgpki_intake_renewals_refused";

/// Says what each metric means.
pub fn describe() {
    describe_counter!(SUBMITTED, "Applications submitted, by outcome");
    describe_counter!(
        TURNED_AWAY,
        "Applications and other calls turned away over a limit, by limit"
    );
    describe_counter!(
        SLOT_TOKENS,
        "Renewals that came with a slot token, by what became of it"
    );
    describe_histogram!(BATCH, "Applications checked and stored together");
    describe_counter!(DISPATCHED, "Orders to issuer and lifecycle, by outcome");
    describe_counter!(
        ADDRESSEES,
        "Requests about addressees of the document exchange, by outcome"
    );
    describe_gauge!(STANDING, "Applications by state");
    describe_gauge!(KNOWN, "Certificates known from lifecycle's standings");
    describe_gauge!(POSITION, "Position of the inventory in the issuer's log");
    describe_gauge!(READY, "1 once the standings have caught up");
    describe_gauge!(
        ERROR,
        "How far the last estimates given on receipt were off, by queue and quantile; of those for examination, in business hours"
    );
    describe_counter!(
        PROMISES,
        "Applications issued or carried out by the latest time that their receipt named, or after it"
    );
    describe_gauge!(AWAY, "1 while a service that intake calls does not answer");
    describe_gauge!(
        REFUSED_ENDS,
        "Renewals whose end lifecycle keeps refusing; the log names them"
    );
}

/// Counts an application, or another call, that was turned away.
pub(crate) fn turned_away(limit: Limit) {
    counter!(TURNED_AWAY, "limit" => limit.name()).increment(1);
}

/// Counts a slot token.
pub(crate) fn slot_used(used: SlotUse) {
    let outcome = used.err().map_or("HONOURED", SlotRefused::reason);
    counter!(SLOT_TOKENS, "outcome" => outcome).increment(1);
}

/// Counts a batch of applications.
pub(crate) fn submitted(outcomes: &[Outcome]) {
    let (mut accepted, mut repeated, mut refused) = (0, 0, 0);
    for outcome in outcomes {
        match outcome {
            Ok(accepted) if accepted.repeated => repeated += 1,
            Ok(_) => accepted += 1,
            Err(_) => refused += 1,
        }
    }
    for (outcome, count) in [
        ("accepted", accepted),
        ("repeated", repeated),
        ("refused", refused),
    ] {
        if count > 0 {
            counter!(SUBMITTED, "outcome" => outcome).increment(count);
        }
    }
    let size = u32::try_from(outcomes.len()).unwrap_or(u32::MAX);
    histogram!(BATCH).record(f64::from(size));
}

/// Counts a request about an addressee.
pub(crate) fn addressee(outcome: &Result<Recorded, AppError>) {
    let outcome = match outcome {
        Ok(recorded) if recorded.repeated => "repeated",
        Ok(_) => "accepted",
        Err(_) => "refused",
    };
    counter!(ADDRESSEES, "outcome" => outcome).increment(1);
}

/// Counts the answers to a batch of orders, and those that stay to be answered.
pub(crate) fn dispatched(settlements: &[Settlement], later: usize) {
    for settlement in settlements {
        let outcome = match settlement.outcome {
            Settled::Issued { .. } => "issued",
            Settled::Completed => "completed",
            Settled::Abandoned { .. } => "abandoned",
            Settled::Failed { .. } => "failed",
        };
        counter!(DISPATCHED, "outcome" => outcome).increment(1);
    }
    if later > 0 {
        let later = u64::try_from(later).unwrap_or(u64::MAX);
        counter!(DISPATCHED, "outcome" => "later").increment(later);
    }
}

/// Shows how far estimates were wrong.
#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a float; errors of estimates stay far below 2^53 milliseconds"
)]
pub(crate) fn estimates(errors: &[Errors]) {
    for one in errors {
        let queue = match one.queue {
            Waits::Examination => "examination",
            Waits::Issue => "issue",
        };
        for (quantile, millis) in [("0.5", one.p50), ("0.95", one.p95)] {
            gauge!(ERROR, "queue" => queue, "quantile" => quantile).set(millis as f64 / 1000.0);
        }
        for (outcome, count) in [("held", one.held), ("missed", one.missed)] {
            counter!(PROMISES, "queue" => queue, "outcome" => outcome).absolute(count);
        }
    }
}

/// Shows whether a service that intake calls is away.
pub(crate) fn peer_away(peer: ServiceName, away: bool) {
    gauge!(AWAY, "peer" => peer.name()).set(if away { 1.0 } else { 0.0 });
}

/// Shows how many ends of renewals lifecycle keeps refusing.
pub(crate) fn renewals_refused(count: usize) {
    gauge!(REFUSED_ENDS).set(u32::try_from(count).unwrap_or(u32::MAX));
}

/// Shows where applications and standings stand.
#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a float; counts stay far below 2^53"
)]
pub(crate) fn stand(counts: &[(&'static str, u64)], standings: &Standings) {
    for (state, count) in counts {
        gauge!(STANDING, "state" => *state).set(*count as f64);
    }
    let progress = standings.progress();
    gauge!(KNOWN).set(standings.len() as f64);
    gauge!(POSITION).set(progress.issuance_position as f64);
    gauge!(READY).set(if progress.is_complete() { 1.0 } else { 0.0 });
}
