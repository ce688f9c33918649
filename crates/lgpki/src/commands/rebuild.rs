//! `lgpki operator rebuild-inventory`: whether the inventory is what its log and the issuer's feed say.

use std::fmt::Write as _;

use lgpki_proto::v1::{
    self, RebuildStage, certificate_service_client::CertificateServiceClient,
    rebuild_inventory_response::News,
};
use serde::Serialize;

use super::application::spell;
use crate::{
    error::CommandError,
    office::Office,
    output::{Output, table},
};

/// Differences that a person is shown; `--json` prints all that are told.
const SHOWN: usize = 100;

/// What was found and done, for machines.
#[derive(Debug, Default, Serialize)]
struct Rebuilt {
    certificates: u64,
    equal: u64,
    differences: u64,
    log_differences: u64,
    applied: bool,
    changed_keys: u64,
    told: Vec<Told>,
}

/// One difference.
#[derive(Debug, Serialize)]
struct Told {
    place: String,
    serial: String,
    field: String,
    live: String,
    rebuilt: String,
}

impl From<v1::InventoryDifference> for Told {
    fn from(difference: v1::InventoryDifference) -> Self {
        Self {
            place: spell(difference.place().as_str_name(), "INVENTORY_PLACE_"),
            serial: difference.serial,
            field: difference.field,
            live: difference.live,
            rebuilt: difference.rebuilt,
        }
    }
}

/// Has the inventory rebuilt and compared, and shows what differs.
pub(crate) async fn run(office: &Office, apply: bool, output: Output) -> Result<(), CommandError> {
    let request = v1::RebuildInventoryRequest { apply };
    let answer = CertificateServiceClient::new(office.channel())
        .rebuild_inventory(request)
        .await?;
    let mut news = answer.into_inner();
    let bar = output.progress(0, "beginning");
    let mut rebuilt = Rebuilt::default();
    let mut done = false;
    while let Some(message) = news.message().await? {
        match message.news {
            Some(News::Progress(progress)) => {
                bar.set_message(name(progress.stage()));
                bar.set_length(progress.total);
                bar.set_position(progress.done);
            }
            Some(News::Differences(more)) => {
                rebuilt
                    .told
                    .extend(more.differences.into_iter().map(Told::from));
            }
            Some(News::Report(report)) => {
                done = true;
                rebuilt = Rebuilt {
                    certificates: report.certificates,
                    equal: report.equal,
                    differences: report.differences,
                    log_differences: report.log_differences,
                    applied: report.applied,
                    changed_keys: report.changed_keys,
                    told: rebuilt.told,
                };
            }
            None => {}
        }
    }
    bar.finish_and_clear();
    if !done {
        let error = CommandError::new("the server ended before the inventory was compared");
        return Err(error.hint("give the command again"));
    }
    output.result(&rebuilt, || rebuilt.text());
    rebuilt.verdict()
}

const fn name(stage: RebuildStage) -> &'static str {
    match stage {
        RebuildStage::Unspecified => "working",
        RebuildStage::Feed => "comparing the feed",
        RebuildStage::Log => "reading the log",
        RebuildStage::Records => "comparing records",
        RebuildStage::Counters => "comparing counters",
        RebuildStage::Apply => "putting it right",
    }
}

impl Rebuilt {
    fn text(&self) -> String {
        let mut text = String::new();
        if !self.told.is_empty() {
            let rows = self.told.iter().take(SHOWN).map(|told| {
                let serial = match told.serial.as_str() {
                    "" => "-",
                    serial => serial,
                };
                let texts = [&told.place, serial, &told.field, &told.live, &told.rebuilt];
                texts.map(ToOwned::to_owned).into()
            });
            text = table(&["where", "serial", "field", "live", "rebuilt"], rows);
            text.push('\n');
        }
        let shown = self.told.len().min(SHOWN) as u64;
        if self.differences > shown {
            let more = self.differences - shown;
            let _ = writeln!(text, "… and {more} more (--json tells up to 10,000)");
        }
        let _ = write!(
            text,
            "{} certificates, {} equal, {} differences",
            self.certificates, self.equal, self.differences
        );
        if self.applied {
            let _ = write!(
                text,
                "; the index was put right ({} keys)",
                self.changed_keys
            );
        }
        text
    }

    /// An error while something differs that was not put right.
    fn verdict(&self) -> Result<(), CommandError> {
        if self.log_differences > 0 {
            let error = CommandError::new(format!(
                "lifecycle's log is not what the issuer's feed tells, in {} places",
                self.log_differences
            ));
            return Err(error.hint(
                "no index mends that: stop lifecycle, keep its data directory for examination, and put \
                 back the newest backup of it that compares equal; it then follows the feed by itself",
            ));
        }
        if self.differences > 0 && !self.applied {
            let error = CommandError::new(format!(
                "the inventory differs from what its log says, in {} places",
                self.differences
            ));
            return Err(error.hint(
                "put the index right with: lgpki operator rebuild-inventory --apply; keep this list, \
                 and look for what spoilt it (disk, memory)",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rebuilt(differences: u64, log_differences: u64, applied: bool) -> Rebuilt {
        Rebuilt {
            certificates: 9,
            equal: 8,
            differences,
            log_differences,
            applied,
            ..Rebuilt::default()
        }
    }

    #[test]
    fn it_fails_while_something_differs_and_says_what_to_do() {
        assert!(rebuilt(0, 0, false).verdict().is_ok());
        assert!(rebuilt(4, 0, true).verdict().is_ok());
        for (left, help) in [
            (rebuilt(4, 0, false), "--apply"),
            (rebuilt(4, 4, false), "backup"),
            (rebuilt(5, 4, true), "backup"),
        ] {
            let error = left.verdict().unwrap_err();
            assert!(error.next_step().unwrap().contains(help), "{left:?}");
        }
    }

    #[test]
    fn what_is_not_shown_is_counted() {
        let told = |n: usize| Told {
            place: String::from("memory"),
            serial: format!("{n:032x}"),
            field: String::from("kind"),
            live: String::from("mail"),
            rebuilt: String::from("user"),
        };
        let many = Rebuilt {
            told: (0..150).map(told).collect(),
            ..rebuilt(20_000, 0, false)
        };
        let text = many.text();
        assert!(text.contains(&format!("{:032x}", 99)) && !text.contains(&format!("{:032x}", 100)));
        assert!(text.contains("… and 19900 more"), "{text}");
    }
}
