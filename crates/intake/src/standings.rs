//! What intake knows of the certificates there are: a projection of lifecycle's FollowStandings.
//!
//! It answers which subject holds a valid certificate, which keys were ever certified, which login
//! certificates are revoked, and how far the inventory has followed the issuer's log. It lives in
//! memory, is built anew after a start, and answers nothing about applications until it has caught
//! up once: until then intake could admit what it must refuse.

mod follow;

use std::collections::{BTreeMap, HashMap, HashSet};

use lgpki_domain::{
    ApplicationId, BodyCode, CertificateKind, Digest, Faults, JstDate, Serial, Subject, Timestamp,
    Validity,
};
use lgpki_proto::{convert, v1};
use parking_lot::RwLock;
use tokio::sync::watch;

use crate::subject_key::subject_key;

pub use follow::follow;

/// One certificate as intake knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its serial number.
    pub serial: Serial,
    /// The branch it was issued to; none for operators and auditors.
    pub branch: Option<BodyCode>,
    /// Its kind.
    pub kind: CertificateKind,
    /// Whom it names.
    pub subject: Subject,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub key_digest: Digest,
    /// When it is valid.
    pub validity: Validity,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// The application that it came from, if that is known.
    pub application: Option<ApplicationId>,
    /// The application by which it is being renewed.
    pub renewal: Option<ApplicationId>,
}

impl Held {
    /// Whether it is neither revoked nor expired; one that is not valid yet counts, for it will be.
    #[must_use]
    pub fn stands(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && !self.validity.is_over(now)
    }

    /// Its last day and the first on which renewal may be applied for.
    #[must_use]
    pub fn days(&self) -> (JstDate, JstDate) {
        (self.validity.last_day(), self.validity.renewal_opens())
    }
}

/// How far the projection is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Whether everything known at some call has arrived.
    pub caught_up: bool,
    /// Everything of the issuer's log below this index stands in the inventory.
    pub issuance_position: u64,
    /// Where to go on following.
    pub next_position: u64,
}

impl Progress {
    /// Whether logins and applications can be judged. An inventory that has never followed the
    /// issuer's log has told all it knows at once, but does not know the ceremony's logins yet.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.caught_up && self.issuance_position > 0
    }
}

#[derive(Debug, Default)]
struct Projection {
    certificates: HashMap<Serial, Held>,
    keys: HashSet<Digest>,
    /// Of the certificates of a subject and kind that are not revoked, the one that ends last.
    by_subject: HashMap<Digest, Serial>,
    /// The others: a renewal leaves two, until the old one is superseded or expires.
    elder: HashMap<Digest, Vec<Serial>>,
    /// How many certificates that are not revoked were issued to each branch.
    by_branch: HashMap<BodyCode, u32>,
    /// By their last day, of the certificates of `by_subject` that are applied for: how many there are, and for how many
    /// no renewal is under way.
    by_last_day: BTreeMap<JstDate, (u64, u64)>,
}

/// The projection; shared by the door, the login check and the downloads.
#[derive(Debug)]
pub struct Standings {
    projection: RwLock<Projection>,
    progress: watch::Sender<Progress>,
}

impl Default for Standings {
    fn default() -> Self {
        Self {
            projection: RwLock::default(),
            progress: watch::Sender::new(Progress::default()),
        }
    }
}

impl Standings {
    /// How far the projection is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    /// Tells of each step forward.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// The certificate of this serial number.
    #[must_use]
    pub fn certificate(&self, serial: Serial) -> Option<Held> {
        self.projection.read().certificates.get(&serial).cloned()
    }

    /// Whether the certificate is being renewed.
    #[must_use]
    pub fn is_renewing(&self, serial: Serial) -> bool {
        let projection = self.projection.read();
        let held = projection.certificates.get(&serial);
        held.is_some_and(|held| held.renewal.is_some())
    }

