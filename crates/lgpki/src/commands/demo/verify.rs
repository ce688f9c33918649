//! Reads everything again: certificates field by field with the second reader, CRLs, and all of it
//! with OpenSSL where it is installed.

use std::{fs, path::Path};

use lgpki_domain::{Authority, Clock, Names, Subject, Validity, name};
use lgpki_runtime::clock::SystemClock;
use lgpki_x509::{
    certificate::Certificate,
    crl::RevocationList,
    pem,
    reader::{self, ReadCertificate},
};
use tokio::process::Command;

use super::{applicants::Applicant, revocation::Crl, world::World};
use crate::error::CommandError;

/// What was compared.
#[derive(Debug, Default)]
pub(super) struct Checks {
    /// Certificates read by the second reader.
    pub(super) certificates: usize,
    /// Fields compared with the applications.
    pub(super) fields: usize,
    /// CRLs read.
    pub(super) crls: usize,
    /// What OpenSSL is, where it is installed.
    pub(super) openssl: Option<String>,
}

impl Checks {
    /// For people.
    pub(super) fn sentence(&self) -> String {
        let openssl = match &self.openssl {
            Some(version) => format!(
                "{version} accepts every certificate but the revoked one, refuses that one as revoked, \
                 and hears the same from the OCSP responder"
            ),
            None => String::from(
                "openssl is not installed (Debian package openssl), so its opinion is missing",
            ),
        };
        format!(
            "{} certificates and {} CRLs were read by the second reader, {} fields equal to the \
             applications; {openssl}",
            self.certificates, self.crls, self.fields
        )
    }
}

/// Checks everything.
pub(super) async fn all(
    world: &World,
    applicants: &[Applicant],
    crls: &[Crl],
) -> Result<Checks, CommandError> {
    let mut checks = Checks::default();
    for applicant in applicants {
        checks.fields += certificate(world, applicant)?;
        checks.certificates += 1;
    }
    for crl in crls {
        list(world, applicants, crl)?;
        checks.crls += 1;
    }
    checks.openssl = openssl(world, applicants, crls).await?;
    Ok(checks)
}

/// Compares a certificate with its application; answers how many fields were compared.
fn certificate(world: &World, applicant: &Applicant) -> Result<usize, CommandError> {
    let der = applicant
        .der()
        .ok_or_else(|| CommandError::new("there is no certificate"))?;
    let read = reader::read_back(der)
        .map_err(|e| CommandError::from_error("the second reader cannot read it", &e))?;
    let mut compared = Compared {
        label: applicant.label,
        fields: 0,
    };
    names(&mut compared, &applicant.subject, &read)?;
    let day = SystemClock.now().jst_date();
    let validity = Validity::for_subscriber(day);
    // The certificate may have been made just before midnight.
    let before = Validity::for_subscriber(day.plus_days(-1));
    let expected = if read.not_before == before.not_before() {
        before
    } else {
        validity
    };
    compared.equal("notBefore", &read.not_before, &expected.not_before())?;
    compared.equal("notAfter", &read.not_after, &expected.not_after())?;
    compared.equal("dNSName", &read.dns_names, &applicant.content.dns_names)?;
    let mail = &applicant.content.mail_address;
    let mails: Vec<_> = Some(mail.clone())
        .filter(|m| !m.is_empty())
        .into_iter()
        .collect();
    compared.equal("rfc822Name", &read.mail_addresses, &mails)?;
    let request = lgpki_x509::csr::CertificationRequest::parse("csr", &applicant.content.csr)
        .map_err(|e| CommandError::from_error("the CSR", &e))?;
    let key = request.public_key().der();
    let same_key = !read.public_key.is_empty() && key.ends_with(&read.public_key);
    compared.equal("public key", &same_key, &true)?;
    let kind = Certificate::parse(der).ok().and_then(|c| c.kind());
    compared.equal("kind", &kind, &Some(applicant.kind))?;
    let ca = applicant
        .kind
        .authority()
        .map(|a| world.authority(a))
        .transpose()?;
    let signed = ca.is_some_and(|ca| reader::is_signed_by(der, &ca));
    compared.equal("signature", &signed, &true)?;
    Ok(compared.fields)
}

fn names(
    compared: &mut Compared,
    subject: &Subject,
    read: &ReadCertificate,
) -> Result<(), CommandError> {
    let shape = |state: &str, language: fn(&Names) -> &str| {
        let mut values = vec![
            "JP".to_owned(),
            state.to_owned(),
            language(&subject.body).to_owned(),
        ];
        values.extend(subject.unit.as_ref().map(|unit| language(unit).to_owned()));
        values.push(language(&subject.name).to_owned());
        values
    };
    let values = |attributes: &[lgpki_x509::Attribute]| -> Vec<String> {
        attributes.iter().map(|a| a.value().to_owned()).collect()
    };
    compared.equal(
        "subject",
        &values(&read.subject),
        &shape(name::LOCAL_GOVERNMENTS, Names::en),
    )?;
    let japanese = shape(name::LOCAL_GOVERNMENTS_JA, Names::ja);
    compared.equal("subjectAltName", &values(&read.japanese_name), &japanese)
}

struct Compared {
    label: &'static str,
    fields: usize,
}

