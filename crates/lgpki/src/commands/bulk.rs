//! `lgpki operator revoke-many`: many certificates, one decision.
//!
//! The selection is shown first, with a token that is a digest of it and of the reason; only with that
//! token is anything applied for. The request ids are made from the token and the serial numbers, so
//! the command may be given again after any interruption: what was taken is recognised. Certificates
//! that were revoked stay in the selection, so that its token stays the same. What was applied for and
//! then rejected is not revoked and is told as refused; `--again` makes another token for the same
//! selection.

mod lookup;
mod selection;
mod sent;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt::Write as _, mem};

use lgpki_proto::v1::{
    self, ApplicationSort, ApplicationState, application_service_client::ApplicationServiceClient,
    submit_application_request::Content,
};

use self::{
    selection::{Selection, select},
    sent::{Round, Sent},
};
use super::{application::ApplicationView, submit};
use crate::{
    cli::RevokeManyArgs,
    error::CommandError,
    office::Office,
    output::{Output, table},
};

/// Shows the selection or, once confirmed, applies for its revocation.
pub(crate) async fn run(
    office: &Office,
    args: &RevokeManyArgs,
    output: Output,
) -> Result<(), CommandError> {
    let selection = select(office, args, output).await?;
    let round = Round::of(args);
    let token = selection.token(round.reason, round.again);
    match &args.confirm {
        None => {
            let open = open_applications(office, args).await?;
            show(office, &selection, &open, &token, output);
            Ok(())
        }
        Some(given) if *given == token => apply(office, args, &selection, &token, output).await,
        Some(given) => Err(CommandError::new(format!(
            "{given} confirms another selection or another reason; nothing was applied for"
        ))
        .hint(
            "give the command without --confirm: it shows what would be revoked now, and its token",
        )),
    }
}

/// What is still to be issued to a branch all of whose certificates are meant.
async fn open_applications(
    office: &Office,
    args: &RevokeManyArgs,
) -> Result<Vec<v1::Application>, CommandError> {
    let Some(branch) = args.whole_branch() else {
        return Ok(Vec::new());
    };
    let states = [
        ApplicationState::Received,
        ApplicationState::Examining,
        ApplicationState::Approved,
        ApplicationState::Queued,
        ApplicationState::Issuing,
    ];
    let filter = v1::ApplicationFilter {
        branch: branch.to_string(),
        states: states.map(i32::from).to_vec(),
        sorts: [ApplicationSort::Issue, ApplicationSort::Renew]
            .map(i32::from)
            .to_vec(),
        ..v1::ApplicationFilter::default()
    };
    let mut client = ApplicationServiceClient::new(office.channel());
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = v1::ListApplicationsRequest {
            filter: Some(filter.clone()),
            page_size: 1_000,
            page_token,
        };
        let page = client.list_applications(request).await?.into_inner();
        found.extend(page.applications);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(found);
        }
    }
}

/// What a person must see of the certificates left out and of those still to come.
fn remarks(office: &Office, selection: &Selection, open: &[v1::Application]) -> String {
    let mut text = String::new();
    for left_out in &selection.left_out {
        let _ = write!(text, "\n{left_out}");
    }
    let (examining, others): (Vec<_>, Vec<_>) = open
        .iter()
        .partition(|a| a.state() == ApplicationState::Examining);
    if !examining.is_empty() {
        let ids: Vec<_> = examining.iter().map(|a| a.id.as_str()).collect();
        let rest = format!("reject {} --reason TEXT", ids.join(" "));
        let _ = write!(
            text,
            "\n{} applications of the branch for certificates wait for examination; reject these: {}",
            ids.len(),
            office.command("operator", &rest)
        );
    }
    if !others.is_empty() {
        let ids: Vec<_> = others.iter().map(|a| a.id.as_str()).collect();
        let _ = write!(
            text,
            "\n{} certificates of the branch are about to be issued; once they are, give the command again \
             without --confirm: {}",
            ids.len(),
            ids.join(" ")
        );
    }
    text
}

fn views(open: &[v1::Application]) -> Vec<ApplicationView> {
    open.iter().map(ApplicationView::from).collect()
}