    /// When the certificate was revoked, if it was.
    #[must_use]
    pub fn revoked_at(&self, serial: Serial) -> Option<Timestamp> {
        let projection = self.projection.read();
        projection.certificates.get(&serial)?.revoked_at
    }

    /// Whether a certificate of this serial number was ever issued.
    #[must_use]
    pub fn is_known(&self, serial: Serial) -> bool {
        self.projection.read().certificates.contains_key(&serial)
    }

    /// Whether the key was ever certified here.
    #[must_use]
    pub fn key_was_certified(&self, key: Digest) -> bool {
        self.projection.read().keys.contains(&key)
    }

    /// The certificate in force for a subject and kind.
    #[must_use]
    pub fn in_force(&self, subject_key: Digest, now: Timestamp) -> Option<Held> {
        let projection = self.projection.read();
        let serial = projection.by_subject.get(&subject_key)?;
        let held = projection.certificates.get(serial)?;
        held.stands(now).then(|| held.clone())
    }

    /// Takes over standings, then the progress that came with them.
    pub fn apply(&self, standings: Vec<Held>, progress: Progress) {
        let mut projection = self.projection.write();
        for held in standings {
            projection.put(held);
        }
        drop(projection);
        self.progress.send_if_modified(|present| {
            let next = Progress {
                caught_up: present.caught_up || progress.caught_up,
                issuance_position: present.issuance_position.max(progress.issuance_position),
                next_position: progress.next_position,
            };
            std::mem::replace(present, next) != next
        });
    }

    /// Takes over that lifecycle has just answered a revocation: whoever is told next that it is done finds it
    /// so, though the stream of standings may be a moment behind.
    pub fn revoke(&self, serial: Serial, at: Timestamp) {
        let mut projection = self.projection.write();
        let held = projection.certificates.get(&serial).cloned();
        if let Some(held) = held {
            projection.put(Held {
                revoked_at: Some(at),
                ..held
            });
        }
    }

    /// How many certificates were issued to the branch and are not revoked.
    #[must_use]
    pub fn held_by(&self, branch: BodyCode) -> u32 {
        let projection = self.projection.read();
        projection.by_branch.get(&branch).copied().unwrap_or(0)
    }

    /// What each branch holds, as [`held_by`](Self::held_by) tells it.
    #[must_use]
    pub fn holdings(&self) -> Vec<(BodyCode, u32)> {
        let projection = self.projection.read();
        let counts = projection.by_branch.iter();
        counts.map(|(branch, count)| (*branch, *count)).collect()
    }

    /// The certificates in force for their subjects that end by `until`, by their last day: how many there
    /// are, and for how many of them no renewal is under way.
    #[must_use]
    pub fn to_be_renewed(&self, now: Timestamp, until: JstDate) -> BTreeMap<JstDate, (u64, u64)> {
        let projection = self.projection.read();
        let today = now.jst_date();
        if until < today {
            return BTreeMap::new();
        }
        let days = projection.by_last_day.range(today..=until);
        days.map(|(day, counts)| (*day, *counts)).collect()
    }

