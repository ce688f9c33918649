//! Orders and CRLs from the wire into words of the domain.

use lgpki_domain::{AuthorityKey, CrlNumber, CrlScope, Digest, Faults};
use lgpki_proto::{convert, v1};

use crate::{
    app::{CrlAnnounced, Order, ResponderOrder, Wanted},
    ports::CrlOf,
};

/// An order from the wire.
pub(super) enum Decoded {
    /// An order with a name; what is wanted may still be faulty.
    Order(Box<Order>),
    /// An order that cannot even be named; its refusal.
    Nameless(v1::IssuanceResult),
}

/// Reads an order.
pub(super) fn order(order: v1::IssuanceOrder) -> Decoded {
    let mut faults = Faults::new();
    let f = &mut faults;
    let application = convert::required_text(f, "order.application_id", &order.application_id);
    let content_digest = convert::required_text(f, "order.content_digest", &order.content_digest);
    if order.attempt == 0 {
        f.push(
            "order.attempt",
            convert::FIELD_MISSING,
            "attempts are counted from 1",
        );
    }
    let (Some(application), Some(content_digest), 1..) =
        (application, content_digest, order.attempt)
    else {
        return Decoded::Nameless(super::encode::refused(order.application_id, faults));
    };
    Decoded::Order(Box::new(Order {
        application,
        attempt: order.attempt,
        content_digest,
        answers: (order.answers_index > 0).then_some(order.answers_index),
        wanted: wanted(order),
    }))
}

fn wanted(order: v1::IssuanceOrder) -> Result<Wanted, Faults> {
    let mut faults = Faults::new();
    let f = &mut faults;
    let branch = convert::optional_text(f, "order.branch", &order.branch);
    let kind = convert::required(f, "order.kind", order.kind);
    let subject = convert::subject(f, "order.subject", order.subject.as_ref());
    let login_role = convert::optional(f, "order.login_role", order.login_role);
    match (kind, subject) {
        (Some(kind), Some(subject)) if faults.is_empty() => Ok(Wanted {
            branch,
            kind,
            subject,
            public_key: order.subject_public_key_info,
            dns_names: order.dns_names,
            mail: Some(order.mail_address).filter(|mail| !mail.is_empty()),
            login_role,
        }),
        _ => Err(faults),
    }
}

/// Reads the order for an OCSP responder's certificate.
pub(super) fn responder(
    request: v1::IssueResponderCertificateRequest,
) -> Result<ResponderOrder, Faults> {
    let mut faults = Faults::new();
    let f = &mut faults;
    let id = convert::required_text(f, "request_id", &request.request_id);
    let authority = convert::required(f, "authority", request.authority);
    if request.key_generation == 0 {
        f.push(
            "key_generation",
            convert::FIELD_MISSING,
            "generations are counted from 1",
        );
    }
    match (id, authority) {
        (Some(id), Some(authority)) if faults.is_empty() => Ok(ResponderOrder {
            request: id,
            authority,
            generation: request.key_generation,
            csr: request.certification_request,
        }),
        _ => Err(faults),
    }
}

/// Reads what is announced of a tbsCertList.
pub(super) fn crl_header(header: &v1::SignCrlHeader) -> Result<CrlAnnounced, Faults> {
    let mut faults = Faults::new();
    let authority = convert::required(&mut faults, "header.authority", header.authority);
    if header.number == 0 {
        faults.push(
            "header.number",
            convert::FIELD_MISSING,
            "CRL numbers are counted from 1",
        );
    }
    if header.key_generation == 0 {
        faults.push(
            "header.key_generation",
            convert::FIELD_MISSING,
            "generations of a key are counted from 1",
        );
    }
    let scope = convert::required_text::<CrlScope>(&mut faults, "header.scope", &header.scope);
    let (Some(authority), Some(scope), true) = (authority, scope, faults.is_empty()) else {
        return Err(faults);
    };
    let base = (header.base_number > 0).then_some(CrlNumber(header.base_number));
    Ok(CrlAnnounced {
        of: CrlOf {
            key: AuthorityKey::new(authority, header.key_generation),
            scope,
            delta: base.is_some(),
        },
        base,
        number: CrlNumber(header.number),
        length: header.length,
    })
}

/// Reads the digest that ends a tbsCertList.
pub(super) fn crl_end(end: &v1::SignCrlEnd) -> Result<Digest, Faults> {
    let mut faults = Faults::new();
    let digest = convert::required_text(&mut faults, "end.tbs_digest", &end.tbs_digest);
    digest.ok_or(faults)
}
