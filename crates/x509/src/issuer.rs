//! One CA key with its name and its places of publication: what all its certificates and CRLs
//! share.
//!
//! The addresses carry the key's generation, because they stand in certificates for three years
//! and a later key publishes elsewhere. The distribution point's name in a certificate and the
//! issuingDistributionPoint of the CRL are the same bytes.

use lgpki_domain::{
    Authority, CrlOptions, CrlScope, CrlSeries, KeyAlgorithm, Serial, SignatureAlgorithm, Validity,
};
use x509_cert::name::Name;

use crate::{
    certificate::Certificate,
    encode::{sequence, tag, tlv},
    error::X509Error,
    extension,
    key::{KeyId, SubjectPublicKey},
};

/// Where a CA publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The CRL, one address per network.
    pub crl: Vec<String>,
    /// The CA certificate, one address per network.
    pub ca_certificate: Vec<String>,
    /// The OCSP responder, one address per network; none where there is no responder.
    pub ocsp: Vec<String>,
    /// The certification practice statement.
    pub cps: String,
}

impl Addresses {
    /// The addresses below each of `bases`, such as `http://repository.lgpki.lg.jp`; the practice
    /// statement lies below the first.
    #[must_use]
    pub fn at(bases: &[String], authority: Authority, generation: u32) -> Self {
        let below = |folder: &str, file: &str| {
            bases
                .iter()
                .map(|base| format!("{}/{folder}/{file}", base.trim_end_matches('/')))
                .collect()
        };
        let first = bases.first().map_or("", |base| base.trim_end_matches('/'));
        Self {
            crl: below("crl", &crl_file(authority, generation)),
            ca_certificate: below("ca", &certificate_file(authority, generation)),
            ocsp: below("ocsp", &ocsp_path(authority, generation)),
            cps: format!("{first}/cps"),
        }
    }

    /// The addresses of the CRL of a scope, or of its delta: beside the CRL of all user
    /// certificates, as `organization-1-p03-delta.crl`.
    #[must_use]
    pub fn crl_of(&self, scope: CrlScope, delta: bool) -> Vec<String> {
        let beside = |address: &String| {
            let stem = address.strip_suffix(".crl").unwrap_or(address);
            format!("{stem}{}.crl", marks(scope, delta))
        };
        self.crl.iter().map(beside).collect()
    }

    /// Where the list of revoked CA certificates lies: beside the CRL, as `organization-1-ca.crl`.
    #[must_use]
    pub fn ca_crl(&self) -> Vec<String> {
        self.crl_of(CrlScope::CaCertificates, false)
    }

    /// The bases below which a key's addresses lie, if they are of the form that
    /// [`at`](Self::at) gives.
    #[must_use]
    pub fn bases(&self, authority: Authority, generation: u32) -> Option<Vec<String>> {
        let end = format!("/crl/{}", crl_file(authority, generation));
        let bases = self.crl.iter();
        bases
            .map(|address| address.strip_suffix(&end).map(str::to_owned))
            .collect()
    }

    fn check(&self) -> Result<(), X509Error> {
        let all = || {
            self.crl
                .iter()
                .chain(&self.ca_certificate)
                .chain(&self.ocsp)
                .chain([&self.cps])
        };
        if self.crl.is_empty() || self.ca_certificate.is_empty() {
            return Err(X509Error::unencodable("an address", "there is none"));
        }
        match all().find(|a| !is_http_address(a)) {
            None => Ok(()),
            Some(wrong) => Err(X509Error::unencodable(
                "an address",
                format!("{wrong:?} is not an http address of printable ASCII"),
            )),
        }
    }
}

/// CRLs and CA certificates are fetched over plain HTTP (RFC 5280 §8 warns against https there);
/// a practice statement may lie under https.
fn is_http_address(address: &str) -> bool {
    address.len() <= 1024
        && address.bytes().all(|b| b.is_ascii_graphic())
        && ["http://", "https://"].iter().any(|scheme| {
            address
                .strip_prefix(scheme)
                .is_some_and(|rest| !rest.is_empty())
        })
}

/// The file name under which a CRL is published, such as `organization-1.crl`.
#[must_use]
pub fn crl_file(authority: Authority, generation: u32) -> String {
    format!("{authority}-{generation}.crl")
}

/// The file name of the CRL of a series, or of its delta, such as `organization-1-p03-delta.crl`.
#[must_use]
pub fn crl_file_of(series: CrlSeries, delta: bool) -> String {
    format!("{}{}.crl", series.key, marks(series.scope, delta))
}

