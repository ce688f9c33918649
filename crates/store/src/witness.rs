//! Having checkpoints cosigned: which witness is asked when, and what its answer means.
//!
//! Witnesses are asked between a tree's tiles and its checkpoint, on the publishing thread, so that what
//! is published bears their cosignatures from the first moment on; neither a commit nor, for longer than
//! one try, publication waits for them. Where a witness stands is not kept: it says so itself, when
//! it is first asked. A witness that knows more of a log than there is, or another tree, disputes it:
//! the log was set back or forked, and that stays so until the same witness cosigns it again. No
//! signature covers such an answer, which may be that of whoever stands on the way; so it proves
//! nothing unless it shows a checkpoint that the log's own key signed and the log does not hold.

mod asking;
mod disputes;

pub use asking::{Answer, Prove, Question, Word, ask};

use std::{collections::BTreeMap, fmt, path::Path, sync::Arc, time::Duration};

use lgpki_ledger::{
    Disk, Identity, LogId, SignedNote, Submission, TileReader, WitnessKey, WitnessPolicy,
    note::NoteSignature,
    publication::WitnessStanding,
    witness::{PolicyError, Reply, shown},
};
use tokio::time::Instant;

use self::disputes::Disputes;
use crate::error::StoreError;

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
    /// What it shows with a refusal.
    pub shown: Option<String>,
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
    required: usize,
    limits: WitnessLimits,
    stops_when_disputed: bool,
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
            required,
            limits,
            stops_when_disputed: false,
            carrier,
        })
    }

    /// Whether certificates wait while so many dispute a log, without proof, that the others are too few. A
    /// proved dispute always holds them.
    #[must_use]
    pub const fn stopping_when_disputed(mut self, stops: bool) -> Self {
        self.stops_when_disputed = stops;
        self
    }

    /// Whether they wait for that.
    pub(crate) fn outvoted(&self, standings: &[WitnessStanding]) -> bool {
        let disputing = standings.iter().filter(|one| one.dispute.is_some()).count();
        let spare = self.policy.witnesses().len().saturating_sub(self.required);
        self.stops_when_disputed && self.required > 0 && disputing > spare
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
        (&self.policy, self.limits, self.stops_when_disputed)
            == (&other.policy, other.limits, other.stops_when_disputed)
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
    /// Of the logs.
    identity: Identity,
    each: Vec<One>,
    disputes: Disputes,
}

impl Witnesses {
    /// The witnesses of the logs in this data directory, with the disputes that were not settled.
    pub(crate) fn open(
        how: Arc<Witnessing>,
        identity: Identity,
        (disk, dir): (Arc<dyn Disk>, &Path),
    ) -> Result<Self, StoreError> {
        let disputes = Disputes::open(disk, dir, how.policy.witnesses())?;
        let each = how.policy.witnesses().iter().map(|key| One {
            key: key.clone(),
            confirmed: BTreeMap::new(),
            failing: None,
            failures: 0,
            not_before: None,
        });
        let each = each.collect();
        Ok(Self {
            how,
            identity,
            each,
            disputes,
        })
    }

    /// Whether a published checkpoint bears enough cosignatures.
    pub(crate) fn suffices(&self, note: &SignedNote) -> bool {
        self.how.policy.judge(note).met
    }

    /// Whether one of the witnesses is to be asked now about a log of this size, of which `note` is
    /// published. What does not grow any more is asked for only until it is cosigned.
    pub(crate) fn is_due(&self, log: LogId, size: u64, note: &SignedNote, grows: bool) -> bool {
        let now = Instant::now();
        self.each.iter().enumerate().any(|(at, one)| {
            let disputed = self.disputes.has(at, log);
            let has = !grows && !disputed && one.key.verify(note).is_ok();
            !has && one.lacks(log, size) && one.may_be_asked(now)
        })
    }

    /// When a witness that did not cosign is asked again.
    pub(crate) fn next_try(&self) -> Option<Instant> {
        self.each.iter().filter_map(|one| one.not_before).min()
    }

