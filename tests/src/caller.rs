//! Calling the services over gRPC, as anybody who has, or has not, a certificate.

use std::{fs, sync::Arc};

use lgpki_keys::{Passphrase, PassphraseSource, SoftwareKey};
use lgpki_kit::{LoginMaterial, Pin};
use lgpki_runtime::{
    client::{self, Dial},
    clock::SystemClock,
    config::{Target, certificates},
    tls::{Identity, TrustAnchors},
};
use tonic::transport::Channel;

use crate::{Installation, Service};

impl Installation {
    /// The passphrase of the CA keys.
    #[must_use]
    pub fn ca_passphrase(&self) -> Passphrase {
        secret(self.passphrase())
    }

    /// The login of an office that `init` made, such as `branch-officer-01001`.
    #[must_use]
    pub fn officer(&self, office: &str) -> Identity {
        let dir = self.ca().join("offices").join(office);
        let pin = Pin::read(&PassphraseSource::File(dir.join("pin"))).expect("the PIN");
        let card = dir.join("card");
        let login = if card.exists() {
            LoginMaterial::unlock(&card, &pin)
        } else {
            let read = |name| fs::read(dir.join(name)).expect("login data");
            LoginMaterial::from_data(
                &read("login.pem"),
                &read("login.key.pem"),
                pin.as_passphrase(),
            )
        }
        .expect("a login");
        Identity::try_new(login.chain, login.key).expect("an identity")
    }

    /// The TLS identity of a service.
    #[must_use]
    pub fn service_identity(&self, service: Service) -> Identity {
        let tls = self.ca().join("tls");
        let passphrase = secret(self.ca().join("secrets/tls-passphrase"));
        let key = tls.join(format!("{}.key.pem", service.name()));
        let key = SoftwareKey::load(&key, &passphrase).expect("the TLS key");
        let chain = certificates(&tls.join(format!("{}.pem", service.name())));
        let key = key.to_pkcs8_der().expect("the TLS key");
        Identity::try_new(chain.expect("the TLS certificate"), key).expect("an identity")
    }

    /// A channel to a service; without an identity no client certificate is shown. Must be called
    /// within a tokio runtime.
    #[must_use]
    pub fn channel(&self, service: Service, identity: Option<Identity>) -> Channel {
        let anchors = certificates(&self.ca().join("tls/service-ca.pem")).expect("the service CA");
        client::connect(Dial {
            target: Target::try_new(&format!("127.0.0.1:{}", self.port(service)))
                .expect("an address")
                .with_server_name("localhost"),
            identity,
            anchors: TrustAnchors::try_new(&anchors).expect("the service CA"),
            clock: Arc::new(SystemClock),
        })
        .expect("a channel")
    }

    /// A channel to intake for an office that `init` made.
    #[must_use]
    pub fn logged_in(&self, office: &str) -> Channel {
        self.channel(Service::Intake, Some(self.officer(office)))
    }
}

fn secret(file: std::path::PathBuf) -> Passphrase {
    PassphraseSource::File(file).read().expect("a passphrase")
}