fn show(
    office: &Office,
    selection: &Selection,
    open: &[v1::Application],
    token: &str,
    output: Output,
) {
    let counts = selection.counts();
    let total: u64 = counts.values().sum();
    let ended = selection.targets.len() as u64 - total;
    let rows: Vec<_> = counts
        .iter()
        .map(|((branch, kind), count)| {
            serde_json::json!({ "branch": branch, "kind": kind, "count": count })
        })
        .collect();
    output.result(
        &serde_json::json!({
            "token": token, "to_revoke": total, "ended_before": ended, "counts": rows,
            "left_out": selection.left_out, "open_applications": views(open),
        }),
        || {
            let mut text = table(
                &["branch", "kind", "certificates"],
                counts.iter().map(|((branch, kind), count)| {
                    vec![(*branch).to_owned(), (*kind).to_owned(), count.to_string()]
                }),
            );
            let _ = write!(
                text,
                "\n{total} to revoke; {ended} revoked or expired before"
            );
            text.push_str(&remarks(office, selection, open));
            text
        },
    );
    output.say(format!(
        "nothing was applied for; to do it, give the same command with --confirm {token}"
    ));
}

/// How many were applied for now, and how many needed it no more: `ended` had ended when they were selected.
fn tally(sent: &Sent, ended: usize) -> String {
    let Sent {
        accepted, before, ..
    } = sent;
    format!(
        "{accepted} applied for; {before} applied for before; {ended} revoked or expired before"
    )
}

/// The name of one application; always the same for the same selection and reason.
fn request_id(token: &str, serial: &str) -> String {
    format!("bulk-{token}-{serial}")
}

async fn apply(
    office: &Office,
    args: &RevokeManyArgs,
    selection: &Selection,
    token: &str,
    output: Output,
) -> Result<(), CommandError> {
    let round = Round::of(args);
    let mut sent_for = BTreeMap::new();
    let requests = selection.standing().into_iter().map(|(serial, target)| {
        let content = v1::RevokeContent {
            serial: serial.clone(),
            reason: round.reason,
        };
        let content = Content::Revoke(content);
        let mut request = submit::build(target.branch.clone(), &args.examiner, content)?;
        request.request_id = request_id(token, serial);
        let named = (serial.as_str(), target.branch.as_str());
        sent_for.insert(request.request_id.clone(), named);
        Ok(v1::SubmitApplicationsRequest {
            application: Some(request),
        })
    });
    let requests = requests.collect::<Result<Vec<_>, CommandError>>()?;
    let total = requests.len();
    let ended = selection.targets.len() - total;
    let bar = output.progress(total as u64, "applying");
    let mut client = ApplicationServiceClient::new(office.channel());
    let answers = client
        .submit_applications(tokio_stream::iter(requests))
        .await;
    let mut answers = answers?.into_inner();
    let mut sent = Sent::new(round);
    loop {
        match answers.message().await {
            Ok(Some(answer)) => {
                let named = sent_for.get(&answer.request_id);
                sent.count(named.map_or("", |(serial, _)| *serial), answer);
            }
            Ok(None) => break,
            Err(status) => {
                let done = sent.accepted + sent.before;
                return Err(CommandError::from(status)
                    .during(&format!("{done} of {total} were taken"))
                    .hint("give the same command again: what was taken is not taken twice"));
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    for id in mem::take(&mut sent.taken) {
        let named = sent_for.get(&id).copied().unwrap_or_default();
        sent.look_at(office, named, id).await?;
    }
    let open = open_applications(office, args).await?;
    let told: Vec<_> = sent
        .refused
        .iter()
        .map(|r| r.to_json("request_id"))
        .collect();
    let answered = sent.accepted + sent.before + sent.refused.len();
    output.result(
        &serde_json::json!({
            "accepted": sent.accepted, "before": sent.before, "ended_before": ended,
            "waiting": sent.waiting, "refused": told,
            "left_out": selection.left_out, "open_applications": views(&open),
        }),
        || tally(&sent, ended) + &remarks(office, selection, &open),
    );
    if sent.waiting > 0 {
        output.say(format!(
            "{} wait for examination; next: {}",
            sent.waiting,
            office.command("operator", "approve --all")
        ));
    }
    if sent.refused.is_empty() && answered == total {
        return Ok(());
    }
    let left = total - (answered - sent.refused.len());
    let message = format!("{left} of {total} were not taken");
    Err(CommandError::new(message).refusing(sent.refused).hint(
        "correct what is named, or give the same command again: what was taken is not taken twice",
    ))
}
