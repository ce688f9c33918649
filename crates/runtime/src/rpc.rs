//! What a handler knows about the call it answers.
//!
//! The gate puts an [`Rpc`] into every request that it lets through. A handler takes it out, decides
//! by its caller, and answers failures through it, so that each is logged once and carries the
//! correlation id.

use std::{fmt, sync::Arc};

use lgpki_domain::Caller;
use lgpki_proto::{Failure, v1};
use tonic::{Request, Status};

/// One call. Clones are cheap.
#[derive(Clone, Debug)]
pub struct Rpc(Arc<Inner>);

struct Inner {
    caller: Caller,
    correlation_id: String,
    method: &'static str,
    again: Option<Again>,
}

/// Judges the caller once more.
type Again = Box<dyn Fn() -> Result<(), Failure> + Send + Sync>;

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner")
            .field("caller", &self.caller)
            .field("correlation_id", &self.correlation_id)
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

impl Rpc {
    /// A call of `method` by `caller`; made by the gate, and by tests that call handlers directly.
    #[must_use]
    pub fn new(caller: Caller, correlation_id: String, method: &'static str) -> Self {
        Self(Arc::new(Inner {
            caller,
            correlation_id,
            method,
            again: None,
        }))
    }

    /// A call whose caller can be judged once more.
    pub(crate) fn judged(
        caller: Caller,
        correlation_id: String,
        method: &'static str,
        again: impl Fn() -> Result<(), Failure> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            caller,
            correlation_id,
            method,
            again: Some(Box::new(again)),
        }))
    }

    /// Whether the caller may still make the call: a stream may outlive its login, and its handler
    /// goes on while the caller reads no answers.
    pub fn still_allowed(&self) -> Result<(), Failure> {
        self.0.again.as_ref().map_or(Ok(()), |again| again())
    }

    /// The call that `request` belongs to. Without one the request did not come through the gate, and
    /// nobody may do anything.
    pub fn of<T>(request: &Request<T>) -> Result<Self, Status> {
        request.extensions().get::<Self>().cloned().ok_or_else(|| {
            tracing::error!("a request reached a handler without passing the gate");
            Failure::internal("no caller").into_status()
        })
    }

    /// Who calls; the gate has checked the role.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.0.caller
    }

    /// Under which the log holds this call.
    #[must_use]
    pub fn correlation_id(&self) -> &str {
        &self.0.correlation_id
    }

    /// The RPC's path.
    #[must_use]
    pub fn method(&self) -> &'static str {
        self.0.method
    }

    /// The status of a failed call. A fault of ours goes to the log, whole; the caller gets fixed text
    /// and the correlation id.
    pub fn refuse(&self, failure: impl Into<Failure>) -> Status {
        self.known(failure.into()).into_status()
    }

    /// The same for one item of many.
    pub fn refusal(&self, failure: impl Into<Failure>) -> v1::Refusal {
        self.known(failure.into()).into_refusal()
    }

    fn known(&self, failure: Failure) -> Failure {
        if !failure.is_ours() {
            return failure;
        }
        tracing::error!(
            correlation_id = self.correlation_id(),
            method = self.method(),
            caller = %self.caller(),
            "{failure}"
        );
        match failure.correlation_id {
            Some(_) => failure,
            None => failure.with_correlation_id(self.correlation_id()),
        }
    }
}

#[cfg(test)]
mod tests {
    use lgpki_domain::Role;
    use lgpki_proto::RemoteError;

    use super::*;

    #[test]
    fn a_fault_of_ours_is_answered_with_the_correlation_id_only() {
        let rpc = Rpc::new(Caller::Service(Role::Intake), "0011".to_owned(), "/x/Y");
        let status = rpc.refuse(Failure::internal("the secret of the disk"));
        let seen = RemoteError::from(status);
        assert_eq!(seen.correlation_id.as_deref(), Some("0011"));
        assert!(!seen.message.contains("secret"));
        let plain = RemoteError::from(rpc.refuse(Failure::not_found("X", "no such thing")));
        assert_eq!(
            (plain.correlation_id, plain.message.as_str()),
            (None, "no such thing")
        );
    }

    #[test]
    fn a_request_that_did_not_pass_the_gate_is_refused() {
        let mut request = Request::new(());
        assert_eq!(Rpc::of(&request).unwrap_err().code(), tonic::Code::Internal);
        let rpc = Rpc::new(Caller::Service(Role::Intake), "0011".to_owned(), "/x/Y");
        request.extensions_mut().insert(rpc);
        assert_eq!(Rpc::of(&request).unwrap().method(), "/x/Y");
    }
}
