//! The names of an application against the directories (R7, R8 and the name lists).

use lgpki_domain::{
    Faults, Names, Subject,
    directory::{Account, Body, Organization},
};

use crate::{
    app::submission::{IssueWish, NAME_THE_BRANCH, NamedBranch, Submission, Wish},
    config::Rules,
    ports::DoorView,
};

/// The body exists, and its branch is open if it applies for a certificate: those of a closed branch
/// can still be abolished or revoked. Only those that were issued to no branch are ended or renewed
/// without one.
pub(super) fn check_branch(view: &DoorView, submission: &Submission, faults: &mut Faults) {
    let branch = match submission.branch {
        NamedBranch::One(branch) => branch,
        NamedBranch::None if matches!(&submission.wish, Some(Wish::Issue(wish)) if wish.renewed.is_none()) =>
        {
            return faults.push("branch", "FIELD_MISSING", NAME_THE_BRANCH);
        }
        NamedBranch::None | NamedBranch::Unreadable => return,
    };
    match &view.body {
        Some(_) if matches!(submission.wish, Some(Wish::Revoke { .. })) => {}
        Some(body) => {
            faults.keep(body.may_apply());
        }
        None => faults.push(
            "branch",
            "BODY_UNKNOWN",
            format!("there is no body {branch} in the body name list"),
        ),
    }
}

/// The subject's body, unit and account stand in the directories, equal in both languages.
pub(super) fn check_subject(view: &DoorView, wish: &IssueWish, faults: &mut Faults) {
    let Some(subject) = &wish.subject else {
        return;
    };
    // Without the body nothing is known of its directories, and what is missing is the body alone.
    let Some(body) = &view.body else {
        return;
    };
    check_body(body, subject, faults);
    if let Some(unit) = &subject.unit {
        check_unit(view.organization.as_ref(), unit, faults);
    }
    if wish
        .kind
        .is_some_and(lgpki_domain::CertificateKind::needs_registered_account)
    {
        check_account(view.account.as_ref(), &subject.name, faults);
    }
}

/// A mail address lies under no domain for services to the public.
pub(super) fn check_mail(rules: &Rules, address: &str, faults: &mut Faults) {
    let Some((_, host)) = address.rsplit_once('@') else {
        return;
    };
    if let Some(domain) = rules.administrative_domain(host) {
        faults.push(
            "issue.mail_address",
            "MAIL_ADMINISTRATIVE_DOMAIN",
            format!(
                "{domain} is an administrative-service domain (行政サービス用ドメイン), under which no \
                 mail certificate is issued; use an address of the office's own domain"
            ),
        );
    }
}

fn check_body(body: &Body, subject: &Subject, faults: &mut Faults) {
    differing(
        faults,
        "issue.subject.body",
        "BODY_NAME_DIFFERS",
        (&body.names, &subject.body),
        "the body name list (LGPKI団体名称リスト)",
    );
}

fn check_unit(registered: Option<&Organization>, unit: &Names, faults: &mut Faults) {
    match registered {
        Some(registered) => differing(
            faults,
            "issue.subject.unit",
            "ORGANIZATION_NAME_DIFFERS",
            (&registered.names, unit),
            "the organization directory (組織管理システム)",
        ),
        None => faults.push(
            "issue.subject.unit",
            "ORGANIZATION_NOT_REGISTERED",
            format!(
                "{unit} is not in the body's organization directory (組織管理システム); have the LGWAN \
                 officer register it, or correct the name"
            ),
        ),
    }
}

fn check_account(registered: Option<&Account>, name: &Names, faults: &mut Faults) {
    let field = "issue.subject.name";
    if faults.keep(Account::check_suffix(field, name)).is_none() {
        return;
    }
    match registered {
        Some(registered) => differing(
            faults,
            field,
            "ACCOUNT_NAME_DIFFERS",
            (&registered.names, name),
            "the account directory (アカウント等管理システム)",
        ),
        None => faults.push(
            field,
            "ACCOUNT_NOT_REGISTERED",
            format!(
                "{name} is not in the unit's account directory (アカウント等管理システム); have the LGWAN \
                 officer register it, or correct the name"
            ),
        ),
    }
}

fn differing(
    faults: &mut Faults,
    field: &str,
    reason: &'static str,
    (registered, given): (&Names, &Names),
    directory: &str,
) {
    for (language, registered, given) in [
        ("en", registered.en(), given.en()),
        ("ja", registered.ja(), given.ja()),
    ] {
        if registered != given {
            faults.push(
                format!("{field}.{language}"),
                reason,
                format!("{directory} has {registered:?}, the application has {given:?}; they must be equal"),
            );
        }
    }
}
