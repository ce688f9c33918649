//! Asking witnesses how much of a log they have seen, before anybody relies on a copy of it.
//!
//! C2SP tlog-witness has no such question, but `add-checkpoint` answers it: an old size other than the
//! one cosigned last is answered with that one (409). So a witness is sent a checkpoint that the log
//! signed long ago, with the old size 0; and, where it knows no more than there is, once more with the
//! proof that the log continues what it knows, which it checks. Nothing new is signed for that; where
//! there is nothing of a log, its empty tree is shown. What follows from the answers is for whoever asks.

use std::fmt;

use lgpki_ledger::{KeyName, SignedNote, Submission, WitnessKey, merkle::Hash, witness::Reply};

use super::{Carried, Post, Witnessing};

/// Makes the proof that a log continues its first so many leaves.
pub type Prove<'a> = Box<dyn Fn(u64) -> Result<Vec<Hash>, String> + 'a>;

/// What witnesses are asked of one log.
pub struct Question<'a> {
    /// The log.
    pub origin: KeyName,
    /// A checkpoint that the log signed before, or its empty one.
    pub note: SignedNote,
    /// Leaves that the checkpoint speaks of.
    pub size: u64,
    /// Leaves that can be had, here or from a copy: no fewer.
    pub reach: u64,
    /// Whether there is such a log for certain. A witness need not know one that only may be.
    pub certain: bool,
    /// Makes proofs up to `size`; none if sizes are all that can be compared.
    pub prove: Option<Prove<'a>>,
}

impl fmt::Debug for Question<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = f.debug_struct("Question");
        all.field("origin", &self.origin).field("size", &self.size);
        all.field("reach", &self.reach).finish_non_exhaustive()
    }
}

/// What a witness says of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// It has cosigned no more than can be had, and of what was shown nothing else.
    Within {
        /// Leaves that it had cosigned.
        known: u64,
    },
    /// It has cosigned more than can be had.
    More {
        /// Leaves that it has cosigned.
        known: u64,
    },
    /// It has cosigned a tree that this log does not continue.
    Other {
        /// What it says.
        why: String,
    },
    /// It does not say.
    Silent {
        /// Why, as far as is known.
        why: String,
    },
}

/// A witness's word on one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The witness.
    pub witness: String,
    /// The log.
    pub origin: KeyName,
    /// Leaves of it that can be had.
    pub reach: u64,
    /// What it says.
    pub word: Word,
}

/// What a reply leads to.
enum Next {
    Word(Word),
    /// The proof from this size on.
    From(u64),
}

