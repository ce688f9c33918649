//! Which log a source offers, and whose signature must stand for it.

use lgpki_ledger::{Checkpoint, KeyName, SignedNote, VerifierKey};

use super::{Mirror, PullError, Refusal, Trust, source::LogSource};
use crate::{
    directory::{KEYS, key_of},
    fact::Service,
};

/// Which log, and what it says of itself, verified.
pub(super) struct Named {
    pub(super) service: Service,
    pub(super) log: String,
    pub(super) key: VerifierKey,
    pub(super) trust: Trust,
    pub(super) head: Checkpoint,
    pub(super) note: SignedNote,
}

impl Mirror {
    /// The key of a service's logs that was believed before.
    fn kept_key(&self, service: Service) -> Result<Option<VerifierKey>, PullError> {
        for log in self.list(service)? {
            let path = self.path(service, &log).join("vkey");
            if let Some(line) = self.read(&path)? {
                let key: Result<VerifierKey, _> = line.trim_end().parse();
                return key
                    .map(Some)
                    .map_err(|error| PullError::kept(&path, &error.to_string()));
            }
        }
        Ok(None)
    }

    /// What the source's checkpoint says, once the log's key was seen to have signed it.
    pub(super) fn named(
        &self,
        source: &mut dyn LogSource,
        offered: &str,
    ) -> Result<Option<Named>, PullError> {
        let note = source.checkpoint(offered)?;
        let refused = |why| PullError::refused(offered, why);
        let unread = |what: String| refused(Refusal::Checkpoint(what));
        let text = SignedNote::parse(&note).map_err(|error| unread(error.to_string()))?;
        let said = Checkpoint::parse(text.text()).map_err(|error| unread(error.to_string()))?;
        let (service, log) = place_of(&said.origin, offered)
            .ok_or_else(|| refused(Refusal::AnotherLog(said.origin.to_string())))?;
        if !self.wants(service.name()) {
            return Ok(None);
        }
        let place = format!("{}/{log}", service.name());
        let (key, trust) = self
            .key(source, offered, (service, &said.origin))
            .map_err(|error| error.of(&place))?;
        let (head, note) = Checkpoint::open(&note, &key)
            .map_err(|error| PullError::refused(&place, Refusal::Checkpoint(error.to_string())))?;
        Ok(Some(Named {
            service,
            log,
            key,
            trust,
            head,
            note,
        }))
    }

    /// The key that must have signed a log's checkpoints.
    fn key(
        &self,
        source: &mut dyn LogSource,
        offered: &str,
        (service, origin): (Service, &KeyName),
    ) -> Result<(VerifierKey, Trust), PullError> {
        let refused = |why| PullError::refused(offered, why);
        if let Some(key) = key_of(&self.keys, origin) {
            return Ok((key, Trust::Given));
        }
        if !self.keys.is_empty() {
            return Err(refused(Refusal::UnknownKey(origin.to_string())));
        }
        if let Some(kept) = self.kept_key(service)? {
            if above(kept.name(), 1) != above(origin, 1) {
                return Err(refused(Refusal::AnotherLog(origin.to_string())));
            }
            return Ok((
                VerifierKey::new(origin.clone(), *kept.public()),
                Trust::Kept,
            ));
        }
        // Whoever gives several services' logs cannot have one of them pass for another installation's.
        for other in Service::ALL {
            if let Some(kept) = self.kept_key(other)?
                && above(kept.name(), 2) != above(origin, 2)
            {
                return Err(refused(Refusal::AnotherLog(origin.to_string())));
            }
        }
        let line = source.key(offered)?;
        let key: VerifierKey = line
            .trim_end()
            .parse()
            .map_err(|_| refused(Refusal::UnknownKey(origin.to_string())))?;
        if key.name() != origin {
            return Err(refused(Refusal::UnknownKey(origin.to_string())));
        }
        Ok((key, Trust::FirstUse))
    }
}

/// A log's name without its last parts: without one its service's, without two its installation's.
fn above(name: &KeyName, parts: usize) -> Option<String> {
    let mut name = name.as_str();
    for _ in 0..parts {
        name = name.rsplit_once('/')?.0;
    }
    Some(name.to_owned())
}

/// Whether a log can have this name.
pub(super) fn is_log(name: &str) -> bool {
    name == KEYS || (name.len() == 4 && name.bytes().all(|b| b.is_ascii_digit()))
}

/// Service and log of an origin, if it is what was asked for.
fn place_of(origin: &KeyName, offered: &str) -> Option<(Service, String)> {
    let (rest, log) = origin.as_str().rsplit_once('/')?;
    let (_, service) = rest.rsplit_once('/')?;
    let asked = offered == log || offered == format!("{service}/{log}");
    let service = Service::parse(service).filter(|_| asked && is_log(log))?;
    Some((service, log.to_owned()))
}
