//! Who is let in, and with which reason everybody else is not.

use lgpki_domain::{ErrorClass, KeyAlgorithm, OfficerRole, Role};
use lgpki_proto::{ServiceName, access};
use lgpki_testkit::ManualClock;
use parking_lot::Mutex;
use rustls_pki_types::CertificateDer;

use super::*;
use crate::{
    testing::{Pki, body, clock, opening, serial},
    tls::Identity,
};

const LIST_BODIES: &str = "/lgpki.v1.DirectoryService/ListBodies";
const CHANGE_LIMITS: &str = "/lgpki.v1.AdmissionService/ChangeLimits";
const SUBMIT: &str = "/lgpki.v1.ApplicationService/SubmitApplication";

#[derive(Debug, Default)]
struct Standings {
    answer: Mutex<Option<LoginStanding>>,
    asked: Mutex<Vec<(Serial, Option<BodyCode>)>>,
}

impl LoginStandings for Standings {
    fn standing(&self, serial: &Serial, body: Option<BodyCode>) -> LoginStanding {
        self.asked.lock().push((*serial, body));
        self.answer.lock().unwrap_or(LoginStanding::Good)
    }
}

#[derive(Debug, Default)]
struct Noted(Mutex<Vec<RefusedLogin>>);

impl RefusedLogins for Noted {
    fn note(&self, refused: RefusedLogin) {
        self.0.lock().push(refused);
    }
}

struct Bench {
    judge: Judge,
    clock: ManualClock,
    standings: Arc<Standings>,
    noted: Arc<Noted>,
}

impl Bench {
    fn new() -> Self {
        let (standings, noted) = (Arc::<Standings>::default(), Arc::<Noted>::default());
        let clock = clock();
        let judge = Judge {
            services: Pki::ours().service_anchors(),
            officers: Some(OfficerDoor {
                anchors: Pki::ours().officer_anchors(),
                standing: standings.clone(),
                refused: noted.clone(),
            }),
            clock: Arc::new(clock.clone()),
        };
        Self {
            judge,
            clock,
            standings,
            noted,
        }
    }

    fn judge(&self, presented: &Presented, path: &str) -> Result<Caller, Failure> {
        let row = access::find(ServiceName::Intake, path).unwrap();
        self.judge.judge(presented, row)
    }

    fn reason(&self, presented: &Presented, path: &str) -> (ErrorClass, String) {
        let failure = self.judge(presented, path).unwrap_err();
        (failure.class, failure.reason.into_owned())
    }
}

fn shown(identity: &Identity) -> Presented {
    let chain = [CertificateDer::from(identity.certificate().to_vec())];
    Presented::new(Some(&chain))
}

fn unauthenticated(reason: &str) -> (ErrorClass, String) {
    (ErrorClass::Unauthenticated, reason.to_owned())
}

fn forbidden(reason: &str) -> (ErrorClass, String) {
    (ErrorClass::Forbidden, reason.to_owned())
}

#[test]
fn a_login_certificate_makes_an_officer_of_its_body() {
    let bench = Bench::new();
    let presented = shown(&Pki::ours().login(OfficerRole::BranchOfficer, 9));
    let caller = bench.judge(&presented, SUBMIT).unwrap();
    assert_eq!(
        caller,
        Caller::Officer {
            role: OfficerRole::BranchOfficer,
            body: Some(body()),
            serial: serial(9),
        }
    );
    assert_eq!(*bench.standings.asked.lock(), [(serial(9), Some(body()))]);
    assert!(bench.noted.0.lock().is_empty());
}

