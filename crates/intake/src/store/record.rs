//! What the index keeps of an application: where it stands, and which entries of the log tell more.
//!
//! Written by hand in few bytes, for it is written anew whenever the application changes. Never a
//! CSR or a certificate: those stand in the log only.

use super::trail::Trail;
use lgpki_domain::{
    BodyCode, CertificateKind, Digest, JstDate, Serial, Timestamp,
    application::{Approver, Sort, State},
};

/// The number of no day.
const NO_DAY: i32 = i32::MIN;

/// An application's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// None where it is about a certificate that was issued to no branch.
    pub(crate) branch: Option<BodyCode>,
    pub(crate) sort: Sort,
    pub(crate) kind: CertificateKind,
    /// A revocation for key compromise: it goes before all others.
    pub(crate) urgent: bool,
    /// An operator submitted it, not its branch.
    pub(crate) by_operator: bool,
    /// Index of `application.received`.
    pub(crate) received: u64,
    /// Its time.
    pub(crate) received_at: Timestamp,
    /// Index of the entry that last changed it.
    pub(crate) changed: u64,
    /// Where in the log its life stands.
    pub(crate) trail: Trail,
    /// What it keeps others from applying for while it is open.
    pub(crate) claim: Claim,
    /// The certificate that came of it.
    pub(crate) certificate: Option<CertificateAt>,
    /// What it renews, if it is a renewal.
    pub(crate) renewal: Option<RenewalOf>,
    pub(crate) state: State,
}

/// What an application lays claim to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// A certificate for this subject and kind.
    Subject(Digest),
    /// The end of this certificate.
    Revocation(Serial),
}

/// What a renewal renews.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RenewalOf {
    /// The certificate.
    pub(crate) serial: Serial,
    /// Its last day.
    pub(crate) last_day: Option<JstDate>,
    /// How many operators must approve once lifecycle has opened it.
    pub(crate) needed: u32,
    /// Whether lifecycle knows how it ended.
    pub(crate) closed: bool,
}

/// Where a certificate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CertificateAt {
    /// Index of `application.issued`.
    pub(crate) issued: u64,
    /// Index of the issuer's record in the issuer's log.
    pub(crate) issuer: u64,
}

/// The states in the order of their numbers in a record and in the counts.
pub(crate) const STATES: [&str; 11] = [
    "received",
    "examining",
    "approved",
    "queued",
    "issuing",
    "issued",
    "delivered",
    "completed",
    "rejected",
    "withdrawn",
    "failed",
];

/// The number of a state; [`STATES`] is checked against the domain by a test.
pub(crate) const fn number(state: &State) -> usize {
    match state {
        State::Received { .. } => 0,
        State::Examining { .. } => 1,
        State::Approved { .. } => 2,
        State::Queued { .. } => 3,
        State::Issuing { .. } => 4,
        State::Issued { .. } => 5,
        State::Delivered { .. } => 6,
        State::Completed { .. } => 7,
        State::Rejected { .. } => 8,
        State::Withdrawn { .. } => 9,
        State::Failed { .. } => 10,
    }
}

impl Record {
    /// Whether the application stays in memory: open, issued and not yet handed over, or a renewal of
    /// whose end lifecycle does not know yet.
    pub(crate) const fn is_live(&self) -> bool {
        !self.state.is_final() || matches!(self.renewal, Some(RenewalOf { closed: false, .. }))
    }

