//! The lint of CRLs, complete and delta.
//!
//! A list is linted as it comes, piece by piece; what was digested is what was linted. One entry at a
//! time is decoded, so that a large list needs no more memory than its bytes, and not even those
//! where its digest is all that is signed.

use std::collections::BTreeMap;

use der::Decode;
use lgpki_domain::{CrlNumber, CrlScope, Serial, Timestamp};
use x509_cert::{
    ext::{
        Extension,
        pkix::{CrlDistributionPoints, crl::IssuingDistributionPoint},
    },
    name::Name,
    spki::AlgorithmIdentifierOwned,
};

use super::{
    Findings, LintRefused, LintedCrl,
    certificate::{is_full_name, is_point},
    fields::{check_algorithm, check_authority_key, check_extensions, check_time, value},
};
use crate::{
    crl::{CrlEntry, CrlSummary, PieceReader, ReadList, Unreadable, number_of},
    issuer::Issuer,
    key::Digesting,
    oid,
};

/// Checks a tbsCertList: form, issuer, dates, extensions, and every entry.
pub fn lint_crl(issuer: &Issuer, tbs: impl AsRef<[u8]>) -> Result<LintedCrl, LintRefused> {
    let mut lint = CrlLint::new(issuer.clone()).keeping();
    lint.push(tbs.as_ref());
    lint.finish()
}

/// Checks a tbsCertList that comes in pieces.
#[derive(Debug)]
pub struct CrlLint {
    issuer: Issuer,
    kept: Option<Vec<u8>>,
    digesting: Digesting,
    reader: PieceReader,
    unreadable: Option<Unreadable>,
    seen: Seen,
}

/// What the entries show before it is known of which scope the list is.
#[derive(Debug, Default)]
struct Seen {
    /// The latest revocation.
    latest: Option<(Timestamp, Serial)>,
    /// The first entry of each partition.
    partitions: BTreeMap<CrlScope, Serial>,
}

impl Seen {
    fn take(&mut self, issuer: &Issuer, entry: &CrlEntry) {
        let at = entry.revoked_at;
        if self.latest.is_none_or(|(latest, _)| latest < at) {
            self.latest = Some((at, entry.serial));
        }
        let options = issuer.crl_options();
        if options.partitions > 1 {
            let partition = options.scope_of(entry.serial);
            self.partitions.entry(partition).or_insert(entry.serial);
        }
    }
}

impl CrlLint {
    /// Nothing has come yet; the list must be one of this CA key.
    #[must_use]
    pub fn new(issuer: Issuer) -> Self {
        Self {
            issuer,
            kept: None,
            digesting: Digesting::new(),
            reader: PieceReader::default(),
            unreadable: None,
            seen: Seen::default(),
        }
    }

    /// Keeps the bytes, for a key that signs more than their digest.
    #[must_use]
    pub fn keeping(self) -> Self {
        let kept = Some(Vec::new());
        Self { kept, ..self }
    }

    /// Takes one more piece.
    pub fn push(&mut self, piece: &[u8]) {
        self.digesting.push(piece);
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(piece);
        }
        if self.unreadable.is_none() {
            let (issuer, seen) = (&self.issuer, &mut self.seen);
            let mut each = |entry| seen.take(issuer, &entry);
            self.unreadable = self.reader.push(piece, &mut each).err();
        }
    }

    /// Judges the whole list.
    pub fn finish(self) -> Result<LintedCrl, LintRefused> {
        let Self {
            issuer,
            kept,
            digesting,
            reader,
            unreadable,
            mut seen,
        } = self;
        let list = match unreadable {
            Some(why) => Err(why),
            None => reader.finish(&mut |entry| seen.take(&issuer, &entry)),
        };
        let mut findings = Findings::default();
        let checked = match list {
            Ok(list) => check(&issuer, &list, &seen, &mut findings),
            Err(Unreadable::Form(why)) => findings.decoded(Err(why), FORM),
            Err(Unreadable::Entry(why)) => findings.decoded(Err(why), "RFC 5280 §5.3"),
        };
        findings.into_result()?;
        match checked {
            Some((scope, summary)) => Ok(LintedCrl {
                digest: digesting.finish(),
                scope,
                tbs: kept,
                algorithm: issuer.signature_algorithm(),
                summary,
            }),
            None => Err(LintRefused {
                findings: Vec::new(),
            }),
        }
    }
}

const FORM: &str = "RFC 5280 §5.1";
const DATES: &str = "RFC 5280 §5.1.2";

fn check(
    issuer: &Issuer,
    list: &ReadList,
    seen: &Seen,
    findings: &mut Findings,
) -> Option<(CrlScope, CrlSummary)> {
    let fields = findings.decoded(list.fields(), FORM)?;
    findings.require(
        fields.version == [1],
        "RFC 5280 §5.1.2.1",
        "the version is not v2",
    );
    let algorithm = AlgorithmIdentifierOwned::from_der(fields.algorithm);
    check_algorithm(
        &findings.decoded(algorithm, "RFC 5280 §5.1.2.2")?,
        issuer.signature_algorithm(),
        findings,
    );
    let name = findings.decoded(Name::from_der(fields.issuer), "RFC 5280 §5.1.2.3")?;
    findings.require(
        name == issuer.name,
        "RFC 5280 §5.1.2.3",
        "the issuer is not the CA certificate's subject",
    );
    let (this_update, next_update) = findings.decoded(fields.dates(), DATES)?;
    for (der, date) in [
        (fields.this_update, this_update),
        (fields.next_update, next_update),
    ] {
        let time = findings.decoded(x509_cert::time::Time::from_der(der), DATES)?;
        check_time(time, date, findings);
    }
    findings.require(
        this_update < next_update,
        DATES,
        "nextUpdate is not after thisUpdate",
    );
    // A key publishes CRLs from its ceremony on, which may come before its first day.
    findings.require(
        !issuer.validity().is_over(this_update),
        DATES,
        "thisUpdate is after the CA's end",
    );
    findings.require(
        list.lists_entries != list.entries.is_empty(),
        "RFC 5280 §5.1.2.6",
        "an empty list of entries must be left out",
    );
    let extensions = findings.decoded(fields.extensions(), "RFC 5280 §5.2")?;
    let scope = scope_of(issuer, &extensions, findings)?;
    let (number, base) = check_crl_extensions(issuer, scope, &extensions, findings);
    check_entries(scope, this_update, seen, findings);
    let summary = CrlSummary {
        base,
        number: number?,
        this_update,
        next_update,
        entries: list.count,
    };
    Some((scope, summary))
}

