//! Intake's own settings: raw as they stand in the configuration file, and validated.
//!
//! Unknown keys are refused. What one setting allows another is checked here, once, so that nothing
//! behind it meets a value that cannot work.

use std::{collections::BTreeMap, time::Duration};

use lgpki_domain::{
    CertificateKind, ErrorClass,
    examination::{ExaminationMode, ExaminationPolicy},
};
use lgpki_store::Rhythm;
use serde::Deserialize;

mod queue;

pub use queue::{Queues, RawQueue};

/// The most orders that the issuer and lifecycle take in one call.
const MOST_ORDERS: usize = 500;
/// The most addressees that a body may be allowed: a change of its branch shows all of them at once.
const MOST_ADDRESSEES: usize = 2_000;

/// Intake's section of the configuration file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawSettings {
    /// How the operator examines, by kind of certificate; a kind not named is examined by one
    /// operator.
    pub examination: BTreeMap<String, RawPolicy>,
    /// Domains for services to the public (行政サービス用ドメイン), under which no mail certificate
    /// is issued; a domain stands for everything below it too.
    pub administrative_domains: Vec<String>,
    /// The registry of addressees of the document exchange.
    pub addressees: RawAddressees,
    /// Dispatch to the issuer.
    pub dispatch: RawDispatch,
    /// The order of the queues, and what estimates go by.
    pub queue: RawQueue,
    /// Days after which a certificate that was never confirmed counts as delivered.
    pub presume_delivery_days: Option<u16>,
    /// The most applications of one stream that are checked and stored together.
    pub submit_batch: Option<usize>,
}

/// The operator's examination of one kind.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawPolicy {
    /// `manual`, `automatic` or `automatic-for-unchanged-renewals`.
    pub mode: Option<String>,
    /// Whether a manual approval takes two operators.
    pub two_person: bool,
}

/// The registry of addressees of the document exchange.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawAddressees {
    /// The most entries that a body may have, ended ones apart; 1 to 2,000, 500 if not given.
    pub most_per_body: Option<usize>,
    /// How many days away the first day of an entry may be; 366 if not given.
    pub most_days_ahead: Option<u16>,
}

/// Dispatch to the issuer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawDispatch {
    /// Orders in one batch, 1 to 500.
    pub batch: Option<usize>,
    /// Batches under way at the same time, 1 to 32.
    pub parallel: Option<usize>,
    /// The longest wait before the issuer is tried again, in milliseconds.
    pub longest_backoff_ms: Option<u64>,
}

/// A setting that cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("intake.{key}: {message}")]
pub struct BadSetting {
    key: String,
    message: String,
}

impl BadSetting {
    fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            message: message.into(),
        }
    }

    /// What kind of failure it is.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        ErrorClass::InvalidInput
    }
}

/// Intake's settings, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the door goes by.
    pub rules: Rules,
    /// What the registry of addressees allows.
    pub addressees: AddresseeLimits,
    /// Dispatch to the issuer.
    pub dispatch: Dispatch,
    /// The order of the queues, and what estimates go by.
    pub queue: Queues,
    /// Days after which a certificate that was never confirmed counts as delivered.
    pub presume_delivery_days: u16,
    /// The most applications of one stream that are checked and stored together.
    pub submit_batch: usize,
    /// How often heartbeats come into the log; never without one. Not in intake's section.
    pub heartbeats: Option<Rhythm>,
}

/// What the door goes by.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    policies: BTreeMap<CertificateKind, ExaminationPolicy>,
    administrative_domains: Vec<String>,
}

impl Rules {
    /// How the operator examines a kind; one operator, where nothing is said.
    #[must_use]
    pub fn policy(&self, kind: CertificateKind) -> ExaminationPolicy {
        self.policies.get(&kind).copied().unwrap_or_default()
    }

    /// The administrative-service domain that a host lies in, if any.
    #[must_use]
    pub fn administrative_domain(&self, host: &str) -> Option<&str> {
        self.administrative_domains
            .iter()
            .map(String::as_str)
            .find(|domain| {
                host.strip_suffix(domain)
                    .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            })
    }
}

/// What the registry of addressees allows.
#[derive(Clone, Copy, Debug)]
pub struct AddresseeLimits {
    /// The most entries that a body may have, ended ones apart.
    pub most_per_body: u32,
    /// How many days away the first day of an entry may be.
    pub most_days_ahead: u16,
}

/// How claimed applications go to the issuer.
#[derive(Clone, Copy, Debug)]
pub struct Dispatch {
    /// Orders in one batch.
    pub batch: usize,
    /// Batches under way at the same time.
    pub parallel: usize,
    /// The longest wait before the issuer is tried again.
    pub longest_backoff: Duration,
}

impl TryFrom<RawSettings> for Settings {
    type Error = BadSetting;

