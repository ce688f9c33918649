//! What changes in a body's directories.

use lgpki_domain::directory::{Account, Organization};

/// A change to one body's directories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DirectoryChange {
    /// Registers a unit.
    RegisterOrganization(Organization),
    /// Removes the unit of this English name, and its accounts.
    RemoveOrganization(String),
    /// Renames the unit of this English name; its accounts follow.
    RenameOrganization {
        /// The present English name.
        en: String,
        /// The new names.
        to: Organization,
    },
    /// Registers a role.
    RegisterAccount(Account),
    /// Removes a role.
    RemoveAccount {
        /// The unit's English name.
        unit_en: String,
        /// The role's English name.
        en: String,
    },
}
