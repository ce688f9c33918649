//! The profiles of certificates for CAs: a CA's own, links between its keys, cross certificates.
//!
//! What a cross certificate allows was decided at its ceremony and stands nowhere else in the logs;
//! so of it only the form is held: it constrains names and asks for a policy, or it is none.

use lgpki_domain::{Authority, CrlScope};
use lgpki_x509::Issuer;

use super::{
    ACCESS, CA_KEY_ID, CRL_POINTS, Extension, Fields, KEY_ID, KEY_USAGE, Must, OID, OTHER_NAMES,
    POLICIES, SEQUENCE, compare, must,
    parts::{Language, access, ca_key_id, crl_points, distinguished},
};
use crate::der::{Value, inside, values, write};

pub(super) const CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
pub(super) const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 30];
const POLICY_MAPPINGS: &[u8] = &[0x55, 0x1d, 33];
const POLICY_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 36];
const INHIBIT_ANY_POLICY: &[u8] = &[0x55, 0x1d, 54];

/// `keyCertSign` and `cRLSign`.
pub(super) const SIGNS_CERTIFICATES: &[u8] = &[3, 2, 1, 6];
/// 2.5.29.32.0
const ANY_POLICY: [u8; 4] = [0x55, 0x1d, 32, 0];

/// What is wrong with a CA's own certificate, self-signed and of the right name.
pub(crate) fn authority(ca: &Issuer) -> Vec<String> {
    let mut told = Vec::new();
    let Some(fields) = Fields::read(ca.certificate()) else {
        return vec!["it has not the fields of a CA certificate, or others".to_owned()];
    };
    let expected = [
        must(CA_KEY_ID, false, ca_key_id(ca)),
        must(KEY_ID, false, own_key_id(ca)),
        must(KEY_USAGE, true, SIGNS_CERTIFICATES.to_vec()),
        must(OTHER_NAMES, false, japanese(ca.authority())),
        must(CONSTRAINTS, true, constraints(ca.authority())),
    ];
    compare(&fields.extensions, &expected, &mut |what| told.push(what));
    told
}

/// Two keys of one CA vouch for one another.
pub(super) fn link(ca: &Issuer, certified: &Issuer) -> Vec<Extension> {
    let any = write(SEQUENCE, &[&write(OID, &[&ANY_POLICY])]);
    vec![
        must(CA_KEY_ID, false, ca_key_id(ca)),
        must(KEY_ID, false, own_key_id(certified)),
        must(KEY_USAGE, true, SIGNS_CERTIFICATES.to_vec()),
        must(POLICIES, false, write(SEQUENCE, &[&any])),
        must(OTHER_NAMES, false, japanese(ca.authority())),
        must(CONSTRAINTS, true, constraints(ca.authority())),
        must(CRL_POINTS, false, revoked_cas(ca)),
        must(ACCESS, false, access(ca, &[])),
    ]
}

/// Another operator's CA below this one.
pub(super) fn cross(ca: &Issuer) -> Vec<Extension> {
    let fit = |oid, critical, form| Extension {
        oid,
        critical,
        must: Must::Fit(form),
    };
    let may = |oid, critical, form| Extension {
        oid,
        critical,
        must: Must::FitIfThere(form),
    };
    vec![
        must(CA_KEY_ID, false, ca_key_id(ca)),
        // As the other CA itself has it.
        fit(KEY_ID, false, |value| {
            value.len() == 22 && value.starts_with(&[4, 20])
        }),
        must(KEY_USAGE, true, SIGNS_CERTIFICATES.to_vec()),
        fit(POLICIES, false, |value| all_of(value, |tags| tags == [OID])),
        fit(CONSTRAINTS, true, |value| {
            let parts = inside(SEQUENCE, value).unwrap_or_default();
            let is_ca = parts.first().is_some_and(|ca| ca.whole == [1, 1, 0xff]);
            is_ca && matches!(parts[1..], [] | [Value { tag: 2, .. }])
        }),
        fit(NAME_CONSTRAINTS, true, |value| {
            let parts = inside(SEQUENCE, value).unwrap_or_default();
            let tags: Vec<_> = parts.iter().map(|part| part.tag).collect();
            let says = parts.iter().all(|part| !part.content.is_empty());
            says && matches!(tags[..], [0xa0] | [0xa0, 0xa1])
        }),
        may(POLICY_MAPPINGS, false, |value| {
            all_of(value, |tags| tags == [OID, OID])
        }),
        // requireExplicitPolicy, without which the policies bind nobody.
        fit(POLICY_CONSTRAINTS, true, |value| {
            let parts = inside(SEQUENCE, value).unwrap_or_default();
            let tags: Vec<_> = parts.iter().map(|part| part.tag).collect();
            matches!(tags[..], [0x80] | [0x80, 0x81])
        }),
        may(
            INHIBIT_ANY_POLICY,
            true,
            |value| matches!(values(value).as_deref(), Some([one]) if one.tag == 2),
        ),
        must(CRL_POINTS, false, revoked_cas(ca)),
        must(ACCESS, false, access(ca, &[])),
    ]
}

/// Whether a list has parts, each a list of such tags.
fn all_of(value: &[u8], are: impl Fn(&[u8]) -> bool) -> bool {
    let parts = inside(SEQUENCE, value).unwrap_or_default();
    let fits = |part: &Value<'_>| {
        let tags = inside(SEQUENCE, part.whole).unwrap_or_default();
        are(&tags.iter().map(|value| value.tag).collect::<Vec<_>>())
    };
    !parts.is_empty() && parts.iter().all(fits)
}

/// The list of revoked CA certificates.
fn revoked_cas(ca: &Issuer) -> Vec<u8> {
    crl_points(ca, CrlScope::CaCertificates, false)
}

fn own_key_id(ca: &Issuer) -> Vec<u8> {
    write(4, &[ca.key_id().as_bytes()])
}

/// basicConstraints: no CA comes below the Application CA; each one below the Organization CA has a
/// limit of its own.
fn constraints(authority: Authority) -> Vec<u8> {
    let none_below: &[u8] = match authority {
        Authority::Organization => &[],
        Authority::Application => &[2, 1, 0],
    };
    write(SEQUENCE, &[&[1, 1, 0xff], none_below])
}

/// subjectAltName of a CA: its name in Japanese.
fn japanese(authority: Authority) -> Vec<u8> {
    let parts = [
        (10, "LGPKI".to_owned()),
        (11, authority.unit_ja().to_owned()),
    ];
    let name = distinguished(&parts, Language::Japanese);
    write(SEQUENCE, &[&write(0xa4, &[&name])])
}
