//! `lgpki audit find`: the certificates that an incident is about, and the list that revokes them.

use std::{fmt::Write as _, fs};

use lgpki_audit::{
    Published,
    find::{Found, Search, State, find},
};
use lgpki_domain::CertificateKind;
use serde_json::json;

use super::{failed, keys};
use crate::{
    cli::FindArgs,
    commands::application::{kind_ja, short_time},
    error::CommandError,
    output::{Output, table},
};

/// Searches, shows, and writes the list.
pub(super) fn run(args: &FindArgs, output: Output) -> Result<(), CommandError> {
    let published = Published::open(args.dir()).map_err(|e| failed(&e))?;
    let keys = keys(&args.keys.keys)?;
    super::say_whom_to_believe(&keys, output);
    let bar = output.progress(published.leaves(), "searching entries");
    let search = find(&published, &args.query(), &keys, &mut |count| {
        bar.inc(count);
    });
    bar.finish_and_clear();
    let search = search.map_err(|e| failed(&e))?;
    let (listed, left_out): (Vec<&Found>, Vec<&Found>) = search
        .certificates
        .iter()
        .partition(|found| is_listed(args, found.kind));
    if let Some(path) = &args.serials {
        let text = list(&search, &listed);
        fs::write(path, text).map_err(|e| CommandError::file("write", path, &e))?;
    }
    let count = |of: State| search.certificates.iter().filter(|f| f.state == of).count();
    let value = json!({
        "found": search.certificates.len(), "valid": count(State::Valid), "expired": count(State::Expired),
        "revoked": count(State::Revoked), "search": search,
    });
    output.result(&value, || shown(args, &search));
    if search.unreadable > 0 {
        output.say(format!(
            "{} entries could not be read: see `lgpki audit verify`",
            search.unreadable
        ));
    }
    if let Some(path) = &args.serials {
        let path = path.display();
        output.say(format!("wrote {} serial numbers to {path}", listed.len()));
        if !left_out.is_empty() {
            output.say(format!(
                "{} certificates of OCSP responders or between CAs are not on it; --kind names them if they \
                 are meant",
                left_out.len()
            ));
        }
        output.say(format!(
            "next: lgpki operator revoke-many --serials {path} --reason … --examined-by …"
        ));
    }
    Ok(())
}

/// What is revoked with many only where it is named, as `revoke-many` does it without a list.
fn is_listed(args: &FindArgs, kind: CertificateKind) -> bool {
    let special = kind.is_ca() || kind == CertificateKind::OcspResponder;
    !special || args.names(kind)
}

/// The list as `revoke-many` reads it: a serial number a line, and comments.
fn list(search: &Search, listed: &[&Found]) -> String {
    let mut text = format!(
        "# lgpki audit find: {} certificates, as of {}\n",
        listed.len(),
        search.as_of
    );
    for log in &search.logs {
        let _ = writeln!(text, "# {} of {} entries", log.origin, log.size);
    }
    for found in listed {
        let branch = found.branch.map(|code| code.to_string());
        let branch = branch.unwrap_or_else(|| "-".to_owned());
        let (kind, state) = (found.kind, found.state.name());
        let _ = writeln!(text, "{} # {kind} {branch} {state}", found.serial);
    }
    text
}

fn shown(args: &FindArgs, search: &Search) -> String {
    let rows = search.certificates.iter().take(args.most).map(row);
    let mut text = table(
        &[
            "issued",
            "serial",
            "branch",
            "kind",
            "name",
            "CA",
            "profile",
            "key",
            "submitted by",
            "approved by",
            "state",
        ],
        rows,
    );
    let more = search.certificates.len().saturating_sub(args.most);
    if more > 0 {
        let _ = write!(text, "\n… and {more} more; --most or --json shows them");
    }
    let of = |state| {
        search
            .certificates
            .iter()
            .filter(|f| f.state == state)
            .count()
    };
    let _ = write!(
        text,
        "\n{} certificates as of {}: {} valid, {} revoked, {} expired",
        search.certificates.len(),
        short_time(&search.as_of.to_string()),
        of(State::Valid),
        of(State::Revoked),
        of(State::Expired),
    );
    for service in &search.without {
        let _ = write!(
            text,
            "\nthe logs of {service} are not there: what they say is missing"
        );
    }
    text
}

fn row(found: &Found) -> Vec<String> {
    let approved = found.approved_by.iter().map(|a| short(&a.actor));
    let state = match (&found.revoked_at, found.reason) {
        (Some(at), Some(reason)) => format!("revoked {} ({reason})", short_time(&at.to_string())),
        _ => found.state.name().to_owned(),
    };
    vec![
        short_time(&found.issued_at.to_string()),
        found.serial.to_string(),
        found
            .branch
            .map(|code| code.to_string())
            .unwrap_or_default(),
        kind_ja(found.kind.name()),
        found.name.ja.clone(),
        found.ca.to_string(),
        found.profile.map(|p| p.to_string()).unwrap_or_default(),
        found
            .key_algorithm
            .map(|a| a.to_string())
            .unwrap_or_default(),
        short(&found.caller),
        approved.collect::<Vec<_>>().join("\n"),
        state,
    ]
}

/// An actor with the first eight digits of its serial number.
fn short(actor: &str) -> String {
    match actor.rsplit_once('/') {
        Some((office, serial)) => {
            let begin: String = serial.chars().take(8).collect();
            format!("{office}/{begin}…")
        }
        None => actor.to_owned(),
    }
}