    /// Appends the record's bytes.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.push(small(number(&self.state)));
        out.push(small(place(&Sort::ALL, &self.sort)));
        out.push(small(place(&CertificateKind::ALL, &self.kind)));
        out.push(u8::from(self.urgent) | u8::from(self.by_operator) << 1);
        out.extend_from_slice(&branch_bytes(self.branch));
        out.extend_from_slice(&self.received.to_be_bytes());
        out.extend_from_slice(&self.received_at.as_millis().to_be_bytes());
        out.extend_from_slice(&self.changed.to_be_bytes());
        self.trail.encode(self.received, out);
        match &self.claim {
            Claim::Subject(digest) => {
                out.push(0);
                out.extend_from_slice(&digest.0);
            }
            Claim::Revocation(serial) => {
                out.push(1);
                out.extend_from_slice(serial.as_bytes());
            }
        }
        match &self.certificate {
            None => out.push(0),
            Some(at) => {
                out.push(1);
                out.extend_from_slice(&at.issued.to_be_bytes());
                out.extend_from_slice(&at.issuer.to_be_bytes());
            }
        }
        match &self.renewal {
            None => out.push(0),
            Some(renewal) => {
                out.push(1 + u8::from(renewal.closed));
                out.extend_from_slice(renewal.serial.as_bytes());
                let last_day = renewal.last_day.map_or(NO_DAY, JstDate::number);
                out.extend_from_slice(&last_day.to_be_bytes());
                out.extend_from_slice(&renewal.needed.to_be_bytes());
            }
        }
        out.extend_from_slice(&self.state.since().as_millis().to_be_bytes());
        match &self.state {
            State::Received { .. }
            | State::Approved { .. }
            | State::Completed { .. }
            | State::Withdrawn { .. } => {}
            State::Examining {
                approved_by,
                needed,
                ..
            } => {
                out.extend_from_slice(&needed.to_be_bytes());
                for operator in approved_by {
                    out.extend_from_slice(operator.serial.as_bytes());
                    out.extend_from_slice(&operator.subject.0);
                }
            }
            State::Queued { attempt, .. } | State::Issuing { attempt, .. } => {
                out.extend_from_slice(&attempt.to_be_bytes());
            }
            State::Issued { serial, .. } | State::Delivered { serial, .. } => {
                out.extend_from_slice(serial.as_bytes());
            }
            State::Rejected { reason, .. } | State::Failed { reason, .. } => {
                out.extend_from_slice(reason.as_bytes());
            }
        }
    }

    /// Reads [`encode`](Self::encode) back; `None` if that never wrote it.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = Rest(bytes);
        let state = rest.byte()?;
        let sort = *Sort::ALL.get(usize::from(rest.byte()?))?;
        let kind = *CertificateKind::ALL.get(usize::from(rest.byte()?))?;
        let (urgent, by_operator) = match rest.byte()? {
            marks @ 0..=3 => (marks & 1 != 0, marks & 2 != 0),
            _ => return None,
        };
        let branch = match rest.number()? {
            0 => None,
            number => Some(body_code(number)?),
        };
        let received = rest.long()?;
        let received_at = Timestamp::from_millis(i64::from_be_bytes(rest.take()?));
        let changed = rest.long()?;
        let trail = Trail::decode(received, &mut rest.0)?;
        let claim = match rest.byte()? {
            0 => Claim::Subject(Digest(rest.take()?)),
            1 => Claim::Revocation(rest.serial()?),
            _ => return None,
        };
        let certificate = match rest.byte()? {
            0 => None,
            1 => Some(CertificateAt {
                issued: rest.long()?,
                issuer: rest.long()?,
            }),
            _ => return None,
        };
        let renewal = match rest.byte()? {
            0 => None,
            mark @ (1 | 2) => Some(RenewalOf {
                serial: rest.serial()?,
                last_day: match i32::from_be_bytes(rest.take()?) {
                    NO_DAY => None,
                    number => Some(JstDate::from_number(number)),
                },
                needed: rest.number()?,
                closed: mark == 2,
            }),
            _ => return None,
        };
        let at = Timestamp::from_millis(i64::from_be_bytes(rest.take()?));
        let state = rest.state(usize::from(state), at)?;
        rest.0.is_empty().then_some(Self {
            branch,
            sort,
            kind,
            urgent,
            by_operator,
            received,
            received_at,
            changed,
            trail,
            claim,
            certificate,
            renewal,
            state,
        })
    }
}

