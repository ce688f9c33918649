//! Counts and histograms, from the wire and to it.

use lgpki_domain::{CertificateKind, Faults, JstDate};
use lgpki_proto::{
    convert::{FIELD_UNKNOWN_VALUE, all_of, optional_text, wire, wire_or_unset},
    v1,
};

use super::encode;
use crate::ports::{Bucket, Counts, Grouping, Histogram, HistogramQuery};

/// What a histogram is asked for.
pub(super) fn query(
    asked: &v1::GetExpiryHistogramRequest,
    today: JstDate,
) -> Result<HistogramQuery, Faults> {
    let mut faults = Faults::new();
    let f = &mut faults;
    let from = optional_text::<JstDate>(f, "from", &asked.from).unwrap_or(today);
    let to = optional_text::<JstDate>(f, "to", &asked.to);
    if to.is_some_and(|to| to < from) {
        f.push(
            "to",
            "DAYS_REVERSED",
            format!("the last day lies before the first, {from}"),
        );
    }
    let query = HistogramQuery {
        from,
        to,
        bucket: bucket(f, asked.bucket),
        branch: optional_text(f, "branch", &asked.branch),
        kinds: all_of::<CertificateKind>(f, "kinds", &asked.kinds),
        grouping: grouping(f, asked.group_by),
    };
    faults.into_result().map(|()| query)
}

fn bucket(faults: &mut Faults, number: i32) -> Bucket {
    match v1::HistogramBucket::try_from(number) {
        Ok(v1::HistogramBucket::Day) => Bucket::Day,
        Ok(v1::HistogramBucket::Week) => Bucket::Week,
        Ok(v1::HistogramBucket::Unspecified | v1::HistogramBucket::Month) => Bucket::Month,
        Err(_) => {
            let message = format!("{number} is no bucket; a day, a week and a month are known");
            faults.push("bucket", FIELD_UNKNOWN_VALUE, message);
            Bucket::default()
        }
    }
}

fn grouping(faults: &mut Faults, number: i32) -> Grouping {
    match v1::HistogramGrouping::try_from(number) {
        Ok(v1::HistogramGrouping::Unspecified) => Grouping::None,
        Ok(v1::HistogramGrouping::Branch) => Grouping::Branch,
        Ok(v1::HistogramGrouping::Kind) => Grouping::Kind,
        Err(_) => {
            let message = format!("{number} is no grouping; branch and kind are known");
            faults.push("group_by", FIELD_UNKNOWN_VALUE, message);
            Grouping::default()
        }
    }
}

/// A histogram.
pub(super) fn encode(histogram: Histogram) -> v1::GetExpiryHistogramResponse {
    let Histogram { buckets, to, rows } = histogram;
    let sum = |numbers: &[u32]| numbers.iter().map(|n| u64::from(*n)).sum::<u64>();
    v1::GetExpiryHistogramResponse {
        buckets: buckets.iter().map(ToString::to_string).collect(),
        to: to.to_string(),
        unrevoked: rows.iter().map(|row| sum(&row.unrevoked)).sum(),
        revoked: rows.iter().map(|row| sum(&row.revoked)).sum(),
        rows: rows
            .into_iter()
            .map(|row| v1::HistogramRow {
                branch: encode::text_or_empty(row.branch),
                kind: wire_or_unset(row.kind),
                unrevoked: row.unrevoked,
                revoked: row.revoked,
            })
            .collect(),
    }
}

/// Counts, by kind and then by state.
pub(super) fn counts(counts: &Counts) -> v1::CountCertificatesResponse {
    let mut told: Vec<_> = counts
        .iter()
        .map(|((kind, state), count)| v1::CertificateCount {
            kind: wire(*kind),
            state: encode::state(*state).into(),
            count: *count,
        })
        .collect();
    told.sort_unstable_by_key(|count| (count.kind, count.state));
    v1::CountCertificatesResponse {
        total: told.iter().map(|count| count.count).sum(),
        counts: told,
    }
}
