//! What the order promises, under arbitrary sequences of arrivals, turns, withdrawals and passing time.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

fn id(n: usize) -> ApplicationId {
    ApplicationId::from_bytes((n as u128).to_be_bytes())
}

fn branch(n: u16) -> Option<BodyCode> {
    BodyCode::try_new(13, n)
}

fn at(days: i64) -> Timestamp {
    Timestamp::from_millis(days * DAY)
}

fn renewal(n: usize, of: u16, received: Timestamp, expires: Timestamp) -> Waiting {
    let claim = Claim::Renewal { expires };
    Waiting {
        id: id(n),
        branch: branch(of),
        received,
        claim,
    }
}

fn new(n: usize, of: u16, received: Timestamp) -> Waiting {
    Waiting {
        id: id(n),
        branch: branch(of),
        received,
        claim: Claim::New,
    }
}

/// What can happen to a queue.
#[derive(Clone, Debug)]
enum Step {
    Arrive { branch: u16, kind: u8, days: i64 },
    Take,
    Withdraw(usize),
    Wait { hours: i64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1..6_u16, 0..20_u8, -2..190_i64)
            .prop_map(|(branch, kind, days)| Step::Arrive { branch, kind, days }),
        4 => Just(Step::Take),
        1 => (0..400_usize).prop_map(Step::Withdraw),
        2 => (0..24 * 30_i64).prop_map(|hours| Step::Wait { hours }),
    ];
    prop::collection::vec(step, 1..200)
}

fn claim(kind: u8, expires: Timestamp) -> Claim {
    match kind {
        0 => Claim::EmergencyRevocation,
        1..=2 => Claim::Revocation,
        3..=7 => Claim::New,
        _ => Claim::Renewal { expires },
    }
}

/// A queue under test with what must be in it.
struct World {
    queue: FairOrder,
    rules: FairRules,
    inside: BTreeMap<ApplicationId, Waiting>,
    now: Timestamp,
    arrived: usize,
    /// Of each that is overdue: turns, emergencies not counted, within which it must be taken.
    owed: BTreeMap<ApplicationId, usize>,
}

impl World {
    fn new() -> Self {
        let rules = FairRules::default();
        let mut queue = FairOrder::new(rules);
        for n in 1..6 {
            queue.weigh(branch(n), u32::from(n * n * n));
        }
        Self {
            queue,
            rules,
            inside: BTreeMap::new(),
            now: at(14_000),
            arrived: 0,
            owed: BTreeMap::new(),
        }
    }

    fn step(&mut self, step: &Step, at_risk: Option<Timestamp>) {
        match *step {
            Step::Arrive {
                branch: of,
                kind,
                days,
            } => {
                let claim = claim(kind, self.now.plus_millis(days * DAY));
                let waiting = Waiting {
                    id: id(self.arrived),
                    branch: branch(of),
                    received: self.now,
                    claim,
                };
                self.arrived += 1;
                assert!(self.queue.insert(waiting) && !self.queue.insert(waiting));
                self.inside.insert(waiting.id, waiting);
            }
            Step::Withdraw(n) => {
                assert_eq!(self.queue.remove(id(n)), self.inside.remove(&id(n)));
                self.owed.remove(&id(n));
            }
            Step::Wait { hours } => self.now = self.now.plus_millis(hours * HOUR),
            Step::Take => self.take(at_risk),
        }
        assert_eq!(self.queue.len(), self.inside.len());
    }

    fn take(&mut self, at_risk: Option<Timestamp>) {
        self.note_what_is_owed();
        let Some((taken, class)) = self.queue.take(self.now, at_risk) else {
            assert!(
                self.inside.is_empty(),
                "somebody waits, and nobody is taken"
            );
            return;
        };
        assert_eq!(
            self.inside.remove(&taken.id),
            Some(taken),
            "taken twice, or changed"
        );
        self.owed.remove(&taken.id);
        let emergency = |w: &Waiting| w.claim == Claim::EmergencyRevocation;
        assert!(emergency(&taken) || !self.inside.values().any(emergency));
        if class != Class::Emergency {
            for (id, left) in &mut self.owed {
                *left -= 1;
                assert!(*left > 0, "{id} was overtaken for too long");
            }
        }
        if matches!(class, Class::Share | Class::Oldest | Class::Reserve) {
            let saved = |w: &Waiting| {
                !w.has_lapsed(self.now) && w.expires().is_some_and(|e| Some(e) <= at_risk)
            };
            assert!(
                !self.inside.values().any(saved),
                "one that would expire was passed over"
            );
        }
    }

    /// The bound: once overdue, one turn in so many for itself and for each that was due earlier.
    fn note_what_is_owed(&mut self) {
        let due = |w: &Waiting| (w.patience_ends(&self.rules), w.id);
        let waiting: BTreeSet<_> = self
            .inside
            .values()
            .filter(|w| w.claim != Claim::EmergencyRevocation)
            .map(due)
            .collect();
        for (before, (due, id)) in waiting.iter().enumerate() {
            if *due <= self.now {
                let bound = usize::from(self.rules.overdue_every) * (before + 1) + 1;
                self.owed.entry(*id).or_insert(bound);
            }
        }
    }
}

