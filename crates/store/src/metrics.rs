//! What the stores of a process measure, by service.

use metrics::gauge;

use crate::publish::Publication;

/// How far a service's logs are published.
pub(crate) fn published(service: &str, publication: &Publication) {
    let service = service.to_owned();
    #[expect(
        clippy::cast_precision_loss,
        reason = "a log has fewer than 2^52 entries"
    )]
    gauge!("lgpki_log_published_entries", "service" => service.clone()).set(publication.end as f64);
    gauge!("lgpki_log_publication_lag_seconds", "service" => service)
        .set(publication.lag.as_secs_f64());
}
