//! The fields of a renewal. It is judged as the application for a certificate that it is, and its
//! faults are told by the fields that its applicant filled in.

use lgpki_domain::{Fault, Faults};

/// The certificate to be renewed.
pub(crate) const RENEWED: &str = "renew.serial";

/// The faults with the names of a renewal's fields: of what the old certificate decides, the field
/// is the one that names it.
pub(crate) fn of_renewal(faults: Faults) -> Faults {
    let mut renamed = Faults::new();
    for mut fault in faults {
        rename(&mut fault);
        renamed.add(fault);
    }
    renamed
}

fn rename(fault: &mut Fault) {
    if let Some(rest) = fault.field.strip_prefix("issue.") {
        let own = rest.starts_with("csr") || rest.starts_with("medium");
        fault.field = if own {
            format!("renew.{rest}")
        } else {
            RENEWED.to_owned()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_is_told_by_a_field_that_the_applicant_filled_in() {
        let table = [
            ("issue.csr", "renew.csr"),
            ("issue.csr.subject", "renew.csr.subject"),
            ("issue.medium", "renew.medium"),
            ("issue.subject.unit.en", "renew.serial"),
            ("issue.login_role", "renew.serial"),
            ("examination.office", "examination.office"),
            ("branch", "branch"),
        ];
        for (judged, told) in table {
            let mut faults = Faults::new();
            faults.push(judged, "X", "x");
            let told_as = of_renewal(faults).into_iter().next().unwrap();
            assert_eq!(told_as.field, told);
        }
    }
}
