//! Having checkpoints cosigned: which witness is asked when, and what its answer means.
//!
//! Witnesses are asked between a tree's tiles and its checkpoint, on the publishing thread, so that what
//! is published bears their cosignatures from the first moment on; neither a commit nor, for longer than
//! one try, publication waits for them. Where a witness stands is not kept: it says so itself, when
//! it is first asked. A witness that knows more of a log than there is, or another tree, disputes it:
//! the log was set back or forked, and that stays so until the same witness cosigns it again.

mod asking;

pub use asking::{Answer, Prove, Question, Word, ask};

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use lgpki_ledger::{
    LogId, SignedNote, Submission, TileReader, WitnessKey, WitnessPolicy,
    note::NoteSignature,
    publication::WitnessStanding,
    witness::{PolicyError, Reply},
};
use tokio::time::Instant;

/// The longest time between two tries of a witness that does not answer.
const LONGEST: Duration = Duration::from_mins(1);
/// After how many failures that is reached.
const DOUBLINGS: u32 = 6;

/// A request's body for one of the witnesses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// Which witness, counted as they were named.
    pub witness: usize,
    /// The body of its `add-checkpoint`.
    pub body: String,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carried {
    /// The HTTP status.
    pub status: u16,
    /// The kind of the body.
    pub kind: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// The way to the witnesses.
pub trait Carrier: Send + Sync + fmt::Debug + 'static {
    /// Carries each post to its witness, all at the same time, within a limit of its own; an answer for
    /// each in their order, or why there is none.
    fn carry(&self, posts: Vec<Post>) -> Vec<Result<Carried, String>>;
}

/// By whom checkpoints are cosigned, and what depends on it.
#[derive(Clone, Debug)]
pub struct Witnessing {
    policy: WitnessPolicy,
    limits: WitnessLimits,
    carrier: Arc<dyn Carrier>,
}

/// How long the witnesses may lag behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WitnessLimits {
    /// After which somebody must look.
    pub lag: Duration,
    /// After which certificates wait; none for never.
    pub stop: Option<Duration>,
}

impl Witnessing {
    /// At least `required` of the witnesses with these keys, which `carrier` reaches in this order.
    pub fn try_new(
        keys: Vec<WitnessKey>,
        required: usize,
        limits: WitnessLimits,
        carrier: Arc<dyn Carrier>,
    ) -> Result<Self, PolicyError> {
        Ok(Self {
            policy: WitnessPolicy::of(keys, required)?,
            limits,
            carrier,
        })
    }

    /// How long they may lag behind.
    #[must_use]
    pub const fn limits(&self) -> WitnessLimits {
        self.limits
    }
}

/// The same witnesses, on the same way.
impl PartialEq for Witnessing {
    fn eq(&self, other: &Self) -> bool {
        (&self.policy, self.limits) == (&other.policy, other.limits)
            && Arc::ptr_eq(&self.carrier, &other.carrier)
    }
}

impl Eq for Witnessing {}

/// One witness.
#[derive(Debug)]
struct One {
    key: WitnessKey,
    /// The sizes that it cosigned, as it said since this process began.
    confirmed: BTreeMap<LogId, u64>,
    disputes: BTreeMap<LogId, Arc<str>>,
    failing: Option<Arc<str>>,
    failures: u32,
    /// Not asked before then.
    not_before: Option<Instant>,
}

/// What an answer leads to.
enum Next {
    Cosigned(NoteSignature),
    /// Once more, from this size on.
    From(u64),
    Nothing,
}

/// The witnesses of a service's logs.
#[derive(Debug)]
pub(crate) struct Witnesses {
    how: Arc<Witnessing>,
    each: Vec<One>,
}

impl Witnesses {
    pub(crate) fn new(how: Arc<Witnessing>) -> Self {
        let each = how.policy.witnesses().iter().map(|key| One {
            key: key.clone(),
            confirmed: BTreeMap::new(),
            disputes: BTreeMap::new(),
            failing: None,
            failures: 0,
            not_before: None,
        });
        let each = each.collect();
        Self { how, each }
    }

    /// Whether a published checkpoint bears enough cosignatures.
    pub(crate) fn suffices(&self, note: &SignedNote) -> bool {
        self.how.policy.judge(note).met
    }

    /// Whether one of the witnesses is to be asked now about a log of this size, of which `note` is
    /// published. What does not grow any more is asked for only until it is cosigned.
    pub(crate) fn is_due(&self, log: LogId, size: u64, note: &SignedNote, grows: bool) -> bool {
        let now = Instant::now();
        self.each.iter().any(|one| {
            let has = !grows && one.key.verify(note).is_ok();
            !has && one.lacks(log, size) && one.may_be_asked(now)
        })
    }

    /// When a witness that did not cosign is asked again.
    pub(crate) fn next_try(&self) -> Option<Instant> {
        self.each.iter().filter_map(|one| one.not_before).min()
    }

    /// How each stands.
    pub(crate) fn standings(&self) -> Vec<WitnessStanding> {
        let each = self.each.iter().map(|one| WitnessStanding {
            name: one.key.name().to_string(),
            failing: one.failing.clone(),
            dispute: one.disputes.values().next().cloned(),
        });
        each.collect()
    }

