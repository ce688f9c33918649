//! Incident search over the logs of a system that lived: each filter by itself, together, and what a
//! search refuses to answer.

use std::{fs, path::Path};

use lgpki_audit::{
    AuditError, Published, Service,
    find::{Found, Query, Search, State, find},
};
use lgpki_domain::{Authority, CertificateKind, Serial};

use crate::{
    Logs,
    life::lived,
    published::{bundle, publish, write_bundle},
};

/// The entries of the issuer's second log begin here.
const SPLIT: usize = 30;

fn search(dir: &Path, query: &Query) -> Result<Search, AuditError> {
    find(&Published::open(dir).unwrap(), query, &[], &mut |_| {})
}

struct Scene {
    dir: tempfile::TempDir,
    all: Vec<Found>,
}

impl Scene {
    fn of(logs: &Logs) -> Self {
        let memory = tempfile::tempdir_in("/dev/shm");
        let dir = memory.or_else(|_| tempfile::tempdir()).unwrap();
        publish(logs, dir.path(), SPLIT);
        let all = search(dir.path(), &Query::default()).unwrap().certificates;
        Self { dir, all }
    }

    fn found(&self, query: &Query) -> Vec<Found> {
        search(self.dir.path(), query).unwrap().certificates
    }

    /// What a query finds is what fits, some of it and not all; returns how many.
    #[track_caller]
    fn finds(&self, query: &Query, fits: impl Fn(&Found) -> bool) -> usize {
        let serials = |found: &[Found]| found.iter().map(|f| f.serial).collect::<Vec<_>>();
        let found = serials(&self.found(query));
        let expected: Vec<Serial> = self
            .all
            .iter()
            .filter(|f| fits(f))
            .map(|f| f.serial)
            .collect();
        assert_eq!(found, expected);
        assert!(
            !found.is_empty() && found.len() < self.all.len(),
            "{found:?}"
        );
        found.len()
    }

    fn of_kind(&self, kind: CertificateKind) -> Vec<&Found> {
        let approved = |found: &&Found| found.kind == kind && !found.approved_by.is_empty();
        self.all.iter().filter(approved).collect()
    }
}

fn what_was_issued(scene: &Scene) {
    use CertificateKind::{OfficialDuty, WebServer};
    let kinds = vec![OfficialDuty, WebServer];
    let of_kinds = |f: &Found| matches!(f.kind, OfficialDuty | WebServer);
    let query = Query {
        kinds,
        ..Query::default()
    };
    assert_eq!(scene.finds(&query, of_kinds), 5);
    let third = scene.all.iter().find(|f| f.kind == WebServer).unwrap();
    let (from, to) = (third.issued_at, scene.all[scene.all.len() - 2].issued_at);
    let query = Query {
        issued_from: Some(from),
        issued_to: Some(to),
        ..Query::default()
    };
    scene.finds(&query, |f| f.issued_at >= from && f.issued_at <= to);
    let branches = vec!["01001".parse().unwrap()];
    let of_branch = |f: &Found| f.branch.is_some_and(|code| code.to_string() == "01001");
    scene.finds(
        &Query {
            branches,
            ..Query::default()
        },
        of_branch,
    );
    for name in [third.body.en.clone(), third.body.ja.clone()] {
        let query = Query {
            bodies: vec![name],
            ..Query::default()
        };
        scene.finds(&query, |f| f.body == third.body);
    }
    let query = Query {
        keys: vec![third.key_digest],
        ..Query::default()
    };
    assert_eq!(scene.finds(&query, |f| f.serial == third.serial), 1);
    let algorithm = third.key_algorithm.unwrap();
    let query = Query {
        algorithms: vec![algorithm],
        ..Query::default()
    };
    assert!(
        scene
            .found(&query)
            .iter()
            .all(|f| f.key_algorithm == Some(algorithm))
    );
    let authorities = vec![(Authority::Organization, None)];
    let of_organization = |f: &Found| f.ca.authority == Authority::Organization;
    scene.finds(
        &Query {
            authorities,
            ..Query::default()
        },
        of_organization,
    );
    let authorities = vec![(Authority::Organization, Some(2))];
    let of_second = |f: &Found| of_organization(f) && f.ca.generation == 2;
    scene.finds(
        &Query {
            authorities,
            ..Query::default()
        },
        of_second,
    );
    let epoch = third.epoch;
    let query = Query {
        epochs: vec![epoch],
        ..Query::default()
    };
    scene.finds(&query, |f| f.epoch == epoch);
    let profile = third.profile.unwrap();
    let with = |version| {
        scene.found(&Query {
            profiles: vec![version],
            ..Query::default()
        })
    };
    assert!(with(profile).iter().any(|f| f.serial == third.serial));
    assert!(with(profile + 90).is_empty());
}

