//! Changes to published logs, one at a time, by hands with less and with more in them: who can write
//! files, who has the log's key, who has a CA's key. Each must be found and named.

use std::{
    fs,
    path::{Path, PathBuf},
};

use lgpki_audit::{Against, Published, Report, Service, Verdict};
use lgpki_domain::{Authority, AuthorityKey, CrlNumber, CrlScope, Serial, Timestamp};
use lgpki_keys::{Signer, SoftwareKey};
use lgpki_ledger::{
    merkle::leaf,
    serial::{base64url, base64url_decode},
};
use lgpki_x509::{
    Addresses, Issuer,
    crl::{self, CrlEntry, CrlHeader},
    key::sha256,
    signed,
};
use serde_json::Value;

use crate::{
    Logs, MISSED, blank, handed,
    life::lived,
    miss, names, omitted, parse, profiles,
    published::{audit, bundle, publish, publish_with_keys, write_bundle},
    put,
    witness::Witness,
};

/// The entries of the issuer's second log begin here.
const SPLIT: usize = 30;

/// A throw-away directory, in memory where the machine has one: what is published is synced file by file.
fn scratch() -> tempfile::TempDir {
    let memory = tempfile::tempdir_in("/dev/shm");
    memory.or_else(|_| tempfile::tempdir()).unwrap()
}

pub(crate) struct Scene {
    pub(crate) logs: Logs,
    pub(crate) key: SoftwareKey,
    dir: tempfile::TempDir,
}

impl Scene {
    /// The logs published anew, with a change to the files.
    fn with_files(&self, change: impl FnOnce(&Path)) -> Report {
        let dir = self.publish(&self.logs);
        change(&dir);
        audit(&dir, &Against::default())
    }

    /// The logs with another entry in them, published by somebody who has the logs' keys.
    fn with_entries(&self, change: impl FnOnce(&mut Logs)) -> Report {
        let mut logs = self.logs.clone();
        change(&mut logs);
        audit(&self.publish(&logs), &Against::default())
    }

    fn publish(&self, logs: &Logs) -> PathBuf {
        let dir = tempfile::tempdir_in(self.dir.path()).unwrap().keep();
        publish(logs, &dir, SPLIT);
        dir
    }

    pub(crate) fn entry(&self, service: Service, kind: &str, nth: usize) -> (usize, Value) {
        self.entries(service, kind).nth(nth).unwrap()
    }

    pub(crate) fn entries(
        &self,
        service: Service,
        kind: &str,
    ) -> impl Iterator<Item = (usize, Value)> {
        let entries = &self.logs.0.iter().find(|(of, _)| *of == service).unwrap().1;
        let all = entries.iter().map(|entry| parse(entry)).enumerate();
        all.filter(move |(_, entry)| entry["kind"] == kind)
    }
}

fn bundle_of(dir: &Path, log: &str) -> PathBuf {
    let of = dir.join(log).join("tile/entries/000.p");
    fs::read_dir(of).unwrap().next().unwrap().unwrap().path()
}