proptest! {
    #[test]
    fn everybody_comes_out_once_and_nobody_is_overtaken_for_ever(steps in steps(), risk in prop::option::of(0..120_i64)) {
        let mut world = World::new();
        for step in &steps {
            let at_risk = risk.map(|days| world.now.plus_millis(days * DAY));
            world.step(step, at_risk);
        }
        while !world.inside.is_empty() {
            world.take(None);
        }
        prop_assert!(world.queue.take(world.now, None).is_none());
    }

    #[test]
    fn the_order_of_arrival_within_a_moment_changes_nothing(
        kinds in prop::collection::vec((1..6_u16, 0..20_u8, -2..190_i64), 1..60),
        seed in any::<u64>(),
        risk in prop::option::of(0..120_i64),
    ) {
        let now = at(14_000);
        let entry = |(n, (of, kind, days)): (usize, &(u16, u8, i64))| Waiting {
            id: id(n),
            branch: branch(*of),
            received: now,
            claim: claim(*kind, now.plus_millis(days * DAY)),
        };
        let straight: Vec<_> = kinds.iter().enumerate().map(entry).collect();
        let mut mixed = straight.clone();
        mixed.sort_by_key(|w| (u64::from(w.id.to_bytes()[15]) + 1).wrapping_mul(seed | 1));
        let sequence = |entries: &[Waiting]| {
            let mut queue = FairOrder::new(FairRules::default());
            for waiting in entries {
                queue.insert(*waiting);
            }
            let at_risk = risk.map(|days| now.plus_millis(days * DAY));
            std::iter::from_fn(|| queue.take(now, at_risk)).collect::<Vec<_>>()
        };
        prop_assert_eq!(sequence(&straight), sequence(&mixed));
    }

    #[test]
    fn what_is_explained_is_what_happens(steps in steps(), pick in any::<prop::sample::Index>()) {
        let mut world = World::new();
        for step in &steps {
            world.step(step, None);
        }
        prop_assume!(!world.inside.is_empty());
        let waiting: Vec<_> = world.inside.keys().copied().collect();
        let id = *pick.get(&waiting);
        let at_risk = Some(world.now.plus_millis(30 * DAY));
        let standing = world.queue.explain(id, world.now, at_risk, usize::MAX).unwrap();
        let mut ahead = 0;
        while let Some((taken, class)) = world.queue.take(world.now, at_risk) {
            if taken.id == id {
                prop_assert_eq!((ahead, class), (standing.ahead, standing.class));
                return Ok(());
            }
            ahead += 1;
        }
        prop_assert!(false, "{} never came", id);
    }

    #[test]
    fn a_walk_meets_what_would_be_taken(steps in steps(), which in 0..4_usize, days in -5..60_i64) {
        let mut queue = Queue::new(OrderName::ALL[which], FairRules::default());
        for n in 1..6 {
            queue.weigh(branch(n), u32::from(n * n * n));
        }
        let (mut now, mut arrived) = (at(14_000), 0);
        for step in steps {
            let at_risk = Some(now.plus_millis(days * DAY));
            match step {
                Step::Arrive { branch: of, kind, days } => {
                    let claim = claim(kind, now.plus_millis(days * DAY));
                    queue.insert(Waiting { id: id(arrived), branch: branch(of), received: now, claim });
                    arrived += 1;
                }
                Step::Withdraw(n) => { queue.remove(id(n)); }
                Step::Wait { hours } => now = now.plus_millis(hours * HOUR),
                Step::Take => {
                    let met = queue.walk(now, at_risk).next().map(|(waiting, _)| waiting);
                    let served = met.and_then(|met| queue.serve(met.id, now, at_risk));
                    prop_assert_eq!(met, served);
                }
            }
        }
        let at_risk = Some(now.plus_millis(days * DAY));
        let mut taken = queue.clone();
        let in_turn: Vec<_> = std::iter::from_fn(|| taken.take(now, at_risk)).collect();
        let met: Vec<_> = queue.walk(now, at_risk).map(|(waiting, _)| waiting).collect();
        prop_assert_eq!(&met, &in_turn);
        prop_assert_eq!(met.len(), queue.len());
        for (place, waiting) in met.iter().enumerate() {
            let glanced = queue.glance(waiting, now, at_risk);
            prop_assert!(glanced <= queue.len());
            // First come, first served, it is no guess.
            prop_assert!(which != 1 || glanced == place);
        }
    }

    #[test]
    fn plain_orders_give_everybody_back_once(steps in steps(), which in 1..4_usize) {
        let mut queue = Queue::new(OrderName::ALL[which], FairRules::default());
        let (mut inside, mut now, mut arrived) = (BTreeSet::new(), at(14_000), 0);
        for step in steps {
            match step {
                Step::Arrive { branch: of, kind, days } => {
                    let claim = claim(kind, now.plus_millis(days * DAY));
                    queue.insert(Waiting { id: id(arrived), branch: branch(of), received: now, claim });
                    inside.insert(id(arrived));
                    arrived += 1;
                }
                Step::Withdraw(n) => prop_assert_eq!(queue.remove(id(n)).is_some(), inside.remove(&id(n))),
                Step::Wait { hours } => now = now.plus_millis(hours * HOUR),
                Step::Take => {
                    let taken = queue.take(now, None).map(|w| w.id);
                    prop_assert_eq!(taken.is_none(), inside.is_empty());
                    prop_assert!(taken.is_none_or(|id| inside.remove(&id)));
                }
            }
            prop_assert_eq!(queue.len(), inside.len());
        }
    }
}

