//! What became of the applications that `revoke-many` sent.

use lgpki_proto::{
    convert::wire,
    v1::{
        self, application_service_client::ApplicationServiceClient,
        submit_applications_response::Outcome,
    },
};

use crate::{
    cli::RevokeManyArgs,
    commands::application::{ended, state},
    error::{CommandError, Refused},
    office::Office,
};

/// Refusals of what was applied for or revoked before: nothing is left to do about them.
const DONE: [&str; 3] = [
    "REVOCATION_IS_OPEN",
    "CERTIFICATE_REVOKED_BEFORE",
    "CERTIFICATE_EXPIRED",
];

/// Why the certificates are revoked, and how often the same was decided before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    pub(super) reason: i32,
    pub(super) again: u32,
}

impl Round {
    pub(super) fn of(args: &RevokeManyArgs) -> Self {
        Self {
            reason: wire(args.reason.0),
            again: args.again,
        }
    }

    /// Why nothing will come of the application that answered for `serial`; nothing where it will.
    pub(super) fn judge(self, serial: &str, found: &v1::Application) -> Option<v1::Refusal> {
        let what = if ended(found) {
            let why = match found.reason.as_str() {
                "" => String::new(),
                why => format!(" ({why})"),
            };
            format!("was {}{why}", state(found))
        } else if found.sort() == v1::ApplicationSort::Revoke
            && found.serial == serial
            && found.revocation_reason == self.reason
        {
            return None;
        } else {
            "has this request id and asks for something else".to_owned()
        };
        Some(v1::Refusal {
            code: i32::from(tonic::Code::FailedPrecondition),
            reason: "REVOCATION_NOT_UNDER_WAY".to_owned(),
            message: format!(
                "application {} {what}; to apply anew give the command without --confirm and with --again {}",
                found.id,
                self.again.saturating_add(1)
            ),
            ..v1::Refusal::default()
        })
    }
}

/// What became of the applications.
#[derive(Debug)]
pub(super) struct Sent {
    round: Round,
    pub(super) accepted: usize,
    /// Applied for or revoked before.
    pub(super) before: usize,
    pub(super) waiting: usize,
    pub(super) refused: Vec<Refused>,
    /// Request ids that were taken before with other particulars: to be looked at.
    pub(super) taken: Vec<String>,
}

impl Sent {
    pub(super) const fn new(round: Round) -> Self {
        Self {
            round,
            accepted: 0,
            before: 0,
            waiting: 0,
            refused: Vec::new(),
            taken: Vec::new(),
        }
    }

    /// Counts the answer for the certificate with this serial number.
    pub(super) fn count(&mut self, serial: &str, answer: v1::SubmitApplicationsResponse) {
        let id = answer.request_id;
        match answer.outcome {
            Some(Outcome::Accepted(accepted)) => {
                let application = accepted.application.unwrap_or_default();
                self.found(serial, id, &application, accepted.repeated);
            }
            Some(Outcome::Refused(refusal)) if refusal.reason == "REQUEST_ID_TAKEN" => {
                self.taken.push(id);
            }
            Some(Outcome::Refused(refusal)) if is_done(&refusal) => self.before += 1,
            outcome => {
                let refusal = match outcome {
                    Some(Outcome::Refused(refusal)) => Some(refusal),
                    _ => None,
                };
                self.refused.push(Refused::new(id, refusal));
            }
        }
    }

    fn found(&mut self, serial: &str, id: String, application: &v1::Application, before: bool) {
        if let Some(refusal) = self.round.judge(serial, application) {
            self.refused.push(Refused::new(id, Some(refusal)));
            return;
        }
        self.waiting += usize::from(application.state() == v1::ApplicationState::Examining);
        if before {
            self.before += 1;
        } else {
            self.accepted += 1;
        }
    }

    /// Looks at an application with other particulars, such as another day of examination.
    pub(super) async fn look_at(
        &mut self,
        office: &Office,
        (serial, branch): (&str, &str),
        request_id: String,
    ) -> Result<(), CommandError> {
        let request = v1::GetApplicationRequest {
            id: String::new(),
            branch: branch.to_owned(),
            request_id: request_id.clone(),
        };
        let mut client = ApplicationServiceClient::new(office.channel());
        let answer = client.get_application(request).await?.into_inner();
        let application = answer.application.unwrap_or_default();
        self.found(serial, request_id, &application, true);
        Ok(())
    }
}

/// Whether nothing is left to do: another application for it is open, or the certificate has ended.
pub(super) fn is_done(refusal: &v1::Refusal) -> bool {
    let faults = &refusal.faults;
    !faults.is_empty() && faults.iter().all(|f| DONE.contains(&f.reason.as_str()))
}
