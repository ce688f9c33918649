//! What a load was, and what came of it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    aims::Aim,
    latency::Quantiles,
    mix::{Act, Mix},
    profile::Profile,
    tally::{Group, Second, Side, Tally},
};
use crate::replay::percent;

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LoadPlan {
    /// The run's name, which stands in all its request ids.
    pub run: String,
    /// Where intake listens.
    pub server: String,
    /// How many offices sent.
    pub offices: usize,
    /// Applications due in a second on the average; none where workers sent as fast as they were answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// Workers that each sent the next application when the last was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workers: Option<u32>,
    /// How arrivals spread over the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// The branch that flooded, and its applications in a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flood: Option<(String, u32)>,
    /// What was asked for.
    pub mix: Mix,
    /// Applications sent together in one stream.
    pub batch: u32,
    /// Seconds in which applications were due.
    pub seconds: u32,
    /// For everything that was drawn.
    pub seed: u64,
}

/// Answers to one side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupReport {
    /// Which.
    pub side: Side,
    /// Milliseconds from due to acknowledged.
    pub acknowledged: Quantiles,
    /// Milliseconds from due to refused.
    pub refused: Quantiles,
    /// Milliseconds from sent to acknowledged, for comparison: it leaves out the wait of whoever was sent late.
    pub acknowledged_from_sent: Quantiles,
    /// Other answers, and calls that were given up.
    pub failed: u64,
}

impl GroupReport {
    fn new(side: Side, group: &Group) -> Self {
        Self {
            side,
            acknowledged: group.acknowledged.quantiles(),
            refused: group.refused.quantiles(),
            acknowledged_from_sent: group.from_sent.quantiles(),
            failed: group.failed,
        }
    }

    fn is_empty(&self) -> bool {
        self.acknowledged.count + self.refused.count + self.failed == 0
    }
}

/// Answers to those who asked for the same.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ActReport {
    /// What was asked for.
    pub act: Act,
    /// Milliseconds from due to acknowledged.
    pub acknowledged: Quantiles,
    /// Milliseconds from due to refused.
    pub refused: Quantiles,
    /// Other answers, and calls that were given up.
    pub failed: u64,
}

/// Whether refusals said when to come back, and whether that held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Returns {
    /// Refusals that said when.
    pub told_when: u64,
    /// Refusals that did not.
    pub not_told_when: u64,
    /// Those who came back at that time; the others' time lay after the end.
    pub came_back: u64,
    /// Of these, how many were acknowledged.
    pub let_in: u64,
    /// Of these, how many were refused once more.
    pub refused_again: u64,
    /// Of a hundred that came back and were let in or refused, how many were let in; none if nobody was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_percent: Option<f64>,
}

/// Whether everything that was acknowledged is there.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LoadBooks {
    /// Applications that were acknowledged.
    pub acknowledged: u64,
    /// Their states at the end.
    pub states: BTreeMap<String, u64>,
    /// The same by what they asked for.
    pub states_by_act: BTreeMap<&'static str, BTreeMap<String, u64>>,
    /// Those that are not there, or ask for something else than was sent, by number; empty if all is well.
    pub missing: Vec<String>,
    /// Applications whose call was given up or broke.
    pub unanswered: u64,
    /// Of these, how many had arrived all the same.
    pub unanswered_that_arrived: u64,
}

/// What the run cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Processes {
    /// Processor seconds of the load itself while applications were due.
    pub own_seconds: f64,
    /// Processor seconds of the processes that were watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub services_seconds: Option<f64>,
    /// Their memory in mebibytes, about once a second.
    pub memory_mebibytes: Vec<u32>,
}

/// A load and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LoadReport {
    /// What was asked for.
    pub plan: LoadPlan,
    /// Applications sent for the first time, by what they asked for.
    pub sent: BTreeMap<&'static str, u64>,
    /// Of the new certificates, how many were meant to be renewals or revocations, for which there was nothing yet.
    pub instead: u64,
    /// Seconds from the first to the last answer.
    pub seconds: f64,
    /// Acknowledgements in a second while applications were due.
    pub acknowledged_per_second: f64,
    /// Each side that sent something.
    pub groups: Vec<GroupReport>,
    /// Each thing that was asked for.
    pub acts: Vec<ActReport>,
    /// Refusals by their reason.
    pub refusals: BTreeMap<String, u64>,
    /// Other answers by their reason.
    pub failures: BTreeMap<String, u64>,
    /// Whether refusals said when to come back, and whether that held.
    pub returns: Returns,
    /// Milliseconds after which those turned away were told to come back, each application by itself.
    pub told_to_wait: Quantiles,
    /// What it cost.
    pub processes: Processes,
    /// Whether everything is there.
    pub books: LoadBooks,
    /// Second by second.
    pub by_second: Vec<Second>,
    /// What was seen beside what is aimed at.
    pub aims: Vec<Aim>,
}

