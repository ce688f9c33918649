//! `lgpki kit`: the subscriber's standard system.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use lgpki_domain::{CertificateKind, Names};
use lgpki_keys::PassphraseSource;
use lgpki_kit::{Format, Formatted, Kit, KitError, MediumView, Order, Pc, Pin, SetUp};
use lgpki_runtime::{clock::SystemClock, random::SystemRandomness};

use crate::{
    cli::{KitCommand, PcArgs, PinArgs, RequestArgs},
    error::CommandError,
    form::ApplicationForm,
    output::{Output, sheet},
};

/// Runs one command of the standard system.
pub(crate) fn run(command: KitCommand, output: Output) -> Result<(), CommandError> {
    match command {
        KitCommand::Setup {
            pc,
            code,
            body_en,
            body_ja,
            login_certificate,
        } => {
            let body = names("body", &body_en, &body_ja)?;
            let certificate = login_certificate.as_deref().map(read).transpose()?;
            let wanted = SetUp {
                body: &body,
                code,
                login_certificate: certificate.as_deref(),
            };
            let settings = kit(&pc)?.set_up(&wanted).map_err(refused)?;
            let by = settings.vouched.map(|by| by.serial);
            let alone = by.is_none();
            let done = serde_json::json!({ "body": code.to_string(), "vouched_by": by });
            output.result(&done, || {
                format!("this PC is set up for {} ({code})", settings.body)
            });
            if alone {
                output.say(
                    "without a valid login certificate it requests login certificates only; when the new \
                     login has come, set it up again with that one",
                );
            }
            output.say(
                "next: lgpki kit format MEDIUM, MEDIUM being a directory that stands for the card",
            );
            Ok(())
        }
        KitCommand::Format {
            pc,
            medium,
            sort,
            pin,
            destroy_key,
        } => {
            let kit = kit(&pc)?;
            let format = Format {
                medium: sort.0,
                pin: &new_pin(&pin)?,
                destroy_key,
            };
            let formatted = kit.format(&medium, &format).map_err(refused)?;
            show_formatted(&medium, &formatted, output);
            Ok(())
        }
        KitCommand::Request(args) => request(&args, output),
        KitCommand::Store {
            pc,
            medium,
            certificate,
            pin,
        } => {
            let pem = read(&certificate)?;
            let stored = kit(&pc)?
                .store(&medium, &read_pin(&pin)?, &pem)
                .map_err(refused)?;
            let done = serde_json::json!({ "medium": stored.medium, "serial": stored.serial });
            output.result(&done, || {
                format!("stored {} on {}", stored.serial, stored.medium)
            });
            let medium = medium.display();
            output.say(format!(
                "it can be used now; lgpki kit show {medium} shows it"
            ));
            Ok(())
        }
        KitCommand::Show { pc, medium } => {
            let view = kit(&pc)?.show(&medium).map_err(refused)?;
            output.result(&json(&view), || human(&view));
            if view.request.is_some() && view.certificate.is_none() {
                let medium = medium.display();
                output.say(format!(
                    "next: lgpki kit store {medium} --certificate FILE, when the branch hands it over"
                ));
            }
            Ok(())
        }
        KitCommand::Import { pc, certificate } => {
            let imported = kit(&pc)?
                .import_elsewhere(&read(&certificate)?)
                .map_err(refused)?;
            let done = serde_json::json!({ "serial": imported.serial });
            output.result(&done, || {
                format!(
                    "imported {} into the PC's certificate store",
                    imported.serial
                )
            });
            output.say("it can no longer be stored on its key medium (R5)");
            Ok(())
        }
    }
}

fn show_formatted(medium: &Path, formatted: &Formatted, output: Output) {
    let done = serde_json::json!({
        "medium": formatted.id, "sort": formatted.medium.name(), "destroyed": formatted.destroyed,
    });
    output.result(&done, || {
        let lost = formatted
            .destroyed
            .as_ref()
            .map(|d| format!("; destroyed: {d}"))
            .unwrap_or_default();
        format!("formatted {} {}{lost}", formatted.medium, formatted.id)
    });
    let medium = medium.display();
    output.say(format!("next: lgpki kit request {medium} --kind …"));
}

fn request(args: &RequestArgs, output: Output) -> Result<(), CommandError> {
    let kit = kit(&args.pc)?;
    let name = names("name", &args.name_en, &args.name_ja)?;
    let unit = match (&args.unit_en, &args.unit_ja) {
        (Some(en), Some(ja)) => Some(names("unit", en, ja)?),
        _ => None,
    };
    let order = Order {
        unit: unit.as_ref(),
        mail: args.mail.as_deref(),
        login: args.login_role.map(|r| r.0),
        algorithm: args.key.0,
        ..Order::new(args.kind.0, &name)
    };
    let pin = read_pin(&args.pin)?;
    let mut files = Vec::new();
    let mut write = |extension: &str, text: &str| {
        let path = with_extension(&args.out, extension);
        fs::write(&path, text).map_err(|e| {
            CommandError::file("write", &path, &e)
                .hint("the key pair is on the medium; `lgpki kit show` prints the CSR again")
        })?;
        files.push(path.display().to_string());
        Ok::<_, CommandError>(())
    };
    let requested = if args.kind.0 == CertificateKind::Login {
        let login = kit
            .request_login_data(&args.medium, &pin, &order)
            .map_err(refused)?;
        write("login.json", &login.file)?;
        login.requested
    } else {
        kit.request(&args.medium, &pin, &order).map_err(refused)?
    };
    let view = kit.show(&args.medium).map_err(refused)?;
    write("csr", &requested.csr)?;
    if let Some(made) = &view.request {
        write("json", &ApplicationForm::of(made, view.medium).to_json())?;
    }
    let done =
        serde_json::json!({ "files": files, "key_digest": requested.key_digest.to_string() });
    output.result(&done, || files.join("\n"));
    let form = with_extension(&args.out, "json");
    output.say(format!(
        "next: hand the form to the registration branch, which gives: lgpki cirs submit --form {}",
        form.display()
    ));
    Ok(())
}

