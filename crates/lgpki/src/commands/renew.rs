//! `lgpki cirs renewals` and `cirs renew`: what is due, and applying for it (R2, R3).

mod ending;
mod media;
pub(super) mod slot;

use std::fs;

use lgpki_domain::{JstDate, RenewalWindow, Timestamp, validity::RENEWAL_WINDOW_MONTHS};
use lgpki_proto::{
    convert::wire,
    v1::{
        self, certificate_service_client::CertificateServiceClient,
        submit_application_request::Content,
    },
};
use serde::Serialize;

use super::{
    application::{kind_ja, spell, subject_name},
    cirs, submit,
};
use crate::{
    cli::RenewArgs,
    error::CommandError,
    office::{self, Office},
    output::{Output, table},
};

/// Where a certificate stands in its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Standing {
    /// Its renewal may be applied for.
    Due,
    /// Its window opens soon.
    Soon,
    /// Its renewal is under way.
    Renewing,
}

impl Standing {
    const fn name(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Soon => "soon",
            Self::Renewing => "renewing",
        }
    }
}

/// A certificate that is in its window or will be.
#[derive(Clone, Debug)]
struct Renewal {
    certificate: v1::Certificate,
    opens: JstDate,
    last_day: JstDate,
    standing: Standing,
    /// When it is advised.
    slot: Option<v1::RenewalInfo>,
}

/// What it is for machines.
#[derive(Serialize)]
struct RenewalView {
    serial: String,
    kind: String,
    name: String,
    opens: String,
    expires: String,
    standing: Standing,
    #[serde(skip_serializing_if = "Option::is_none")]
    slot: Option<SlotView>,
}

/// A slot for machines.
#[derive(Serialize)]
struct SlotView {
    day: String,
    opens: String,
    closes: String,
    missed: u32,
}

impl Renewal {
    /// Nothing where the certificate is neither valid nor being renewed.
    fn of(certificate: v1::Certificate, today: JstDate) -> Option<Self> {
        let window = window(&certificate)?;
        let standing = match certificate.state() {
            v1::CertificateState::Renewing => Standing::Renewing,
            v1::CertificateState::Valid if window.opens() <= today => Standing::Due,
            v1::CertificateState::Valid => Standing::Soon,
            _ => return None,
        };
        Some(Self {
            certificate,
            opens: window.opens(),
            last_day: window.last_day(),
            standing,
            slot: None,
        })
    }

    /// The token of its slot; empty without one.
    fn token(&self) -> String {
        self.slot
            .as_ref()
            .map_or_else(String::new, |slot| slot.token.clone())
    }

    fn kind(&self) -> String {
        spell(self.certificate.kind().as_str_name(), "CERTIFICATE_KIND_")
    }

    fn view(&self) -> RenewalView {
        RenewalView {
            serial: self.certificate.serial.clone(),
            kind: self.kind(),
            name: subject_name(self.certificate.subject.as_ref()),
            opens: self.opens.to_string(),
            expires: self.last_day.to_string(),
            standing: self.standing,
            slot: self
                .slot
                .as_ref()
                .filter(|slot| !slot.slot_day.is_empty())
                .map(|slot| SlotView {
                    day: slot.slot_day.clone(),
                    opens: slot.slot_opens.clone(),
                    closes: slot.slot_closes.clone(),
                    missed: slot.missed,
                }),
        }
    }

    fn row(&self) -> Vec<String> {
        let view = self.view();
        vec![
            view.serial,
            kind_ja(&view.kind),
            view.name,
            view.opens,
            view.expires,
            self.standing.name().to_owned(),
        ]
    }
}

fn window(certificate: &v1::Certificate) -> Option<RenewalWindow> {
    let not_after: Timestamp = certificate.not_after.parse().ok()?;
    Some(RenewalWindow::of(not_after.jst_date()))
}

