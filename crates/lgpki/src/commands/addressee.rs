//! The registry of addressees: a branch registers, changes and ends; everybody lists and follows.

mod view;

use std::fs;

use lgpki_domain::{RequestId, addressee::AddresseeId};
use lgpki_proto::v1::{self, addressee_service_client::AddresseeServiceClient};
use lgpki_x509::key::sha256;
use tonic::transport::Channel;

use self::view::{AddresseeView, Told, line, sheet, table};
use super::cirs;
use crate::{
    cli::{
        AddresseeCommand, AddresseeDesk, AddresseeListArgs, AddresseeRead, ContentArgs, EndArgs,
    },
    error::CommandError,
    form::AddresseeForm,
    office::{self, Office},
    output::Output,
};

type Client = AddresseeServiceClient<Channel>;

/// A branch's command.
pub(crate) async fn run(
    office: &Office,
    command: AddresseeCommand,
    output: Output,
) -> Result<(), CommandError> {
    match command {
        AddresseeCommand::Register(args) => register(office, &args, output).await,
        AddresseeCommand::Change { id, content } => change(office, id, &content, output).await,
        AddresseeCommand::End(args) => end(office, &args, output).await,
        AddresseeCommand::Read(read) => look(office, read, output).await,
    }
}

/// A command of the operator's desk.
pub(crate) async fn desk(
    office: &Office,
    command: AddresseeDesk,
    output: Output,
) -> Result<(), CommandError> {
    match command {
        AddresseeDesk::End(args) => end(office, &args, output).await,
        AddresseeDesk::Read(read) => look(office, read, output).await,
    }
}

async fn look(office: &Office, read: AddresseeRead, output: Output) -> Result<(), CommandError> {
    let mut client = Client::new(office.channel());
    match read {
        AddresseeRead::Show { id, form } => {
            let entry = entry(&mut client, id).await?;
            if form {
                let content = entry.content.unwrap_or_default();
                Output::raw(AddresseeForm::of(&content).to_json().as_bytes());
            } else {
                show(&entry, output);
            }
            Ok(())
        }
        AddresseeRead::List(args) => list(&mut client, args, output).await,
        AddresseeRead::History { id } => history(&mut client, id, output).await,
        AddresseeRead::Watch { branch, cursor } => {
            let request = v1::WatchAddresseesRequest {
                branch: branch.map(|b| b.to_string()).unwrap_or_default(),
                cursor: cursor.unwrap_or_default(),
            };
            watch(&mut client, request, output).await
        }
    }
}

async fn register(office: &Office, args: &ContentArgs, output: Output) -> Result<(), CommandError> {
    let mut request = v1::RegisterAddresseeRequest {
        request_id: String::new(),
        branch: office.branch()?,
        content: Some(content(v1::AddresseeContent::default(), args)?),
    };
    request.request_id = named(args.request_id.as_ref(), "register", || {
        let mut nameless = request.clone();
        forget_person(&mut nameless.content);
        format!("{nameless:?} {}", office::today())
    });
    let answer = Client::new(office.channel())
        .register_addressee(request)
        .await?
        .into_inner();
    recorded(office, answer.addressee, answer.repeated, output);
    Ok(())
}

async fn change(
    office: &Office,
    id: AddresseeId,
    args: &ContentArgs,
    output: Output,
) -> Result<(), CommandError> {
    let mut client = Client::new(office.channel());
    let entry = entry(&mut client, id).await?;
    let said = entry.content.clone().unwrap_or_default();
    let mut wished = content(said.clone(), args)?;
    if wished == said {
        show(&entry, output);
        output.say("the entry says all of this already; nothing new was recorded");
        return Ok(());
    }
    let announced = entry.state() == v1::AddresseeState::Announced;
    if wished.valid_since == said.valid_since && !announced {
        // Its day is past; what is new holds from today on.
        wished.valid_since.clear();
    }
    let mut request = v1::ChangeAddresseeRequest {
        request_id: String::new(),
        id: id.to_string(),
        version: entry.version,
        content: Some(wished),
    };
    request.request_id = named(args.request_id.as_ref(), "change", || {
        let mut nameless = request.clone();
        forget_person(&mut nameless.content);
        format!("{nameless:?} {}", office::today())
    });
    let answer = client.change_addressee(request).await?.into_inner();
    recorded(office, answer.addressee, answer.repeated, output);
    Ok(())
}

async fn end(office: &Office, args: &EndArgs, output: Output) -> Result<(), CommandError> {
    let mut client = Client::new(office.channel());
    let entry = entry(&mut client, args.id).await?;
    if entry.state() == v1::AddresseeState::Ended {
        show(&entry, output);
        output.say("the entry has ended already; nothing new was recorded");
        return Ok(());
    }
    let mut request = v1::EndAddresseeRequest {
        request_id: String::new(),
        id: args.id.to_string(),
        version: entry.version,
        reason: args.reason.clone(),
    };
    request.request_id = named(args.request_id.as_ref(), "end", || format!("{request:?}"));
    let answer = client.end_addressee(request).await?.into_inner();
    recorded(office, answer.addressee, answer.repeated, output);
    Ok(())
}

fn recorded(office: &Office, entry: Option<v1::Addressee>, repeated: bool, output: Output) {
    let entry = entry.unwrap_or_default();
    show(&entry, output);
    if repeated {
        output.say("recorded before, nothing new was recorded; to record anew give --request-id");
    }
    let history = office.command("cirs", &format!("addressee history {}", entry.id));
    output.say(format!("its versions: {history}"));
}

