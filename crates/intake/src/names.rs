//! Sweeps the store of openings at start: a name that no entry of the log stands upon, kept just before a
//! crash, and one whose erasure was recorded but not carried out.
//!
//! The log is read once, in the background and only where names are kept; it knows every commitment
//! that was made before this start. Names that come later are none of its business.

use std::{collections::HashSet, sync::Arc};

use lgpki_store::OpeningStore;

use crate::{
    error::StoreError,
    ports::{Commitment, IntakeStore},
};

/// Entries read at a time.
const STEP: usize = 1_000;

/// The openings that were kept when this was made, before anybody applies.
#[derive(Debug)]
pub(crate) struct Sweep<S> {
    store: Arc<S>,
    openings: Arc<OpeningStore>,
    kept: HashSet<String>,
}

impl<S: IntakeStore> Sweep<S> {
    pub(crate) fn new(store: Arc<S>, openings: Arc<OpeningStore>) -> Self {
        Self {
            kept: openings.commitments().into_iter().collect(),
            store,
            openings,
        }
    }

    /// Erases what no entry of the log wants kept; how many there were.
    pub(crate) async fn run(self) -> Result<usize, StoreError> {
        if self.kept.is_empty() {
            return Ok(0);
        }
        let mut idle = self.kept.clone();
        let mut from = Some(0);
        while let Some(at) = from {
            let (commitments, next) = self.store.commitments(at, STEP).await?;
            for commitment in commitments {
                match commitment {
                    Commitment::Made(one) => {
                        idle.remove(&one);
                    }
                    Commitment::Erased(one) if self.kept.contains(&one) => {
                        idle.insert(one);
                    }
                    Commitment::Erased(_) => {}
                }
            }
            from = next;
        }
        let is_kept = |one: &String| self.openings.get(one).is_some();
        let erased: Vec<String> = idle.into_iter().filter(is_kept).collect();
        let count = erased.len();
        if count > 0 {
            let openings = self.openings;
            let done = tokio::task::spawn_blocking(move || openings.erase(&erased)).await;
            // The runtime is shutting down.
            done.unwrap_or(Ok(()))?;
            tracing::info!(count, "names that no application stands upon were erased");
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use lgpki_domain::{Caller, Role, Timestamp};
    use lgpki_ledger::OsDisk;
    use lgpki_store::commit;
    use lgpki_testkit::SeededRandom;

    use super::*;
    use crate::{
        ports::NewApplication,
        store::{
            EngineStore,
            tests::{
                conformance::addressees::{change, end, made as record, register, with_units},
                fixtures::{begin, issue},
            },
        },
    };

    #[tokio::test]
    async fn names_left_over_by_a_crash_are_erased_and_all_others_stay() {
        let store =
            Arc::new(EngineStore::open_memory(lgpki_testkit::log_identity("intake-1")).unwrap());
        begin(store.as_ref()).await;
        let dir = tempfile::tempdir().unwrap();
        let openings = OpeningStore::open(dir.path(), Arc::new(OsDisk)).unwrap();
        let openings = Arc::new(openings);
        let random = SeededRandom::new(7);
        let mut made = Vec::new();
        for name in ["佐藤花子", "鈴木一郎", "高橋次郎"] {
            let opening = commit(&random, name).unwrap();
            openings.put(std::slice::from_ref(&opening)).unwrap();
            made.push(opening.commitment);
        }
        // The third name's application never came; the second one's erasure was not carried out.
        let batch = (0..2).map(|n| NewApplication {
            examiner_commitment: Some(made[usize::from(n)].clone()),
            ..issue(n + 1)
        });
        let batch: Vec<_> = batch.collect();
        let second = batch[1].id;
        store.accept(batch).await.unwrap();
        let intake = Caller::Service(Role::Intake);
        let noted = store.note_name_erased(second, made[1].clone(), intake, Timestamp::default());
        noted.await.unwrap();

        let sweep = Sweep::new(store.clone(), openings.clone());
        // Kept after the start: no business of the sweep.
        let later = commit(&random, "田中三郎").unwrap();
        openings.put(std::slice::from_ref(&later)).unwrap();
        assert_eq!(sweep.run().await.unwrap(), 2);
        assert!(openings.get(&made[0]).is_some() && openings.get(&later.commitment).is_some());
        assert!(openings.get(&made[1]).is_none() && openings.get(&made[2]).is_none());
        let again = Sweep::new(store, openings.clone());
        let left = again.run().await.unwrap();
        assert_eq!(left, 1, "by now the late one has been left over too");
    }

    #[tokio::test]
    async fn the_person_of_an_addressees_former_version_is_erased_at_the_next_start() {
        let store =
            Arc::new(EngineStore::open_memory(lgpki_testkit::log_identity("intake-1")).unwrap());
        with_units(store.as_ref()).await;
        let dir = tempfile::tempdir().unwrap();
        let openings = Arc::new(OpeningStore::open(dir.path(), Arc::new(OsDisk)).unwrap());
        let random = SeededRandom::new(7);
        let made = ["模擬花子", "模擬太郎", "模擬三郎"].map(|name| {
            let opening = commit(&random, name).unwrap();
            openings.put(std::slice::from_ref(&opening)).unwrap();
            Some(opening.commitment)
        });
        let [first, second, unused] = &made;
        // The crash came after the change was recorded; the third one's request never came.
        let mut registered = register(1);
        registered
            .act
            .draft_mut()
            .unwrap()
            .contact
            .clone_from(first);
        record(store.as_ref(), registered).await;
        let changed = change(2, (1, 1), |draft| draft.contact.clone_from(second));
        let (_, erases) = record(store.as_ref(), changed).await;
        assert_eq!(&erases, first);

        let sweep = Sweep::new(store.clone(), openings.clone());
        assert_eq!(sweep.run().await.unwrap(), 2);
        let kept = |one: &Option<String>| openings.get(one.as_ref().unwrap()).is_some();
        assert!(kept(second) && !kept(first) && !kept(unused));
        record(store.as_ref(), end(3, (1, 2))).await;
        let sweep = Sweep::new(store, openings.clone());
        assert_eq!(sweep.run().await.unwrap(), 1);
        assert_eq!(openings.count(), 0);
    }
}
