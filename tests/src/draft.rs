//! A certification request of which every part can be wrong, signed correctly all the same.

use lgpki_proto::v1;
use openssl::{
    bn::BigNum,
    ec::{EcGroup, EcKey},
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, Private},
    rsa::Rsa,
    sign::Signer,
};

use crate::der::{
    algorithm, bit_string, extension_request, oid, rdn, rsa_with, sequence, tag, tlv,
};

/// The parts of a request.
#[derive(Clone)]
pub struct Draft {
    /// The content of the version's INTEGER; 0 is version 1.
    pub version: Vec<u8>,
    /// The RDNs of the subject, DER.
    pub subject: Vec<Vec<u8>>,
    /// The SubjectPublicKeyInfo, DER.
    pub key: Vec<u8>,
    /// The content of the attributes field; absent if `None`.
    pub attributes: Option<Vec<u8>>,
    /// The AlgorithmIdentifier, DER.
    pub algorithm: Vec<u8>,
    /// What is really hashed with; none for keys that hash by themselves.
    pub digest: Option<MessageDigest>,
    /// What is really signed with.
    pub signer: PKey<Private>,
}

impl Draft {
    /// A good request for `subject` with a new P-256 key.
    #[must_use]
    pub fn p256(subject: &v1::Subject) -> Self {
        Self::ec(subject, Nid::X9_62_PRIME256V1)
    }

    /// A request for `subject` with a new key on a curve.
    #[must_use]
    pub fn ec(subject: &v1::Subject, curve: Nid) -> Self {
        let group = EcGroup::from_curve_name(curve).expect("a curve that OpenSSL knows");
        let key = EcKey::generate(&group).expect("a key");
        let key = PKey::from_ec_key(key).expect("a key");
        Self::new(subject, key, algorithm(oid::ECDSA_SHA256, &[]))
    }

    /// A request for `subject` with a new RSA key.
    #[must_use]
    pub fn rsa(subject: &v1::Subject, bits: u32, exponent: u32) -> Self {
        let exponent = BigNum::from_u32(exponent).expect("a number");
        let key = Rsa::generate_with_e(bits, &exponent).expect("a key");
        Self::rsa_of(subject, PKey::from_rsa(key).expect("a key"))
    }

    /// A request for `subject` with this RSA key.
    #[must_use]
    pub fn rsa_of(subject: &v1::Subject, key: PKey<Private>) -> Self {
        Self::new(subject, key, rsa_with(11))
    }

    /// A request signed with `key`, said to be signed by `algorithm`.
    #[must_use]
    pub fn new(subject: &v1::Subject, key: PKey<Private>, algorithm: Vec<u8>) -> Self {
        Self {
            version: vec![0],
            subject: rdns(subject),
            key: key.public_key_to_der().expect("a public key"),
            attributes: Some(Vec::new()),
            algorithm,
            digest: Some(MessageDigest::sha256()),
            signer: key,
        }
    }

    /// The same with a change.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Says and does another signature.
    #[must_use]
    pub fn signed_by(self, algorithm: Vec<u8>, digest: MessageDigest) -> Self {
        self.with(|draft| {
            draft.algorithm = algorithm;
            draft.digest = Some(digest);
        })
    }

    /// Asks for these extensions.
    #[must_use]
    pub fn extensions(self, extensions: &[&[u8]]) -> Self {
        self.with(|draft| draft.attributes = Some(extension_request(extensions)))
    }

    /// Asks for a subjectAltName of these GeneralNames.
    #[must_use]
    pub fn names(self, names: &[Vec<u8>]) -> Self {
        let list = sequence(&[&names.concat()]);
        self.extensions(&[&crate::der::extension(oid::SUBJECT_ALT_NAME, &list)])
    }

    /// Asks for a subjectAltName of these hosts.
    #[must_use]
    pub fn hosts(self, hosts: &[&str]) -> Self {
        let names: Vec<_> = hosts
            .iter()
            .map(|host| tlv(0x82, host.as_bytes()))
            .collect();
        self.names(&names)
    }

    /// The CertificationRequestInfo.
    #[must_use]
    pub fn info(&self) -> Vec<u8> {
        let attributes = match &self.attributes {
            Some(content) => tlv(0xa0, content),
            None => Vec::new(),
        };
        sequence(&[
            &tlv(tag::INTEGER, &self.version),
            &sequence(&[&self.subject.concat()]),
            &self.key,
            &attributes,
        ])
    }

    /// The signature over the CertificationRequestInfo.
    #[must_use]
    pub fn signature(&self) -> Vec<u8> {
        let mut signer = match self.digest {
            Some(digest) => Signer::new(digest, &self.signer),
            None => Signer::new_without_digest(&self.signer),
        }
        .expect("a signer");
        signer
            .sign_oneshot_to_vec(&self.info())
            .expect("a signature")
    }

    /// The request, DER.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        self.wrap(&self.signature())
    }

    /// The request with any signature.
    #[must_use]
    pub fn wrap(&self, signature: &[u8]) -> Vec<u8> {
        sequence(&[&self.info(), &self.algorithm, &bit_string(signature)])
    }
}

/// The English name of a subject as the standard system writes it.
#[must_use]
pub fn rdns(subject: &v1::Subject) -> Vec<Vec<u8>> {
    let en = |names: &Option<v1::Names>| names.as_ref().map(|n| n.en.clone());
    let printable = |oid, value: &str| rdn(oid, tag::PRINTABLE_STRING, value.as_bytes());
    let mut out = vec![
        printable(oid::COUNTRY, "JP"),
        printable(oid::ORGANIZATION, "Local Governments"),
    ];
    out.extend(en(&subject.body).map(|body| printable(oid::UNIT, &body)));
    out.extend(en(&subject.unit).map(|unit| printable(oid::UNIT, &unit)));
    out.extend(en(&subject.name).map(|name| printable(oid::COMMON_NAME, &name)));
    out
}

/// A PEM block.
#[must_use]
pub fn pem(label: &str, der: &[u8]) -> String {
    let text = openssl::base64::encode_block(der);
    let lines: Vec<_> = text
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}
