//! `lgpki cirs`: the registration branch's front end.

mod download;

use std::{collections::BTreeSet, time::Duration};

use lgpki_domain::{ApplicationId, RequestId};
use lgpki_proto::{
    convert::wire,
    v1::{
        self, application_service_client::ApplicationServiceClient,
        submit_application_request::Content,
    },
};
use tonic::transport::Channel;

use super::{
    addressee,
    application::{ApplicationView, application_sheet, applications_table, standing, state},
    inventory, notices, queue, renew, submit,
};
use crate::{
    cli::{CirsCommand, OfficeArgs},
    error::{CommandError, Refused},
    office::Office,
    output::Output,
};

/// Runs one command of the front end.
pub(crate) async fn run(
    args: OfficeArgs,
    command: CirsCommand,
    output: Output,
) -> Result<(), CommandError> {
    let office = Office::open(&args)?;
    carry_out(&office, command, output)
        .await
        .map_err(|error| error.at(office.server()))
}

async fn carry_out(
    office: &Office,
    command: CirsCommand,
    output: Output,
) -> Result<(), CommandError> {
    let mut client = ApplicationServiceClient::new(office.channel());
    match command {
        CirsCommand::Submit(args) => submit::run(office, *args, output).await,
        CirsCommand::Status { id, request_id } => {
            let named = named(office, id, request_id)?;
            show(office, named, output).await
        }
        CirsCommand::List { states, most } => list(&mut client, &states, most, output).await,
        CirsCommand::Watch { ids, timeout } => {
            watch(
                office,
                ids.iter().map(ToString::to_string).collect(),
                timeout,
                output,
            )
            .await
        }
        CirsCommand::Download {
            ids,
            to,
            no_confirm,
        } => {
            let wanted = download::Wanted {
                ids: &ids,
                to: &to,
                confirm: !no_confirm,
            };
            download::run(&mut client, wanted, output).await
        }
        CirsCommand::Revoke {
            serial,
            reason,
            one,
        } => {
            let content = v1::RevokeContent {
                serial: serial.to_string(),
                reason: wire(reason.0),
            };
            let request = submit::named(office.branch()?, &one, Content::Revoke(content))?;
            apply(office, request, "cirs watch", output).await
        }
        CirsCommand::Abolish { serial, one } => {
            let content = v1::AbolishContent {
                serial: serial.to_string(),
            };
            let request = submit::named(office.branch()?, &one, Content::Abolish(content))?;
            apply(office, request, "cirs watch", output).await
        }
        CirsCommand::Renewals { days } => renew::list(office, days, output).await,
        CirsCommand::Renew(args) => renew::run(office, *args, output).await,
        CirsCommand::Withdraw { id } => {
            let request = v1::WithdrawApplicationRequest { id: id.to_string() };
            let answer = client.withdraw_application(request).await?.into_inner();
            one(answer.application, output)
        }
        CirsCommand::Certificates(list) => {
            inventory::certificates(office, None, *list, output).await
        }
        CirsCommand::Addressee(command) => addressee::run(office, command, output).await,
        CirsCommand::Notices(which) => notices::run(office, None, which, output).await,
    }
}

/// Names one application of the office's branch, by its number or its request id.
fn named(
    office: &Office,
    id: Option<ApplicationId>,
    request_id: Option<RequestId>,
) -> Result<v1::GetApplicationRequest, CommandError> {
    let mut request = v1::GetApplicationRequest::default();
    if let Some(request_id) = request_id {
        request.branch = office.branch()?;
        request.request_id = request_id.to_string();
    }
    request.id = id.map(|id| id.to_string()).unwrap_or_default();
    Ok(request)
}

/// Shows one application.
pub(crate) async fn show(
    office: &Office,
    request: v1::GetApplicationRequest,
    output: Output,
) -> Result<(), CommandError> {
    let answer = ApplicationServiceClient::new(office.channel())
        .get_application(request)
        .await?;
    let application = there(answer.into_inner().application)?;
    // What can still change says why it stands where it stands.
    let why = match &application.estimate {
        // The application is shown all the same if that cannot be told.
        Some(_) => queue::explain(office.channel(), application.id.clone())
            .await
            .ok(),
        None => None,
    };
    let view = ApplicationView::from(&application);
    let view = view.standing_there(why.as_ref().map(queue::explained));
    output.result(&view, || {
        let sheet = application_sheet(&application);
        match why {
            Some(why) => format!("{sheet}\n\n{}", why.words),
            None => sheet,
        }
    });
    Ok(())
}

fn there(application: Option<v1::Application>) -> Result<v1::Application, CommandError> {
    application.ok_or_else(|| CommandError::new("the server answered without an application"))
}

fn one(application: Option<v1::Application>, output: Output) -> Result<(), CommandError> {
    let application = there(application)?;
    output.result(&ApplicationView::from(&application), || {
        application_sheet(&application)
    });
    Ok(())
}

