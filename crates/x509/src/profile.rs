//! What a certificate of each kind may be used for.
//!
//! | kind | keyUsage (critical) | extKeyUsage | policy |
//! |---|---|---|---|
//! | official-duty | digitalSignature, nonRepudiation | none: the usage is the post's, not a protocol's | critical |
//! | user | digitalSignature, nonRepudiation | clientAuth, emailProtection | |
//! | login | digitalSignature | clientAuth | |
//! | web-server | digitalSignature; RSA also keyEncipherment | serverAuth | |
//! | code-signing | digitalSignature | codeSigning | |
//! | ocsp-responder | digitalSignature | OCSPSigning | |
//! | mail | digitalSignature; RSA also keyEncipherment, P-256/P-384 also keyAgreement | emailProtection | |
//!
//! Policies are not critical where TLS libraries read the certificate: some refuse such a
//! certificatePolicies outright. No kind carries basicConstraints: none is a CA.

use lgpki_domain::{CertificateKind, KeyAlgorithm, OfficerRole};

use crate::{oid, particulars::Particulars};

/// keyUsage bits as RFC 5280 §4.2.1.3 numbers them, bit 0 being the most significant.
pub(crate) mod usage {
    pub(crate) const DIGITAL_SIGNATURE: u16 = 0x8000;
    pub(crate) const NON_REPUDIATION: u16 = 0x4000;
    pub(crate) const KEY_ENCIPHERMENT: u16 = 0x2000;
    pub(crate) const KEY_AGREEMENT: u16 = 0x0800;
    pub(crate) const KEY_CERT_SIGN: u16 = 0x0400;
    pub(crate) const CRL_SIGN: u16 = 0x0200;
}

/// 2.999.392.1: the example arc, Japan's ISO 3166 number, certificate policies.
const POLICIES: [u8; 5] = [0x88, 0x37, 0x83, 0x08, 0x01];

/// What a certificate may be used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Profile {
    pub(crate) key_usage: u16,
    pub(crate) extended_key_usage: &'static [&'static [u8]],
    pub(crate) policy: Vec<u8>,
    pub(crate) policy_is_critical: bool,
    /// Whether it tells where its CRL, its CA's certificate and its OCSP responder are found; a
    /// responder's own tells instead that nobody need ask (RFC 6960 §4.2.2.2.1).
    pub(crate) tells_publication: bool,
}

/// The profile of a certificate for a key of this algorithm.
pub(crate) fn profile(particulars: &Particulars, key: KeyAlgorithm) -> Profile {
    use usage::{DIGITAL_SIGNATURE, KEY_AGREEMENT, KEY_ENCIPHERMENT, NON_REPUDIATION};
    let is_rsa = matches!(
        key,
        KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096
    );
    let transport = if is_rsa { KEY_ENCIPHERMENT } else { 0 };
    let agreement = match key {
        KeyAlgorithm::P256 | KeyAlgorithm::P384 => KEY_AGREEMENT,
        _ => 0,
    };
    let (key_usage, extended_key_usage): (u16, &[&[u8]]) = match particulars {
        Particulars::OfficialDuty => (DIGITAL_SIGNATURE | NON_REPUDIATION, &[]),
        Particulars::User => (
            DIGITAL_SIGNATURE | NON_REPUDIATION,
            &[oid::CLIENT_AUTH, oid::EMAIL_PROTECTION],
        ),
        Particulars::Login { .. } => (DIGITAL_SIGNATURE, &[oid::CLIENT_AUTH]),
        Particulars::WebServer { .. } => (DIGITAL_SIGNATURE | transport, &[oid::SERVER_AUTH]),
        Particulars::CodeSigning => (DIGITAL_SIGNATURE, &[oid::CODE_SIGNING]),
        Particulars::OcspResponder => (DIGITAL_SIGNATURE, &[oid::OCSP_SIGNING]),
        Particulars::Mail { .. } => (
            DIGITAL_SIGNATURE | transport | agreement,
            &[oid::EMAIL_PROTECTION],
        ),
    };
    Profile {
        key_usage,
        extended_key_usage,
        policy: policy(particulars),
        policy_is_critical: matches!(particulars, Particulars::OfficialDuty),
        tells_publication: !matches!(particulars, Particulars::OcspResponder),
    }
}

/// The policy's OID: one per kind, and below login's one per role.
fn policy(particulars: &Particulars) -> Vec<u8> {
    let mut policy = POLICIES.to_vec();
    policy.push(kind_number(particulars.kind()));
    if let Some((role, _)) = particulars.login() {
        policy.push(role_number(role));
    }
    policy
}

/// The kind that a policy stands for.
pub(crate) fn kind_of_policy(policy: &[u8]) -> Option<CertificateKind> {
    let rest = policy.strip_prefix(&POLICIES)?;
    let kind = CertificateKind::APPLICABLE
        .into_iter()
        .chain([CertificateKind::OcspResponder])
        .find(|k| rest.first() == Some(&kind_number(*k)))?;
    let role_fits = match rest.get(1..) {
        Some([]) => kind != CertificateKind::Login,
        Some([role]) => {
            kind == CertificateKind::Login
                && OfficerRole::ALL
                    .into_iter()
                    .any(|r| role_number(r) == *role)
        }
        _ => false,
    };
    role_fits.then_some(kind)
}

const fn kind_number(kind: CertificateKind) -> u8 {
    match kind {
        CertificateKind::OfficialDuty => 1,
        CertificateKind::User => 2,
        CertificateKind::Login => 3,
        CertificateKind::WebServer => 4,
        CertificateKind::CodeSigning => 5,
        CertificateKind::Mail => 6,
        CertificateKind::Cross => 7,
        CertificateKind::Link => 8,
        CertificateKind::OcspResponder => 9,
    }
}

const fn role_number(role: OfficerRole) -> u8 {
    match role {
        OfficerRole::BranchOfficer => 1,
        OfficerRole::LgwanOfficer => 2,
        OfficerRole::Operator => 3,
        OfficerRole::Auditor => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kinds_policy_reads_back() {
        for particulars in [
            Particulars::OfficialDuty,
            Particulars::User,
            Particulars::CodeSigning,
            Particulars::OcspResponder,
            Particulars::Login {
                role: OfficerRole::Auditor,
                body: None,
            },
        ] {
            let policy = policy(&particulars);
            assert_eq!(kind_of_policy(&policy), Some(particulars.kind()));
        }
        assert_eq!(kind_of_policy(&POLICIES), None);
        assert_eq!(kind_of_policy(&[0x88, 0x37, 0x83, 0x08, 0x01, 3]), None);
        assert_eq!(kind_of_policy(&[0x88, 0x37, 0x83, 0x08, 0x01, 1, 1]), None);
        assert_eq!(
            oid::dotted(&policy(&Particulars::CodeSigning)),
            "2.999.392.1.5"
        );
    }

    #[test]
    fn an_ed25519_key_is_for_signatures_only() {
        let mail = Particulars::Mail {
            address: crate::particulars::MailAddress::try_new("m", "a@b.lg.jp").unwrap(),
        };
        assert_eq!(
            profile(&mail, KeyAlgorithm::Ed25519).key_usage,
            usage::DIGITAL_SIGNATURE
        );
    }
}