fn files_are_tampered_with(scene: &Scene) {
    let clean = scene.with_files(|_| {});
    assert!(clean.is_clean(), "{:#?}", clean.findings);
    assert!(clean.logs.iter().all(|log| log.tiles > 0), "{clean:#?}");
    let log = "lifecycle/2008";
    let change = |what: fn(&mut Vec<Vec<u8>>)| {
        scene.with_files(|dir| {
            let path = bundle_of(dir, log);
            let mut entries = bundle(&path);
            what(&mut entries);
            write_bundle(&path, &entries);
        })
    };
    // A byte of an entry.
    let report = change(|entries| {
        let at = entries[9].len() / 2;
        entries[9][at] ^= 1;
    });
    names(&report, "tile", "leaf 9");
    names(&report, "root", log);
    // A swapped pair.
    names(&change(|entries| entries.swap(11, 12)), "tile", "leaf 11");
    // An entry removed, and one inserted.
    names(&change(|entries| drop(entries.remove(5))), "missing", log);
    names(
        &change(|entries| {
            entries.insert(5, entries[4].clone());
            entries.pop();
        }),
        "tile",
        "leaf 5",
    );
    // An entry and its tile rewritten.
    let report = scene.with_files(|dir| {
        let path = bundle_of(dir, log);
        let mut entries = bundle(&path);
        let text = String::from_utf8(entries[3].clone()).unwrap();
        entries[3] = text.replace("\"v\":1}", "\"v\":2}").into_bytes();
        write_bundle(&path, &entries);
        let tile = dir.join(log).join("tile/0/000.p");
        let tile = fs::read_dir(tile).unwrap().next().unwrap().unwrap().path();
        let mut hashes = fs::read(&tile).unwrap();
        hashes[3 * 32..4 * 32].copy_from_slice(&leaf(&entries[3]));
        fs::write(&tile, hashes).unwrap();
    });
    names(&report, "root", log);
    assert!(
        !report.counts.contains_key("tile"),
        "{:#?}",
        report.findings
    );
    // Somebody else's signature, and another log's checkpoint.
    let report = scene.with_files(|dir| {
        let path = dir.join(log).join("checkpoint");
        let note = fs::read_to_string(&path).unwrap();
        let (origin, rest) = note.split_once('\n').unwrap();
        let (_, rest) = rest.split_once('\n').unwrap();
        let note = format!("{origin}\n7\n{rest}");
        fs::write(path, note).unwrap();
    });
    names(&report, "checkpoint", log);
    let report = scene.with_files(|dir| {
        let from = dir.join("intake/2008/checkpoint");
        fs::copy(from, dir.join(log).join("checkpoint")).unwrap();
    });
    names(&report, "checkpoint", log);
    // A tile that is gone, and a whole log.
    let gone =
        |path: &'static str| scene.with_files(|dir| fs::remove_dir_all(dir.join(path)).unwrap());
    names(&gone("lifecycle/2008/tile/0"), "missing", log);
    names(&gone("intake"), "missing", "intake");
    names(&gone("issuer/keys"), "missing", "issuer");
    names(&gone("issuer/2008"), "chain", "issuer/2009");
}

fn a_log_of_keys_is_cut_or_runs_ahead(scene: &Scene) {
    let with = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let dir = tempfile::tempdir_in(scene.dir.path()).unwrap().keep();
        publish_with_keys(&scene.logs, &dir, SPLIT, change);
        audit(&dir, &Against::default())
    };
    names(&with(&Vec::clear), "keys-log", "ends before it");
    let ahead = |time: &'static str| {
        with(&move |keys| {
            let Some(mut entry) = keys.last().map(|entry| parse(entry)) else {
                return;
            };
            entry["time"] = time.into();
            keys.push(entry.to_string().into_bytes());
        })
    };
    let never = ahead("2099-01-01T00:00:00.000+09:00");
    names(&never, "keys-log", "none reaches 2099");
    // A log of keys that was fetched a moment later than the others.
    let soon = ahead("2008-02-09T18:00:00.000+09:00");
    if !soon.is_clean() || soon.open.keys == 0 {
        miss(&soon, "something");
    }
}

fn logs_are_set_back_or_rewritten_with_their_own_key(scene: &Scene) {
    let seen = scene.publish(&scene.logs);
    let against = Against {
        seen: Some(seen),
        ..Against::default()
    };
    let of = |change: fn(&mut Logs)| {
        let mut logs = scene.logs.clone();
        change(&mut logs);
        audit(&scene.publish(&logs), &against)
    };
    assert!(of(|_| {}).is_clean());
    let back = of(|logs| drop(logs.of_service(Service::Lifecycle).pop()));
    names(&back, "set-back", "lifecycle/2008");
    // Every rule but the memory of it holds for a log that was rewritten whole.
    let rewritten = of(|logs| {
        let entry = &mut logs.of_service(Service::Intake)[0];
        *entry = String::from_utf8(entry.clone())
            .unwrap()
            .replace("intake-1", "intake-7")
            .into_bytes();
    });
    names(&rewritten, "set-back", "intake/2008");
    assert_eq!(rewritten.counts.len(), 1, "{:#?}", rewritten.findings);
}

