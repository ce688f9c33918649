//! Applications arrive: each branch sends what it has, one branch after the other, and sends again when it was told to.

use lgpki_domain::{
    ApplicationId, BodyCode, ErrorClass, Timestamp,
    estimate::Promise,
    order::{Claim, Waiting},
};
use lgpki_proto::{RemoteError, convert::wire, v1};
use lgpki_surge::{Arrival, Case};
use v1::submit_application_request::Content;

use super::{super::super::front, Entry, Play, Sending, is_examined, yields_certificate};
use crate::error::CommandError;

/// So often what cannot be sent yet is tried again on the next business day.
const MOST_TRIES: u32 = 30;

impl Play<'_> {
    /// Sends what has arrived by now.
    pub(super) async fn receive(&mut self, at: Timestamp) -> Result<(), CommandError> {
        let mut due = Vec::new();
        while let Some(entry) = self.later.first_entry() {
            if *entry.key() > at {
                break;
            }
            due.extend(entry.remove());
        }
        while let Some(arrival) = self.script.arrivals.get(self.arrived) {
            if arrival.waiting.received > at {
                break;
            }
            due.push(Sending {
                arrival: *arrival,
                tries: 0,
            });
            self.arrived += 1;
        }
        if due.is_empty() {
            return Ok(());
        }
        let mut sent = false;
        for of_branch in due.chunk_by(|a, b| a.arrival.waiting.branch == b.arrival.waiting.branch) {
            let Some(branch) = of_branch.first().and_then(|s| s.arrival.waiting.branch) else {
                continue;
            };
            // One branch after the other, so that the order of receipt is the same for the same seed.
            if sent {
                let clock = self.system.clock();
                clock.set(self.system.now().plus_millis(1));
            }
            sent |= self.send(branch, of_branch).await?;
        }
        self.system.at_rest().await?;
        if !self.waiting.is_empty() {
            self.pace.begin(self.system.now());
        }
        Ok(())
    }

    /// Sends a branch's applications; whether there was anything to send.
    async fn send(&mut self, branch: BodyCode, due: &[Sending]) -> Result<bool, CommandError> {
        let mut requests = Vec::with_capacity(due.len());
        let mut sending = Vec::with_capacity(due.len());
        for one in due {
            if self.is_moot(one) {
                continue;
            }
            match self.content(&one.arrival)? {
                Some(content) => {
                    let number = one.arrival.waiting.id.to_string();
                    let request_id = format!("{number}-{}", one.tries);
                    requests.push(self.request(branch, request_id, content));
                    sending.push(*one);
                }
                // Its certificate has not come yet.
                None => self.put_off(*one, "CERTIFICATE_NOT_ISSUED"),
            }
        }
        if requests.is_empty() {
            return Ok(false);
        }
        let channel = self.offices.branch(branch)?;
        let outcomes = front::submit(channel, requests).await?;
        for (one, outcome) in sending.into_iter().zip(outcomes) {
            match outcome {
                Ok(application) => self.note(one, &application)?,
                Err(refused) => self.refused(one, &refused),
            }
        }
        Ok(true)
    }

    /// Whether it has come to nothing: the certificate that was to be revoked is being replaced.
    fn is_moot(&self, sending: &Sending) -> bool {
        let arrival = &sending.arrival;
        let renewed = self.held.get(arrival.holding).is_some_and(|h| h.renewed);
        renewed && !yields_certificate(&arrival.waiting)
    }

    /// What is asked for; `None` while the certificate that it concerns is not there.
    fn content(&self, arrival: &Arrival) -> Result<Option<Content>, CommandError> {
        let (_, holder) = self.holder(arrival.holding)?;
        let held = self.held.get(arrival.holding);
        let serial = held
            .and_then(|held| held.certificate.as_ref())
            .map(|(serial, _)| serial);
        let revoke = |serial: &String, reason: v1::RevocationReason| {
            Content::Revoke(v1::RevokeContent {
                serial: serial.clone(),
                reason: reason.into(),
            })
        };
        Ok(match arrival.waiting.claim {
            Claim::New => Some(Content::Issue(holder.issue()?)),
            Claim::Renewal { .. } => match serial {
                Some(serial) => {
                    let token = self.tokens.get(&arrival.holding).cloned();
                    Some(Content::Renew(
                        holder.renew(serial, token.unwrap_or_default())?,
                    ))
                }
                None => None,
            },
            Claim::EmergencyRevocation => {
                serial.map(|serial| revoke(serial, wire_reason(RevocationHabit::Emergency)))
            }
            Claim::Revocation => serial.map(|serial| match RevocationHabit::of(arrival.holding) {
                RevocationHabit::Abolished => Content::Abolish(v1::AbolishContent {
                    serial: serial.clone(),
                }),
                habit => revoke(serial, wire_reason(habit)),
            }),
        })
    }

    fn note(&mut self, sent: Sending, application: &v1::Application) -> Result<(), CommandError> {
        let holding = sent.arrival.holding;
        let unreadable = || CommandError::new("intake's answer cannot be read");
        let id: ApplicationId = application.id.parse().map_err(|_| unreadable())?;
        let received = application.received_at.parse().map_err(|_| unreadable())?;
        let held = self.held.get(holding);
        let expires = held.and_then(|h| h.certificate.as_ref()).map(|(_, at)| *at);
        let claim = match (sent.arrival.waiting.claim, expires) {
            (Claim::Renewal { .. }, Some(expires)) => Claim::Renewal { expires },
            (claim, _) => claim,
        };
        if let (Claim::Renewal { .. }, Some(held)) = (claim, self.held.get_mut(holding)) {
            held.renewed = true;
        }
        let examined = is_examined(claim);
        let case = Case {
            waiting: Waiting {
                id,
                received,
                claim,
                branch: sent.arrival.waiting.branch,
            },
            issued: (!examined).then_some(received),
            promised: application.estimate.as_ref().and_then(promise),
        };
        if examined {
            let place = self.record.entries.len();
            self.waiting.insert(application.id.clone(), place);
        }
        self.record.entries.push(Entry {
            id: application.id.clone(),
            holding,
            case,
        });
        Ok(())
    }

    fn refused(&mut self, sent: Sending, refused: &RemoteError) {
        if let (ErrorClass::RateLimited, Some(delay)) = (refused.class(), refused.retry_after) {
            self.record.retries += 1;
            let millis = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
            let at = self.system.now().plus_millis(millis);
            // With the same request id, for which a place is booked.
            self.later.entry(at).or_default().push(sent);
            return;
        }
        let reason = refused.faults.first();
        let reason = reason.map_or(&refused.reason, |fault| &fault.reason);
        // Issued a day later than was meant, it is valid a day longer.
        if reason == "RENEWAL_TOO_EARLY" {
            self.put_off(sent, reason);
        } else {
            *self.record.refused.entry(reason.clone()).or_default() += 1;
        }
    }

    /// Tries again on the next business day.
    fn put_off(&mut self, sent: Sending, reason: &str) {
        if sent.tries >= MOST_TRIES {
            *self.record.refused.entry(reason.to_owned()).or_default() += 1;
            return;
        }
        let tomorrow = self.system.now().jst_date().plus_days(1);
        let opens = self.script.calendar.opening(tomorrow.start());
        self.later.entry(opens).or_default().push(Sending {
            tries: sent.tries + 1,
            ..sent
        });
    }
}

