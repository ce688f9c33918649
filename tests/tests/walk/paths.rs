//! What `openssl verify` makes of what relying parties fetch: complete, partitioned and delta CRLs, the
//! list of revoked CA certificates, a revoked cross certificate, and both ways across a key rollover.

use lgpki_domain::{Authority, CrlOptions, Names, Timestamp, Validity};
use lgpki_issuer::ceremony::{Cross, RollOver};
use lgpki_proto::v1::{self, RevocationReason, submit_application_request::Content};
use lgpki_testkit::{BRIDGE_CA, tool::tool};
use lgpki_tests::system::{Downloaded, Order, Plan, System, at};
use lgpki_x509::{
    Certificate,
    crl::RevocationList,
    cross::{Constraints, ForeignCa},
    pem::{Label, encode},
};

const BRANCH: &str = "01001";
/// The list of the Organization CA's revoked CA certificates.
const CA_LIST: &str = "/crl/organization-1-ca.crl";

/// A path to be verified.
struct Path<'a> {
    target: &'a [u8],
    trusted: &'a [u8],
    untrusted: Option<&'a [u8]>,
    lists: Vec<Vec<u8>>,
}

impl Path<'_> {
    /// What `openssl verify` says at a time, with every certificate of the path checked; none where
    /// it is not installed.
    fn verify(&self, now: Timestamp, options: &[&str]) -> Option<(bool, String)> {
        let openssl = tool("openssl", "openssl")?;
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, label, der: &[u8]| {
            std::fs::write(dir.path().join(name), encode(label, der).unwrap()).unwrap();
        };
        put("target.pem", Label::Certificate, self.target);
        put("trusted.pem", Label::Certificate, self.trusted);
        let mut verify = openssl.command();
        verify.current_dir(dir.path());
        let now = now.as_seconds().to_string();
        verify.args(["verify", "-x509_strict", "-attime", &now]);
        verify.args(["-CAfile", "trusted.pem"]).args(options);
        if let Some(untrusted) = self.untrusted {
            put("untrusted.pem", Label::Certificate, untrusted);
            verify.args(["-untrusted", "untrusted.pem"]);
        }
        for (n, list) in self.lists.iter().enumerate() {
            let name = format!("list-{n}.pem");
            put(&name, Label::Crl, list);
            verify.args(["-CRLfile", &name]);
        }
        let output = verify.arg("target.pem").output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        Some((output.status.success(), said))
    }

    fn passes(&self, now: Timestamp, options: &[&str]) {
        if let Some((passed, said)) = self.verify(now, options) {
            assert!(passed, "{options:?}: {said}");
        }
    }

    fn fails(&self, now: Timestamp, options: &[&str], words: &str) {
        if let Some((passed, said)) = self.verify(now, options) {
            assert!(!passed && said.contains(words), "{options:?}: {said}");
        }
    }
}

const ALL: &[&str] = &["-crl_check_all"];
/// Without `-extended_crl` this program takes a delta for a complete list.
const ALL_WITH_DELTAS: &[&str] = &["-crl_check_all", "-use_deltas", "-extended_crl"];
const REVOKED: &str = "certificate revoked";

/// The path of the list that a certificate names.
fn list_of(certificate: &[u8]) -> String {
    let read = Certificate::parse(certificate).unwrap();
    let address = &read.crl_addresses()[0];
    let (_, path) = address.split_once("/crl/").unwrap();
    format!("/crl/{path}")
}

/// The path of its delta, which freshestCRL names.
fn delta_of(certificate: &[u8]) -> String {
    let path = list_of(certificate).replace(".crl", "-delta.crl");
    let named = certificate
        .windows(path.len())
        .any(|part| part == path.as_bytes());
    assert!(named, "the certificate does not name {path}");
    path
}

fn fetch(system: &System, path: &str) -> Vec<u8> {
    system
        .relying()
        .fetch(path)
        .ok_or_else(|| format!("{path} is not published"))
        .unwrap()
}

/// Waits until the list at `path` is one of `since` or later, and gives it.
async fn fetch_since(system: &System, path: &str, since: Timestamp) -> Vec<u8> {
    let of = |der: &[u8]| RevocationList::parse(der).unwrap().summary().this_update;
    system
        .until(&format!("{path} is of {since} or later"), || async {
            let list = system.relying().fetch(path);
            list.is_some_and(|list| of(&list) >= since)
        })
        .await;
    fetch(system, path)
}

async fn begin(crl: CrlOptions) -> System {
    let plan = Plan {
        branches: &[BRANCH],
        automatic: &["official-duty"],
        crl,
        ..Plan::default()
    };
    System::begin(plan).await
}

