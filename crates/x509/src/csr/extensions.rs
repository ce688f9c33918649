//! The attributes of a request: what names it asks for, and what it must not ask for.
//!
//! Of the requested extensions only the subjectAltName is read, to be compared; key usages are the
//! profile's business and are passed over, as every front end's tool asks for different ones.

use lgpki_domain::Faults;

use super::report;
use crate::{
    attribute::{Attribute, read_name},
    decode::{NotDer, Reader, check_strict},
    encode::tag,
    oid,
};

/// The reason of the fault that a request to be a CA is.
pub(super) const ASKS_FOR_CA: &str = "CSR_ASKS_FOR_CA";

/// Names that a request asks for in its subjectAltName.
#[derive(Clone, Debug, Default)]
pub(super) struct RequestedNames {
    pub(super) dns_names: Vec<String>,
    pub(super) mail_addresses: Vec<String>,
    pub(super) directory_names: Vec<Vec<Attribute>>,
}

/// Judges the content of the attributes field.
pub(super) fn judge(
    field: &str,
    mut attributes: Reader<'_>,
    faults: &mut Faults,
) -> Result<RequestedNames, NotDer> {
    let mut names = RequestedNames::default();
    let mut seen = false;
    while !attributes.is_empty() {
        let mut attribute = attributes.open(tag::SEQUENCE)?;
        let kind = attribute.expect(tag::OID)?;
        let mut values = attribute.open(tag::SET)?;
        attribute.finish()?;
        match kind {
            oid::CHALLENGE_PASSWORD => faults.push(
                field,
                "CSR_CHALLENGE_PASSWORD",
                "the request holds a challenge password; make it without one, for requests are \
                 kept for ten years and are no place for a secret",
            ),
            oid::EXTENSION_REQUEST if seen => faults.push(
                field,
                "CSR_EXTENSION_REPEATED",
                "the request lists its extensions more than once",
            ),
            oid::EXTENSION_REQUEST => {
                seen = true;
                let extensions = values.open(tag::SEQUENCE)?;
                values.finish()?;
                judge_extensions(field, extensions, &mut names, faults)?;
            }
            _ => {}
        }
    }
    Ok(names)
}

fn judge_extensions(
    field: &str,
    mut extensions: Reader<'_>,
    names: &mut RequestedNames,
    faults: &mut Faults,
) -> Result<(), NotDer> {
    let mut seen: Vec<&[u8]> = Vec::new();
    while !extensions.is_empty() {
        let mut extension = extensions.open(tag::SEQUENCE)?;
        let kind = extension.expect(tag::OID)?;
        if extension.peek() == Some(tag::BOOLEAN) {
            extension.value()?;
        }
        let value = extension.expect(tag::OCTET_STRING)?;
        extension.finish()?;
        if seen.contains(&kind) {
            let message = format!("the request asks for {} twice", oid::dotted(kind));
            faults.push(field, "CSR_EXTENSION_REPEATED", message);
            continue;
        }
        seen.push(kind);
        match kind {
            oid::SUBJECT_ALT_NAME => {
                check_strict(value)?;
                judge_names(
                    field,
                    Reader::new(value).open(tag::SEQUENCE)?,
                    names,
                    faults,
                )?;
            }
            oid::BASIC_CONSTRAINTS => {
                check_strict(value)?;
                let constraints = Reader::new(value).open(tag::SEQUENCE)?;
                if constraints.peek() == Some(tag::BOOLEAN) {
                    faults.push(
                        field,
                        ASKS_FOR_CA,
                        "the request asks for a CA certificate, which no subscriber gets",
                    );
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn judge_names(
    field: &str,
    mut general_names: Reader<'_>,
    names: &mut RequestedNames,
    faults: &mut Faults,
) -> Result<(), NotDer> {
    const MAIL: u8 = tag::context(1);
    const HOST: u8 = tag::context(2);
    const DIRECTORY: u8 = tag::context_constructed(4);
    while !general_names.is_empty() {
        let name = general_names.value()?;
        match name.tag {
            MAIL | HOST => match std::str::from_utf8(name.content) {
                Ok(text) if text.bytes().all(|b| b.is_ascii_graphic()) => {
                    let list = if name.tag == HOST {
                        &mut names.dns_names
                    } else {
                        &mut names.mail_addresses
                    };
                    list.push(text.to_owned());
                }
                _ => faults.push(
                    field,
                    "CSR_STRING_ENCODING",
                    "a name of the request's subjectAltName is not printable ASCII",
                ),
            },
            DIRECTORY => {
                let mut inner = Reader::new(name.content);
                let (attributes, flaws) = read_name(inner.open(tag::SEQUENCE)?)?;
                inner.finish()?;
                for flaw in &flaws {
                    report(field, "subjectAltName", flaw, faults);
                }
                names.directory_names.push(attributes);
            }
            other => faults.push(
                field,
                "CSR_SAN_TYPE",
                format!(
                    "the request's subjectAltName holds {}; only host names, mail addresses and a \
                     directory name may stand there",
                    general_name_type(other)
                ),
            ),
        }
    }
    Ok(())
}

fn general_name_type(tag: u8) -> &'static str {
    match tag & 0x1f {
        0 => "an otherName",
        3 => "an x400Address",
        5 => "an ediPartyName",
        6 => "a URI",
        7 => "an IP address",
        8 => "a registered OID",
        _ => "a name of a wrong form",
    }
}
