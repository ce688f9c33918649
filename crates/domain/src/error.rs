//! The closed list of ways in which a request can fail.
//!
//! Every crate's error maps to one of these, and the `proto` crate maps each to one gRPC status.

/// What kind of failure an error is, and so what the caller can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The request breaks a rule; it lists every fault found.
    InvalidInput,
    /// No usable identity came with the call.
    Unauthenticated,
    /// The identity is known and may not do this.
    Forbidden,
    /// What was named does not exist, or the caller may not see it.
    NotFound,
    /// It exists already, with other content.
    AlreadyExists,
    /// The object's state does not allow it.
    WrongState,
    /// Somebody else was first; reading again and deciding anew may succeed.
    LostRace,
    /// Over a quota; try again when told.
    RateLimited,
    /// Overloaded, draining, or a service this one needs is away; try again.
    Unavailable,
    /// Stored data is damaged; a human must look.
    Corrupt,
    /// A fault of ours; the caller gets fixed text and a correlation id.
    Internal,
}

impl ErrorClass {
    /// Every class.
    pub const ALL: [Self; 11] = [
        Self::InvalidInput,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::AlreadyExists,
        Self::WrongState,
        Self::LostRace,
        Self::RateLimited,
        Self::Unavailable,
        Self::Corrupt,
        Self::Internal,
    ];
}