/// Lists what is due, under renewal, or due within `days`.
pub(crate) async fn list(office: &Office, days: u16, output: Output) -> Result<(), CommandError> {
    let today = office::today();
    let mut found = renewals(office, days).await?;
    let mut slots = slot::infos(office, None).await?;
    for one in &mut found {
        one.slot = slots.remove(&one.certificate.serial);
    }
    let views: Vec<_> = found.iter().map(Renewal::view).collect();
    output.result(&views, || {
        let header = [
            "serial",
            "kind",
            "name",
            "renew from",
            "expires",
            "standing",
            "slot",
        ];
        let rows = found.iter().map(|one| {
            let mut row = one.row();
            row.push(slot::shown(one.slot.as_ref(), today));
            row
        });
        table(&header, rows)
    });
    let today = today.to_string();
    let in_slot = found.iter().filter(|one| {
        let slot = one.slot.as_ref();
        one.standing == Standing::Due && slot.is_some_and(|slot| slot.slot_day == today)
    });
    match in_slot.count() {
        0 => {}
        count => output.say(format!(
            "{count} have their slot today: --in-slot lets them in at once"
        )),
    }
    let due = found.iter().filter(|one| one.standing == Standing::Due);
    match due.count() {
        0 => output.say("nothing is due"),
        due => output.say(format!(
            "{due} due; next: {}",
            office.command(
                "cirs",
                "renew --all-due --media DIR… --examined-by OFFICE, or renew SERIAL --form FILE"
            )
        )),
    }
    Ok(())
}

async fn renewals(office: &Office, days: u16) -> Result<Vec<Renewal>, CommandError> {
    let today = office::today();
    // A month's end may be clamped by up to three days; what is too far away is left out below.
    let last = today
        .plus_days(i32::from(days))
        .plus_months(RENEWAL_WINDOW_MONTHS)
        .plus_days(3);
    let mut client = CertificateServiceClient::new(office.channel());
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListCertificatesRequest {
            branch: office.branch()?,
            expires_from: today.to_string(),
            expires_to: last.to_string(),
            page_size: 1000,
            page_token,
            ..v1::ListCertificatesRequest::default()
        };
        let page = client.list_certificates(request).await?.into_inner();
        let soon = today.plus_days(i32::from(days));
        let near = page.certificates.into_iter();
        found.extend(
            near.filter_map(|certificate| Renewal::of(certificate, today))
                .filter(|renewal| renewal.opens <= soon),
        );
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(found);
        }
    }
}

/// Applies for the renewal of one certificate, or of all that are due.
pub(crate) async fn run(
    office: &Office,
    args: RenewArgs,
    output: Output,
) -> Result<(), CommandError> {
    if args.all_due {
        return media::all_due(office, &args, output).await;
    }
    let serial = args.serial.map(|s| s.to_string()).unwrap_or_default();
    let (csr, medium) = match (&args.form, &args.csr) {
        (Some(form), _) => {
            let form = submit::form(form)?;
            (form.csr, form.medium)
        }
        (None, Some(csr)) => {
            let text = fs::read(csr).map_err(|e| CommandError::file("read", csr, &e))?;
            (text, wire(args.medium.0))
        }
        (None, None) => return Err(CommandError::new("--form or --csr is needed")),
    };
    let slot_token = if args.in_slot {
        slot::token(office, &serial, office::today()).await?
    } else {
        String::new()
    };
    let content = v1::RenewContent {
        serial,
        csr,
        medium,
        slot_token,
    };
    let request = submit::named(office.branch()?, &args.one, Content::Renew(content))?;
    cirs::apply(office, request, "cirs watch", output).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_due_from_the_first_day_of_its_window() {
        let certificate = |state: v1::CertificateState| v1::Certificate {
            not_after: "2011-02-03T23:59:59.000+09:00".to_owned(),
            state: state.into(),
            ..v1::Certificate::default()
        };
        let on = |state, day: &str| {
            let renewal = Renewal::of(certificate(state), day.parse().unwrap());
            renewal.map(|renewal| renewal.standing)
        };
        let valid = v1::CertificateState::Valid;
        assert_eq!(on(valid, "2010-08-02"), Some(Standing::Soon));
        assert_eq!(on(valid, "2010-08-03"), Some(Standing::Due));
        let renewing = v1::CertificateState::Renewing;
        assert_eq!(on(renewing, "2010-09-01"), Some(Standing::Renewing));
        assert_eq!(on(v1::CertificateState::Revoked, "2010-09-01"), None);
    }
}
