//! What intake refuses at the door: applications that break one rule each.

use lgpki_domain::{CertificateKind, Clock, KeyMedium};
use lgpki_proto::{
    convert::wire,
    v1::{self, submit_application_request::Content},
};
use lgpki_runtime::clock::SystemClock;
use lgpki_x509::pem::{Label, decode};

use super::{
    super::{
        applicants::{Applicant, stranger},
        window::application,
        world::BRANCHES,
    },
    Trial, find,
};
use crate::error::CommandError;

type Submission = (Trial, v1::SubmitApplicationRequest);

/// Every trial with the application that makes it.
pub(super) fn submissions(applicants: &[Applicant]) -> Result<Vec<Submission>, CommandError> {
    let good = find(applicants, "official-duty")?;
    let user = find(applicants, "user")?;
    let mut all = papers(good);
    all.extend(contents(good));
    all.extend(names(good, user)?);
    Ok(all)
}

/// The good application, changed.
fn issue(good: &Applicant, change: impl Fn(&mut v1::IssueContent)) -> v1::SubmitApplicationRequest {
    let mut content = good.content.clone();
    change(&mut content);
    application(good.branch, Content::Issue(content))
}

/// What is around the content.
fn papers(good: &Applicant) -> Vec<Submission> {
    let mut unexamined = issue(good, |_| {});
    unexamined.examination = None;
    let mut tomorrow = issue(good, |_| {});
    if let Some(examination) = &mut tomorrow.examination {
        examination.decided_on = SystemClock.now().jst_date().plus_days(1).to_string();
    }
    let mut elsewhere = issue(good, |_| {});
    BRANCHES[1].clone_into(&mut elsewhere.branch);
    let missing = "submit without the branch's examination";
    let dated = "an examination dated tomorrow, by the day in Japan";
    vec![
        (
            ("two examinations", missing, "EXAMINATION_MISSING"),
            unexamined,
        ),
        (("R11", dated, "EXAMINATION_IN_THE_FUTURE"), tomorrow),
        (
            ("own branch", "apply for another branch", "BRANCH_NOT_YOURS"),
            elsewhere,
        ),
    ]
}

/// What is asked for.
fn contents(good: &Applicant) -> Vec<Submission> {
    let token = issue(good, |c| c.medium = wire(KeyMedium::UsbToken));
    let form = issue(good, |c| {
        c.mail_address = String::from("x@city.example.lg.jp");
    });
    let cross = issue(good, |c| c.kind = wire(CertificateKind::Cross));
    let tampered = issue(good, |c| tamper(&mut c.csr));
    let signature = "a CSR whose signature was tampered with";
    let on_token = "an official-duty certificate for a USB token";
    let with_mail = "a mail address on an official-duty form";
    vec![
        (("media", on_token, "MEDIUM_NOT_FOR_KIND"), token),
        (("R9", with_mail, "MAIL_NOT_ALLOWED"), form),
        (
            (
                "cross certificates",
                "apply for a cross certificate",
                "KIND_NOT_APPLICABLE",
            ),
            cross,
        ),
        (
            ("proof of possession", signature, "CSR_SIGNATURE_INVALID"),
            tampered,
        ),
    ]
}

/// Names that the lists and directories do not hold.
fn names(good: &Applicant, user: &Applicant) -> Result<Vec<Submission>, CommandError> {
    let phantom = v1::Names::from(&stranger()?);
    let body = issue(good, |c| {
        if let Some(body) = c.subject.as_mut().and_then(|s| s.body.as_mut()) {
            body.ja = String::from("北海道模擬団体00一");
        }
    });
    let unit = issue(good, |c| {
        if let Some(subject) = &mut c.subject {
            subject.unit = Some(phantom.clone());
        }
    });
    let role = issue(user, |c| {
        if let Some(name) = c.subject.as_mut().and_then(|s| s.name.as_mut()) {
            name.en = String::from("ghost-clerk-lgacc");
            name.ja = String::from("幽霊担当（利用者）");
        }
    });
    let wrong_body = "a body's name that is not the list's";
    let no_unit = "a unit that is not registered";
    let no_role = "a role that is not registered";
    Ok(vec![
        (("body name list", wrong_body, "BODY_NAME_DIFFERS"), body),
        (
            (
                "organization directory",
                no_unit,
                "ORGANIZATION_NOT_REGISTERED",
            ),
            unit,
        ),
        (
            ("account directory", no_role, "ACCOUNT_NOT_REGISTERED"),
            role,
        ),
    ])
}

/// Changes one bit in the middle of a CSR's signature.
fn tamper(csr: &mut Vec<u8>) {
    if let Ok(mut der) = decode(Label::CertificateRequest, csr) {
        let within_signature = der.len().saturating_sub(100);
        der[within_signature] ^= 1;
        *csr = der;
    }
}
