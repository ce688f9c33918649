//! `lgpki audit`: what an auditor does with published logs. `pull`, `watch` and `logs` ask whoever has
//! them; a witness is talked to; nothing else here talks to anybody.

mod find;
mod logs;
mod pull;
mod sources;
mod told;
mod watch;
mod witness;

use std::{fs, path::Path};

use lgpki_audit::{
    Against, AuditError, Published, Service, Verdict,
    export::{Format, export},
    proof::{self, prove, read_entry},
    schema,
};
use lgpki_domain::{Clock, ErrorClass};
use lgpki_ledger::{LogProof, VerifierKey, WitnessPolicy};
use lgpki_runtime::clock::SystemClock;
use lgpki_x509::pem;
use serde_json::json;

use crate::{
    cli::{
        AuditCommand, CheckArgs, CheckProofArgs, ExportArgs, ExportFormat, PolicyArgs, ProveArgs,
        VerifyArgs,
    },
    error::CommandError,
    output::{Output, sheet},
};

/// Runs it.
pub(super) fn run(command: AuditCommand, output: Output) -> Result<(), CommandError> {
    match command {
        AuditCommand::Pull(args) => pull::run(&args, output),
        AuditCommand::Watch(args) => watch::run(&args, output),
        AuditCommand::Verify(args) => verify(args, output),
        AuditCommand::Prove(args) => write_proof(&args, output),
        AuditCommand::CheckProof(args) => check_proof(&args, output),
        AuditCommand::Check(args) => check(&args, output),
        AuditCommand::Find(args) => find::run(&args, output),
        AuditCommand::Export(args) => tables(&args, output),
        AuditCommand::Witness(args) => super::block_on(witness::run(args, output)),
        AuditCommand::Logs(args) => super::block_on(logs::run(args, output)),
        AuditCommand::Schema => {
            Output::raw(schema::ENTRIES.as_bytes());
            Ok(())
        }
    }
}

fn failed(error: &AuditError) -> CommandError {
    let told = CommandError::from_error("the audit cannot be made", error);
    match error.class() {
        ErrorClass::NotFound => {
            told.hint("name the directory that holds intake/, issuer/ and lifecycle/")
        }
        _ => told,
    }
}

fn keys(files: &[std::path::PathBuf]) -> Result<Vec<VerifierKey>, CommandError> {
    let mut keys = Vec::new();
    for file in files {
        let text = fs::read_to_string(file).map_err(|e| CommandError::file("read", file, &e))?;
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let key = line.trim().parse().map_err(|error| {
                CommandError::from_error(
                    &format!("{} holds no verifier keys", file.display()),
                    &error,
                )
            })?;
            keys.push(key);
        }
    }
    Ok(keys)
}

/// Whose cosignatures are wanted, if any are.
fn policy(args: &PolicyArgs) -> Result<Option<WitnessPolicy>, CommandError> {
    if let Some(path) = &args.witness_policy {
        let text = fs::read_to_string(path).map_err(|e| CommandError::file("read", path, &e))?;
        let policy = WitnessPolicy::parse(&text);
        return policy
            .map(Some)
            .map_err(|e| CommandError::from_error(&path.display().to_string(), &e));
    }
    if args.witnesses.is_empty() {
        return Ok(None);
    }
    let required = args.require.unwrap_or(args.witnesses.len());
    WitnessPolicy::of(args.witnesses.clone(), required)
        .map(Some)
        .map_err(|e| CommandError::from_error("--witness", &e))
}

fn say_whom_to_believe(keys: &[VerifierKey], output: Output) {
    if keys.is_empty() {
        output.say("believing the verifier keys beside the logs; give those you know with --key");
    }
}

fn verify(args: VerifyArgs, output: Output) -> Result<(), CommandError> {
    let published = Published::open(&args.dir).map_err(|e| failed(&e))?;
    // Never taken for a first visit by itself: whoever removed what was remembered would go unnoticed.
    if let Some(seen) = args.against.as_ref().filter(|seen| !seen.is_dir()) {
        let what = format!("nothing is remembered in {}", seen.display());
        return Err(CommandError::new(what).hint(
            "on a first visit give --remember alone; later, give --against the directory that --remember named",
        ));
    }
    let against = Against {
        keys: keys(&args.keys.keys)?,
        seen: args.against,
        crls: args.crls,
        witnesses: policy(&args.witnesses)?,
    };
    say_whom_to_believe(&against.keys, output);
    let begun = SystemClock.now();
    let bar = output.progress(published.leaves(), "auditing entries");
    let report = published.verify(&against, &mut |count| bar.inc(count));
    bar.finish_and_clear();
    let report = report.map_err(|e| failed(&e))?;
    let millis = (SystemClock.now().as_millis() - begun.as_millis()).max(1);
    let took = told::Took::new(millis, report.entries);
    output.result(&json!({ "took": took, "report": report }), || {
        told::report(&report, &took)
    });
    // What was found in a log stays in it; its later checkpoints are no less worth remembering.
    if let Some(to) = &args.remember {
        let left = published.remember(to, &against, &report);
        let left = left.map_err(|e| failed(&e))?;
        output.say(format!("left the checkpoints in {}", to.display()));
        if !left.is_empty() {
            output.say(format!(
                "but not those of {}, whose trees do not hold; what was remembered of them before stays",
                left.join(", ")
            ));
        }
    }
    if report.is_clean() {
        return Ok(());
    }
    let count: u64 = report.counts.values().sum();
    Err(CommandError::new(format!("{count} findings")).hint(
        "each names the rule, the log and the entry; `lgpki audit export` writes the entries out",
    ))
}

