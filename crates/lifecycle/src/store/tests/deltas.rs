//! A disk that fails while a complete CRL and its delta are recorded.

use lgpki_domain::CrlNumber;

use super::*;

/// Whichever step fails: what was acknowledged stands, a delta never stands without its complete CRL,
/// and one that was parted from it can be followed by one with a number of its own.
#[tokio::test]
async fn a_complete_crl_and_its_delta_are_recorded_one_after_the_other_whatever_fails() {
    let full = ErrorKind::StorageFull;
    let faults = [
        Fault::Before(full),
        Fault::After(full),
        Fault::Torn(100, full),
    ];
    let now = at("2008-02-04T09:15:00");
    let (mut parted, mut together) = (0, 0);
    for (step, fault) in (1..6).flat_map(|step| faults.map(|fault| (step, fault))) {
        let disk = FaultyDisk::new();
        let store = on(&disk);
        with(&store, 2).await;
        disk.fail_at(step, fault);
        let complete = publication(1, "2008-02-04T09:15:00", 2);
        let beside = delta(1, 1, "2008-02-04T09:15:00", 2);
        let recorded = store.record(complete.clone(), now).await.is_ok();
        let delta_recorded = store.record(beside.clone(), now).await.is_ok();
        drop(store);
        disk.power_cut(Persisted::Nothing);
        let store = on(&disk);
        let series = crate::testing::series(AUTHORITY);
        let standing = store.publication(series).await.unwrap();
        assert!(!recorded || standing.newest == Some(complete), "{step}");
        assert!(!delta_recorded || standing.delta == Some(beside), "{step}");
        let Some(newest) = &standing.newest else {
            assert_eq!(standing.delta, None, "{step}");
            continue;
        };
        let base = standing.base_at(now).map(|base| base.number);
        assert_eq!(base, Some(newest.number));
        if standing.delta.is_some() {
            together += 1;
        } else {
            parted += 1;
        }
        let alone = delta(2, 1, "2008-02-04T09:15:01", 2);
        let recording = store.record(alone, now).await.unwrap();
        assert_eq!(
            recording,
            Recording::Recorded,
            "{step} {fault:?} {standing:?}"
        );
        let standing = store.publication(series).await.unwrap();
        assert_eq!(standing.number(), Some(CrlNumber(2)));
    }
    assert!(parted > 0 && together > 0, "{parted} {together}");
}
