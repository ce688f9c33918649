//! The registry of addressees: decided here, kept in tables only.
//!
//! An entry stands in one row, each of its versions in another; the rows of changes hold each entry once,
//! under the log's index at which it last changed, so that whoever follows them reads every entry once
//! and then what is new. Nothing but a bell is in memory.

mod apply;
mod read;
mod record;
mod serve;

use lgpki_domain::{
    BodyCode, Digest, Faults, RequestId,
    addressee::{AddresseeId, check_unit},
};
use lgpki_ledger::Stamp;
use lgpki_store::{Decision, View};
use tokio::sync::watch;

use self::record::{
    Record, Request, Taken, address_key, entry, names_key, request, summary, taken,
};
use super::{
    applications::Corrupt,
    command::Outcome,
    directory::Directories,
    event::{AddresseeChanged, AddresseeEnded, AddresseeRecord, AddresseeRegistered, IntakeEvent},
};
use crate::ports::{AddresseeAct, AddresseeAnswer, AddresseeDraft, AddresseeRequest};

/// The registry; all it knows stands in the tables.
#[derive(Debug, Default)]
pub(crate) struct Addressees {
    /// Rings with the index at which an entry changed.
    bell: watch::Sender<u64>,
}

/// What a request makes.
struct Made {
    event: IntakeEvent,
    id: AddresseeId,
    record: Record,
    /// The commitment of the version before.
    erases: Option<String>,
}

/// What is made, or the answer where nothing is.
type Judged = Result<Result<Made, AddresseeAnswer>, Corrupt>;

impl Addressees {
    /// Decides a request; `most` versions may a body have recorded in all.
    pub(crate) fn decide(
        directories: &Directories,
        view: &View<'_>,
        request: AddresseeRequest,
        most: u32,
    ) -> Decision<IntakeEvent, Outcome> {
        let stamp = Stamp::new(request.at, request.caller.to_string());
        let answered = |answer| Outcome::Addressee(Box::new(answer));
        let Made {
            event,
            id,
            record,
            erases,
        } = match judge((directories, most), view, request, &stamp) {
            Err(corrupt) => return Decision::answer(Outcome::Corrupt(corrupt)),
            Ok(Err(answer)) => return Decision::answer(answered(answer)),
            Ok(Ok(made)) => made,
        };
        match read::version(directories, id, record) {
            Err(corrupt) => Decision::answer(Outcome::Corrupt(corrupt)),
            Ok(made) => {
                let made = Box::new(made);
                let answer = AddresseeAnswer::Recorded { made, erases };
                Decision::record(stamp, event, answered(answer))
            }
        }
    }

    /// Rings when an entry changes.
    pub(crate) fn hear(&self) -> watch::Receiver<u64> {
        self.bell.subscribe()
    }
}

fn judge(
    (directories, most): (&Directories, u32),
    view: &View<'_>,
    asked: AddresseeRequest,
    stamp: &Stamp,
) -> Judged {
    if let Some(before) = repetition(directories, view, &asked)? {
        return Ok(Err(before));
    }
    let hall = Hall {
        directories,
        view,
        body: asked.act.body(),
        stamp,
        most_versions: most,
    };
    let request = Named {
        name: asked.request_id,
        digest: asked.content_digest,
        faults: asked.faults,
    };
    match asked.act {
        AddresseeAct::Register { draft, .. } => hall.register(request, draft, asked.most_per_body),
        AddresseeAct::Change { id, version, draft } => hall.change(request, (id, version), draft),
        AddresseeAct::End {
            id,
            version,
            reason,
        } => hall.end(request, (id, version), reason),
    }
}

/// The part that all requests have.
struct Named {
    name: Option<RequestId>,
    digest: Digest,
    faults: Faults,
}

