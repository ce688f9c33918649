//! `lgpki audit pull`: brings a copy of published logs up to date, if they continue it.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use indicatif::ProgressBar;
use lgpki_audit::{
    Service,
    pull::{Mirror, PullError, Pulled, Refusal, SourceError, Step, Trust},
};
use lgpki_ledger::OsDisk;
use serde_json::{Value, json};

use super::{
    keys,
    sources::{self, Named},
};
use crate::{
    cli::{ServiceChoice, SourceArgs},
    error::{CommandError, REFUSED},
    output::{Output, table},
};

/// Pulls everything once.
pub(super) fn run(args: &SourceArgs, output: Output) -> Result<(), CommandError> {
    let mirror = open(args)?;
    let (_runtime, mut sources) = sources::open(args)?;
    let bar = output.progress(0, "pulling entries");
    let round = round(&mirror, &mut sources, &bar);
    bar.finish_and_clear();
    let round = round?;
    round.say_whom_it_trusts(output);
    let pulled: Vec<Value> = round.pulled.iter().map(view).collect();
    let failed: Vec<Value> = round.failed.iter().map(Failed::view).collect();
    output.result(&json!({ "logs": pulled, "failed": failed }), || {
        table(
            &["log", "entries", "new", "bundles fetched", "key"],
            round.pulled.iter().map(row),
        )
    });
    round.into_result()?;
    output.say(format!("next: lgpki audit verify {}", args.out.display()));
    Ok(())
}

/// Opens the copy.
pub(super) fn open(args: &SourceArgs) -> Result<Mirror, CommandError> {
    let services = args.services.iter().copied().map(service).collect();
    let mirror = Mirror::open(Arc::new(OsDisk), &args.out, keys(&args.keys)?);
    let mirror = mirror.map_err(|error| told(&error, &args.out))?;
    let witnesses = args.witnesses.clone();
    Ok(mirror.only(services).witnessed_by(witnesses))
}

const fn service(choice: ServiceChoice) -> Service {
    match choice {
        ServiceChoice::Intake => Service::Intake,
        ServiceChoice::Issuer => Service::Issuer,
        ServiceChoice::Lifecycle => Service::Lifecycle,
    }
}

/// What one look at all sources has brought.
#[derive(Debug, Default)]
pub(super) struct Round {
    pub(super) pulled: Vec<Pulled>,
    pub(super) failed: Vec<Failed>,
}

/// A log, or a source, that was not pulled.
#[derive(Debug)]
pub(super) struct Failed {
    /// The log or the source.
    what: String,
    /// Why, in one line.
    why: String,
    /// The name of the refusal, if it is one.
    refusal: Option<&'static str>,
    /// Whether asking later may help.
    pub(super) away: bool,
}

impl Failed {
    fn of(what: &str, error: &PullError) -> Self {
        let why = CommandError::from_error(what, error).to_string();
        let away = matches!(error, PullError::Source(source) if source.is_away());
        Self {
            what: what.to_owned(),
            why,
            refusal: error.refusal().map(Refusal::name),
            away,
        }
    }

    /// Whether what the source says is not believed.
    pub(super) const fn is_refused(&self) -> bool {
        self.refusal.is_some()
    }

    pub(super) fn view(&self) -> Value {
        json!({ "what": self.what, "why": self.why, "refusal": self.refusal, "away": self.away })
    }

    pub(super) fn why(&self) -> &str {
        &self.why
    }
}

/// Looks at all sources once. An error is one of the copy itself.
pub(super) fn round(
    mirror: &Mirror,
    sources: &mut [Named],
    bar: &ProgressBar,
) -> Result<Round, CommandError> {
    let mut round = Round::default();
    for Named { name, source } in sources {
        let offered = match source.logs() {
            Ok(offered) => offered,
            Err(error) => {
                round.failed.push(Failed::of(name, &error.into()));
                continue;
            }
        };
        for service in source.away().iter().filter(|of| mirror.wants(of)) {
            let away = SourceError::away(format!("{service} does not answer"));
            round.failed.push(Failed::of(name, &away.into()));
        }
        for log in offered {
            let mut progress = |step| match step {
                Step::Expect(entries) => bar.inc_length(entries),
                Step::Got(entries) => bar.inc(entries),
            };
            match mirror.pull(source.as_mut(), &log, &mut progress) {
                Ok(Some(pulled)) => round.pulled.push(pulled),
                Ok(None) => {}
                Err(
                    error @ (PullError::Source(_)
                    | PullError::Refused { .. }
                    | PullError::Kept { .. }),
                ) => {
                    round
                        .failed
                        .push(Failed::of(&format!("{log} of {name}"), &error));
                }
                Err(error) => return Err(told(&error, mirror.dir())),
            }
        }
    }
    let kept = mirror.logs().map_err(|error| told(&error, mirror.dir()))?;
    round.look_for_gone(&kept);
    Ok(round)
}

