//! What lifecycle does by itself: follow the issuer's feed, publish CRLs when they are due,
//! publish CA certificates, have OCSP responders certified, book renewal slots. And what takes long enough to be done
//! beside: rebuilding the inventory.

pub(crate) mod ca_certificates;
pub(crate) mod certify;
pub(crate) mod follow;
pub(crate) mod plan;
pub(crate) mod publish;
pub(crate) mod rebuild;
pub(crate) mod slots;

use lgpki_domain::Timestamp;

/// The longest wait after failed attempts, in seconds.
const LONGEST_WAIT: i64 = 60;

/// When to try again what was put off until `at`. No wait is longer than the longest: were it, the
/// clock was set back since, and the try is not held up until it comes round again.
fn put_off(at: Timestamp, now: Timestamp) -> Timestamp {
    if at > now.plus_seconds(LONGEST_WAIT) {
        now
    } else {
        at
    }
}