/// `mayor` and `csr` make `mayor.csr`, also where the name has a dot of its own.
fn with_extension(out: &Path, extension: &str) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}

pub(crate) fn kit(args: &PcArgs) -> Result<Kit, CommandError> {
    let pc = Pc::detect(args.pc_name.as_deref(), args.os_login.as_deref()).map_err(refused)?;
    Ok(Kit::new(
        &args.pc,
        pc,
        Arc::new(SystemClock),
        Arc::new(SystemRandomness::new()),
    ))
}

fn read_pin(args: &PinArgs) -> Result<Pin, CommandError> {
    pin(&source(args, "PIN: "))
}

/// A PIN to be; where it is asked for, it is asked for twice.
fn new_pin(args: &PinArgs) -> Result<Pin, CommandError> {
    let first = pin(&source(args, "New PIN: "))?;
    let again = source(args, "New PIN again: ");
    if matches!(again, PassphraseSource::Prompt(_)) && pin(&again)? != first {
        return Err(CommandError::new("the two PINs differ").hint("give the command again"));
    }
    Ok(first)
}

fn source(args: &PinArgs, question: &str) -> PassphraseSource {
    match (&args.pin_file, args.pin_fd) {
        (Some(path), _) => PassphraseSource::File(path.clone()),
        (None, Some(fd)) => PassphraseSource::Fd(fd),
        (None, None) => PassphraseSource::Prompt(question.to_owned()),
    }
}

pub(crate) fn pin(source: &PassphraseSource) -> Result<Pin, CommandError> {
    Pin::read(source).map_err(|error| match error {
        // It is the PIN that could not be read; no key was touched.
        KitError::Key(error) => CommandError::from_error("cannot read the PIN", &error),
        error => refused(error),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, CommandError> {
    fs::read(path).map_err(|e| CommandError::file("read", path, &e))
}

fn names(field: &str, en: &str, ja: &str) -> Result<Names, CommandError> {
    Names::try_new(field, en, ja).map_err(|faults| {
        CommandError::new(
            faults
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n"),
        )
    })
}

// By value, because it stands in `map_err`.
#[expect(clippy::needless_pass_by_value, reason = "it stands in `map_err`")]
pub(crate) fn refused(error: KitError) -> CommandError {
    CommandError::from_error("refused", &error)
}

fn json(view: &MediumView) -> serde_json::Value {
    serde_json::json!({
        "id": view.id,
        "sort": view.medium.name(),
        "state": view.state(),
        "simulated": true,
        "formatted_at": view.formatted_at.to_string(),
        "tries_left": view.tries_left,
        "request": view.request.as_ref().map(|r| serde_json::json!({
            "kind": r.kind.name(),
            "name_en": r.subject.name.en(),
            "name_ja": r.subject.name.ja(),
            "algorithm": r.algorithm.name(),
            "key_digest": r.key_digest.to_string(),
            "pc": r.pc,
            "os_login": r.os_login,
            "requested_at": r.requested_at.to_string(),
            "csr": r.csr,
        })),
        "certificate": view.certificate.as_ref().map(|c| serde_json::json!({
            "serial": c.serial,
            "kind": c.kind.map(CertificateKind::name),
            "not_before": c.not_before.to_string(),
            "not_after": c.not_after.to_string(),
            "expired": c.expired,
            "stored_at": c.stored_at.to_string(),
            "chain": c.chain,
        })),
    })
}

fn human(view: &MediumView) -> String {
    let request = view.request.as_ref();
    let certificate = view.certificate.as_ref();
    let text = |value: Option<String>| value.unwrap_or_default();
    sheet(&[
        ("medium", format!("{} {} (simulated)", view.medium, view.id)),
        ("state", view.state().to_owned()),
        ("formatted", view.formatted_at.to_string()),
        ("PIN tries left", view.tries_left.to_string()),
        (
            "requested",
            text(request.map(|r| format!("{} {}", r.kind.name_ja(), r.subject.name))),
        ),
        (
            "on PC",
            text(request.map(|r| format!("{} as {}", r.pc, r.os_login))),
        ),
        (
            "key",
            text(request.map(|r| format!("{} {}", r.algorithm, r.key_digest))),
        ),
        ("certificate", text(certificate.map(|c| c.serial.clone()))),
        (
            "valid",
            text(certificate.map(|c| format!("{} to {}", c.not_before, c.not_after))),
        ),
        (
            "CSR",
            text(
                request
                    .filter(|_| certificate.is_none())
                    .map(|r| format!("\n{}", r.csr)),
            ),
        ),
    ])
}
