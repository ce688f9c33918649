//! When renewals are advised: the slots that were booked, and the tokens that let them in.

use std::collections::BTreeMap;

use lgpki_domain::JstDate;
use lgpki_proto::v1::{self, slot_service_client::SlotServiceClient};

use super::{Renewal, renewals};
use crate::{
    error::CommandError,
    office::{self, Office},
    output::Output,
};

/// Renewal information by serial number: of all of the branch, or of what has its slot today, with tokens.
pub(super) async fn infos(
    office: &Office,
    today: Option<JstDate>,
) -> Result<BTreeMap<String, v1::RenewalInfo>, CommandError> {
    let mut client = SlotServiceClient::new(office.channel());
    let mut infos = BTreeMap::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListRenewalInfoRequest {
            branch: office.branch()?,
            slot_day: today.map(|day| day.to_string()).unwrap_or_default(),
            page_size: 1000,
            page_token,
            with_tokens: today.is_some(),
        };
        let page = client.list_renewal_info(request).await?.into_inner();
        let named = page
            .infos
            .into_iter()
            .map(|info| (info.serial.clone(), info));
        infos.extend(named);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(infos);
        }
    }
}

/// What is due or, in slots, what is due and has its slot today.
pub(super) async fn due(office: &Office, in_slot: bool) -> Result<Vec<Renewal>, CommandError> {
    let mut due = renewals(office, 0).await?;
    if in_slot {
        let mut slots = infos(office, Some(office::today())).await?;
        for one in &mut due {
            one.slot = slots.remove(&one.certificate.serial);
        }
        due.retain(|one| one.slot.is_some());
    }
    Ok(due)
}

/// The token of a certificate whose slot is today; says when it is, if it is not.
pub(super) async fn token(
    office: &Office,
    serial: &str,
    today: JstDate,
) -> Result<String, CommandError> {
    let request = v1::GetRenewalInfoRequest {
        serial: serial.to_owned(),
        with_token: true,
        branch: office.branch()?,
    };
    let mut client = SlotServiceClient::new(office.channel());
    let answer = client.get_renewal_info(request).await?.into_inner();
    let info = answer.info.unwrap_or_default();
    if info.slot_day == today.to_string() {
        return Ok(info.token);
    }
    let slot = match info.slot_day.as_str() {
        "" => String::from("has no slot"),
        day => format!("has its slot on {day}, not today"),
    };
    Err(
        CommandError::new(format!("{serial} {slot}; nothing was submitted"))
            .hint("come on the day of the slot, or leave out --in-slot: it is then metered like all others"),
    )
}

/// A slot for people.
pub(super) fn shown(info: Option<&v1::RenewalInfo>, today: JstDate) -> String {
    let Some(info) = info.filter(|info| !info.slot_day.is_empty()) else {
        return String::new();
    };
    let mut text = info.slot_day.clone();
    if text == today.to_string() {
        text.push_str(" (today)");
    }
    if info.missed > 0 {
        text.push_str(" (missed ");
        text.push_str(&info.missed.to_string());
        text.push(')');
    }
    text
}

/// Says if a token did not count.
pub(in crate::commands) fn tell(used: Option<&v1::SlotUse>, output: Output) {
    if let Some(used) = used.filter(|used| !used.honoured) {
        output.say(format!(
            "{}; the application was taken as one without a slot",
            used.message
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_shown_with_what_was_missed_and_whether_it_is_today() {
        let today: JstDate = "2010-11-04".parse().unwrap();
        let info = |day: &str, missed| v1::RenewalInfo {
            slot_day: day.to_owned(),
            missed,
            ..v1::RenewalInfo::default()
        };
        assert_eq!(shown(None, today), "");
        assert_eq!(shown(Some(&info("", 1)), today), "");
        assert_eq!(shown(Some(&info("2010-11-08", 0)), today), "2010-11-08");
        let both = info("2010-11-04", 2);
        assert_eq!(shown(Some(&both), today), "2010-11-04 (today) (missed 2)");
    }
}
