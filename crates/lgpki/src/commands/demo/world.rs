//! The demonstration's certificate authority: its directory, its services, its offices.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use lgpki_domain::{Authority, BodyCode, Names, directory::Body, prefecture::synthetic_bodies};
use lgpki_kit::{Kit, Pc, Pin};
use lgpki_proto::{
    ServiceName,
    v1::{
        self, certificate_service_client::CertificateServiceClient, directory_change::Change,
        directory_service_client::DirectoryServiceClient,
    },
};
use lgpki_runtime::{
    Readiness, ShutdownTrigger, clock::SystemClock, random::SystemRandomness, shutdown,
};
use lgpki_x509::pem;
use tokio::{sync::Mutex, task::JoinHandle};

use super::super::{
    init::{self, ca_file},
    serve::{self, Surroundings},
    throwaway,
};
use crate::{
    cli::{CaKey, DemoArgs, InitArgs, LoginForm, OfficeArgs, PassphraseArgs},
    config::Config,
    error::CommandError,
    office::Office,
};

/// The branches that take part.
pub(super) const BRANCHES: [&str; 3] = ["01001", "13001", "47001"];
/// The branch that is there to be deactivated (R8).
pub(super) const MERGED: &str = "47002";
/// The unit that every body registers.
pub(super) const UNIT: (&str, &str) = ("General Affairs Department", "総務部");
/// The roles that the first body registers.
pub(super) const ACCOUNTS: [(&str, &str); 2] = [
    ("document-chief-lgacc", "文書取扱主任（利用者）"),
    ("payroll-clerk-lgacc", "給与担当（利用者）"),
];
/// The PIN of the demonstration's own media.
const PIN: &str = "2468demo";