/// An estimate as intake gave it.
fn promise(estimate: &v1::Estimate) -> Option<Promise> {
    Some(Promise {
        earliest: estimate.earliest.parse().ok()?,
        latest: estimate.latest.parse().ok()?,
    })
}

/// Why certificates are revoked, as often as in a real list of March 2011.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RevocationHabit {
    Emergency,
    /// No longer needed: 58 of a hundred.
    Abolished,
    /// The post or the organization changed: 27.
    Changed,
    /// Replaced: 15.
    Superseded,
}

impl RevocationHabit {
    const fn of(holding: usize) -> Self {
        // Spread over a hundred, for neighbours are often revoked together.
        match holding.wrapping_mul(37) % 100 {
            0..58 => Self::Abolished,
            58..85 => Self::Changed,
            _ => Self::Superseded,
        }
    }
}

fn wire_reason(habit: RevocationHabit) -> v1::RevocationReason {
    use lgpki_domain::RevocationReason as Reason;
    let reason = match habit {
        RevocationHabit::Emergency => Reason::KeyCompromise,
        RevocationHabit::Abolished => Reason::CessationOfOperation,
        RevocationHabit::Changed => Reason::AffiliationChanged,
        RevocationHabit::Superseded => Reason::Superseded,
    };
    v1::RevocationReason::try_from(wire(reason)).unwrap_or_default()
}
