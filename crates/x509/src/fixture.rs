//! Keys, CAs and requests for this crate's tests; OpenSSL makes the keys and the signatures.

use std::sync::LazyLock;

use lgpki_domain::{
    Authority, BodyCode, KeyAlgorithm, Names, OfficerRole, Serial, SignatureAlgorithm, Subject,
    Validity,
};
use openssl::{
    ec::{EcGroup, EcKey},
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, Private},
    rsa::Rsa,
    sign::Signer,
};

use crate::{
    authority::{self, CaBlueprint},
    issuer::{Addresses, Issuer},
    key::SubjectPublicKey,
    lint::lint_authority,
    particulars::{HostNames, MailAddress, Particulars},
    request,
    tbs::{self, Blueprint},
};

pub(crate) struct TestKey {
    pub(crate) private: PKey<Private>,
    pub(crate) public: SubjectPublicKey,
}

impl TestKey {
    pub(crate) fn generate(algorithm: KeyAlgorithm) -> Self {
        let private = match algorithm {
            KeyAlgorithm::Rsa2048 => rsa(2048),
            KeyAlgorithm::Rsa3072 => rsa(3072),
            KeyAlgorithm::Rsa4096 => rsa(4096),
            KeyAlgorithm::P256 => ec(Nid::X9_62_PRIME256V1),
            KeyAlgorithm::P384 => ec(Nid::SECP384R1),
            KeyAlgorithm::Ed25519 => PKey::generate_ed25519().unwrap(),
        };
        let public = SubjectPublicKey::parse("key", &private.public_key_to_der().unwrap()).unwrap();
        assert_eq!(public.algorithm(), algorithm);
        Self { private, public }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let digest = match self.public.algorithm().signature() {
            SignatureAlgorithm::Ed25519 => None,
            SignatureAlgorithm::EcdsaSha384 => Some(MessageDigest::sha384()),
            _ => Some(MessageDigest::sha256()),
        };
        sign(&self.private, digest, message)
    }
}

pub(crate) fn rsa(bits: u32) -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap()
}

