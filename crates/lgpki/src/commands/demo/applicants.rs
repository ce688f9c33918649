//! The demonstration's subscribers, from a formatted medium to a stored certificate; what lies between
//! is the registration branches' business.

use std::path::PathBuf;

use lgpki_domain::{
    ApplicationId, BodyCode, CertificateKind, KeyAlgorithm, KeyMedium, Names, OfficerRole, Subject,
};
use lgpki_keys::{Signer, SoftwareKey};
use lgpki_kit::{Format, Order, SetUp};
use lgpki_proto::{
    convert::{wire, wire_or_unset},
    v1,
};
use lgpki_x509::{
    certificate::Certificate,
    key::SubjectPublicKey,
    particulars::{Particulars, Requested},
    pem, request,
};

use super::world::{ACCOUNTS, BRANCHES, UNIT, World, body, checked, pin};
use crate::error::CommandError;

/// The host of the web-server certificate.
const HOST: &str = "www.city.example.lg.jp";
/// The address of the mail certificate.
const MAIL: &str = "general-affairs@city.example.lg.jp";

/// A subscriber and what became of the application.
#[derive(Clone, Debug)]
pub(super) struct Applicant {
    /// The name of its files: the kind, or `revoked`.
    pub(super) label: &'static str,
    pub(super) kind: CertificateKind,
    pub(super) branch: BodyCode,
    pub(super) subject: Subject,
    /// The medium; the web server keeps its own key.
    pub(super) medium: Option<PathBuf>,
    /// What is submitted.
    pub(super) content: v1::IssueContent,
    /// Its number, once submitted.
    pub(super) application: Option<ApplicationId>,
    /// The certificate and its CA's, once downloaded, DER.
    pub(super) certificate: Option<(Vec<u8>, Vec<u8>)>,
    /// Whether it is the one that is revoked in the end.
    pub(super) revoked: bool,
}

impl Applicant {
    /// The certificate's serial number; empty before it is there.
    pub(super) fn serial(&self) -> String {
        let serial = self
            .der()
            .and_then(|der| Certificate::parse(der).ok()?.serial());
        serial.map(|s| s.to_string()).unwrap_or_default()
    }

    /// The certificate, DER.
    pub(super) fn der(&self) -> Option<&[u8]> {
        self.certificate.as_ref().map(|(der, _)| der.as_slice())
    }

    /// The application's number as text.
    pub(super) fn number(&self) -> String {
        self.application
            .map(|id| id.to_string())
            .unwrap_or_default()
    }
}

/// What a subscriber wants.
struct Wish {
    label: &'static str,
    kind: CertificateKind,
    branch: &'static str,
    medium: KeyMedium,
    name: (&'static str, &'static str),
    mail: Option<&'static str>,
    login: Option<OfficerRole>,
}

const fn wish(
    label: &'static str,
    kind: CertificateKind,
    branch: &'static str,
    medium: KeyMedium,
    name: (&'static str, &'static str),
) -> Wish {
    Wish {
        label,
        kind,
        branch,
        medium,
        name,
        mail: None,
        login: None,
    }
}

fn wishes() -> [Wish; 7] {
    use CertificateKind as K;
    let card = KeyMedium::IcCard;
    let [first, second, third] = BRANCHES;
    [
        wish(
            "official-duty",
            K::OfficialDuty,
            first,
            card,
            ("Mayor", "市長"),
        ),
        wish("user", K::User, first, card, ACCOUNTS[0]),
        wish("revoked", K::User, first, card, ACCOUNTS[1]),
        Wish {
            login: Some(OfficerRole::BranchOfficer),
            ..wish(
                "login",
                K::Login,
                second,
                card,
                ("Deputy Branch Officer", "登録分局副責任者"),
            )
        },
        Wish {
            mail: Some(MAIL),
            ..wish("mail", K::Mail, second, card, ("General Affairs", "総務課"))
        },
        wish(
            "code-signing",
            K::CodeSigning,
            third,
            KeyMedium::UsbToken,
            ("Form Publisher", "様式発行担当"),
        ),
        wish(
            "web-server",
            K::WebServer,
            third,
            KeyMedium::Server,
            (HOST, "公式サイト"),
        ),
    ]
}

/// Sets up the PCs, formats the media, makes key pairs and CSRs.
pub(super) async fn prepare(world: &World) -> Result<Vec<Applicant>, CommandError> {
    let mut applicants = Vec::new();
    for code in BRANCHES {
        let body = body(code)?;
        let login_certificate = &world.login_certificate(body.code)?;
        let wanted = SetUp {
            body: &body.names,
            code: body.code,
            login_certificate: Some(login_certificate),
        };
        world
            .kit(body.code, "pc-1")?
            .set_up(&wanted)
            .map_err(|e| kit_error(&e))?;
    }
    for wish in wishes() {
        applicants.push(match wish.kind {
            CertificateKind::WebServer => on_server(&wish)?,
            _ => on_medium(world, &wish)?,
        });
        // Making a key takes a moment; the services share the thread.
        tokio::task::yield_now().await;
    }
    Ok(applicants)
}

