//! An order, checked again by the issuer's own rules and made into what would be signed.
//!
//! intake has checked all this before; the issuer does not take its word for it.

use std::sync::Arc;

use lgpki_domain::{
    ApplicationId, BodyCode, CertificateKind, CrlScope, Digest, Fault, Faults, JstDate,
    OfficerRole, Randomness, Serial, Subject, Validity,
    name::{ACCOUNT_SUFFIX, ACCOUNT_SUFFIX_JA},
    random::RandomnessFailed,
};
use lgpki_x509::{Blueprint, Linted, Particulars, Requested, SubjectPublicKey, lint, tbs};

use crate::{ports::Proposal, vault::Ca};

/// An order as it came, in words of the domain.
#[derive(Clone, Debug)]
pub struct Order {
    /// The application, the order's name for ever.
    pub application: ApplicationId,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// SHA-256 of the application's content.
    pub content_digest: Digest,
    /// Index in intake's log of the entry that is answered.
    pub answers: Option<u64>,
    /// What is wanted; or what is wrong with how it was said.
    pub wanted: Result<Wanted, Faults>,
}

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The branch applied for.
    pub branch: Option<BodyCode>,
    /// The kind.
    pub kind: CertificateKind,
    /// Registered names.
    pub subject: Subject,
    /// The SubjectPublicKeyInfo, DER.
    pub public_key: Vec<u8>,
    /// Host names; web server only.
    pub dns_names: Vec<String>,
    /// Mail address; mail only.
    pub mail: Option<String>,
    /// Role; login only.
    pub login_role: Option<OfficerRole>,
}

/// What would be signed, linted. Only a durable intent redeems it.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) ca: Arc<Ca>,
    pub(super) branch: Option<BodyCode>,
    pub(super) kind: CertificateKind,
    pub(super) subject: Subject,
    pub(super) key_digest: Digest,
    pub(super) serial: Serial,
    pub(super) validity: Validity,
    pub(super) linted: Linted,
}

impl Draft {
    /// Which CRL would list it.
    pub(super) fn scope(&self) -> CrlScope {
        if self.kind.is_ca() {
            CrlScope::CaCertificates
        } else {
            self.ca.issuer.crl_options().scope_of(self.serial)
        }
    }

    pub(super) fn proposal(&self) -> Proposal {
        Proposal {
            authority: self.ca.issuer.authority(),
            generation: self.ca.issuer.generation(),
            branch: self.branch,
            kind: self.kind,
            scope: self.scope(),
            key_digest: self.key_digest,
            serial: self.serial,
            validity: self.validity,
            tbs: self.linted.tbs().to_vec(),
        }
    }
}

/// Why there is no draft.
#[derive(Debug)]
pub(super) enum NoDraft {
    /// The order breaks rules.
    Refused(Faults),
    /// No serial number could be drawn; another time it may.
    Randomness(RandomnessFailed),
}

impl From<Faults> for NoDraft {
    fn from(faults: Faults) -> Self {
        Self::Refused(faults)
    }
}

/// What is wanted, checked.
struct Checked {
    particulars: Particulars,
    public_key: SubjectPublicKey,
}

/// Checks what is wanted and builds what would be signed today.
pub(super) fn draft(
    wanted: Wanted,
    ca: Option<Arc<Ca>>,
    today: JstDate,
    randomness: &dyn Randomness,
) -> Result<Draft, NoDraft> {
    let Checked {
        particulars,
        public_key,
    } = check(&wanted)?;
    let Some(ca) = ca else {
        return Err(one(
            "order.kind",
            "AUTHORITY_MISSING",
            "the CA of this kind does not exist",
        ));
    };
    let validity = Validity::for_subscriber(today);
    let of_ca = ca.issuer.validity();
    if validity.first_day() < of_ca.first_day() || validity.last_day() > of_ca.last_day() {
        let message = format!(
            "a certificate valid from {} to {} would outlive or predate its CA, which is valid from \
             {} to {}; apply again once the operator has rolled the CA's key over",
            validity.first_day(),
            validity.last_day(),
            of_ca.first_day(),
            of_ca.last_day()
        );
        return Err(one("order.kind", "CA_EXPIRES_FIRST", message));
    }
    let serial = Serial::draw(randomness).map_err(NoDraft::Randomness)?;
    let blueprint = Blueprint {
        subject: &wanted.subject,
        particulars: &particulars,
        public_key: &public_key,
        serial,
        validity,
    };
    let linted = build(&ca, &blueprint)?;
    Ok(Draft {
        branch: wanted.branch,
        kind: wanted.kind,
        subject: wanted.subject,
        key_digest: public_key.digest(),
        ca,
        serial,
        validity,
        linted,
    })
}

