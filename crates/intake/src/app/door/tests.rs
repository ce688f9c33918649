//! Every rule of the door on its own, by its reason and field.

mod renewal;
mod standing;

use lgpki_domain::{
    Digest, KeyAlgorithm, Names, OfficerRole, Serial, Subject, Validity,
    application::Sort,
    directory::{Account, Body, Branch, Organization},
    examination::{BranchExamination, ExaminationMode},
};
use lgpki_keys::{Signer, SoftwareKey};
use lgpki_x509::{key::SubjectPublicKey, request};

use super::*;
use crate::{
    config::{RawPolicy, RawSettings, Settings},
    standings::{Held, Progress},
};

fn now() -> Timestamp {
    "2009-02-10T10:00:00+09:00".parse().unwrap()
}

fn branch() -> BodyCode {
    "01001".parse().unwrap()
}

fn names(en: &str, ja: &str) -> Names {
    Names::try_new("x", en, ja).unwrap()
}

fn subject(unit: bool, name: Names) -> Subject {
    Subject {
        body: names("Sapporo City", "札幌市"),
        unit: unit.then(|| names("General Affairs", "総務部")),
        name,
    }
}

fn mayor() -> Subject {
    subject(true, names("Mayor", "市長"))
}

fn serial(n: u8) -> Serial {
    Serial::from_bytes(&[0x40 | n; 16]).unwrap()
}

/// A CSR for what is wished.
fn csr(wish: &IssueWish) -> Vec<u8> {
    let key = SoftwareKey::generate(KeyAlgorithm::P256).unwrap();
    let public = SubjectPublicKey::parse("key", key.public_key().der()).unwrap();
    let requested = Requested {
        dns_names: &wish.dns_names,
        mail: wish.mail_address.as_deref(),
        login: wish.login_role.map(|role| (role, Some(branch()))),
    };
    let particulars = Particulars::try_new("x", wish.kind.unwrap(), &requested).unwrap();
    let subject = wish.subject.as_ref().unwrap();
    let info = request::build_info(subject, &particulars, &public).unwrap();
    let signature = key.sign(&info).unwrap();
    request::assemble(info, key.algorithm().signature(), &signature)
}

fn wish(kind: CertificateKind) -> IssueWish {
    let mut wish = IssueWish {
        kind: Some(kind),
        subject: Some(mayor()),
        medium: Some(KeyMedium::IcCard),
        ..IssueWish::default()
    };
    match kind {
        CertificateKind::User => {
            let role = names("archivist-lgacc", "文書取扱主任（利用者）");
            wish.subject = Some(subject(true, role));
        }
        CertificateKind::WebServer => {
            wish.subject = Some(subject(false, names("www.city.sapporo.lg.jp", "市の窓口")));
            wish.medium = Some(KeyMedium::Server);
            wish.dns_names = vec!["www.city.sapporo.lg.jp".to_owned()];
        }
        CertificateKind::Mail => wish.mail_address = Some("info@city.sapporo.lg.jp".to_owned()),
        CertificateKind::Login => wish.login_role = Some(OfficerRole::BranchOfficer),
        _ => {}
    }
    wish.csr = csr(&wish);
    wish
}

fn submission(wish: Wish) -> Submission {
    let day = "2009-02-09".parse().unwrap();
    Submission {
        request_id: Some("request-1".parse().unwrap()),
        branch: NamedBranch::One(branch()),
        content_digest: Digest([0; 32]),
        examination: BranchExamination::try_new("x", "総務課長", true, day, now()).ok(),
        examiner_name: None,
        wish: Some(wish),
        faults: Faults::new(),
    }
}

fn view() -> DoorView {
    DoorView {
        body: Some(Body {
            code: branch(),
            names: names("Sapporo City", "札幌市"),
            branch: Branch::Active,
        }),
        organization: Some(Organization {
            body: branch(),
            names: names("General Affairs", "総務部"),
        }),
        account: Some(Account {
            body: branch(),
            unit_en: "General Affairs".to_owned(),
            names: names("archivist-lgacc", "文書取扱主任（利用者）"),
        }),
        key_used_by: None,
        open_for_subject: None,
        renewed_by: None,
        ended_by: None,
    }
}

