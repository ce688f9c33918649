//! Lists and counts of certificates, for branches and for the operator.

use lgpki_proto::{
    convert::{wire, wire_or_unset},
    v1::{self, certificate_service_client::CertificateServiceClient},
};
use serde_json::json;

use super::{
    application::{CertificateView, certificates_table, kind_ja, spell},
    cirs,
};
use crate::{
    cli::{CertificateArgs, ListArgs},
    error::CommandError,
    office::Office,
    output::{Output, table},
};

/// Lists certificates by expiry, or counts them; of a branch, or of whatever the office may see.
pub(crate) async fn certificates(
    office: &Office,
    branch: Option<String>,
    args: ListArgs,
    output: Output,
) -> Result<(), CommandError> {
    let asked = request(&args.which, branch);
    if args.count {
        return count(office, asked, output).await;
    }
    let mut client = CertificateServiceClient::new(office.channel());
    let mut found = Vec::new();
    let mut page_token = String::new();
    while found.len() < args.most {
        let request = v1::ListCertificatesRequest {
            page_size: cirs::page_size(args.most - found.len()),
            page_token,
            ..asked.clone()
        };
        let page = client.list_certificates(request).await?.into_inner();
        found.extend(page.certificates);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let views: Vec<_> = found.iter().map(CertificateView::from).collect();
    output.result(&views, || certificates_table(&found));
    cirs::more(&page_token, args.most, output);
    Ok(())
}

/// What the arguments ask for.
pub(crate) fn request(
    which: &CertificateArgs,
    branch: Option<String>,
) -> v1::ListCertificatesRequest {
    let day =
        |day: Option<lgpki_domain::JstDate>| day.map(|day| day.to_string()).unwrap_or_default();
    v1::ListCertificatesRequest {
        branch: branch.unwrap_or_default(),
        kinds: which.kinds.iter().map(|kind| wire(*kind)).collect(),
        state: which.state.map(i32::from).unwrap_or_default(),
        expires_from: day(which.expires_from),
        expires_to: day(which.expires_to),
        issued_from: day(which.issued_from),
        issued_to: day(which.issued_to),
        key_digest: which.key.map(|key| key.to_string()).unwrap_or_default(),
        authority: wire_or_unset(which.ca.map(|ca| ca.0)),
        subject: Some(v1::Subject {
            body: names(which.body.as_ref()),
            unit: names(which.unit.as_ref()),
            name: names(which.name.as_ref()),
        }),
        page_size: 0,
        page_token: String::new(),
    }
}

/// English names are ASCII; what is not is Japanese.
fn names(text: Option<&String>) -> Option<v1::Names> {
    let text = text?.clone();
    let (en, ja) = if text.is_ascii() {
        (text, String::new())
    } else {
        (String::new(), text)
    };
    Some(v1::Names { en, ja })
}

async fn count(
    office: &Office,
    asked: v1::ListCertificatesRequest,
    output: Output,
) -> Result<(), CommandError> {
    let request = v1::CountCertificatesRequest {
        branch: asked.branch,
        kinds: asked.kinds,
        state: asked.state,
        expires_from: asked.expires_from,
        expires_to: asked.expires_to,
        issued_from: asked.issued_from,
        issued_to: asked.issued_to,
        key_digest: asked.key_digest,
        authority: asked.authority,
        subject: asked.subject,
    };
    let mut client = CertificateServiceClient::new(office.channel());
    let answer = client.count_certificates(request).await?.into_inner();
    let counts: Vec<_> = answer
        .counts
        .iter()
        .map(|c| {
            let kind = spell(c.kind().as_str_name(), "CERTIFICATE_KIND_");
            let state = spell(c.state().as_str_name(), "CERTIFICATE_STATE_");
            (kind, state, c.count)
        })
        .collect();
    let views: Vec<_> = counts
        .iter()
        .map(|(kind, state, count)| json!({ "kind": kind, "state": state, "count": count }))
        .collect();
    output.result(&json!({ "counts": views, "total": answer.total }), || {
        let rows = counts
            .iter()
            .map(|(kind, state, count)| vec![kind_ja(kind), state.clone(), count.to_string()]);
        let total = vec![
            String::from("total"),
            String::new(),
            answer.total.to_string(),
        ];
        table(&["kind", "state", "certificates"], rows.chain([total]))
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_looked_for_in_the_language_it_is_written_in() {
        let which = CertificateArgs {
            unit: Some(String::from("総務部")),
            name: Some(String::from("Mayor")),
            ..CertificateArgs::default()
        };
        let subject = request(&which, None).subject.unwrap();
        assert_eq!(subject.body, None);
        assert_eq!(subject.unit.unwrap().ja, "総務部");
        assert_eq!(subject.name.unwrap().en, "Mayor");
    }
}
