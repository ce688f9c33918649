//! Applications from the wire.

use lgpki_domain::{
    Faults, JstDate, RevocationReason, Timestamp,
    application::Sort,
    examination::BranchExamination,
    slots::{SlotRefused, SlotToken},
};
use lgpki_ledger::serial::base64url_decode;
use lgpki_proto::{
    convert,
    v1::{self, submit_application_request::Content},
};
use lgpki_x509::key::sha256;
use prost::Message;

use crate::{
    app::submission::{IssueWish, NamedBranch, RenewWish, Submission, Wish},
    ports::Filter,
    slots::Brought,
};

/// The longest examiner's name, in characters.
const LONGEST_NAME: usize = 64;

/// Reads an application; what cannot be read is noted in it.
pub(super) fn submission(mut request: v1::SubmitApplicationRequest, now: Timestamp) -> Submission {
    let mut faults = Faults::new();
    let name = request
        .examination
        .as_mut()
        .map(|examination| std::mem::take(&mut examination.examiner_name))
        .unwrap_or_default();
    let slot_token = match &mut request.content {
        // Asked for anew, it may differ, and the application is the same.
        Some(Content::Renew(renew)) => std::mem::take(&mut renew.slot_token),
        _ => String::new(),
    };
    // Without the name: a digest over it would let a guess be proved after the name was erased.
    let content_digest = sha256(&request.encode_to_vec());
    let examination = examination(&mut faults, request.examination.as_ref(), now);
    Submission {
        request_id: convert::required_text(&mut faults, "request_id", &request.request_id),
        branch: branch(&mut faults, &request.branch),
        content_digest,
        examination,
        examiner_name: examiner_name(&mut faults, name),
        wish: wish(&mut faults, request.content, &slot_token),
        faults,
    }
}

fn branch(faults: &mut Faults, given: &str) -> NamedBranch {
    if given.is_empty() {
        return NamedBranch::None;
    }
    convert::optional_text(faults, "branch", given)
        .map_or(NamedBranch::Unreadable, NamedBranch::One)
}

fn examination(
    faults: &mut Faults,
    examination: Option<&v1::BranchExamination>,
    now: Timestamp,
) -> Option<BranchExamination> {
    let field = "examination";
    let Some(given) = examination else {
        faults.push(
            field,
            "EXAMINATION_MISSING",
            "the branch's own examination (審査) is missing; a branch forwards only what it examined",
        );
        return None;
    };
    let day: Option<JstDate> =
        convert::required_text(faults, "examination.decided_on", &given.decided_on);
    // Any day in the past stands for one that cannot be read, so that the rest is judged too.
    let judged = BranchExamination::try_new(
        field,
        &given.office,
        given.approved,
        day.unwrap_or_else(|| Timestamp::default().jst_date()),
        now,
    );
    match judged {
        Ok(examination) => day.map(|_| examination),
        Err(wrong) => {
            faults.append(wrong);
            None
        }
    }
}

fn examiner_name(faults: &mut Faults, name: String) -> Option<String> {
    if name.is_empty() {
        return None;
    }
    if name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        faults.push(
            "examination.examiner_name",
            "EXAMINER_NAME_MALFORMED",
            format!("a name is at most {LONGEST_NAME} characters without control characters"),
        );
        return None;
    }
    Some(name)
}

fn wish(faults: &mut Faults, content: Option<Content>, slot_token: &str) -> Option<Wish> {
    match convert::required_message(faults, "content", content)? {
        Content::Issue(issue) => Some(Wish::Issue(Box::new(issue_wish(faults, issue)))),
        Content::Renew(renew) => Some(Wish::Renew(RenewWish {
            serial: convert::required_text(faults, "renew.serial", &renew.serial),
            csr: renew.csr,
            medium: convert::required(faults, "renew.medium", renew.medium),
            slot_token: brought(slot_token),
        })),
        Content::Abolish(abolish) => Some(Wish::Revoke {
            sort: Sort::Abolish,
            serial: convert::required_text(faults, "abolish.serial", &abolish.serial),
            reason: Some(RevocationReason::CessationOfOperation),
        }),
        Content::Revoke(revoke) => Some(Wish::Revoke {
            sort: Sort::Revoke,
            serial: convert::required_text(faults, "revoke.serial", &revoke.serial),
            reason: convert::required(faults, "revoke.reason", revoke.reason),
        }),
    }
}

/// A token that is none does not count; it is no fault of the application.
fn brought(text: &str) -> Option<Brought> {
    let parse = |text| {
        let bytes = base64url_decode(text).ok_or(SlotRefused::Malformed)?;
        SlotToken::parse(&bytes)
    };
    (!text.is_empty()).then(|| parse(text))
}

fn issue_wish(faults: &mut Faults, issue: v1::IssueContent) -> IssueWish {
    IssueWish {
        kind: convert::required(faults, "issue.kind", issue.kind),
        subject: convert::subject(faults, "issue.subject", issue.subject.as_ref()),
        csr: issue.csr,
        medium: convert::required(faults, "issue.medium", issue.medium),
        dns_names: issue.dns_names,
        mail_address: Some(issue.mail_address).filter(|address| !address.is_empty()),
        login_role: convert::optional(faults, "issue.login_role", issue.login_role),
        renewed: None,
    }
}

/// Reads a filter.
pub(super) fn filter(faults: &mut Faults, filter: Option<v1::ApplicationFilter>) -> Filter {
    let given = filter.unwrap_or_default();
    let states = convert::known_states(faults, "filter.states", &given.states);
    Filter {
        branch: convert::optional_text(faults, "filter.branch", &given.branch),
        states: states.into_iter().map(state_name).collect(),
        kinds: convert::all_of(faults, "filter.kinds", &given.kinds),
        sorts: convert::all_of(faults, "filter.sorts", &given.sorts),
        renews: None,
    }
}

/// The domain's name of a state, such as `examining`.
const fn state_name(state: v1::ApplicationState) -> &'static str {
    match state {
        // Refused in decoding; no application is in a state of this name.
        v1::ApplicationState::Unspecified => "unspecified",
        v1::ApplicationState::Received => "received",
        v1::ApplicationState::Examining => "examining",
        v1::ApplicationState::Approved => "approved",
        v1::ApplicationState::Queued => "queued",
        v1::ApplicationState::Issuing => "issuing",
        v1::ApplicationState::Issued => "issued",
        v1::ApplicationState::Delivered => "delivered",
        v1::ApplicationState::Rejected => "rejected",
        v1::ApplicationState::Withdrawn => "withdrawn",
        v1::ApplicationState::Failed => "failed",
        v1::ApplicationState::Completed => "completed",
    }
}
