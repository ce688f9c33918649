//! Wire values to domain values and back, in one place.
//!
//! Decoding functions take the field's path as the contract spells it and collect what is wrong into
//! `Faults`, so that a refusal can name every fault: `FIELD_MISSING` where nothing was given,
//! `FIELD_UNKNOWN_VALUE` for a number that the enum does not have, `FIELD_MALFORMED` for a text of
//! the wrong form. They return `None` where a fault was noted.
//!
//! Encoding goes through `From`: `v1::Subject::from(&subject)`, and [`wire`] for enum fields.

use std::{fmt::Display, str::FromStr};

use lgpki_domain::{
    Authority, CertificateKind, Fault, Faults, KeyMedium, Names, OfficerRole, RenewalOutcome,
    RevocationReason, Subject,
    addressee::Standing,
    application::{Sort, State},
};

use crate::v1;

/// The reason of a fault: a required field was not given.
pub const FIELD_MISSING: &str = "FIELD_MISSING";
/// The reason of a fault: an enum field holds a number that the contract does not know.
pub const FIELD_UNKNOWN_VALUE: &str = "FIELD_UNKNOWN_VALUE";
/// The reason of a fault: a text is not of the form that the field asks for.
pub const FIELD_MALFORMED: &str = "FIELD_MALFORMED";

/// A domain value that travels as an enum number; 0 stands for "not given".
pub trait WireEnum: Copy + Sized + 'static {
    /// What the field holds, for messages, such as "certificate kind".
    const NOUN: &'static str;
    /// Every value there is.
    fn all() -> &'static [Self];
    /// The number on the wire, never 0.
    fn number(self) -> i32;
    /// The value's name in the contract, such as `CERTIFICATE_KIND_USER`.
    fn wire_name(self) -> &'static str;
}

macro_rules! wire_enum {
    ($noun:literal, $domain:ty, $wire:ty, { $($from:ident => $to:ident),+ $(,)? }) => {
        impl From<$domain> for $wire {
            fn from(value: $domain) -> Self {
                match value {
                    $(<$domain>::$from => Self::$to,)+
                }
            }
        }

        impl WireEnum for $domain {
            const NOUN: &'static str = $noun;

            fn all() -> &'static [Self] {
                &[$(Self::$from),+]
            }

            fn number(self) -> i32 {
                <$wire>::from(self) as i32
            }

            fn wire_name(self) -> &'static str {
                <$wire>::from(self).as_str_name()
            }
        }
    };
}

wire_enum!("certificate kind", CertificateKind, v1::CertificateKind, {
    OfficialDuty => OfficialDuty,
    User => User,
    Login => Login,
    WebServer => WebServer,
    CodeSigning => CodeSigning,
    Mail => Mail,
    Cross => Cross,
    Link => Link,
    OcspResponder => OcspResponder,
});

wire_enum!("certification authority", Authority, v1::Authority, {
    Organization => Organization,
    Application => Application,
});

wire_enum!("key medium", KeyMedium, v1::KeyMedium, {
    IcCard => IcCard,
    UsbToken => UsbToken,
    Server => Server,
});

wire_enum!("officer's role", OfficerRole, v1::OfficerRole, {
    BranchOfficer => BranchOfficer,
    LgwanOfficer => LgwanOfficer,
    Operator => Operator,
    Auditor => Auditor,
});

wire_enum!("revocation reason", RevocationReason, v1::RevocationReason, {
    KeyCompromise => KeyCompromise,
    AffiliationChanged => AffiliationChanged,
    Superseded => Superseded,
    CessationOfOperation => CessationOfOperation,
});

wire_enum!("outcome of a renewal", RenewalOutcome, v1::RenewalOutcome, {
    Delivered => Delivered,
    GivenUp => GivenUp,
});

wire_enum!("state of an addressee", Standing, v1::AddresseeState, {
    Announced => Announced,
    InForce => InForce,
    Ended => Ended,
});

wire_enum!("sort of application", Sort, v1::ApplicationSort, {
    Issue => Issue,
    Renew => Renew,
    Abolish => Abolish,
    Revoke => Revoke,
});

impl From<&State> for v1::ApplicationState {
    fn from(state: &State) -> Self {
        match state {
            State::Received { .. } => Self::Received,
            State::Examining { .. } => Self::Examining,
            State::Approved { .. } => Self::Approved,
            State::Queued { .. } => Self::Queued,
            State::Issuing { .. } => Self::Issuing,
            State::Issued { .. } => Self::Issued,
            State::Delivered { .. } => Self::Delivered,
            State::Rejected { .. } => Self::Rejected,
            State::Withdrawn { .. } => Self::Withdrawn,
            State::Failed { .. } => Self::Failed,
            State::Completed { .. } => Self::Completed,
        }
    }
}

/// The number of an application's state.
#[must_use]
pub fn state_number(state: &State) -> i32 {
    v1::ApplicationState::from(state).into()
}

/// Reads a filter by state; each wrong item is a fault of `field[i]`.
pub fn known_states(
    faults: &mut Faults,
    field: &str,
    numbers: &[i32],
) -> Vec<v1::ApplicationState> {
    let mut known = Vec::with_capacity(numbers.len());
    for (i, number) in numbers.iter().enumerate() {
        match v1::ApplicationState::try_from(*number) {
            Ok(v1::ApplicationState::Unspecified) => faults.push(
                format!("{field}[{i}]"),
                FIELD_MISSING,
                "the state is missing; leave the list empty for all states",
            ),
            Ok(state) => known.push(state),
            Err(_) => faults.push(
                format!("{field}[{i}]"),
                FIELD_UNKNOWN_VALUE,
                format!("{number} is no state of an application"),
            ),
        }
    }
    known
}