/// What tells the file names of a CA key's CRLs apart.
fn marks(scope: CrlScope, delta: bool) -> String {
    let scope = if scope.is_user() {
        String::new()
    } else {
        format!("-{scope}")
    };
    format!("{scope}{}", if delta { "-delta" } else { "" })
}

/// The file name under which a CA certificate is published (DER), such as `organization-1.cer`.
#[must_use]
pub fn certificate_file(authority: Authority, generation: u32) -> String {
    format!("{authority}-{generation}.cer")
}

/// The file name under which a link certificate is published (DER), such as
/// `organization-1-with-2.cer`: the first generation's key, certified with the second's.
#[must_use]
pub fn link_file(authority: Authority, certified: u32, signs: u32) -> String {
    format!("{authority}-{certified}-with-{signs}.cer")
}

/// The file name under which a cross certificate is published (DER), such as
/// `organization-1-cross-0123….cer`.
#[must_use]
pub fn cross_file(authority: Authority, generation: u32, serial: Serial) -> String {
    format!("{authority}-{generation}-cross-{serial}.cer")
}

/// The last part of the OCSP responder's address, such as `organization-1`.
#[must_use]
pub fn ocsp_path(authority: Authority, generation: u32) -> String {
    format!("{authority}-{generation}")
}

/// A CA key that issues.
#[derive(Clone, Debug)]
pub struct Issuer {
    authority: Authority,
    generation: u32,
    addresses: Addresses,
    crl_options: CrlOptions,
    certificate: Certificate,
    key: SubjectPublicKey,
    key_id: KeyId,
    validity: Validity,
    pub(crate) name: Name,
    pub(crate) parts: Prepared,
}

/// Bytes that every certificate or CRL of an issuer repeats.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    /// The authorityKeyIdentifier extension.
    pub(crate) authority_key_identifier: Vec<u8>,
    /// What says where a certificate would be listed; empty where that depends on its serial number.
    pub(crate) distribution: Vec<u8>,
    /// The authorityInfoAccess extension.
    pub(crate) access: Vec<u8>,
}

impl Issuer {
    /// The issuer whose self-signed CA certificate is given in DER. It must be the certificate of
    /// this authority: its name, its own signature, a CA's usages, and whole days of validity.
    pub fn try_new(
        authority: Authority,
        generation: u32,
        certificate: &[u8],
        addresses: Addresses,
    ) -> Result<Self, X509Error> {
        addresses.check()?;
        let wrong = |why: &str| X509Error::NotThisAuthority {
            authority,
            why: why.to_owned(),
        };
        let certificate = Certificate::parse(certificate)?;
        if certificate.authority() != Some(authority) || !certificate.is_self_issued() {
            return Err(wrong("it bears another name"));
        }
        if !certificate.is_ca() {
            return Err(wrong("it may not sign certificates and CRLs"));
        }
        let key = certificate
            .public_key()
            .filter(|key| KeyAlgorithm::FOR_CA.contains(&key.algorithm()))
            .cloned()
            .ok_or_else(|| wrong("its key is not RSA-2048 to RSA-4096, P-256 or P-384"))?;
        if !certificate.is_signed_by(&key) {
            return Err(wrong("it is not signed with its own key"));
        }
        let key_id = certificate
            .key_id()
            .ok_or_else(|| wrong("it lacks a subjectKeyIdentifier of 20 octets"))?;
        let validity = certificate
            .validity()
            .ok_or_else(|| wrong("it is not valid from 00:00:00 to 23:59:59 JST"))?;
        let mut parts = Prepared {
            authority_key_identifier: Vec::new(),
            distribution: Vec::new(),
            access: Vec::new(),
        };
        extension::authority_key_identifier(&mut parts.authority_key_identifier, key_id);
        extension::authority_info_access(
            &mut parts.access,
            &addresses.ca_certificate,
            &addresses.ocsp,
        );
        let issuer = Self {
            authority,
            generation,
            addresses,
            crl_options: CrlOptions::default(),
            name: certificate.subject_name().clone(),
            key,
            key_id,
            validity,
            certificate,
            parts,
        };
        issuer.with_crl_options(CrlOptions::default())
    }

    /// The same issuer, publishing its revocations in this way; the usual one is one CRL for all user
    /// certificates and no delta.
    pub fn with_crl_options(mut self, options: CrlOptions) -> Result<Self, X509Error> {
        if !options.are_possible() {
            let why = format!("{} are not possible", options.partitions);
            return Err(X509Error::unencodable("the partitions of a CRL", why));
        }
        self.crl_options = options;
        self.parts.distribution.clear();
        if options.partitions == 0 {
            self.parts.distribution = self.distribution_of(CrlScope::User);
        }
        Ok(self)
    }