#[test]
fn a_village_does_not_wait_behind_a_city() {
    let now = at(14_000);
    let mut queue = FairOrder::new(FairRules::default());
    queue.weigh(branch(1), 400);
    queue.weigh(branch(2), 4);
    for n in 0..400 {
        queue.insert(renewal(n, 1, now, at(14_100)));
    }
    for n in 400..404 {
        queue.insert(renewal(n, 2, now, at(14_150)));
    }
    let order: Vec<_> = std::iter::from_fn(|| queue.take(now, None))
        .map(|(w, _)| w.branch)
        .collect();
    let last = order.iter().rposition(|of| *of == branch(2)).unwrap();
    assert!(
        last <= 40,
        "the village's last of four was taken as number {last}"
    );
}

#[test]
fn new_applications_have_their_share_until_renewals_would_expire() {
    let now = at(14_000);
    let mut queue = FairOrder::new(FairRules::default());
    for n in 0..500 {
        queue.insert(renewal(n, 1, now, at(14_030)));
        queue.insert(new(n + 500, 2, now));
    }
    let mut news = |at_risk, now, turns| {
        let taken = (0..turns).filter_map(|_| queue.take(now, at_risk));
        taken.filter(|(w, _)| w.claim == Claim::New).count()
    };
    assert_eq!(news(None, now, 100), 20);
    assert_eq!(news(Some(at(14_031)), now, 100), 0);
    // Eight weeks later they are overdue; what is to be saved must leave them one turn in ten.
    let mut queue = FairOrder::new(FairRules::default());
    for n in 0..500 {
        queue.insert(renewal(n, 1, at(14_056), at(14_090)));
        queue.insert(new(n + 500, 2, now));
    }
    let taken = (0..100).filter_map(|_| queue.take(at(14_056), Some(at(14_091))));
    assert_eq!(taken.filter(|(w, _)| w.claim == Claim::New).count(), 10);
}

#[test]
fn after_any_number_of_turns_the_first_to_be_overdue_is_next() {
    let now = at(14_000);
    let mut queue = FairOrder::new(FairRules::default());
    for n in 0..700 {
        queue.insert(renewal(n, 1, now, at(14_200)));
    }
    queue.insert(new(700, 2, now));
    for _ in 0..600 {
        queue.take(now, Some(at(14_300)));
    }
    let (taken, class) = queue.take(at(14_056), Some(at(14_300))).unwrap();
    assert_eq!((taken.id, class), (id(700), Class::Overdue));
}

#[test]
fn the_plain_orders_are_what_their_names_say() {
    let now = at(14_000);
    let entries = [
        renewal(1, 1, at(13_990), at(13_995)),
        new(2, 1, at(13_991)),
        renewal(3, 1, at(13_992), at(14_050)),
        renewal(4, 1, at(13_993), at(14_040)),
    ];
    for (order, expected) in [
        (OrderName::Fifo, [1, 2, 3, 4]),
        (OrderName::FifoPassing, [2, 3, 4, 1]),
        (OrderName::EarliestExpiry, [4, 3, 2, 1]),
        (OrderName::Fair, [1, 3, 4, 2]),
    ] {
        let mut queue = Queue::new(order, FairRules::default());
        for waiting in entries {
            assert!(queue.insert(waiting));
        }
        let taken: Vec<_> = std::iter::from_fn(|| queue.take(now, None))
            .map(|w| w.id)
            .collect();
        assert_eq!(taken, expected.map(id), "{}", order.name());
        assert!(queue.is_empty());
    }
}

#[test]
fn a_standing_is_told_in_a_sentence() {
    let now = at(14_000);
    let mut queue = FairOrder::new(FairRules::default());
    queue.weigh(branch(1), 100);
    queue.insert(renewal(1, 1, now, at(14_010)));
    queue.insert(renewal(2, 1, now, at(14_090)));
    let standing = queue.explain(id(2), now, Some(at(14_020)), 2).unwrap();
    assert_eq!(
        standing.to_string(),
        "1 taken before it (1 at-risk); then it is its branch's turn among the renewals. Its branch has 2 waiting, \
         and weight 10 of 10. From 2008-09-24 on it is overdue and a turn is owed to it after those that were due \
         before it"
    );
    assert_eq!(queue.explain(id(3), now, None, 2), None);
    let far = queue.explain(id(2), now, Some(at(14_020)), 1).unwrap();
    assert!(far.about && far.to_string().starts_with("about 1 taken before it; then"));
    assert_eq!((far.class, far.ahead_by_class.len()), (Class::Share, 0));
}