impl Compared {
    fn equal<T: PartialEq + std::fmt::Debug>(
        &mut self,
        field: &str,
        found: &T,
        wanted: &T,
    ) -> Result<(), CommandError> {
        self.fields += 1;
        if found == wanted {
            return Ok(());
        }
        let label = self.label;
        Err(CommandError::new(format!(
            "{label}: {field} is {found:?}, the application says {wanted:?}"
        )))
    }
}

/// A CRL lists the revoked certificate if it is of its CA, and nothing else of ours.
fn list(world: &World, applicants: &[Applicant], crl: &Crl) -> Result<(), CommandError> {
    let wrong = |e: &dyn std::error::Error| CommandError::from_error(&crl.url, e);
    let list = RevocationList::parse(&crl.der).map_err(|e| wrong(&e))?;
    let ca = Certificate::parse(&world.authority(crl.authority)?).map_err(|e| wrong(&e))?;
    if !ca.public_key().is_some_and(|key| list.is_signed_by(key)) {
        return Err(CommandError::new(format!(
            "{} is not signed by its CA",
            crl.url
        )));
    }
    for applicant in applicants
        .iter()
        .filter(|a| a.kind.authority() == Some(crl.authority))
    {
        let serial = applicant.serial().parse().map_err(|e| wrong(&e))?;
        if list.find(serial).is_some() != applicant.revoked {
            return Err(CommandError::new(format!(
                "{} is wrong about {}",
                crl.url, applicant.label
            )));
        }
    }
    Ok(())
}

/// Lets OpenSSL judge every certificate; `None` if it is not installed.
async fn openssl(
    world: &World,
    applicants: &[Applicant],
    crls: &[Crl],
) -> Result<Option<String>, CommandError> {
    let Ok(version) = Command::new("openssl").arg("version").output().await else {
        return Ok(None);
    };
    let version = String::from_utf8_lossy(&version.stdout);
    let dir = world.dir().join("openssl");
    fs::create_dir_all(&dir).map_err(|e| CommandError::file("make", &dir, &e))?;
    for crl in crls {
        let text = pem::encode(pem::Label::Crl, &crl.der)
            .map_err(|e| CommandError::from_error("PEM", &e))?;
        put(&dir.join(format!("{}.crl.pem", crl.authority)), &text)?;
    }
    for (authority, text) in world.authorities()? {
        put(&dir.join(format!("{authority}.pem")), &text)?;
    }
    for applicant in applicants {
        let (Some(authority), Some(der)) = (applicant.kind.authority(), applicant.der()) else {
            continue;
        };
        judge(&dir, authority, applicant, der).await?;
        ask(&dir, authority, applicant, der).await?;
    }
    let short: Vec<_> = version.split_whitespace().take(2).collect();
    Ok(Some(short.join(" ")))
}

async fn judge(
    dir: &Path,
    authority: Authority,
    applicant: &Applicant,
    der: &[u8],
) -> Result<(), CommandError> {
    let file = dir.join(format!("{}.pem", applicant.label));
    let text = pem::encode(pem::Label::Certificate, der)
        .map_err(|e| CommandError::from_error("PEM", &e))?;
    put(&file, &text)?;
    let output = Command::new("openssl")
        .args(["verify", "-x509_strict", "-crl_check", "-CAfile"])
        .arg(dir.join(format!("{authority}.pem")))
        .arg("-CRLfile")
        .arg(dir.join(format!("{authority}.crl.pem")))
        .arg(&file)
        .output()
        .await
        .map_err(|e| CommandError::from_error("openssl", &e))?;
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let as_expected = if applicant.revoked {
        !output.status.success() && said.contains("certificate revoked")
    } else {
        output.status.success()
    };
    if as_expected {
        return Ok(());
    }
    Err(CommandError::new(format!(
        "openssl verify says of {}: {}",
        applicant.label,
        said.trim()
    )))
}

/// Asks the OCSP responder that the certificate names.
async fn ask(
    dir: &Path,
    authority: Authority,
    applicant: &Applicant,
    der: &[u8],
) -> Result<(), CommandError> {
    let read = Certificate::parse(der).map_err(|e| CommandError::from_error("certificate", &e))?;
    let Some(address) = read.ocsp_addresses().first() else {
        let message = format!("{} names no OCSP responder", applicant.label);
        return Err(CommandError::new(message));
    };
    let ca = dir.join(format!("{authority}.pem"));
    let output = Command::new("openssl")
        .args(["ocsp", "-nonce", "-url", address, "-CAfile"])
        .arg(&ca)
        .arg("-issuer")
        .arg(&ca)
        .arg("-cert")
        .arg(dir.join(format!("{}.pem", applicant.label)))
        .output()
        .await
        .map_err(|e| CommandError::from_error("openssl", &e))?;
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let state = if applicant.revoked {
        ": revoked"
    } else {
        ": good"
    };
    if said.contains("Response verify OK") && said.contains(state) {
        return Ok(());
    }
    Err(CommandError::new(format!(
        "openssl ocsp says of {}: {}",
        applicant.label,
        said.trim()
    )))
}

fn put(path: &Path, text: &str) -> Result<(), CommandError> {
    fs::write(path, text).map_err(|e| CommandError::file("write", path, &e))
}