#[test]
fn logins_under_every_kind_of_ca_key_are_verified() {
    for algorithm in [
        KeyAlgorithm::Rsa2048,
        KeyAlgorithm::Rsa3072,
        KeyAlgorithm::P384,
    ] {
        let pki = Pki::with(algorithm);
        let mut bench = Bench::new();
        bench.judge.services = pki.service_anchors();
        if let Some(door) = &mut bench.judge.officers {
            door.anchors = pki.officer_anchors();
        }
        let officer = shown(&pki.login(OfficerRole::Operator, 9));
        assert!(bench.judge(&officer, LIST_BODIES).is_ok(), "{algorithm}");
        let service = shown(&pki.service(Role::Intake));
        assert_eq!(
            bench.reason(&service, LIST_BODIES),
            forbidden("ROLE_NOT_ALLOWED"),
            "{algorithm}"
        );
    }
}

#[test]
fn who_shows_nothing_or_a_foreign_certificate_is_nobody() {
    let bench = Bench::new();
    let foreign = Pki::make();
    for (presented, reason) in [
        (Presented::new(None), "CLIENT_CERTIFICATE_MISSING"),
        (
            shown(&foreign.login(OfficerRole::Operator, 9)),
            "CLIENT_CERTIFICATE_UNTRUSTED",
        ),
        (
            shown(&foreign.service(Role::Intake)),
            "CLIENT_CERTIFICATE_UNTRUSTED",
        ),
        (
            Presented::new(Some(&[CertificateDer::from(vec![0x30, 0])])),
            "CLIENT_CERTIFICATE_UNTRUSTED",
        ),
    ] {
        assert_eq!(
            bench.reason(&presented, LIST_BODIES),
            unauthenticated(reason)
        );
        let noted = bench.noted.0.lock().pop().unwrap();
        assert_eq!((noted.caller.as_str(), noted.reason), ("unknown", reason));
    }
}

#[test]
fn another_kind_of_certificate_is_told_that_it_cannot_log_in() {
    let bench = Bench::new();
    let presented = shown(&Pki::ours().official_duty());
    assert_eq!(
        bench.reason(&presented, LIST_BODIES),
        forbidden("NOT_A_LOGIN_CERTIFICATE")
    );
}

#[test]
fn a_login_ends_with_its_certificate_within_the_connection() {
    let bench = Bench::new();
    let presented = shown(&Pki::ours().login(OfficerRole::Auditor, 9));
    assert!(bench.judge(&presented, LIST_BODIES).is_ok());
    let last: lgpki_domain::JstDate = "2011-02-03".parse().unwrap();
    bench.clock.set(last.last_second().plus_millis(999));
    assert!(bench.judge(&presented, LIST_BODIES).is_ok());
    bench.clock.advance_millis(1);
    assert_eq!(
        bench.reason(&presented, LIST_BODIES),
        unauthenticated("CLIENT_CERTIFICATE_EXPIRED")
    );
    bench.clock.set(opening().plus_millis(-1));
    assert_eq!(
        bench.reason(&presented, LIST_BODIES),
        unauthenticated("CLIENT_CERTIFICATE_NOT_YET_VALID")
    );
}

#[test]
fn a_login_ends_with_its_revocation_or_its_branch_within_the_connection() {
    let bench = Bench::new();
    let presented = shown(&Pki::ours().login(OfficerRole::BranchOfficer, 9));
    assert!(bench.judge(&presented, LIST_BODIES).is_ok());
    let at = opening();
    for (standing, expected) in [
        (
            LoginStanding::Revoked { at },
            unauthenticated("CLIENT_CERTIFICATE_REVOKED"),
        ),
        (
            LoginStanding::BranchDeactivated,
            forbidden("BRANCH_DEACTIVATED"),
        ),
        (
            LoginStanding::NotRegistered,
            unauthenticated("CLIENT_CERTIFICATE_NOT_REGISTERED"),
        ),
        (
            LoginStanding::Unknown,
            (ErrorClass::Unavailable, "LOGIN_STANDING_UNKNOWN".to_owned()),
        ),
    ] {
        *bench.standings.answer.lock() = Some(standing);
        assert_eq!(bench.reason(&presented, LIST_BODIES), expected);
    }
    let noted: Vec<_> = bench
        .noted
        .0
        .lock()
        .iter()
        .map(|n| n.caller.clone())
        .collect();
    let caller = format!("branch-officer/01001/{}", serial(9));
    // That the service is still catching up is nobody's refusal.
    assert_eq!(noted, [caller.clone(), caller.clone(), caller]);
}

