//! Object identifiers, as the content octets of their DER.
//!
//! Policies lie under 2.999, the arc that ITU-T sets aside for examples: this is not a production
//! CA of the real LGPKI. (`const-oid` cannot hold that arc, which is one reason for plain octets.)

use std::fmt::Write as _;

pub(crate) const COUNTRY: &[u8] = &[0x55, 4, 6];
pub(crate) const ORGANIZATION: &[u8] = &[0x55, 4, 10];
pub(crate) const ORGANIZATIONAL_UNIT: &[u8] = &[0x55, 4, 11];
pub(crate) const COMMON_NAME: &[u8] = &[0x55, 4, 3];

pub(crate) const SUBJECT_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 14];
pub(crate) const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
pub(crate) const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 17];
pub(crate) const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
pub(crate) const CRL_NUMBER: &[u8] = &[0x55, 0x1d, 20];
pub(crate) const CRL_REASON: &[u8] = &[0x55, 0x1d, 21];
/// 2.5.29.28 (RFC 5280 §5.2.5); x509-cert 0.3 has another OID for it.
pub(crate) const ISSUING_DISTRIBUTION_POINT: &[u8] = &[0x55, 0x1d, 28];
pub(crate) const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 30];
pub(crate) const DELTA_CRL_INDICATOR: &[u8] = &[0x55, 0x1d, 27];
pub(crate) const FRESHEST_CRL: &[u8] = &[0x55, 0x1d, 46];
pub(crate) const CRL_DISTRIBUTION_POINTS: &[u8] = &[0x55, 0x1d, 31];
pub(crate) const CERTIFICATE_POLICIES: &[u8] = &[0x55, 0x1d, 32];
/// 2.5.29.32.0
pub(crate) const ANY_POLICY: &[u8] = &[0x55, 0x1d, 32, 0];
pub(crate) const POLICY_MAPPINGS: &[u8] = &[0x55, 0x1d, 33];
pub(crate) const AUTHORITY_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 35];
pub(crate) const POLICY_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 36];
pub(crate) const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
pub(crate) const INHIBIT_ANY_POLICY: &[u8] = &[0x55, 0x1d, 54];
pub(crate) const AUTHORITY_INFO_ACCESS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 1];

pub(crate) const OCSP: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 0x30, 1];
pub(crate) const OCSP_BASIC: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1];
pub(crate) const OCSP_NONCE: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 2];
pub(crate) const OCSP_NO_CHECK: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 5];
pub(crate) const CA_ISSUERS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 0x30, 2];
pub(crate) const CPS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 2, 1];

pub(crate) const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
pub(crate) const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
pub(crate) const CODE_SIGNING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 3];
pub(crate) const EMAIL_PROTECTION: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 4];

pub(crate) const OCSP_SIGNING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 9];

pub(crate) const SHA_1: &[u8] = &[0x2b, 14, 3, 2, 26];
pub(crate) const SHA_256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];

pub(crate) const EXTENSION_REQUEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 14];
pub(crate) const CHALLENGE_PASSWORD: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 7];

pub(crate) const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
pub(crate) const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
pub(crate) const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
pub(crate) const P384: &[u8] = &[0x2b, 0x81, 4, 0, 0x22];
pub(crate) const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// Names of what an applicant may send and may not, so that a refusal says more than digits.
const FAMILIAR: [(&[u8], &str); 20] = [
    (
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 2],
        "MD2 with RSA",
    ),
    (
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4],
        "MD5 with RSA",
    ),
    (
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5],
        "SHA-1 with RSA",
    ),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 7], "RSA-OAEP"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10], "RSA-PSS"),
    (
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 14],
        "SHA-224 with RSA",
    ),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1], "ECDSA with SHA-1"),
    (
        &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 1],
        "ECDSA with SHA-224",
    ),
    (
        &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4],
        "ECDSA with SHA-512",
    ),
    (&[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1], "DSA"),
    (&[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 3], "DSA with SHA-1"),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3, 2], "DSA with SHA-256"),
    (&[0x2b, 0x65, 0x71], "Ed448"),
    (&[0x2b, 0x65, 0x6e], "X25519"),
    (&[0x2b, 0x81, 4, 0, 0x23], "P-521"),
    (&[0x2b, 0x81, 4, 0, 0x0a], "secp256k1"),
    (&[0x2b, 0x81, 4, 0, 0x21], "P-224"),
    (RSA_ENCRYPTION, "RSA"),
    (P256, "P-256"),
    (P384, "P-384"),
];

/// The OID for a message: its name where it has a familiar one, and its dotted form.
pub(crate) fn describe(content: &[u8]) -> String {
    let dotted = dotted(content);
    match FAMILIAR.iter().find(|(oid, _)| *oid == content) {
        Some((_, name)) => format!("{name} ({dotted})"),
        None => dotted,
    }
}

/// The dotted form; an arc past 64 bits is shown as `…`.
pub(crate) fn dotted(content: &[u8]) -> String {
    let mut text = String::new();
    let mut arc = Some(0_u64);
    let mut first = true;
    for byte in content.iter().take(64) {
        arc = arc
            .and_then(|a| a.checked_mul(128))
            .map(|a| a | u64::from(byte & 0x7f));
        if byte & 0x80 != 0 {
            continue;
        }
        match arc {
            Some(value) if first => {
                let root = (value / 40).min(2);
                let _ = write!(text, "{root}.{}", value - 40 * root);
            }
            Some(value) => {
                let _ = write!(text, ".{value}");
            }
            None => text.push_str(".…"),
        }
        first = false;
        arc = Some(0);
    }
    text
}

/// The content octets of a dotted identifier.
pub(crate) fn parse(text: &str) -> Option<Vec<u8>> {
    let arcs = text
        .split('.')
        .map(|arc| {
            let plain =
                arc.bytes().all(|b| b.is_ascii_digit()) && (arc == "0" || !arc.starts_with('0'));
            plain.then(|| arc.parse::<u64>().ok()).flatten()
        })
        .collect::<Option<Vec<_>>>()?;
    let [root, second, rest @ ..] = arcs.as_slice() else {
        return None;
    };
    let (root, second) = (*root, *second);
    if root > 2 || (root < 2 && second > 39) {
        return None;
    }
    let mut content = Vec::new();
    for arc in std::iter::once(second.checked_add(40 * root)?).chain(rest.iter().copied()) {
        let groups = (64 - arc.leading_zeros()).div_ceil(7).max(1);
        for group in (0..groups).rev() {
            let bits = (arc >> (7 * group)).to_le_bytes()[0] & 0x7f;
            content.push(bits | if group > 0 { 0x80 } else { 0 });
        }
    }
    Some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_shown_in_dotted_form() {
        assert_eq!(dotted(&[0x88, 0x37, 0x83, 0x08, 1]), "2.999.392.1");
        assert_eq!(dotted(CA_ISSUERS), "1.3.6.1.5.5.7.48.2");
        assert_eq!(describe(P384), "P-384 (1.3.132.0.34)");
        assert_eq!(dotted(&[0xff; 30]), "");
    }

    #[test]
    fn dotted_forms_read_back() {
        for text in [
            "2.999.392.1",
            "1.3.6.1.5.5.7.48.2",
            "2.5.29.32.0",
            "0.0",
            "1.2.840.113549.1.1.11",
        ] {
            assert_eq!(dotted(&parse(text).unwrap()), text);
        }
        for wrong in [
            "",
            "1",
            "3.1",
            "1.40",
            "1.02",
            "1..2",
            "1.2.",
            "1.a",
            "1.99999999999999999999",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