const EXAMINATION: &str = "\
official-duty = { mode = \"manual\" }
user = { mode = \"automatic\" }
login = { mode = \"automatic\" }
web-server = { mode = \"automatic\" }
code-signing = { mode = \"automatic\" }
mail = { mode = \"automatic\" }";

/// What there is to play with.
pub(super) struct World {
    dir: PathBuf,
    readiness: Vec<Readiness>,
    trigger: ShutdownTrigger,
    running: Mutex<Option<JoinHandle<Result<(), CommandError>>>>,
}

impl World {
    /// Makes the authority and starts its services.
    pub(super) async fn make(args: &DemoArgs, dir: &Path) -> Result<Self, CommandError> {
        let dir = dir.join("ca");
        let init = InitArgs {
            crl_partitions: Vec::new(),
            crl_delta: Vec::new(),
            dir: dir.clone(),
            passphrase: PassphraseArgs {
                passphrase_file: None,
                passphrase_fd: None,
            },
            organization_key: CaKey(args.ca_key.0),
            application_key: CaKey(args.ca_key.0),
            branches: BRANCHES
                .iter()
                .chain([&MERGED])
                .filter_map(|code| code.parse().ok())
                .collect(),
            operators: 2,
            auditors: 1,
            login_form: LoginForm::Card,
            hosts: Vec::new(),
            first_port: throwaway::free_ports()?,
            publication_url: None,
            log_origin: None,
        };
        let passphrase = throwaway::passphrase()?;
        let around = Surroundings::of_the_machine(None);
        init::make(&init, passphrase.clone(), EXAMINATION, &around.ports, || {}).await?;
        let config = Config::load(&dir.join("lgpki.toml"))?;
        let (trigger, until) = shutdown::channel();
        let signals = (trigger.clone(), until);
        let running = serve::start(
            &config,
            &ServiceName::ALL,
            Some(passphrase),
            around,
            signals,
        )
        .await?;
        let readiness = running.readiness();
        let running = Mutex::new(Some(tokio::spawn(running.until_end())));
        Ok(Self {
            dir,
            readiness,
            trigger,
            running,
        })
    }

    /// Waits until every service is ready.
    pub(super) async fn ready(&self) -> Result<(), CommandError> {
        let all = async {
            for readiness in &self.readiness {
                readiness.ready().await;
            }
        };
        let mut running = self.running.lock().await;
        let ended = async {
            match running.as_mut() {
                Some(task) => task.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = all => Ok(()),
            ended = ended => Err(match ended {
                Ok(Err(error)) => error,
                Ok(Ok(())) => CommandError::new("the services ended early"),
                Err(error) => CommandError::from_error("the services", &error),
            }),
        }
    }

    /// Drains the services and waits for their end.
    pub(super) async fn stop(&self) -> Result<(), CommandError> {
        self.trigger.request();
        match self.running.lock().await.take() {
            None => Ok(()),
            Some(task) => task
                .await
                .map_err(|e| CommandError::from_error("the services", &e))?,
        }
    }

    /// An office that is logged in with its card.
    pub(super) fn office(&self, name: &str) -> Result<Office, CommandError> {
        let office = self.dir.join("offices").join(name);
        Office::open(&OfficeArgs {
            office,
            pin_file: None,
        })
    }

    /// Every office asks for something that it may ask for.
    pub(super) async fn log_in(&self) -> Result<(), CommandError> {
        let branches = BRANCHES.map(|code| format!("branch-officer-{code}"));
        let operators = ["operator-1", "operator-2"].map(String::from);
        for name in branches.iter().chain(&operators) {
            let office = self.office(name)?;
            CertificateServiceClient::new(office.channel())
                .list_authorities(v1::ListAuthoritiesRequest {})
                .await?;
        }
        Ok(())
    }

    /// The LGWAN officers register a unit each, the first also two roles.
    pub(super) async fn register(&self) -> Result<(), CommandError> {
        for code in BRANCHES {
            let unit = v1::Organization {
                names: Some(names(UNIT)),
            };
            let mut changes = vec![Change::RegisterOrganization(unit)];
            if code == BRANCHES[0] {
                changes.extend(ACCOUNTS.map(|role| {
                    let unit_en = UNIT.0.to_owned();
                    Change::RegisterAccount(v1::Account {
                        unit_en,
                        names: Some(names(role)),
                    })
                }));
            }
            let office = self.office(&format!("lgwan-officer-{code}"))?;
            let changes = changes
                .into_iter()
                .map(|c| v1::DirectoryChange { change: Some(c) })
                .collect();
            DirectoryServiceClient::new(office.channel())
                .change_entries(v1::ChangeEntriesRequest {
                    body: code.to_owned(),
                    changes,
                })
                .await?;
        }
        Ok(())
    }

    /// The standard system on the PC of a branch, or on another PC.
    pub(super) fn kit(&self, branch: BodyCode, pc: &str) -> Result<Kit, CommandError> {
        let directory = self.dir.join("pc").join(format!("{branch}-{pc}"));
        let pc = Pc::try_new(pc, "clerk").map_err(|e| CommandError::from_error("PC", &e))?;
        let random = Arc::new(SystemRandomness::new());
        Ok(Kit::new(&directory, pc, Arc::new(SystemClock), random))
    }

    /// The branch officer's login certificate, PEM.
    pub(super) fn login_certificate(&self, branch: BodyCode) -> Result<Vec<u8>, CommandError> {
        let path = self
            .dir
            .join(format!("offices/branch-officer-{branch}/login.pem"));
        fs::read(&path).map_err(|e| CommandError::file("read", &path, &e))
    }

    /// A place for a medium.
    pub(super) fn medium(&self, name: &str) -> PathBuf {
        self.dir.join("media").join(name)
    }

    /// The directory of the authority.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The CA certificates, PEM.
    pub(super) fn authorities(&self) -> Result<Vec<(Authority, String)>, CommandError> {
        Authority::ALL
            .into_iter()
            .map(|authority| {
                let path = ca_file(&self.dir, authority);
                let text =
                    fs::read_to_string(&path).map_err(|e| CommandError::file("read", &path, &e))?;
                Ok((authority, text))
            })
            .collect()
    }

    /// A CA certificate, DER.
    pub(super) fn authority(&self, wanted: Authority) -> Result<Vec<u8>, CommandError> {
        let path = ca_file(&self.dir, wanted);
        let text = fs::read(&path).map_err(|e| CommandError::file("read", &path, &e))?;
        pem::decode(pem::Label::Certificate, &text)
            .map_err(|e| CommandError::from_error(&path.display().to_string(), &e))
    }
}

/// The PIN of the demonstration's own media.
pub(super) fn pin() -> Result<Pin, CommandError> {
    Pin::try_new(PIN).map_err(|e| CommandError::from_error("PIN", &e))
}

/// A body of the synthetic list.
pub(super) fn body(code: &str) -> Result<Body, CommandError> {
    synthetic_bodies()
        .into_iter()
        .find(|b| b.code.to_string() == code)
        .ok_or_else(|| CommandError::new(format!("there is no body {code}")))
}

/// Names that are known to be well formed.
pub(super) fn checked((en, ja): (&str, &str)) -> Result<Names, CommandError> {
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

fn names((en, ja): (&str, &str)) -> v1::Names {
    v1::Names {
        en: en.to_owned(),
        ja: ja.to_owned(),
    }
}