/// Where an application is judged; tests change what they are about.
struct Scene {
    view: DoorView,
    standings: Standings,
    rules: Rules,
}

impl Scene {
    fn new() -> Self {
        let raw = RawSettings {
            administrative_domains: vec!["service.sapporo.lg.jp".to_owned()],
            examination: [(
                "mail".to_owned(),
                RawPolicy {
                    mode: Some(ExaminationMode::Automatic.name().to_owned()),
                    two_person: false,
                },
            )]
            .into(),
            ..RawSettings::default()
        };
        Self {
            view: view(),
            standings: Standings::default(),
            rules: Settings::try_from(raw).unwrap().rules,
        }
    }

    fn judge(&self, wish: Wish) -> Result<Admitted, Vec<(String, &'static str)>> {
        let against = Against {
            view: &self.view,
            standings: &self.standings,
            rules: &self.rules,
            ended: &[],
            now: now(),
        };
        judge(Inspected::new(submission(wish)), &against)
            .map(|(_, admitted)| admitted)
            .map_err(|refusal| {
                let faults = refusal.faults.into_iter();
                faults.map(|f| (f.field, f.reason)).collect()
            })
    }

    fn issue(&self, wish: IssueWish) -> Result<Admitted, Vec<(String, &'static str)>> {
        self.judge(Wish::Issue(Box::new(wish)))
    }

    /// The only fault of a wish.
    fn fault(&self, wish: IssueWish) -> (String, &'static str) {
        let faults = self.issue(wish).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        faults[0].clone()
    }
}

fn at(field: &str, reason: &'static str) -> (String, &'static str) {
    (field.to_owned(), reason)
}

fn held(n: u8, subject: Subject, revoked: bool) -> Held {
    Held {
        application: None,
        renewal: None,
        serial: serial(n),
        branch: Some(branch()),
        kind: CertificateKind::OfficialDuty,
        subject,
        key_digest: Digest([n; 32]),
        validity: Validity::for_subscriber("2008-02-04".parse().unwrap()),
        revoked_at: revoked.then(now),
    }
}

#[test]
fn every_kind_enters_when_all_is_right() {
    let scene = Scene::new();
    for kind in CertificateKind::APPLICABLE {
        let admitted = scene.issue(wish(kind)).unwrap();
        assert_eq!(admitted.sort, Sort::Issue);
        let approvals = u32::from(kind != CertificateKind::Mail);
        assert_eq!(admitted.approvals_needed, approvals, "{kind}");
        let Content::Issue(content) = admitted.content else {
            panic!("{kind}")
        };
        assert_eq!(content.kind, kind);
        assert_eq!(content.key_algorithm, KeyAlgorithm::P256);
    }
}

#[test]
fn nobody_applies_for_a_cross_certificate() {
    let mut cross = wish(CertificateKind::OfficialDuty);
    cross.kind = Some(CertificateKind::Cross);
    let faults = Scene::new().issue(cross).unwrap_err();
    assert!(
        faults.contains(&at("issue.kind", "KIND_NOT_APPLICABLE")),
        "{faults:?}"
    );
}

#[test]
fn a_medium_that_cannot_carry_the_kind_is_refused() {
    let table = [
        (CertificateKind::OfficialDuty, KeyMedium::UsbToken),
        (CertificateKind::User, KeyMedium::Server),
        (CertificateKind::Mail, KeyMedium::UsbToken),
        (CertificateKind::WebServer, KeyMedium::IcCard),
    ];
    for (kind, medium) in table {
        let mut wrong = wish(kind);
        wrong.medium = Some(medium);
        assert_eq!(
            Scene::new().fault(wrong),
            at("issue.medium", "MEDIUM_NOT_FOR_KIND")
        );
    }
}