    /// How each stands.
    pub(crate) fn standings(&self) -> Vec<WitnessStanding> {
        let each = self.each.iter().enumerate();
        let each = each.map(|(at, one)| WitnessStanding {
            name: one.key.name().to_string(),
            failing: one.failing.clone(),
            dispute: self.disputes.of(at),
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
                match self.heard(witness, (log, note, reader), answer, first) {
                    Next::Cosigned(signature) => signatures.push(signature),
                    Next::From(old) => asked.push((witness, old)),
                    Next::Nothing => {}
                }
            }
            first = false;
        }
        self.disputes.save();
        signatures
    }

    fn heard(
        &mut self,
        witness: usize,
        (log, note, reader): (LogId, &SignedNote, &TileReader),
        answer: Result<Carried, String>,
        first: bool,
    ) -> Next {
        let Some(one) = self.each.get_mut(witness) else {
            return Next::Nothing;
        };
        let (size, was_shown) = (
            reader.size(),
            answer.as_ref().ok().and_then(|a| a.shown.clone()),
        );
        let reply = answer.map(|carried| {
            let kind = carried.kind.as_deref();
            Reply::read(&one.key, note.text(), (carried.status, kind, &carried.body))
        });
        match reply {
            Ok(Reply::Cosigned { signature, .. }) => {
                one.cosigned(log, size, self.disputes.end(witness, log));
                return Next::Cosigned(signature);
            }
            Ok(Reply::Knows(known)) if known <= size && first => return Next::From(known),
            Ok(Reply::Knows(known)) if known > size => {
                let why = format!("it has cosigned {known} entries, and there are {size}");
                self.disputed((witness, log), (&why, was_shown), reader);
            }
            Ok(Reply::Knows(known)) => one.fails(&format!("it knows {known} entries by now")),
            Ok(Reply::Refused {
                status: 409 | 422,
                why,
            }) => self.disputed((witness, log), (&why, was_shown), reader),
            Ok(Reply::Refused { status, why }) => {
                one.fails(&format!("it answers with status {status}: {why}"));
            }
            Err(why) => one.fails(&why),
        }
        Next::Nothing
    }

    /// The witness says that the log is not what it was, and may show what it was.
    fn disputed(
        &mut self,
        (witness, log): (usize, LogId),
        (why, was_shown): (&str, Option<String>),
        reader: &TileReader,
    ) {
        let key = self.identity.verifier(log);
        let shown = was_shown.and_then(|value| shown(&value, &key));
        let proof = shown.filter(|(shown, _)| match reader.root_at(shown.size) {
            Ok(root) => root != shown.root,
            // What cannot be read now proves nothing yet.
            Err(_) => shown.size > reader.size(),
        });
        let what = match &proof {
            None => why.to_owned(),
            Some((shown, _)) => {
                format!(
                    "{why}; proved by the log's own signature on {} entries",
                    shown.size
                )
            }
        };
        let Some(one) = self.each.get_mut(witness) else {
            return;
        };
        let note = proof.as_ref().map(|(_, note)| note);
        if self.disputes.begin((witness, log), &what, note) {
            tracing::error!(
                witness = %one.key.name(), %log, what, proved = note.is_some(),
                "a witness disputes the log: it was set back or forked, or somebody on the way to the witness says so"
            );
        }
        one.put_off(&what);
    }

    /// Whether nobody disputes a log.
    pub(crate) fn is_settled(&self, log: LogId) -> bool {
        !self.disputes.any_of(log)
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

    fn cosigned(&mut self, log: LogId, size: u64, settled: bool) {
        let name = self.key.name();
        if settled {
            tracing::warn!(witness = %name, %log, size, "the witness cosigns the log again that it disputed");
        } else if self.failing.is_some() {
            tracing::info!(witness = %name, %log, size, "the witness cosigns again");
        }
        self.confirmed.insert(log, size);
        (self.failing, self.failures, self.not_before) = (None, 0, None);
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
