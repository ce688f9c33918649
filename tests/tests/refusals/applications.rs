//! Bad applications with requests that nothing is wrong with.

mod history;

use lgpki_domain::Clock;
use lgpki_proto::v1::{
    self, CertificateKind, KeyMedium, SubmitApplicationRequest, submit_application_request::Content,
};
use lgpki_runtime::clock::SystemClock;
use lgpki_tests::request::{self, names};
use tonic::Code;

use super::scene::{BRANCH, Case, OTHER, Scene, official_duty, unit};

const HOST: &str = "www.city.synthetic.lg.jp";

/// Every case; what some of them stumble over is stored first.
pub(crate) async fn table(scene: &Scene) -> Vec<Case> {
    let mut table = Table(Vec::new());
    table.fields();
    table.examinations();
    table.kinds_and_media();
    table.names();
    table.directories();
    table.accounts();
    table.hosts();
    table.mail();
    table.logins();
    table.branches();
    table.history(scene).await;
    table.revocations(scene).await;
    table.0
}

struct Table(Vec<Case>);

/// An application that is good but for a change in what is asked for.
fn spoilt(change: impl FnOnce(&mut v1::IssueContent)) -> SubmitApplicationRequest {
    spoil(official_duty("Mayor", "市長"), change)
}

fn spoil(
    mut request: SubmitApplicationRequest,
    change: impl FnOnce(&mut v1::IssueContent),
) -> SubmitApplicationRequest {
    match &mut request.content {
        Some(Content::Issue(issue)) => change(issue),
        _ => panic!("this application asks for no certificate"),
    }
    request
}

/// An application for `kind` with a request for exactly this subject.
fn naming(
    kind: CertificateKind,
    unit: Option<v1::Names>,
    name: v1::Names,
) -> SubmitApplicationRequest {
    let subject = request::subject(BRANCH, unit, name);
    request::issue(BRANCH, request::content(kind, subject))
}

fn web_server(hosts: &[&str]) -> SubmitApplicationRequest {
    let first = hosts.first().copied().unwrap_or(HOST);
    let mut content = request::web_server(BRANCH, first);
    content.dns_names = hosts.iter().map(|host| (*host).to_owned()).collect();
    request::issue(BRANCH, content)
}

fn mail(address: &str) -> SubmitApplicationRequest {
    let request = naming(CertificateKind::Mail, Some(unit()), names("Mail", "代表"));
    spoil(request, |issue| address.clone_into(&mut issue.mail_address))
}

fn login(role: i32) -> SubmitApplicationRequest {
    let request = naming(CertificateKind::Login, None, names("Officer 2", "責任者2"));
    spoil(request, |issue| issue.login_role = role)
}

impl Table {
    fn add(&mut self, name: &str, request: SubmitApplicationRequest, faults: &[&str]) {
        self.0.push(Case::new(name, request, faults));
    }

    fn fields(&mut self) {
        let changed = |change: fn(&mut SubmitApplicationRequest)| {
            let mut request = official_duty("Mayor", "市長");
            change(&mut request);
            request
        };
        let malformed = &["request_id FIELD_MALFORMED"];
        let spaces = changed(|r| "has spaces in it".clone_into(&mut r.request_id));
        self.add("a request id with spaces", spaces, malformed);
        let short = changed(|r| "short".clone_into(&mut r.request_id));
        self.add("a short request id", short, malformed);
        let long = changed(|r| r.request_id = "x".repeat(65));
        self.add("a long request id", long, malformed);
        let none = changed(|r| r.request_id.clear());
        self.add("no request id", none, &["request_id FIELD_MISSING"]);
        let nothing = changed(|r| r.content = None);
        self.add("nothing asked for", nothing, &["content FIELD_MISSING"]);
        let subject = spoilt(|issue| issue.subject = None);
        self.add("no subject", subject, &["issue.subject FIELD_MISSING"]);
        let body = spoilt(|issue| issue.subject.as_mut().unwrap().body = None);
        self.add(
            "no body's name",
            body,
            &["issue.subject.body FIELD_MISSING"],
        );
        let name = spoilt(|issue| issue.subject.as_mut().unwrap().name = None);
        self.add("no name", name, &["issue.subject.name FIELD_MISSING"]);
    }