/// What is left to be read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn number(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    fn long(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    fn serial(&mut self) -> Option<Serial> {
        Serial::from_bytes(&self.take::<16>()?)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(std::mem::take(&mut self.0).to_vec()).ok()
    }

    fn state(&mut self, number: usize, at: Timestamp) -> Option<State> {
        Some(match *STATES.get(number)? {
            "received" => State::Received { at },
            "examining" => {
                let needed = self.number()?;
                let mut approved_by = Vec::new();
                while !self.0.is_empty() {
                    approved_by.push(Approver {
                        serial: self.serial()?,
                        subject: Digest(self.take()?),
                    });
                }
                State::Examining {
                    at,
                    approved_by,
                    needed,
                }
            }
            "approved" => State::Approved { at },
            "queued" => State::Queued {
                at,
                attempt: self.number()?,
            },
            "issuing" => State::Issuing {
                at,
                attempt: self.number()?,
            },
            "issued" => State::Issued {
                at,
                serial: self.serial()?,
            },
            "delivered" => State::Delivered {
                at,
                serial: self.serial()?,
            },
            "completed" => State::Completed { at },
            "rejected" => State::Rejected {
                at,
                reason: self.text()?,
            },
            "withdrawn" => State::Withdrawn { at },
            "failed" => State::Failed {
                at,
                reason: self.text()?,
            },
            _ => return None,
        })
    }
}

/// A body's code from its number.
pub(crate) fn body_code(number: u32) -> Option<BodyCode> {
    let prefecture = u8::try_from(number / 1000).ok()?;
    let within = u16::try_from(number % 1000).ok()?;
    BodyCode::try_new(prefecture, within)
}

/// A branch's number; 0, which no body has, for none.
pub(crate) fn branch_bytes(branch: Option<BodyCode>) -> [u8; 4] {
    branch.map_or(0, BodyCode::number).to_be_bytes()
}

fn small(n: usize) -> u8 {
    u8::try_from(n).unwrap_or(u8::MAX)
}

fn place<T: PartialEq>(all: &[T], one: &T) -> usize {
    all.iter()
        .position(|other| other == one)
        .unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_in_every_state_reads_back() {
        let at = Timestamp::from_millis(1_202_084_100_123);
        let serial = Serial::from_bytes(&[0x41; 16]).unwrap();
        let states = [
            State::Received { at },
            State::Examining {
                at,
                approved_by: vec![Approver {
                    serial,
                    subject: Digest([5; 32]),
                }],
                needed: 2,
            },
            State::Approved { at },
            State::Queued { at, attempt: 1 },
            State::Issuing { at, attempt: 2 },
            State::Issued { at, serial },
            State::Delivered { at, serial },
            State::Completed { at },
            State::Rejected {
                at,
                reason: "番号が違う".to_owned(),
            },
            State::Withdrawn { at },
            State::Failed {
                at,
                reason: String::new(),
            },
        ];
        for (n, state) in states.into_iter().enumerate() {
            assert_eq!(number(&state), n);
            assert_eq!(STATES[n], state.name());
            let record = Record {
                branch: (n % 3 > 0).then(|| "47001".parse().unwrap()),
                sort: Sort::Abolish,
                kind: CertificateKind::Mail,
                urgent: n % 2 == 0,
                by_operator: n % 3 == 0,
                received: 7,
                received_at: at,
                changed: u64::MAX,
                trail: (8..8 + n as u64).chain([70_000]).collect(),
                claim: if n % 2 == 0 {
                    Claim::Subject(Digest([3; 32]))
                } else {
                    Claim::Revocation(serial)
                },
                certificate: (n > 4).then_some(CertificateAt {
                    issued: 9,
                    issuer: 8,
                }),
                renewal: (n % 4 > 0).then_some(RenewalOf {
                    serial,
                    last_day: (n % 4 > 1).then(|| "2011-02-03".parse().unwrap()),
                    needed: 2,
                    closed: n % 4 == 2,
                }),
                state,
            };
            let mut bytes = Vec::new();
            record.encode(&mut bytes);
            assert_eq!(Record::decode(&bytes), Some(record));
            assert_eq!(Record::decode(&bytes[..20]), None);
        }
    }
}