    fn try_from(raw: RawSettings) -> Result<Self, BadSetting> {
        let mut policies = BTreeMap::new();
        for (name, policy) in &raw.examination {
            let (kind, policy) = policy_of(name, policy)?;
            policies.insert(kind, policy);
        }
        for domain in &raw.administrative_domains {
            check_domain(domain)?;
        }
        let (dispatch, addressees) = (&raw.dispatch, &raw.addressees);
        let most_per_body = within(
            "addressees.most_per_body",
            addressees.most_per_body,
            500,
            MOST_ADDRESSEES,
        )?;
        Ok(Self {
            rules: Rules {
                policies,
                administrative_domains: raw.administrative_domains.clone(),
            },
            addressees: AddresseeLimits {
                most_per_body: u32::try_from(most_per_body).unwrap_or(u32::MAX),
                most_days_ahead: addressees.most_days_ahead.unwrap_or(366),
            },
            dispatch: Dispatch {
                batch: within("dispatch.batch", dispatch.batch, 256, MOST_ORDERS)?,
                parallel: within("dispatch.parallel", dispatch.parallel, 2, 32)?,
                longest_backoff: Duration::from_millis(
                    dispatch.longest_backoff_ms.unwrap_or(5_000).max(1),
                ),
            },
            queue: Queues::try_from(&raw.queue)?,
            presume_delivery_days: raw.presume_delivery_days.unwrap_or(30).max(1),
            submit_batch: within("submit_batch", raw.submit_batch, 256, 4096)?,
            heartbeats: None,
        })
    }
}

fn within(
    key: &str,
    value: Option<usize>,
    default: usize,
    most: usize,
) -> Result<usize, BadSetting> {
    let value = value.unwrap_or(default);
    if (1..=most).contains(&value) {
        Ok(value)
    } else {
        let message = format!("{value} is out of range; it may be 1 to {most}");
        Err(BadSetting::new(key, message))
    }
}

fn policy_of(
    name: &str,
    raw: &RawPolicy,
) -> Result<(CertificateKind, ExaminationPolicy), BadSetting> {
    let kind = CertificateKind::parse(name)
        .filter(|kind| CertificateKind::APPLICABLE.contains(kind))
        .ok_or_else(|| {
            let known = CertificateKind::APPLICABLE.map(CertificateKind::name);
            let message = format!("no kind that is applied for; known: {}", known.join(", "));
            BadSetting::new(format!("examination.{name}"), message)
        })?;
    let mode = match &raw.mode {
        None => ExaminationMode::default(),
        Some(mode) => ExaminationMode::parse(mode).ok_or_else(|| {
            let known = ExaminationMode::ALL.map(ExaminationMode::name);
            let message = format!("{mode:?} is no mode; known: {}", known.join(", "));
            BadSetting::new(format!("examination.{name}.mode"), message)
        })?,
    };
    if mode == ExaminationMode::Automatic && raw.two_person {
        let message =
            "an automatic examination has no persons; set mode to manual or leave this out";
        return Err(BadSetting::new(
            format!("examination.{name}.two_person"),
            message,
        ));
    }
    let two_person = raw.two_person;
    Ok((kind, ExaminationPolicy { mode, two_person }))
}

fn check_domain(domain: &str) -> Result<(), BadSetting> {
    let plain = domain
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b));
    if plain && domain.ends_with(".lg.jp") && !domain.starts_with('.') {
        return Ok(());
    }
    let message = format!("{domain:?} is no domain under lg.jp in lower case");
    Err(BadSetting::new("administrative_domains", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(kind: &str, mode: &str, two_person: bool) -> RawSettings {
        let policy = RawPolicy {
            mode: Some(mode.to_owned()),
            two_person,
        };
        RawSettings {
            examination: [(kind.to_owned(), policy)].into(),
            ..RawSettings::default()
        }
    }

    #[test]
    fn what_is_not_said_is_examined_by_one_operator() {
        let settings = Settings::try_from(raw("mail", "automatic", false)).unwrap();
        let mail = settings.rules.policy(CertificateKind::Mail);
        assert_eq!(mail.mode, ExaminationMode::Automatic);
        let user = settings.rules.policy(CertificateKind::User);
        assert_eq!(user.mode, ExaminationMode::Manual);
        assert_eq!(
            (settings.dispatch.batch, settings.dispatch.parallel),
            (256, 2)
        );
    }

    #[test]
    fn what_cannot_work_is_refused_by_its_key() {
        let table = [
            (raw("cross", "manual", false), "intake.examination.cross:"),
            (raw("mail", "never", false), "intake.examination.mail.mode:"),
            (
                raw("mail", "automatic", true),
                "intake.examination.mail.two_person:",
            ),
            (
                RawSettings {
                    administrative_domains: vec!["example.com".to_owned()],
                    ..RawSettings::default()
                },
                "intake.administrative_domains:",
            ),
            (
                RawSettings {
                    dispatch: RawDispatch {
                        batch: Some(501),
                        ..RawDispatch::default()
                    },
                    ..RawSettings::default()
                },
                "intake.dispatch.batch:",
            ),
        ];
        for (raw, expected) in table {
            let refused = Settings::try_from(raw).unwrap_err().to_string();
            assert!(refused.starts_with(expected), "{refused}");
        }
    }

    #[test]
    fn an_administrative_domain_covers_what_lies_below_it_only() {
        let raw = RawSettings {
            administrative_domains: vec!["service.pref.lg.jp".to_owned()],
            ..RawSettings::default()
        };
        let rules = Settings::try_from(raw).unwrap().rules;
        assert!(rules.administrative_domain("service.pref.lg.jp").is_some());
        assert!(
            rules
                .administrative_domain("a.service.pref.lg.jp")
                .is_some()
        );
        assert!(
            rules
                .administrative_domain("otherservice.pref.lg.jp")
                .is_none()
        );
    }
}
