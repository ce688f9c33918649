//! What `init` does, on the test's clock: the service CA and the TLS identities, the CAs and the
//! first logins by ceremony, the body name list.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use lgpki_domain::{
    Authority, JstDate, KeyAlgorithm, Names, OfficerRole, Randomness, Serial, Subject, Validity,
    prefecture::synthetic_bodies,
};
use lgpki_intake::{ports::IntakeStore, store::EngineStore};
use lgpki_issuer::{Ceremony, IssuerConfig, Ports, Settings, ceremony::Login as Wanted};
use lgpki_keys::{Passphrase, Signer, SoftwareKey};
use lgpki_proto::ServiceName;
use lgpki_runtime::tls::{Identity, TrustAnchors};
use lgpki_testkit::log_identity;
use lgpki_x509::{
    SubjectPublicKey,
    service::{self, ServiceBlueprint, ServiceCa, ServiceCaBlueprint},
    signed,
};

use super::Plan;

/// What was made.
#[derive(Debug)]
pub(super) struct Founded {
    /// The service CA.
    pub(super) services: TrustAnchors,
    /// The Organization CA, by whose certificates people log in.
    pub(super) officers: TrustAnchors,
    /// The CAs' certificates.
    pub(super) authorities: BTreeMap<Authority, Vec<u8>>,
    /// The first logins by the name of the office.
    pub(super) logins: BTreeMap<String, Login>,
    identities: BTreeMap<ServiceName, Identity>,
}

/// A login made by ceremony.
#[derive(Debug)]
pub(super) struct Login {
    /// The branch; none for operators and auditors.
    pub(super) branch: Option<&'static str>,
    /// What to log in with.
    pub(super) identity: Identity,
    /// The certificate's serial number.
    pub(super) serial: String,
    /// The day of the ceremony.
    pub(super) made_on: JstDate,
}

impl Founded {
    /// The TLS identity of a service.
    pub(super) fn identity(&self, service: ServiceName) -> Identity {
        self.identities
            .get(&service)
            .expect("every service has one")
            .clone()
    }
}

/// The data directory of a service.
pub(super) fn data(scratch: &Path, service: ServiceName) -> PathBuf {
    scratch.join(service.name())
}

/// The issuer's settings.
pub(super) fn issuer_settings(scratch: &Path) -> Settings {
    let config = IssuerConfig {
        signing_threads: 1,
        ..IssuerConfig::default()
    };
    Settings::try_new(
        log_identity("issuer-1"),
        data(scratch, ServiceName::Issuer),
        &config,
    )
    .expect("settings")
}

/// The passphrase of the CA keys.
pub(super) fn passphrase() -> Passphrase {
    Passphrase::try_new(b"correct horse".to_vec().into(), "the test").expect("a passphrase")
}

/// Makes it all.
pub(super) async fn found(scratch: &Path, plan: &Plan, ports: Ports, publication: &str) -> Founded {
    let (services, identities) = service_ca(plan, ports.randomness.as_ref());
    bodies(scratch, &ports).await;
    let ceremony = ceremony(scratch, ports).await;
    let mut authorities = BTreeMap::new();
    let bases = [publication.to_owned()];
    for authority in Authority::ALL {
        let record = ceremony
            .create_authority_publishing(
                authority,
                KeyAlgorithm::P256,
                plan.opening,
                &bases,
                plan.crl,
            )
            .await
            .expect("a CA");
        authorities.insert(authority, record.certificate);
    }
    let organization = authorities[&Authority::Organization].clone();
    let mut wishes = central();
    wishes.extend(officers(plan.branches));
    let logins = logins(&ceremony, (plan.opening, wishes), &organization).await;
    ceremony.close().await.expect("the ceremony ends");
    Founded {
        services,
        officers: TrustAnchors::try_new(&[organization]).expect("an anchor"),
        authorities,
        logins,
        identities,
    }
}

/// Begins a ceremony; the issuer must not run.
pub(super) async fn ceremony(scratch: &Path, ports: Ports) -> Ceremony {
    let ceremony = Ceremony::open(&issuer_settings(scratch), ports, passphrase()).await;
    ceremony.expect("a ceremony")
}

fn service_ca(
    plan: &Plan,
    random: &dyn Randomness,
) -> (TrustAnchors, BTreeMap<ServiceName, Identity>) {
    let validity = Validity::for_ca(plan.opening);
    let serial = || Serial::draw(random).expect("a serial number");
    let (ca_key, ca_public) = key();
    let tbs = service::build_ca(&ServiceCaBlueprint {
        public_key: &ca_public,
        serial: serial(),
        validity,
    });
    let certificate = sign(&ca_key, tbs.expect("a certificate"));
    let ca = ServiceCa::try_new(&certificate).expect("a CA");
    let identity = |name: ServiceName| {
        let (key, public_key) = key();
        let tbs = service::build(&ServiceBlueprint {
            ca: &ca,
            role: name.role(),
            dns_names: &["localhost".to_owned()],
            addresses: &[],
            public_key: &public_key,
            serial: serial(),
            validity,
        });
        let chain = vec![sign(&ca_key, tbs.expect("a certificate"))];
        let key = key.to_pkcs8_der().expect("a key");
        (name, Identity::try_new(chain, key).expect("an identity"))
    };
    let identities = ServiceName::ALL.map(identity).into_iter().collect();
    let anchors = TrustAnchors::try_new(&[certificate]).expect("an anchor");
    (anchors, identities)
}

