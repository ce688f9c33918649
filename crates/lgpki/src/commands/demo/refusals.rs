//! One refusal for each rule: what was tried, and the reason that came back.
//!
//! Each trial must be refused with exactly the reason expected; being accepted, or refused for
//! another reason, is an error of the demonstration.

mod door;

use lgpki_domain::{BodyCode, CertificateKind, KeyMedium, prefecture::synthetic_bodies};
use lgpki_kit::{Format, KitError, Order};
use lgpki_proto::{
    RemoteError,
    v1::{
        self, application_service_client::ApplicationServiceClient,
        directory_service_client::DirectoryServiceClient, submit_application_request::Content,
    },
};

use super::{
    applicants::{Applicant, chain, kit_error},
    window::application,
    world::{BRANCHES, MERGED, UNIT, World, checked, pin},
};
use crate::error::CommandError;

/// A trial that was refused, as it should be.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    pub(super) rule: &'static str,
    pub(super) tried: &'static str,
    pub(super) reason: String,
    pub(super) message: String,
}

/// A trial: the rule, what is tried, and the reason expected.
type Trial = (&'static str, &'static str, &'static str);

/// Trials before anything is submitted.
pub(super) async fn before(
    world: &World,
    applicants: &[Applicant],
) -> Result<Vec<Refused>, CommandError> {
    let mut refused = media(world, applicants)?;
    let office = world.office(&format!("branch-officer-{}", BRANCHES[0]))?;
    let mut client = ApplicationServiceClient::new(office.channel());
    for (trial, request) in door::submissions(applicants)? {
        let answer = client.submit_application(request).await.map(|_| ());
        refused.push(expect(trial, answer)?);
    }
    refused.push(without_branch()?);
    refused.push(deactivated(world).await?);
    Ok(refused)
}

/// What the standard system refuses.
fn media(world: &World, applicants: &[Applicant]) -> Result<Vec<Refused>, CommandError> {
    let code = code(BRANCHES[0])?;
    let (kit, pin) = (world.kit(code, "pc-1")?, pin()?);
    let (name, unit) = (checked(("Mayor", "市長"))?, checked(UNIT)?);
    let new = world.medium("new-card");
    let order = Order {
        unit: Some(&unit),
        ..Order::new(CertificateKind::OfficialDuty, &name)
    };
    let web = Order::new(CertificateKind::WebServer, &name);
    let used = find(applicants, "official-duty")?
        .medium
        .clone()
        .unwrap_or_default();
    let again = Format {
        medium: KeyMedium::IcCard,
        pin: &pin,
        destroy_key: false,
    };
    std::fs::create_dir_all(&new).map_err(|e| CommandError::file("make", &new, &e))?;
    let token = find(applicants, "code-signing")?
        .medium
        .clone()
        .unwrap_or_default();
    Ok(vec![
        kit_refused(
            (
                "R4",
                "request on a new card that was not formatted",
                "MEDIUM_NOT_FORMATTED",
            ),
            kit.request(&new, &pin, &order).map(|_| ()),
        )?,
        kit_refused(
            (
                "R4",
                "format a card whose key is in use",
                "MEDIUM_KEY_WOULD_BE_DESTROYED",
            ),
            kit.format(&used, &again).map(|_| ()),
        )?,
        kit_refused(
            (
                "R6",
                "make a web server's CSR with the standard system",
                "KIND_IS_THE_SERVERS",
            ),
            kit.request(&blank(world, "blank-card", KeyMedium::IcCard)?, &pin, &web)
                .map(|_| ()),
        )?,
        kit_refused(
            (
                "media",
                "an official-duty key on a USB token",
                "KIND_NOT_FOR_MEDIUM",
            ),
            kit.request(
                &blank(world, "blank-token", KeyMedium::UsbToken)?,
                &pin,
                &order,
            )
            .map(|_| ()),
        )?,
        kit_refused(
            (
                "media",
                "a second request on a token that holds a key",
                "MEDIUM_IN_USE",
            ),
            kit.request(
                &token,
                &pin,
                &Order {
                    unit: Some(&unit),
                    ..Order::new(CertificateKind::CodeSigning, &name)
                },
            )
            .map(|_| ()),
        )?,
    ])
}

fn blank(world: &World, name: &str, medium: KeyMedium) -> Result<std::path::PathBuf, CommandError> {
    let path = world.medium(name);
    let format = Format {
        medium,
        pin: &pin()?,
        destroy_key: false,
    };
    world
        .kit(code(BRANCHES[0])?, "pc-1")?
        .format(&path, &format)
        .map_err(|e| kit_error(&e))?;
    Ok(path)
}

/// R7: a body without a branch gets no login, and so cannot apply.
fn without_branch() -> Result<Refused, CommandError> {
    let bodies = synthetic_bodies();
    let fault = bodies
        .iter()
        .find_map(|body| body.may_apply().err())
        .ok_or_else(|| CommandError::new("every body has a branch"))?;
    Ok(Refused {
        rule: "R7",
        tried: "a login for a body without a branch",
        reason: fault.reason.to_owned(),
        message: fault.message,
    })
}

/// R8: a deactivated branch's officers no longer log in.
async fn deactivated(world: &World) -> Result<Refused, CommandError> {
    let body = MERGED;
    let officer = world.office(&format!("lgwan-officer-{body}"))?;
    let reason = format!("merged into {}", BRANCHES[2]);
    DirectoryServiceClient::new(officer.channel())
        .deactivate_branch(v1::DeactivateBranchRequest {
            body: body.to_owned(),
            reason,
        })
        .await?;
    let office = world.office(&format!("branch-officer-{body}"))?;
    let answer = ApplicationServiceClient::new(office.channel())
        .list_applications(v1::ListApplicationsRequest::default())
        .await;
    let trial = (
        "R8",
        "log in for a branch that was merged",
        "BRANCH_DEACTIVATED",
    );
    expect(trial, answer.map(|_| ()))
}

/// R5: stored only with the PC, login and medium that made the CSR.
pub(super) async fn storing(
    world: &World,
    applicants: &[Applicant],
) -> Result<Vec<Refused>, CommandError> {
    let duty = find(applicants, "official-duty")?;
    let user = find(applicants, "user")?;
    let pem = |a: &Applicant| match &a.certificate {
        Some((der, ca)) => chain(der, ca),
        None => Err(CommandError::new("there is no certificate yet")),
    };
    let (medium, other) = (duty.medium.clone(), user.medium.clone());
    let (medium, other) = medium
        .zip(other)
        .ok_or_else(|| CommandError::new("there is no medium"))?;
    let (here, pin) = (world.kit(duty.branch, "pc-1")?, pin()?);
    let there = world.kit(duty.branch, "pc-2")?;
    let body = super::world::body(BRANCHES[0])?;
    let login_certificate = &world.login_certificate(body.code)?;
    there
        .set_up(&lgpki_kit::SetUp {
            body: &body.names,
            code: body.code,
            login_certificate: Some(login_certificate),
        })
        .map_err(|e| kit_error(&e))?;
    tokio::task::yield_now().await;
    Ok(vec![
        kit_refused(
            ("R5", "store with another PC", "OTHER_PC"),
            there
                .store(&medium, &pin, pem(duty)?.as_bytes())
                .map(|_| ()),
        )?,
        kit_refused(
            ("R5", "store on another medium", "OTHER_MEDIUM"),
            here.store(&other, &pin, pem(duty)?.as_bytes()).map(|_| ()),
        )?,
    ])
}

/// Trials after everything was delivered.
pub(super) async fn after(
    world: &World,
    applicants: &[Applicant],
) -> Result<Vec<Refused>, CommandError> {
    let duty = find(applicants, "official-duty")?;
    let office = world.office(&format!("branch-officer-{}", BRANCHES[0]))?;
    let mut client = ApplicationServiceClient::new(office.channel());
    let mut again = application(duty.branch, Content::Issue(duty.content.clone()));
    again.request_id = String::from("demo-second-application");
    let trial = (
        "one certificate",
        "apply again with the same key and subject",
        "KEY_CERTIFIED_BEFORE",
    );
    let answer = client.submit_application(again.clone()).await.map(|_| ());
    let key = expect(trial, answer)?;
    let trial = (
        "one certificate",
        "a second valid certificate of one subject",
        "SUBJECT_HAS_VALID_CERTIFICATE",
    );
    let answer = client.submit_application(again).await.map(|_| ());
    let subject = expect(trial, answer)?;
    let foreign = world.office(&format!("branch-officer-{}", BRANCHES[1]))?;
    let request = v1::DownloadCertificateRequest { id: duty.number() };
    let answer = ApplicationServiceClient::new(foreign.channel())
        .download_certificate(request)
        .await;
    let trial = (
        "R10",
        "download another branch's certificate",
        "APPLICATION_NOT_FOUND",
    );
    Ok(vec![key, subject, expect(trial, answer.map(|_| ()))?])
}

fn find<'a>(applicants: &'a [Applicant], label: &str) -> Result<&'a Applicant, CommandError> {
    applicants
        .iter()
        .find(|a| a.label == label)
        .ok_or_else(|| CommandError::new(format!("there is no applicant {label}")))
}

