//! Who calls, and in which role.

use std::fmt;

use crate::id::{BodyCode, Serial};

/// A role that a login certificate gives to a person's office.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OfficerRole {
    /// Branch officer (登録分局責任者): applies, watches and downloads for one branch.
    BranchOfficer,
    /// LGWAN officer (LGWAN責任者): keeps a body's organization and account directories.
    LgwanOfficer,
    /// Operator (LGWAN運営主体): examines, revokes, publishes.
    Operator,
    /// Auditor: reads everything, changes nothing.
    Auditor,
}

impl OfficerRole {
    /// Every officer's role.
    pub const ALL: [Self; 4] = [
        Self::BranchOfficer,
        Self::LgwanOfficer,
        Self::Operator,
        Self::Auditor,
    ];

    /// The stable name, such as `branch-officer`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BranchOfficer => "branch-officer",
            Self::LgwanOfficer => "lgwan-officer",
            Self::Operator => "operator",
            Self::Auditor => "auditor",
        }
    }

    /// Reads a [`name`](Self::name) back.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.name() == name)
    }

    /// Whether the role belongs to one body; operators and auditors belong to none.
    #[must_use]
    pub const fn belongs_to_a_body(self) -> bool {
        matches!(self, Self::BranchOfficer | Self::LgwanOfficer)
    }
}

impl fmt::Display for OfficerRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A role that an RPC may be open to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Somebody with a login certificate.
    Officer(OfficerRole),
    /// The intake service, by its TLS identity.
    Intake,
    /// The lifecycle service, by its TLS identity.
    Lifecycle,
    /// The issuer service, by its TLS identity; it calls nobody.
    Issuer,
}

impl Role {
    /// A service's TLS identity by its name.
    #[must_use]
    pub fn service(name: &str) -> Option<Self> {
        [Self::Intake, Self::Lifecycle, Self::Issuer]
            .into_iter()
            .find(|r| r.name() == name)
    }

    /// The stable name, such as `branch-officer` or `intake`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Officer(role) => role.name(),
            Self::Intake => "intake",
            Self::Lifecycle => "lifecycle",
            Self::Issuer => "issuer",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A caller whose certificate was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// An office, by its login certificate.
    Officer {
        /// What it may do.
        role: OfficerRole,
        /// The body it belongs to; `Some` exactly where the role belongs to one.
        body: Option<BodyCode>,
        /// The login certificate's serial number.
        serial: Serial,
    },
    /// One of the three services.
    Service(Role),
}

impl Caller {
    /// The caller's role.
    #[must_use]
    pub const fn role(&self) -> Role {
        match self {
            Self::Officer { role, .. } => Role::Officer(*role),
            Self::Service(role) => *role,
        }
    }

    /// The body an officer belongs to.
    #[must_use]
    pub const fn body(&self) -> Option<BodyCode> {
        match self {
            Self::Officer { body, .. } => *body,
            Self::Service(_) => None,
        }
    }
}

/// The actor of a log entry: `branch-officer/01001/41ab…`, `operator/-/52cd…` or `intake`.
impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Officer {
                role,
                body: Some(body),
                serial,
            } => write!(f, "{role}/{body}/{serial}"),
            Self::Officer {
                role,
                body: None,
                serial,
            } => write!(f, "{role}/-/{serial}"),
            Self::Service(role) => fmt::Display::fmt(role, f),
        }
    }
}
