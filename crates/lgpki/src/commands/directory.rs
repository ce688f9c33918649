//! `lgpki operator directory`: bodies, branches, organizations, accounts.

use std::{collections::BTreeMap, fs, io::ErrorKind, path::Path};

use lgpki_domain::BodyCode;
use lgpki_proto::{
    RemoteError,
    v1::{self, directory_change::Change, directory_service_client::DirectoryServiceClient},
};
use tonic::transport::Channel;

use super::{
    application::short_time,
    cirs::{more, page_size},
};
use crate::{
    cli::DirectoryCommand,
    error::CommandError,
    office::Office,
    output::{Output, table},
};

type Client = DirectoryServiceClient<Channel>;

/// Changes of one call.
const CHUNK: usize = 1_000;

/// Runs one command about the directories.
pub(crate) async fn run(
    office: &Office,
    command: DirectoryCommand,
    output: Output,
) -> Result<(), CommandError> {
    let mut client = DirectoryServiceClient::new(office.channel());
    match command {
        DirectoryCommand::Bodies { prefecture, most } => {
            bodies(&mut client, prefecture.unwrap_or_default(), most, output).await
        }
        DirectoryCommand::Show { body } => show(&mut client, body, output).await,
        DirectoryCommand::RegisterOrganization { body, en, ja } => {
            let unit = v1::Organization {
                names: Some(v1::Names { en, ja }),
            };
            change(
                &mut client,
                body,
                vec![Change::RegisterOrganization(unit)],
                output,
            )
            .await
        }
        DirectoryCommand::RenameOrganization { body, from, en, ja } => {
            let rename = v1::RenameOrganization {
                en: from,
                names: Some(v1::Names { en, ja }),
            };
            change(
                &mut client,
                body,
                vec![Change::RenameOrganization(rename)],
                output,
            )
            .await
        }
        DirectoryCommand::RemoveOrganization { body, en } => {
            change(
                &mut client,
                body,
                vec![Change::RemoveOrganization(en)],
                output,
            )
            .await
        }
        DirectoryCommand::RegisterAccount { body, unit, en, ja } => {
            let role = v1::Account {
                unit_en: unit,
                names: Some(v1::Names { en, ja }),
            };
            change(
                &mut client,
                body,
                vec![Change::RegisterAccount(role)],
                output,
            )
            .await
        }
        DirectoryCommand::RemoveAccount { body, unit, en } => {
            let role = v1::RemoveAccount { unit_en: unit, en };
            change(&mut client, body, vec![Change::RemoveAccount(role)], output).await
        }
        DirectoryCommand::Import { file } => import(&mut client, &file, output).await,
        DirectoryCommand::Deactivate { body, reason } => {
            let request = v1::DeactivateBranchRequest {
                body: body.to_string(),
                reason,
            };
            let body = client
                .deactivate_branch(request)
                .await?
                .into_inner()
                .body
                .unwrap_or_default();
            show_bodies(&[body], output);
            Ok(())
        }
    }
}

