//! The offices that send: branch officers with their own logins and connections.

use std::{
    collections::{HashSet, VecDeque},
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use lgpki_domain::{BodyCode, Names, RenewalWindow, Timestamp};
use lgpki_proto::v1::{
    self, application_service_client::ApplicationServiceClient,
    certificate_service_client::CertificateServiceClient,
};
use tokio::task::{JoinError, JoinSet};
use tonic::transport::Channel;

use crate::{
    cli::OfficeArgs,
    error::CommandError,
    office::{self, FILE, Office},
    output::Output,
};

/// How `init` names the directories of branch officers.
const OFFICERS: &str = "branch-officer-";
/// Certificates of a page.
const PAGE: u32 = 500;
/// Certificates read at once.
const AT_ONCE: usize = 64;

/// An office that sends.
pub(super) struct Desk {
    /// Its branch.
    pub(super) branch: String,
    /// The body's names, as in the login.
    pub(super) body: Names,
    channel: Channel,
    /// Certificates that this load applied for and that can be revoked now.
    revocable: Mutex<Revocable>,
}

/// Certificates that can be revoked.
#[derive(Debug, Default)]
struct Revocable {
    /// Whatever was told before: a watch may tell the same again.
    seen: HashSet<String>,
    waiting: VecDeque<String>,
}

impl Desk {
    /// Its connection.
    pub(super) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// For submitting and looking.
    pub(super) fn applications(&self) -> ApplicationServiceClient<Channel> {
        ApplicationServiceClient::new(self.channel.clone())
    }

    /// Notes a certificate that can be revoked.
    pub(super) fn issued(&self, serial: String) {
        let mut revocable = self
            .revocable
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if revocable.seen.insert(serial.clone()) {
            revocable.waiting.push_back(serial);
        }
    }

    /// One that can be revoked, and is not offered again.
    pub(super) fn revocable(&self) -> Option<String> {
        let mut revocable = self
            .revocable
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        revocable.waiting.pop_front()
    }

    /// Certificates within their window, whose renewal nobody has applied for, so many at most; not logins.
    pub(super) async fn renewable(
        &self,
        most: usize,
    ) -> Result<Vec<v1::Certificate>, CommandError> {
        use v1::CertificateKind::{Mail, OfficialDuty, User, WebServer};
        let mut client = CertificateServiceClient::new(self.channel.clone());
        let (mut found, mut page_token) = (Vec::new(), String::new());
        let today = office::today();
        loop {
            let request = v1::ListCertificatesRequest {
                branch: self.branch.clone(),
                kinds: [OfficialDuty, User, WebServer, Mail]
                    .map(i32::from)
                    .to_vec(),
                state: v1::CertificateState::Valid.into(),
                expires_from: today.to_string(),
                expires_to: today.plus_months(7).to_string(),
                page_size: PAGE,
                page_token,
                ..Default::default()
            };
            let page = client.list_certificates(request).await?.into_inner();
            found.extend(page.certificates.into_iter().filter(|certificate| {
                let not_after = certificate.not_after.parse::<Timestamp>();
                not_after.is_ok_and(|at| RenewalWindow::of(at.jst_date()).opens() <= today)
            }));
            page_token = page.next_page_token;
            if page_token.is_empty() || found.len() >= most {
                break;
            }
        }
        // A page tells of certificates and leaves them out.
        let mut whole = Vec::with_capacity(found.len().min(most));
        let mut reading = JoinSet::new();
        for certificate in found.into_iter().take(most) {
            if reading.len() >= AT_ONCE {
                whole.extend(read(reading.join_next().await)?);
            }
            let mut client = client.clone();
            let serial = certificate.serial;
            let request = v1::GetCertificateRequest { serial };
            reading.spawn(async move { client.get_certificate(request).await });
        }
        while !reading.is_empty() {
            whole.extend(read(reading.join_next().await)?);
        }
        // As they are prepared for the same seed, whatever came first.
        whole.sort_by(|a, b| a.serial.cmp(&b.serial));
        Ok(whole)
    }
}

type Read = Result<tonic::Response<v1::GetCertificateResponse>, tonic::Status>;

fn read(read: Option<Result<Read, JoinError>>) -> Result<Option<v1::Certificate>, CommandError> {
    let Some(read) = read else {
        return Ok(None);
    };
    let read = read.map_err(|e| CommandError::from_error("reading what may be renewed", &e))?;
    let answer = read.map_err(|s| CommandError::from(s).during("reading what may be renewed"))?;
    Ok(answer.into_inner().certificate)
}

/// Logs in whose offices these directories are and makes their connections. Gives the server's address too.
pub(super) async fn log_in(
    dirs: Vec<PathBuf>,
    pin_file: Option<&Path>,
    output: Output,
) -> Result<(Vec<Desk>, String), CommandError> {
    let bar = output.progress(dirs.len() as u64, "logging in");
    let (mut desks, mut server) = (Vec::with_capacity(dirs.len()), String::new());
    for dir in dirs {
        let office = Office::open(&OfficeArgs {
            office: dir,
            pin_file: pin_file.map(Path::to_owned),
        })?;
        let desk = desk(&office)?;
        let request = v1::ListApplicationsRequest {
            page_size: 1,
            ..Default::default()
        };
        let answer = desk.applications().list_applications(request).await;
        answer.map_err(|status| CommandError::from(status).at(office.server()))?;
        office.server().clone_into(&mut server);
        desks.push(desk);
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok((desks, server))
}

fn desk(office: &Office) -> Result<Desk, CommandError> {
    let names = office.body_names().unwrap_or_default();
    let body = Names::try_new("body", &names.en, &names.ja).map_err(|_| {
        CommandError::new("the login certificate names no body")
            .hint("name a branch officer's office")
    })?;
    Ok(Desk {
        branch: office.branch()?,
        body,
        channel: office.channel(),
        revocable: Mutex::default(),
    })
}

/// The directories of the branch officers in `dir`; only of these branches, if any are named.
pub(super) fn officers(dir: &Path, branches: &[BodyCode]) -> Result<Vec<PathBuf>, CommandError> {
    let listed = |e: std::io::Error| {
        CommandError::file("read", dir, &e)
            .hint("name the directory of offices that `lgpki init` made, such as ca/offices")
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(listed)? {
        let path = entry.map_err(listed)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy());
        let code = name.as_deref().and_then(|name| name.strip_prefix(OFFICERS));
        if let Some(code) = code
            && path.join(FILE).is_file()
            && (branches.is_empty() || branches.iter().any(|b| b.to_string() == code))
        {
            found.push(path);
        }
    }
    found.sort();
    let wanted = branches.len();
    if found.is_empty() || found.len() < wanted {
        let count = found.len();
        let message = format!(
            "{count} of the branch officers' offices are in {}",
            dir.display()
        );
        return Err(CommandError::new(message)
            .hint("`lgpki init --branch CODE` makes one for each branch that it names"));
    }
    Ok(found)
}
