//! What the witnesses of a service's logs say, before anybody relies on what was restored.
//!
//! Each is asked of each log how much it has cosigned. It is shown what the log had signed before it
//! was sealed or what was published, never the record of this very restoration: were that begun anew
//! from another backup, the witness would know two histories. Of a year that may have begun since the
//! backup there is nothing to show but the empty tree.

use std::collections::{BTreeMap, BTreeSet};

use lgpki_ledger::{
    Checkpoint, LogError, LogId, LogReader, Mirror, Restored, SignedHead, SignedNote,
};
use lgpki_runtime::error::chain;
use lgpki_store::{Answer, Question, Witnessing, Word, ask_witnesses};
use serde_json::{Value, json};

use super::patient::{Patient, Ward, now};
use crate::{error::CommandError, output::Output};

/// Years after the log's newest that are asked about.
const MOST_YEARS: usize = 20;

/// What was heard.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    answers: Vec<Answer>,
}

impl Hearing {
    /// Asks about the logs of a service that held so many entries when it was sealed.
    pub(super) fn of(ward: &Ward, patient: &Patient, held: u64) -> Result<Self, CommandError> {
        let Some(witnesses) = &ward.witnesses else {
            return Ok(Self::default());
        };
        let reader = patient.log.reader();
        let questions = questions(patient, &reader, held)?;
        Ok(Self::ask(witnesses, &questions, ward.output))
    }

    /// Asks about the logs of a backup, of which only checkpoints are at hand.
    pub(super) fn of_checkpoints<'a>(
        witnesses: &Witnessing,
        checkpoints: impl Iterator<Item = &'a String>,
        output: Output,
    ) -> Self {
        let questions = checkpoints.filter_map(|text| {
            let note = SignedNote::parse(text).ok()?;
            let head = Checkpoint::parse(note.text()).ok()?;
            Some(Question {
                origin: head.origin,
                note,
                size: head.size,
                reach: head.size,
                certain: true,
                prove: None,
            })
        });
        let questions: Vec<_> = questions.collect();
        Self::ask(witnesses, &questions, output)
    }

    fn ask(witnesses: &Witnessing, questions: &[Question<'_>], output: Output) -> Self {
        let bar = output.spinner();
        bar.set_message("asking the witnesses how much they have seen");
        let answers = ask_witnesses(witnesses, questions);
        bar.finish_and_clear();
        Self { answers }
    }

    /// Who has seen more than there is, or something else; those named are passed over.
    pub(super) fn contradiction(&self, passed_over: &[String]) -> Option<String> {
        let heard = self.contradicting();
        sentences(heard.filter(|answer| !passed_over.contains(&answer.witness)))
    }

    fn contradicting(&self) -> impl Iterator<Item = &Answer> {
        let is = |answer: &&Answer| matches!(answer.word, Word::More { .. } | Word::Other { .. });
        self.answers.iter().filter(is)
    }

    /// Who does not answer; those named are passed over.
    pub(super) fn silence(&self, passed_over: &[String]) -> Option<String> {
        let mut named: BTreeSet<&String> = passed_over.iter().collect();
        // Once for each witness, though it is silent about each log.
        let silent = self.silent().filter(|answer| named.insert(&answer.witness));
        sentences(silent.collect::<Vec<_>>().into_iter())
    }

    fn silent(&self) -> impl Iterator<Item = &Answer> {
        let is = |answer: &&Answer| matches!(answer.word, Word::Silent { .. });
        self.answers.iter().filter(is)
    }

    /// Those of the witnesses named whose word would have held it up.
    pub(super) fn left_out(&self, named: &[String]) -> Vec<String> {
        let against = self.silent().chain(self.contradicting());
        let against: BTreeSet<&String> = against.map(|answer| &answer.witness).collect();
        let left_out = against.into_iter().filter(|name| named.contains(name));
        left_out.cloned().collect()
    }

    /// What the witnesses know of who are not heeded, as sentences to be put behind others.
    pub(super) fn overruled(&self) -> String {
        let known = sentences(self.contradicting());
        known.map_or_else(String::new, |known| format!(" And {known}."))
    }

    /// The witnesses who have seen nothing but what is there.
    pub(super) fn agreeing(&self) -> Vec<String> {
        let all = self.answers.iter().map(|answer| &answer.witness);
        let all: BTreeSet<&String> = all.collect();
        let against: Vec<_> = self.silent().chain(self.contradicting()).collect();
        let agrees = |name: &&String| against.iter().all(|answer| answer.witness != **name);
        all.into_iter().filter(agrees).cloned().collect()
    }

    /// For machines.
    pub(super) fn to_json(&self) -> Value {
        let each = self.answers.iter().map(|answer| {
            let (word, known, why) = match &answer.word {
                Word::Within { known } => ("nothing else", Some(known), None),
                Word::More { known } => ("more", Some(known), None),
                Word::Other { why } => ("another tree", None, Some(why)),
                Word::Silent { why } => ("no answer", None, Some(why)),
            };
            json!({
                "witness": answer.witness, "log": answer.origin.to_string(), "has_seen": word, "cosigned": known,
                "have": answer.reach, "why": why,
            })
        });
        each.collect()
    }
}

