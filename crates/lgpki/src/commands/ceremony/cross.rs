//! `lgpki ceremony cross`: certifies another operator's CA, such as a bridge.

use std::fs;

use lgpki_domain::{Clock, Names, Validity};
use lgpki_issuer::{IssuerError, ceremony::Cross};
use lgpki_runtime::clock::SystemClock;
use lgpki_x509::{
    cross::{Constraints, ForeignCa},
    issuer::cross_file,
};

use super::{Held, hold, replace};
use crate::{
    cli::CrossArgs,
    commands::init::to_pem,
    error::CommandError,
    output::{Output, sheet},
};

/// Reads the other CA, compares its key with what was told, and certifies it.
pub(super) async fn run(args: CrossArgs, output: Output) -> Result<(), CommandError> {
    let cross = read(&args)?;
    let Held { dir, ceremony, .. } = hold(&args.config, &args.passphrase).await?;
    let outcome = ceremony.certify(&cross).await;
    super::end(ceremony).await?;
    let (generation, certificate) = outcome.map_err(|e| match &e {
        IssuerError::Refused(faults) => refused(faults.iter()),
        _ => CommandError::from_error("the cross certificate was not issued", &e),
    })?;
    let name = cross_file(cross.authority, generation, certificate.serial);
    let path = dir.join("ca").join(name).with_extension("pem");
    replace(&path, &to_pem(&certificate.der)?)?;
    let validity = cross.validity;
    let json = serde_json::json!({
        "authority": cross.authority.name(), "generation": generation,
        "serial": certificate.serial.to_string(), "subject": cross.subject.name(),
        "key_digest": args.key_digest.to_string(), "not_before": validity.not_before().to_string(),
        "not_after": validity.not_after().to_string(), "file": path.display().to_string(),
    });
    output.result(&json, || {
        sheet(&[
            ("CA", format!("{} (key {generation})", cross.authority)),
            ("certified", cross.subject.name()),
            ("serial", certificate.serial.to_string()),
            (
                "valid",
                format!("{} to {}", validity.first_day(), validity.last_day()),
            ),
            ("file", path.display().to_string()),
        ])
    });
    output.say(
        "next: start the issuer again; lifecycle then publishes the certificate, and the operator \
         can revoke it by its serial number like any other.",
    );
    Ok(())
}

/// What is to be certified, checked as far as it can be without the CA.
fn read(args: &CrossArgs) -> Result<Cross, CommandError> {
    let (path, is_request) = match (&args.certificate, &args.request) {
        (Some(path), _) => (path, false),
        (None, Some(path)) => (path, true),
        (None, None) => {
            return Err(CommandError::new(
                "neither certificate nor request is given",
            ));
        }
    };
    let bytes = fs::read(path).map_err(|e| CommandError::file("read", path, &e))?;
    let subject = if is_request {
        ForeignCa::from_request("request", &bytes)
    } else {
        ForeignCa::from_certificate("certificate", &bytes)
    };
    let subject = subject.map_err(|faults| refused(faults.iter()))?;
    let found = subject.public_key().digest();
    if found != args.key_digest {
        let message = format!(
            "{} holds the key with SHA-256 {found}, not {}",
            path.display(),
            args.key_digest
        );
        return Err(CommandError::new(message).hint(
            "ask the other CA's operator for the digest over another channel than the file's; where \
             the two differ, somebody changed the file",
        ));
    }
    let names = Names::try_new("name", &args.name_en, &args.name_ja)
        .map_err(|faults| refused(faults.iter()))?;
    let first = args.from.unwrap_or_else(|| SystemClock.now().jst_date());
    let last = first.plus_months(12 * args.years).plus_days(-1);
    let validity = Validity::try_new(first, last)
        .ok_or_else(|| CommandError::new("the last day lies before the first"))?;
    let constraints = Constraints {
        permitted: args.permitted.clone(),
        excluded: args.excluded.clone(),
        policies: args.policies.clone(),
        mappings: args.mappings.clone(),
        require_explicit_policy: Some(args.require_policy),
        inhibit_policy_mapping: args.inhibit_mapping,
        inhibit_any_policy: args.inhibit_any,
        path_length: Some(args.path_length),
    };
    constraints
        .check()
        .map_err(|faults| refused(faults.iter()))?;
    Ok(Cross {
        authority: args.authority.0,
        subject,
        names,
        constraints,
        validity,
    })
}

fn refused<'a>(faults: impl Iterator<Item = &'a lgpki_domain::Fault>) -> CommandError {
    let texts: Vec<_> = faults.map(|fault| fault.message.clone()).collect();
    CommandError::new(format!(
        "the cross certificate is refused: {}",
        texts.join("; ")
    ))
}
