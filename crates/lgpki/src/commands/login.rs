//! `lgpki operator renew-login`: an office renews the login certificate that it is logged in with (R2, R3).
//!
//! Key and CSR are kept in the office's directory before anything is applied for, and the request id
//! follows from the CSR, so that the command given again goes on where it stood. The new login takes its
//! place in `office.toml` before its arrival is confirmed, for with that the old one is revoked.

mod fetched;

use std::{
    fs,
    path::{Path, PathBuf},
};

use lgpki_domain::{KeyMedium, RequestId};
use lgpki_keys::{Signer, SoftwareKey, write_private};
use lgpki_proto::{
    convert::wire,
    v1::{
        self, application_service_client::ApplicationServiceClient,
        submit_application_request::Content,
    },
};
use lgpki_x509::{
    certificate::Certificate,
    key::{SubjectPublicKey, sha256},
    request,
};
use tonic::Code;

use super::{
    application::{ApplicationView, application_sheet, state},
    ceremony, cirs, submit,
};
use crate::{cli::RenewLoginArgs, error::CommandError, office::Office, output::Output};

/// The directory within the office's in which the new login comes into being.
const PENDING: &str = "renewal";

/// A renewal under way, as it lies in the office's directory.
struct Pending {
    dir: PathBuf,
    csr: Vec<u8>,
    request_id: RequestId,
}

/// Applies, or goes on with what was applied for.
pub(crate) async fn run(
    office: &Office,
    args: &RenewLoginArgs,
    output: Output,
) -> Result<(), CommandError> {
    use v1::ApplicationState as S;
    let pending = Pending::open(office, args.anew)?;
    let application = match pending.find(office).await? {
        Some(application) => application,
        None => pending.apply(office, args).await?,
    };
    match application.state() {
        S::Issued | S::Delivered => {}
        S::Rejected | S::Withdrawn | S::Failed => {
            let (id, state) = (&application.id, state(&application));
            let message = match application.reason.as_str() {
                "" => format!("application {id} is {state}"),
                reason => format!("application {id} is {state}: {reason}"),
            };
            return Err(CommandError::new(message).hint(
                "its key is not applied for again; give the command with --anew for another one",
            ));
        }
        _ if args.wait => cirs::watch(office, vec![application.id.clone()], None, output).await?,
        _ => {
            waits(&application, office, output);
            return Ok(());
        }
    }
    let fetched = fetched::fetch(office, &application.id, &pending.dir).await?;
    fetched.install(office, &pending.dir)?;
    fetched::confirm(office, &application.id).await?;
    remove(&pending.dir)?;
    let told = serde_json::json!({ "serial": fetched.serial, "login": fetched.place() });
    output.result(&told, || {
        format!(
            "{} logs in now with {}",
            office.dir().display(),
            fetched.place()
        )
    });
    output.say("the old login certificate is revoked; destroy its key");
    Ok(())
}

fn waits(application: &v1::Application, office: &Office, output: Output) {
    output.result(&ApplicationView::from(application), || {
        application_sheet(application)
    });
    output.say(format!(
        "an operator, another one if you are one, examines it: lgpki operator --as OFFICE approve {}",
        application.id
    ));
    let next = office.command("operator", "renew-login --examined-by OFFICE");
    output.say(format!("next, when it is issued: {next}"));
}

impl Pending {
    /// What an earlier run left, or a new key with its CSR.
    fn open(office: &Office, anew: bool) -> Result<Self, CommandError> {
        let dir = office.dir().join(PENDING);
        if anew {
            remove(&dir)?;
        }
        let path = dir.join("request.csr");
        if !path.exists() {
            // A key without its CSR was never applied for.
            remove(&dir)?;
            prepare(office, &dir, &path)?;
        }
        let csr = fs::read(&path).map_err(|e| CommandError::file("read", &path, &e))?;
        let digest = sha256(&csr).to_string();
        let request_id = format!("login-{}", &digest[..32])
            .parse()
            .map_err(|e| CommandError::from_error("request id", &e))?;
        Ok(Self {
            dir,
            csr,
            request_id,
        })
    }

    async fn find(&self, office: &Office) -> Result<Option<v1::Application>, CommandError> {
        let request = v1::GetApplicationRequest {
            id: String::new(),
            branch: office.branch_or_none(),
            request_id: self.request_id.to_string(),
        };
        let mut client = ApplicationServiceClient::new(office.channel());
        match client.get_application(request).await {
            Ok(answer) => Ok(answer.into_inner().application),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(status.into()),
        }
    }

    async fn apply(
        &self,
        office: &Office,
        args: &RenewLoginArgs,
    ) -> Result<v1::Application, CommandError> {
        let on_card = office.file().card.is_some();
        let medium = if on_card {
            KeyMedium::IcCard
        } else {
            KeyMedium::UsbToken
        };
        let content = v1::RenewContent {
            serial: office.serial().cloned().unwrap_or_default(),
            csr: self.csr.clone(),
            medium: wire(medium),
            ..v1::RenewContent::default()
        };
        let branch = office.branch_or_none();
        let mut request = submit::build(branch, &args.examiner, Content::Renew(content))?;
        request.request_id = self.request_id.to_string();
        let mut client = ApplicationServiceClient::new(office.channel());
        let answer = client.submit_application(request).await?.into_inner();
        answer
            .application
            .ok_or_else(|| CommandError::new("the server answered without an application"))
    }
}

/// Makes a key pair like the old one and a CSR for the same names.
fn prepare(office: &Office, dir: &Path, csr: &Path) -> Result<(), CommandError> {
    let unreadable = || CommandError::new("the login certificate in use cannot be read");
    let old = Certificate::parse(office.login())
        .map_err(|e| CommandError::from_error("the login certificate in use", &e))?;
    let subject = old.subject().ok_or_else(unreadable)?;
    let particulars = old.particulars().ok_or_else(unreadable)?;
    let algorithm = old.public_key().ok_or_else(unreadable)?.algorithm();
    let failed = |e: &dyn std::error::Error| CommandError::from_error("cannot make a key", e);
    let key = SoftwareKey::generate(algorithm).map_err(|e| failed(&e))?;
    let public = SubjectPublicKey::parse("key", key.public_key().der())
        .map_err(|faults| CommandError::new(format!("cannot make a key: {faults:?}")))?;
    let info = request::build_info(&subject, &particulars, &public).map_err(|e| failed(&e))?;
    let signature = key.sign(&info).map_err(|e| failed(&e))?;
    let made = request::assemble(info, key.algorithm().signature(), &signature);
    let secret = key
        .to_encrypted_pkcs8_pem(office.pin().as_passphrase())
        .map_err(|e| failed(&e))?;
    fs::create_dir_all(dir).map_err(|e| CommandError::file("make", dir, &e))?;
    let path = dir.join(fetched::KEY);
    write_private(&path, secret.as_bytes())
        .map_err(|e| CommandError::from_error(&format!("cannot write {}", path.display()), &e))?;
    // The CSR last: where it stands, its key does.
    let text = lgpki_x509::pem::encode(lgpki_x509::pem::Label::CertificateRequest, &made)
        .map_err(|e| failed(&e))?;
    ceremony::replace(csr, &text)
}

/// Removes a directory, if it is there.
fn remove(dir: &Path) -> Result<(), CommandError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(CommandError::file("remove", dir, &error))
        }
        _ => Ok(()),
    }
}
