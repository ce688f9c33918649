//! The worker that keeps the projection true.
//!
//! A standing that cannot be read is never passed over, for it may be a revocation: the projection
//! stays where it stood, and the same place is asked for again until it can be read.

use std::{sync::Arc, time::Duration};

use lgpki_domain::{Faults, Randomness};
use lgpki_proto::{RemoteError, v1};
use lgpki_runtime::backoff::Backoff;

use super::{Progress, Standings, held};
use crate::peers::Peers;

/// The waits between two tries to follow.
const BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(50),
    most: Duration::from_secs(5),
};

/// Why a stream of standings ended early.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the stream of standings broke")]
    Remote(#[from] RemoteError),
    #[error("lifecycle streams standings that cannot be read: {0}")]
    Unreadable(Faults),
}

/// Follows lifecycle's standings for ever, from where the projection stands, and begins again after
/// every break.
pub async fn follow(standings: Arc<Standings>, peers: Peers, random: Arc<dyn Randomness>) {
    let mut failures = 0;
    let mut unreadable_at = None;
    loop {
        let before = standings.progress();
        let ended = stream(&standings, &peers).await;
        let position = standings.progress().next_position;
        match ended {
            Ok(()) => tracing::info!("lifecycle ended the stream of standings; following again"),
            Err(Broken::Remote(error)) => {
                tracing::info!(%error, "lifecycle's standings cannot be followed for the moment");
            }
            Err(Broken::Unreadable(faults)) if unreadable_at != Some(position) => {
                unreadable_at = Some(position);
                tracing::error!(
                    %faults,
                    position,
                    "lifecycle streams standings that cannot be read; nothing after them is known here"
                );
            }
            Err(Broken::Unreadable(_)) => {
                tracing::info!(position, "lifecycle's standings still cannot be read");
            }
        }
        if standings.progress() != before {
            failures = 0;
        }
        tokio::time::sleep(BACKOFF.delay(failures, random.as_ref(), None)).await;
        failures = failures.saturating_add(1);
    }
}

async fn stream(standings: &Standings, peers: &Peers) -> Result<(), Broken> {
    let from_position = standings.progress().next_position;
    let request = v1::FollowStandingsRequest { from_position };
    let stream = peers.lifecycle().follow_standings(request).await;
    let mut stream = stream.map_err(RemoteError::from)?.into_inner();
    while let Some(message) = stream.message().await.map_err(RemoteError::from)? {
        take(standings, &message).map_err(Broken::Unreadable)?;
    }
    Ok(())
}

/// Takes a message over, all of it or nothing.
fn take(standings: &Standings, message: &v1::FollowStandingsResponse) -> Result<(), Faults> {
    let mut faults = Faults::new();
    let mut known = Vec::with_capacity(message.standings.len());
    for standing in &message.standings {
        known.extend(held(&mut faults, standing));
    }
    faults.into_result()?;
    let progress = Progress {
        caught_up: message.caught_up,
        issuance_position: message.issuance_position,
        next_position: message.next_position,
    };
    standings.apply(known, progress);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(serial: &str, revoked_at: &str) -> v1::Standing {
        let names = |en: &str, ja: &str| {
            Some(v1::Names {
                en: en.to_owned(),
                ja: ja.to_owned(),
            })
        };
        v1::Standing {
            serial: serial.to_owned(),
            kind: v1::CertificateKind::Login.into(),
            subject: Some(v1::Subject {
                body: names("Body", "団体"),
                unit: None,
                name: names("Officer", "責任者"),
            }),
            key_digest: "aa".repeat(32),
            not_before: "2008-02-04T00:00:00.000+09:00".to_owned(),
            not_after: "2011-02-03T23:59:59.000+09:00".to_owned(),
            revoked_at: revoked_at.to_owned(),
            ..v1::Standing::default()
        }
    }

    fn message(standings: Vec<v1::Standing>, next_position: u64) -> v1::FollowStandingsResponse {
        v1::FollowStandingsResponse {
            standings,
            next_position,
            issuance_position: next_position,
            caught_up: true,
        }
    }

    #[test]
    fn a_standing_that_cannot_be_read_is_not_passed_over() {
        let good = row(&"41".repeat(16), "");
        let standings = Standings::default();
        take(&standings, &message(vec![good.clone()], 1)).unwrap();
        let before = standings.progress();
        let other = row(&"42".repeat(16), "");
        let mut ends_first = good.clone();
        ends_first.not_after = "2007-02-03T23:59:59.000+09:00".to_owned();
        let mut nobody = good.clone();
        nobody.subject = None;
        for unreadable in [
            row("", ""),
            row(&"41".repeat(16), "yesterday"),
            ends_first,
            nobody,
        ] {
            let batch = vec![other.clone(), unreadable];
            assert!(take(&standings, &message(batch, 3)).is_err());
            assert_eq!((standings.progress(), standings.len()), (before, 1));
        }
        let revoked = row(&"41".repeat(16), "2009-02-01T09:00:00.000+09:00");
        take(&standings, &message(vec![other, revoked], 3)).unwrap();
        assert_eq!(
            (standings.progress().next_position, standings.len()),
            (3, 2)
        );
        let serial = "41".repeat(16).parse().unwrap();
        assert!(standings.revoked_at(serial).is_some());
    }
}
