//! The books at the end: every application ended or open, every serial number accounted for, and the CRLs say what the
//! inventory says.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use lgpki_domain::{Clock as _, Serial, Timestamp};
use lgpki_proto::v1;
use lgpki_surge::Books;
use lgpki_x509::crl::RevocationList;

use super::{
    super::super::fetch::fetch,
    offices::Offices,
    play::{Entry, Record},
    system::System,
};
use crate::error::CommandError;

/// While CRLs are made the clock goes on, for a list never bears the second of the one before.
const BETWEEN_SECONDS: Duration = Duration::from_millis(20);
/// So many differences are told.
const MOST_TOLD: usize = 20;

/// What the services have at the end.
#[derive(Default)]
struct Balance {
    books: Books,
    /// Certificates that applications say they led to.
    issued: BTreeMap<String, String>,
    /// Revoked certificates of the inventory that have not expired, and those that have.
    revoked: BTreeSet<String>,
    revoked_and_expired: BTreeSet<String>,
}

/// Reads everything, and holds it against what the play recorded.
pub(super) async fn balance(
    system: &System,
    offices: &Offices,
    record: &Record,
) -> Result<Books, CommandError> {
    publish(system, offices).await?;
    let mut balance = Balance::default();
    applications(offices, record, &mut balance).await?;
    inventory(offices, system.now(), &mut balance).await?;
    lists(offices, &mut balance).await?;
    let Balance { mut books, .. } = balance;
    let more = books.differences.len().saturating_sub(MOST_TOLD);
    if more > 0 {
        books.differences.truncate(MOST_TOLD);
        books.differences.push(format!("and {more} more"));
    }
    Ok(books)
}

async fn publish(system: &System, offices: &Offices) -> Result<(), CommandError> {
    let publishing = offices.publish();
    tokio::pin!(publishing);
    loop {
        tokio::select! {
            published = &mut publishing => return published,
            () = tokio::time::sleep(BETWEEN_SECONDS) => {
                let clock = system.clock();
                clock.set(clock.now().plus_seconds(1));
            }
        }
    }
}