pub(crate) fn ec(curve: Nid) -> PKey<Private> {
    let group = EcGroup::from_curve_name(curve).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

pub(crate) fn sign(key: &PKey<Private>, digest: Option<MessageDigest>, message: &[u8]) -> Vec<u8> {
    let mut signer = match digest {
        Some(digest) => Signer::new(digest, key).unwrap(),
        None => Signer::new_without_digest(key).unwrap(),
    };
    signer.sign_oneshot_to_vec(message).unwrap()
}

pub(crate) static RSA: LazyLock<TestKey> =
    LazyLock::new(|| TestKey::generate(KeyAlgorithm::Rsa2048));
pub(crate) static P256: LazyLock<TestKey> = LazyLock::new(|| TestKey::generate(KeyAlgorithm::P256));
pub(crate) static P384: LazyLock<TestKey> = LazyLock::new(|| TestKey::generate(KeyAlgorithm::P384));
pub(crate) static ED25519: LazyLock<TestKey> =
    LazyLock::new(|| TestKey::generate(KeyAlgorithm::Ed25519));
/// The CA key of most tests.
pub(crate) static CA: LazyLock<TestKey> = LazyLock::new(|| TestKey::generate(KeyAlgorithm::P256));

pub(crate) fn serial(n: u8) -> Serial {
    let mut bytes = [0x41; 16];
    bytes[15] = n;
    Serial::from_bytes(&bytes).unwrap()
}

pub(crate) fn ca_validity() -> Validity {
    Validity::for_ca("2008-02-04".parse().unwrap())
}

pub(crate) fn ca_certificate(authority: Authority, key: &TestKey) -> Vec<u8> {
    self_signed(authority, key, ca_validity())
}

fn self_signed(authority: Authority, key: &TestKey, validity: Validity) -> Vec<u8> {
    let blueprint = CaBlueprint {
        authority,
        public_key: &key.public,
        serial: serial(1),
        validity,
    };
    let tbs = authority::build(&blueprint).unwrap();
    let linted = lint_authority(&blueprint, tbs).unwrap();
    let signature = key.sign(linted.tbs());
    linted.into_certificate(&signature)
}

/// A generation of a CA's key whose certificate begins on `day`.
pub(crate) fn generation(authority: Authority, key: &TestKey, number: u32, day: &str) -> Issuer {
    let bases = ["http://repository.lgpki.lg.jp".to_owned()];
    let addresses = Addresses::at(&bases, authority, number);
    let validity = Validity::for_ca(day.parse().unwrap());
    let certificate = self_signed(authority, key, validity);
    Issuer::try_new(authority, number, &certificate, addresses).unwrap()
}

pub(crate) fn issuer(authority: Authority, key: &TestKey) -> Issuer {
    let bases = [
        "http://repository.lgpki.lg.jp".to_owned(),
        "http://lgwan.lgpki.lg.jp".to_owned(),
    ];
    let addresses = Addresses::at(&bases, authority, 1);
    Issuer::try_new(authority, 1, &ca_certificate(authority, key), addresses).unwrap()
}

pub(crate) fn names(en: &str, ja: &str) -> Names {
    Names::try_new("names", en, ja).unwrap()
}

pub(crate) fn body() -> BodyCode {
    "01001".parse().unwrap()
}

/// A subject and particulars of every kind.
pub(crate) fn every_kind() -> Vec<(Subject, Particulars)> {
    let subject = |unit: Option<(&str, &str)>, en: &str, ja: &str| Subject {
        body: names("Sapporo City", "札幌市"),
        unit: unit.map(|(en, ja)| names(en, ja)),
        name: names(en, ja),
    };
    let general = Some(("General Affairs Department", "総務部"));
    let hosts = ["www.city.sapporo.lg.jp", "kobo.city.sapporo.lg.jp"].map(str::to_owned);
    let login = |role, body| Particulars::Login { role, body };
    vec![
        (subject(None, "Mayor", "市長"), Particulars::OfficialDuty),
        (
            subject(general, "document-chief-lgacc", "文書取扱主任（利用者）"),
            Particulars::User,
        ),
        (
            subject(None, "www.city.sapporo.lg.jp", "札幌市公式ホームページ"),
            Particulars::WebServer {
                hosts: HostNames::try_new("h", &hosts).unwrap(),
            },
        ),
        (
            subject(general, "Application Release", "業務アプリケーション配布"),
            Particulars::CodeSigning,
        ),
        (
            subject(general, "General Affairs Desk", "総務部窓口"),
            Particulars::Mail {
                address: MailAddress::try_new("m", "soumu@city.sapporo.lg.jp").unwrap(),
            },
        ),
        (
            subject(None, "Branch Officer", "登録分局責任者"),
            login(OfficerRole::BranchOfficer, Some(body())),
        ),
        (
            subject(None, "Operator 1", "運営主体一"),
            login(OfficerRole::Operator, None),
        ),
    ]
}

/// Builds, lints and signs a subscriber's certificate.
pub(crate) fn certify(issuer: &Issuer, ca: &TestKey, blueprint: &Blueprint<'_>) -> Vec<u8> {
    let tbs = tbs::build(issuer, blueprint).unwrap();
    let linted = crate::lint::lint_certificate(issuer, blueprint, tbs).unwrap();
    let signature = ca.sign(linted.tbs());
    linted.into_certificate(&signature)
}

/// A good request in DER.
pub(crate) fn good_request(subject: &Subject, particulars: &Particulars, key: &TestKey) -> Vec<u8> {
    let info = request::build_info(subject, particulars, &key.public).unwrap();
    let signature = key.sign(&info);
    request::assemble(info, key.public.algorithm().signature(), &signature)
}