/// Without any memory of one's own, a witness's is enough.
fn a_log_rewritten_whole_with_its_own_key_lacks_its_witness(scene: &Scene) {
    let mut witness = Witness::new();
    let against = Against {
        witnesses: Some(witness.policy()),
        ..Against::default()
    };
    let honest = scene.publish(&scene.logs);
    names(&audit(&honest, &against), "witness", "issuer/keys");
    assert_eq!(witness.visit(&honest), 0);
    let report = audit(&honest, &against);
    assert!(report.is_clean(), "{:#?}", report.findings);
    assert!(report.logs.iter().all(|log| log.cosigned.len() == 1));
    let mut logs = scene.logs.clone();
    let entry = &mut logs.of_service(Service::Intake)[0];
    *entry = String::from_utf8(entry.clone())
        .unwrap()
        .replace("intake-1", "intake-7")
        .into_bytes();
    let forged = scene.publish(&logs);
    assert!(audit(&forged, &Against::default()).is_clean());
    // Each log is shown to the witness: one of them is not what it was.
    assert_eq!(witness.visit(&forged), 1);
    let report = audit(&forged, &against);
    names(&report, "witness", "intake/2008");
    assert_eq!(
        report.counts.values().sum::<u64>(),
        1,
        "{:#?}",
        report.findings
    );
    // The honest log's cosignature does not fit it.
    let cosigned = |dir: &Path| fs::read_to_string(dir.join("intake/2008/checkpoint")).unwrap();
    let line = cosigned(&honest).lines().last().unwrap().to_owned();
    let stolen = format!("{}{line}\n", cosigned(&forged));
    fs::write(forged.join("intake/2008/checkpoint"), stolen).unwrap();
    names(
        &audit(&forged, &against),
        "witness",
        "does not fit the checkpoint",
    );
}