#[test]
fn the_names_must_stand_in_the_directories_in_both_languages() {
    let mut scene = Scene::new();
    scene.view.body.as_mut().unwrap().names = names("Sapporo City", "札幌町");
    assert_eq!(
        scene.fault(wish(CertificateKind::OfficialDuty)),
        at("issue.subject.body.ja", "BODY_NAME_DIFFERS")
    );
    let mut scene = Scene::new();
    scene.view.organization = None;
    assert_eq!(
        scene.fault(wish(CertificateKind::OfficialDuty)),
        at("issue.subject.unit", "ORGANIZATION_NOT_REGISTERED")
    );
    scene.view.organization = Some(Organization {
        body: branch(),
        names: names("General Affairs", "総務課"),
    });
    assert_eq!(
        scene.fault(wish(CertificateKind::Mail)),
        at("issue.subject.unit.ja", "ORGANIZATION_NAME_DIFFERS")
    );
    let mut scene = Scene::new();
    scene.view.account = None;
    assert_eq!(
        scene.fault(wish(CertificateKind::User)),
        at("issue.subject.name", "ACCOUNT_NOT_REGISTERED")
    );
    scene.view.account = Some(Account {
        names: names("archivist-lgacc", "主任（利用者）"),
        ..view().account.unwrap()
    });
    assert_eq!(
        scene.fault(wish(CertificateKind::User)),
        at("issue.subject.name.ja", "ACCOUNT_NAME_DIFFERS")
    );
}

#[test]
fn a_user_certificates_name_ends_as_the_account_directory_has_it() {
    let mut wrong = wish(CertificateKind::User);
    wrong.subject = Some(mayor());
    wrong.csr = csr(&wrong);
    assert_eq!(
        Scene::new().fault(wrong),
        at("issue.subject.name", "ACCOUNT_SUFFIX_MISSING")
    );
}

#[test]
fn the_unit_is_required_where_the_directory_is_asked() {
    let mut wrong = wish(CertificateKind::OfficialDuty);
    wrong.subject = Some(subject(false, names("Mayor", "市長")));
    wrong.csr = csr(&wrong);
    assert_eq!(
        Scene::new().fault(wrong),
        at("issue.subject.unit", "UNIT_MISSING")
    );
    let web = wish(CertificateKind::WebServer);
    assert!(web.subject.as_ref().unwrap().unit.is_none());
    assert!(Scene::new().issue(web).is_ok());
}

#[test]
fn only_a_body_with_an_open_branch_applies() {
    let table = [
        (None, "BODY_UNKNOWN"),
        (Some(Branch::None), "BRANCH_MISSING"),
        (
            Some(Branch::Deactivated {
                at: now(),
                reason: "merged".to_owned(),
            }),
            "BRANCH_DEACTIVATED",
        ),
    ];
    for (state, reason) in table {
        let mut scene = Scene::new();
        scene.view.body = state.map(|branch| Body {
            branch,
            ..view().body.unwrap()
        });
        let fault = scene.fault(wish(CertificateKind::OfficialDuty));
        assert_eq!(fault, at("branch", reason));
    }
}

#[test]
fn a_mail_address_lies_outside_the_administrative_domains() {
    let mut wrong = wish(CertificateKind::Mail);
    wrong.mail_address = Some("info@a.service.sapporo.lg.jp".to_owned());
    wrong.csr = csr(&wrong);
    assert_eq!(
        Scene::new().fault(wrong),
        at("issue.mail_address", "MAIL_ADMINISTRATIVE_DOMAIN")
    );
    let mut missing = wish(CertificateKind::Mail);
    missing.mail_address = None;
    assert_eq!(
        Scene::new().fault(missing),
        at("issue.mail_address", "MAIL_MISSING")
    );
}

