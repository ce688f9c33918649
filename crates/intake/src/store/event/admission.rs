//! Events about admission.

use lgpki_domain::Limits;
use lgpki_ledger::Body;
use serde::{Deserialize, Serialize};

/// `limits.changed`: the limits from now on, all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitsChanged {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    addressee_versions: Option<u32>,
    all_burst: u32,
    all_per_second: u32,
    booking_seconds: u32,
    branch_burst: u32,
    branch_burst_per_certificate: u32,
    branch_per_hour: u32,
    branch_per_hour_per_certificate: u32,
    caller_burst: u32,
    caller_per_hour: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    directory_entries: Option<u32>,
    queue: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reads_burst: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reads_per_second: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    registry_burst: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    registry_per_hour: Option<u32>,
    /// Counts the changes.
    pub(crate) revision: u64,
}

impl LimitsChanged {
    pub(crate) const fn new(limits: &Limits, revision: u64) -> Self {
        Self {
            addressee_versions: Some(limits.addressee_versions),
            all_burst: limits.all_burst,
            all_per_second: limits.all_per_second,
            booking_seconds: limits.booking_seconds,
            branch_burst: limits.branch_burst,
            branch_burst_per_certificate: limits.branch_burst_per_certificate,
            branch_per_hour: limits.branch_per_hour,
            branch_per_hour_per_certificate: limits.branch_per_hour_per_certificate,
            caller_burst: limits.caller_burst,
            caller_per_hour: limits.caller_per_hour,
            directory_entries: Some(limits.directory_entries),
            queue: limits.queue,
            reads_burst: Some(limits.reads_burst),
            reads_per_second: Some(limits.reads_per_second),
            registry_burst: Some(limits.registry_burst),
            registry_per_hour: Some(limits.registry_per_hour),
            revision,
        }
    }

    /// The limits; what an older entry does not name is as it was then, unchanged.
    pub(crate) fn limits(&self) -> Limits {
        let usual = Limits::default();
        Limits {
            branch_per_hour: self.branch_per_hour,
            branch_per_hour_per_certificate: self.branch_per_hour_per_certificate,
            branch_burst: self.branch_burst,
            branch_burst_per_certificate: self.branch_burst_per_certificate,
            caller_per_hour: self.caller_per_hour,
            caller_burst: self.caller_burst,
            all_per_second: self.all_per_second,
            all_burst: self.all_burst,
            queue: self.queue,
            booking_seconds: self.booking_seconds,
            registry_per_hour: self.registry_per_hour.unwrap_or(usual.registry_per_hour),
            registry_burst: self.registry_burst.unwrap_or(usual.registry_burst),
            addressee_versions: self.addressee_versions.unwrap_or(usual.addressee_versions),
            directory_entries: self.directory_entries.unwrap_or(usual.directory_entries),
            reads_per_second: self.reads_per_second.unwrap_or(usual.reads_per_second),
            reads_burst: self.reads_burst.unwrap_or(usual.reads_burst),
        }
    }
}

impl Body for LimitsChanged {
    const KIND: &'static str = "limits.changed";
}

/// `admission.refused`: applications turned away since the entry before, counted by caller and limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdmissionRefused {
    pub(crate) turned_away: Vec<TurnedAway>,
}

impl AdmissionRefused {
    /// Rows in one entry; one takes at most about 1,300 bytes.
    pub(crate) const MOST: usize = 40;
}

impl Body for AdmissionRefused {
    const KIND: &'static str = "admission.refused";
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TurnedAway {
    pub(crate) caller: String,
    pub(crate) count: u64,
    pub(crate) limit: String,
}