fn entries_are_rewritten(scene: &Scene) {
    // A certificate whose tbs is not the one intended, with a good signature of the CA.
    let (at, mut entry) = scene.entry(Service::Issuer, "certificate.issued", 2);
    let forged = forged(scene, &entry);
    entry["body"]["certificate"] = base64url(&forged).into();
    let report = scene.with_entries(|logs| put(logs, Service::Issuer, at, &entry));
    names(&report, "intent-differs", &format!("entry {at} "));
    assert!(
        !report.counts.contains_key("certificate-signature"),
        "{:#?}",
        report.findings
    );
    // One of which a byte of the signature is another.
    let (at, mut entry) = scene.entry(Service::Issuer, "certificate.issued", 1);
    let mut der = base64url_decode(entry["body"]["certificate"].as_str().unwrap()).unwrap();
    *der.last_mut().unwrap() ^= 1;
    entry["body"]["certificate"] = base64url(&der).into();
    let report = scene.with_entries(|logs| put(logs, Service::Issuer, at, &entry));
    names(&report, "certificate-signature", &format!("entry {at} "));
    // An application that asked for another name; one that nobody approved; one that is not there.
    let (at, mut entry) = scene.entry(Service::Intake, "application.received", 0);
    entry["body"]["content"]["issue"]["subject"]["name"]["en"] = "Somebody Else".into();
    let report = scene.with_entries(|logs| put(logs, Service::Intake, at, &entry));
    names(&report, "application-differs", "another subject");
    let report = scene.with_entries(|logs| blank(logs, Service::Intake, at));
    names(&report, "application-missing", "issuer entry");
    let (at, _) = scene.entry(Service::Intake, "application.approved", 0);
    let report = scene.with_entries(|logs| blank(logs, Service::Intake, at));
    names(&report, "application-unexamined", "before it was approved");
    // Fewer operators than the policy asked for.
    let received = (0..).map(|nth| scene.entry(Service::Intake, "application.received", nth));
    let examined = |entry: &Value| entry["body"]["approvals_needed"] == 1;
    let (at, mut entry) = received.into_iter().find(|(_, e)| examined(e)).unwrap();
    entry["body"]["approvals_needed"] = 2.into();
    let report = scene.with_entries(|logs| put(logs, Service::Intake, at, &entry));
    names(&report, "application-unexamined", "fewer operators");
    // An intent left out, and one ended twice.
    let (at, _) = scene.entry(Service::Issuer, "certificate.intent", 3);
    let report = scene.with_entries(|logs| blank(logs, Service::Issuer, at));
    names(
        &report,
        "intent-missing",
        &format!("entry {at} is no intent"),
    );
    names(&report, "schema", &format!("entry {at} "));
    let (_, first) = scene.entry(Service::Issuer, "certificate.issued", 0);
    let (next, _) = scene.entry(Service::Issuer, "certificate.issued", 1);
    let report = scene.with_entries(|logs| put(logs, Service::Issuer, next, &first));
    names(&report, "intent-twice", "issuer");
    // A certificate that the inventory lacks, and a revocation that nobody ordered.
    let (at, entry) = scene.entry(Service::Lifecycle, "certificate.registered", 1);
    let report = scene.with_entries(|logs| blank(logs, Service::Lifecycle, at));
    let serial = entry["body"]["serial"].as_str().unwrap();
    names(&report, "issued-untold", serial);
    let (at, mut entry) = scene.entry(Service::Lifecycle, "certificate.revoked", 0);
    let (_, other) = scene.entry(Service::Lifecycle, "certificate.registered", 0);
    entry["body"]["command"] = other["body"]["application"].clone();
    entry["about"]["application"] = other["body"]["application"].clone();
    let report = scene.with_entries(|logs| put(logs, Service::Lifecycle, at, &entry));
    names(&report, "revoked-unordered", &format!("entry {at} "));
    // A revocation that was taken out of the log: the lists that have it do not follow from it.
    let report = scene.with_entries(|logs| blank(logs, Service::Lifecycle, at));
    names(&report, "crl-differs", "lifecycle");
    // Entries about keys in one of the two logs only; a clock; a spelling; something else.
    let report = scene.with_files(|dir| fs::remove_dir_all(dir.join("lifecycle/keys")).unwrap());
    names(&report, "missing", "keys");
    let (at, mut entry) = scene.entry(Service::Lifecycle, "crl.published", 0);
    entry["time"] = "2009-02-04T08:00:00.000+09:00".into();
    let report = scene.with_entries(|logs| put(logs, Service::Lifecycle, at, &entry));
    names(
        &report,
        "time",
        &format!("lifecycle/2008 (leaf {})", at + 1),
    );
    let report = scene.with_entries(|logs| {
        let entry = &mut logs.of_service(Service::Lifecycle)[at];
        *entry = String::from_utf8(entry.clone())
            .unwrap()
            .replace("\":", "\": ")
            .into_bytes();
    });
    names(&report, "canonical", &format!("entry {at} "));
}

/// All with the log's key, the tree made anew.
fn heartbeats_do_not_count_what_was_rewritten(scene: &Scene) {
    // A heartbeat that counts one more: it is named once, and those after it are not.
    let (at, mut entry) = scene.entry(Service::Lifecycle, "log.heartbeat", 1);
    for counter in ["/body/entries", "/body/kinds/0/count"] {
        let counter = entry.pointer_mut(counter).unwrap();
        *counter = (counter.as_u64().unwrap() + 1).into();
    }
    let report = scene.with_entries(|logs| put(logs, Service::Lifecycle, at, &entry));
    names(&report, "heartbeat", &format!("lifecycle/2008 entry {at} "));
    assert_eq!(report.counts.get("heartbeat"), Some(&1), "{report:#?}");
    assert_eq!(report.counts.len(), 1, "{:#?}", report.findings);
    // An entry that is gone, and one that was not there: the next heartbeat misses it, or knows nothing of it.
    let (first, _) = scene.entry(Service::Intake, "log.heartbeat", 0);
    let report = scene.with_entries(|logs| drop(logs.of_service(Service::Intake).remove(1)));
    names(&report, "heartbeat", &format!("entry {} ", first - 1));
    assert_eq!(report.counts.get("heartbeat"), Some(&1), "{report:#?}");
    let report = scene.with_entries(|logs| {
        let entries = logs.of_service(Service::Intake);
        entries.insert(2, entries[1].clone());
    });
    names(&report, "heartbeat", &format!("entry {} ", first + 1));
    names(&report, "heartbeat", "; bodies.imported: ");
}