/// The number of an enum field.
#[must_use]
pub fn wire<T: WireEnum>(value: T) -> i32 {
    value.number()
}

/// The number of an enum field that may be left open.
#[must_use]
pub fn wire_or_unset<T: WireEnum>(value: Option<T>) -> i32 {
    value.map_or(0, WireEnum::number)
}

/// Reads an enum field that may be left open.
pub fn optional<T: WireEnum>(faults: &mut Faults, field: &str, number: i32) -> Option<T> {
    if number == 0 {
        return None;
    }
    let known = T::all().iter().copied().find(|v| v.number() == number);
    if known.is_none() {
        let message = format!(
            "{number} is no {}; {} are known",
            T::NOUN,
            choices::<T>().join(", ")
        );
        faults.push(field, FIELD_UNKNOWN_VALUE, message);
    }
    known
}

/// Reads an enum field that must be given.
pub fn required<T: WireEnum>(faults: &mut Faults, field: &str, number: i32) -> Option<T> {
    if number == 0 {
        let message = format!(
            "the {} is missing; give one of {}",
            T::NOUN,
            choices::<T>().join(", ")
        );
        faults.push(field, FIELD_MISSING, message);
        return None;
    }
    optional(faults, field, number)
}

/// Reads a repeated enum field, such as a filter; each wrong item is a fault of `field[i]`.
pub fn all_of<T: WireEnum>(faults: &mut Faults, field: &str, numbers: &[i32]) -> Vec<T> {
    numbers
        .iter()
        .enumerate()
        .filter_map(|(i, number)| required(faults, &format!("{field}[{i}]"), *number))
        .collect()
}

fn choices<T: WireEnum>() -> Vec<&'static str> {
    T::all().iter().map(|v| v.wire_name()).collect()
}

/// A value's text; empty for none.
pub fn text_or_empty<T: Display>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// Reads a text that must be given: an id, a serial number, a digest, a day or an instant.
pub fn required_text<T>(faults: &mut Faults, field: &str, text: &str) -> Option<T>
where
    T: FromStr<Err: Display>,
{
    if text.is_empty() {
        faults.push(field, FIELD_MISSING, "the field is empty; fill it in");
        return None;
    }
    optional_text(faults, field, text)
}

/// Reads a text that may be left open.
pub fn optional_text<T>(faults: &mut Faults, field: &str, text: &str) -> Option<T>
where
    T: FromStr<Err: Display>,
{
    if text.is_empty() {
        return None;
    }
    match text.parse() {
        Ok(value) => Some(value),
        Err(wrong) => {
            faults.push(field, FIELD_MALFORMED, wrong.to_string());
            None
        }
    }
}

/// Reads a repeated text field; each wrong item is a fault of `field[i]`.
pub fn all_texts<T>(faults: &mut Faults, field: &str, texts: &[String]) -> Vec<T>
where
    T: FromStr<Err: Display>,
{
    texts
        .iter()
        .enumerate()
        .filter_map(|(i, text)| required_text(faults, &format!("{field}[{i}]"), text))
        .collect()
}

/// Takes a message field that must be given.
pub fn required_message<T>(faults: &mut Faults, field: &str, message: Option<T>) -> Option<T> {
    if message.is_none() {
        faults.push(field, FIELD_MISSING, "the field is not given; fill it in");
    }
    message
}

/// Reads a name in both languages that must be given.
pub fn names(faults: &mut Faults, field: &str, names: Option<&v1::Names>) -> Option<Names> {
    let given = required_message(faults, field, names)?;
    match Names::try_new(field, &given.en, &given.ja) {
        Ok(names) => Some(names),
        Err(wrong) => {
            for fault in wrong {
                faults.add(fault);
            }
            None
        }
    }
}

/// Reads a subject that must be given; whether its kind needs the unit is for the caller to judge.
pub fn subject(faults: &mut Faults, field: &str, subject: Option<&v1::Subject>) -> Option<Subject> {
    let given = required_message(faults, field, subject)?;
    let mut part = |part: &str, given: Option<&v1::Names>| {
        // Most names are right, and need no path to say where they are wrong.
        let right = given.and_then(|given| Names::try_new(part, &given.en, &given.ja).ok());
        right.or_else(|| names(faults, &format!("{field}.{part}"), given))
    };
    let body = part("body", given.body.as_ref());
    // An empty message means the same as none: some front ends always write it.
    let unit = match &given.unit {
        Some(unit) if *unit != v1::Names::default() => Some(part("unit", Some(unit))),
        _ => None,
    };
    let name = part("name", given.name.as_ref());
    let unit = match unit {
        Some(Some(unit)) => Some(unit),
        Some(None) => return None,
        None => None,
    };
    Some(Subject {
        body: body?,
        unit,
        name: name?,
    })
}

impl From<&Names> for v1::Names {
    fn from(names: &Names) -> Self {
        Self {
            en: names.en().to_owned(),
            ja: names.ja().to_owned(),
        }
    }
}

impl From<&Subject> for v1::Subject {
    fn from(subject: &Subject) -> Self {
        Self {
            body: Some((&subject.body).into()),
            unit: subject.unit.as_ref().map(Into::into),
            name: Some((&subject.name).into()),
        }
    }
}

impl From<Fault> for v1::FieldFault {
    fn from(fault: Fault) -> Self {
        Self {
            field: fault.field,
            reason: fault.reason.to_owned(),
            message: fault.message,
        }
    }
}

#[cfg(test)]
mod tests;
