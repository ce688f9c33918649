//! Who can hold certificates up by disputing a log, for how long, and who cannot.

use lgpki_store::WitnessDispute;

use super::*;

/// Witnesses that may lag for ever.
fn patient(office: &Arc<Office>, required: usize, stops: bool) -> Witnessing {
    let limits = WitnessLimits {
        lag: Duration::from_hours(1),
        stop: None,
    };
    witnessing(office, required, limits).stopping_when_disputed(stops)
}

fn says(status: u16, kind: Option<&str>, body: &str, shown: Option<String>) -> Carried {
    Carried {
        status,
        kind: kind.map(str::to_owned),
        body: body.as_bytes().to_vec(),
        shown,
    }
}

impl Office {
    /// Lets somebody on the way answer for these witnesses.
    fn lie(&self, witnesses: &[usize], lie: &Carried) {
        let lies = witnesses.iter().map(|of| (*of, lie.clone()));
        *self.lies.lock().unwrap() = lies.collect();
    }
}

fn disputes(engine: &Engine<Toy>) -> Vec<Option<WitnessDispute>> {
    let each = state(engine).witnessed.unwrap().each;
    each.into_iter().map(|one| one.dispute).collect()
}

#[tokio::test]
async fn what_no_signature_covers_is_an_alarm_and_stops_nothing() {
    let (dir, office) = (TempDir::new().unwrap(), Office::new(2));
    let engine = open_with(dir.path(), Some(patient(&office, 1, false)));
    engine.submit_one(add("a", 1)).await.unwrap();
    eventually(|| witnessed(&engine) == 1).await;
    engine.close().await;
    let note = published(dir.path(), LogId::Year(2008));
    let origin = note.text().lines().next().unwrap().parse().unwrap();
    let foreign = lgpki_ledger::Checkpoint {
        origin,
        size: 99,
        root: [7; 32],
    };
    let foreign = foreign.signed(&log_signer(250));
    // What a proxy says, a size without proof, and as its proof what the log does hold, and what another
    // key signed.
    for lie in [
        says(409, Some("text/html"), "conflict", None),
        says(422, None, "FORK", None),
        says(409, Some(SIZE_TYPE), "99999999\n", None),
        says(422, None, "FORK", Some(show(&note))),
        says(409, Some(SIZE_TYPE), "99\n", Some(show(&foreign))),
        says(422, None, "FORK", Some("junk".to_owned())),
    ] {
        office.lie(&[0, 1], &lie);
        let engine = open_with(dir.path(), Some(patient(&office, 1, false)));
        eventually(|| disputes(&engine).iter().all(Option::is_some)).await;
        assert!(disputes(&engine).iter().flatten().all(|one| !one.proved));
        assert_eq!(state(&engine).hold(), None, "{lie:?}");
        engine.close().await;
        // The witnesses themselves answer again, and that is all.
        office.lie(&[], &lie);
        let engine = open_with(dir.path(), Some(patient(&office, 1, false)));
        eventually(|| disputes(&engine).iter().all(Option::is_none)).await;
        engine.close().await;
    }
}

#[tokio::test]
async fn where_the_operator_wants_it_so_many_stop_certificates_that_the_others_are_too_few() {
    let lie = says(409, None, "conflict", None);
    for (required, lying, holds) in [
        (2, &[0][..], false),
        (2, &[0, 1], true),
        (3, &[2], true),
        (1, &[0, 2], false),
        (0, &[0, 1, 2], false),
    ] {
        for stops in [true, false] {
            let (dir, office) = (TempDir::new().unwrap(), Office::new(3));
            office.lie(lying, &lie);
            let engine = open_with(dir.path(), Some(patient(&office, required, stops)));
            engine.submit_one(add("a", 1)).await.unwrap();
            let disputing = || disputes(&engine).iter().flatten().count();
            eventually(|| disputing() == lying.len()).await;
            let held = matches!(state(&engine).hold(), Some(Hold::Disputed { .. }));
            assert_eq!(held, holds && stops, "{required} {lying:?} {stops}");
            engine.close().await;
        }
    }
}