/// Asks every witness of every log; the answers are in the order of the questions, and of the witnesses
/// for each. A witness that cannot be reached once is not asked for the rest.
#[must_use]
pub fn ask(how: &Witnessing, questions: &[Question<'_>]) -> Vec<Answer> {
    let keys = how.policy.witnesses();
    let mut away: Vec<Option<String>> = vec![None; keys.len()];
    let mut answers = Vec::with_capacity(keys.len() * questions.len());
    for question in questions {
        let words = question.ask(how, &mut away);
        answers.extend(keys.iter().zip(words).map(|(key, word)| Answer {
            witness: key.name().to_string(),
            origin: question.origin.clone(),
            reach: question.reach,
            word,
        }));
    }
    answers
}

fn set<T>(of: &mut [Option<T>], at: usize, value: T) {
    if let Some(place) = of.get_mut(at) {
        *place = Some(value);
    }
}

impl Question<'_> {
    /// The word of each witness; notes those that cannot be reached.
    fn ask(&self, how: &Witnessing, away: &mut [Option<String>]) -> Vec<Word> {
        let silent = |why: &Option<String>| why.clone().map(|why| Word::Silent { why });
        let mut words: Vec<Option<Word>> = away.iter().map(silent).collect();
        let waiting = words.iter().enumerate().filter(|(_, word)| word.is_none());
        let mut sizes: Vec<(usize, u64)> = waiting.map(|(at, _)| (at, 0)).collect();
        let mut first = true;
        while !sizes.is_empty() {
            let mut again = Vec::new();
            for (at, old, reply) in self.send(how, &sizes) {
                let next = match reply {
                    Err(why) => {
                        set(away, at, why.clone());
                        Next::Word(Word::Silent { why })
                    }
                    Ok(reply) if first => self.first(reply),
                    Ok(reply) => self.second(reply, old),
                };
                match next {
                    Next::Word(word) => set(&mut words, at, word),
                    Next::From(known) => again.push((at, known)),
                }
            }
            sizes = again;
            first = false;
        }
        let unasked = || Word::Silent {
            why: String::from("it was not asked"),
        };
        let words = words.into_iter();
        words.map(|word| word.unwrap_or_else(unasked)).collect()
    }

    /// Sends the question to some of the witnesses, to each with the proof from a size on; what each
    /// replies to that size.
    fn send(
        &self,
        how: &Witnessing,
        sizes: &[(usize, u64)],
    ) -> Vec<(usize, u64, Result<Reply, String>)> {
        let mut replies = Vec::with_capacity(sizes.len());
        let mut posts = Vec::with_capacity(sizes.len());
        let mut asked = Vec::with_capacity(sizes.len());
        for (witness, old) in sizes {
            match self.submission(*old) {
                Ok(submission) => {
                    asked.push((*witness, *old));
                    posts.push(Post {
                        witness: *witness,
                        body: submission.to_string(),
                    });
                }
                Err(why) => replies.push((*witness, *old, Err(why))),
            }
        }
        for ((at, old), carried) in asked.into_iter().zip(how.carrier.carry(posts)) {
            let key = how.policy.witnesses().get(at);
            let read = |carried: Carried| key.map(|key| self.read(key, &carried));
            let missing = || String::from("there is no such witness");
            let reply = carried.and_then(|carried| read(carried).ok_or_else(missing));
            replies.push((at, old, reply));
        }
        replies
    }

    fn submission(&self, old: u64) -> Result<Submission, String> {
        let proof = match &self.prove {
            Some(prove) if old > 0 && old < self.size => prove(old)?,
            _ => Vec::new(),
        };
        let note = self.note.clone();
        Ok(Submission { old, proof, note })
    }

    fn read(&self, key: &WitnessKey, carried: &Carried) -> Reply {
        let kind = carried.kind.as_deref();
        let answer = (carried.status, kind, carried.body.as_slice());
        Reply::read(key, self.note.text(), answer)
    }

    /// What the reply to the old size 0 says.
    fn first(&self, reply: Reply) -> Next {
        Next::Word(match reply {
            // It had nothing of this log.
            Reply::Cosigned { .. } => Word::Within { known: 0 },
            Reply::Knows(0) => Word::Silent {
                why: String::from(
                    "it says that it has cosigned nothing, and still cosigns nothing",
                ),
            },
            Reply::Knows(known) if known > self.reach => Word::More { known },
            Reply::Knows(known)
                if known == self.size || (known < self.size && self.prove.is_some()) =>
            {
                return Next::From(known);
            }
            Reply::Knows(known) => Word::Within { known },
            Reply::Refused { status: 409, why } => Word::Other { why },
            Reply::Refused {
                status: 400..=499, ..
            } if !self.certain => Word::Within { known: 0 },
            Reply::Refused { status: 404, why } => Word::Silent {
                why: format!(
                    "it knows no such log (status 404: {why}); see whether its address is right, and whether it was \
                     given the log's key"
                ),
            },
            Reply::Refused { status, why } => refused(status, &why),
        })
    }

    /// What the reply to the proof from `before` on says.
    fn second(&self, reply: Reply, before: u64) -> Next {
        Next::Word(match reply {
            Reply::Cosigned { .. } => Word::Within { known: before },
            Reply::Knows(known) if known > self.reach => Word::More { known },
            Reply::Knows(known) => Word::Silent {
                why: format!(
                    "it had cosigned {before} leaves and, a moment later, {known}: somebody else shows it this log; see \
                     whether the service still runs elsewhere"
                ),
            },
            Reply::Refused {
                status: 409 | 422,
                why,
            } => Word::Other { why },
            Reply::Refused { status, why } => refused(status, &why),
        })
    }
}

fn refused(status: u16, why: &str) -> Word {
    Word::Silent {
        why: format!("it answers with status {status}: {why}"),
    }
}
