//! Renewing everything whose key medium is at hand: format, new key pair, CSR, application.
//!
//! Each certificate's application is sent as soon as its new key is made, so that a broken run leaves
//! at most one medium with a key that was not applied for; run again, that one is submitted as it
//! is and everything else goes on. Formatting destroys the old key (R4), so nothing is formatted
//! before the server has said that its certificate is due and what can be checked here was checked.

use std::path::{Path, PathBuf};

use lgpki_domain::{JstDate, KeyAlgorithm};
use lgpki_keys::PassphraseSource;
use lgpki_kit::{Format, Kit, KitError, MediumView, Order, Pin, Settings};
use lgpki_proto::{
    convert::wire,
    v1::{
        self, application_service_client::ApplicationServiceClient,
        certificate_service_client::CertificateServiceClient, submit_application_request::Content,
    },
};
use lgpki_x509::certificate::Certificate;
use serde_json::json;

use super::{
    super::application::{ended, state},
    Renewal, Standing, ending, slot,
};
use crate::{
    cli::{Examiner, RenewArgs},
    commands::{kit, submit},
    error::CommandError,
    office::{self, Office},
    output::{Output, table},
};

/// What is to be done with a medium.
struct Step {
    path: PathBuf,
    view: MediumView,
    renewal: Renewal,
    /// Its new key is there already, from an earlier run.
    prepared: bool,
}

/// The plan: what can be done here, and what cannot.
struct Plan {
    steps: Vec<Step>,
    /// What is missing, or is no use, and what to do about it.
    remarks: Vec<String>,
    /// Due certificates whose media are not at hand.
    missing: usize,
}

