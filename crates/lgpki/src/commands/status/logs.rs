//! How far the services' logs are published and cosigned, in a status.

use std::fmt::Write as _;

use lgpki_proto::v1;
use serde_json::{Value, json};

use crate::output::table;

/// A lag that is none: what is recorded is published within the next round.
const USUAL_MS: u64 = 5_000;

/// For machines.
pub(super) fn value(told: &v1::ListLogsResponse) -> Value {
    let each = told.publications.iter().map(|of| {
        let witness = of.witness.as_ref().map(|witness| {
            json!({
                "lag_ms": witness.lag_ms, "late": witness.late, "failing": witness.failing,
                "disputing": witness.disputing, "dispute_holds": witness.dispute_holds,
            })
        });
        json!({
            "service": of.service, "lag_ms": of.lag_ms, "late": of.late, "failing": of.failing,
            "witness": witness,
        })
    });
    json!({ "services": each.collect::<Vec<_>>(), "away": told.away })
}

/// For people.
pub(super) fn shown(told: &v1::ListLogsResponse) -> String {
    let rows = told.publications.iter().map(|of| {
        let mut published = lag(of.lag_ms, of.late);
        if !of.failing.is_empty() {
            published = format!("{published}\n{}", of.failing);
        }
        let cosigned = match &of.witness {
            None => String::from("no witness is asked"),
            Some(witness) => {
                let mut lines = vec![lag(witness.lag_ms, witness.late)];
                lines.extend(
                    witness
                        .disputing
                        .iter()
                        .map(|what| format!("DISPUTED by {what}")),
                );
                if witness.dispute_holds && of.service == "issuer" {
                    lines.push(String::from("CERTIFICATES WAIT until that is settled"));
                }
                let failing = witness.failing.iter();
                // A dispute is told of as such.
                let failing = failing.filter(|what| !witness.disputing.contains(what));
                lines.extend(failing.cloned());
                lines.join("\n")
            }
        };
        vec![of.service.clone(), published, cosigned]
    });
    let mut text = table(&["log of", "published", "cosigned"], rows);
    for away in &told.away {
        let _ = write!(text, "\nthe log of {away}: the service could not be asked");
    }
    text
}

/// What somebody must look at.
pub(super) fn alarms(told: &v1::ListLogsResponse) -> usize {
    let each = told.publications.iter().map(|of| {
        let witness = of.witness.as_ref();
        usize::from(of.late)
            + witness.map_or(0, |witness| {
                usize::from(witness.late) + witness.disputing.len()
            })
    });
    each.sum()
}

fn lag(millis: u64, late: bool) -> String {
    if millis < USUAL_MS && !late {
        return String::from("all");
    }
    let seconds = millis / 1000;
    let late = if late { ": LATE" } else { "" };
    format!("not for {} min {:02} s{late}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lags_and_who_disputes_is_told_and_counted() {
        let witness = v1::WitnessState {
            lag_ms: 725_000,
            late: true,
            failing: vec!["w1: nobody answers".into(), "w2: it knows 9".into()],
            disputing: vec!["w2: it knows 9".into()],
            dispute_holds: true,
        };
        let of = |service: &str, lag_ms, witness| v1::PublicationState {
            service: service.into(),
            lag_ms,
            witness,
            ..Default::default()
        };
        let told = v1::ListLogsResponse {
            publications: vec![of("issuer", 800, Some(witness)), of("intake", 9_000, None)],
            away: vec!["lifecycle".into()],
            ..Default::default()
        };
        let text = shown(&told);
        for part in [
            "not for 12 min 05 s: LATE",
            "DISPUTED by w2: it knows 9",
            "CERTIFICATES WAIT",
            "w1: nobody answers",
            "not for 0 min 09 s",
            "no witness is asked",
            "the log of lifecycle",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(text.matches("it knows 9").count(), 1, "{text}");
        assert_eq!(alarms(&told), 2);
        assert_eq!(value(&told)["services"][0]["witness"]["late"], true);
    }
}
