//! CRLs as the store knows them: what was published, which complete ones relying parties may still
//! hold, and what the next one must list.

use std::fmt;

use bytes::Bytes;
use lgpki_domain::{CrlNumber, CrlSeries, Digest, RevocationReason, Serial, Timestamp};
use lgpki_x509::issuer::crl_file_of;
use tokio::sync::mpsc;

/// One of the lists of a series: the complete one, or the delta to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CrlList {
    /// What its number counts within; both lists share it.
    pub series: CrlSeries,
    /// Whether it is the delta.
    pub delta: bool,
}

impl CrlList {
    /// The complete list of a series.
    #[must_use]
    pub const fn complete(series: CrlSeries) -> Self {
        Self {
            series,
            delta: false,
        }
    }

    /// The delta of a series.
    #[must_use]
    pub const fn delta(series: CrlSeries) -> Self {
        Self {
            series,
            delta: true,
        }
    }

    /// The name of its file, such as `organization-1-delta.crl`.
    #[must_use]
    pub fn file(self) -> String {
        crl_file_of(self.series, self.delta)
    }
}

/// Such as `organization-1 user` or `organization-1 user (delta)`.
impl fmt::Display for CrlList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}{}",
            self.series,
            if self.delta { " (delta)" } else { "" }
        )
    }
}

/// A CRL that was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// What its number counts within.
    pub series: CrlSeries,
    /// Delta only: the number of the complete CRL that it adds to.
    pub base: Option<CrlNumber>,
    /// CRLNumber.
    pub number: CrlNumber,
    /// SHA-256 of the CRL's DER.
    pub digest: Digest,
    /// How many revoked certificates it lists.
    pub entries: u64,
    /// thisUpdate.
    pub this_update: Timestamp,
    /// nextUpdate.
    pub next_update: Timestamp,
    /// Every revocation below this index of lifecycle's log was taken into account.
    pub reflects: u64,
}

impl Publication {
    /// Which list it is.
    #[must_use]
    pub const fn list(&self) -> CrlList {
        CrlList {
            series: self.series,
            delta: self.base.is_some(),
        }
    }
}

/// A complete CRL that a delta may add to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    /// CRLNumber.
    pub number: CrlNumber,
    /// thisUpdate.
    pub this_update: Timestamp,
    /// Until when it, or a later one that it stands for, is in force.
    pub until: Timestamp,
    /// Every revocation below this index of lifecycle's log was taken into account.
    pub reflects: u64,
}

/// What became of the attempt to record a publication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recording {
    /// Recorded.
    Recorded,
    /// It does not follow the newest: its number or time is not above that one's.
    OutOfOrder,
}

/// Where the publication of a series of CRLs stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublicationStanding {
    /// The newest complete CRL.
    pub newest: Option<Publication>,
    /// When it was recorded.
    pub recorded_at: Option<Timestamp>,
    /// The newest delta CRL.
    pub delta: Option<Publication>,
    /// When it was recorded.
    pub delta_recorded_at: Option<Timestamp>,
    /// The complete CRLs that were in force when the newest one was issued, oldest first; that one
    /// is the last.
    pub bases: Vec<Base>,
    /// Whether a key compromise waits to be published.
    pub urgent: bool,
}

impl PublicationStanding {
    /// The base of a delta issued at this time: the oldest complete CRL that is in force then, so
    /// that whoever holds one that is in force can use the delta (RFC 5280 §5.2.4).
    #[must_use]
    pub fn base_at(&self, this_update: Timestamp) -> Option<Base> {
        let in_force = |base: &&Base| base.until >= this_update;
        self.bases.iter().find(in_force).copied()
    }

    /// The highest number that was published, complete or delta.
    #[must_use]
    pub fn number(&self) -> Option<CrlNumber> {
        let both = [&self.newest, &self.delta].into_iter().flatten();
        both.map(|one| one.number).max()
    }

    /// The latest thisUpdate that was published, complete or delta.
    #[must_use]
    pub fn this_update(&self) -> Option<Timestamp> {
        let both = [&self.newest, &self.delta].into_iter().flatten();
        both.map(|one| one.this_update).max()
    }
}

/// An entry for the next CRL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The certificate.
    pub serial: Serial,
    /// When it was revoked.
    pub at: Timestamp,
    /// Why.
    pub reason: RevocationReason,
    /// Its notAfter.
    pub not_after: Timestamp,
}

/// A look at what the next CRLs of a series, complete and delta, must list. The store tells the
/// entries piece by piece, for there may be a million.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The time of the look.
    pub now: Timestamp,
    /// Every revocation below this index of the log is in it, and no other.
    pub reflects: u64,
    /// How many entries there are.
    pub entries: usize,
    /// No entry was revoked after this.
    pub latest: Option<Timestamp>,
    /// thisUpdate of the newest complete CRL, and the index below which it listed every revocation.
    pub newest: Option<(Timestamp, u64)>,
}

impl Snapshot {
    /// Whether an entry of the log at `index`, about a certificate with this notAfter, is to be listed.
    ///
    /// RFC 5280 §3.3: it may leave once it has stood on one CRL issued after the certificate's
    /// validity. The newest CRL alone tells, since both its time and what it lists only ever rise;
    /// but it may have been made under a clock that was ahead, so the time of the look counts as well.
    #[must_use]
    pub fn lists(&self, not_after: Timestamp, index: u64) -> bool {
        let may_leave = self.newest.is_some_and(|(this_update, reflects)| {
            index < reflects && not_after < this_update.min(self.now)
        });
        index < self.reflects && !may_leave
    }
}

/// A tbsCertList to be signed. It may still be being made, and the gate has not judged it yet.
#[derive(Debug)]
pub struct CrlToSign {
    /// What its number counts within.
    pub series: CrlSeries,
    /// Delta only: the BaseCRLNumber, as in the bytes.
    pub base: Option<CrlNumber>,
    /// CRLNumber, as in the bytes.
    pub number: CrlNumber,
    /// How many bytes it has.
    pub length: usize,
    /// Its DER, and that it may be signed. If they end without that, it must not be.
    pub parts: mpsc::Receiver<CrlPart>,
}

/// A part of what the issuer is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CrlPart {
    /// A piece of the tbsCertList.
    Piece(Bytes),
    /// It is whole, has passed the gate and may be signed; its SHA-256.
    End(Digest),
}
