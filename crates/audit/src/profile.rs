//! What a certificate of each kind must be, octet for octet, from a table of the auditor's own.
//!
//! Whatever a certificate could be used for stands in its extensions, so none may stand there that
//! its kind has not, and each must say what its kind says: usages, policy, names, and where its own
//! CA publishes. The table is written from the published description of the profiles:
//!
//! | kind | keyUsage (critical) | extKeyUsage | policy, below 2.999.392.1 |
//! |---|---|---|---|
//! | official-duty | digitalSignature, nonRepudiation | none | 1, critical |
//! | user | digitalSignature, nonRepudiation | clientAuth, emailProtection | 2 |
//! | login | digitalSignature | clientAuth | 3, below it the role |
//! | web-server | digitalSignature; RSA also keyEncipherment | serverAuth | 4 |
//! | code-signing | digitalSignature | codeSigning | 5 |
//! | mail | as web-server; P-256 and P-384 also keyAgreement | emailProtection | 6 |
//! | ocsp-responder | digitalSignature | OCSPSigning | 9; nocheck instead of addresses |
//! | link, cross, a CA's own | keyCertSign, cRLSign | none | link: anyPolicy |
//!
//! Only the last row has basicConstraints; the profiles of CAs are in [`ca`].

mod ca;
mod parts;

use lgpki_domain::{AuthorityKey, CertificateKind, CrlScope, KeyAlgorithm};
use lgpki_x509::{Issuer, SubjectPublicKey};

pub(crate) use self::ca::authority;
use self::parts::{Language, access, ca_key_id, crl_points, key_id, name, other_names, policy};
use crate::{
    authorities::Authorities,
    certificate::{Fault, is_signed_by},
    der::{Value, dotted, inside, values, write},
    finding::Rule,
    view,
};

const SEQUENCE: u8 = 0x30;
const OID: u8 = 0x06;

const KEY_ID: &[u8] = &[0x55, 0x1d, 14];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
const OTHER_NAMES: &[u8] = &[0x55, 0x1d, 17];
const CRL_POINTS: &[u8] = &[0x55, 0x1d, 31];
const POLICIES: &[u8] = &[0x55, 0x1d, 32];
const CA_KEY_ID: &[u8] = &[0x55, 0x1d, 35];
const PURPOSES: &[u8] = &[0x55, 0x1d, 37];
const FRESHEST_CRL: &[u8] = &[0x55, 0x1d, 46];
const ACCESS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 1];
const NO_CHECK: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 5];

/// `digitalSignature`, and with `nonRepudiation`, `keyEncipherment`, `keyAgreement`.
const SIGNS: &[u8] = &[3, 2, 7, 0x80];
const SIGNS_FOR_GOOD: &[u8] = &[3, 2, 6, 0xc0];
const SIGNS_AND_ENCIPHERS: &[u8] = &[3, 2, 5, 0xa0];
const SIGNS_AND_AGREES: &[u8] = &[3, 2, 3, 0x88];

/// An extension as it must be.
struct Extension {
    oid: &'static [u8],
    critical: bool,
    must: Must,
}

/// What an extension's value must be.
enum Must {
    /// These octets.
    Be(Vec<u8>),
    /// Of this form: what it says was decided at a ceremony.
    Fit(fn(&[u8]) -> bool),
    /// Of this form, if it is there.
    FitIfThere(fn(&[u8]) -> bool),
}

const fn must(oid: &'static [u8], critical: bool, value: Vec<u8>) -> Extension {
    Extension {
        oid,
        critical,
        must: Must::Be(value),
    }
}

/// The fields of a tbsCertificate that must all be there, each whole but the extensions.
struct Fields<'a> {
    algorithm: &'a [u8],
    issuer: &'a [u8],
    subject: &'a [u8],
    key: &'a [u8],
    extensions: Vec<Found<'a>>,
}

/// An extension as it is.
struct Found<'a> {
    oid: &'a [u8],
    critical: bool,
    value: &'a [u8],
}

impl<'a> Fields<'a> {
    /// None if it is no certificate of version 3, or has a field that none here has.
    fn read(certificate: &'a [u8]) -> Option<Self> {
        let certificate = inside(SEQUENCE, certificate)?;
        let fields = values(certificate.first()?.content)?;
        let [version, _, algorithm, issuer, _, subject, key, extensions] = fields[..] else {
            return None;
        };
        let all = inside(SEQUENCE, extensions.content)?;
        let extensions = (extensions.tag == 0xa3).then_some(all)?;
        (version.whole == [0xa0, 3, 2, 1, 2]).then_some(Self {
            algorithm: algorithm.whole,
            issuer: issuer.whole,
            subject: subject.whole,
            key: key.whole,
            extensions: extensions.iter().map(found).collect::<Option<_>>()?,
        })
    }
}

