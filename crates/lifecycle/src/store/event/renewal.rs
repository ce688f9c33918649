//! What lifecycle records of renewals. Both entries answer the one in intake's log that ordered it.

use lgpki_domain::{ApplicationId, RenewalOutcome, Serial};
use lgpki_ledger::{
    About, Body,
    serial::{optional_text, text},
};
use serde::{Deserialize, Serialize};

/// A certificate is being renewed from here on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenewalOpened {
    /// The application.
    #[serde(with = "text")]
    pub application: ApplicationId,
    /// The certificate to be renewed.
    #[serde(with = "text")]
    pub serial: Serial,
}

impl Body for RenewalOpened {
    const KIND: &'static str = "renewal.opened";

    fn about(&self) -> About {
        about(self.application, self.serial)
    }
}

/// A renewal ended. Where the old certificate is superseded, the `certificate.revoked` that says so
/// stands in the same frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenewalClosed {
    /// The application.
    #[serde(with = "text")]
    pub application: ApplicationId,
    /// How it ended.
    #[serde(with = "outcome")]
    pub outcome: RenewalOutcome,
    /// The new certificate, where the old one is superseded by it.
    #[serde(
        with = "optional_text",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub replaced_by: Option<Serial>,
    /// The certificate that was to be renewed.
    #[serde(with = "text")]
    pub serial: Serial,
}

impl Body for RenewalClosed {
    const KIND: &'static str = "renewal.closed";

    fn about(&self) -> About {
        about(self.application, self.serial)
    }
}

fn about(application: ApplicationId, serial: Serial) -> About {
    About {
        application: Some(application),
        certificate: Some(serial),
        digest: None,
    }
}

mod outcome {
    use std::borrow::Cow;

    use lgpki_domain::RenewalOutcome;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde hands every field over by reference"
    )]
    pub(super) fn serialize<S: Serializer>(
        outcome: &RenewalOutcome,
        s: S,
    ) -> Result<S::Ok, S::Error> {
        s.serialize_str(outcome.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<RenewalOutcome, D::Error> {
        let name = Cow::<'de, str>::deserialize(d)?;
        RenewalOutcome::parse(&name)
            .ok_or_else(|| D::Error::custom(format_args!("unknown outcome {name:?}")))
    }
}
