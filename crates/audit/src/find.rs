//! Incident search: which certificates fit what an incident is about.
//!
//! Everything comes from the entries: what was issued from the issuer's log, who submitted and who
//! approved from intake's, what was revoked since from lifecycle's. Every entry is compared with the
//! tree that its log's checkpoint signs for; what the entries mean beside each other is for
//! [`verify`](crate::Published::verify).

mod gather;

use lgpki_domain::{
    ApplicationId, Authority, AuthorityKey, BodyCode, CertificateKind, Digest, KeyAlgorithm,
    RevocationReason, Serial, Timestamp,
};
use lgpki_ledger::serial::{optional_text, text};
use serde::{Deserialize, Serialize};

pub use self::gather::find;

/// A certificate's state at the time of the logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Neither revoked nor expired; it may be in renewal.
    Valid,
    /// Its last second has passed, and it was not revoked before.
    Expired,
    /// It was revoked.
    Revoked,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Valid, Self::Expired, Self::Revoked];

    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }

    /// Reads a [`name`](Self::name) back.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// What a certificate must fit: everything that is given, and of each list any one.
///
/// An actor of the log, such as `branch-officer/01001/41ab…`, is meant by the whole text or by one of
/// its parts: the role, the body's code, the login certificate's serial number.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Issued at this instant or later.
    pub issued_from: Option<Timestamp>,
    /// Issued at this instant or earlier.
    pub issued_to: Option<Timestamp>,
    /// Issued to this branch.
    pub branches: Vec<BodyCode>,
    /// The body in the subject, in English or Japanese, spelled in full.
    pub bodies: Vec<String>,
    /// The kind.
    pub kinds: Vec<CertificateKind>,
    /// The version of the profile.
    pub profiles: Vec<u32>,
    /// The algorithm of the subscriber's key.
    pub algorithms: Vec<KeyAlgorithm>,
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub keys: Vec<Digest>,
    /// The CA, of whatever key, or one generation of its key.
    pub authorities: Vec<(Authority, Option<u32>)>,
    /// The issuer's epoch, a new one at each of its starts.
    pub epochs: Vec<u64>,
    /// Who approved the application: an actor, or the digest of the approver's subject, which stays the
    /// same when the login is renewed. `intake` approved what needed no operator.
    pub examiners: Vec<String>,
    /// The office of the branch that examined, spelled in full.
    pub offices: Vec<String>,
    /// Who submitted the application: an actor.
    pub callers: Vec<String>,
    /// The state at the time of the logs.
    pub states: Vec<State>,
}

/// Whether a list asks for nothing or for this.
fn any<T>(asked: &[T], fits: impl FnMut(&T) -> bool) -> bool {
    asked.is_empty() || asked.iter().any(fits)
}

/// Whether an actor is meant.
fn means(asked: &str, actor: &str) -> bool {
    let same = |part: &str| part.eq_ignore_ascii_case(asked);
    same(actor) || actor.split('/').any(same)
}

impl Query {
    /// Whether what the issuer's log says of a certificate fits.
    fn fits_issue(&self, found: &Found) -> bool {
        self.issued_from.is_none_or(|from| found.issued_at >= from)
            && self.issued_to.is_none_or(|to| found.issued_at <= to)
            && any(&self.branches, |code| found.branch == Some(*code))
            && any(&self.bodies, |name| {
                *name == found.body.en || *name == found.body.ja
            })
            && any(&self.kinds, |kind| found.kind == *kind)
            && any(&self.profiles, |version| found.profile == Some(*version))
            && any(&self.algorithms, |algorithm| {
                found.key_algorithm == Some(*algorithm)
            })
            && any(&self.keys, |key| found.key_digest == *key)
            && any(&self.authorities, |(authority, generation)| {
                found.ca.authority == *authority
                    && generation.is_none_or(|of| of == found.ca.generation)
            })
            && any(&self.epochs, |epoch| found.epoch == *epoch)
    }

    /// Whether what intake's log says of its application fits.
    fn fits_application(&self, found: &Found) -> bool {
        any(&self.examiners, |asked| {
            found.approved_by.iter().any(|approval| {
                let subject = approval.subject.map(|digest| digest.to_string());
                means(asked, &approval.actor)
                    || subject.is_some_and(|digest| digest.eq_ignore_ascii_case(asked))
            })
        }) && any(&self.offices, |office| {
            found.office.as_deref() == Some(office)
        }) && any(&self.callers, |asked| means(asked, &found.caller))
    }