async fn issue(system: &System, en: &str, ja: &str) -> Downloaded {
    let branch = system.branch(BRANCH);
    let applied = branch.apply(&Order::official_duty(BRANCH, en, ja)).await;
    branch.fetch(&applied.unwrap().id).await.unwrap()
}

async fn revoke(system: &System, certificate: &Downloaded) {
    let branch = system.branch(BRANCH);
    let reason = RevocationReason::AffiliationChanged;
    let applied = branch.revoke(&certificate.serial, reason).await.unwrap();
    let ended = branch.outcome(&applied.id).await.unwrap();
    assert_eq!(ended.state(), v1::ApplicationState::Completed);
}

/// One certificate stands, the other is revoked between two daily lists: a delta tells first, then the
/// daily list, each certificate looked up where it says.
async fn a_revocation_is_seen(crl: CrlOptions) {
    let system = begin(crl).await;
    system.go_to_time("2008-02-04", "12:00:00").await;
    let stays = issue(&system, "Mayor", "市長").await;
    let goes = issue(&system, "Deputy Mayor", "副市長").await;
    revoke(&system, &goes).await;
    let (stays_at, goes_at) = (list_of(&stays.certificate), list_of(&goes.certificate));
    let lists = |at: &str| vec![fetch(&system, at), fetch(&system, CA_LIST)];
    for (certificate, at) in [(&stays, &stays_at), (&goes, &goes_at)] {
        let path = Path {
            target: &certificate.certificate,
            trusted: &certificate.ca,
            untrusted: None,
            lists: lists(at),
        };
        path.passes(system.now(), ALL);
    }
    if crl.delta {
        let hour = at("2008-02-04", "13:15:00");
        system.go_to(hour).await;
        for (certificate, at) in [(&stays, &stays_at), (&goes, &goes_at)] {
            let delta = delta_of(&certificate.certificate);
            let delta = fetch_since(&system, &delta, hour).await;
            let mut path = Path {
                target: &certificate.certificate,
                trusted: &certificate.ca,
                untrusted: None,
                lists: lists(at),
            };
            // It stands on the delta alone.
            path.passes(system.now(), ALL);
            path.lists.push(delta);
            if certificate.serial == goes.serial {
                path.fails(system.now(), ALL_WITH_DELTAS, REVOKED);
            } else {
                path.passes(system.now(), ALL_WITH_DELTAS);
            }
        }
    }
    let hour = at("2008-02-05", "09:15:00");
    system.go_to(hour).await;
    for (certificate, at) in [(&stays, &stays_at), (&goes, &goes_at)] {
        let own = fetch_since(&system, at, hour).await;
        let mut path = Path {
            target: &certificate.certificate,
            trusted: &certificate.ca,
            untrusted: None,
            lists: vec![own, fetch(&system, CA_LIST)],
        };
        if certificate.serial == goes.serial {
            path.fails(system.now(), ALL, REVOKED);
        } else {
            path.passes(system.now(), ALL);
            // A list of user certificates does not cover the CA's own.
            path.lists.truncate(1);
            path.fails(system.now(), ALL, "different CRL scope");
            path.passes(system.now(), &["-crl_check"]);
        }
    }
}

#[tokio::test]
async fn a_revocation_is_seen_on_one_list_of_all() {
    a_revocation_is_seen(CrlOptions::default()).await;
}

#[tokio::test]
async fn a_revocation_is_seen_on_its_partition() {
    let crl = CrlOptions {
        partitions: 3,
        delta: false,
    };
    a_revocation_is_seen(crl).await;
}

#[tokio::test]
async fn a_revocation_is_seen_on_a_delta_before_the_daily_list() {
    let crl = CrlOptions {
        partitions: 0,
        delta: true,
    };
    a_revocation_is_seen(crl).await;
}

#[tokio::test]
async fn a_revocation_is_seen_on_the_delta_of_its_partition() {
    let crl = CrlOptions {
        partitions: 2,
        delta: true,
    };
    a_revocation_is_seen(crl).await;
}

/// The operator revokes a certificate that belongs to no branch, and its list is published.
async fn operator_revokes(system: &System, serial: &str) -> Timestamp {
    let operator = system.operator();
    let content = v1::RevokeContent {
        serial: serial.to_owned(),
        reason: RevocationReason::CessationOfOperation.into(),
    };
    let applied = operator.submit_for("", Content::Revoke(content)).await;
    for name in ["operator-1", "operator-2"] {
        system.office(name).approve_all().await.unwrap();
    }
    let ended = operator.outcome(&applied.unwrap().id).await.unwrap();
    assert_eq!(ended.state(), v1::ApplicationState::Completed);
    system.pass(60).await;
    let since = system.now();
    system.publish_crls().await;
    since
}