fn check_entries(scope: CrlScope, this_update: Timestamp, seen: &Seen, findings: &mut Findings) {
    if let Some((_, serial)) = seen.latest.filter(|(latest, _)| *latest > this_update) {
        let message = format!("{serial} is revoked after thisUpdate");
        findings.note("RFC 5280 §5.1.2.6", message);
    }
    if scope == CrlScope::CaCertificates {
        return;
    }
    let mut partitions = seen.partitions.iter();
    if let Some((_, serial)) = partitions.find(|(partition, _)| **partition != scope) {
        let message = format!("{serial} belongs to another partition");
        findings.note("RFC 5280 §5.2.5", message);
    }
}

/// The scope that the issuingDistributionPoint tells of, which must be one that the CA publishes.
fn scope_of(issuer: &Issuer, found: &[Extension], findings: &mut Findings) -> Option<CrlScope> {
    const POINT: &str = "RFC 5280 §5.2.5";
    let point: Option<IssuingDistributionPoint> =
        value(found, oid::ISSUING_DISTRIBUTION_POINT, POINT, findings);
    let Some(point) = point else {
        findings.note(POINT, "the issuingDistributionPoint is missing".to_owned());
        return None;
    };
    let plain = !point.only_contains_attribute_certs
        && !point.indirect_crl
        && point.only_some_reasons.is_none();
    let covers = (point.only_contains_user_certs, point.only_contains_ca_certs);
    let name = point.distribution_point.as_ref();
    let fits = |scope: &CrlScope| match scope {
        CrlScope::CaCertificates => covers == (false, true) && name.is_none(),
        CrlScope::User | CrlScope::Partition(_) => {
            let addresses = issuer.addresses().crl_of(*scope, false);
            covers == (true, false) && name.is_some_and(|name| is_full_name(name, &addresses))
        }
    };
    let scope = issuer.crl_options().scopes().find(fits);
    if scope.is_none() || !plain {
        let message = "the issuingDistributionPoint is not that of the CA's certificates";
        findings.note(POINT, message.to_owned());
        return None;
    }
    scope
}

fn check_crl_extensions(
    issuer: &Issuer,
    scope: CrlScope,
    found: &[Extension],
    findings: &mut Findings,
) -> (Option<CrlNumber>, Option<CrlNumber>) {
    const DELTA: &str = "RFC 5280 §5.2.4";
    let has = |oid: &[u8]| found.iter().any(|e| e.extn_id.as_bytes() == oid);
    let mut expected = vec![
        (oid::AUTHORITY_KEY_IDENTIFIER, false),
        (oid::CRL_NUMBER, false),
        (oid::ISSUING_DISTRIBUTION_POINT, true),
    ];
    let is_delta = has(oid::DELTA_CRL_INDICATOR);
    let has_delta = issuer.crl_options().has_delta(scope);
    if is_delta {
        expected.push((oid::DELTA_CRL_INDICATOR, true));
        findings.require(has_delta, DELTA, "this CA publishes no delta of this CRL");
    } else if has_delta {
        expected.push((oid::FRESHEST_CRL, false));
        check_freshest(issuer, scope, found, findings);
    }
    check_extensions(found, &expected, findings);
    check_authority_key(found, issuer.key_id(), findings);
    let number = number(found, oid::CRL_NUMBER, findings);
    let base = number_if(is_delta, found, findings);
    if let (Some(number), Some(base)) = (number, base) {
        let message = "the base comes after the delta CRL";
        findings.require(base <= number, DELTA, message);
    }
    (number, base)
}

fn number_if(is_delta: bool, found: &[Extension], findings: &mut Findings) -> Option<CrlNumber> {
    if !is_delta {
        return None;
    }
    number(found, oid::DELTA_CRL_INDICATOR, findings)
}

/// A number of a CRL; one that does not fit is noted.
fn number(found: &[Extension], of: &[u8], findings: &mut Findings) -> Option<CrlNumber> {
    let number = found
        .iter()
        .find(|e| e.extn_id.as_bytes() == of)
        .map(number_of);
    if number == Some(None) {
        let message = "a CRL number does not fit 64 bits";
        findings.note("RFC 5280 §5.2.3", message.to_owned());
    }
    number.flatten()
}

/// Checks that a freshestCRL points to the delta of this scope.
pub(super) fn check_freshest(
    issuer: &Issuer,
    scope: CrlScope,
    found: &[Extension],
    findings: &mut Findings,
) {
    const RULE: &str = "RFC 5280 §5.2.6";
    let points = value(found, oid::FRESHEST_CRL, RULE, findings);
    if let Some(CrlDistributionPoints(points)) = points {
        let right = is_point(&points, &issuer.addresses().crl_of(scope, true));
        findings.require(right, RULE, "the freshestCRL is not the CA's delta CRL");
    }
}