    fn fits_state(&self, found: &Found) -> bool {
        any(&self.states, |state| found.state == *state)
    }

    /// Whether intake's log is needed to say what fits.
    const fn asks_for_applications(&self) -> bool {
        !(self.examiners.is_empty() && self.offices.is_empty() && self.callers.is_empty())
    }
}

/// A name in both languages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// In English.
    pub en: String,
    /// In Japanese.
    pub ja: String,
}

/// Somebody approved an application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Approval {
    /// Who.
    pub actor: String,
    /// The digest of the approver's subject; none where no operator did.
    #[serde(with = "optional_text", skip_serializing_if = "Option::is_none")]
    pub subject: Option<Digest>,
}

/// A certificate that fits.
#[derive(Clone, Debug, Serialize)]
pub struct Found {
    /// Its serial number.
    #[serde(with = "text")]
    pub serial: Serial,
    /// Its kind.
    #[serde(serialize_with = "text::serialize")]
    pub kind: CertificateKind,
    /// The CA's key that signed it.
    #[serde(serialize_with = "text::serialize")]
    pub ca: AuthorityKey,
    /// The branch that it was issued to, if to one.
    #[serde(with = "optional_text", skip_serializing_if = "Option::is_none")]
    pub branch: Option<BodyCode>,
    /// The body that it names.
    pub body: Names,
    /// The unit that it names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<Names>,
    /// Whom it names.
    pub name: Names,
    /// When it was recorded as issued.
    #[serde(with = "text")]
    pub issued_at: Timestamp,
    /// Its first second.
    #[serde(with = "text")]
    pub not_before: Timestamp,
    /// Its last second.
    #[serde(with = "text")]
    pub not_after: Timestamp,
    /// The version of its profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<u32>,
    /// Its key's algorithm.
    #[serde(
        serialize_with = "optional_text::serialize",
        skip_serializing_if = "Option::is_none"
    )]
    pub key_algorithm: Option<KeyAlgorithm>,
    /// SHA-256 of its SubjectPublicKeyInfo.
    #[serde(with = "text")]
    pub key_digest: Digest,
    /// The issuer's epoch.
    pub epoch: u64,
    /// Its application.
    #[serde(with = "text")]
    pub application: ApplicationId,
    /// Who submitted that, or who held the ceremony.
    pub caller: String,
    /// The office of the branch that examined it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub office: Option<String>,
    /// Who approved it.
    pub approved_by: Vec<Approval>,
    /// Its state at the time of the logs.
    pub state: State,
    /// When it was revoked.
    #[serde(with = "optional_text", skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// Why it was revoked.
    #[serde(
        serialize_with = "optional_text::serialize",
        skip_serializing_if = "Option::is_none"
    )]
    pub reason: Option<RevocationReason>,
    /// The issuer's log that holds it, such as `2011`.
    pub log: String,
    /// Its entry in the issuer's log, counted over all years.
    pub entry: u64,
}

/// A log that was searched.
#[derive(Clone, Debug, Serialize)]
pub struct Searched {
    /// The log's name.
    pub origin: String,
    /// The entries that its checkpoint speaks of.
    pub size: u64,
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct Search {
    /// The time of the logs: that of their latest entry.
    #[serde(with = "text")]
    pub as_of: Timestamp,
    /// The logs.
    pub logs: Vec<Searched>,
    /// The certificates, in the order of their issue.
    pub certificates: Vec<Found>,
    /// Entries that could not be read, which `verify` tells of.
    pub unreadable: u64,
    /// Services whose logs are not there.
    pub without: Vec<&'static str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_is_meant_whole_or_by_a_part_and_not_by_a_piece_of_one() {
        let actor = "branch-officer/01001/41abcdef";
        for asked in ["branch-officer", "01001", "41ABCDEF", actor] {
            assert!(means(asked, actor), "{asked}");
        }
        for asked in ["branch", "0100", "41ab", "", "01001/41abcdef", "-"] {
            assert!(!means(asked, actor), "{asked}");
        }
        assert!(means("intake", "intake"));
    }

    #[test]
    fn a_list_asks_for_any_of_it_and_an_empty_one_for_nothing() {
        assert!(any::<u8>(&[], |_| false));
        assert!(any(&[1, 2], |n| *n == 2));
        assert!(!any(&[1, 2], |n| *n == 3));
    }

    #[test]
    fn states_read_back() {
        for state in State::ALL {
            assert_eq!(State::parse(state.name()), Some(state));
        }
        assert_eq!(State::parse("renewing"), None);
    }
}