#[tokio::test]
async fn a_revoked_cross_certificate_is_refused_by_the_list_of_ca_certificates() {
    let mut system = begin(CrlOptions::default()).await;
    system.go_to_time("2008-02-04", "12:00:00").await;
    let cross = Cross {
        authority: Authority::Organization,
        subject: ForeignCa::from_certificate("certificate", BRIDGE_CA).unwrap(),
        names: Names::try_new("names", "GPKI Bridge CA", "政府認証基盤ブリッジ認証局").unwrap(),
        constraints: Constraints {
            permitted: vec!["dn:C=JP,O=Japanese Government".parse().unwrap()],
            policies: vec!["2.999.392.1.1".parse().unwrap()],
            require_explicit_policy: Some(0),
            path_length: Some(1),
            ..Constraints::default()
        },
        validity: Validity::for_subscriber(system.today()),
    };
    let made = system
        .hold(async |ceremony| ceremony.certify(&cross).await)
        .await;
    let (_, made) = made.unwrap();
    let file = format!("/ca/organization-1-cross-{}.cer", made.serial);
    system
        .until("the cross certificate is published", || async {
            system.relying().fetch(&file).is_some()
        })
        .await;
    let published = fetch(&system, &file);
    assert_eq!(published, made.der);
    assert_eq!(list_of(&published), CA_LIST);
    let trusted = system.relying().authority(Authority::Organization).to_vec();
    let mut path = Path {
        target: &published,
        trusted: &trusted,
        untrusted: None,
        lists: vec![fetch(&system, CA_LIST)],
    };
    path.passes(system.now(), ALL);
    let time = operator_revokes(&system, &made.serial.to_string()).await;
    path.lists = vec![fetch_since(&system, CA_LIST, time).await];
    path.fails(system.now(), ALL, REVOKED);
    // The list of user certificates has nothing to do with it.
    path.lists = vec![fetch(&system, "/crl/organization-1.crl")];
    path.fails(system.now(), &["-crl_check"], "different CRL scope");
}

#[tokio::test]
async fn old_and_new_certificates_are_checked_from_either_root_across_a_rollover() {
    let mut system = begin(CrlOptions::default()).await;
    system.go_to_time("2008-02-04", "12:00:00").await;
    let older = issue(&system, "Mayor", "市長").await;
    let first_day = system.today().plus_days(2);
    let wanted = RollOver {
        authority: Authority::Organization,
        generation: None,
        algorithm: None,
        day: Some(first_day),
    };
    let rolled = system
        .hold(async |ceremony| ceremony.roll_over(wanted).await)
        .await;
    let rolled = rolled.unwrap();
    let hour = first_day.start().plus_seconds(12 * 3600);
    system.go_to(hour).await;
    let newer = issue(&system, "Deputy Mayor", "副市長").await;
    let day = first_day.start();
    let mut lists = Vec::new();
    for name in ["1", "1-ca", "2", "2-ca"] {
        let path = format!("/crl/organization-{name}.crl");
        lists.push(fetch_since(&system, &path, day).await);
    }
    assert_eq!(list_of(&newer.certificate), "/crl/organization-2.crl");
    let old_root = system.relying().authority(Authority::Organization).to_vec();
    let new_root = rolled.record.certificate.clone();
    let path = |target, trusted, untrusted, lists: &Vec<Vec<u8>>| Path {
        target,
        trusted,
        untrusted,
        lists: lists.clone(),
    };
    let old_with_new = Some(&*rolled.old_with_new.der);
    let new_with_old = Some(&*rolled.new_with_old.der);
    let paths = [
        (&older.certificate, &old_root, None),
        (&older.certificate, &new_root, old_with_new),
        (&newer.certificate, &new_root, None),
        (&newer.certificate, &old_root, new_with_old),
    ];
    for (target, trusted, untrusted) in paths {
        path(target, trusted, untrusted, &lists).passes(system.now(), ALL);
    }
    // An old certificate is revoked on its own key's list, and so is the link to the new key.
    revoke(&system, &older).await;
    let link = rolled.new_with_old.serial.to_string();
    let time = operator_revokes(&system, &link).await;
    for (list, name) in lists.iter_mut().zip(["1", "1-ca", "2", "2-ca"]) {
        let path = format!("/crl/organization-{name}.crl");
        *list = fetch_since(&system, &path, time).await;
    }
    for (n, (target, trusted, untrusted)) in paths.into_iter().enumerate() {
        let path = path(target, trusted, untrusted, &lists);
        if n == 2 {
            path.passes(system.now(), ALL);
        } else {
            path.fails(system.now(), ALL, REVOKED);
        }
    }
}
