//! The ceremony, and what a start without the right keys says.

use std::fs;

use lgpki_domain::{Names, Subject};

use super::{
    support::{bases, noon, opening_day, passphrase, ports, software_key, subscriber_key},
    *,
};
use crate::{Ceremony, IssuerConfig, Settings, ceremony::Login};
use lgpki_keys::Signer as _;
use lgpki_testkit::ManualClock;

fn settings(dir: &std::path::Path) -> Settings {
    Settings::try_new(
        lgpki_testkit::log_identity("issuer-1"),
        dir.join("issuer"),
        &IssuerConfig::default(),
    )
    .unwrap()
}

async fn open(settings: &Settings, seed: u64, pass: &str) -> Result<Ceremony, IssuerError> {
    let clock = ManualClock::new(noon());
    Ceremony::open(settings, ports(&clock, seed), passphrase(pass)).await
}

async fn create(ceremony: &Ceremony, authority: Authority) -> Result<AuthorityRecord, IssuerError> {
    ceremony
        .create_authority(authority, KeyAlgorithm::P256, opening_day(), &bases())
        .await
}

fn login(n: u8, role: OfficerRole) -> Login {
    let names = |en, ja| Names::try_new("x", en, ja).unwrap();
    Login {
        subject: Subject {
            body: names("LGWAN Operator", "ＬＧＷＡＮ運営主体"),
            unit: None,
            name: names("Operator 1", "運営担当１"),
        },
        role,
        body: None,
        public_key: subscriber_key(n),
    }
}

#[tokio::test]
async fn a_ceremony_makes_the_cas_and_the_first_logins_with_intents_like_all_others() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    let ceremony = open(&settings, 1, "correct horse").await.unwrap();
    let record = create(&ceremony, Authority::Organization).await.unwrap();
    let logins = vec![
        login(1, OfficerRole::Operator),
        login(2, OfficerRole::Auditor),
    ];
    let issued = ceremony.issue_logins(logins).await.unwrap();
    let ca = Certificate::parse(&record.certificate).unwrap();
    for (login, role) in issued
        .iter()
        .zip([OfficerRole::Operator, OfficerRole::Auditor])
    {
        let read = Certificate::parse(&login.certificate.der).unwrap();
        assert_eq!(read.login(), Some((role, None)));
        assert!(read.is_signed_by(ca.public_key().unwrap()));
    }
    ceremony.close().await.unwrap();
    // A second ceremony finds the first one's work and its key.
    let ceremony = open(&settings, 2, "correct horse").await.unwrap();
    assert_eq!(ceremony.authorities().await.unwrap(), [record]);
    let again = create(&ceremony, Authority::Organization).await;
    assert!(matches!(again, Err(IssuerError::AuthorityExists(_))));
    let issued = ceremony
        .issue_logins(vec![login(3, OfficerRole::Operator)])
        .await;
    assert_eq!(issued.unwrap().len(), 1);
    ceremony.close().await.unwrap();
}

#[tokio::test]
async fn a_key_that_an_unfinished_ceremony_left_is_used() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    let waiting = software_key();
    let keys = dir.path().join("issuer/keys");
    fs::create_dir_all(&keys).unwrap();
    let pem = waiting
        .to_encrypted_pkcs8_pem(&passphrase("correct horse"))
        .unwrap();
    fs::write(keys.join("organization-1.key.pem"), pem).unwrap();
    let ceremony = open(&settings, 1, "correct horse").await.unwrap();
    let rsa = ceremony
        .create_authority(
            Authority::Organization,
            KeyAlgorithm::Rsa2048,
            opening_day(),
            &bases(),
        )
        .await;
    assert!(matches!(rsa, Err(IssuerError::OtherKeyWaiting { .. })));
    let record = create(&ceremony, Authority::Organization).await.unwrap();
    assert_eq!(record.key_digest, waiting.public_key().digest());
    ceremony.close().await.unwrap();
}

#[tokio::test]
async fn a_ca_key_is_of_an_algorithm_for_cas() {
    let dir = tempfile::tempdir().unwrap();
    let ceremony = open(&settings(dir.path()), 1, "x").await.unwrap();
    let refused = ceremony
        .create_authority(
            Authority::Organization,
            KeyAlgorithm::Ed25519,
            opening_day(),
            &bases(),
        )
        .await;
    assert!(matches!(refused, Err(IssuerError::NotForCa(_))));
    ceremony.close().await.unwrap();
}

#[tokio::test]
async fn a_refused_login_tells_its_faults() {
    let dir = tempfile::tempdir().unwrap();
    let ceremony = open(&settings(dir.path()), 1, "x").await.unwrap();
    create(&ceremony, Authority::Organization).await.unwrap();
    let branch_officer_without_body = login(1, OfficerRole::BranchOfficer);
    let refused = ceremony
        .issue_logins(vec![branch_officer_without_body])
        .await;
    assert!(
        matches!(refused, Err(IssuerError::Refused(_))),
        "{refused:?}"
    );
    ceremony.close().await.unwrap();
}

#[tokio::test]
async fn a_start_without_the_right_key_says_what_is_wrong_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings(dir.path());
    let ceremony = open(&settings, 1, "correct horse").await.unwrap();
    create(&ceremony, Authority::Organization).await.unwrap();
    ceremony.close().await.unwrap();
    let log_bytes = || -> u64 {
        let log = fs::read_dir(dir.path().join("issuer/log")).unwrap();
        log.map(|file| file.unwrap().metadata().unwrap().len())
            .sum()
    };
    let before = log_bytes();
    let path = dir.path().join("issuer/keys/organization-1.key.pem");
    let right = fs::read(&path).unwrap();

    let wrong = open(&settings, 2, "wrong horse").await.unwrap_err();
    let text = lgpki_runtime::error::chain(&wrong);
    assert!(
        text.contains("organization CA") && text.contains("passphrase is wrong"),
        "{text}"
    );

    fs::remove_file(&path).unwrap();
    let missing = open(&settings, 2, "correct horse").await.unwrap_err();
    assert!(
        matches!(missing, IssuerError::KeyMissing { .. }),
        "{missing}"
    );

    let other = software_key().to_encrypted_pkcs8_pem(&passphrase("correct horse"));
    fs::write(&path, other.unwrap()).unwrap();
    let foreign = open(&settings, 2, "correct horse").await.unwrap_err();
    assert!(
        matches!(foreign, IssuerError::KeyDoesNotFit { .. }),
        "{foreign}"
    );
    assert_eq!(log_bytes(), before, "no epoch is opened without the keys");

    fs::write(&path, right).unwrap();
    open(&settings, 2, "correct horse")
        .await
        .unwrap()
        .close()
        .await
        .unwrap();
}
