//! The parts of which certificates consist, written anew: names, policies, addresses, identifiers.

use lgpki_domain::{CertificateKind, CrlScope};
use lgpki_x509::{Issuer, key::sha256};

use super::{OID, SEQUENCE};
use crate::{
    der::{Value, inside, write},
    view,
};

const SET: u8 = 0x31;

/// 2.999.392.1.
const OUR_POLICIES: [u8; 5] = [0x88, 0x37, 0x83, 0x08, 1];
/// O of every subscriber.
const ORGANIZATION: [&str; 2] = ["Local Governments", "地方公共団体"];
/// The roles of officers in the order of their policies.
const ROLES: [&str; 4] = ["branch-officer", "lgwan-officer", "operator", "auditor"];

/// certificatePolicies with the address of the practice statement; a login's role is the one that its
/// own URI names.
pub(super) fn policy(kind: CertificateKind, names: &[Value<'_>], cps: &str) -> Vec<u8> {
    let number = match kind {
        CertificateKind::OfficialDuty => 1,
        CertificateKind::User => 2,
        CertificateKind::Login => 3,
        CertificateKind::WebServer => 4,
        CertificateKind::CodeSigning => 5,
        CertificateKind::Mail => 6,
        CertificateKind::Cross => 7,
        CertificateKind::Link => 8,
        CertificateKind::OcspResponder => 9,
    };
    let mut oid = OUR_POLICIES.to_vec();
    oid.push(number);
    if kind == CertificateKind::Login {
        let role = (1..).zip(ROLES).find(|(_, role)| {
            let begin = format!("lgpki:login/{role}/");
            names
                .iter()
                .any(|name| name.content.starts_with(begin.as_bytes()))
        });
        oid.push(role.map_or(0, |(number, _)| number));
    }
    let oid = write(OID, &[&oid]);
    let address = write(0x16, &[cps.as_bytes()]);
    let statement = write(OID, &[&[0x2b, 6, 1, 5, 5, 7, 2, 1]]);
    let qualifier = write(SEQUENCE, &[&statement, &address]);
    let policy = write(SEQUENCE, &[&oid, &write(SEQUENCE, &[&qualifier])]);
    write(SEQUENCE, &[&policy])
}

/// subjectAltName: host names, one mail address or one login URI as the kind has them, then the name
/// in Japanese. Which they are is held against the application elsewhere.
pub(super) fn other_names(issued: &view::Issued, found: &[Value<'_>]) -> Vec<u8> {
    let (tag, most) = match issued.kind {
        CertificateKind::WebServer => (0x82, 10),
        CertificateKind::Mail => (0x81, 1),
        CertificateKind::Login => (0x86, 1),
        _ => (0, 0),
    };
    let of_kind = found.iter().filter(|name| name.tag == tag).take(most);
    let mut names: Vec<_> = of_kind.map(|name| name.whole.to_owned()).collect();
    if issued.kind == CertificateKind::WebServer {
        // The subject's name is its first host name.
        let first = write(tag, &[issued.subject.name.en.as_bytes()]);
        if names.first() != Some(&first) {
            names.insert(0, first);
        }
    } else if names.len() < most {
        names.push(write(tag, &[]));
    }
    let japanese = name(&issued.subject, Language::Japanese);
    names.push(write(0xa4, &[&japanese]));
    write(SEQUENCE, &[&names.concat()])
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    English,
    Japanese,
}

/// A subscriber's name: C, O, OU (body), OU (unit), CN.
pub(super) fn name(subject: &view::Subject, language: Language) -> Vec<u8> {
    let [en, ja] = ORGANIZATION;
    let pick = |names: &view::Names| match language {
        Language::English => names.en.clone(),
        Language::Japanese => names.ja.clone(),
    };
    let organization = match language {
        Language::English => en,
        Language::Japanese => ja,
    };
    let mut parts = vec![(10, organization.to_owned()), (11, pick(&subject.body))];
    parts.extend(subject.unit.as_ref().map(|unit| (11, pick(unit))));
    parts.push((3, pick(&subject.name)));
    distinguished(&parts, language)
}

/// A name that begins with `C=JP`: English as PrintableString, Japanese as UTF8String.
pub(super) fn distinguished(parts: &[(u8, String)], language: Language) -> Vec<u8> {
    let one = |last: u8, string: u8, value: &str| {
        let kind = write(OID, &[&[0x55, 4, last]]);
        let value = write(string, &[value.as_bytes()]);
        write(SET, &[&write(SEQUENCE, &[&kind, &value])])
    };
    let string = match language {
        Language::English => 0x13,
        Language::Japanese => 0x0c,
    };
    let mut all = one(6, 0x13, "JP");
    for (last, value) in parts {
        all.extend(one(*last, string, value));
    }
    write(SEQUENCE, &[&all])
}

/// RFC 7093 §2, method 1.
pub(super) fn key_id(key: &[u8]) -> Vec<u8> {
    let bits = inside(SEQUENCE, key).and_then(|parts| parts.get(1).copied());
    let bits = bits.map_or(&[][..], |bits| bits.content);
    let digest = sha256(bits.get(1..).unwrap_or_default());
    write(4, &[&digest.0[..20]])
}

pub(super) fn ca_key_id(ca: &Issuer) -> Vec<u8> {
    write(SEQUENCE, &[&write(0x80, &[ca.key_id().as_bytes()])])
}

/// cRLDistributionPoints, or freshestCRL: the addresses beside the CRL of all user certificates.
pub(super) fn crl_points(ca: &Issuer, scope: CrlScope, delta: bool) -> Vec<u8> {
    let mut mark = match scope {
        CrlScope::User => String::new(),
        other => format!("-{other}"),
    };
    if delta {
        mark.push_str("-delta");
    }
    let address = |all: &String| {
        let stem = all.strip_suffix(".crl").unwrap_or(all);
        write(0x86, &[stem.as_bytes(), mark.as_bytes(), b".crl"])
    };
    let all: Vec<_> = ca.addresses().crl.iter().map(address).collect();
    let name = write(0xa0, &[&write(0xa0, &[&all.concat()])]);
    write(SEQUENCE, &[&write(SEQUENCE, &[&name])])
}

/// authorityInfoAccess: where the CA's certificate lies, and who answers.
pub(super) fn access(ca: &Issuer, ocsp: &[String]) -> Vec<u8> {
    let one = |last: u8, address: &String| {
        let method = write(OID, &[&[0x2b, 6, 1, 5, 5, 7, 0x30, last]]);
        write(SEQUENCE, &[&method, &write(0x86, &[address.as_bytes()])])
    };
    let certificates = ca.addresses().ca_certificate.iter().map(|a| one(2, a));
    let all: Vec<_> = certificates.chain(ocsp.iter().map(|a| one(1, a))).collect();
    write(SEQUENCE, &[&all.concat()])
}