/// Submits one application and names the command that comes `next`, such as `cirs watch`.
pub(crate) async fn apply(
    office: &Office,
    request: v1::SubmitApplicationRequest,
    next: &str,
    output: Output,
) -> Result<(), CommandError> {
    let answer = ApplicationServiceClient::new(office.channel())
        .submit_application(request)
        .await?;
    let answer = answer.into_inner();
    if let Some(gone) = submit::gone_before(&answer) {
        return Err(CommandError::new(gone.message));
    }
    let id = answer.application.as_ref().map(|a| a.id.clone());
    one(answer.application, output)?;
    renew::slot::tell(answer.slot.as_ref(), output);
    if answer.repeated {
        output.say("submitted before, nothing new was stored; to apply anew give --request-id");
    }
    let (desk, command) = next.split_once(' ').unwrap_or((next, ""));
    let rest = format!("{command} {}", id.unwrap_or_default());
    output.say(format!("next: {}", office.command(desk, &rest)));
    Ok(())
}

async fn list(
    client: &mut ApplicationServiceClient<Channel>,
    states: &[String],
    most: usize,
    output: Output,
) -> Result<(), CommandError> {
    let states = states
        .iter()
        .map(|s| parse_state(s))
        .collect::<Result<Vec<_>, _>>()?;
    let filter = Some(v1::ApplicationFilter {
        states,
        ..Default::default()
    });
    let mut found = Vec::new();
    let mut page_token = String::new();
    while found.len() < most {
        let request = v1::ListApplicationsRequest {
            filter: filter.clone(),
            page_size: page_size(most - found.len()),
            page_token,
        };
        let page = client.list_applications(request).await?.into_inner();
        found.extend(page.applications);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let views: Vec<_> = found.iter().map(ApplicationView::from).collect();
    output.result(&views, || applications_table(&found));
    more(&page_token, most, output);
    Ok(())
}

/// Says that a list was cut off, if it was.
pub(crate) fn more(page_token: &str, most: usize, output: Output) {
    if !page_token.is_empty() {
        output.say(format!(
            "there are more; use --most to see more than {most}"
        ));
    }
}

fn parse_state(text: &str) -> Result<i32, CommandError> {
    let name = format!(
        "APPLICATION_STATE_{}",
        text.to_uppercase().replace('-', "_")
    );
    v1::ApplicationState::from_str_name(&name)
        .filter(|s| *s != v1::ApplicationState::Unspecified)
        .map(i32::from)
        .ok_or_else(|| {
            CommandError::new(format!("{text:?} is not a state")).hint(
                "the states are received, examining, approved, queued, issuing, issued, delivered, \
                 rejected, withdrawn, failed, completed",
            )
        })
}

/// The size of the next page when `wanted` are still wanted.
pub(crate) fn page_size(wanted: usize) -> u32 {
    u32::try_from(wanted.min(1000)).unwrap_or(1000)
}

/// Follows applications until the named ones are issued or have ended.
pub(crate) async fn watch(
    office: &Office,
    ids: Vec<String>,
    timeout: Option<u64>,
    output: Output,
) -> Result<(), CommandError> {
    let mut waiting: BTreeSet<_> = ids.iter().cloned().collect();
    let named = !waiting.is_empty();
    let request = v1::WatchApplicationsRequest { filter: None, ids };
    let mut client = ApplicationServiceClient::new(office.channel());
    let mut changes = client.watch_applications(request).await?.into_inner();
    let follow = async {
        let mut failed = Vec::new();
        while let Some(change) = changes.message().await? {
            let Some(application) = change.application else {
                continue;
            };
            output.item(&ApplicationView::from(&application), || line(&application));
            if ended(&application) && waiting.remove(&application.id) {
                if !succeeded(&application) {
                    let (id, state) = (&application.id, state(&application));
                    failed.push(match application.reason.as_str() {
                        "" => format!("{id} is {state}"),
                        reason => format!("{id} is {state}: {reason}"),
                    });
                }
                if named && waiting.is_empty() {
                    return Ok(failed);
                }
            }
        }
        Err(CommandError::new("the server ended the stream")
            .hint("run the command again to go on watching"))
    };
    let failed = match timeout {
        None => follow.await?,
        Some(seconds) => tokio::time::timeout(Duration::from_secs(seconds), follow)
            .await
            .map_err(|_| {
                CommandError::new(format!("not everything ended within {seconds} seconds"))
                    .hint("see `lgpki cirs status` for where an application stands")
            })??,
    };
    if failed.is_empty() {
        Ok(())
    } else {
        Err(CommandError::new(failed.join("\n")))
    }
}

fn line(application: &v1::Application) -> String {
    let since = super::application::short_time(&application.state_since);
    let (id, standing) = (&application.id, standing(application));
    match application.reason.as_str() {
        "" => format!("{since}  {id}  {standing}"),
        reason => format!("{since}  {id}  {standing}: {reason}"),
    }
}

fn ended(application: &v1::Application) -> bool {
    use v1::ApplicationState as S;
    matches!(
        application.state(),
        S::Issued | S::Delivered | S::Rejected | S::Withdrawn | S::Failed | S::Completed
    )
}

fn succeeded(application: &v1::Application) -> bool {
    use v1::ApplicationState as S;
    matches!(application.state(), S::Issued | S::Delivered | S::Completed)
}

/// One item's refusal, with every fault.
pub(crate) fn refusal(what: &str, refusal: &v1::Refusal) -> String {
    Refused::new(what, Some(refusal.clone())).to_string()
}
