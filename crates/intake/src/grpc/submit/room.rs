//! How much of what arrives over streams is held at once: per stream, per caller and in all.

use std::{collections::HashMap, sync::Arc, time::Duration};

use lgpki_domain::{Caller, ErrorClass};
use lgpki_proto::Failure;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of applications that one stream may have waiting or under way. A batch of usual ones is far
/// below it; of the largest messages that may come, a few fit.
const OF_A_STREAM: usize = 16 * 1024 * 1024;
/// Bytes of applications of all streams.
const OF_ALL: usize = 512 * 1024 * 1024;
/// Streams that one caller may have open.
const STREAMS: usize = 8;

/// The room for all streams; shared by its clones.
#[derive(Clone, Debug)]
pub(in crate::grpc) struct Room(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    bytes: Arc<Semaphore>,
    open: Mutex<HashMap<String, usize>>,
}

/// The room of one stream, until it is dropped.
#[derive(Debug)]
pub(super) struct OwnRoom {
    room: Room,
    bytes: Arc<Semaphore>,
    caller: String,
}

/// What one application takes up.
#[derive(Debug)]
pub(super) struct Taken {
    _own: Option<OwnedSemaphorePermit>,
    _all: Option<OwnedSemaphorePermit>,
}

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Shared {
            bytes: Arc::new(Semaphore::new(OF_ALL)),
            open: Mutex::default(),
        }))
    }
}

impl Room {
    /// Room for one more stream of a caller.
    pub(super) fn enter(&self, caller: &Caller) -> Result<OwnRoom, Failure> {
        let caller = caller.to_string();
        let mut open = self.0.open.lock();
        let count = open.entry(caller.clone()).or_default();
        if *count >= STREAMS {
            let message = format!(
                "{STREAMS} streams of applications are open for this caller already; end one, or send over them"
            );
            let class = ErrorClass::RateLimited;
            let failure = Failure::new(class, "TOO_MANY_STREAMS", message);
            return Err(failure.retry_after(Duration::from_secs(1)));
        }
        *count += 1;
        drop(open);
        Ok(OwnRoom {
            room: self.clone(),
            bytes: Arc::new(Semaphore::new(OF_A_STREAM)),
            caller,
        })
    }
}

impl OwnRoom {
    /// Waits until there is room for so many bytes.
    pub(super) async fn take(&self, bytes: usize) -> Taken {
        let bytes = u32::try_from(bytes.min(OF_A_STREAM)).unwrap_or(u32::MAX);
        let all = &self.room.0.bytes;
        // Neither semaphore is ever closed.
        Taken {
            _own: Arc::clone(&self.bytes).acquire_many_owned(bytes).await.ok(),
            _all: Arc::clone(all).acquire_many_owned(bytes).await.ok(),
        }
    }
}

impl Drop for OwnRoom {
    fn drop(&mut self) {
        let mut open = self.room.0.open.lock();
        if let Some(count) = open.get_mut(&self.caller) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use lgpki_domain::Role;

    use super::*;

    #[test]
    fn a_caller_has_so_many_streams_and_another_has_its_own() {
        let room = Room::default();
        let (one, other) = (Caller::Service(Role::Intake), Caller::Service(Role::Issuer));
        let mut open: Vec<_> = (0..STREAMS).map(|_| room.enter(&one).unwrap()).collect();
        let refused = room.enter(&one).unwrap_err();
        assert_eq!(refused.reason, "TOO_MANY_STREAMS");
        assert!(refused.retry_after.is_some());
        assert!(room.enter(&other).is_ok());
        open.pop();
        assert!(room.enter(&one).is_ok());
    }

    #[tokio::test]
    async fn the_largest_message_finds_room_once_the_others_have_left() {
        let own = Room::default().enter(&Caller::Service(Role::Intake));
        let own = own.unwrap();
        let first = own.take(usize::MAX).await;
        assert_eq!(own.bytes.available_permits(), 0);
        drop(first);
        drop(own.take(usize::MAX).await);
        assert_eq!(own.bytes.available_permits(), OF_A_STREAM);
    }
}
