//! What an audit finds: a rule that does not hold, where, and what that means.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

/// Declares the rules with their stable names and what it means when one does not hold.
macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident = $text:literal: $meaning:literal,)*) => {
        /// A rule that the logs must keep.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $(#[doc = $meaning] $name,)*
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The stable name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What it means when the rule does not hold.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }
        }
    };
}

rules! {
    Checkpoint = "checkpoint": "the checkpoint cannot be read, names another log or lacks the log's signature: nobody vouches for this tree",
    Witness = "witness": "too few witnesses have cosigned the checkpoint, or a cosignature does not fit it: whoever holds the log's key could have rewritten or forked it",
    Root = "root": "the entries do not make the tree that was signed: an entry was altered, moved, removed or inserted",
    Tile = "tile": "a tile does not hold the hashes of the entries: tile or entries were altered",
    Missing = "missing": "entries or tiles that the checkpoint counts are not there",
    SetBack = "set-back": "the log is shorter than the one seen before, or another one: it was set back or rewritten",
    Opening = "opening": "the log does not begin with an opening entry that fits its name and place",
    Chain = "chain": "the log does not go on where the one before ended",
    KeysLog = "keys-log": "the log of keys and the yearly logs do not tell the same",
    Canonical = "canonical": "the entry is not canonical JSON: one content could have two hashes",
    Schema = "schema": "the entry is not one that the service may write",
    Heartbeat = "heartbeat": "a heartbeat does not count what stands before it: an entry was taken away, put in or doubled, or the service's state has drifted from its log",
    Time = "time": "the entry's time lies far before one recorded earlier, or in another year than its log",
    Epoch = "epoch": "epochs do not rise one by one, or a fenced process went on writing",
    IntentMissing = "intent-missing": "a certificate or CRL was signed without an intent recorded before",
    IntentDiffers = "intent-differs": "what was signed is not what was intended",
    IntentTwice = "intent-twice": "an intent was ended more than once: something may have been signed twice",
    IntentOpen = "intent-open": "an intent of an older epoch was never ended: what was signed is not known",
    SerialTwice = "serial-twice": "a serial number was used twice",
    KeyTwice = "key-twice": "one public key was certified for two applications",
    CertificateUnreadable = "certificate-unreadable": "the independent reader cannot read the certificate",
    CertificateDiffers = "certificate-differs": "the certificate does not say what its entry or its application says",
    CertificateSignature = "certificate-signature": "the certificate is not signed with the key of its CA",
    Profile = "profile": "the certificate carries what its kind has not, or says something else of its CA: it may be good for more than was applied for",
    Validity = "validity": "the certificate is not valid as the rules say, or from another day than it was made",
    Authority = "authority": "a CA appears that was not made by a recorded ceremony, or twice",
    ApplicationMissing = "application-missing": "a certificate was issued without an application",
    ApplicationUnexamined = "application-unexamined": "an application was carried out without the examination it needed",
    ApplicationDiffers = "application-differs": "what was issued or recorded is not what was applied for",
    ApplicationTwice = "application-twice": "an application was recorded, or led to a certificate, twice",
    ApplicationLife = "application-life": "an application took a step that it cannot take",
    Answers = "answers": "an entry answers one that is not there or is about something else",
    IssuedUntold = "issued-untold": "a certificate that the issuer recorded is missing in the inventory, or intake was never told of it",
    Registered = "registered": "the inventory holds a certificate that the issuer's log does not hold, or another",
    RevokedUnknown = "revoked-unknown": "something was revoked that is not in the inventory, or was revoked before",
    RevokedUnordered = "revoked-unordered": "a certificate was revoked without an application that asks for it",
    RevocationUndone = "revocation-undone": "a revocation was examined and reported as done, and the certificate is not revoked: it is still accepted",
    CrlMisses = "crl-misses": "a revoked certificate is missing from a CRL: whoever relies on that list accepts it",
    CrlLists = "crl-lists": "a CRL lists a certificate that was not revoked, or has let it go, or says something else of it",
    CrlDiffers = "crl-differs": "a CRL is not the one that follows from the log",
    CrlSignature = "crl-signature": "a CRL is not signed with the key of its CA",
    CrlNumber = "crl-number": "CRL numbers do not rise within key and scope",
    CrlTimes = "crl-times": "a CRL's times do not fit the one before, its own entry or what it lists",
    CrlLapsed = "crl-lapsed": "a CRL ran out and none followed while the services were at work: nobody can learn what is revoked",
    CrlUnsigned = "crl-unsigned": "a CRL was published that the issuer's log does not hold as signed",
    Renewal = "renewal": "a renewal was opened or ended in a way that intake's log does not bear out",
    Responder = "responder": "OCSP answers were signed by whom the issuer certified for no such thing",
    Unlogged = "unlogged": "a certificate or CRL is signed with a CA key, and the logs do not hold it: the key was used outside the system",
}

impl Rule {
    /// Whether it is about the tree that a checkpoint signs for, and not about what its entries say: what
    /// does not hold then is nobody's word.
    #[must_use]
    pub const fn is_of_trees(self) -> bool {
        matches!(
            self,
            Self::Checkpoint | Self::Witness | Self::Root | Self::Missing | Self::SetBack
        )
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Rule {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.name())
    }
}

/// Where something stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The service.
    pub service: String,
    /// The log, such as `2008` or `keys`; left out where a rule spans logs.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub log: String,
    /// The entry's index, as other entries refer to it: counted over all years of the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u64>,
    /// The entry's place in its log, where it is another number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaf: Option<u64>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.service)?;
        if !self.log.is_empty() {
            write!(f, "/{}", self.log)?;
        }
        if let Some(index) = self.index {
            write!(f, " entry {index}")?;
        }
        match self.leaf {
            Some(leaf) if Some(leaf) != self.index => write!(f, " (leaf {leaf})"),
            _ => Ok(()),
        }
    }
}

/// A rule that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// What was found.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.rule, self.place, self.what)
    }
}

/// Findings of one rule that are kept word for word; the others are counted.
pub const KEPT: usize = 1_000;

/// All that was found, in the order in which it was.
#[derive(Debug, Default)]
pub struct Findings {
    kept: Vec<Finding>,
    counts: BTreeMap<Rule, u64>,
}

impl Findings {
    /// Adds one.
    pub fn add(&mut self, rule: Rule, place: Place, what: impl Into<String>) {
        let count = self.counts.entry(rule).or_default();
        *count += 1;
        if *count <= KEPT as u64 {
            let what = what.into();
            self.kept.push(Finding { rule, place, what });
        }
    }

    /// Those that were kept.
    #[must_use]
    pub fn kept(&self) -> &[Finding] {
        &self.kept
    }

    /// How many there are of each rule.
    #[must_use]
    pub const fn counts(&self) -> &BTreeMap<Rule, u64> {
        &self.counts
    }

    /// Those that were kept, and how many there are of each rule.
    #[must_use]
    pub fn into_parts(self) -> (Vec<Finding>, BTreeMap<Rule, u64>) {
        (self.kept, self.counts)
    }
}