async fn bodies(
    client: &mut Client,
    prefecture: u32,
    most: usize,
    output: Output,
) -> Result<(), CommandError> {
    let mut found = Vec::new();
    let mut page_token = String::new();
    while found.len() < most {
        let page_size = page_size(most - found.len());
        let request = v1::ListBodiesRequest {
            prefecture,
            page_size,
            page_token,
        };
        let page = client.list_bodies(request).await?.into_inner();
        found.extend(page.bodies);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    show_bodies(&found, output);
    more(&page_token, most, output);
    Ok(())
}

fn show_bodies(bodies: &[v1::Body], output: Output) {
    let state = |b: &v1::Body| {
        b.branch()
            .as_str_name()
            .trim_start_matches("BRANCH_STATE_")
            .to_lowercase()
    };
    let names = |b: &v1::Body| b.names.clone().unwrap_or_default();
    let views: Vec<_> = bodies
        .iter()
        .map(|b| {
            serde_json::json!({
                "code": b.code, "name_ja": names(b).ja, "name_en": names(b).en, "branch": state(b),
                "deactivated_at": b.deactivated_at, "deactivation_reason": b.deactivation_reason,
            })
        })
        .collect();
    output.result(&views, || {
        table(
            &["code", "body", "in English", "branch", "since", "why"],
            bodies.iter().map(|b| {
                let since = short_time(&b.deactivated_at);
                let why = b.deactivation_reason.clone();
                vec![
                    b.code.clone(),
                    names(b).ja,
                    names(b).en,
                    state(b),
                    since,
                    why,
                ]
            }),
        )
    });
}

async fn show(client: &mut Client, body: BodyCode, output: Output) -> Result<(), CommandError> {
    let mut answer = v1::ListEntriesResponse::default();
    loop {
        let request = v1::ListEntriesRequest {
            body: body.to_string(),
            page_size: 1_000,
            page_token: std::mem::take(&mut answer.next_page_token),
        };
        let page = client.list_entries(request).await?.into_inner();
        answer.organizations.extend(page.organizations);
        answer.accounts.extend(page.accounts);
        answer.next_page_token = page.next_page_token;
        if answer.next_page_token.is_empty() {
            break;
        }
    }
    let units = answer
        .organizations
        .iter()
        .filter_map(|o| o.names.clone())
        .map(|n| (n, String::new()));
    let roles = answer
        .accounts
        .iter()
        .filter_map(|a| Some((a.names.clone()?, a.unit_en.clone())));
    let rows: Vec<_> = units.chain(roles).collect();
    let views: Vec<_> = rows
        .iter()
        .map(|(n, unit)| {
            let sort = if unit.is_empty() {
                "organization"
            } else {
                "account"
            };
            serde_json::json!({ "sort": sort, "unit_en": unit, "name_en": n.en, "name_ja": n.ja })
        })
        .collect();
    output.result(&views, || {
        table(
            &["what", "name", "in English", "unit"],
            rows.iter().map(|(n, unit)| {
                let sort = if unit.is_empty() {
                    "組織"
                } else {
                    "アカウント"
                };
                vec![sort.to_owned(), n.ja.clone(), n.en.clone(), unit.clone()]
            }),
        )
    });
    Ok(())
}

async fn change(
    client: &mut Client,
    body: BodyCode,
    changes: Vec<Change>,
    output: Output,
) -> Result<(), CommandError> {
    let count = send(client, &body.to_string(), &changes).await?;
    output.result(&serde_json::json!({ "changed": count }), || match count {
        0 => String::from("nothing changed; it stands so already"),
        count => format!("{count} changed"),
    });
    Ok(())
}

async fn send(client: &mut Client, body: &str, changes: &[Change]) -> Result<u32, tonic::Status> {
    let mut count = 0;
    for chunk in changes.chunks(CHUNK) {
        let request = v1::ChangeEntriesRequest {
            body: body.to_owned(),
            changes: chunk
                .iter()
                .map(|c| v1::DirectoryChange {
                    change: Some(c.clone()),
                })
                .collect(),
        };
        count += client.change_entries(request).await?.into_inner().changed;
    }
    Ok(count)
}

async fn import(client: &mut Client, file: &Path, output: Output) -> Result<(), CommandError> {
    let text = fs::read_to_string(file).map_err(|e| {
        let error = CommandError::file("read", file, &e);
        match e.kind() {
            ErrorKind::InvalidData => {
                error.hint("the file must be UTF-8; convert Shift_JIS with iconv first")
            }
            _ => error,
        }
    })?;
    let bodies = parse_import(&text).map_err(|why| {
        CommandError::new(format!("{}: {why}; nothing was imported", file.display()))
    })?;
    let bar = output.progress(bodies.len() as u64, "importing");
    let mut changed = 0;
    for (body, changes) in bodies {
        for part in changes.chunks(CHUNK) {
            let (lines, part): (Vec<usize>, Vec<Change>) = part.iter().cloned().unzip();
            let sent = send(client, &body.to_string(), &part).await;
            changed += sent.map_err(|status| {
                CommandError::from(at_lines(&status, &lines))
                    .during(&format!("{}, body {body}", file.display()))
                    .hint("correct it and import again: what is registered already changes nothing")
            })?;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    output.result(&serde_json::json!({ "changed": changed }), || {
        format!("{changed} registered; what stood there already is not counted")
    });
    Ok(())
}

/// A refusal whose faults name the lines of the file that the changes came from.
fn at_lines(status: &tonic::Status, lines: &[usize]) -> RemoteError {
    let mut refused = RemoteError::from(status);
    for fault in &mut refused.faults {
        let place = fault.field.strip_prefix("changes[");
        let Some((index, field)) = place.and_then(|place| place.split_once(']')) else {
            continue;
        };
        let line = index.parse().ok().and_then(|index: usize| lines.get(index));
        if let Some(line) = line {
            fault.field = format!("line {line}{}", field.replacen('.', ": ", 1));
        }
    }
    refused
}

/// The changes of each body that an import file asks for, each with the number of its line.
fn parse_import(text: &str) -> Result<BTreeMap<BodyCode, Vec<(usize, Change)>>, String> {
    let mut bodies: BTreeMap<BodyCode, Vec<(usize, Change)>> = BTreeMap::new();
    for (line, number) in text.lines().zip(1..) {
        let line = line.trim_start_matches('\u{feff}').trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let cells: Vec<_> = line.split(',').map(str::trim).collect();
        let names = |en: &str, ja: &str| {
            Some(v1::Names {
                en: en.to_owned(),
                ja: ja.to_owned(),
            })
        };
        let (body, unit_en, unit_ja, account) = match *cells.as_slice() {
            [body, en, ja] => (body, en, ja, None),
            [body, en, ja, account_en, account_ja] => {
                let names = names(account_en, account_ja);
                (
                    body,
                    en,
                    ja,
                    Some(v1::Account {
                        unit_en: en.to_owned(),
                        names,
                    }),
                )
            }
            _ => {
                return Err(format!(
                    "line {number} has {} columns instead of 3 or 5",
                    cells.len()
                ));
            }
        };
        let code = body.parse().map_err(|e| format!("line {number}: {e}"))?;
        let changes = bodies.entry(code).or_default();
        let unit = v1::Organization {
            names: names(unit_en, unit_ja),
        };
        changes.push((number, Change::RegisterOrganization(unit)));
        changes.extend(account.map(|account| (number, Change::RegisterAccount(account))));
    }
    Ok(bodies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_file_lists_units_and_roles_by_body() {
        let text = "\u{feff}# body,unit_en,unit_ja\n01001,General Affairs,総務部\n\
                    01001,General Affairs,総務部,chief-lgacc,主任（利用者）\n13001,Planning,企画室\n";
        let bodies = parse_import(text).unwrap();
        assert_eq!(bodies.values().map(Vec::len).collect::<Vec<_>>(), [3, 1]);
    }

    #[test]
    fn a_fault_names_the_line_it_comes_from() {
        let text = "# units\n01001,General Affairs,総務部\n\n01001,Harbour,港湾局,pilot,水先案内\n";
        let bodies = parse_import(text).unwrap();
        let lines: Vec<_> = bodies.values().flatten().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 4, 4]);
        let mut faults = lgpki_domain::Faults::new();
        faults.push(
            "changes[2].register_account.names",
            "ACCOUNT_SUFFIX_MISSING",
            "x",
        );
        faults.push("body", "BODY_UNKNOWN", "y");
        let status = lgpki_proto::Failure::from(faults).into_status();
        let fields: Vec<_> = at_lines(&status, &lines)
            .faults
            .into_iter()
            .map(|fault| fault.field)
            .collect();
        assert_eq!(fields, ["line 4: register_account.names", "body"]);
    }

    #[test]
    fn a_line_of_the_wrong_width_is_named() {
        assert!(
            parse_import("01001,General Affairs\n")
                .unwrap_err()
                .contains("line 1")
        );
        assert!(parse_import("#\n1,A,あ\n").unwrap_err().contains("line 2"));
    }
}