async fn bodies(scratch: &Path, ports: &Ports) {
    let dir = data(scratch, ServiceName::Intake);
    let options = lgpki_store::Options::new(log_identity("intake-1"));
    let (store, _) = EngineStore::open_embedded(&dir, options).expect("intake's store");
    let now = ports.clock.now();
    let imported = store.import_bodies(synthetic_bodies(), "init".to_owned(), now);
    imported.await.expect("the body name list");
    store.close().await;
}

/// An office that is to get a login.
struct Wish {
    name: String,
    role: OfficerRole,
    branch: Option<&'static str>,
    subject: Subject,
}

fn central() -> Vec<Wish> {
    let offices = [
        (OfficerRole::Operator, 1),
        (OfficerRole::Operator, 2),
        (OfficerRole::Auditor, 1),
    ];
    let wish = |(role, number): (OfficerRole, u8)| Wish {
        name: format!("{role}-{number}"),
        role,
        branch: None,
        subject: Subject {
            body: names("LGWAN Operator", "LGWAN運営主体"),
            unit: None,
            name: names(&format!("{role} {number}"), &format!("{role}{number}")),
        },
    };
    offices.map(wish).into()
}

fn officers(branches: &[&'static str]) -> Vec<Wish> {
    let bodies = synthetic_bodies();
    let mut wishes = Vec::new();
    for &branch in branches {
        let body = bodies.iter().find(|body| body.code.to_string() == branch);
        for (role, en, ja) in [
            (
                OfficerRole::BranchOfficer,
                "Branch Officer",
                "登録分局責任者",
            ),
            (OfficerRole::LgwanOfficer, "LGWAN Officer", "LGWAN責任者"),
        ] {
            wishes.push(Wish {
                name: format!("{role}-{branch}"),
                role,
                branch: Some(branch),
                subject: Subject {
                    body: body.expect("a body of the list").names.clone(),
                    unit: None,
                    name: names(en, ja),
                },
            });
        }
    }
    wishes
}

/// New logins for the operators and the auditor, and for the officers of branches; the issuer must
/// not run.
pub(super) async fn more_logins(
    scratch: &Path,
    ports: Ports,
    founded: &Founded,
    branches: &[&'static str],
) -> BTreeMap<String, Login> {
    let today = ports.clock.now().jst_date();
    let ceremony = ceremony(scratch, ports).await;
    let organization = &founded.authorities[&Authority::Organization];
    let mut wishes = central();
    wishes.extend(officers(branches));
    let made = logins(&ceremony, (today, wishes), organization).await;
    ceremony.close().await.expect("the ceremony ends");
    made
}

async fn logins(
    ceremony: &Ceremony,
    (made_on, wishes): (JstDate, Vec<Wish>),
    organization: &[u8],
) -> BTreeMap<String, Login> {
    let keys: Vec<_> = wishes.iter().map(|_| key().0).collect();
    let wanted = wishes.iter().zip(&keys).map(|(wish, key)| Wanted {
        subject: wish.subject.clone(),
        role: wish.role,
        body: wish.branch.map(|code| code.parse().expect("a body's code")),
        public_key: key.public_key().der().to_vec(),
    });
    let issued = ceremony.issue_logins(wanted.collect()).await;
    let issued = issued.expect("the logins").into_iter();
    let all = issued.zip(wishes).zip(keys);
    all.map(|((issued, wish), key)| {
        let chain = vec![issued.certificate.der, organization.to_vec()];
        let key = key.to_pkcs8_der().expect("a key");
        let login = Login {
            branch: wish.branch,
            identity: Identity::try_new(chain, key).expect("an identity"),
            serial: issued.certificate.serial.to_string(),
            made_on,
        };
        (wish.name, login)
    })
    .collect()
}

fn names(en: &str, ja: &str) -> Names {
    Names::try_new("names", en, ja).expect("names")
}

fn key() -> (SoftwareKey, SubjectPublicKey) {
    let key = SoftwareKey::generate(KeyAlgorithm::P256).expect("a key");
    let public = SubjectPublicKey::parse("key", key.public_key().der()).expect("a key");
    (key, public)
}

fn sign(key: &SoftwareKey, tbs: Vec<u8>) -> Vec<u8> {
    let signature = key.sign(&tbs).expect("a signature");
    signed::assemble(tbs, key.algorithm().signature(), &signature)
}
