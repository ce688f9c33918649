//! Requests about addressees from the wire. What cannot be read is noted, and the rest is judged too; only
//! where not even the entry is known, that is all that can be said.

use lgpki_domain::{
    Faults, Timestamp,
    addressee::{AddresseeId, DocumentAddress},
    mail::MailAddress,
};
use lgpki_proto::{convert, v1};
use lgpki_x509::key::sha256;
use prost::Message;

use crate::{
    app::addressee::{Deed, Sent, Wish},
    ports::{AddresseeDraft, AddresseeFilter},
};

/// The faults to refuse with where the entry is not known.
pub(super) fn left(deed: Option<&Deed>, sent: &Sent) -> Faults {
    match deed {
        Some(_) => Faults::new(),
        None => sent.faults.clone(),
    }
}

/// Reads a registration.
pub(super) fn register(
    mut request: v1::RegisterAddresseeRequest,
    now: Timestamp,
) -> (Sent, Option<Deed>) {
    let person = person(&mut request.content);
    let mut sent = sent("register", &request, &request.request_id);
    let faults = &mut sent.faults;
    let before = faults.iter().count();
    let branch = convert::optional_text(faults, "branch", &request.branch);
    let readable = faults.iter().count() == before;
    let wish = wish(faults, request.content, person, now);
    (sent, readable.then_some(Deed::Register(branch, wish)))
}

/// Reads a change.
pub(super) fn change(
    mut request: v1::ChangeAddresseeRequest,
    now: Timestamp,
) -> (Sent, Option<Deed>) {
    let person = person(&mut request.content);
    let mut sent = sent("change", &request, &request.request_id);
    let entry = entry(&mut sent.faults, &request.id, request.version);
    let wish = wish(&mut sent.faults, request.content, person, now);
    (
        sent,
        entry.map(|(id, version)| Deed::Change(id, version, wish)),
    )
}

/// Reads an end.
pub(super) fn end(request: v1::EndAddresseeRequest) -> (Sent, Option<Deed>) {
    let mut sent = sent("end", &request, &request.request_id);
    let entry = entry(&mut sent.faults, &request.id, request.version);
    (
        sent,
        entry.map(|(id, version)| Deed::End(id, version, request.reason)),
    )
}

/// Reads a filter.
pub(super) fn filter(faults: &mut Faults, given: v1::AddresseeFilter) -> AddresseeFilter {
    let since = convert::optional_text(faults, "filter.changed_since", &given.changed_since);
    let given_text = |text: String| Some(text).filter(|text| !text.is_empty());
    AddresseeFilter {
        body: convert::optional_text(faults, "filter.branch", &given.branch),
        unit: given_text(given.unit),
        address: given_text(given.document_address),
        changed_since: since.map(lgpki_domain::JstDate::start),
        with_ended: given.with_ended,
    }
}

/// Takes the contact person's name out: a digest over it would let a guess be proved after it was erased.
fn person(content: &mut Option<v1::AddresseeContent>) -> Option<String> {
    let name = std::mem::take(&mut content.as_mut()?.contact_person);
    Some(name).filter(|name| !name.is_empty())
}

/// What all requests have; the digest tells apart what is asked for, too.
fn sent(what: &str, request: &impl Message, request_id: &str) -> Sent {
    let mut faults = Faults::new();
    let request_id = convert::required_text(&mut faults, "request_id", request_id);
    let bytes = [what.as_bytes(), b"\0", &request.encode_to_vec()].concat();
    Sent {
        request_id,
        content_digest: sha256(&bytes),
        faults,
    }
}

fn entry(faults: &mut Faults, id: &str, version: u32) -> Option<(AddresseeId, u32)> {
    let id = convert::required_text(faults, "id", id);
    if version == 0 {
        let message = "the version is missing; give the one that was read";
        faults.push("version", convert::FIELD_MISSING, message);
        return None;
    }
    Some((id?, version))
}

fn wish(
    faults: &mut Faults,
    content: Option<v1::AddresseeContent>,
    contact_person: Option<String>,
    now: Timestamp,
) -> Wish {
    let Some(content) = convert::required_message(faults, "content", content) else {
        return Wish::default();
    };
    let since = if content.valid_since.is_empty() {
        Some(now.jst_date())
    } else {
        convert::optional_text(faults, "content.valid_since", &content.valid_since)
    };
    let address = DocumentAddress::try_new("content.document_address", &content.document_address);
    let mail = MailAddress::try_new("content.contact_mail", &content.contact_mail);
    Wish {
        draft: AddresseeDraft {
            unit: convert::names(faults, "content.unit", content.unit.as_ref()),
            names: convert::names(faults, "content.names", content.names.as_ref()),
            address: faults.keep(address),
            mail: faults.keep(mail),
            contact: None,
            valid_since: since,
        },
        contact_person,
    }
}