/// Renews what is due and at hand.
pub(super) async fn all_due(
    office: &Office,
    args: &RenewArgs,
    output: Output,
) -> Result<(), CommandError> {
    check_examiner(&args.one.examiner, office::today())?;
    let kit = kit::kit(&args.pc)?;
    let settings = kit.settings().map_err(kit::refused)?;
    let due = slot::due(office, args.in_slot).await?;
    let (due, ended) = ending::part(office, due).await?;
    let mut plan = plan(&kit, office, &args.media, due)?;
    plan.missing += ended.len();
    plan.remarks.extend(ended);
    for remark in &plan.remarks {
        output.say(remark);
    }
    if !args.destroy_keys {
        show(&plan.steps, &[], output);
        output.say("nothing was done; give --destroy-keys to format these media and to submit");
        return Ok(());
    }
    let source = match &args.media_pin_file {
        Some(path) => PassphraseSource::File(path.clone()),
        None => PassphraseSource::Prompt("PIN for the media: ".to_owned()),
    };
    let pin = kit::pin(&source)?;
    let bar = output.progress(plan.steps.len() as u64, "renewing");
    let (mut done, mut refused) = (Vec::new(), Vec::new());
    for step in &plan.steps {
        match renew((&kit, &settings), office, args, &pin, step).await {
            Ok(id) => done.push(id),
            Err(error) => {
                let serial = &step.renewal.certificate.serial;
                done.push(String::new());
                refused.push(format!("{serial}: {error}"));
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    show(&plan.steps, &done, output);
    let submitted: Vec<_> = done.into_iter().filter(|id| !id.is_empty()).collect();
    if !submitted.is_empty() {
        let rest = format!("watch {}", submitted.join(" "));
        output.say(format!("next: {}", office.command("cirs", &rest)));
    }
    let failed = refused.len() + plan.missing;
    if failed == 0 {
        return Ok(());
    }
    let all = plan.steps.len() + plan.missing;
    let mut message = format!("{failed} of {all} due certificates were not renewed");
    for one in refused {
        message.push('\n');
        message.push_str(&one);
    }
    Err(CommandError::new(message)
        .hint("run the command again with the missing media; what was submitted is not repeated"))
}

/// Refuses what every application would be refused for, before any key is destroyed.
fn check_examiner(examiner: &Examiner, today: JstDate) -> Result<(), CommandError> {
    match examiner.examined_on {
        Some(day) if day > today => Err(CommandError::new(format!(
            "--examined-on {day} is later than today, {today}; nothing was formatted"
        ))),
        _ => Ok(()),
    }
}

fn plan(
    kit: &Kit,
    office: &Office,
    media: &[PathBuf],
    found: Vec<Renewal>,
) -> Result<Plan, CommandError> {
    let mut due: Vec<_> = found
        .into_iter()
        .filter(|renewal| renewal.standing == Standing::Due)
        .collect();
    let mut plan = Plan {
        steps: Vec::new(),
        remarks: Vec::new(),
        missing: 0,
    };
    for path in media {
        let view = kit.show(path).map_err(kit::refused)?;
        let at = due.iter().position(|renewal| holds(&view, renewal));
        let shown = path.display();
        match at.map(|at| due.remove(at)) {
            Some(renewal) if Some(&renewal.certificate.serial) == office.serial() => {
                plan.missing += 1;
                plan.remarks.push(format!(
                    "{shown} is the login card in use; renew it with: {}",
                    office.command("operator", RENEW_LOGIN)
                ));
            }
            Some(renewal) => plan.steps.push(Step {
                path: path.clone(),
                prepared: view.certificate.is_none(),
                view,
                renewal,
            }),
            None if view.certificate.is_none() && view.request.is_none() => {
                plan.remarks.push(format!(
                    "{shown} is formatted but without a key; make one on it with `lgpki kit request {shown}`, \
                     with the kind and the names of the certificate that is due, and give this command again"
                ));
            }
            None => plan.remarks.push(format!(
                "{shown} holds nothing that can be renewed now; it is left as it is"
            )),
        }
    }
    plan.missing += due.len();
    for renewal in &due {
        let own = Some(&renewal.certificate.serial) == office.serial();
        plan.remarks.push(if own {
            own_login(renewal, &office.command("operator", RENEW_LOGIN))
        } else {
            missing(renewal)
        });
    }
    Ok(plan)
}

/// How a login in use is renewed: its new key takes its place before the old one is revoked.
const RENEW_LOGIN: &str = "renew-login --examined-by OFFICE";

/// What a due certificate lacks that the caller is logged in with.
fn own_login(renewal: &Renewal, command: &str) -> String {
    let view = renewal.view();
    format!(
        "left out: {} ({} {}, until {}), the login in use; renew it with: {command}",
        view.serial, view.kind, view.name, view.expires
    )
}

/// What a due certificate lacks whose medium is not at hand, and the way to its renewal.
fn missing(renewal: &Renewal) -> String {
    let view = renewal.view();
    let (what, way) = match renewal.certificate.kind() {
        v1::CertificateKind::WebServer => (
            "the new CSR",
            format!(
                "it comes from the server (R6): `cirs renew {} --csr FILE --medium server`",
                view.serial
            ),
        ),
        v1::CertificateKind::Login => (
            "the medium",
            "name it under --media, or have who is logged in with it give `operator renew-login`"
                .to_owned(),
        ),
        _ => ("the medium", "name it under --media".to_owned()),
    };
    format!(
        "missing: {what} of {} ({} {}, until {}); {way}",
        view.serial, view.kind, view.name, view.expires
    )
}

/// Whether the medium holds the certificate's key, or a new key that was made for it.
fn holds(view: &MediumView, renewal: &Renewal) -> bool {
    let certificate = &renewal.certificate;
    match (&view.certificate, &view.request) {
        (Some(held), _) => held.serial == certificate.serial,
        (None, Some(made)) => {
            wire(made.kind) == certificate.kind
                && Some(v1::Subject::from(&made.subject)) == certificate.subject
        }
        (None, None) => false,
    }
}

/// Makes the new key, if it is not there yet, and applies; answers the application's number.
async fn renew(
    (kit, settings): (&Kit, &Settings),
    office: &Office,
    args: &RenewArgs,
    pin: &Pin,
    step: &Step,
) -> Result<String, CommandError> {
    let csr = match &step.view.request {
        Some(made) if step.prepared => made.csr.clone(),
        _ => {
            let old = read_old(office, &step.renewal.certificate.serial).await?;
            prepare((kit, settings), &step.path, pin, &step.view, &old)?
        }
    };
    let content = v1::RenewContent {
        serial: step.renewal.certificate.serial.clone(),
        csr: csr.into_bytes(),
        medium: wire(step.view.medium),
        slot_token: step.renewal.token(),
    };
    let request = submit::build(
        office.branch()?,
        &args.one.examiner,
        Content::Renew(content),
    )?;
    let mut client = ApplicationServiceClient::new(office.channel());
    let answer = client.submit_application(request).await?.into_inner();
    let application = answer.application.unwrap_or_default();
    under_way(&application, &step.path)?;
    Ok(application.id)
}

/// Whether a certificate may still come of it; an earlier run's application may have been turned down.
fn under_way(application: &v1::Application, medium: &Path) -> Result<(), CommandError> {
    if !ended(application) {
        return Ok(());
    }
    let medium = medium.display();
    Err(CommandError::new(format!(
        "application {} was {}: {}; its key may not be applied for again: give `lgpki kit format {medium} \
         --destroy-key` and `lgpki kit request {medium}` with the same kind and names, then this command again",
        application.id,
        state(application),
        match application.reason.as_str() {
            "" => "no reason given",
            reason => reason,
        }
    )))
}

/// The old certificate in full.
async fn read_old(office: &Office, serial: &str) -> Result<Certificate, CommandError> {
    let request = v1::GetCertificateRequest {
        serial: serial.to_owned(),
    };
    let mut client = CertificateServiceClient::new(office.channel());
    let answer = client.get_certificate(request).await?.into_inner();
    Certificate::parse(&answer.certificate.unwrap_or_default().der)
        .map_err(|e| CommandError::from_error("the old certificate cannot be read", &e))
}

/// Formats the medium and makes a key pair for the same names; answers the CSR.
fn prepare(
    (kit, settings): (&Kit, &Settings),
    path: &Path,
    pin: &Pin,
    view: &MediumView,
    old: &Certificate,
) -> Result<String, CommandError> {
    let unreadable = || CommandError::new("the old certificate names nobody");
    let subject = old.subject().ok_or_else(unreadable)?;
    let particulars = old.particulars().ok_or_else(unreadable)?;
    let order = Order {
        unit: subject.unit.as_ref(),
        mail: particulars.mail(),
        login: particulars.login().map(|(role, _)| role),
        algorithm: view
            .request
            .as_ref()
            .map_or(KeyAlgorithm::Rsa2048, |request| request.algorithm),
        ..Order::new(old.kind().ok_or_else(unreadable)?, &subject.name)
    };
    if settings.body != subject.body {
        return Err(CommandError::new(format!(
            "{} is a certificate of {}, but this PC is set up for {}; nothing was formatted; give `lgpki kit \
             setup` with the certificate's body first",
            path.display(),
            subject.body,
            settings.body
        )));
    }
    order
        .check(view.medium, settings)
        .map_err(|faults| kit::refused(KitError::OrderRefused(faults)))?;
    let format = Format {
        medium: view.medium,
        pin,
        destroy_key: true,
    };
    kit.format(path, &format).map_err(kit::refused)?;
    let requested = kit.request(path, pin, &order).map_err(kit::refused)?;
    Ok(requested.csr)
}

fn show(steps: &[Step], done: &[String], output: Output) {
    let application = |at: usize| done.get(at).cloned().unwrap_or_default();
    let views: Vec<_> = steps
        .iter()
        .enumerate()
        .map(|(at, step)| {
            json!({
                "serial": step.renewal.certificate.serial,
                "medium": step.path.display().to_string(),
                "prepared": step.prepared,
                "application": application(at),
            })
        })
        .collect();
    output.result(&views, || {
        let rows = steps.iter().enumerate().map(|(at, step)| {
            let mut row = step.renewal.row();
            row.truncate(3);
            row.extend([step.path.display().to_string(), application(at)]);
            row
        });
        table(&["serial", "kind", "name", "medium", "application"], rows)
    });
}

#[cfg(test)]
mod tests;