fn found<'a>(extension: &Value<'a>) -> Option<Found<'a>> {
    let parts = values(extension.content)?;
    let (oid, critical, value) = match parts[..] {
        [oid, value] => (oid, false, value),
        [oid, critical, value] if critical.whole == [1, 1, 0xff] => (oid, true, value),
        _ => return None,
    };
    (oid.tag == OID && value.tag == 4).then_some(Found {
        oid: oid.content,
        critical,
        value: value.content,
    })
}

/// Holds a certificate against its kind and its CA; none if the CA, or the key of a CA that it
/// certifies, is not known yet.
pub(crate) fn check(
    der: &[u8],
    issued: &view::Issued,
    authorities: &Authorities,
) -> Option<Vec<Fault>> {
    let of = issued.of.key();
    let ca = authorities.issuer(of)?;
    let mut faults = Vec::new();
    if !is_signed_by(der, ca.public_key()) {
        let what = format!("it does not bear the signature of {of}");
        faults.push((Rule::CertificateSignature, what));
    }
    let (Some(fields), Some(own)) = (Fields::read(der), Fields::read(ca.certificate())) else {
        let what = "it has not the fields of a certificate, or others".to_owned();
        faults.push((Rule::Profile, what));
        return Some(faults);
    };
    let mut tell = |what: String| faults.push((Rule::Profile, what));
    if fields.algorithm != own.algorithm {
        tell(format!(
            "it names another signature algorithm than {of} has"
        ));
    }
    if fields.issuer != own.subject {
        tell(format!("its issuer is not the name of {of}"));
    }
    let Ok(key) = SubjectPublicKey::parse("public_key", fields.key) else {
        tell("its key is none of those that are certified".to_owned());
        return Some(faults);
    };
    let kind = issued.kind;
    if !is_issued_by(kind, of) {
        tell(format!("{of} certifies no {kind}"));
    }
    let scope = if kind.is_ca() {
        CrlScope::CaCertificates
    } else {
        ca.crl_options().scope_of(issued.serial)
    };
    if scope != issued.of.series().scope {
        tell(format!("it belongs on the CRL of {scope}"));
    }
    let certified = match kind {
        CertificateKind::Link => Some(authorities.with_key(of.authority, fields.key)?),
        _ => None,
    };
    let subject = match kind {
        CertificateKind::Link => Some(own.subject.to_owned()),
        CertificateKind::Cross => None,
        _ => Some(name(&issued.subject, Language::English)),
    };
    if subject.map_or(fields.subject == own.subject, |s| s != fields.subject) {
        tell("its subject is not written as that of its kind".to_owned());
    }
    let expected = match (kind, certified) {
        (CertificateKind::Link, Some(certified)) => ca::link(ca, certified),
        (CertificateKind::Cross, _) => ca::cross(ca),
        _ => subscribers(ca, issued, &key, &fields),
    };
    compare(&fields.extensions, &expected, &mut tell);
    if let Some(what) = period(issued, ca, certified) {
        faults.push((Rule::Validity, what));
    }
    Some(faults)
}

/// Which CA issues what; below the Application CA there is no other CA.
fn is_issued_by(kind: CertificateKind, of: AuthorityKey) -> bool {
    match kind {
        CertificateKind::Cross => of.authority == lgpki_domain::Authority::Organization,
        CertificateKind::Link | CertificateKind::OcspResponder => true,
        _ => kind.authority() == Some(of.authority),
    }
}

/// Nothing outlives its CA; a link is good while both keys are.
fn period(issued: &view::Issued, ca: &Issuer, certified: Option<&Issuer>) -> Option<String> {
    let (first, last) = (issued.not_before, issued.not_after);
    let own = ca.validity();
    if let Some(certified) = certified.map(Issuer::validity) {
        let end = own.not_after().min(certified.not_after());
        let holds = (first, last) == (certified.not_before(), end);
        let what = "it does not last as long as both its keys".to_owned();
        return (!holds).then_some(what);
    }
    let within = own.not_before() <= first && last <= own.not_after();
    let of = format!("{}-{}", ca.authority(), ca.generation());
    (!within).then(|| format!("{first} to {last} is not within the validity of {of}"))
}