    /// How it publishes its revocations.
    #[must_use]
    pub const fn crl_options(&self) -> CrlOptions {
        self.crl_options
    }

    /// The authority.
    #[must_use]
    pub const fn authority(&self) -> Authority {
        self.authority
    }

    /// The key's generation, from 1.
    #[must_use]
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    /// The CA certificate in DER.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        self.certificate.der()
    }

    /// The CA's public key.
    #[must_use]
    pub const fn public_key(&self) -> &SubjectPublicKey {
        &self.key
    }

    /// The key identifier that stands in the authorityKeyIdentifier of what is issued.
    #[must_use]
    pub const fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// The signature algorithm of what is issued.
    #[must_use]
    pub const fn signature_algorithm(&self) -> SignatureAlgorithm {
        self.key.algorithm().signature()
    }

    /// The CA certificate's validity; nothing that is issued outlives it.
    #[must_use]
    pub const fn validity(&self) -> Validity {
        self.validity
    }

    /// How many CAs may come below it, if its certificate says.
    #[must_use]
    pub const fn path_length(&self) -> Option<u8> {
        self.certificate.path_length()
    }

    /// Where the CA publishes.
    #[must_use]
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The DistributionPointName of a scope's CRL, or of its delta, tag `[0]` included.
    pub(crate) fn point_name(&self, scope: CrlScope, delta: bool) -> Vec<u8> {
        let mut name = Vec::with_capacity(128);
        extension::distribution_point_name(&mut name, &self.addresses.crl_of(scope, delta));
        name
    }

    /// The value of the issuingDistributionPoint of a scope's CRLs, complete or delta. That of CA
    /// certificates names no point, so that it covers the CA's own certificate too, which has none.
    pub(crate) fn issuing_point(&self, scope: CrlScope) -> Vec<u8> {
        let mut value = Vec::with_capacity(128);
        sequence(&mut value, |out| match scope {
            CrlScope::CaCertificates => tlv(out, tag::context(2), &[0xff]),
            CrlScope::User | CrlScope::Partition(_) => {
                out.extend_from_slice(&self.point_name(scope, false));
                tlv(out, tag::context(1), &[0xff]);
            }
        });
        value
    }

    /// The cRLDistributionPoints and, where there are deltas, freshestCRL of a scope's certificates.
    fn distribution_of(&self, scope: CrlScope) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        extension::crl_distribution_points(&mut out, &self.point_name(scope, false));
        if self.crl_options.has_delta(scope) {
            extension::freshest_crl(&mut out, &self.point_name(scope, true));
        }
        out
    }

    /// Appends the extensions that say where the certificate of this serial number would be listed.
    pub(crate) fn write_distribution(&self, out: &mut Vec<u8>, serial: Serial) {
        if self.parts.distribution.is_empty() {
            out.extend_from_slice(&self.distribution_of(self.crl_options.scope_of(serial)));
        } else {
            out.extend_from_slice(&self.parts.distribution);
        }
    }

    /// The CA's distinguished name in DER.
    pub(crate) fn name_der(&self) -> &[u8] {
        self.certificate.subject_der()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_carry_authority_and_generation() {
        let bases = ["http://a.lg.jp/".to_owned(), "http://b.lg.jp".to_owned()];
        let addresses = Addresses::at(&bases, Authority::Organization, 2);
        assert_eq!(
            addresses.crl,
            [
                "http://a.lg.jp/crl/organization-2.crl",
                "http://b.lg.jp/crl/organization-2.crl"
            ]
        );
        assert_eq!(addresses.cps, "http://a.lg.jp/cps");
        let bases = ["http://a.lg.jp".to_owned(), "http://b.lg.jp".to_owned()];
        assert_eq!(
            addresses.bases(Authority::Organization, 2),
            Some(bases.to_vec())
        );
        assert_eq!(addresses.bases(Authority::Organization, 1), None);
        assert!(addresses.check().is_ok());
    }

    #[test]
    fn addresses_must_be_http() {
        for base in ["", "ftp://a", "http://", "http://a b", "http://市.jp"] {
            let addresses = Addresses {
                crl: vec![base.to_owned()],
                ca_certificate: vec!["http://a/ca".to_owned()],
                ocsp: Vec::new(),
                cps: "https://a/cps".to_owned(),
            };
            assert!(addresses.check().is_err(), "{base}");
        }
        assert!(
            Addresses::at(&[], Authority::Application, 1)
                .check()
                .is_err()
        );
    }
}
