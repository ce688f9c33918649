//! Slots and keys through faults of the disk: what was acknowledged is there afterwards.

use super::{
    suite::{day, moved, noon, slots},
    *,
};

/// Whichever step of the disk fails: a booking that was acknowledged is there after the power was cut, and so
/// is the key whose recording was acknowledged, before which it signs nothing.
#[tokio::test]
async fn an_acknowledged_booking_and_key_are_never_lost() {
    let full = ErrorKind::StorageFull;
    let faults = [
        Fault::Before(full),
        Fault::After(full),
        Fault::Torn(100, full),
        Fault::Torn(700, full),
    ];
    let (mut kept, mut failed) = (0, 0);
    for (step, fault) in (1..14).flat_map(|step| faults.map(|fault| (step, fault))) {
        let disk = FaultyDisk::new();
        let store = on(&disk);
        with(&store, 6).await;
        disk.fail_at(step, fault);
        let (mut booked, mut keys) = (Vec::new(), Vec::new());
        for n in 0..6_u32 {
            let order = slots([moved(n, None, Some("2010-11-04"))]);
            match store.book_slots(order, noon()).await {
                Ok(booking) => booked.extend((booking.booked == 1).then_some(n)),
                Err(_) => failed += 1,
            }
            let key = [u8::try_from(n).unwrap(); 32];
            if store.add_slot_key(key, noon()).await.is_ok() {
                keys.push(key);
            }
        }
        kept += booked.len();
        drop(store);
        disk.power_cut(Persisted::Nothing);
        let store = on(&disk);
        for n in booked {
            let found = store.renewable(serial(n)).await.unwrap().unwrap();
            assert_eq!(found.slot, Some(day("2010-11-04")), "step {step}: {n}");
        }
        let listed = store.slot_keys().await.unwrap();
        assert!(keys.iter().all(|key| listed.contains(key)), "step {step}");
        // What was not acknowledged is there or not; a round finds what has no slot and books it.
        let again = slots((0..6).map(|n| moved(n, None, Some("2010-11-04"))));
        store.book_slots(again, noon()).await.unwrap();
        let load = store.slot_load().await.unwrap();
        assert_eq!(load.get(&day("2010-11-04")), Some(&6));
    }
    assert!(kept > 0 && failed > 0, "{kept} {failed}");
}