impl Round {
    /// A log that was kept and that nobody offers any more, of a service whose other logs are offered.
    fn look_for_gone(&mut self, kept: &[(Service, String)]) {
        if !self.failed.is_empty() {
            return;
        }
        let here: BTreeSet<(Service, &str)> = self
            .pulled
            .iter()
            .map(|p| (p.service, p.log.as_str()))
            .collect();
        let services: BTreeSet<Service> = here.iter().map(|(service, _)| *service).collect();
        let gone = kept.iter().filter(|(service, log)| {
            services.contains(service) && !here.contains(&(*service, log.as_str()))
        });
        let gone: Vec<Failed> = gone
            .map(|(service, log)| {
                let what = format!("{}/{log}", service.name());
                Failed {
                    why: format!("{what} is refused: it was pulled before, and is offered no more"),
                    what,
                    refusal: Some("gone"),
                    away: false,
                }
            })
            .collect();
        self.failed.extend(gone);
    }

    /// Names the keys that were believed because nobody knew better.
    pub(super) fn say_whom_it_trusts(&self, output: Output) {
        for pulled in self.pulled.iter().filter(|p| p.trust == Trust::FirstUse) {
            let (service, key) = (pulled.service.name(), pulled.key.to_string());
            let told = json!({ "trusted_on_first_use": key, "service": service });
            output.notice(&told, || {
                format!(
                    "believing the key of {service}'s logs on first use: {key}\n  compare it with the one that \
                     `lgpki init` left in audit-keys, got in another way; from now on no other is believed"
                )
            });
        }
    }

    fn into_result(self) -> Result<(), CommandError> {
        if self.failed.is_empty() {
            return Ok(());
        }
        let refused = self.failed.iter().any(Failed::is_refused);
        let lines: Vec<&str> = self.failed.iter().map(Failed::why).collect();
        let error = CommandError::new(lines.join("\n"));
        Err(if refused {
            error.status(REFUSED).hint(
                "what was kept stands as it was; ask the operator, and show the kept checkpoint and, where a \
                 log was rewritten, the one in its file `refused`",
            )
        } else {
            error.hint("give the same command again: it goes on where it was")
        })
    }
}

fn told(error: &PullError, dir: &Path) -> CommandError {
    let told = CommandError::from_error("the logs cannot be kept", error);
    match error {
        PullError::Busy(_) => {
            told.hint("wait for the other one, or give another directory with --out")
        }
        PullError::Kept { .. } => told.hint(format!(
            "give the --key that {} was pulled with, or pull into another directory",
            dir.display()
        )),
        _ => told,
    }
}

const fn trust(trust: Trust) -> &'static str {
    match trust {
        Trust::Given => "given",
        Trust::Kept => "kept",
        Trust::FirstUse => "first use",
    }
}

fn view(pulled: &Pulled) -> Value {
    json!({
        "service": pulled.service.name(), "log": pulled.log, "origin": pulled.head.origin.to_string(),
        "before": pulled.before, "size": pulled.head.size,
        "root": lgpki_domain::Digest(pulled.head.root).to_string(), "fetched": pulled.fetched,
        "resumed": pulled.resumed, "key": pulled.key.to_string(), "trust": trust(pulled.trust),
    })
}

fn row(pulled: &Pulled) -> Vec<String> {
    vec![
        format!("{}/{}", pulled.service.name(), pulled.log),
        pulled.head.size.to_string(),
        (pulled.head.size - pulled.before).to_string(),
        pulled.fetched.to_string(),
        trust(pulled.trust).to_owned(),
    ]
}