    fn examinations(&mut self) {
        let examined = |change: fn(&mut v1::BranchExamination)| {
            let mut request = official_duty("Mayor", "市長");
            change(request.examination.as_mut().unwrap());
            request
        };
        let mut none = official_duty("Mayor", "市長");
        none.examination = None;
        self.add("no examination", none, &["examination EXAMINATION_MISSING"]);
        let nobody = examined(|e| e.office.clear());
        self.add(
            "no examiner",
            nobody,
            &["examination.office EXAMINER_MISSING"],
        );
        let bell = examined(|e| "総務課長\u{7}".clone_into(&mut e.office));
        self.add(
            "a bell in the office",
            bell,
            &["examination.office EXAMINER_MALFORMED"],
        );
        let name = examined(|e| e.examiner_name = "山".repeat(65));
        let fault = &["examination.examiner_name EXAMINER_NAME_MALFORMED"];
        self.add("an endless examiner", name, fault);
        let refused = examined(|e| e.approved = false);
        let fault = &["examination.approved BRANCH_DID_NOT_APPROVE"];
        self.add("not approved by the branch", refused, fault);
        let mut tomorrow = official_duty("Mayor", "市長");
        let day = SystemClock.now().jst_date().plus_days(1).to_string();
        tomorrow.examination.as_mut().unwrap().decided_on = day;
        let fault = &["examination.decided_on EXAMINATION_IN_THE_FUTURE"];
        self.add("examined tomorrow", tomorrow, fault);
        let day = examined(|e| "平成20年2月4日".clone_into(&mut e.decided_on));
        let fault = &["examination.decided_on FIELD_MALFORMED"];
        self.add("a day of another calendar", day, fault);
        let day = examined(|e| e.decided_on.clear());
        self.add("no day", day, &["examination.decided_on FIELD_MISSING"]);
    }

    fn kinds_and_media(&mut self) {
        let none = spoilt(|issue| issue.kind = 0);
        self.add("no kind", none, &["issue.kind FIELD_MISSING"]);
        let unknown = spoilt(|issue| issue.kind = 99);
        self.add(
            "an unknown kind",
            unknown,
            &["issue.kind FIELD_UNKNOWN_VALUE"],
        );
        let cross = spoilt(|issue| issue.kind = CertificateKind::Cross.into());
        let faults = &[
            "issue.kind KIND_NOT_APPLICABLE",
            "issue.medium MEDIUM_NOT_FOR_KIND",
        ];
        self.add("a cross certificate", cross, faults);
        let none = spoilt(|issue| issue.medium = 0);
        self.add("no medium", none, &["issue.medium FIELD_MISSING"]);
        let unknown = spoilt(|issue| issue.medium = 42);
        self.add(
            "an unknown medium",
            unknown,
            &["issue.medium FIELD_UNKNOWN_VALUE"],
        );
        let wrong = &["issue.medium MEDIUM_NOT_FOR_KIND"];
        let token = spoilt(|issue| issue.medium = KeyMedium::UsbToken.into());
        self.add("a USB token for an official duty", token, wrong);
        let server = spoilt(|issue| issue.medium = KeyMedium::Server.into());
        self.add("an official duty on a server", server, wrong);
        let card = spoil(web_server(&[HOST]), |issue| {
            issue.medium = KeyMedium::IcCard.into();
        });
        self.add("a web server on a card", card, wrong);
        let token = spoil(mail("mail@city.synthetic.lg.jp"), |issue| {
            issue.medium = KeyMedium::UsbToken.into();
        });
        self.add("a USB token for mail", token, wrong);
    }

