//! Whether a certificate may be renewed, as far as intake knows (R2); lifecycle has the last word.

use lgpki_domain::{Faults, RenewalWindow, Serial};

use super::{Against, standing};
use crate::{app::submission::NamedBranch, renewal_fields::RENEWED};

/// The certificate is the branch's own, stands, is within its window, and nobody renews it yet; tells
/// whether all that is so.
pub(super) fn check(
    serial: Serial,
    branch: NamedBranch,
    against: &Against<'_>,
    faults: &mut Faults,
) -> bool {
    let Some(held) = standing::certificate(serial, RENEWED, branch, against, faults) else {
        return false;
    };
    let window = RenewalWindow::from(held.validity);
    if let Err(refused) = window.admits(against.now, held.revoked_at) {
        faults.add(refused.of(serial, RENEWED));
    } else if let Some(other) = against.view.renewed_by {
        let message = format!(
            "application {other} renews this certificate already; wait for it or withdraw it"
        );
        faults.push(RENEWED, "RENEWAL_IS_OPEN", message);
    } else if let Some(other) = against.view.open_for_subject {
        let message = format!(
            "application {other} for the same subject and kind is under way; wait for it or \
             withdraw it"
        );
        faults.push(RENEWED, "SUBJECT_HAS_OPEN_APPLICATION", message);
    } else {
        return true;
    }
    false
}