fn write_proof(args: &ProveArgs, output: Output) -> Result<(), CommandError> {
    let published = Published::open(&args.logs).map_err(|e| failed(&e))?;
    let proof = prove(&published, args.serial, &keys(&args.keys.keys)?).map_err(|e| failed(&e))?;
    let text = proof.to_string();
    match &args.out {
        None => Output::raw(text.as_bytes()),
        Some(path) => {
            fs::write(path, &text).map_err(|e| CommandError::file("write", path, &e))?;
            output.say(format!("wrote {} ({} bytes)", path.display(), text.len()));
        }
    }
    Ok(())
}

fn check_proof(args: &CheckProofArgs, output: Output) -> Result<(), CommandError> {
    let text = fs::read_to_string(&args.file);
    let text = text.map_err(|e| CommandError::file("read", &args.file, &e))?;
    let wrong =
        |error: &dyn std::error::Error| CommandError::from_error("the proof does not hold", error);
    let proof: LogProof = text.parse().map_err(|error| wrong(&error))?;
    let entry = proof.extra.as_deref().unwrap_or_default();
    let head = proof::check_proof(&proof, &keys(&args.keys)?)
        .map_err(|error| CommandError::new(error.to_string()))?;
    let said = read_entry(entry).ok_or_else(|| CommandError::new("what is proved is no entry"))?;
    let body: serde_json::Value = serde_json::from_str(said.body.get()).unwrap_or_default();
    if let Some(path) = &args.certificate {
        let der = body["certificate"]
            .as_str()
            .and_then(lgpki_ledger::serial::base64url_decode);
        let der = der.ok_or_else(|| CommandError::new("the entry holds no certificate"))?;
        fs::write(path, der).map_err(|e| CommandError::file("write", path, &e))?;
    }
    let value = json!({
        "holds": true, "log": head.origin.to_string(), "size": head.size, "leaf": proof.index,
        "kind": said.kind, "time": said.time, "body": body,
    });
    output.result(&value, || {
        sheet(&[
            ("the proof holds", said.kind.clone()),
            ("log", format!("{} of {} leaves", head.origin, head.size)),
            ("leaf", proof.index.to_string()),
            ("time", said.time.clone()),
            (
                "certificate",
                said.about.certificate.clone().unwrap_or_default(),
            ),
            (
                "application",
                said.about.application.clone().unwrap_or_default(),
            ),
        ])
    });
    Ok(())
}

/// The DER of a certificate or CRL in a file, PEM or DER.
fn der_in(path: &Path) -> Result<Vec<u8>, CommandError> {
    let bytes = fs::read(path).map_err(|e| CommandError::file("read", path, &e))?;
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return Ok(bytes);
    };
    let labels = [pem::Label::Certificate, pem::Label::Crl];
    let found = labels
        .into_iter()
        .find_map(|label| pem::decode(label, text.as_bytes()).ok());
    found.ok_or_else(|| {
        CommandError::new(format!(
            "{} holds no certificate and no CRL",
            path.display()
        ))
    })
}

fn check(args: &CheckArgs, output: Output) -> Result<(), CommandError> {
    let der = der_in(&args.file)?;
    let published = Published::open(&args.logs).map_err(|e| failed(&e))?;
    let against = Against {
        keys: keys(&args.keys.keys)?,
        ..Against::default()
    };
    let bar = output.progress(published.leaves(), "reading entries");
    let auditor = published.audit(&Service::ALL, &against, &mut |count| bar.inc(count));
    bar.finish_and_clear();
    let auditor = auditor.map_err(|e| failed(&e))?;
    let verdict = auditor.judge(&der);
    let report = auditor.finish(&[]);
    let (mut value, text, accounted) = told::verdict(&verdict);
    let count: u64 = report.counts.values().sum();
    value["logs_hold"] = report.trees_hold().into();
    value["findings"] = count.into();
    output.result(&value, || text);
    if !report.trees_hold() {
        let first = report
            .findings
            .iter()
            .find(|found| found.rule.is_of_trees());
        let first = first.map(ToString::to_string).unwrap_or_default();
        return Err(CommandError::new(format!(
            "the logs do not hold, so what they say of it counts for nothing: {first}"
        ))
        .hint("fetch them again, and see `lgpki audit verify`"));
    }
    if !accounted {
        return Err(
            CommandError::new("a CA key was used outside the system").hint(
                "have the CA key's custody examined; revoke the certificate, and roll the key over",
            ),
        );
    }
    if !report.is_clean() {
        output.say(format!(
            "the logs themselves have {count} findings: see `lgpki audit verify`"
        ));
    }
    match verdict {
        Verdict::NotOurs => Err(CommandError::new("no CA of these logs signed it")),
        Verdict::Unjudged { ca, .. } => Err(CommandError::new(format!(
            "whether the key of {ca} signed it is not judged"
        ))
        .hint(
            "have another program verify it with that CA's certificate, such as `openssl verify`: if it \
             accepts, the CA key was used outside the system",
        )),
        _ => Ok(()),
    }
}

fn tables(args: &ExportArgs, output: Output) -> Result<(), CommandError> {
    let published = Published::open(&args.dir).map_err(|e| failed(&e))?;
    let format = match args.format {
        ExportFormat::Jsonl => Format::Jsonl,
        ExportFormat::Csv => Format::Csv,
        ExportFormat::Parquet => Format::Parquet,
    };
    let keys = keys(&args.keys.keys)?;
    let bar = output.progress(published.leaves(), "writing entries");
    let manifest = export(&published, format, (&args.out, &keys), &mut |count| {
        bar.inc(count);
    });
    bar.finish_and_clear();
    let manifest = manifest.map_err(|e| failed(&e))?;
    output.result(&manifest, || told::manifest(&manifest));
    Ok(())
}