    /// How many certificates are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.projection.read().certificates.len()
    }

    /// Whether no certificate is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Projection {
    fn put(&mut self, mut held: Held) {
        self.keys.insert(held.key_digest);
        // A revocation is for ever; what was told before it may arrive after it.
        let known = self.certificates.get(&held.serial);
        held.revoked_at = known.and_then(|known| known.revoked_at).or(held.revoked_at);
        let subject = subject_key(held.kind, &held.subject);
        let before = self.to_be_renewed(&subject);
        self.replace(subject, held);
        let after = self.to_be_renewed(&subject);
        if before == after {
            return;
        }
        if let Some((day, missing)) = before
            && let Some((all, without)) = self.by_last_day.get_mut(&day)
        {
            *all = all.saturating_sub(1);
            *without = without.saturating_sub(u64::from(missing));
            if *all == 0 {
                self.by_last_day.remove(&day);
            }
        }
        if let Some((day, missing)) = after {
            let (all, without) = self.by_last_day.entry(day).or_default();
            *all += 1;
            *without += u64::from(missing);
        }
    }

    /// When the certificate in force for a subject ends, if such are applied for, and whether no renewal is under way.
    fn to_be_renewed(&self, subject: &Digest) -> Option<(JstDate, bool)> {
        let held = self.certificates.get(self.by_subject.get(subject)?)?;
        CertificateKind::APPLICABLE
            .contains(&held.kind)
            .then(|| (held.validity.last_day(), held.renewal.is_none()))
    }

    fn replace(&mut self, subject: Digest, held: Held) {
        if held.revoked_at.is_some() {
            self.leave(subject, held.serial);
        } else {
            let ends = |serial: &Serial| {
                self.certificates
                    .get(serial)
                    .filter(|other| other.revoked_at.is_none())
                    .map(|other| other.validity.not_after())
            };
            let present = self.by_subject.get(&subject).and_then(ends);
            let other = if present.is_none_or(|present| present <= held.validity.not_after()) {
                self.by_subject.insert(subject, held.serial)
            } else {
                Some(held.serial)
            };
            if let Some(other) = other
                && self.by_subject.get(&subject) != Some(&other)
            {
                let elder = self.elder.entry(subject).or_default();
                if !elder.contains(&other) {
                    elder.push(other);
                }
            }
        }
        let (branch, stands) = (held.branch, held.revoked_at.is_none());
        let before = self.certificates.insert(held.serial, held);
        let stood = before.is_some_and(|before| before.revoked_at.is_none());
        if let Some(branch) = branch
            && stands != stood
        {
            let count = self.by_branch.entry(branch).or_default();
            *count = if stands {
                *count + 1
            } else {
                count.saturating_sub(1)
            };
        }
    }
}

impl Projection {
    /// A revoked certificate no longer stands for its subject; the next to last may still.
    fn leave(&mut self, subject: Digest, serial: Serial) {
        let mut elder = self.elder.remove(&subject).unwrap_or_default();
        elder.retain(|other| *other != serial);
        if self.by_subject.get(&subject) == Some(&serial) {
            self.by_subject.remove(&subject);
            let ends = |serial: &Serial| {
                let held = self.certificates.get(serial);
                held.map(|held| held.validity.not_after())
            };
            if let Some(last) = elder.iter().copied().max_by_key(ends) {
                elder.retain(|other| *other != last);
                self.by_subject.insert(subject, last);
            }
        }
        if !elder.is_empty() {
            self.elder.insert(subject, elder);
        }
    }
}

/// Reads one standing. An abandoned attempt has a serial number but neither subject nor kind: it
/// was never handed out, and there is nothing of it to know here.
fn held(faults: &mut Faults, standing: &v1::Standing) -> Option<Held> {
    if standing.subject.is_none() && standing.kind == 0 {
        return None;
    }
    let not_before: Option<Timestamp> =
        convert::required_text(faults, "not_before", &standing.not_before);
    let not_after: Option<Timestamp> =
        convert::required_text(faults, "not_after", &standing.not_after);
    let validity = Validity::try_new(not_before?.jst_date(), not_after?.jst_date());
    if validity.is_none() {
        faults.push(
            "not_after",
            "VALIDITY_EMPTY",
            "it would end before it begins",
        );
    }
    Some(Held {
        serial: convert::required_text(faults, "serial", &standing.serial)?,
        branch: convert::optional_text(faults, "branch", &standing.branch),
        kind: convert::required(faults, "kind", standing.kind)?,
        subject: convert::subject(faults, "subject", standing.subject.as_ref())?,
        key_digest: convert::required_text(faults, "key_digest", &standing.key_digest)?,
        validity: validity?,
        revoked_at: convert::optional_text(faults, "revoked_at", &standing.revoked_at),
        application: convert::optional_text(faults, "application_id", &standing.application_id),
        renewal: convert::optional_text(faults, "renewal", &standing.renewal),
    })
}

#[cfg(test)]
mod tests;
