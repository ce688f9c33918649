//! A body with its PC and media, and CAs that certify what it requests.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use lgpki_domain::{
    Authority, BodyCode, CertificateKind, KeyAlgorithm, KeyMedium, Names, OfficerRole, Serial,
    Subject, Timestamp, Validity,
};
use lgpki_keys::{Signer, SoftwareKey};
use lgpki_testkit::{ManualClock, SeededRandom};
use lgpki_x509::{
    Addresses, Blueprint, CertificationRequest, Issuer, Particulars, SubjectPublicKey, authority,
    pem, signed, tbs,
};
use tempfile::TempDir;

use crate::{Format, Kit, KitError, Order, Pc, Pin, Requested, SetUp};

/// A day on which certificates are issued.
pub(crate) const OPENING: &str = "2008-02-04T09:15:00.000+09:00";

/// One test's world.
pub(crate) struct World {
    dir: TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) random: Arc<SeededRandom>,
    cas: Vec<(SoftwareKey, Issuer)>,
}

pub(crate) fn names(en: &str, ja: &str) -> Names {
    Names::try_new("name", en, ja).unwrap()
}

pub(crate) fn body() -> Names {
    names("Example City", "例示市")
}

pub(crate) fn code() -> BodyCode {
    "01001".parse().unwrap()
}

pub(crate) fn unit() -> Names {
    names("General Affairs Department", "総務部")
}

pub(crate) fn pin() -> Pin {
    Pin::try_new("1234").unwrap()
}

impl World {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(ManualClock::new(OPENING.parse().unwrap()));
        let random = Arc::new(SeededRandom::new(2008));
        let cas = Authority::ALL
            .into_iter()
            .map(|authority| ca(authority, clock_day(&clock), &random))
            .collect();
        Self {
            dir: tempfile::tempdir().unwrap(),
            clock,
            random,
            cas,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A PC that is not set up.
    pub(crate) fn fresh_pc(&self, name: &str, login: &str) -> Kit {
        Kit::new(
            &self.path(name),
            Pc::try_new(name, login).unwrap(),
            self.clock.clone(),
            self.random.clone(),
        )
    }

    /// A PC that is set up for the body.
    pub(crate) fn pc(&self) -> Kit {
        let kit = self.fresh_pc("pc-01", "yamada");
        self.set_up(&kit);
        kit
    }

    pub(crate) fn set_up(&self, kit: &Kit) {
        let (_, login) = self.officer(OfficerRole::BranchOfficer, Some(code()));
        let wanted = SetUp {
            body: &body(),
            code: code(),
            login_certificate: Some(login.as_bytes()),
        };
        kit.set_up(&wanted).unwrap();
    }

    /// A formatted medium.
    pub(crate) fn medium(&self, kit: &Kit, name: &str, medium: KeyMedium) -> PathBuf {
        let path = self.path(name);
        let format = Format {
            medium,
            pin: &pin(),
            destroy_key: false,
        };
        kit.format(&path, &format).unwrap();
        path
    }

    /// An officer's key and login certificate.
    pub(crate) fn officer(
        &self,
        role: OfficerRole,
        body_code: Option<BodyCode>,
    ) -> (SoftwareKey, String) {
        let key = SoftwareKey::generate(KeyAlgorithm::P256).unwrap();
        let subject = Subject {
            body: body(),
            unit: None,
            name: names("Branch Officer", "登録分局責任者"),
        };
        let particulars = Particulars::Login {
            role,
            body: body_code,
        };
        let certificate = self.certify(key.public_key().der(), &subject, &particulars);
        (key, certificate)
    }

    /// The certificate that answers a request as it was made.
    pub(crate) fn answer(&self, requested: &Requested, kind: CertificateKind) -> String {
        let csr = CertificationRequest::parse("csr", requested.csr.as_bytes()).unwrap();
        let particulars = particulars(kind);
        csr.check_names("csr", &requested.subject, &particulars)
            .unwrap();
        assert_eq!(csr.public_key().digest(), requested.key_digest);
        self.certify(csr.public_key().der(), &requested.subject, &particulars)
    }

    /// Any certificate, in PEM.
    pub(crate) fn certify(
        &self,
        public_key: &[u8],
        subject: &Subject,
        particulars: &Particulars,
    ) -> String {
        let (key, issuer) = self.ca_of(particulars.kind());
        let blueprint = Blueprint {
            subject,
            particulars,
            public_key: &SubjectPublicKey::parse("key", public_key).unwrap(),
            serial: Serial::draw(self.random.as_ref()).unwrap(),
            validity: Validity::for_subscriber(clock_day(&self.clock)),
        };
        let tbs = tbs::build(issuer, &blueprint).unwrap();
        let signature = key.sign(&tbs).unwrap();
        let der = signed::assemble(tbs, issuer.signature_algorithm(), &signature);
        pem::encode(pem::Label::Certificate, &der).unwrap()
    }

    /// The certificate of the CA that issues a kind, in PEM.
    pub(crate) fn ca_certificate(&self, kind: CertificateKind) -> String {
        pem::encode(pem::Label::Certificate, self.ca_of(kind).1.certificate()).unwrap()
    }

    fn ca_of(&self, kind: CertificateKind) -> &(SoftwareKey, Issuer) {
        self.cas
            .iter()
            .find(|(_, issuer)| kind.authority() == Some(issuer.authority()))
            .unwrap()
    }

    /// A medium with a stored certificate of a kind.
    pub(crate) fn certified(&self, kit: &Kit, name: &str, kind: CertificateKind) -> PathBuf {
        let path = self.medium(kit, name, KeyMedium::IcCard);
        let requested = make_request(kit, &path, kind);
        let certificate = self.answer(&requested, kind);
        kit.store(&path, &pin(), certificate.as_bytes()).unwrap();
        path
    }
}

/// Requests a certificate of a kind with a P-256 key.
pub(crate) fn make_request(kit: &Kit, path: &Path, kind: CertificateKind) -> Requested {
    try_request(kit, path, kind).unwrap()
}

pub(crate) fn try_request(
    kit: &Kit,
    path: &Path,
    kind: CertificateKind,
) -> Result<Requested, KitError> {
    let (name, unit) = (name_for(kind), unit());
    let mut order = order(kind, &name);
    if kind != CertificateKind::Login {
        order.unit = Some(&unit);
    }
    kit.request(path, &pin(), &order)
}

pub(crate) fn order(kind: CertificateKind, name: &Names) -> Order<'_> {
    Order {
        mail: (kind == CertificateKind::Mail).then_some("soumu@city.example.lg.jp"),
        login: (kind == CertificateKind::Login).then_some(OfficerRole::BranchOfficer),
        algorithm: KeyAlgorithm::P256,
        ..Order::new(kind, name)
    }
}