    /// Asks each witness that may be asked and has not cosigned this head yet; `published` is what is
    /// published of the log. Gives the cosignatures, which were checked.
    pub(crate) fn ask(
        &mut self,
        log: LogId,
        note: &SignedNote,
        published: Option<&SignedNote>,
        reader: &TileReader,
    ) -> Vec<NoteSignature> {
        let (now, size) = (Instant::now(), reader.size());
        let mut asked: Vec<(usize, u64)> = Vec::new();
        for (at, one) in self.each.iter().enumerate() {
            if one.lacks(log, size) && one.may_be_asked(now) {
                asked.push((at, one.from(log, size, published)));
            }
        }
        let mut signatures = Vec::new();
        let mut first = true;
        while !asked.is_empty() {
            let mut posts = Vec::with_capacity(asked.len());
            for (witness, old) in asked.drain(..) {
                match submission(note, old, reader) {
                    Ok(submission) => posts.push(Post {
                        witness,
                        body: submission.to_string(),
                    }),
                    Err(why) => self.failed(witness, &why),
                }
            }
            let witnesses: Vec<usize> = posts.iter().map(|post| post.witness).collect();
            let mut answers = self.how.carrier.carry(posts).into_iter();
            for witness in witnesses {
                let answer = answers
                    .next()
                    .unwrap_or_else(|| Err(String::from("it was not asked")));
                match self.heard(witness, (log, size, note), answer, first) {
                    Next::Cosigned(signature) => signatures.push(signature),
                    Next::From(old) => asked.push((witness, old)),
                    Next::Nothing => {}
                }
            }
            first = false;
        }
        signatures
    }

    fn heard(
        &mut self,
        witness: usize,
        (log, size, note): (LogId, u64, &SignedNote),
        answer: Result<Carried, String>,
        first: bool,
    ) -> Next {
        let Some(one) = self.each.get_mut(witness) else {
            return Next::Nothing;
        };
        let reply = answer.map(|carried| {
            let kind = carried.kind.as_deref();
            Reply::read(&one.key, note.text(), (carried.status, kind, &carried.body))
        });
        match reply {
            Ok(Reply::Cosigned { signature, .. }) => {
                one.cosigned(log, size);
                return Next::Cosigned(signature);
            }
            Ok(Reply::Knows(known)) if known <= size && first => return Next::From(known),
            Ok(Reply::Knows(known)) if known > size => {
                let why = format!("it has cosigned {known} entries, and there are {size}");
                one.disputes(log, &why);
            }
            Ok(Reply::Knows(known)) => one.fails(&format!("it knows {known} entries by now")),
            Ok(Reply::Refused {
                status: 409 | 422,
                why,
            }) => one.disputes(log, &why),
            Ok(Reply::Refused { status, why }) => {
                one.fails(&format!("it answers with status {status}: {why}"));
            }
            Err(why) => one.fails(&why),
        }
        Next::Nothing
    }

    fn failed(&mut self, witness: usize, why: &str) {
        if let Some(one) = self.each.get_mut(witness) {
            one.fails(why);
        }
    }
}

impl One {
    fn lacks(&self, log: LogId, size: u64) -> bool {
        self.confirmed.get(&log) != Some(&size)
    }

    fn may_be_asked(&self, now: Instant) -> bool {
        self.not_before.is_none_or(|then| then <= now)
    }

    /// The size from which a proof is likely to be wanted.
    fn from(&self, log: LogId, size: u64, published: Option<&SignedNote>) -> u64 {
        if let Some(confirmed) = self.confirmed.get(&log) {
            return (*confirmed).min(size);
        }
        let cosigned = published.filter(|note| self.key.verify(note).is_ok());
        let checkpoint =
            cosigned.and_then(|note| lgpki_ledger::Checkpoint::parse(note.text()).ok());
        checkpoint.map_or(0, |checkpoint| checkpoint.size.min(size))
    }

    fn cosigned(&mut self, log: LogId, size: u64) {
        let name = self.key.name();
        if self.disputes.remove(&log).is_some() {
            tracing::warn!(witness = %name, %log, size, "the witness cosigns the log again that it disputed");
        } else if self.failing.is_some() {
            tracing::info!(witness = %name, %log, size, "the witness cosigns again");
        }
        self.confirmed.insert(log, size);
        (self.failing, self.failures, self.not_before) = (None, 0, None);
    }

    /// The witness says that the log is not what it was.
    fn disputes(&mut self, log: LogId, why: &str) {
        let known = self.disputes.get(&log);
        if known.is_none_or(|known| **known != *why) {
            tracing::error!(
                witness = %self.key.name(), %log, why,
                "a witness disputes the log: it was set back or forked; certificates wait"
            );
            self.disputes.insert(log, Arc::from(why));
        }
        self.put_off(why);
    }

    fn fails(&mut self, why: &str) {
        if self.failing.as_deref() != Some(why) {
            tracing::warn!(witness = %self.key.name(), why, "a witness does not cosign; it is asked again");
        }
        self.put_off(why);
    }

    fn put_off(&mut self, why: &str) {
        self.failing = Some(Arc::from(why));
        let wait = Duration::from_secs(1 << self.failures.min(DOUBLINGS)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(Instant::now() + wait);
    }
}

fn submission(note: &SignedNote, old: u64, reader: &TileReader) -> Result<Submission, String> {
    let proof = match old {
        0 => Vec::new(),
        old => reader
            .consistency(old)
            .map_err(|e| crate::error::chain(&e))?,
    };
    let note = note.clone();
    Ok(Submission { old, proof, note })
}
