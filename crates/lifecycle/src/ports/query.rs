//! What is asked of the inventory: which certificates, how many, and when they expire.
//!
//! Plain values; the store answers them.

use std::collections::HashMap;

use lgpki_domain::{
    Authority, BodyCode, CertificateKind, Digest, JstDate, Names, Subject, Timestamp,
};

use super::{Certificate, CertificateState};

/// Which certificates are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only of this branch.
    pub branch: Option<BodyCode>,
    /// Only of these kinds; empty means all.
    pub kinds: Vec<CertificateKind>,
    /// Only in this state at this time.
    pub state: Option<(CertificateState, Timestamp)>,
    /// Only those whose notAfter is this or later.
    pub expires_from: Option<Timestamp>,
    /// Only those whose notAfter is this or earlier.
    pub expires_to: Option<Timestamp>,
    /// Only those that the issuer recorded on this day or later.
    pub issued_from: Option<JstDate>,
    /// Only those that the issuer recorded on this day or earlier.
    pub issued_to: Option<JstDate>,
    /// Only those of the key with this digest.
    pub key_digest: Option<Digest>,
    /// Only of this CA.
    pub authority: Option<Authority>,
    /// Only those that name this subject.
    pub subject: SubjectFilter,
}

/// A name in one or both languages; what is none is not compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    /// In English.
    pub en: Option<String>,
    /// In Japanese.
    pub ja: Option<String>,
}

impl Texts {
    fn fit(&self, names: Option<&Names>) -> bool {
        let equal = |wanted: &Option<String>, text: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| text == Some(wanted))
        };
        equal(&self.en, names.map(Names::en)) && equal(&self.ja, names.map(Names::ja))
    }
}

/// Parts of a subject; what is none is not compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubjectFilter {
    /// The body.
    pub body: Texts,
    /// The unit.
    pub unit: Texts,
    /// The name.
    pub name: Texts,
}

impl SubjectFilter {
    /// Whether all that is wanted stands in `subject`.
    #[must_use]
    pub fn fits(&self, subject: &Subject) -> bool {
        self.body.fit(Some(&subject.body))
            && self.unit.fit(subject.unit.as_ref())
            && self.name.fit(Some(&subject.name))
    }

    /// The texts that are wanted, in the order of [`subject_texts`].
    pub(crate) fn texts(&self) -> [Option<&str>; 6] {
        let Self { body, unit, name } = self;
        [
            body.en.as_deref(),
            body.ja.as_deref(),
            unit.en.as_deref(),
            unit.ja.as_deref(),
            name.en.as_deref(),
            name.ja.as_deref(),
        ]
    }
}

/// The texts of a subject: body, unit and name, each in English and Japanese.
pub(crate) fn subject_texts(subject: &Subject) -> [Option<&str>; 6] {
    let unit = subject.unit.as_ref();
    [
        Some(subject.body.en()),
        Some(subject.body.ja()),
        unit.map(Names::en),
        unit.map(Names::ja),
        Some(subject.name.en()),
        Some(subject.name.ja()),
    ]
}

impl Certificate {
    /// Its state at `now`.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> CertificateState {
        let (revoked, renewing) = (self.revocation.is_some(), self.renewal.is_some());
        CertificateState::at(now, self.issued.not_after, revoked, renewing)
    }
}

/// How many certificates there are, by kind and state; what does not occur is left out.
pub type Counts = HashMap<(CertificateKind, CertificateState), u64>;

/// What a bar of a histogram stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bucket {
    /// A day.
    Day,
    /// A week, from Monday.
    Week,
    /// A calendar month.
    #[default]
    Month,
}

impl Bucket {
    /// The first day of the bucket after the one that `day` lies in.
    #[must_use]
    pub fn next(self, day: JstDate) -> JstDate {
        match self {
            Self::Day => day.plus_days(1),
            Self::Week => day.week_start().plus_days(7),
            Self::Month => day.month_start().plus_months(1),
        }
    }
}

/// What has a row of its own in a histogram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grouping {
    /// Nothing: one row for all.
    #[default]
    None,
    /// Each branch.
    Branch,
    /// Each kind.
    Kind,
}

/// Asks when certificates expire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistogramQuery {
    /// The first day that counts.
    pub from: JstDate,
    /// The last one; none means the last day on which a certificate expires.
    pub to: Option<JstDate>,
    /// What a bar stands for.
    pub bucket: Bucket,
    /// Only of this branch.
    pub branch: Option<BodyCode>,
    /// Only of these kinds; empty means all.
    pub kinds: Vec<CertificateKind>,
    /// What has a row of its own.
    pub grouping: Grouping,
}

/// When certificates expire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    /// The first day of each bucket.
    pub buckets: Vec<JstDate>,
    /// The last day that counts.
    pub to: JstDate,
    /// One, or one for each branch or kind that occurs.
    pub rows: Vec<HistogramRow>,
}

/// A row of a histogram: a number for each bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistogramRow {
    /// By branch: which; none where there is none.
    pub branch: Option<BodyCode>,
    /// By kind: which.
    pub kind: Option<CertificateKind>,
    /// Certificates not revoked.
    pub unrevoked: Vec<u32>,
    /// Revoked ones, which would have expired then.
    pub revoked: Vec<u32>,
}
