//! The offices that send: branch officers with their own logins and connections.

use std::{
    collections::{HashSet, VecDeque},
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use lgpki_domain::{Names, RenewalWindow, Timestamp};
use lgpki_proto::v1::{
    self, application_service_client::ApplicationServiceClient,
    certificate_service_client::CertificateServiceClient,
};
use tonic::transport::Channel;

use crate::{
    cli::{LoadArgs, OfficeArgs},
    error::CommandError,
    office::{self, FILE, Office},
    output::Output,
};

/// How `init` names the directories of branch officers.
const OFFICERS: &str = "branch-officer-";
/// Certificates of a page.
const PAGE: u32 = 500;

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

    /// Certificates within their window, whose renewal nobody has applied for; not logins.
    pub(super) async fn renewable(&self) -> Result<Vec<v1::Certificate>, CommandError> {
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
            if page_token.is_empty() {
                return Ok(found);
            }
        }
    }
}

/// Logs all of them in and makes their connections. Gives the server's address too.
pub(super) async fn log_in(
    login: &OfficeArgs,
    args: &LoadArgs,
    output: Output,
) -> Result<(Vec<Desk>, String), CommandError> {
    let dirs = match &args.offices {
        Some(dir) => officers(dir, args)?,
        None => vec![login.office.clone()],
    };
    let bar = output.progress(dirs.len() as u64, "logging in");
    let (mut desks, mut server) = (Vec::with_capacity(dirs.len()), String::new());
    for dir in dirs {
        let office = Office::open(&OfficeArgs {
            office: dir,
            pin_file: login.pin_file.clone(),
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

/// The directories of the branch officers that are wanted.
fn officers(dir: &Path, args: &LoadArgs) -> Result<Vec<PathBuf>, CommandError> {
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
            && (args.branches.is_empty() || args.branches.iter().any(|b| b.to_string() == code))
        {
            found.push(path);
        }
    }
    found.sort();
    let wanted = args.branches.len();
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