async fn applications(
    offices: &Offices,
    record: &Record,
    balance: &mut Balance,
) -> Result<(), CommandError> {
    let mut expected: BTreeMap<&str, Option<&Entry>> = BTreeMap::new();
    let apart = record.imported.iter().chain(&record.apart);
    expected.extend(apart.map(|id| (id.as_str(), None)));
    expected.extend(record.entries.iter().map(|e| (e.id.as_str(), Some(e))));
    let mut page_token = String::new();
    loop {
        let page = offices.applications(&page_token).await?;
        for application in &page.applications {
            match expected.remove(application.id.as_str()) {
                None => balance.differ(format!("nobody sent application {}", application.id)),
                Some(entry) => balance.application(application, entry),
            }
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    for id in expected.keys() {
        balance.differ(format!(
            "application {id} was acknowledged and is not there"
        ));
    }
    Ok(())
}

async fn inventory(
    offices: &Offices,
    now: Timestamp,
    balance: &mut Balance,
) -> Result<(), CommandError> {
    let mut page_token = String::new();
    loop {
        let page = offices.certificates(&page_token).await?;
        for certificate in &page.certificates {
            balance.certificate(certificate, now);
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    for serial in std::mem::take(&mut balance.issued).into_keys() {
        balance.differ(format!("certificate {serial} is not in the inventory"));
    }
    Ok(())
}

async fn lists(offices: &Offices, balance: &mut Balance) -> Result<(), CommandError> {
    let mut listed = BTreeSet::new();
    for crl in offices.crls().await? {
        let name = crl.url.rsplit('/').next().unwrap_or_default().to_owned();
        balance.books.crls.insert(name, crl.number);
        let list = RevocationList::parse(&fetch(&crl.url).await?)
            .map_err(|e| CommandError::from_error(&crl.url, &e))?;
        for entry in list.entries() {
            let entry = entry.map_err(|e| CommandError::from_error(&crl.url, &e))?;
            listed.insert(entry.serial.to_string());
        }
    }
    balance.books.listed = listed.len() as u64;
    for serial in balance.revoked.clone() {
        if !listed.remove(&serial) {
            balance.differ(format!("certificate {serial} is revoked and on no CRL"));
        }
    }
    for serial in listed {
        if !balance.revoked_and_expired.contains(&serial) {
            balance.differ(format!("certificate {serial} is on a CRL and not revoked"));
        }
    }
    Ok(())
}

impl Balance {
    fn differ(&mut self, what: String) {
        self.books.differences.push(what);
    }

    fn application(&mut self, found: &v1::Application, entry: Option<&Entry>) {
        use v1::ApplicationState as State;
        let state = found.state();
        let name = state.as_str_name().trim_start_matches("APPLICATION_STATE_");
        *self
            .books
            .applications
            .entry(name.to_lowercase())
            .or_default() += 1;
        let ended = matches!(
            state,
            State::Delivered
                | State::Rejected
                | State::Withdrawn
                | State::Failed
                | State::Completed
        );
        self.books.open += u64::from(!ended);
        if state == State::Delivered {
            let (serial, id) = (found.serial.clone(), found.id.clone());
            if let Some(other) = self.issued.insert(serial, id) {
                self.differ(format!("{other} and {} led to one certificate", found.id));
            }
        }
        let Some(entry) = entry else {
            return;
        };
        let received = entry.case.waiting.received.to_string();
        if found.received_at != received || entry.case.issued.is_some() != ended {
            self.differ(format!(
                "application {} is {} since {} and was received at {}, but {:?} was noted",
                found.id, name, found.state_since, found.received_at, entry.case
            ));
        }
    }

    fn certificate(&mut self, found: &v1::Certificate, now: Timestamp) {
        let kind = found.kind().as_str_name();
        let kind = kind.trim_start_matches("CERTIFICATE_KIND_").to_lowercase();
        let of_branch = !found.branch.is_empty();
        *self.books.certificates.entry(kind.clone()).or_default() += 1;
        let came_from = self.issued.remove(&found.serial);
        let wanted = of_branch && kind != "login";
        if wanted && came_from.as_ref() != Some(&found.application_id) {
            self.differ(format!(
                "certificate {} is of application {}, which does not say so",
                found.serial, found.application_id
            ));
        }
        if found.revoked_at.is_empty() {
            return;
        }
        self.books.revoked += 1;
        let ends: Result<Timestamp, _> = found.not_after.parse();
        let expired = ends.is_ok_and(|ends| ends < now);
        let serial = found.serial.parse::<Serial>();
        let serial = serial.map_or_else(|_| found.serial.clone(), |serial| serial.to_string());
        if expired {
            self.revoked_and_expired.insert(serial);
        } else {
            self.revoked.insert(serial);
        }
    }
}

#[cfg(test)]
mod tests {
    use lgpki_proto::convert;

    use super::*;

    fn delivered(id: &str, serial: &str) -> v1::Application {
        v1::Application {
            id: id.to_owned(),
            serial: serial.to_owned(),
            state: v1::ApplicationState::Delivered.into(),
            ..v1::Application::default()
        }
    }

    fn certificate(id: &str, serial: &str) -> v1::Certificate {
        v1::Certificate {
            serial: serial.to_owned(),
            application_id: id.to_owned(),
            branch: String::from("01001"),
            kind: convert::wire(lgpki_domain::CertificateKind::OfficialDuty),
            ..v1::Certificate::default()
        }
    }

    #[test]
    fn a_certificate_without_its_application_is_a_difference() {
        let now = Timestamp::from_seconds(0);
        let mut balance = Balance::default();
        balance.application(&delivered("a", "01"), None);
        balance.certificate(&certificate("a", "01"), now);
        assert!(balance.books.differences.is_empty() && balance.issued.is_empty());
        balance.certificate(&certificate("b", "02"), now);
        assert_eq!(balance.books.differences.len(), 1);
        balance.application(&delivered("c", "03"), None);
        balance.application(&delivered("d", "03"), None);
        assert_eq!(balance.books.differences.len(), 2);
        let counted: Vec<_> = balance.books.certificates.into_iter().collect();
        assert_eq!(counted, [(String::from("official_duty"), 2)]);
        assert_eq!(balance.books.applications["delivered"], 3);
    }
}