    fn names(&mut self) {
        let duty = |en: &str, ja: &str| official_duty(en, ja);
        let japanese = &["issue.subject.name.ja NAME_NOT_JAPANESE"];
        // UTF-8 read as Latin-1, Shift_JIS read as UTF-8, half-width katakana.
        self.add(
            "mojibake of Latin-1",
            duty("Mayor", "å¸\u{82}é\u{95}·"),
            japanese,
        );
        self.add(
            "mojibake of Shift_JIS",
            duty("Mayor", "\u{fffd}s\u{fffd}\u{fffd}"),
            japanese,
        );
        self.add("half-width katakana", duty("Mayor", "ｼﾁｮｳ"), japanese);
        let english = &["issue.subject.name.en NAME_NOT_PRINTABLE_STRING"];
        let request = spoilt(|issue| {
            issue.subject.as_mut().unwrap().name = Some(names("Bürgermeister", "市長"));
        });
        self.add("an umlaut", request, english);
        let request = spoilt(|issue| {
            issue.subject.as_mut().unwrap().name = Some(names("", "市長"));
        });
        self.add(
            "an empty name",
            request,
            &["issue.subject.name.en NAME_MISSING"],
        );
        let long = duty(&"M".repeat(65), "市長");
        self.add(
            "a name too long",
            long,
            &["issue.subject.name.en NAME_TOO_LONG"],
        );
        let spacing = duty("Mayor", "市長　");
        self.add(
            "a space at the end",
            spacing,
            &["issue.subject.name.ja NAME_SPACING"],
        );
        let mistyped = spoilt(|issue| {
            issue.subject.as_mut().unwrap().name = Some(names("Mayer", "市長"));
        });
        let fault = &["issue.csr CSR_SUBJECT_MISMATCH"];
        self.add("another name than in the request", mistyped, fault);
    }

    fn directories(&mut self) {
        let body = |body: v1::Names| {
            let subject = v1::Subject {
                body: Some(body),
                unit: Some(unit()),
                name: Some(names("Mayor", "市長")),
            };
            request::issue(
                BRANCH,
                request::content(CertificateKind::OfficialDuty, subject),
            )
        };
        let own = request::body(BRANCH);
        let mistyped = body(names("Hokaido Synthetic Body 001", &own.ja));
        let fault = &["issue.subject.body.en BODY_NAME_DIFFERS"];
        self.add("a mistyped body", mistyped, fault);
        let faults = &[
            "issue.subject.body.en BODY_NAME_DIFFERS",
            "issue.subject.body.ja BODY_NAME_DIFFERS",
        ];
        self.add("another body's name", body(request::body(OTHER)), faults);
        let duty = |unit| naming(CertificateKind::OfficialDuty, unit, names("Mayor", "市長"));
        let none = &["issue.subject.unit UNIT_MISSING"];
        self.add("no unit", duty(None), none);
        let unregistered = &["issue.subject.unit ORGANIZATION_NOT_REGISTERED"];
        let unit = |en, ja| Some(names(en, ja));
        let foreign = duty(unit("Ministry of Silly Walks", "変な歩き方省"));
        self.add("a foreign organization", foreign, unregistered);
        let others = duty(unit("Tax Department", "税務部"));
        self.add("a unit of another body", others, unregistered);
        let differs = duty(unit("General Affairs Department", "総務課"));
        let fault = &["issue.subject.unit.ja ORGANIZATION_NAME_DIFFERS"];
        self.add("another Japanese name of the unit", differs, fault);
    }

    fn accounts(&mut self) {
        let user = |en: &str, ja: &str| naming(CertificateKind::User, Some(unit()), names(en, ja));
        let unregistered = user("nobody-lgacc", "誰でもない（利用者）");
        let fault = &["issue.subject.name ACCOUNT_NOT_REGISTERED"];
        self.add("an unregistered account", unregistered, fault);
        let suffix = &["issue.subject.name ACCOUNT_SUFFIX_MISSING"];
        self.add("no -lgacc", user("chief", "文書取扱主任（利用者）"), suffix);
        self.add("no （利用者）", user("chief-lgacc", "文書取扱主任"), suffix);
        let differs = user("chief-lgacc", "文書取扱副主任（利用者）");
        let fault = &["issue.subject.name.ja ACCOUNT_NAME_DIFFERS"];
        self.add("another Japanese name of the account", differs, fault);
    }

