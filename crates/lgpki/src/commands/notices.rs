//! Notices: what becomes due and what was revoked, once or as it comes.

use lgpki_proto::v1::{self, notice_service_client::NoticeServiceClient};
use serde::Serialize;

use super::application::{CertificateView, kind_ja, short_time, spell};
use crate::{
    cli::NoticesArgs,
    error::CommandError,
    office::{Office, today},
    output::{Output, table},
};

/// How far back a list goes unless told otherwise, in days.
const DAYS: i32 = 90;

/// A notice in JSON results.
#[derive(Serialize)]
struct NoticeView {
    kind: String,
    at: String,
    certificate: CertificateView,
    cursor: String,
}

impl From<&v1::Notice> for NoticeView {
    fn from(notice: &v1::Notice) -> Self {
        let certificate = notice.certificate.clone().unwrap_or_default();
        Self {
            kind: spell(notice.kind().as_str_name(), "NOTICE_KIND_"),
            at: notice.at.clone(),
            certificate: CertificateView::from(&certificate),
            cursor: notice.cursor.clone(),
        }
    }
}

/// Lists notices, or tells them as they come.
pub(crate) async fn run(
    office: &Office,
    branch: Option<String>,
    args: NoticesArgs,
    output: Output,
) -> Result<(), CommandError> {
    let branch = branch.unwrap_or_default();
    if args.watch {
        return watch(office, branch, args, output).await;
    }
    let since = args.since.unwrap_or_else(|| today().plus_days(-DAYS));
    let mut request = v1::ListNoticesRequest {
        branch,
        since: since.to_string(),
        cursor: args.cursor.unwrap_or_default(),
        page_size: 1000,
        from_now: false,
    };
    let mut client = NoticeServiceClient::new(office.channel());
    let mut found = Vec::new();
    let next_at = loop {
        let page = client.list_notices(request.clone()).await?.into_inner();
        found.extend(page.notices);
        request.cursor = page.next_cursor;
        if page.caught_up {
            break page.next_at;
        }
    };
    found.sort_by(|a, b| a.at.cmp(&b.at));
    let views: Vec<_> = found.iter().map(NoticeView::from).collect();
    let told =
        serde_json::json!({ "notices": views, "cursor": request.cursor, "next_at": next_at });
    output.result(&told, || {
        let rows = found.iter().map(row);
        table(
            &[
                "when", "what", "serial", "branch", "kind", "name", "expires",
            ],
            rows,
        )
    });
    if !next_at.is_empty() {
        output.say(format!("the next is due at {}", short_time(&next_at)));
    }
    Ok(())
}

async fn watch(
    office: &Office,
    branch: String,
    args: NoticesArgs,
    output: Output,
) -> Result<(), CommandError> {
    let mut cursor = args.cursor.unwrap_or_default();
    let request = v1::WatchNoticesRequest {
        branch,
        since: args.since.map(|day| day.to_string()).unwrap_or_default(),
        cursor: cursor.clone(),
    };
    let mut client = NoticeServiceClient::new(office.channel());
    let mut stream = client.watch_notices(request).await?.into_inner();
    loop {
        match stream.message().await {
            Ok(Some(message)) => {
                cursor = message.next_cursor;
                for notice in &message.notices {
                    output.item(&NoticeView::from(notice), || row(notice).join("  "));
                }
            }
            Ok(None) => {
                return Err(broken(
                    CommandError::new("the server ended the stream"),
                    &cursor,
                ));
            }
            Err(status) => return Err(broken(status.into(), &cursor)),
        }
    }
}

/// Says where to go on; before the first message nothing was told, and the same command begins anew.
fn broken(error: CommandError, cursor: &str) -> CommandError {
    if cursor.is_empty() {
        return error;
    }
    error.hint(format!("go on with --watch --cursor {cursor}"))
}

fn row(notice: &v1::Notice) -> Vec<String> {
    let certificate = notice.certificate.clone().unwrap_or_default();
    let name = certificate.subject.and_then(|subject| subject.name);
    let what = spell(notice.kind().as_str_name(), "NOTICE_KIND_");
    let reason = v1::RevocationReason::try_from(certificate.revocation_reason);
    let what = match reason {
        Ok(reason) if notice.kind() == v1::NoticeKind::Revoked => {
            format!(
                "{what}: {}",
                spell(reason.as_str_name(), "REVOCATION_REASON_")
            )
        }
        _ => what,
    };
    let kind = v1::CertificateKind::try_from(certificate.kind).unwrap_or_default();
    vec![
        short_time(&notice.at),
        what,
        certificate.serial,
        certificate.branch,
        kind_ja(&spell(kind.as_str_name(), "CERTIFICATE_KIND_")),
        name.map(|name| name.ja).unwrap_or_default(),
        certificate.not_after.chars().take(10).collect(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_stream_says_where_to_go_on_only_where_something_was_told() {
        let broken = |cursor| broken(CommandError::new("away"), cursor);
        assert_eq!(broken("").next_step(), None);
        let hint = broken("12").next_step().map(str::to_owned);
        assert_eq!(hint.as_deref(), Some("go on with --watch --cursor 12"));
    }
}
