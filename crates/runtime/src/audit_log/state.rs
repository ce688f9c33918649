//! How far a service is with publishing, as it is told beside its logs.

use lgpki_ledger::publication::{Publication, WitnessStanding, Witnessed};
use lgpki_proto::v1;

/// The state of a service's logs.
pub(super) fn told(service: &str, publication: &Publication) -> v1::PublicationState {
    v1::PublicationState {
        service: service.to_owned(),
        lag_ms: millis(publication.lag),
        late: publication.late,
        failing: publication
            .failing
            .as_deref()
            .unwrap_or_default()
            .to_owned(),
        witness: publication.witnessed.as_ref().map(witness),
    }
}

fn witness(witnessed: &Witnessed) -> v1::WitnessState {
    let each = |what: fn(&WitnessStanding) -> Option<&str>| {
        let told = witnessed.each.iter().filter_map(|one| {
            let what = what(one)?;
            Some(format!("{}: {what}", one.name))
        });
        told.collect()
    };
    v1::WitnessState {
        lag_ms: millis(witnessed.lag),
        late: witnessed.late,
        failing: each(|one| one.failing.as_deref()),
        disputing: each(|one| one.dispute.as_ref().map(|dispute| &*dispute.what)),
        dispute_holds: witnessed.dispute().is_some(),
    }
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