pub(crate) fn name_for(kind: CertificateKind) -> Names {
    match kind {
        CertificateKind::User => names("chief-lgacc", "文書取扱主任（利用者）"),
        CertificateKind::Login => names("Branch Officer", "登録分局責任者"),
        _ => names("Mayor of Example City", "例示市長"),
    }
}

pub(crate) fn particulars(kind: CertificateKind) -> Particulars {
    let requested = lgpki_x509::Requested {
        dns_names: &[],
        mail: (kind == CertificateKind::Mail).then_some("soumu@city.example.lg.jp"),
        login: (kind == CertificateKind::Login)
            .then_some((OfficerRole::BranchOfficer, Some(code()))),
    };
    Particulars::try_new("p", kind, &requested).unwrap()
}

fn clock_day(clock: &ManualClock) -> lgpki_domain::JstDate {
    let now: Timestamp = lgpki_domain::Clock::now(clock);
    now.jst_date()
}

fn ca(
    authority: Authority,
    day: lgpki_domain::JstDate,
    random: &SeededRandom,
) -> (SoftwareKey, Issuer) {
    let key = SoftwareKey::generate(KeyAlgorithm::P256).unwrap();
    let blueprint = authority::CaBlueprint {
        authority,
        public_key: &SubjectPublicKey::parse("key", key.public_key().der()).unwrap(),
        serial: Serial::draw(random).unwrap(),
        validity: Validity::for_ca(day),
    };
    let tbs = authority::build(&blueprint).unwrap();
    let signature = key.sign(&tbs).unwrap();
    let der = signed::assemble(tbs, key.algorithm().signature(), &signature);
    let addresses = Addresses::at(&["http://repository.example".to_owned()], authority, 1);
    let issuer = Issuer::try_new(authority, 1, &der, addresses).unwrap();
    (key, issuer)
}