/// Another certificate like the one of an entry, signed by whoever has the CA's key.
fn forged(scene: &Scene, entry: &Value) -> Vec<u8> {
    let der = base64url_decode(entry["body"]["certificate"].as_str().unwrap()).unwrap();
    let tbs = signed::Signed::parse(&der).unwrap().to_be_signed().to_vec();
    let serial = base16(entry["body"]["serial"].as_str().unwrap());
    let at = tbs.windows(16).position(|part| part == serial).unwrap();
    let mut tbs = tbs;
    tbs[at + 15] ^= 1;
    sign(&scene.key, tbs)
}

pub(crate) fn sign(key: &SoftwareKey, tbs: Vec<u8>) -> Vec<u8> {
    let signature = key.sign(&tbs).unwrap();
    signed::assemble(tbs, key.algorithm().signature(), &signature)
}

fn base16(text: &str) -> Vec<u8> {
    text.parse::<Serial>().unwrap().as_bytes().to_vec()
}

fn a_revoked_certificate_is_left_out_of_one_crl(scene: &Scene) {
    let nth = (0..).map(|nth| scene.entry(Service::Lifecycle, "crl.published", nth));
    let is_it = |entry: &Value| {
        let body = &entry["body"];
        body["entries"] == 1
            && body["authority"] == "organization"
            && body["generation"] == 1
            && body.get("base").is_none()
    };
    let (at, published) = nth.into_iter().find(|(_, entry)| is_it(entry)).unwrap();
    let (_, revoked) = scene.entry(Service::Lifecycle, "certificate.revoked", 0);
    let (_, ca) = scene.entry(Service::Issuer, "authority.created", 0);
    assert_eq!(ca["body"]["authority"], "organization");
    let text = |list: &Value| {
        list.as_array()
            .unwrap()
            .iter()
            .map(|t| t.as_str().unwrap().to_owned())
            .collect()
    };
    let addresses = &ca["body"]["addresses"];
    let addresses = Addresses {
        ca_certificate: text(&addresses["ca_certificate"]),
        cps: addresses["cps"].as_str().unwrap().to_owned(),
        crl: text(&addresses["crl"]),
        ocsp: text(&addresses["ocsp"]),
    };
    let certificate = base64url_decode(ca["body"]["certificate"].as_str().unwrap()).unwrap();
    let issuer = Issuer::try_new(Authority::Organization, 1, &certificate, addresses).unwrap();
    let delta = ca["body"]["crl_delta"] == true;
    let issuer = issuer
        .with_crl_options(lgpki_domain::CrlOptions {
            partitions: 0,
            delta,
        })
        .unwrap();
    let body = &published["body"];
    let time = |name: &str| body[name].as_str().unwrap().parse::<Timestamp>().unwrap();
    let header = CrlHeader {
        scope: CrlScope::User,
        base: None,
        number: CrlNumber(body["number"].as_u64().unwrap()),
        this_update: time("this_update"),
        next_update: time("next_update"),
    };
    let write = |entries: Vec<CrlEntry>| crl::write(&issuer, &header, entries).unwrap();
    let without = write(Vec::new());
    let signature = scene.key.sign(&without).unwrap();
    let digest = sha256(&without).to_string();
    let file = signed::assemble(without, scene.key.algorithm().signature(), &signature);
    let key = AuthorityKey::new(Authority::Organization, 1);
    let mut logs = scene.logs.clone();
    let number = &body["number"];
    for entry in logs.of_service(Service::Issuer) {
        let mut value = parse(entry);
        let same = value["body"]["number"] == *number
            && value["body"]["authority"] == key.authority.name()
            && value["body"].get("scope").is_none()
            && value["body"]["generation"] != 2
            && value["body"].get("base").is_none()
            && value["body"].get("delta").is_none();
        if !same || value["body"].get("tbs_digest").is_none() {
            continue;
        }
        value["body"]["tbs_digest"] = digest.clone().into();
        value["about"]["digest"] = digest.clone().into();
        if value["kind"] == "crl.signed" {
            value["body"]["signature"] = base64url(&signature).into();
        } else {
            value["body"]["entries"] = 0.into();
        }
        *entry = value.to_string().into_bytes();
    }
    let mut published = published.clone();
    published["body"]["digest"] = sha256(&file).to_string().into();
    published["about"]["digest"] = published["body"]["digest"].clone();
    published["body"]["entries"] = 0.into();
    put(&mut logs, Service::Lifecycle, at, &published);
    let dir = scene.publish(&logs);
    let serial = revoked["body"]["serial"].as_str().unwrap();
    let report = audit(&dir, &Against::default());
    names(&report, "crl-misses", serial);
    names(&report, "crl-misses", &format!("entry {at} "));
    // With the file at hand the same is told from it; one that was never published is told, too.
    let crls = dir.join("crls");
    fs::create_dir(&crls).unwrap();
    fs::write(crls.join("organization.crl"), &file).unwrap();
    let against = Against {
        crls: vec![crls],
        ..Against::default()
    };
    names(&audit(&dir, &against), "crl-misses", serial);
    names(
        &audit(&scene.publish(&scene.logs), &against),
        "unlogged",
        "never published",
    );
}

