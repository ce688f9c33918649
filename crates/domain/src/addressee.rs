//! Addressees of the document exchange (文書交換付帯情報): under which name, address and mail a unit of a
//! body receives documents through LGWAN's document exchange.
//!
//! An entry has versions; each replaces the one before as a whole, from a day on. A person's name is no
//! part of it: who answers for an entry stands apart, where it can be erased.

use std::{fmt, str::FromStr};

use crate::{
    directory::Organization,
    fault::{Fault, Faults},
    id::{BadId, BodyCode},
    mail::{MailAddress, is_label},
    name::Names,
    time::JstDate,
};

/// The longest document-exchange address, in characters.
const LONGEST_ADDRESS: usize = 64;
/// The longest name of a contact person, in characters.
const LONGEST_PERSON: usize = 64;
/// The longest reason for an entry's end, in characters.
const LONGEST_REASON: usize = 200;

/// An entry's number: the body's code and a number that counts up within the body and is never used
/// again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddresseeId {
    body: BodyCode,
    number: u32,
}

impl AddresseeId {
    /// The last number within a body.
    pub const LAST: u32 = 999_999;

    /// The `number`th entry of a body, 1 to [`LAST`](Self::LAST).
    #[must_use]
    pub const fn try_new(body: BodyCode, number: u32) -> Option<Self> {
        if number >= 1 && number <= Self::LAST {
            Some(Self { body, number })
        } else {
            None
        }
    }

    /// The body whose entry it is.
    #[must_use]
    pub const fn body(self) -> BodyCode {
        self.body
    }

    /// The number within the body.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.number
    }
}

/// `01001-0007`
impl fmt::Display for AddresseeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:04}", self.body, self.number)
    }
}

impl FromStr for AddresseeId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let wrong = || BadId::new(text, "an addressee's number such as 01001-0007");
        let (body, number) = text.split_once('-').ok_or_else(wrong)?;
        let body = body.parse().map_err(|_| wrong())?;
        let number = number.parse().map_err(|_| wrong())?;
        // One spelling only: what is read must be what would be printed.
        Self::try_new(body, number)
            .filter(|id| id.to_string() == text)
            .ok_or_else(wrong)
    }
}

/// Where the document exchange delivers to. Its form is an assumption (simulated): two or more labels of
/// a-z, 0-9 and hyphen, joined by dots, at most 64 characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DocumentAddress(String);

impl DocumentAddress {
    /// Checks an address.
    pub fn try_new(field: &str, address: &str) -> Result<Self, Fault> {
        if address.is_empty() {
            let message = "the document-exchange address is missing; fill it in";
            return Err(Fault::new(field, "DOCUMENT_ADDRESS_MISSING", message));
        }
        let fits = address.len() <= LONGEST_ADDRESS
            && address.contains('.')
            && address.split('.').all(is_label);
        if fits {
            return Ok(Self(address.to_owned()));
        }
        let shown: String = address.chars().take(LONGEST_ADDRESS).collect();
        Err(Fault::new(
            field,
            "DOCUMENT_ADDRESS_MALFORMED",
            format!(
                "{shown:?} is no document-exchange address: two or more parts of a-z, 0-9 and -, joined \
                 by dots, at most {LONGEST_ADDRESS} characters, such as soumu.city-001"
            ),
        ))
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DocumentAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for DocumentAddress {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        Self::try_new("document_address", text)
    }
}

/// What a version of an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressee {
    /// The unit, as in the organization directory.
    pub unit: Names,
    /// The name to which documents are addressed (宛名).
    pub names: Names,
    /// Where the document exchange delivers to.
    pub address: DocumentAddress,
    /// Whom to ask, by mail.
    pub mail: MailAddress,
    /// From which day on it holds.
    pub valid_since: JstDate,
}

/// Whether an entry may be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It holds from a later day on; until then the version before does, if there is one.
    Announced,
    /// It holds.
    InForce,
    /// It was withdrawn.
    Ended,
}

impl Standing {
    /// The standing of a version on a day.
    #[must_use]
    pub fn on(today: JstDate, valid_since: JstDate, ended: bool) -> Self {
        if ended {
            Self::Ended
        } else if valid_since > today {
            Self::Announced
        } else {
            Self::InForce
        }
    }
}

/// Checks from which day on a version is to hold: not in the past, for documents were sent by what held
/// then, and at most `ahead` days away.
pub fn check_valid_since(
    field: &str,
    day: JstDate,
    today: JstDate,
    ahead: u16,
) -> Result<(), Fault> {
    if day < today {
        let message = format!("{day} is past; an entry holds from today, {today}, or a later day");
        return Err(Fault::new(field, "VALID_SINCE_PAST", message));
    }
    if day > today.plus_days(i32::from(ahead)) {
        let message =
            format!("{day} is more than {ahead} days away; register it nearer to its day");
        return Err(Fault::new(field, "VALID_SINCE_TOO_FAR", message));
    }
    Ok(())
}

/// Checks the name of a contact person.
pub fn check_contact_person(field: &str, name: &str) -> Result<(), Fault> {
    if name.trim().is_empty()
        || name.chars().count() > LONGEST_PERSON
        || name.chars().any(char::is_control)
    {
        // The name itself is a person's and is not repeated.
        let message =
            format!("a name is 1 to {LONGEST_PERSON} characters without control characters");
        return Err(Fault::new(field, "CONTACT_PERSON_MALFORMED", message));
    }
    Ok(())
}

/// Checks why an entry ends, which subscribers will read.
pub fn check_end_reason(field: &str, reason: &str) -> Result<(), Fault> {
    if reason.trim().is_empty() {
        let message = "say why the entry ends and, if there is one, which entry takes its place";
        return Err(Fault::new(field, "REASON_MISSING", message));
    }
    if reason.chars().count() > LONGEST_REASON || reason.chars().any(char::is_control) {
        let message = format!("a reason is at most {LONGEST_REASON} characters of text");
        return Err(Fault::new(field, "REASON_MALFORMED", message));
    }
    Ok(())
}

/// Checks that a unit stands in the organization directory, equal in both languages.
#[must_use]
pub fn check_unit(field: &str, registered: Option<&Organization>, unit: &Names) -> Faults {
    let mut faults = Faults::new();
    let Some(registered) = registered else {
        let message = format!(
            "{unit} is not in the body's organization directory (組織管理システム); have the LGWAN officer \
             register it, or correct the name"
        );
        faults.push(field, "ORGANIZATION_NOT_REGISTERED", message);
        return faults;
    };
    let names = &registered.names;
    for (language, registered, given) in
        [("en", names.en(), unit.en()), ("ja", names.ja(), unit.ja())]
    {
        if registered != given {
            let message = format!(
                "the organization directory (組織管理システム) has {registered:?}, the entry has {given:?}; \
                 they must be equal"
            );
            let field = format!("{field}.{language}");
            faults.push(field, "ORGANIZATION_NAME_DIFFERS", message);
        }
    }
    faults
}

#[cfg(test)]
mod tests;