fn on_medium(world: &World, wish: &Wish) -> Result<Applicant, CommandError> {
    let body = body(wish.branch)?;
    let kit = world.kit(body.code, "pc-1")?;
    let (name, unit, pin) = (checked(wish.name)?, checked(UNIT)?, pin()?);
    let path = world.medium(wish.label);
    let format = Format {
        medium: wish.medium,
        pin: &pin,
        destroy_key: false,
    };
    kit.format(&path, &format).map_err(|e| kit_error(&e))?;
    let order = Order {
        unit: (wish.kind != CertificateKind::Login).then_some(&unit),
        mail: wish.mail,
        login: wish.login,
        ..Order::new(wish.kind, &name)
    };
    let made = kit
        .request(&path, &pin, &order)
        .map_err(|e| kit_error(&e))?;
    Ok(applicant(
        wish,
        body.code,
        made.subject,
        made.csr,
        Some(path),
    ))
}

/// The web server makes its own key and CSR (R6).
fn on_server(wish: &Wish) -> Result<Applicant, CommandError> {
    let body = body(wish.branch)?;
    let subject = Subject {
        body: body.names,
        unit: None,
        name: checked(wish.name)?,
    };
    let csr = server_csr(&subject)?;
    Ok(applicant(wish, body.code, subject, csr, None))
}

fn server_csr(subject: &Subject) -> Result<String, CommandError> {
    let failed = |e: &dyn std::error::Error| CommandError::from_error("the server's CSR", e);
    let key = SoftwareKey::generate(KeyAlgorithm::Rsa2048).map_err(|e| failed(&e))?;
    let public = SubjectPublicKey::parse("key", key.public_key().der()).map_err(|e| failed(&e))?;
    let hosts = [HOST.to_owned()];
    let requested = Requested {
        dns_names: &hosts,
        mail: None,
        login: None,
    };
    let particulars = Particulars::try_new("issue", CertificateKind::WebServer, &requested)
        .map_err(|e| failed(&e))?;
    let info = request::build_info(subject, &particulars, &public).map_err(|e| failed(&e))?;
    let signature = key.sign(&info).map_err(|e| failed(&e))?;
    let der = request::assemble(info, key.algorithm().signature(), &signature);
    pem::encode(pem::Label::CertificateRequest, &der).map_err(|e| failed(&e))
}

fn applicant(
    wish: &Wish,
    branch: BodyCode,
    subject: Subject,
    csr: String,
    medium: Option<PathBuf>,
) -> Applicant {
    let web = wish.kind == CertificateKind::WebServer;
    let content = v1::IssueContent {
        kind: wire(wish.kind),
        subject: Some((&subject).into()),
        csr: csr.into_bytes(),
        medium: wire(wish.medium),
        dns_names: if web {
            vec![HOST.to_owned()]
        } else {
            Vec::new()
        },
        mail_address: wish.mail.unwrap_or_default().to_owned(),
        login_role: wire_or_unset(wish.login),
    };
    Applicant {
        label: wish.label,
        kind: wish.kind,
        branch,
        subject,
        medium,
        content,
        application: None,
        certificate: None,
        revoked: wish.label == "revoked",
    }
}

/// Each subscriber stores the certificate on the medium that made its key, with the same PC and login.
pub(super) async fn store(world: &World, applicants: &[Applicant]) -> Result<(), CommandError> {
    for applicant in applicants {
        let (Some(medium), Some((der, ca))) = (&applicant.medium, &applicant.certificate) else {
            continue;
        };
        let kit = world.kit(applicant.branch, "pc-1")?;
        let stored = kit
            .store(medium, &pin()?, chain(der, ca)?.as_bytes())
            .map_err(|e| kit_error(&e))?;
        if stored.serial != applicant.serial() {
            return Err(CommandError::new(format!(
                "{} stored another certificate",
                applicant.label
            )));
        }
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// A certificate with its CA's, PEM.
pub(super) fn chain(der: &[u8], ca: &[u8]) -> Result<String, CommandError> {
    let text = |der| {
        pem::encode(pem::Label::Certificate, der).map_err(|e| CommandError::from_error("PEM", &e))
    };
    Ok(text(der)? + &text(ca)?)
}

/// A name that nobody registered.
pub(super) fn stranger() -> Result<Names, CommandError> {
    checked(("Phantom Department", "幽霊部"))
}

/// What the standard system refused.
pub(super) fn kit_error(error: &lgpki_kit::KitError) -> CommandError {
    CommandError::from_error("the standard system", error)
}