fn show(entry: &v1::Addressee, output: Output) {
    output.result(&AddresseeView::from(entry), || sheet(entry));
}

async fn entry(client: &mut Client, id: AddresseeId) -> Result<v1::Addressee, CommandError> {
    let request = v1::GetAddresseeRequest { id: id.to_string() };
    let answer = client.get_addressee(request).await?.into_inner();
    answer
        .addressee
        .ok_or_else(|| CommandError::new("the server answered without an entry"))
}

async fn list(
    client: &mut Client,
    args: AddresseeListArgs,
    output: Output,
) -> Result<(), CommandError> {
    let filter = v1::AddresseeFilter {
        branch: args.branch.map(|b| b.to_string()).unwrap_or_default(),
        unit: args.unit.unwrap_or_default(),
        document_address: args.address.unwrap_or_default(),
        changed_since: args
            .changed_since
            .map(|d| d.to_string())
            .unwrap_or_default(),
        with_ended: args.ended,
    };
    let mut found = Vec::new();
    let mut page_token = String::new();
    while found.len() < args.most {
        let request = v1::ListAddresseesRequest {
            filter: Some(filter.clone()),
            page_size: cirs::page_size(args.most - found.len()),
            page_token,
        };
        let page = client.list_addressees(request).await?.into_inner();
        found.extend(page.addressees);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let views: Vec<_> = found.iter().map(AddresseeView::from).collect();
    output.result(&views, || table(&found));
    cirs::more(&page_token, args.most, output);
    Ok(())
}

async fn history(client: &mut Client, id: AddresseeId, output: Output) -> Result<(), CommandError> {
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = v1::GetAddresseeHistoryRequest {
            id: id.to_string(),
            page_size: 0,
            page_token,
        };
        let page = client.get_addressee_history(request).await?.into_inner();
        found.extend(page.versions);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let views: Vec<_> = found.iter().map(AddresseeView::from).collect();
    output.result(&views, || view::versions(&found));
    Ok(())
}

async fn watch(
    client: &mut Client,
    request: v1::WatchAddresseesRequest,
    output: Output,
) -> Result<(), CommandError> {
    let mut cursor = request.cursor.clone();
    let mut stream = client.watch_addressees(request).await?.into_inner();
    let broken = |error: CommandError, cursor: &str| match cursor {
        // Nothing was told; the same command begins anew.
        "" => error,
        cursor => error.hint(format!("go on with addressee watch --cursor {cursor}")),
    };
    loop {
        match stream.message().await {
            Ok(Some(message)) => {
                let last = message.addressees.len().saturating_sub(1);
                for (i, entry) in message.addressees.iter().enumerate() {
                    let told = Told {
                        addressee: AddresseeView::from(entry),
                        cursor: (i == last).then_some(&message.next_cursor),
                    };
                    output.item(&told, || line(entry));
                }
                cursor = message.next_cursor;
            }
            Ok(None) => {
                let ended = CommandError::new("the server ended the stream");
                return Err(broken(ended, &cursor));
            }
            Err(status) => return Err(broken(status.into(), &cursor)),
        }
    }
}

/// What an entry is to say: what it said, with what a form and then the arguments replace.
fn content(
    said: v1::AddresseeContent,
    args: &ContentArgs,
) -> Result<v1::AddresseeContent, CommandError> {
    let mut content = match &args.form {
        None => said,
        Some(path) => {
            let text = fs::read(path).map_err(|e| CommandError::file("read", path, &e))?;
            let form = AddresseeForm::parse(&text).map_err(|error| {
                let what = format!("{} is not an addressee's form", path.display());
                CommandError::from_error(&what, &error)
                    .hint("`addressee show ID --form` prints the form of an entry")
            })?;
            let mut content = form.content();
            if content.valid_since.is_empty() {
                content.valid_since = said.valid_since;
            }
            content
        }
    };
    let names = |names: &mut Option<v1::Names>, en: &Option<String>, ja: &Option<String>| {
        if en.is_some() || ja.is_some() {
            let names = names.get_or_insert_default();
            replace(&mut names.en, en.as_ref());
            replace(&mut names.ja, ja.as_ref());
        }
    };
    names(&mut content.unit, &args.unit_en, &args.unit_ja);
    names(&mut content.names, &args.name_en, &args.name_ja);
    replace(&mut content.document_address, args.address.as_ref());
    replace(&mut content.contact_mail, args.mail.as_ref());
    replace(&mut content.contact_person, args.contact_person.as_ref());
    if args.no_contact_person {
        content.contact_person.clear();
    }
    if let Some(day) = args.valid_since {
        content.valid_since = day.to_string();
    }
    Ok(content)
}

fn replace(text: &mut String, with: Option<&String>) {
    if let Some(with) = with {
        text.clone_from(with);
    }
}

/// The request id: as given, or made from the content. It stands in the audit log for ever, and a person's
/// name must not be found again from it by trying names, so none has a part in it.
fn named(given: Option<&RequestId>, what: &str, content: impl FnOnce() -> String) -> String {
    if let Some(given) = given {
        return given.to_string();
    }
    // The derived form of a message lists every field in a fixed order.
    let digest = sha256(format!("{what} {}", content()).as_bytes()).to_string();
    format!("cli-{}", &digest[..32])
}

fn forget_person(content: &mut Option<v1::AddresseeContent>) {
    if let Some(content) = content {
        content.contact_person.clear();
    }
}

#[cfg(test)]
mod tests;