#[test]
fn a_login_in_renewal_reads_and_confirms_but_applies_for_nothing() {
    let bench = Bench::new();
    let presented = shown(&Pki::ours().login(OfficerRole::BranchOfficer, 9));
    *bench.standings.answer.lock() = Some(LoginStanding::InRenewal);
    for row in lgpki_proto::access::of(lgpki_proto::ServiceName::Intake) {
        if !row
            .roles
            .contains(&lgpki_domain::Role::Officer(OfficerRole::BranchOfficer))
        {
            continue;
        }
        let judged = bench.judge(&presented, row.path);
        match judged {
            Ok(_) => assert!(row.in_renewal, "{}", row.path),
            Err(failure) => {
                assert_eq!(failure.reason, "LOGIN_IN_RENEWAL", "{}", row.path);
                assert_eq!(failure.class, ErrorClass::Forbidden);
                assert!(!row.in_renewal, "{}", row.path);
            }
        }
    }
    assert!(bench.judge(&presented, LIST_BODIES).is_ok());
    assert!(bench.judge(&presented, SUBMIT).is_err());
}

#[test]
fn a_role_that_an_rpc_does_not_name_is_refused_by_name() {
    let bench = Bench::new();
    let presented = shown(&Pki::ours().login(OfficerRole::Auditor, 9));
    let failure = bench.judge(&presented, CHANGE_LIMITS).unwrap_err();
    assert_eq!(failure.reason, "ROLE_NOT_ALLOWED");
    assert!(failure.message.contains("operator, not to auditor"));
}

#[test]
fn a_service_is_known_by_its_name_and_an_officer_is_none() {
    let bench = Bench::new();
    let row = access::find(
        ServiceName::Lifecycle,
        "/lgpki.v1.LifecycleService/PublishCrls",
    );
    let intake = shown(&Pki::ours().service(Role::Intake));
    let caller = bench.judge.judge(&intake, row.unwrap());
    assert_eq!(caller, Ok(Caller::Service(Role::Intake)));
    let issuer = shown(&Pki::ours().service(Role::Issuer));
    let failure = bench.judge.judge(&issuer, row.unwrap()).unwrap_err();
    assert_eq!(failure.reason, "ROLE_NOT_ALLOWED");
    // A service that serves services only trusts no Organization CA.
    let mut internal = bench.judge.clone();
    internal.officers = None;
    let operator = shown(&Pki::ours().login(OfficerRole::Operator, 9));
    let failure = internal.judge(&operator, row.unwrap()).unwrap_err();
    assert_eq!(failure.reason, "CLIENT_CERTIFICATE_UNTRUSTED");
}

#[test]
fn an_anchor_that_is_withdrawn_ends_the_logins_below_it() {
    let bench = Bench::new();
    let presented = shown(&Pki::ours().login(OfficerRole::Auditor, 9));
    assert!(bench.judge(&presented, LIST_BODIES).is_ok());
    let anchors = bench.judge.officers.clone().unwrap().anchors;
    let other = Pki::make();
    anchors
        .replace(&[other.organization_certificate()])
        .unwrap();
    assert_eq!(
        bench.reason(&presented, LIST_BODIES),
        unauthenticated("CLIENT_CERTIFICATE_UNTRUSTED")
    );
    assert!(anchors.replace(&Vec::<Vec<u8>>::new()).is_err());
    let both = [
        Pki::ours().organization_certificate(),
        other.organization_certificate(),
    ];
    anchors.replace(&both).unwrap();
    assert!(bench.judge(&presented, LIST_BODIES).is_ok());
}
