//! Domain names as values on the command line, under their stable names.

use clap::{ValueEnum, builder::PossibleValue};
use lgpki_domain::{
    Authority, CertificateKind, KeyAlgorithm, KeyMedium, OfficerRole, RevocationReason,
    order::OrderName,
};
use lgpki_surge::{Habit, Profile};

/// Makes a domain name type a clap value with its stable names.
macro_rules! named_value {
    ($(#[$doc:meta])* $wrapper:ident($inner:ty), $values:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) struct $wrapper(pub(crate) $inner);

        impl ValueEnum for $wrapper {
            fn value_variants<'a>() -> &'a [Self] {
                const VALUES: &[$wrapper] = &$values;
                VALUES
            }

            fn to_possible_value(&self) -> Option<PossibleValue> {
                Some(PossibleValue::new(self.0.name()))
            }
        }
    };
}

named_value!(
    /// A CA key's algorithm.
    CaKey(KeyAlgorithm),
    [
        CaKey(KeyAlgorithm::Rsa2048),
        CaKey(KeyAlgorithm::Rsa3072),
        CaKey(KeyAlgorithm::Rsa4096),
        CaKey(KeyAlgorithm::P256),
        CaKey(KeyAlgorithm::P384),
    ]
);
named_value!(
    /// A subscriber key's algorithm.
    SubscriberKey(KeyAlgorithm),
    [
        SubscriberKey(KeyAlgorithm::Rsa2048),
        SubscriberKey(KeyAlgorithm::Rsa3072),
        SubscriberKey(KeyAlgorithm::Rsa4096),
        SubscriberKey(KeyAlgorithm::P256),
        SubscriberKey(KeyAlgorithm::P384),
        SubscriberKey(KeyAlgorithm::Ed25519),
    ]
);
named_value!(
    /// A kind that may be applied for.
    Kind(CertificateKind),
    [
        Kind(CertificateKind::OfficialDuty),
        Kind(CertificateKind::User),
        Kind(CertificateKind::Login),
        Kind(CertificateKind::WebServer),
        Kind(CertificateKind::CodeSigning),
        Kind(CertificateKind::Mail),
    ]
);
named_value!(
    /// A key medium.
    Medium(KeyMedium),
    [Medium(KeyMedium::IcCard), Medium(KeyMedium::UsbToken), Medium(KeyMedium::Server)]
);
named_value!(
    /// A medium that can be formatted.
    CardOrToken(KeyMedium),
    [CardOrToken(KeyMedium::IcCard), CardOrToken(KeyMedium::UsbToken)]
);
named_value!(
    /// A reason to revoke.
    Reason(RevocationReason),
    [
        Reason(RevocationReason::KeyCompromise),
        Reason(RevocationReason::AffiliationChanged),
        Reason(RevocationReason::Superseded),
        Reason(RevocationReason::CessationOfOperation),
    ]
);
named_value!(
    /// An office that a branch may apply a login certificate for.
    BodyOffice(OfficerRole),
    [BodyOffice(OfficerRole::BranchOfficer), BodyOffice(OfficerRole::LgwanOfficer)]
);
named_value!(
    /// A certification authority.
    Ca(Authority),
    [Ca(Authority::Organization), Ca(Authority::Application)]
);

named_value!(
    /// When holders renew.
    HabitChoice(Habit),
    [
        HabitChoice(Habit::Procrastinate),
        HabitChoice(Habit::Spread),
        HabitChoice(Habit::Slots),
    ]
);
named_value!(
    /// In which order applications are taken.
    OrderChoice(OrderName),
    [
        OrderChoice(OrderName::Fair),
        OrderChoice(OrderName::Fifo),
        OrderChoice(OrderName::FifoPassing),
        OrderChoice(OrderName::EarliestExpiry),
    ]
);

named_value!(
    /// How arrivals spread over a run.
    ProfileChoice(Profile),
    [
        ProfileChoice(Profile::Steady),
        ProfileChoice(Profile::Ramp),
        ProfileChoice(Profile::Spike),
        ProfileChoice(Profile::Surge2011),
    ]
);