fn sentences<'a>(answers: impl Iterator<Item = &'a Answer>) -> Option<String> {
    let each: Vec<_> = answers.map(sentence).collect();
    (!each.is_empty()).then(|| each.join("; "))
}

fn sentence(answer: &Answer) -> String {
    let Answer {
        witness,
        origin,
        reach,
        word,
    } = answer;
    match word {
        Word::Within { known } => {
            format!("the witness {witness} has cosigned {known} leaves of {origin}, and no more")
        }
        Word::More { known } => format!(
            "the witness {witness} has cosigned {known} leaves of {origin}, of which {reach} are at hand: {} are missing",
            known.saturating_sub(*reach)
        ),
        Word::Other { why } => format!(
            "the witness {witness} has cosigned another tree of {origin}, which this one does not continue ({why}): one of \
             the two is a fork; keep both"
        ),
        Word::Silent { why } => {
            format!("the witness {witness} does not say how much of {origin} it has seen: {why}")
        }
    }
}

/// What to ask about each log of a service: those that are here, those that a copy has, and those of
/// the years that may have begun since.
fn questions<'a>(
    patient: &Patient,
    reader: &'a LogReader,
    held: u64,
) -> Result<Vec<Question<'a>>, CommandError> {
    let recorded = recorded(patient, reader, held)?;
    let best = patient.outcome()?.best;
    let copied = best.into_iter().flat_map(Mirror::heads);
    let copied: BTreeMap<LogId, u64> = copied.map(|(log, head)| (log, head.size)).collect();
    let here = reader.logs();
    let mut logs: BTreeSet<LogId> = here.into_iter().chain(copied.keys().copied()).collect();
    let newest = logs.iter().rev().find_map(|log| match log {
        LogId::Year(year) => Some(*year),
        LogId::Keys => None,
    });
    logs.extend(later(newest));
    logs.insert(LogId::Keys);
    let identity = &patient.identity;
    let each = logs.into_iter().map(|log| {
        let shown = shown(reader, log, recorded)
            .map_err(|e| CommandError::from_error(patient.service.name(), &e))?;
        let size = shown.map_or(0, |head| head.size);
        let prove = move |old| {
            let proof = reader.consistency(log, old, size);
            proof.map_err(|e| chain(&e))
        };
        Ok(Question {
            origin: identity.origin(log),
            note: shown.map_or_else(
                || identity.empty(log),
                |head| identity.checkpoint(log, &head),
            ),
            size,
            reach: copied.get(&log).map_or(size, |copied| size.max(*copied)),
            certain: size > 0 || log == LogId::Keys,
            prove: Some(Box::new(prove)),
        })
    });
    each.collect()
}

/// The years after this one that may have begun.
fn later(newest: Option<i16>) -> impl Iterator<Item = LogId> {
    let now = match LogId::of(now()) {
        LogId::Year(year) => year,
        LogId::Keys => i16::MIN,
    };
    let first = newest.map_or(now, |newest| newest.saturating_add(1));
    (first..=now).take(MOST_YEARS).map(LogId::Year)
}