/// A request that was carried out before, or whose name another one has.
fn repetition(
    directories: &Directories,
    view: &View<'_>,
    asked: &AddresseeRequest,
) -> Result<Option<AddresseeAnswer>, Corrupt> {
    let Some(name) = &asked.request_id else {
        return Ok(None);
    };
    let Some(Request {
        digest,
        id,
        version,
    }) = request(view, asked.act.body(), name)?
    else {
        return Ok(None);
    };
    if digest != asked.content_digest {
        return Ok(Some(AddresseeAnswer::OtherContent(id)));
    }
    let made = read::one_version(directories, view, id, version)?;
    Ok(Some(AddresseeAnswer::Repeated(Box::new(made))))
}

fn refused(mut faults: Faults) -> AddresseeAnswer {
    if faults.is_empty() {
        // What could not be read has its fault; this is for a caller of the store that forgot it.
        faults.push("content", "FIELD_MISSING", "the request is not complete");
    }
    AddresseeAnswer::Refused(faults)
}

/// What a request is judged against.
struct Hall<'a> {
    directories: &'a Directories,
    view: &'a View<'a>,
    body: BodyCode,
    stamp: &'a Stamp,
    most_versions: u32,
}

impl Hall<'_> {
    fn register(&self, mut asked: Named, draft: AddresseeDraft, most: u32) -> Judged {
        let summary = summary(self.view, self.body)?;
        let next = AddresseeId::try_new(self.body, summary.last.saturating_add(1));
        if summary.in_force >= most || next.is_none() {
            let message = format!(
                "body {} has {} entries and has used {} numbers; {most} entries and {} numbers are the \
                 most, so end or change what is no longer used",
                self.body,
                summary.in_force,
                summary.last,
                AddresseeId::LAST
            );
            asked.faults.push("content", "TOO_MANY_ADDRESSEES", message);
        }
        self.check_versions(summary.versions, &mut asked.faults);
        let content = match self.content(None, draft, asked.faults)? {
            Ok(content) => content,
            Err(faults) => return Ok(Err(refused(faults))),
        };
        let (Some(id), Some(request)) = (next, asked.name) else {
            return Ok(Err(refused(Faults::new())));
        };
        let event = AddresseeRegistered {
            addressee: id,
            content,
            content_digest: asked.digest,
            request,
        };
        Ok(Ok(Made {
            id,
            record: Record::registered(&event, self.stamp),
            event: event.into(),
            erases: None,
        }))
    }

    /// An end is always recorded; whoever records more and more versions is held up some day.
    fn check_versions(&self, recorded: u32, faults: &mut Faults) {
        if recorded >= self.most_versions {
            let message = format!(
                "body {} has recorded {recorded} versions of its addressees; {} are the most, so ask the \
                 operator, who can allow more",
                self.body, self.most_versions
            );
            faults.push("content", "TOO_MANY_VERSIONS", message);
        }
    }

    fn change(
        &self,
        mut asked: Named,
        (id, version): (AddresseeId, u32),
        draft: AddresseeDraft,
    ) -> Judged {
        let before = match self.standing(id, version)? {
            Ok(before) => before,
            Err(answer) => return Ok(Err(answer)),
        };
        let recorded = summary(self.view, self.body)?.versions;
        self.check_versions(recorded, &mut asked.faults);
        let content = match self.content(Some(id), draft, asked.faults)? {
            Ok(content) => content,
            Err(faults) => return Ok(Err(refused(faults))),
        };
        let Some(request) = asked.name else {
            return Ok(Err(refused(Faults::new())));
        };
        let event = AddresseeChanged {
            addressee: id,
            content,
            content_digest: asked.digest,
            erases: before.content.contact.clone(),
            request,
            version: before.version + 1,
        };
        Ok(Ok(Made {
            id,
            record: before.changed(&event, self.stamp),
            erases: event.erases.clone(),
            event: event.into(),
        }))
    }

    fn end(&self, asked: Named, (id, version): (AddresseeId, u32), reason: String) -> Judged {
        let before = match self.standing(id, version)? {
            Ok(before) => before,
            Err(answer) => return Ok(Err(answer)),
        };
        let (true, Some(request)) = (asked.faults.is_empty(), asked.name) else {
            return Ok(Err(refused(asked.faults)));
        };
        let event = AddresseeEnded {
            addressee: id,
            content_digest: asked.digest,
            erases: before.content.contact.clone(),
            reason,
            request,
            version: before.version + 1,
        };
        Ok(Ok(Made {
            id,
            record: before.ended(&event, self.stamp),
            erases: event.erases.clone(),
            event: event.into(),
        }))
    }

    /// The content of a version, or everything that is wrong with it.
    fn content(
        &self,
        own: Option<AddresseeId>,
        draft: AddresseeDraft,
        mut faults: Faults,
    ) -> Result<Result<AddresseeRecord, Faults>, Corrupt> {
        match self.directories.body(self.body) {
            Some(body) => {
                faults.keep(body.may_apply());
                if let Some(unit) = &draft.unit {
                    let registered = self.directories.organization(self.body, unit.en());
                    faults.append(check_unit("content.unit", registered, unit));
                }
            }
            None => faults.push(
                "branch",
                "BODY_UNKNOWN",
                format!("there is no body {} in the body name list", self.body),
            ),
        }
        self.check_free(own, &draft, &mut faults)?;
        let AddresseeDraft {
            unit: Some(unit),
            names: Some(names),
            address: Some(address),
            mail: Some(mail),
            valid_since: Some(valid_since),
            contact,
        } = draft
        else {
            return Ok(Err(faults));
        };
        Ok(faults.into_result().map(|()| AddresseeRecord {
            address,
            contact,
            mail,
            names,
            unit,
            valid_since,
        }))
    }

    /// No other entry delivers to the address, and none of the unit has the name.
    fn check_free(
        &self,
        own: Option<AddresseeId>,
        draft: &AddresseeDraft,
        faults: &mut Faults,
    ) -> Result<(), Corrupt> {
        if let Some(address) = &draft.address
            && let Some(Taken { by, free_from }) = taken(self.view, &address_key(address))?
            && Some(by) != own
        {
            let since = draft
                .valid_since
                .unwrap_or_else(|| self.stamp.time.jst_date());
            match free_from {
                Some(day) if since >= day => {}
                Some(day) => {
                    let message = format!(
                        "{address} still delivers to entry {by}; it is free from {day} on, so let the \
                         entry hold from then"
                    );
                    faults.push(
                        "content.document_address",
                        "DOCUMENT_ADDRESS_TAKEN",
                        message,
                    );
                }
                None => {
                    let message = format!(
                        "{address} delivers to entry {by}; choose another address, or have that entry \
                         changed or ended first"
                    );
                    faults.push(
                        "content.document_address",
                        "DOCUMENT_ADDRESS_TAKEN",
                        message,
                    );
                }
            }
        }
        if let (Some(unit), Some(names)) = (&draft.unit, &draft.names)
            && let Some(Taken { by, .. }) = taken(self.view, &names_key(self.body, unit, names))?
            && Some(by) != own
        {
            let message =
                format!("entry {by} of this unit has the name {names}; change that entry instead");
            faults.push("content.names", "ADDRESSEE_NAME_TAKEN", message);
        }
        Ok(())
    }

    /// The entry as it stands, if it stands at this version.
    fn standing(
        &self,
        id: AddresseeId,
        version: u32,
    ) -> Result<Result<Record, AddresseeAnswer>, Corrupt> {
        let Some(entry) = entry(self.view, id)? else {
            return Ok(Err(AddresseeAnswer::NotFound(id)));
        };
        let record = entry.record;
        Ok(if record.ended.is_some() {
            Err(AddresseeAnswer::Ended(id))
        } else if record.version == version {
            Ok(record)
        } else {
            let stands = record.version;
            Err(AddresseeAnswer::OtherVersion { id, stands })
        })
    }
}