/// Compares what there is with what must be.
fn compare(found: &[Found<'_>], expected: &[Extension], tell: &mut dyn FnMut(String)) {
    for one in found {
        let same = found.iter().filter(|other| other.oid == one.oid).count();
        let named = label(one.oid);
        let Some(due) = expected.iter().find(|due| due.oid == one.oid) else {
            tell(format!("it carries {named}, which its kind has not"));
            continue;
        };
        let fits = match &due.must {
            Must::Be(value) => value == one.value,
            Must::Fit(form) | Must::FitIfThere(form) => form(one.value),
        };
        if same > 1 {
            tell(format!("it carries {named} more than once"));
        }
        if !fits {
            tell(format!("its {named} is not that of its kind and CA"));
        }
        if due.critical != one.critical {
            let not = if due.critical { "not " } else { "" };
            tell(format!("its {named} is {not}critical"));
        }
    }
    for due in expected {
        let is_there = found.iter().any(|one| one.oid == due.oid);
        if !is_there && !matches!(due.must, Must::FitIfThere(_)) {
            tell(format!("it lacks {}", label(due.oid)));
        }
    }
}

/// The extensions of subscribers', officers' and responders' certificates.
fn subscribers(
    ca: &Issuer,
    issued: &view::Issued,
    key: &SubjectPublicKey,
    fields: &Fields<'_>,
) -> Vec<Extension> {
    let names = fields.extensions.iter().find(|e| e.oid == OTHER_NAMES);
    let names = names.and_then(|names| inside(SEQUENCE, names.value));
    let names = names.unwrap_or_default();
    let (usage, purposes) = usage(issued.kind, key.algorithm());
    let mut expected = vec![
        must(CA_KEY_ID, false, ca_key_id(ca)),
        must(KEY_ID, false, key_id(fields.key)),
        must(KEY_USAGE, true, usage.to_vec()),
        must(
            POLICIES,
            issued.kind == CertificateKind::OfficialDuty,
            policy(issued.kind, &names, &ca.addresses().cps),
        ),
        must(OTHER_NAMES, false, other_names(issued, &names)),
    ];
    if !purposes.is_empty() {
        let purposes = purposes.iter().map(|last| {
            let oid = [0x2b, 6, 1, 5, 5, 7, 3, *last];
            write(OID, &[&oid])
        });
        let purposes = write(SEQUENCE, &[&purposes.collect::<Vec<_>>().concat()]);
        expected.push(must(PURPOSES, false, purposes));
    }
    if issued.kind == CertificateKind::OcspResponder {
        // RFC 6960 §4.2.2.2.1: nobody need ask whether it is revoked.
        expected.push(must(NO_CHECK, false, vec![5, 0]));
        return expected;
    }
    let scope = ca.crl_options().scope_of(issued.serial);
    expected.push(must(CRL_POINTS, false, crl_points(ca, scope, false)));
    if ca.crl_options().delta {
        expected.push(must(FRESHEST_CRL, false, crl_points(ca, scope, true)));
    }
    let ocsp = &ca.addresses().ocsp;
    expected.push(must(ACCESS, false, access(ca, ocsp)));
    expected
}

/// keyUsage, and the last arcs of the extended usages.
fn usage(kind: CertificateKind, key: KeyAlgorithm) -> (&'static [u8], &'static [u8]) {
    use CertificateKind as Kind;
    let is_rsa = matches!(
        key,
        KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096
    );
    match kind {
        Kind::OfficialDuty => (SIGNS_FOR_GOOD, &[]),
        Kind::User => (SIGNS_FOR_GOOD, &[2, 4]),
        Kind::Login => (SIGNS, &[2]),
        Kind::WebServer if is_rsa => (SIGNS_AND_ENCIPHERS, &[1]),
        Kind::WebServer => (SIGNS, &[1]),
        Kind::CodeSigning => (SIGNS, &[3]),
        Kind::Mail if is_rsa => (SIGNS_AND_ENCIPHERS, &[4]),
        Kind::Mail if key != KeyAlgorithm::Ed25519 => (SIGNS_AND_AGREES, &[4]),
        Kind::Mail => (SIGNS, &[4]),
        Kind::OcspResponder => (SIGNS, &[9]),
        Kind::Cross | Kind::Link => (ca::SIGNS_CERTIFICATES, &[]),
    }
}

/// An extension's name.
fn label(oid: &[u8]) -> String {
    let name = match oid {
        KEY_ID => "subjectKeyIdentifier",
        KEY_USAGE => "keyUsage",
        OTHER_NAMES => "subjectAltName",
        ca::CONSTRAINTS => "basicConstraints",
        ca::NAME_CONSTRAINTS => "nameConstraints",
        CRL_POINTS => "cRLDistributionPoints",
        POLICIES => "certificatePolicies",
        CA_KEY_ID => "authorityKeyIdentifier",
        PURPOSES => "extKeyUsage",
        FRESHEST_CRL => "freshestCRL",
        ACCESS => "authorityInfoAccess",
        NO_CHECK => "OCSP nocheck",
        other => return format!("the extension {}", dotted(other)),
    };
    name.to_owned()
}