fn who_had_to_do_with_it(scene: &Scene) {
    let by = |examiner: &str| Query {
        examiners: vec![examiner.to_owned()],
        ..Query::default()
    };
    let approved = |f: &Found, actor: &str| f.approved_by.iter().any(|a| a.actor == actor);
    // The policy approves official-duty certificates; one operator the server's and the login's.
    assert_eq!(scene.finds(&by("intake"), |f| approved(f, "intake")), 4);
    let server = &scene.of_kind(CertificateKind::WebServer)[0].approved_by[0];
    let serial = server.actor.rsplit_once('/').unwrap().1;
    let subject = server.subject.unwrap().to_string();
    for examiner in [&server.actor, serial, &subject] {
        assert_eq!(
            scene.finds(&by(examiner), |f| approved(f, &server.actor)),
            2
        );
    }
    let from = |caller: &str| Query {
        callers: vec![caller.to_owned()],
        ..Query::default()
    };
    let of_branch = |f: &Found| f.caller.starts_with("branch-officer/01001/");
    assert_eq!(scene.finds(&from("branch-officer"), of_branch), 6);
    assert_eq!(scene.finds(&from("01001"), of_branch), 6);
    let office = scene.of_kind(CertificateKind::WebServer)[0]
        .office
        .clone()
        .unwrap();
    let query = Query {
        offices: vec![office.clone()],
        ..Query::default()
    };
    scene.finds(&query, |f| f.office.as_deref() == Some(&office));
}

fn how_it_stands(scene: &Scene) {
    let state = |state| Query {
        states: vec![state],
        ..Query::default()
    };
    let revoked = |f: &Found| f.revoked_at.is_some() && f.reason.is_some();
    assert_eq!(scene.finds(&state(State::Revoked), revoked), 2);
    assert_eq!(
        scene.finds(&state(State::Valid), |f| !revoked(f)),
        scene.all.len() - 2
    );
    let both = Query {
        kinds: vec![CertificateKind::OfficialDuty],
        states: vec![State::Valid],
        examiners: vec!["intake".to_owned()],
        ..Query::default()
    };
    let stands = |f: &Found| f.kind == CertificateKind::OfficialDuty && !revoked(f);
    assert_eq!(scene.finds(&both, stands), 2);
    let neither = Query {
        callers: vec!["operator".to_owned()],
        ..both
    };
    assert!(scene.found(&neither).is_empty());
}

fn what_is_not_answered(scene: &Scene) {
    let dir = scene.dir.path();
    fs::rename(dir.join("intake"), dir.join("away")).unwrap();
    let callers = vec!["01001".to_owned()];
    let asked = search(
        dir,
        &Query {
            callers,
            ..Query::default()
        },
    );
    assert!(
        asked
            .unwrap_err()
            .to_string()
            .contains("the logs of intake are not there")
    );
    let rest = search(dir, &Query::default()).unwrap();
    assert_eq!(
        (rest.without, rest.certificates.len()),
        (vec!["intake"], scene.all.len())
    );
    fs::rename(dir.join("away"), dir.join("intake")).unwrap();
    // What was tampered with is believed by nobody.
    let of = dir.join("lifecycle/2008/tile/entries/000.p");
    let path = fs::read_dir(of).unwrap().next().unwrap().unwrap().path();
    let mut entries = bundle(&path);
    let at = entries.len() / 2;
    entries.swap(at, at + 1);
    write_bundle(&path, &entries);
    let told = search(dir, &Query::default()).unwrap_err().to_string();
    assert!(
        told.contains("lifecycle/2008") && told.contains("is not the one in the tree"),
        "{told}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_found_by_what_the_entries_say_of_them() {
    let (logs, _) = lived().await;
    let scene = Scene::of(&logs);
    let issuer = logs
        .0
        .iter()
        .find(|(of, _)| *of == Service::Issuer)
        .unwrap();
    let is_issued =
        |e: &&Vec<u8>| String::from_utf8_lossy(e).contains("\"kind\":\"certificate.issued\"");
    assert_eq!(scene.all.len(), issuer.1.iter().filter(is_issued).count());
    assert!(scene.all.iter().all(|f| {
        let entry = &issuer.1[usize::try_from(f.entry).unwrap()];
        String::from_utf8_lossy(entry).contains(&f.serial.to_string())
    }));
    what_was_issued(&scene);
    who_had_to_do_with_it(&scene);
    how_it_stands(&scene);
    what_is_not_answered(&scene);
}