/// Builds and lints. What fails here is a fault of ours, not the applicant's; the order is refused
/// for good all the same, for the next try would be no different.
pub(super) fn build(ca: &Ca, blueprint: &Blueprint<'_>) -> Result<Linted, NoDraft> {
    let refused = || {
        let message = "the certificate could not be built as its profile wants; the operator of the \
                       issuer finds the cause in its log";
        one("order", "ISSUANCE_LINT_REFUSED", message)
    };
    let tbs = tbs::build(&ca.issuer, blueprint).map_err(|error| {
        tracing::error!(%error, kind = %blueprint.particulars.kind(), "a certificate could not be built");
        refused()
    })?;
    lint::lint_certificate(&ca.issuer, blueprint, tbs).map_err(|error| {
        tracing::error!(%error, kind = %blueprint.particulars.kind(), "the lint refused a certificate");
        refused()
    })
}

fn check(wanted: &Wanted) -> Result<Checked, Faults> {
    let mut faults = Faults::new();
    let requested = Requested {
        dns_names: &wanted.dns_names,
        mail: wanted.mail.as_deref(),
        login: wanted.login_role.map(|role| (role, wanted.branch)),
    };
    let particulars = keep(
        &mut faults,
        Particulars::try_new("order", wanted.kind, &requested),
    );
    if let Some(particulars) = &particulars {
        faults.keep(particulars.check_subject("order.subject", &wanted.subject));
    }
    check_names(wanted, &mut faults);
    let field = "order.subject_public_key_info";
    let public_key = keep(
        &mut faults,
        SubjectPublicKey::parse(field, &wanted.public_key),
    );
    match (particulars, public_key) {
        (Some(particulars), Some(public_key)) if faults.is_empty() => Ok(Checked {
            particulars,
            public_key,
        }),
        _ => Err(faults),
    }
}

/// What the kind asks of branch and names beyond their spelling.
fn check_names(wanted: &Wanted, faults: &mut Faults) {
    let kind = wanted.kind;
    if wanted.branch.is_none() && kind != CertificateKind::Login {
        let message = format!("a {kind} certificate is applied for by a branch; name it");
        faults.push("order.branch", "BRANCH_MISSING", message);
    }
    if wanted.subject.unit.is_none() && kind.needs_registered_organization() {
        let message = format!("a {kind} certificate names a unit; name it");
        faults.push("order.subject.unit", "UNIT_MISSING", message);
    }
    let name = &wanted.subject.name;
    let is_account = name.en().ends_with(ACCOUNT_SUFFIX) && name.ja().ends_with(ACCOUNT_SUFFIX_JA);
    if kind.needs_registered_account() && !is_account {
        let message =
            format!("a {kind} certificate's name ends in {ACCOUNT_SUFFIX} and {ACCOUNT_SUFFIX_JA}");
        faults.push("order.subject.name", "ACCOUNT_SUFFIX_MISSING", message);
    }
}

fn keep<T>(faults: &mut Faults, checked: Result<T, Faults>) -> Option<T> {
    match checked {
        Ok(value) => Some(value),
        Err(wrong) => {
            faults.append(wrong);
            None
        }
    }
}

pub(super) fn one(field: &str, reason: &'static str, message: impl Into<String>) -> NoDraft {
    let mut faults = Faults::new();
    faults.add(Fault::new(field, reason, message));
    NoDraft::Refused(faults)
}
