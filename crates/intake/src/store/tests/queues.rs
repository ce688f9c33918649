//! What is handed out is exactly the order's choice, also after a restart; nothing is lost from a queue or
//! handed out twice, whatever arrives, is claimed, approved or withdrawn.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use lgpki_domain::{
    ApplicationId, Timestamp,
    order::{Claim, FairRules, OrderName, Queue, Waiting},
};
use lgpki_store::Options;
use proptest::prelude::*;

use super::{conformance::queueing::renewal, fixtures::*};
use crate::{
    pace::{Forecast, Pace},
    ports::{Act, IntakeStore as _, QueueStore as _, RenewalAnswer, Waits},
    store::EngineStore,
};

#[derive(Clone, Debug)]
enum Step {
    /// A renewal of a certificate that expires in so many days, or a new application.
    Arrive {
        examined: bool,
        days: Option<i32>,
    },
    Claim(usize),
    /// The one at this place of the examiners' order.
    Approve(usize),
    Withdraw(usize),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let arrive = (any::<bool>(), proptest::option::of(-3..120_i32))
        .prop_map(|(examined, days)| Step::Arrive { examined, days });
    let step = prop_oneof![
        8 => arrive,
        2 => (1..5_usize).prop_map(Step::Claim),
        2 => (0..3_usize).prop_map(Step::Approve),
        1 => (0..60_usize).prop_map(Step::Withdraw),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..50)
}

/// The time of every claim and act.
fn now() -> Timestamp {
    at(6000)
}

/// The store under test beside what its queues must be.
struct World {
    store: EngineStore,
    pace: Arc<Pace>,
    examination: Queue,
    issue: Queue,
    arrived: u16,
    handed: BTreeSet<ApplicationId>,
}

fn empty() -> Queue {
    Queue::new(OrderName::Fair, FairRules::default())
}

async fn open(dir: &Path, pace: &Arc<Pace>) -> EngineStore {
    let opened =
        EngineStore::open_embedded(dir, Options::new(lgpki_testkit::log_identity("intake-1")));
    let store = opened.unwrap().0;
    store.arrange(pace.clone()).await.unwrap();
    store
}

impl World {
    async fn step(&mut self, step: &Step, dir: &Path) {
        match *step {
            Step::Arrive { examined, days } => self.arrive(examined, days).await,
            Step::Claim(most) => self.claim(most).await,
            Step::Approve(place) => self.approve(place).await,
            Step::Withdraw(n) => self.withdraw(n).await,
            Step::Restart => {
                self.store.close().await;
                self.store = open(dir, &self.pace).await;
                // Which turns were taken is forgotten; who waits is not.
                for queue in [&mut self.examination, &mut self.issue] {
                    let mut again = empty();
                    for waiting in queue.iter() {
                        again.insert(*waiting);
                    }
                    *queue = again;
                }
                // What was claimed before is handed out again first, and settled.
                let again = numbers(&claim(&self.store, 1000).await);
                let (again, new) = again.split_at(self.handed.len());
                assert_eq!(again.iter().copied().collect::<BTreeSet<_>>(), self.handed);
                self.taken(new);
                for id in std::mem::take(&mut self.handed) {
                    settle(&self.store, id, failed()).await;
                }
            }
        }
        self.compare().await;
    }

    async fn arrive(&mut self, examined: bool, days: Option<i32>) {
        self.arrived += 1;
        let n = self.arrived;
        let needed = u32::from(examined);
        let received = at(i64::from(n));
        let claim = if let Some(days) = days {
            let last_day = now().jst_date().plus_days(days);
            accept(&self.store, renewal(n, needed, &last_day.to_string())).await;
            answer(&self.store, id(n), RenewalAnswer::Opened).await;
            Claim::Renewal {
                expires: last_day.plus_days(1).start(),
            }
        } else {
            accept(&self.store, manual(n, needed)).await;
            Claim::New
        };
        let waiting = Waiting {
            id: id(n),
            branch: Some(code("01001")),
            received,
            claim,
        };
        if examined {
            self.examination.insert(waiting);
        } else {
            self.issue.insert(waiting);
        }
    }

    async fn claim(&mut self, most: usize) {
        let handed = numbers(&claim(&self.store, most).await);
        assert_eq!(handed.len(), most.min(self.issue.len()));
        self.taken(&handed);
    }

