//! What the stores of a process measure, by service.

use metrics::gauge;

use crate::publish::Publication;

/// How far a service's logs are published.
pub(crate) fn published(service: &str, publication: &Publication) {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a log has fewer than 2^52 entries"
    )]
    gauge!(format!("lgpki_{service}_log_published_entries")).set(publication.end as f64);
    gauge!(format!("lgpki_{service}_log_publication_lag_seconds"))
        .set(publication.lag.as_secs_f64());
}