#[test]
fn a_branch_applies_for_its_own_officers_only() {
    for role in [OfficerRole::Operator, OfficerRole::Auditor] {
        let mut wrong = wish(CertificateKind::Login);
        wrong.login_role = Some(role);
        assert_eq!(
            Scene::new().fault(wrong),
            at("issue.login_role", "LOGIN_ROLE_NOT_APPLICABLE")
        );
    }
    let mut missing = wish(CertificateKind::Login);
    missing.login_role = None;
    assert_eq!(
        Scene::new().fault(missing),
        at("issue.login_role", "LOGIN_ROLE_MISSING")
    );
}

#[test]
fn what_belongs_to_another_kind_is_refused() {
    let mut wrong = wish(CertificateKind::OfficialDuty);
    wrong.dns_names = vec!["www.city.sapporo.lg.jp".to_owned()];
    wrong.mail_address = Some("info@city.sapporo.lg.jp".to_owned());
    wrong.login_role = Some(OfficerRole::BranchOfficer);
    let fields: Vec<_> = Scene::new()
        .issue(wrong)
        .unwrap_err()
        .into_iter()
        .map(|(field, _)| field)
        .collect();
    let all = ["issue.dns_names", "issue.mail_address", "issue.login_role"];
    assert_eq!(fields, all);
}

#[test]
fn a_request_that_does_not_prove_possession_is_refused() {
    let mut wrong = wish(CertificateKind::OfficialDuty);
    let last = wrong.csr.len() - 1;
    wrong.csr[last] ^= 1;
    let (field, reason) = Scene::new().fault(wrong);
    assert_eq!((field.as_str(), reason), (CSR, "CSR_SIGNATURE_INVALID"));
    let mut other = wish(CertificateKind::OfficialDuty);
    other.csr = csr(&IssueWish {
        subject: Some(subject(true, names("Deputy Mayor", "副市長"))),
        ..other.clone()
    });
    let faults = Scene::new().issue(other).unwrap_err();
    assert!(
        faults.iter().all(|(field, _)| field.starts_with(CSR)),
        "{faults:?}"
    );
    assert!(!faults.is_empty());
}

#[test]
fn a_key_is_certified_once_and_comes_with_one_application() {
    let fresh = wish(CertificateKind::OfficialDuty);
    let digest = CertificationRequest::parse(CSR, &fresh.csr)
        .unwrap()
        .public_key()
        .digest();
    let mut scene = Scene::new();
    scene.view.key_used_by = Some(lgpki_domain::ApplicationId::from_bytes([1; 16]));
    assert_eq!(scene.fault(fresh.clone()), at(CSR, "KEY_USED_BEFORE"));
    let certified = Held {
        key_digest: digest,
        ..held(1, subject(true, names("Other", "他")), true)
    };
    scene.standings.apply(vec![certified], Progress::default());
    assert_eq!(scene.fault(fresh), at(CSR, "KEY_CERTIFIED_BEFORE"));
}

#[test]
fn a_subject_holds_one_valid_certificate_of_a_kind() {
    let scene = Scene::new();
    scene
        .standings
        .apply(vec![held(1, mayor(), false)], Progress::default());
    assert_eq!(
        scene.fault(wish(CertificateKind::OfficialDuty)),
        at(SUBJECT, "SUBJECT_HAS_VALID_CERTIFICATE")
    );
    scene
        .standings
        .apply(vec![held(1, mayor(), true)], Progress::default());
    assert!(scene.issue(wish(CertificateKind::OfficialDuty)).is_ok());

    let mut scene = Scene::new();
    scene.view.open_for_subject = Some(lgpki_domain::ApplicationId::from_bytes([1; 16]));
    assert_eq!(
        scene.fault(wish(CertificateKind::OfficialDuty)),
        at(SUBJECT, "SUBJECT_HAS_OPEN_APPLICATION")
    );
}

fn revocation(sort: Sort, n: u8) -> Wish {
    Wish::Revoke {
        sort,
        serial: Some(serial(n)),
        reason: Some(match sort {
            Sort::Revoke => RevocationReason::KeyCompromise,
            _ => RevocationReason::CessationOfOperation,
        }),
    }
}

