//! The first offices: operators, auditors, and the officers of some branches, with login cards or
//! login data.

use std::{path::Path, path::PathBuf};

use lgpki_domain::{
    Authority, BodyCode, KeyAlgorithm, KeyMedium, Names, OfficerRole, Randomness, Serial, Subject,
    directory::Body, prefecture::synthetic_bodies,
};
use lgpki_issuer::{Ceremony, ceremony::Login};
use lgpki_keys::{Passphrase, Signer, SoftwareKey};
use lgpki_kit::{Pin, Provision};
use lgpki_runtime::{Identity, clock::SystemClock};
use lgpki_x509::{Certificate, pem};

use super::{SERVER_NAME, ca_file, files, to_pem};
use crate::{
    cli::LoginForm,
    error::CommandError,
    office::{FILE, OfficeFile},
};

/// An office that is to get a login.
#[derive(Debug)]
pub(crate) struct Wanted {
    name: String,
    subject: Subject,
    role: OfficerRole,
    body: Option<BodyCode>,
    key: SoftwareKey,
}

impl Wanted {
    /// For whom it is.
    pub(crate) const fn role(&self) -> OfficerRole {
        self.role
    }
}

/// An office's login, issued.
#[derive(Debug)]
pub(crate) struct Card {
    pub(crate) name: String,
    pub(crate) body: Option<BodyCode>,
    key: SoftwareKey,
    certificate: Vec<u8>,
}

impl Card {
    /// The login certificate's serial number.
    pub(crate) fn serial(&self) -> Option<Serial> {
        Certificate::parse(&self.certificate).ok()?.serial()
    }

    /// What the office logs in with; `authority` is the Organization CA's certificate, DER.
    pub(crate) fn identity(&self, authority: &[u8]) -> Result<Identity, CommandError> {
        let key = self.key.to_pkcs8_der().map_err(|e| unusable(&e))?;
        let chain = vec![self.certificate.clone(), authority.to_vec()];
        Identity::try_new(chain, key).map_err(|e| unusable(&e))
    }
}

fn unusable(error: &dyn std::error::Error) -> CommandError {
    CommandError::from_error("a login cannot be used", error)
}

/// Which offices are to get a login.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offices<'a> {
    /// The numbers of operators.
    pub(crate) operators: &'a [u8],
    /// The numbers of auditors.
    pub(crate) auditors: &'a [u8],
    /// The branches whose officers get one each.
    pub(crate) branches: &'a [BodyCode],
}

/// Where and how logins are handed out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handout<'a> {
    /// The directory of the authority.
    pub(crate) dir: &'a Path,
    /// Where intake listens, `host:port`.
    pub(crate) server: &'a str,
    /// Cards or data.
    pub(crate) form: LoginForm,
}

/// The offices wanted; a branch that does not exist is refused before anything is made.
pub(crate) fn wanted(offices: Offices<'_>) -> Result<Vec<Wanted>, CommandError> {
    let bodies = synthetic_bodies();
    let mut wanted = Vec::new();
    for &number in offices.operators {
        wanted.push(central(
            OfficerRole::Operator,
            number,
            "Operator",
            "審査担当",
        )?);
    }
    for &number in offices.auditors {
        wanted.push(central(
            OfficerRole::Auditor,
            number,
            "Auditor",
            "監査担当",
        )?);
    }
    for code in offices.branches {
        let body = bodies.iter().find(|b| b.code == *code).ok_or_else(|| {
            let prefecture = code.prefecture();
            let within = bodies.iter().filter(|b| b.code.prefecture() == prefecture);
            let error = CommandError::new(format!("there is no body {code}"));
            let codes: Vec<_> = within.map(|b| b.code).collect();
            match (codes.first(), codes.last()) {
                (Some(first), Some(last)) => error.hint(format!(
                    "the bodies of prefecture {prefecture:02} are {first} to {last}"
                )),
                _ => error,
            }
        })?;
        body.may_apply()
            .map_err(|fault| CommandError::new(fault.message))?;
        wanted.push(officer(
            body,
            OfficerRole::BranchOfficer,
            "Branch Officer",
            "登録分局責任者",
        )?);
        wanted.push(officer(
            body,
            OfficerRole::LgwanOfficer,
            "LGWAN Officer",
            "LGWAN責任者",
        )?);
    }
    Ok(wanted)
}

/// Refuses offices that have a login already; a login that is lost is applied for or renewed.
pub(crate) fn none_exists(dir: &Path, wanted: &[Wanted]) -> Result<(), CommandError> {
    match wanted
        .iter()
        .find(|w| dir.join("offices").join(&w.name).exists())
    {
        None => Ok(()),
        Some(w) => Err(
            CommandError::new(format!("offices/{} exists already", w.name))
                .hint("move that directory away first if its login is to be replaced"),
        ),
    }
}

fn central(role: OfficerRole, number: u8, en: &str, ja: &str) -> Result<Wanted, CommandError> {
    let subject = Subject {
        body: names("LGWAN Operator", "LGWAN運営主体")?,
        unit: None,
        name: names(&format!("{en} {number}"), &format!("{ja}{number}"))?,
    };
    Ok(Wanted {
        name: format!("{role}-{number}"),
        subject,
        role,
        body: None,
        key: generate()?,
    })
}

fn officer(body: &Body, role: OfficerRole, en: &str, ja: &str) -> Result<Wanted, CommandError> {
    let subject = Subject {
        body: body.names.clone(),
        unit: None,
        name: names(en, ja)?,
    };
    let code = body.code;
    Ok(Wanted {
        name: format!("{role}-{code}"),
        subject,
        role,
        body: Some(code),
        key: generate()?,
    })
}