    fn hosts(&mut self) {
        let first = &["issue.dns_names[0] DNS_NAME"];
        for (name, host) in [
            ("a host outside lg.jp", "www.city.synthetic.example"),
            ("a host of notlg.jp", "www.notlg.jp"),
            ("an IP address", "192.0.2.1"),
            ("a host with capitals", "WWW.city.synthetic.lg.jp"),
            ("a host with an empty label", "www..lg.jp"),
        ] {
            self.add(name, web_server(&[host]), first);
        }
        let wildcard = web_server(&[HOST, "*.city.synthetic.lg.jp"]);
        self.add("a wildcard", wildcard, &["issue.dns_names[1] DNS_NAME"]);
        let none = web_server(&[]);
        self.add("no host", none, &["issue.dns_names DNS_NAME_COUNT"]);
        let many: Vec<_> = (0..11).map(|n| format!("h{n}.synthetic.lg.jp")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        let fault = &["issue.dns_names DNS_NAME_COUNT"];
        self.add("eleven hosts", web_server(&many), fault);
        let twice = web_server(&[HOST, HOST]);
        self.add(
            "a host twice",
            twice,
            &["issue.dns_names[1] DNS_NAME_REPEATED"],
        );
        let other = spoil(web_server(&[HOST]), |issue| {
            issue.dns_names = vec!["other.synthetic.lg.jp".to_owned()];
        });
        let fault = &["issue.subject.name.en NAME_NOT_FIRST_HOST"];
        self.add("another name than the first host", other, fault);
        let stray = spoilt(|issue| issue.dns_names = vec![HOST.to_owned()]);
        let fault = &["issue.dns_names DNS_NAMES_NOT_ALLOWED"];
        self.add("a host for an official duty", stray, fault);
    }

    fn mail(&mut self) {
        let wrong = &["issue.mail_address MAIL_ADDRESS"];
        self.add("mail outside lg.jp", mail("mail@example.com"), wrong);
        self.add("no mail address at all", mail("mail"), wrong);
        let none = &["issue.mail_address MAIL_MISSING"];
        self.add("mail without an address", mail(""), none);
        let public = mail("mail@tax.service.synthetic.lg.jp");
        let fault = &["issue.mail_address MAIL_ADMINISTRATIVE_DOMAIN"];
        self.add("mail of an administrative-service domain", public, fault);
        let stray = spoilt(|issue| "mail@city.synthetic.lg.jp".clone_into(&mut issue.mail_address));
        let fault = &["issue.mail_address MAIL_NOT_ALLOWED"];
        self.add("mail for an official duty", stray, fault);
    }

    fn logins(&mut self) {
        let none = &["issue.login_role LOGIN_ROLE_MISSING"];
        self.add("a login without a role", login(0), none);
        let refused = &["issue.login_role LOGIN_ROLE_NOT_APPLICABLE"];
        let role = |role: v1::OfficerRole| i32::from(role);
        self.add(
            "an operator's login",
            login(role(v1::OfficerRole::Operator)),
            refused,
        );
        self.add(
            "an auditor's login",
            login(role(v1::OfficerRole::Auditor)),
            refused,
        );
        let unknown = &[
            "issue.login_role FIELD_UNKNOWN_VALUE",
            "issue.login_role LOGIN_ROLE_MISSING",
        ];
        self.add("a login of an unknown role", login(77), unknown);
        let stray = spoilt(|issue| issue.login_role = v1::OfficerRole::BranchOfficer.into());
        let fault = &["issue.login_role LOGIN_NOT_ALLOWED"];
        self.add("a login role for an official duty", stray, fault);
    }

    fn branches(&mut self) {
        let of = |branch: &str| {
            let mut request = official_duty("Mayor", "市長");
            branch.clone_into(&mut request.branch);
            request
        };
        let foreign = of(OTHER);
        let (code, reason) = (Code::PermissionDenied, "BRANCH_NOT_YOURS");
        self.0
            .push(Case::whole("another branch", foreign, code, reason));
        let nowhere = of("47999");
        self.0.push(Case::whole(
            "a body that is not there",
            nowhere,
            code,
            reason,
        ));
        self.add("no branch", of(""), &["branch FIELD_MISSING"]);
        self.add("a short code", of("1001"), &["branch FIELD_MALFORMED"]);
        self.add(
            "a full-width code",
            of("０１００１"),
            &["branch FIELD_MALFORMED"],
        );
    }
}
