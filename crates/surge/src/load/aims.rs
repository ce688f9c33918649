//! What a load shows, beside what is aimed at.
//!
//! Some aims compare with an earlier run: the throughput of five times the rate with that of once the rate, what the
//! others feel during a flood with what they felt without it. What a run cannot show is left out.

use serde::{Deserialize, Serialize};

use super::{
    report::{LoadReport, number},
    tally::Side,
};

/// Of a hundred acknowledged in a second before, how many still must be.
const THROUGHPUT: f64 = 90.0;
/// Of a hundred who come back when they were told, how many must be let in.
const HELD: f64 = 95.0;
/// How many times as long as before the others may wait.
const SLOWER: f64 = 2.0;
/// How much memory the services may take at most, of a hundred of what they had at first and of what each application that is
/// kept takes.
const GROWTH: f64 = 110.0;

/// What was seen beside what is aimed at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Aim {
    /// What is looked at.
    pub what: &'static str,
    /// What is aimed at.
    pub aim: String,
    /// What was seen.
    pub seen: String,
    /// Whether that is as good as the aim.
    pub met: bool,
}

impl Aim {
    /// What stands at the head of a table of them.
    pub const HEADER: [&'static str; 4] = ["what", "aim", "seen", ""];

    /// A line of such a table.
    #[must_use]
    pub fn row(&self) -> Vec<String> {
        let met = if self.met { "met" } else { "missed" };
        let words = [self.what, &self.aim, &self.seen, met];
        words.map(str::to_owned).into()
    }
}

/// What is read of the report of an earlier run.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Before {
    acknowledged_per_second: f64,
    groups: Vec<Group>,
    processes: Memory,
    books: Kept,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Group {
    side: String,
    acknowledged: Times,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Times {
    p99: f64,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Memory {
    memory_mebibytes: Vec<u32>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Kept {
    acknowledged: u64,
}

impl LoadReport {
    /// Holds what was seen against the aims, and against an earlier run.
    #[must_use]
    pub fn held_against(mut self, before: Option<&Before>) -> Self {
        let mut aims = vec![self.nothing_lost()];
        aims.extend(self.told_when());
        aims.extend(self.held());
        if let Some(before) = before {
            if self.plan.flood.is_some() {
                aims.extend(self.others(before));
            } else {
                aims.push(self.throughput(before));
            }
            aims.extend(self.memory(before));
        }
        self.aims = aims;
        self
    }

    fn nothing_lost(&self) -> Aim {
        let missing = self.books.missing.len();
        Aim {
            what: "acknowledged applications that are not there",
            aim: String::from("0"),
            seen: missing.to_string(),
            met: missing == 0,
        }
    }

    fn told_when(&self) -> Option<Aim> {
        let returns = &self.returns;
        let all = returns.told_when + returns.not_told_when;
        (all > 0).then(|| Aim {
            what: "refusals that said when to come back",
            aim: String::from("all"),
            seen: format!("{} of {all}", returns.told_when),
            met: returns.not_told_when == 0,
        })
    }

    fn held(&self) -> Option<Aim> {
        let held = self.returns.held_percent?;
        Some(Aim {
            what: "let in when they came back at the time told",
            aim: format!("{HELD:.0} % or more"),
            seen: format!("{held:.1} %"),
            met: held >= HELD,
        })
    }

    fn throughput(&self, before: &Before) -> Aim {
        let (now, then) = (self.acknowledged_per_second, before.acknowledged_per_second);
        Aim {
            what: "acknowledged in a second",
            aim: format!(
                "{:.0} or more: {THROUGHPUT:.0} % of {then:.0}",
                then * THROUGHPUT / 100.0
            ),
            seen: format!("{now:.0}"),
            met: now * 100.0 >= then * THROUGHPUT,
        }
    }

    fn others(&self, before: &Before) -> Option<Aim> {
        let now = self.groups.iter().find(|g| g.side == Side::Others)?;
        let then = before.groups.iter().find(|g| g.side == "others")?;
        let (now, then) = (now.acknowledged.p99, then.acknowledged.p99);
        Some(Aim {
            what: "p99 of the other branches",
            aim: format!(
                "{:.1} ms or less: {SLOWER:.0} times {then:.1}",
                then * SLOWER
            ),
            seen: format!("{now:.1} ms"),
            met: now <= then * SLOWER,
        })
    }

    /// Each application that is kept takes some room: what it took in the earlier run is what it may take in this one.
    fn memory(&self, before: &Before) -> Option<Aim> {
        let sizes = &self.processes.memory_mebibytes;
        let (first, last) = (*sizes.first()?, *sizes.last()?);
        let most = f64::from(*sizes.iter().max()?);
        let then = &before.processes.memory_mebibytes;
        let grown = f64::from(*then.iter().max()?) - f64::from(*then.first()?);
        let each = grown.max(0.0) / number(before.books.acknowledged.max(1));
        let kept = number(self.books.acknowledged);
        let allowed = (f64::from(first) + each * kept) * GROWTH / 100.0;
        Some(Aim {
            what: "memory of the services",
            aim: format!(
                "{allowed:.0} MiB at most: {first} at first, {:.1} kB for each application acknowledged as before, and a tenth",
                each * 1024.0
            ),
            seen: format!("{most:.0} MiB at most, {last} at the end"),
            met: most <= allowed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::report::tests::report, *};

    fn before(per_second: f64, p99: f64) -> Before {
        let before = serde_json::json!({
            "acknowledged_per_second": per_second,
            "groups": [{ "side": "others", "acknowledged": { "p99": p99, "p50": 1.0 } }],
            "processes": { "memory_mebibytes": [100, 110], "own_seconds": 1.0 },
            "books": { "acknowledged": 10 },
        });
        serde_json::from_value(before).unwrap()
    }

    fn seen(report: &LoadReport) -> Vec<(&'static str, bool)> {
        report.aims.iter().map(|aim| (aim.what, aim.met)).collect()
    }

    #[test]
    fn a_run_alone_shows_that_nothing_was_lost_and_that_refusals_held() {
        let mut run = report();
        run.books.missing = vec![String::from("a")];
        let mut run = run.held_against(None);
        let held = "let in when they came back at the time told";
        let told = "refusals that said when to come back";
        let lost = "acknowledged applications that are not there";
        assert_eq!(seen(&run), [(lost, false), (told, true), (held, true)]);
        run.returns.held_percent = Some(94.9);
        run.returns.not_told_when = 1;
        let run = run.held_against(None);
        assert_eq!(seen(&run), [(lost, false), (told, false), (held, false)]);
    }

    #[test]
    fn throughput_is_compared_where_nobody_floods_and_the_others_where_somebody_does() {
        // Ten in a second, within 5 ms.
        let run = || report().held_against(Some(&before(11.1, 1.0)));
        assert_eq!(seen(&run())[3], ("acknowledged in a second", true));
        let slower = report().held_against(Some(&before(11.2, 1.0)));
        assert!(!slower.aims[3].met);
        let flood = |p99| {
            let mut flood = report();
            flood.plan.flood = Some((String::from("01001"), 9));
            flood.held_against(Some(&before(0.0, p99)))
        };
        assert_eq!(seen(&flood(2.6))[3], ("p99 of the other branches", true));
        assert!(!flood(2.4).aims[3].met);
    }

    #[test]
    fn memory_may_grow_by_what_is_kept_and_a_tenth() {
        let grown = |sizes: &[u32]| {
            let mut run = report();
            run.processes.memory_mebibytes = sizes.to_vec();
            run.books.acknowledged = 20;
            let run = run.held_against(Some(&before(1.0, 1.0)));
            run.aims.last().unwrap().clone()
        };
        // 200, and 1 for each of 20, and a tenth.
        assert!(grown(&[200, 242, 230]).met);
        assert!(!grown(&[200, 243, 210]).met);
        assert_eq!(
            grown(&[200, 243, 210]).seen,
            "243 MiB at most, 210 at the end"
        );
    }
}
