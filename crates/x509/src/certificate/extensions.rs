//! The extensions of a certificate that anybody here asks about.
//!
//! `x509-cert` reads them, but for certificatePolicies: its OID type cannot hold the arc 2.999.

use const_oid::AssociatedOid;
use der::{Decode, Tag, Tagged};
use x509_cert::{
    TbsCertificate,
    ext::pkix::{
        AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, BasicConstraints, CrlDistributionPoints,
        KeyUsage, SubjectAltName, SubjectKeyIdentifier,
        name::{DistributionPointName, GeneralName},
    },
    name::Name,
};

use crate::{
    attribute::{Attribute, text},
    decode::{NotDer, Reader, check_strict},
    encode::tag,
    error::X509Error,
    key::KeyId,
    oid,
};

/// What the extensions say.
#[derive(Clone, Debug, Default)]
pub(super) struct Extensions {
    pub(super) key_id: Option<KeyId>,
    pub(super) authority_key_id: Option<KeyId>,
    pub(super) is_ca: bool,
    pub(super) path_length: Option<u8>,
    pub(super) policies: Vec<Vec<u8>>,
    pub(super) dns_names: Vec<String>,
    pub(super) mail_addresses: Vec<String>,
    pub(super) uris: Vec<String>,
    pub(super) directory_names: Vec<Vec<Attribute>>,
    pub(super) crl_addresses: Vec<String>,
    pub(super) ocsp_addresses: Vec<String>,
}

impl Extensions {
    pub(super) fn read(tbs: &TbsCertificate) -> Result<Self, X509Error> {
        let mut read = Self::default();
        if let Some(found) = find::<SubjectKeyIdentifier>(tbs)? {
            read.key_id = KeyId::from_bytes(found.0.as_bytes());
        }
        if let Some(found) = find::<AuthorityKeyIdentifier>(tbs)? {
            let key = found.key_identifier.as_ref();
            read.authority_key_id = key.and_then(|key| KeyId::from_bytes(key.as_bytes()));
        }
        let constraints = find::<BasicConstraints>(tbs)?.filter(|c| c.ca);
        let usage = find::<KeyUsage>(tbs)?.is_some_and(|u| u.key_cert_sign() && u.crl_sign());
        read.is_ca = constraints.is_some() && usage;
        read.path_length = constraints.and_then(|c| c.path_len_constraint);
        if let Some(SubjectAltName(names)) = find(tbs)? {
            for name in &names {
                read.add_name(name)?;
            }
        }
        if let Some(CrlDistributionPoints(points)) = find(tbs)? {
            for point in points {
                if let Some(DistributionPointName::FullName(names)) = point.distribution_point {
                    read.crl_addresses.extend(names.iter().filter_map(uri));
                }
            }
        }
        if let Some(AuthorityInfoAccessSyntax(access)) = find(tbs)? {
            let ocsp = access
                .iter()
                .filter(|a| a.access_method.as_bytes() == oid::OCSP);
            let addresses = ocsp.filter_map(|a| uri(&a.access_location));
            read.ocsp_addresses.extend(addresses);
        }
        let policies = tbs.extensions().into_iter().flatten();
        for extension in policies.filter(|e| e.extn_id.as_bytes() == oid::CERTIFICATE_POLICIES) {
            let found = policies_of(extension.extn_value.as_bytes()).map_err(|e| wrong(&e))?;
            read.policies.extend(found);
        }
        Ok(read)
    }

    fn add_name(&mut self, name: &GeneralName) -> Result<(), X509Error> {
        match name {
            GeneralName::DnsName(host) => self.dns_names.push(host.to_string()),
            GeneralName::Rfc822Name(address) => self.mail_addresses.push(address.to_string()),
            GeneralName::UniformResourceIdentifier(uri) => self.uris.push(uri.to_string()),
            GeneralName::DirectoryName(name) => self.directory_names.push(attributes(name)?),
            _ => {}
        }
        Ok(())
    }
}

fn wrong<W: std::fmt::Display + ?Sized>(why: &W) -> X509Error {
    X509Error::unreadable("a certificate", why)
}

fn uri(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::UniformResourceIdentifier(uri) => Some(uri.to_string()),
        _ => None,
    }
}

fn find<T>(tbs: &TbsCertificate) -> Result<Option<T>, X509Error>
where
    T: for<'a> Decode<'a, Error = der::Error> + AssociatedOid,
{
    let found = tbs.get_extension::<T>().map_err(|e| wrong(&e))?;
    Ok(found.map(|(_, value)| value))
}

/// The attributes of a name that `x509-cert` has read.
pub(crate) fn attributes(name: &Name) -> Result<Vec<Attribute>, X509Error> {
    name.iter()
        .map(|attribute| {
            let value = &attribute.value;
            let string = match value.tag() {
                Tag::PrintableString => tag::PRINTABLE_STRING,
                Tag::Utf8String => tag::UTF8_STRING,
                Tag::Ia5String => tag::IA5_STRING,
                _ => tag::NULL,
            };
            let value = text(string, value.value())
                .map_err(|_| wrong(&"a name holds an unknown string type"))?;
            Ok(Attribute::new(attribute.oid.as_bytes(), value.to_owned()))
        })
        .collect()
}

/// The policy OIDs of a certificatePolicies value.
pub(crate) fn policies_of(value: &[u8]) -> Result<Vec<Vec<u8>>, NotDer> {
    check_strict(value)?;
    let mut policies = Reader::new(value).open(tag::SEQUENCE)?;
    let mut found = Vec::new();
    while !policies.is_empty() {
        let mut information = policies.open(tag::SEQUENCE)?;
        found.push(information.expect(tag::OID)?.to_vec());
    }
    Ok(found)
}
