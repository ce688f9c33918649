//! How many streams one login certificate has open: each holds memory for as long as it likes.

use std::{collections::HashMap, num::NonZeroU32, sync::Arc, time::Duration};

use lgpki_domain::{Caller, ErrorClass, Serial};
use lgpki_proto::Failure;
use parking_lot::Mutex;

type Open = Arc<Mutex<HashMap<Serial, u32>>>;

/// The open streams of all officers; services have as many as they need.
#[derive(Debug)]
pub(crate) struct Streams {
    most: NonZeroU32,
    open: Open,
}

/// One open stream, until it is dropped.
#[derive(Debug)]
pub(super) struct OpenStream {
    serial: Serial,
    open: Open,
}

impl Streams {
    /// So many at most for one login certificate.
    pub(crate) fn new(most: NonZeroU32) -> Self {
        Self {
            most,
            open: Open::default(),
        }
    }

    /// Opens one more, unless there are too many.
    pub(super) fn open(&self, caller: &Caller) -> Result<Option<OpenStream>, Failure> {
        let Caller::Officer { serial, .. } = caller else {
            return Ok(None);
        };
        let mut open = self.open.lock();
        let count = open.entry(*serial).or_default();
        if *count >= self.most.get() {
            let message = format!(
                "your login certificate has {count} streams open, which are the most; end one, or try again \
                 shortly"
            );
            let refused = Failure::new(ErrorClass::RateLimited, "TOO_MANY_STREAMS", message);
            return Err(refused.retry_after(Duration::from_secs(1)));
        }
        *count += 1;
        Ok(Some(OpenStream {
            serial: *serial,
            open: Arc::clone(&self.open),
        }))
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut open = self.open.lock();
        if let Some(count) = open.get_mut(&self.serial) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.serial);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use lgpki_domain::{OfficerRole, Role};

    use super::*;
    use crate::testing::serial;

    fn officer(number: u8) -> Caller {
        Caller::Officer {
            role: OfficerRole::Operator,
            body: None,
            serial: serial(number),
        }
    }

    #[test]
    fn each_login_has_so_many_streams_and_a_service_as_many_as_it_needs() {
        let streams = Streams::new(NonZeroU32::MIN);
        let first = streams.open(&officer(1)).unwrap();
        let refused = streams.open(&officer(1)).unwrap_err();
        assert_eq!(refused.reason, "TOO_MANY_STREAMS");
        assert!(refused.retry_after.is_some());
        let _other = streams.open(&officer(2)).unwrap();
        drop(first);
        assert!(streams.open(&officer(1)).is_ok());
        let services = [(); 3].map(|()| streams.open(&Caller::Service(Role::Intake)));
        assert!(services.iter().all(Result::is_ok));
    }
}
