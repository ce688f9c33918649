//! What subscribers of a replay ask for: made-up names, registered where they must be, and real requests with P-256
//! keys, none of which comes twice.

use lgpki_domain::{CertificateKind, KeyAlgorithm, KeyMedium, Names, Subject, directory::Body};
use lgpki_keys::{Signer as _, SoftwareKey};
use lgpki_proto::{convert::wire, v1};
use lgpki_x509::{
    key::SubjectPublicKey,
    particulars::{Particulars, Requested},
    request,
};

use crate::error::CommandError;

/// The unit that every body has registered.
const UNIT: (&str, &str) = ("General Affairs Department", "総務部");
/// Of so many certificates of a branch, which kinds they are; assumed.
const KINDS: [CertificateKind; 10] = [
    CertificateKind::OfficialDuty,
    CertificateKind::OfficialDuty,
    CertificateKind::WebServer,
    CertificateKind::OfficialDuty,
    CertificateKind::User,
    CertificateKind::OfficialDuty,
    CertificateKind::OfficialDuty,
    CertificateKind::WebServer,
    CertificateKind::Mail,
    CertificateKind::OfficialDuty,
];

/// One certificate's holder: the same subject for the first certificate and its renewal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holder<'b> {
    /// Whose it is.
    pub(super) body: &'b Body,
    /// Counted within the body.
    pub(super) number: u32,
}

impl Holder<'_> {
    /// The kind of certificate.
    pub(super) fn kind(self) -> CertificateKind {
        // Not every body begins with the same kind.
        let number = self.number.wrapping_add(self.body.code.number());
        let place = usize::try_from(number).unwrap_or_default() % KINDS.len();
        KINDS
            .get(place)
            .copied()
            .unwrap_or(CertificateKind::OfficialDuty)
    }

    fn medium(self) -> KeyMedium {
        match self.kind() {
            CertificateKind::WebServer => KeyMedium::Server,
            _ => KeyMedium::IcCard,
        }
    }

    fn name(self) -> Result<Names, CommandError> {
        let number = self.number;
        match self.kind() {
            CertificateKind::WebServer => names(&self.host(), &format!("公式サイト{number:05}")),
            CertificateKind::User => names(
                &format!("clerk-{number:05}-lgacc"),
                &format!("担当{number:05}（利用者）"),
            ),
            CertificateKind::Mail => {
                names(&format!("Mail {number:05}"), &format!("メール{number:05}"))
            }
            _ => names(&format!("Post {number:05}"), &format!("職{number:05}")),
        }
    }

    fn host(self) -> String {
        format!("www{:05}.b{}.lg.jp", self.number, self.body.code)
    }

    fn mail(self) -> String {
        match self.kind() {
            CertificateKind::Mail => format!("post{:05}@b{}.lg.jp", self.number, self.body.code),
            _ => String::new(),
        }
    }

    fn dns_names(self) -> Vec<String> {
        match self.kind() {
            CertificateKind::WebServer => vec![self.host()],
            _ => Vec::new(),
        }
    }

    fn subject(self) -> Result<Subject, CommandError> {
        let registered = self.kind().needs_registered_organization();
        Ok(Subject {
            body: self.body.names.clone(),
            unit: registered.then(|| names(UNIT.0, UNIT.1)).transpose()?,
            name: self.name()?,
        })
    }

    /// What the account directory must have, if anything.
    pub(super) fn account(self) -> Result<Option<v1::Account>, CommandError> {
        if !self.kind().needs_registered_account() {
            return Ok(None);
        }
        Ok(Some(v1::Account {
            unit_en: UNIT.0.to_owned(),
            names: Some((&self.name()?).into()),
        }))
    }

    /// Asks for a first certificate.
    pub(super) fn issue(self) -> Result<v1::IssueContent, CommandError> {
        let subject = self.subject()?;
        Ok(v1::IssueContent {
            kind: wire(self.kind()),
            csr: self.request(&subject)?,
            subject: Some((&subject).into()),
            medium: wire(self.medium()),
            dns_names: self.dns_names(),
            mail_address: self.mail(),
            ..v1::IssueContent::default()
        })
    }

    /// Asks for the renewal of the certificate with this serial number, in its slot if there is a token.
    pub(super) fn renew(
        self,
        serial: &str,
        slot_token: String,
    ) -> Result<v1::RenewContent, CommandError> {
        Ok(v1::RenewContent {
            serial: serial.to_owned(),
            csr: self.request(&self.subject()?)?,
            medium: wire(self.medium()),
            slot_token,
        })
    }

    /// A request with a new key, which is then forgotten: nobody uses the certificates of a replay.
    fn request(self, subject: &Subject) -> Result<Vec<u8>, CommandError> {
        let failed = |e: &dyn std::error::Error| CommandError::from_error("a request", e);
        let key = SoftwareKey::generate(KeyAlgorithm::P256).map_err(|e| failed(&e))?;
        let public = SubjectPublicKey::parse("key", key.public_key().der());
        let public = public.map_err(|e| failed(&e))?;
        let (hosts, mail) = (self.dns_names(), self.mail());
        let requested = Requested {
            dns_names: &hosts,
            mail: Some(mail.as_str()).filter(|mail| !mail.is_empty()),
            login: None,
        };
        let particulars = Particulars::try_new("request", self.kind(), &requested);
        let particulars = particulars.map_err(|e| failed(&e))?;
        let info = request::build_info(subject, &particulars, &public).map_err(|e| failed(&e))?;
        let signature = key.sign(&info).map_err(|e| failed(&e))?;
        Ok(request::assemble(
            info,
            key.algorithm().signature(),
            &signature,
        ))
    }
}

/// The unit that every body registers.
pub(super) fn unit() -> v1::Organization {
    v1::Organization {
        names: Some(v1::Names {
            en: UNIT.0.to_owned(),
            ja: UNIT.1.to_owned(),
        }),
    }
}

/// The examination that a branch has made on `day`.
pub(super) fn examined(day: lgpki_domain::JstDate) -> v1::BranchExamination {
    v1::BranchExamination {
        office: String::from("総務課長"),
        examiner_name: String::new(),
        approved: true,
        decided_on: day.to_string(),
    }
}

fn names(en: &str, ja: &str) -> Result<Names, CommandError> {
    Names::try_new("name", en, ja).map_err(|faults| {
        let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
        CommandError::new(faults.join("; "))
    })
}

#[cfg(test)]
mod tests {
    use lgpki_domain::prefecture::synthetic_bodies;
    use lgpki_x509::csr::CertificationRequest;

    use super::*;

    #[test]
    fn every_kind_of_holder_has_a_name_of_its_own_and_a_request_that_is_found_good() {
        let bodies = synthetic_bodies();
        let holder = |number| Holder {
            body: &bodies[0],
            number,
        };
        let mut seen = std::collections::BTreeSet::new();
        for number in 0..10 {
            let holder = holder(number);
            let wish = holder.issue().unwrap();
            let request = CertificationRequest::parse("csr", &wish.csr).unwrap();
            assert!(seen.insert(request.public_key().digest()));
            let (again, renewal) = (
                holder.issue().unwrap(),
                holder.renew("01", String::new()).unwrap(),
            );
            assert_eq!(again.subject, wish.subject);
            assert_eq!(renewal.medium, wish.medium);
            let needs = holder.kind().needs_registered_account();
            assert_eq!(holder.account().unwrap().is_some(), needs);
        }
        let kinds: std::collections::BTreeSet<_> = (0..10).map(|n| holder(n).kind()).collect();
        assert_eq!(kinds.len(), 4);
    }
}
