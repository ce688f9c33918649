//! `lgpki demo`: everything once, end to end, and checked.
//!
//! A certificate authority is made in a throw-away directory and served over real loopback sockets
//! with real mutual TLS. Three branches apply for every kind of certificate, each rule refuses what
//! breaks it, the operator examines, the issuer signs, the branches download, the subscribers store,
//! one certificate is revoked, the CRLs are published, and every result is read again by the second
//! reader and, where it is installed, by OpenSSL. It ends well only if every step held.

mod applicants;
mod leave;
mod refusals;
mod revocation;
mod stage;
mod verify;
mod window;
mod world;

use lgpki_domain::CertificateKind;

use crate::{
    cli::DemoArgs,
    error::CommandError,
    output::{Output, table},
};

use super::published_logs;
use applicants::Applicant;
use leave::Results;
use stage::Stage;
use world::World;

/// Runs the demonstration.
pub(crate) async fn run(args: DemoArgs, output: Output) -> Result<(), CommandError> {
    if let Some(out) = &args.out {
        leave::check(out)?;
    }
    let directory = tempfile::tempdir()
        .map_err(|e| CommandError::from_error("cannot make a throw-away directory", &e))?;
    let mut stage = Stage::new(output);
    let world = stage
        .step(
            "make a certificate authority",
            World::make(&args, directory.path()),
        )
        .await?;
    let outcome = play(&world, &mut stage).await;
    let stopped = stage.step("stop the services", world.stop()).await;
    let results = outcome?;
    stopped?;
    if let Some(out) = &args.out {
        leave::write(out, &results, &stage)?;
        published_logs::leave(out, world.dir())?;
    }
    conclude(&results, &stage, &args, output);
    Ok(())
}

async fn play(world: &World, stage: &mut Stage) -> Result<Results, CommandError> {
    stage
        .step("serve intake, issuer and lifecycle", world.ready())
        .await?;
    stage
        .step("three branches and two operators log in", world.log_in())
        .await?;
    stage
        .step(
            "LGWAN officers register organizations and accounts",
            world.register(),
        )
        .await?;
    let mut applicants = stage
        .step(
            "subscribers format media, make keys and CSRs",
            applicants::prepare(world),
        )
        .await?;
    let mut refused = stage
        .step(
            "what breaks a rule is refused",
            refusals::before(world, &applicants),
        )
        .await?;
    stage
        .step(
            "three branches submit",
            window::submit(world, &mut applicants),
        )
        .await?;
    stage
        .step(
            "an operator examines one, the others pass automatically",
            window::examine(world, &applicants),
        )
        .await?;
    stage
        .step(
            "the issuer signs",
            window::await_issue(world, &mut applicants),
        )
        .await?;
    stage
        .step(
            "the branches download and confirm",
            window::download(world, &mut applicants),
        )
        .await?;
    refused.extend(
        stage
            .step(
                "storing elsewhere is refused",
                refusals::storing(world, &applicants),
            )
            .await?,
    );
    stage
        .step(
            "subscribers store their certificates",
            applicants::store(world, &applicants),
        )
        .await?;
    refused.extend(
        stage
            .step(
                "what is used up is refused",
                refusals::after(world, &applicants),
            )
            .await?,
    );
    stage
        .step(
            "one certificate is revoked, its CRL follows at once",
            revocation::revoke(world, &applicants),
        )
        .await?;
    let crls = stage
        .step(
            "the operator publishes all CRLs",
            revocation::publish(world),
        )
        .await?;
    let checks = stage
        .step(
            "every certificate and CRL is read again",
            verify::all(world, &applicants, &crls),
        )
        .await?;
    Ok(Results {
        authorities: world.authorities()?,
        applicants,
        crls,
        refused,
        checks,
    })
}

fn conclude(results: &Results, stage: &Stage, args: &DemoArgs, output: Output) {
    output.result(&leave::summary(results, stage), || {
        let refused: String = results
            .refused
            .iter()
            .map(|r| {
                format!(
                    "  {}: {} [{}]\n      {}\n",
                    r.rule, r.tried, r.reason, r.message
                )
            })
            .collect::<Vec<_>>()
            .concat();
        let issued = table(
            &["kind", "branch", "name", "serial", "state"],
            results.applicants.iter().map(|a: &Applicant| {
                let standing = if a.revoked { "revoked" } else { "valid" };
                let kind = CertificateKind::name_ja(a.kind).to_owned();
                vec![
                    kind,
                    a.branch.to_string(),
                    a.subject.name.ja().to_owned(),
                    a.serial(),
                    standing.to_owned(),
                ]
            }),
        );
        format!(
            "\nrefused, as it should be:\n{refused}\n{issued}\n\n{}",
            results.checks.sentence()
        )
    });
    if let Some(out) = &args.out {
        output.say(format!(
            "left in {}: ca/ csr/ cert/ crl/ audit/ audit-keys/ summary.json",
            out.display()
        ));
    }
    output.say(format!("every step held, in {:.1} s", stage.seconds()));
}
