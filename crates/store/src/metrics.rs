//! What the stores of a process measure, by service.

use metrics::gauge;

use crate::publish::Publication;

/// How far a service's logs are published and witnessed.
pub(crate) fn published(service: &str, publication: &Publication) {
    let set = |noun: &str, value: f64| gauge!(format!("lgpki_{service}_log_{noun}")).set(value);
    set("published_entries", entries(publication.end));
    set("publication_lag_seconds", publication.lag.as_secs_f64());
    set("publication_limit_seconds", publication.limit.as_secs_f64());
    let Some(witnessed) = &publication.witnessed else {
        return;
    };
    set("witnessed_entries", entries(witnessed.end));
    set("witness_lag_seconds", witnessed.lag.as_secs_f64());
    set("witness_limit_seconds", witnessed.limit.as_secs_f64());
    let (mut failing, mut disputing) = (0, 0);
    for one in &witnessed.each {
        failing += u32::from(one.failing.is_some());
        disputing += u32::from(one.dispute.is_some());
    }
    set("witnesses_failing", failing.into());
    set("witnesses_disputing", disputing.into());
    let holds = witnessed.dispute().is_some();
    set("dispute_holds", u32::from(holds).into());
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a log has fewer than 2^52 entries"
)]
const fn entries(count: u64) -> f64 {
    count as f64
}