    /// Each was the next at its time.
    fn taken(&mut self, handed: &[ApplicationId]) {
        let at_risk = self.at_risk(Waits::Issue);
        let next = self.issue.walk(now(), at_risk).take(handed.len());
        assert_eq!(next.map(|(w, _)| w.id).collect::<Vec<_>>(), handed);
        for id in handed {
            let at_risk = self.at_risk(Waits::Issue);
            self.issue.serve(*id, now(), at_risk).unwrap();
            assert!(self.handed.insert(*id), "{id} was handed out twice");
        }
    }

    async fn approve(&mut self, place: usize) {
        let Some((waiting, _)) = self
            .examination
            .walk(now(), self.at_risk(Waits::Examination))
            .nth(place)
        else {
            return;
        };
        let operator = approver(1, 1);
        let mut command = command(waiting.id, Act::Approve { operator });
        command.at = now();
        self.store
            .act(vec![command])
            .await
            .unwrap()
            .remove(0)
            .unwrap();
        let at_risk = self.at_risk(Waits::Examination);
        self.examination.serve(waiting.id, now(), at_risk).unwrap();
        self.issue.insert(waiting);
    }

    async fn withdraw(&mut self, n: usize) {
        let id = id(u16::try_from(n).unwrap());
        let removed = self
            .examination
            .remove(id)
            .or_else(|| self.issue.remove(id));
        let withdrawn = act(&self.store, id, Act::Withdraw).await;
        assert_eq!(withdrawn.is_ok(), removed.is_some());
    }

    async fn compare(&self) {
        let page = self.store.examinations(None, 1000, now()).await.unwrap();
        let listed: Vec<_> = page.applications.iter().map(|a| a.id).collect();
        let at_risk = self.at_risk(Waits::Examination);
        let expected = self.examination.walk(now(), at_risk).map(|(w, _)| w.id);
        assert_eq!(listed, expected.collect::<Vec<_>>());
        let places = self.store.places(listed, now()).await.unwrap();
        for (n, place) in (0_u64..).zip(places) {
            assert_eq!(place.unwrap().ahead, n);
        }
        let looks = self.store.queues(now()).await.unwrap();
        assert_eq!(looks[1].waiting, self.issue.len());
    }

    fn at_risk(&self, waits: Waits) -> Option<Timestamp> {
        let length = match waits {
            Waits::Examination => self.examination.len(),
            Waits::Issue => self.issue.len(),
        };
        self.pace.at_risk_until(waits, length, now())
    }
}

fn failed() -> crate::ports::Settled {
    crate::ports::Settled::Failed {
        reason: "of no interest".to_owned(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn what_is_handed_out_is_the_orders_choice_and_nothing_is_lost(steps in steps()) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let pace = Arc::new(Pace::default());
            pace.expect(Forecast {
                at_risk_until: Some(now().plus_seconds(40 * 86_400)),
                ..Forecast::default()
            });
            let mut world = World {
                store: open(dir.path(), &pace).await,
                pace,
                examination: empty(),
                issue: empty(),
                arrived: 0,
                handed: BTreeSet::new(),
            };
            begin(&world.store).await;
            for step in &steps {
                world.step(step, dir.path()).await;
            }
            // Everybody comes out in the end.
            while !world.examination.is_empty() {
                world.approve(0).await;
            }
            world.claim(1000).await;
            world.compare().await;
            world.store.close().await;
        });
    }
}

#[tokio::test]
async fn a_far_page_waits_for_other_long_looks_and_the_first_does_not() {
    let store = EngineStore::open_memory(lgpki_testkit::log_identity("intake-1")).unwrap();
    begin(&store).await;
    accept(&store, manual(1, 1)).await;
    let held = store.explaining.lock().await;
    let first = store.examinations(None, 1, now()).await.unwrap();
    assert_eq!(first.applications.len(), 1);
    let mut far = Box::pin(store.examinations(Some(id(1)), 1, now()));
    tokio::select! {
        biased;
        _ = &mut far => panic!("it took no turn"),
        () = std::future::ready(()) => {}
    }
    drop(held);
    assert_eq!(far.await.unwrap().before, 1);
}