fn code(text: &str) -> Result<BodyCode, CommandError> {
    text.parse()
        .map_err(|e| CommandError::from_error("body", &e))
}

/// The refusal of an RPC, whose reason or one of whose faults must be the expected one.
fn expect(
    (rule, tried, expected): Trial,
    answer: Result<(), tonic::Status>,
) -> Result<Refused, CommandError> {
    let status = match answer {
        Ok(()) => return Err(CommandError::new(format!("{tried}: was accepted"))),
        Err(status) => RemoteError::from(status),
    };
    let fault = status.faults.iter().find(|fault| fault.reason == expected);
    let message = match fault {
        Some(fault) => fault.message.clone(),
        None if status.reason == expected => status.message.clone(),
        None => {
            return Err(CommandError::new(format!(
                "{tried}: not refused with {expected} but: {status}"
            )));
        }
    };
    Ok(Refused {
        rule,
        tried,
        reason: expected.to_owned(),
        message,
    })
}

fn kit_refused(
    (rule, tried, expected): Trial,
    answer: Result<(), KitError>,
) -> Result<Refused, CommandError> {
    let Err(error) = answer else {
        return Err(CommandError::new(format!("{tried}: was accepted")));
    };
    let fault = error
        .faults()
        .into_iter()
        .flatten()
        .find(|fault| fault.reason == expected);
    let message = match fault {
        Some(fault) => fault.message.clone(),
        None if error.reason() == expected => error.to_string(),
        None => {
            let text = CommandError::from_error(tried, &error);
            return Err(CommandError::new(format!(
                "not refused with {expected} but: {text}"
            )));
        }
    };
    Ok(Refused {
        rule,
        tried,
        reason: expected.to_owned(),
        message,
    })
}