#[tokio::test]
async fn a_proved_dispute_holds_whatever_is_required_and_outlives_a_restart_without_the_witness() {
    let (dir, office) = (TempDir::new().unwrap(), Office::new(2));
    let open = |dir: &Path| open_with(dir, Some(patient(&office, 0, false)));
    let engine = open(dir.path());
    engine.submit_one(add("a", 1)).await.unwrap();
    engine.close().await;
    let old = TempDir::new().unwrap();
    copy_all(&dir.path().join("log"), &old.path().join("log"));
    copy_all(&dir.path().join("audit"), &old.path().join("audit"));
    let engine = open(dir.path());
    engine.submit_one(add("b", 1)).await.unwrap();
    engine.close().await;
    // One of the two is enough, for the log's own key signed what it shows.
    office.away(&[1]);
    let set_back = open(old.path());
    let proved = |of: &Option<WitnessDispute>| of.as_ref().is_some_and(|of| of.proved);
    eventually(|| proved(&disputes(&set_back)[0])).await;
    let Some(Hold::Disputed { witness, what }) = state(&set_back).hold() else {
        panic!("it does not hold");
    };
    assert_eq!(witness, "w0.example");
    assert!(what.contains("the log's own signature"), "{what}");
    set_back.close().await;
    // Nobody answers, and what was proved is known from the first moment on.
    office.away(&[0, 1]);
    for _ in 0..2 {
        let set_back = open(old.path());
        assert!(matches!(
            state(&set_back).hold(),
            Some(Hold::Disputed { .. })
        ));
        set_back.close().await;
    }
    // Somebody on the way says less: it stays proved.
    office.away(&[1]);
    office.lie(&[0], &says(409, None, "conflict", None));
    let before = *office.asked.lock().unwrap();
    let set_back = open(old.path());
    eventually(|| *office.asked.lock().unwrap() > before).await;
    set_back.close().await;
    let set_back = open(old.path());
    assert!(proved(&disputes(&set_back)[0]));
    set_back.close().await;
    // Whose entry leaves the configuration has no say any more.
    let alone = open_with(old.path(), None);
    assert_eq!(state(&alone).hold(), None);
    alone.close().await;
    // What was lost comes back into the same directory: the witness cosigns it, and it is settled for good.
    office.away(&[]);
    office.lie(&[], &says(409, None, "", None));
    for part in ["log", "audit"] {
        std::fs::remove_dir_all(old.path().join(part)).unwrap();
        copy_all(&dir.path().join(part), &old.path().join(part));
    }
    let mended = open(old.path());
    eventually(|| disputes(&mended).iter().all(Option::is_none)).await;
    assert_eq!(state(&mended).hold(), None);
    mended.close().await;
    office.away(&[0, 1]);
    let mended = open(old.path());
    assert_eq!(disputes(&mended), [None, None]);
    mended.close().await;
}

#[tokio::test]
async fn a_dispute_of_a_year_that_has_ended_is_settled_though_its_checkpoint_bears_the_cosignature()
{
    let (dir, office) = (TempDir::new().unwrap(), Office::new(1));
    let open = || open_with(dir.path(), Some(patient(&office, 1, false)));
    let engine = open();
    engine.submit(at(OLD, "a")).await.unwrap();
    eventually(|| witnessed(&engine) == 1).await;
    engine.close().await;
    office.lie(&[0], &says(409, None, "conflict", None));
    let engine = open();
    engine.submit(at(NEW, "b")).await.unwrap();
    eventually(|| disputes(&engine)[0].is_some()).await;
    eventually(|| state(&engine).end == 2).await;
    engine.close().await;
    office.lie(&[], &says(409, None, "", None));
    let engine = open();
    eventually(|| disputes(&engine)[0].is_none() && witnessed(&engine) == 2).await;
    engine.close().await;
}
