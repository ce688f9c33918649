//! Who may call which RPC, of which service.
//!
//! One row per RPC and serving service. What is not in the table is refused, and so is an empty list
//! of roles. A test walks the compiled contract: every RPC stands here, and the roles are those that
//! the RPC's comment names. gRPC health and reflection are not rows: they say nothing about anybody
//! and answer without a client certificate, so that generic tools work.

use std::fmt;

use lgpki_domain::{OfficerRole, Role};

/// One of the three services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ServiceName {
    /// Takes applications in.
    Intake,
    /// Holds the CA keys.
    Issuer,
    /// Keeps the inventory and publishes.
    Lifecycle,
}

impl ServiceName {
    /// Every service, in the order in which they start: a callee before its callers.
    pub const ALL: [Self; 3] = [Self::Issuer, Self::Lifecycle, Self::Intake];

    /// The stable name, such as `intake`; it stands in the TLS identity, metrics and configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Intake => "intake",
            Self::Issuer => "issuer",
            Self::Lifecycle => "lifecycle",
        }
    }

    /// The role in which the service calls others.
    #[must_use]
    pub const fn role(self) -> Role {
        match self {
            Self::Intake => Role::Intake,
            Self::Issuer => Role::Issuer,
            Self::Lifecycle => Role::Lifecycle,
        }
    }

    /// Reads a [`name`](Self::name) back.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The service that serves the RPC.
    pub service: ServiceName,
    /// The RPC's path, such as `/lgpki.v1.ApplicationService/SubmitApplication`.
    pub path: &'static str,
    /// The roles that may call it there.
    pub roles: &'static [Role],
    /// Whether an officer may call it with a login certificate that is being renewed (R3): to read,
    /// watch, withdraw, download and confirm, and for nothing else.
    pub in_renewal: bool,
    /// Whether one side sends a stream; such an RPC may stay open for as long as it likes.
    pub streaming: bool,
}

const BRANCH: Role = Role::Officer(OfficerRole::BranchOfficer);
const LGWAN: Role = Role::Officer(OfficerRole::LgwanOfficer);
const OPERATOR: Role = Role::Officer(OfficerRole::Operator);
const AUDITOR: Role = Role::Officer(OfficerRole::Auditor);

const OFFICERS: &[Role] = &[BRANCH, LGWAN, OPERATOR, AUDITOR];

macro_rules! rows {
    (@streaming) => { false };
    (@streaming stream) => { true };
    (@renewal) => { false };
    (@renewal renewal) => { true };
    ($($service:ident $package:literal {
        $($method:literal $($shape:ident)? $(+ $renewal:ident)? => $roles:expr,)+
    })+) => {
        &[$($(Access {
            service: ServiceName::$service,
            path: concat!("/lgpki.v1.", $package, "/", $method),
            roles: $roles,
            in_renewal: rows!(@renewal $($renewal)?),
            streaming: rows!(@streaming $($shape)?),
        },)+)+]
    };
}

