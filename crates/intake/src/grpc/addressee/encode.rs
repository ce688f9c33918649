//! Addressees onto the wire.

use lgpki_domain::{JstDate, addressee::Standing};
use lgpki_proto::{convert, v1};

use crate::{grpc::encode, ports::AddresseeVersion};

/// What depends on who looks, and when.
pub(super) struct Seen<'a> {
    /// The contact person's name, where the caller may see it.
    pub(super) contact_person: Option<String>,
    /// Who recorded the version, or nothing.
    pub(super) recorder: &'a str,
    /// The day.
    pub(super) today: JstDate,
}

/// A version of an entry.
pub(super) fn addressee(version: &AddresseeVersion, seen: Seen<'_>) -> v1::Addressee {
    let content = &version.content;
    let ended = version.ended.is_some();
    let state = Standing::on(seen.today, content.valid_since, ended);
    let body = encode::body(&version.body);
    v1::Addressee {
        id: version.id.to_string(),
        branch: body.code,
        body: body.names,
        branch_state: body.branch,
        branch_deactivated_at: body.deactivated_at,
        version: version.version,
        state: convert::wire(state),
        content: Some(v1::AddresseeContent {
            unit: Some((&content.unit).into()),
            names: Some((&content.names).into()),
            document_address: content.address.to_string(),
            contact_mail: content.mail.to_string(),
            contact_person: seen.contact_person.unwrap_or_default(),
            valid_since: content.valid_since.to_string(),
        }),
        unit_is_registered: version.unit_is_registered,
        registered_at: version.registered_at.to_string(),
        changed_at: version.changed_at.to_string(),
        changed_by: seen.recorder.to_owned(),
        end_reason: version.ended.clone().unwrap_or_default(),
    }
}
