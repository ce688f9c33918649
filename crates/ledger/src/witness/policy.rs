//! Which witnesses must have cosigned a checkpoint: so many of those named, or groups of them, as a
//! C2SP tlog-policy file says.
//!
//! A policy is of whoever relies on a log; nothing of it is taken from the log. Lines that name logs
//! are refused, for which keys a log is verified with is told elsewhere.

use std::collections::BTreeMap;

use crate::{
    cosignature::WitnessKey,
    note::{NoteError, SignedNote},
};

/// Witnesses and groups that a policy may have together.
const MOST: usize = 256;

/// A policy cannot be read or never be met.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// More are wanted than there are.
    #[error("{required} of {of} witnesses cannot cosign; name more, or require fewer")]
    TooFew {
        /// How many are wanted.
        required: usize,
        /// How many there are.
        of: usize,
    },
    /// A key is named twice: it would count twice.
    #[error("the key of the witness {0} is named twice")]
    Twice(String),
    /// A line is not one of a policy.
    #[error("line {line}: {why}")]
    Line {
        /// The line's number, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// The policy says not whom it wants.
    #[error("there is not exactly one line that begins with quorum")]
    Quorum,
}

/// What must be cosigned by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    Witness(usize),
    Group { least: usize, of: Vec<Wanted> },
}

/// Whose cosignatures a checkpoint must bear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessPolicy {
    witnesses: Vec<WitnessKey>,
    wanted: Wanted,
}

/// A witness whose cosignature a checkpoint does not bear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Without {
    /// The witness.
    pub name: String,
    /// Whether there is one that does not fit.
    pub wrong: bool,
}

/// How a checkpoint stands by a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whether it bears enough.
    pub met: bool,
    /// Who cosigned it, and when, in seconds since 1970.
    pub cosigned: Vec<(String, u64)>,
    /// Who did not.
    pub without: Vec<Without>,
}

impl WitnessPolicy {
    /// At least `required` of these witnesses.
    pub fn of(witnesses: Vec<WitnessKey>, required: usize) -> Result<Self, PolicyError> {
        let of = witnesses.len();
        if required > of {
            return Err(PolicyError::TooFew { required, of });
        }
        for (at, key) in witnesses.iter().enumerate() {
            if witnesses
                .iter()
                .take(at)
                .any(|k| k.public() == key.public())
            {
                return Err(PolicyError::Twice(key.name().to_string()));
            }
        }
        let wanted = Wanted::Group {
            least: required,
            of: (0..of).map(Wanted::Witness).collect(),
        };
        Ok(Self { witnesses, wanted })
    }

    /// Reads a C2SP tlog-policy file.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let mut reading = Reading::default();
        for (at, line) in text.lines().enumerate() {
            let fault = |why| PolicyError::Line { line: at + 1, why };
            let words: Vec<&str> = line.split([' ', '\t']).filter(|w| !w.is_empty()).collect();
            match words.as_slice() {
                [] => {}
                [first, ..] if first.starts_with('#') => {}
                words => reading.line(words).map_err(fault)?,
            }
        }
        let [wanted] = <[Wanted; 1]>::try_from(reading.quorum).map_err(|_| PolicyError::Quorum)?;
        Ok(Self {
            witnesses: reading.witnesses,
            wanted,
        })
    }

    /// The witnesses.
    #[must_use]
    pub fn witnesses(&self) -> &[WitnessKey] {
        &self.witnesses
    }

    /// How a note stands whose log's signature was checked.
    #[must_use]
    pub fn judge(&self, note: &SignedNote) -> Standing {
        let mut standing = Standing {
            met: false,
            cosigned: Vec::new(),
            without: Vec::new(),
        };
        let mut has = Vec::with_capacity(self.witnesses.len());
        for key in &self.witnesses {
            let name = key.name().to_string();
            let found = key.verify(note);
            has.push(found.is_ok());
            match found {
                Ok(time) => standing.cosigned.push((name, time)),
                Err(error) => standing.without.push(Without {
                    name,
                    wrong: matches!(error, NoteError::WrongSignature(_)),
                }),
            }
        }
        standing.met = self.wanted.is_met(&has);
        standing
    }
}

impl Wanted {
    fn is_met(&self, has: &[bool]) -> bool {
        match self {
            Self::Witness(at) => has.get(*at).copied().unwrap_or_default(),
            Self::Group { least, of } => of.iter().filter(|of| of.is_met(has)).count() >= *least,
        }
    }
}

/// What was read of a file so far.
#[derive(Debug, Default)]
struct Reading {
    witnesses: Vec<WitnessKey>,
    /// What has a name, until it has become part of a group.
    named: BTreeMap<String, Option<Wanted>>,
    quorum: Vec<Wanted>,
}

impl Reading {
    fn line(&mut self, words: &[&str]) -> Result<(), String> {
        match words {
            ["witness", name, key] | ["witness", name, key, _] => self.witness(name, key),
            ["group", name, least, of @ ..] if !of.is_empty() => self.group(name, least, of),
            ["quorum", "none"] => {
                let (least, of) = (0, Vec::new());
                self.quorum.push(Wanted::Group { least, of });
                Ok(())
            }
            ["quorum", name] => {
                let wanted = self.named.get(*name).cloned().flatten();
                let missing = || format!("there is no witness or group {name} above");
                self.quorum.push(wanted.ok_or_else(missing)?);
                Ok(())
            }
            ["log", ..] => Err(String::from(
                "a policy of witnesses is wanted here; which keys sign the logs is told with --key",
            )),
            _ => Err(String::from(
                "it is none of: witness NAME KEY [URL], group NAME all|any|NUMBER MEMBERS, quorum NAME",
            )),
        }
    }

    fn name(&mut self, name: &str, wanted: Wanted) -> Result<(), String> {
        if name == "none" || self.named.contains_key(name) {
            return Err(format!("the name {name} is taken"));
        }
        if self.named.len() >= MOST {
            return Err(format!("there are more than {MOST} witnesses and groups"));
        }
        self.named.insert(name.to_owned(), Some(wanted));
        Ok(())
    }

    fn witness(&mut self, name: &str, key: &str) -> Result<(), String> {
        let key: WitnessKey = key.parse().map_err(|e: NoteError| e.to_string())?;
        let same = |other: &WitnessKey| other.public() == key.public();
        if self.witnesses.iter().any(same) {
            return Err(PolicyError::Twice(name.to_owned()).to_string());
        }
        self.name(name, Wanted::Witness(self.witnesses.len()))?;
        self.witnesses.push(key);
        Ok(())
    }

    fn group(&mut self, name: &str, least: &str, members: &[&str]) -> Result<(), String> {
        let least = match least {
            "all" => members.len(),
            "any" => 1,
            number => number
                .parse()
                .ok()
                .filter(|n| (1..=members.len()).contains(n))
                .ok_or_else(|| {
                    format!(
                        "{number} is neither all, any nor a number from 1 to {}",
                        members.len()
                    )
                })?,
        };
        let mut of = Vec::with_capacity(members.len());
        for member in members {
            let known = self.named.get_mut(*member).and_then(Option::take);
            let missing = || format!("{member} is not named above, or is in a group already");
            of.push(known.ok_or_else(missing)?);
        }
        self.name(name, Wanted::Group { least, of })
    }
}