#[test]
fn only_a_standing_certificate_of_ones_own_is_revoked() {
    let scene = Scene::new();
    let foreign = Held {
        branch: Some("01002".parse().unwrap()),
        ..held(3, mayor(), false)
    };
    let expired = Held {
        validity: Validity::for_subscriber("2006-02-01".parse().unwrap()),
        ..held(4, mayor(), false)
    };
    let known = vec![
        held(1, mayor(), false),
        held(2, mayor(), true),
        foreign,
        expired,
    ];
    scene.standings.apply(known, Progress::default());
    let table = [
        (2, "CERTIFICATE_REVOKED_BEFORE"),
        (3, "CERTIFICATE_OF_ANOTHER_BRANCH"),
        (4, "CERTIFICATE_EXPIRED"),
        (5, "CERTIFICATE_UNKNOWN"),
    ];
    for (n, reason) in table {
        let faults = scene.judge(revocation(Sort::Abolish, n)).unwrap_err();
        assert_eq!(faults, [at("abolish.serial", reason)]);
    }
    let admitted = scene.judge(revocation(Sort::Abolish, 1)).unwrap();
    assert_eq!(admitted.approvals_needed, 1);
    let urgent = scene.judge(revocation(Sort::Revoke, 1)).unwrap();
    assert_eq!(
        urgent.approvals_needed, 0,
        "a key compromise waits for nobody"
    );
}

#[test]
fn the_certificates_of_a_closed_branch_can_still_be_ended() {
    let mut scene = Scene::new();
    let known = vec![held(1, mayor(), false)];
    scene.standings.apply(known, Progress::default());
    let closed = Branch::Deactivated {
        at: now(),
        reason: "merged into 01002".to_owned(),
    };
    for state in [closed, Branch::None] {
        scene.view.body.as_mut().unwrap().branch = state;
        for sort in [Sort::Abolish, Sort::Revoke] {
            assert_eq!(scene.judge(revocation(sort, 1)).unwrap().sort, sort);
        }
        let certificate = scene.issue(wish(CertificateKind::Mail)).unwrap_err();
        assert_eq!(certificate.len(), 1, "{certificate:?}");
    }
    scene.view.body = None;
    let faults = scene.judge(revocation(Sort::Revoke, 1)).unwrap_err();
    assert_eq!(faults, [at("branch", "BODY_UNKNOWN")]);
}

#[test]
fn all_faults_are_told_at_once() {
    let mut scene = Scene::new();
    scene.view.organization = None;
    scene.view.body.as_mut().unwrap().branch = Branch::None;
    let mut wrong = wish(CertificateKind::OfficialDuty);
    wrong.medium = Some(KeyMedium::UsbToken);
    wrong.csr = Vec::new();
    let mut reasons: Vec<_> = scene
        .issue(wrong)
        .unwrap_err()
        .into_iter()
        .map(|(_, reason)| reason)
        .collect();
    reasons.sort_unstable();
    let all = [
        "BRANCH_MISSING",
        "CSR_EMPTY",
        "MEDIUM_NOT_FOR_KIND",
        "ORGANIZATION_NOT_REGISTERED",
    ];
    assert_eq!(reasons, all);
}

#[test]
fn only_what_can_be_looked_up_is_asked_for() {
    let inspected = Inspected::new(submission(Wish::Issue(Box::new(wish(
        CertificateKind::OfficialDuty,
    )))));
    let query = inspected.query().unwrap();
    assert_eq!(query.unit_en.as_deref(), Some("General Affairs"));
    assert_eq!(query.name_en, None);
    assert!(query.key_digest.is_some() && query.subject_key.is_some());
    let mut nowhere = submission(revocation(Sort::Revoke, 1));
    nowhere.branch = NamedBranch::Unreadable;
    assert!(Inspected::new(nowhere).query().is_none());
}
