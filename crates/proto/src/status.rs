//! Failures on their way out and statuses on their way in.
//!
//! A service answers every failure as a [`Failure`]; [`Failure::into_status`] is the one place where
//! it becomes a gRPC status, with google.rpc.ErrorInfo (a stable reason, domain "lgpki"), BadRequest
//! (every fault found) and RetryInfo. A caller turns the status back into a [`RemoteError`].
//! What went wrong inside a service never reaches a client: faults of the server carry fixed text
//! and a correlation id under which the log holds the rest.

mod failure;
mod remote;

use lgpki_domain::ErrorClass;
use tonic::Code;

pub use failure::Failure;
pub use remote::RemoteError;

/// The domain of every ErrorInfo.
pub const DOMAIN: &str = "lgpki";
/// The key in ErrorInfo's metadata under which a correlation id stands.
pub const CORRELATION_ID: &str = "correlation_id";
/// The reason of a status that carries none: it was not made by a service of ours.
pub const TRANSPORT: &str = "TRANSPORT";

/// The gRPC code of a class of failure.
#[must_use]
pub const fn code(class: ErrorClass) -> Code {
    match class {
        ErrorClass::InvalidInput => Code::InvalidArgument,
        ErrorClass::Unauthenticated => Code::Unauthenticated,
        ErrorClass::Forbidden => Code::PermissionDenied,
        ErrorClass::NotFound => Code::NotFound,
        ErrorClass::AlreadyExists => Code::AlreadyExists,
        ErrorClass::WrongState => Code::FailedPrecondition,
        ErrorClass::LostRace => Code::Aborted,
        ErrorClass::RateLimited => Code::ResourceExhausted,
        ErrorClass::Unavailable => Code::Unavailable,
        ErrorClass::Corrupt => Code::DataLoss,
        ErrorClass::Internal => Code::Internal,
    }
}

/// The class of a gRPC code that a peer answered; codes that no service of ours gives are read as
/// the nearest class.
#[must_use]
pub const fn class(code: Code) -> ErrorClass {
    match code {
        Code::InvalidArgument | Code::OutOfRange => ErrorClass::InvalidInput,
        Code::Unauthenticated => ErrorClass::Unauthenticated,
        Code::PermissionDenied => ErrorClass::Forbidden,
        Code::NotFound => ErrorClass::NotFound,
        Code::AlreadyExists => ErrorClass::AlreadyExists,
        Code::FailedPrecondition => ErrorClass::WrongState,
        Code::Aborted => ErrorClass::LostRace,
        Code::ResourceExhausted => ErrorClass::RateLimited,
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => ErrorClass::Unavailable,
        Code::DataLoss => ErrorClass::Corrupt,
        Code::Ok | Code::Unknown | Code::Unimplemented | Code::Internal => ErrorClass::Internal,
    }
}

#[cfg(test)]
mod tests;