impl LoadReport {
    /// Reads a tally.
    #[must_use]
    pub fn new(plan: LoadPlan, tally: &Tally, (processes, books): (Processes, LoadBooks)) -> Self {
        let back = tally.back;
        let answered = back.let_in + back.refused_again;
        let within = usize::try_from(plan.seconds).unwrap_or(usize::MAX);
        let seconds = tally.seconds.iter().take(within);
        let acknowledged = seconds.map(|second| second.acknowledged).sum();
        // Workers may have run out of applications before their time was over.
        let due_for = match plan.workers {
            Some(_) => f64::from(plan.seconds).min(tally.last().as_secs_f64()),
            None => f64::from(plan.seconds),
        };
        let groups = [
            GroupReport::new(Side::Others, &tally.others),
            GroupReport::new(Side::Flooding, &tally.flooding),
        ];
        let act = |(act, group): (&Act, &Group)| ActReport {
            act: *act,
            acknowledged: group.acknowledged.quantiles(),
            refused: group.refused.quantiles(),
            failed: group.failed,
        };
        Self {
            acknowledged_per_second: number(acknowledged) / due_for.max(0.001),
            plan,
            sent: BTreeMap::new(),
            instead: 0,
            seconds: 0.0,
            groups: groups.into_iter().filter(|g| !g.is_empty()).collect(),
            acts: tally.acts.iter().map(act).collect(),
            refusals: tally.refusals.clone(),
            failures: tally.failures.clone(),
            returns: Returns {
                told_when: back.told_when,
                not_told_when: back.not_told_when,
                came_back: back.returned,
                let_in: back.let_in,
                refused_again: back.refused_again,
                held_percent: (answered > 0).then(|| percent(back.let_in, answered)),
            },
            told_to_wait: tally.told_to_wait.quantiles(),
            processes,
            books,
            by_second: tally.seconds.clone(),
            aims: Vec::new(),
        }
    }
}

/// A count as a coordinate.
pub(super) fn number(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::{
        super::tally::{Heard, Reply},
        *,
    };

    /// Ten acknowledged within a second, one refused and let in a second later.
    pub(in super::super) fn report() -> LoadReport {
        let mut tally = Tally::new(&[11]);
        let at = Duration::from_millis;
        let mut note = |came_back, due: u64, answer| {
            tally.note(&Heard {
                side: Side::Others,
                act: Act::Issue,
                came_back,
                due: at(due),
                sent: at(due),
                answered: at(due + 5),
                answer,
            });
        };
        (0..10).for_each(|n| note(false, n * 10, Reply::Acknowledged));
        let refused = Reply::Refused {
            reason: String::from("BRANCH_QUOTA"),
            retry_after: Some(at(1_000)),
        };
        note(false, 500, refused);
        note(true, 1_505, Reply::Acknowledged);
        let plan = LoadPlan {
            run: String::from("r"),
            server: String::from("localhost:1"),
            offices: 2,
            rate: Some(11),
            workers: None,
            profile: Some(Profile::Steady),
            flood: None,
            mix: Mix::default(),
            batch: 1,
            seconds: 1,
            seed: 1,
        };
        LoadReport::new(plan, &tally, (Processes::default(), LoadBooks::default()))
    }

    #[test]
    fn a_refusal_that_held_is_told_and_what_came_after_the_end_is_no_throughput() {
        let report = report();
        assert_eq!(report.returns.held_percent, Some(100.0));
        assert!((report.acknowledged_per_second - 10.0).abs() < f64::EPSILON);
        assert_eq!(report.groups.len(), 1, "nobody flooded");
        assert_eq!(report.groups[0].acknowledged.count, 11);
        assert_eq!(report.by_second.len(), 2);
        let [issues] = report.acts.as_slice() else {
            panic!("nothing else was asked for")
        };
        assert_eq!((issues.act, issues.acknowledged.count), (Act::Issue, 11));
        assert!((report.told_to_wait.max - 1_000.0).abs() < 2.0);
    }
}