fn names(en: &str, ja: &str) -> Result<Names, CommandError> {
    Names::try_new("name", en, ja).map_err(|faults| {
        CommandError::new(
            faults
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("; "),
        )
    })
}

fn generate() -> Result<SoftwareKey, CommandError> {
    SoftwareKey::generate(KeyAlgorithm::P256)
        .map_err(|e| CommandError::from_error("cannot make a key", &e))
}

/// Issues the login certificates, as ceremony applications with intents like any others.
pub(crate) async fn issue(
    ceremony: &Ceremony,
    wanted: Vec<Wanted>,
) -> Result<Vec<Card>, CommandError> {
    let logins = wanted
        .iter()
        .map(|w| Login {
            subject: w.subject.clone(),
            role: w.role,
            body: w.body,
            public_key: w.key.public_key().der().to_vec(),
        })
        .collect();
    let issued = ceremony.issue_logins(logins).await.map_err(|e| {
        CommandError::from_error("the first login certificates were not issued", &e)
    })?;
    let cards = wanted.into_iter().zip(issued);
    Ok(cards
        .map(|(w, login)| Card {
            name: w.name,
            body: w.body,
            key: w.key,
            certificate: login.certificate.der,
        })
        .collect())
}

/// Writes each office's directory: the card or the login data, its PIN, and the way to intake.
pub(crate) fn hand_out(
    handout: Handout<'_>,
    cards: &[Card],
    randomness: &dyn Randomness,
) -> Result<(), CommandError> {
    let path = ca_file(handout.dir, Authority::Organization);
    let text = std::fs::read(&path).map_err(|e| CommandError::file("read", &path, &e))?;
    let cas = pem::decode_all(pem::Label::Certificate, &text)
        .map_err(|e| CommandError::from_error(&path.display().to_string(), &e))?;
    for card in cards {
        let dir = handout.dir.join("offices").join(&card.name);
        let chain = to_pem(&card.certificate)? + &to_pem(certifier(&cas, &card.certificate)?)?;
        files::public(&dir.join("login.pem"), chain.as_bytes())?;
        let pin = draw_pin(&dir, randomness)?;
        let office = match handout.form {
            LoginForm::Card => on_card(&dir, card, &pin, &chain, randomness)?,
            LoginForm::Data => as_data(&dir, card, &pin)?,
        };
        let office = OfficeFile {
            server: handout.server.to_owned(),
            ..office
        };
        let text = toml::to_string(&office)
            .map_err(|e| CommandError::from_error("office.toml cannot be written", &e))?;
        files::public(&dir.join(FILE), text.as_bytes())?;
    }
    Ok(())
}

/// Which of a CA's certificates, one per generation of its key, a login was issued under.
fn certifier<'a>(cas: &'a [Vec<u8>], login: &[u8]) -> Result<&'a [u8], CommandError> {
    let signed = Certificate::parse(login)
        .map_err(|e| CommandError::from_error("a login certificate", &e))?;
    let signs = |ca: &Certificate| ca.public_key().is_some_and(|key| signed.is_signed_by(key));
    cas.iter()
        .map(Vec::as_slice)
        .find(|ca| Certificate::parse(ca).is_ok_and(|ca| signs(&ca)))
        .ok_or_else(|| {
            CommandError::new("no certificate of the Organization CA has signed the login")
        })
}

fn office() -> OfficeFile {
    OfficeFile {
        server: String::new(),
        server_name: SERVER_NAME.to_owned(),
        service_ca: PathBuf::from("../../tls/service-ca.pem"),
        card: None,
        certificate: None,
        key: None,
        pin_file: Some(PathBuf::from("pin")),
    }
}

fn on_card(
    dir: &Path,
    card: &Card,
    pin: &Pin,
    chain: &str,
    randomness: &dyn Randomness,
) -> Result<OfficeFile, CommandError> {
    let provision = Provision {
        medium: KeyMedium::IcCard,
        pin,
        key: &card.key,
        certificate: chain.as_bytes(),
    };
    provision
        .write(&dir.join("card"), &SystemClock, randomness)
        .map_err(|e| CommandError::from_error("a login card cannot be written", &e))?;
    Ok(OfficeFile {
        card: Some(PathBuf::from("card")),
        ..office()
    })
}

fn as_data(dir: &Path, card: &Card, pin: &Pin) -> Result<OfficeFile, CommandError> {
    let passphrase: &Passphrase = pin.as_passphrase();
    let pem = card
        .key
        .to_encrypted_pkcs8_pem(passphrase)
        .map_err(|e| CommandError::from_error("login data cannot be encrypted", &e))?;
    files::private(&dir.join("login.key.pem"), pem.as_bytes())?;
    Ok(OfficeFile {
        certificate: Some(PathBuf::from("login.pem")),
        key: Some(PathBuf::from("login.key.pem")),
        ..office()
    })
}

/// Draws a PIN of twelve digits and writes it beside the card.
fn draw_pin(dir: &Path, randomness: &dyn Randomness) -> Result<Pin, CommandError> {
    let mut bytes = [0; 8];
    randomness
        .fill(&mut bytes)
        .map_err(|e| CommandError::from_error("PIN", &e))?;
    let text = format!("{:012}", u64::from_be_bytes(bytes) % 1_000_000_000_000);
    files::private(&dir.join("pin"), text.as_bytes())?;
    Pin::try_new(&text).map_err(|e| CommandError::from_error("PIN", &e))
}