/// Entries at the log's end that record this very restoration, when it was cut off before its end.
fn recorded(patient: &Patient, reader: &LogReader, held: u64) -> Result<u64, CommandError> {
    let end = reader.durable();
    let mut first = end;
    while first > held {
        let entry = reader
            .entry(first - 1)
            .map_err(|e| CommandError::from_error(patient.service.name(), &e))?;
        if Restored::decode(&entry).is_none_or(|restored| restored.held != held) {
            break;
        }
        first -= 1;
    }
    Ok(end - first)
}

/// The newest head of a log before its last `recorded` entries, which are of the newest year.
fn shown(reader: &LogReader, log: LogId, recorded: u64) -> Result<Option<SignedHead>, LogError> {
    if recorded == reader.durable() {
        return Ok(None);
    }
    let head = reader.head(log)?;
    let newest = reader.heads().map(|heads| LogId::Year(heads.year));
    match head {
        Some(head) if recorded > 0 && newest == Some(log) => {
            reader.head_at(log, head.size.saturating_sub(recorded))
        }
        head => Ok(head),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hearing(answers: &[(&str, &str, Word)]) -> Hearing {
        let answers = answers.iter().map(|(witness, log, word)| Answer {
            witness: (*witness).to_owned(),
            origin: format!("lgpki.example/audit/issuer/{log}").parse().unwrap(),
            reach: 10,
            word: word.clone(),
        });
        Hearing {
            answers: answers.collect(),
        }
    }

    fn silent() -> Word {
        Word::Silent {
            why: "nobody answers".to_owned(),
        }
    }

    #[test]
    fn who_is_silent_is_told_once_and_may_be_left_out_by_name() {
        let known = Word::Within { known: 4 };
        let heard = hearing(&[
            ("w1", "2026", known.clone()),
            ("w2", "2026", silent()),
            ("w1", "keys", known),
            ("w2", "keys", silent()),
        ]);
        let told = heard.silence(&[]).unwrap();
        assert_eq!(told.matches("nobody answers").count(), 1, "{told}");
        assert_eq!(heard.contradiction(&[]), None);
        let named = ["w1".to_owned(), "w2".to_owned()];
        assert_eq!(heard.silence(&named), None);
        // Only who was missed is left out; the other has spoken.
        assert_eq!(heard.left_out(&named), ["w2"]);
        assert_eq!(heard.left_out(&[]), Vec::<String>::new());
        assert_eq!(heard.agreeing(), ["w1"]);
    }

    #[test]
    fn what_a_witness_has_seen_beyond_is_told_with_log_and_sizes() {
        let why = "FORK".to_owned();
        let heard = hearing(&[
            ("w1", "2026", Word::More { known: 25 }),
            ("w2", "2026", Word::Other { why }),
        ]);
        let told = heard.contradiction(&[]).unwrap();
        for part in [
            "w1 has cosigned 25 leaves of lgpki.example/audit/issuer/2026",
            "15 are missing",
            "FORK",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
        let one = heard.contradiction(&["w2".to_owned()]).unwrap();
        assert!(!one.contains("FORK"), "{one}");
        assert_eq!(heard.agreeing(), Vec::<String>::new());
        let told = heard.to_json();
        assert_eq!(
            (&told[0]["cosigned"], &told[0]["have"]),
            (&json!(25), &json!(10))
        );
        assert_eq!(told[1]["has_seen"], "another tree");
    }

    #[test]
    fn the_years_that_may_have_begun_since_are_asked_about() {
        let LogId::Year(this) = LogId::of(now()) else {
            panic!("a time is in a year");
        };
        let years = |newest| later(newest).collect::<Vec<_>>();
        assert_eq!(years(Some(this)), []);
        assert_eq!(years(None), [LogId::Year(this)]);
        assert_eq!(
            years(Some(this - 2)),
            [LogId::Year(this - 1), LogId::Year(this)]
        );
        // A clock that is far ahead.
        assert_eq!(years(Some(this + 5)), []);
        assert_eq!(years(Some(1)).len(), MOST_YEARS);
    }
}