fn a_certificate_is_signed_outside_the_system(scene: &Scene) {
    let (_, entry) = scene.entry(Service::Issuer, "certificate.issued", 2);
    let good = base64url_decode(entry["body"]["certificate"].as_str().unwrap()).unwrap();
    let forged = forged(scene, &entry);
    let published = Published::open(&scene.publish(&scene.logs)).unwrap();
    let auditor = published
        .audit(&Service::ALL, &Against::default(), &mut |_| {})
        .unwrap();
    assert!(matches!(
        auditor.judge(&good),
        Verdict::Certificate {
            logged: Some(_),
            ..
        }
    ));
    assert!(matches!(
        auditor.judge(&forged),
        Verdict::Certificate { logged: None, .. }
    ));
    let mut foreign = good.clone();
    *foreign.last_mut().unwrap() ^= 1;
    assert!(matches!(auditor.judge(&foreign), Verdict::NotOurs));
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_tampered_with_is_found_and_named() {
    let (logs, key) = lived().await;
    let scene = Scene {
        logs,
        key,
        dir: scratch(),
    };
    files_are_tampered_with(&scene);
    a_log_rewritten_whole_with_its_own_key_lacks_its_witness(&scene);
    a_log_of_keys_is_cut_or_runs_ahead(&scene);
    logs_are_set_back_or_rewritten_with_their_own_key(&scene);
    entries_are_rewritten(&scene);
    heartbeats_do_not_count_what_was_rewritten(&scene);
    a_revoked_certificate_is_left_out_of_one_crl(&scene);
    a_certificate_is_signed_outside_the_system(&scene);
    profiles::a_certificate_is_more_than_was_applied_for(&scene);
    omitted::what_is_left_out_is_missed(&scene);
    let dir = scene.publish(&scene.logs);
    let (_, entry) = scene.entry(Service::Issuer, "certificate.issued", 4);
    handed::a_proof_stands_alone(&dir, entry["body"]["serial"].as_str().unwrap());
    handed::tables_hold_every_entry(&dir, &dir.join("tables"));
    let missed = MISSED.lock().unwrap();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}