/// The table.
pub const TABLE: &[Access] = rows! {
    Intake "ApplicationService" {
        "SubmitApplication" => OFFICERS,
        "SubmitApplications" stream => &[BRANCH, OPERATOR],
        "GetApplication" + renewal => OFFICERS,
        "ListApplications" + renewal => OFFICERS,
        "WatchApplications" stream + renewal => OFFICERS,
        "WithdrawApplication" + renewal => OFFICERS,
        "DownloadCertificate" + renewal => OFFICERS,
        "DownloadCertificates" stream + renewal => OFFICERS,
        "ConfirmDelivery" + renewal => OFFICERS,
    }
    Intake "AdmissionService" {
        "GetLimits" + renewal => &[OPERATOR, AUDITOR],
        "ChangeLimits" => &[OPERATOR],
    }
    Intake "ExaminationService" {
        "ListExaminations" + renewal => &[OPERATOR, AUDITOR],
        "ApproveApplications" => &[OPERATOR],
        "RejectApplications" => &[OPERATOR],
        "PublishCrlNow" => &[OPERATOR],
        "EraseExaminerName" => &[OPERATOR],
    }
    Intake "QueueService" {
        "ExplainQueue" + renewal => OFFICERS,
        "GetQueues" + renewal => &[OPERATOR, AUDITOR],
    }
    Intake "DirectoryService" {
        "ListBodies" + renewal => OFFICERS,
        "ListEntries" + renewal => OFFICERS,
        "ChangeEntries" => &[LGWAN, OPERATOR],
        "DeactivateBranch" => &[LGWAN, OPERATOR],
    }
    Intake "AddresseeService" {
        "RegisterAddressee" => &[BRANCH],
        "ChangeAddressee" => &[BRANCH],
        "EndAddressee" => &[BRANCH, OPERATOR],
        "GetAddressee" + renewal => OFFICERS,
        "ListAddressees" + renewal => OFFICERS,
        "GetAddresseeHistory" + renewal => OFFICERS,
        "WatchAddressees" stream + renewal => OFFICERS,
    }
    Intake "CertificateService" {
        "GetCertificate" + renewal => OFFICERS,
        "ListCertificates" + renewal => OFFICERS,
        "CountCertificates" + renewal => OFFICERS,
        "GetExpiryHistogram" + renewal => OFFICERS,
        "RebuildInventory" stream => &[OPERATOR],
        "ListAuthorities" + renewal => OFFICERS,
    }
    Intake "NoticeService" {
        "ListNotices" + renewal => OFFICERS,
        "WatchNotices" stream + renewal => OFFICERS,
    }
    Intake "SlotService" {
        "GetRenewalInfo" + renewal => &[BRANCH, LGWAN, OPERATOR],
        "ListRenewalInfo" + renewal => &[BRANCH, LGWAN, OPERATOR],
        "GetSlotLoad" + renewal => &[OPERATOR, AUDITOR],
    }
    Intake "AuditLogService" {
        "ListLogs" + renewal => &[OPERATOR, AUDITOR],
        "GetCheckpoint" + renewal => &[OPERATOR, AUDITOR],
        "ReadEntries" stream + renewal => &[OPERATOR, AUDITOR],
        "FindEntries" stream + renewal => &[OPERATOR, AUDITOR],
        "GetInclusionProof" + renewal => &[OPERATOR, AUDITOR],
        "GetConsistencyProof" + renewal => &[OPERATOR, AUDITOR],
    }
    Lifecycle "AuditLogService" {
        "ListLogs" => &[Role::Intake],
        "GetCheckpoint" => &[Role::Intake],
        "ReadEntries" stream => &[Role::Intake],
        "FindEntries" stream => &[Role::Intake],
        "GetInclusionProof" => &[Role::Intake],
        "GetConsistencyProof" => &[Role::Intake],
    }
    Issuer "AuditLogService" {
        "ListLogs" => &[Role::Intake],
        "GetCheckpoint" => &[Role::Intake],
        "ReadEntries" stream => &[Role::Intake],
        "FindEntries" stream => &[Role::Intake],
        "GetInclusionProof" => &[Role::Intake],
        "GetConsistencyProof" => &[Role::Intake],
    }
    Lifecycle "SlotService" {
        "GetRenewalInfo" => &[Role::Intake],
        "ListRenewalInfo" => &[Role::Intake],
        "GetSlotLoad" => &[Role::Intake],
    }
    Lifecycle "NoticeService" {
        "ListNotices" => &[Role::Intake],
        "WatchNotices" stream => &[Role::Intake],
    }
    Lifecycle "CertificateService" {
        "GetCertificate" => &[Role::Intake],
        "ListCertificates" => &[Role::Intake],
        "CountCertificates" => &[Role::Intake],
        "GetExpiryHistogram" => &[Role::Intake],
        "RebuildInventory" stream => &[Role::Intake],
        "ListAuthorities" => &[Role::Intake],
    }
    Lifecycle "LifecycleService" {
        "RevokeCertificates" => &[Role::Intake],
        "OpenRenewals" => &[Role::Intake],
        "CloseRenewals" => &[Role::Intake],
        "FollowStandings" stream => &[Role::Intake],
        "PublishCrls" => &[Role::Intake],
        "ListSlotKeys" => &[Role::Intake],
    }
    Issuer "IssuerService" {
        "IssueCertificates" => &[Role::Intake],
        "GetIssuances" => &[Role::Intake],
        "FollowIssuance" stream => &[Role::Lifecycle],
        "ListIssuers" => &[Role::Intake, Role::Lifecycle],
        "SignCrl" stream => &[Role::Lifecycle],
        "IssueResponderCertificate" => &[Role::Lifecycle],
    }
};

/// The row of `path` at `service`; none means that the call is refused.
#[must_use]
pub fn find(service: ServiceName, path: &str) -> Option<&'static Access> {
    TABLE
        .iter()
        .find(|row| row.service == service && row.path == path)
}

/// The rows of one service.
pub fn of(service: ServiceName) -> impl Iterator<Item = &'static Access> {
    TABLE.iter().filter(move |row| row.service == service)
}

#[cfg(test)]
mod tests;
