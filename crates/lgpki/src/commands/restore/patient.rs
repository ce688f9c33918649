//! A service whose log is compared, healed and unsealed: its log, open and locked, and what it needs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use lgpki_domain::{Clock, Timestamp};
use lgpki_issuer::event::IssuerEvent;
use lgpki_ledger::{
    Identity, Log, Mirror, OsDisk, Snapshot,
    heal::{self, Compared, HealError, Reading, compare, read_as},
};
use lgpki_lifecycle::LifecycleEvent;
use lgpki_proto::ServiceName;
use lgpki_runtime::clock::SystemClock;
use lgpki_store::{
    Witnessing,
    seal::{Seal, Stage},
};

use super::{
    super::backup::{disk, services, whole},
    gap::Gap,
    mirrors, write_seal,
};
use crate::{
    cli::{InstallationArgs, MirrorArgs},
    config::Config,
    error::CommandError,
    log_key,
    output::Output,
    witnesses::witnessing,
};

/// One service.
pub(super) struct Patient {
    pub(super) service: ServiceName,
    pub(super) data: PathBuf,
    pub(super) identity: Identity,
    pub(super) log: Log,
    pub(super) seal: Option<Seal>,
    pub(super) mirrors: Vec<Mirror>,
}

/// An installation, of which some services are looked at.
pub(super) struct Ward {
    pub(super) config: Config,
    pub(super) patients: Vec<Patient>,
    /// Who is asked how much they have seen; none if the configuration names none.
    pub(super) witnesses: Option<Witnessing>,
    pub(super) output: Output,
}

/// The service's own reading of its entries.
const fn reading(service: ServiceName) -> Reading {
    match service {
        ServiceName::Intake => lgpki_intake::store::READING,
        ServiceName::Issuer => read_as::<IssuerEvent>,
        ServiceName::Lifecycle => read_as::<LifecycleEvent>,
    }
}

impl Ward {
    /// Opens the logs and the copies of them. Nothing is changed but that a torn tail is cut, as at
    /// every opening.
    pub(super) fn open(
        of: &InstallationArgs,
        copies: &MirrorArgs,
        output: Output,
    ) -> Result<Self, CommandError> {
        let config = Config::load(&of.config)?;
        let passphrase = log_key::services_passphrase(&config).map_err(|error| {
            error.hint("no backup holds passphrases: put the file back by hand, as `init` made it")
        })?;
        if let Some(dir) = copies.mirrors.iter().find(|dir| !dir.is_dir()) {
            let what = format!("there is no directory {}", dir.display());
            return Err(CommandError::new(what));
        }
        let mut patients = Vec::new();
        for service in services(&config, of)? {
            let Some(shared) = config.shared(service) else {
                continue;
            };
            let identity = log_key::load(&config, service, shared, &passphrase)?;
            let patient = Patient::open(service, shared.data.clone(), identity, (copies, output))?;
            patients.push(patient);
        }
        let place = |dir: &Path| fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
        let named: Vec<_> = copies.mirrors.iter().map(|dir| place(dir)).collect();
        let is_named = |m: &Mirror| named.iter().any(|dir| place(m.path()).starts_with(dir));
        let usable = |p: &Patient| p.mirrors.iter().any(is_named);
        if !copies.mirrors.is_empty() && !patients.iter().any(usable) {
            let what = "none of the directories named with --mirror holds published logs of these services";
            return Err(CommandError::new(what).hint(
                "name a directory that holds issuer/2011/checkpoint and so on, an old `data` directory, or one service's `audit`",
            ));
        }
        Ok(Self {
            witnesses: witnessing(&config.audit)?,
            config,
            patients,
            output,
        })
    }

    /// The index after the newest entry of `service` that entries of the other services here answer, and
    /// in whose log that stands.
    pub(super) fn answered(
        &self,
        service: ServiceName,
    ) -> Result<Option<(u64, ServiceName)>, CommandError> {
        let passphrase = log_key::services_passphrase(&self.config)?;
        let mut newest = None;
        for other in ServiceName::ALL.into_iter().filter(|one| *one != service) {
            let Some(shared) = self.config.shared(other).filter(|s| s.data.is_dir()) else {
                continue;
            };
            let identity = log_key::load(&self.config, other, shared, &passphrase)?;
            let failed = |e: &dyn std::error::Error| {
                CommandError::from_error(&format!("the log of {other} cannot be read"), e)
            };
            let snapshot = Snapshot::take(&shared.data, &OsDisk, &identity);
            let Some(snapshot) = snapshot.map_err(|e| failed(&e))? else {
                continue;
            };
            let reader = snapshot.reader();
            let mut next = 0;
            while next < reader.durable() {
                for (index, bytes) in reader.read(next, 4096, 4 << 20).map_err(|e| failed(&e))? {
                    next = index + 1;
                    let end = answers(&bytes, service).map(|answered| answered + 1);
                    newest = newest.max(end.map(|end| (end, other.name())));
                }
            }
        }
        Ok(newest.and_then(|(end, name)| {
            let other = ServiceName::ALL.into_iter().find(|one| one.name() == name);
            Some((end, other?))
        }))
    }
}

/// The index of the entry of `service` that an entry answers. An entry is canonical, and a quote within a
/// text is never bare.
fn answers(entry: &[u8], service: ServiceName) -> Option<u64> {
    const MARK: &str = ",\"answers\":{\"index\":";
    let text = std::str::from_utf8(entry).ok()?;
    let (_, rest) = text.split_once(MARK)?;
    let (index, rest) = rest.split_once(",\"log\":\"")?;
    let (log, _) = rest.split_once('"')?;
    (log == service.name()).then(|| index.parse().ok())?
}

impl Patient {
    fn open(
        service: ServiceName,
        data: PathBuf,
        identity: Identity,
        (copies, output): (&MirrorArgs, Output),
    ) -> Result<Self, CommandError> {
        let failed = |e: &dyn std::error::Error| CommandError::from_error(service.name(), e);
        let disk = disk();
        let seal = Seal::read(&data, disk.as_ref()).map_err(|e| failed(&e))?;
        if let Some(Seal {
            stage: Stage::Restoring,
            why,
            ..
        }) = &seal
        {
            return Err(CommandError::new(format!("{service}: {why}")));
        }
        let (mirrors, refused) = mirrors::open(&disk, &identity, (&copies.mirrors, &data));
        mirrors::tell(&mirrors, &refused, output);
        let (log, _) = Log::open(&data, disk, identity.clone()).map_err(|e| {
            failed(&e)
                .hint("stop the service first, if it runs; a damaged log is restored from a backup")
        })?;
        let bar = output.progress(log.size(), "reading the log");
        let read = whole(service, &log.reader(), &mut |read| bar.set_position(read));
        bar.finish_and_clear();
        read?;
        Ok(Self {
            service,
            data,
            identity,
            log,
            seal,
            mirrors,
        })
    }

    fn failed(&self, error: &HealError) -> CommandError {
        CommandError::from_error(self.service.name(), error)
    }

    /// Compares the log with its copies. A copy that turns out to be damaged is told and given up.
    pub(super) fn compared(&mut self, output: Output) -> Result<(), CommandError> {
        loop {
            let outcome = compare(&self.log.reader(), &self.identity, &self.mirrors);
            let Err(HealError::Mirror { dir, source }) = outcome else {
                return outcome.map(|_| ()).map_err(|e| self.failed(&e));
            };
            self.give_up(&dir, source, output)?;
        }
    }

    fn give_up(
        &mut self,
        dir: &Path,
        why: lgpki_ledger::TreeError,
        output: Output,
    ) -> Result<(), CommandError> {
        let found = self.mirrors.iter_mut().find(|mirror| mirror.path() == dir);
        let Some(mirror) = found.filter(|mirror| mirror.broken().is_none()) else {
            return Err(CommandError::from_error(self.service.name(), &why));
        };
        mirror.give_up(why);
        mirrors::tell(std::slice::from_ref(mirror), &[], output);
        Ok(())
    }

    /// What the comparison says; it was made before.
    pub(super) fn outcome(&self) -> Result<Compared<'_>, CommandError> {
        compare(&self.log.reader(), &self.identity, &self.mirrors).map_err(|e| self.failed(&e))
    }

    /// Reads what is missing.
    pub(super) fn gap(&mut self, output: Output) -> Result<Gap, CommandError> {
        loop {
            self.compared(output)?;
            let here = self.log.size();
            let mut gap = Gap::new(self.service, here);
            let compared = self.outcome()?;
            gap.longer.clone_from(&compared.longer);
            let Some(best) = compared.best else {
                return Ok(gap);
            };
            gap.mirror = Some(best.path().to_owned());
            let bar = output.progress(best.end() - here, "reading what is missing");
            let read = heal::missing(
                &self.log,
                best,
                reading(self.service),
                &mut |index, entry| {
                    gap.add(index, entry);
                    bar.inc(1);
                },
            );
            bar.finish_and_clear();
            match read {
                Ok(()) => return Ok(gap),
                Err(HealError::Mirror { dir, source }) => self.give_up(&dir, source, output)?,
                Err(error) => return Err(self.failed(&error)),
            }
        }
    }

    /// Takes back what the best copy has; the directory is sealed before anything is written.
    pub(super) fn heal(&mut self, gap: &Gap, output: Output) -> Result<(), CommandError> {
        let Some(dir) = &gap.mirror else {
            return Ok(());
        };
        let seal = Seal {
            held: self.seal.as_ref().map_or(self.log.size(), |seal| seal.held),
            since: self.seal.as_ref().map_or_else(now, |seal| seal.since),
            stage: Stage::Healing,
            why: format!(
                "{} entries from index {} on are missing and were being taken back from {}: give the same \
                 `lgpki restore heal` again",
                gap.count(),
                gap.from,
                dir.display()
            ),
        };
        write_seal(&seal, &self.data)?;
        self.seal = Some(seal);
        let read = reading(self.service);
        let found = self.mirrors.iter().find(|mirror| mirror.path() == dir);
        let Some(mirror) = found else {
            return Ok(());
        };
        let bar = output.progress(gap.count(), "taking back");
        let healed = heal::take_back(&mut self.log, mirror, read, &mut |count| bar.inc(count));
        bar.finish_and_clear();
        healed.map_err(|e| self.failed(&e))
    }

    /// The checkpoint up to which the log was healed, whole.
    pub(super) fn checkpoint(&self) -> Option<String> {
        let end = self.log.size();
        let mut best = self
            .mirrors
            .iter()
            .filter(|m| m.broken().is_none() && m.end() == end);
        best.next_back()?.newest_note().map(str::to_owned)
    }
}

pub(super) fn now() -> Timestamp {
    SystemClock.now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_an_entry_itself_answers_counts() {
        let entry = br#"{"actor":"lifecycle","answers":{"index":41,"log":"issuer"},"body":{},"kind":"x","node":"n","time":"t","v":1}"#;
        assert_eq!(answers(entry, ServiceName::Issuer), Some(41));
        assert_eq!(answers(entry, ServiceName::Intake), None);
        let quoted = br#"{"actor":"a,\"answers\":{\"index\":7,\"log\":\"issuer\"}","body":{},"kind":"x","node":"n","time":"t","v":1}"#;
        assert_eq!(answers(quoted, ServiceName::Issuer), None);
    }
}
