//! `lgpki operator slots`: how the business days are loaded with renewals.

use lgpki_domain::JstDate;
use lgpki_proto::v1::{self, slot_service_client::SlotServiceClient};
use serde::Serialize;

use super::forecast::{
    chart::{self, Chart, grouped},
    write,
};
use crate::{
    cli::{SlotsArgs, Span},
    error::CommandError,
    office::Office,
    output::Output,
};

/// The load for machines.
#[derive(Debug, Serialize)]
struct Load {
    by: &'static str,
    per_business_day: u32,
    ignoring_percent: u32,
    booked: u64,
    rows: Vec<Row>,
}

/// A day, a week or a month.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Row {
    first_day: String,
    business_days: u32,
    booked: u32,
    /// Applications expected without a slot.
    expected: u64,
    /// Of what can be examined on these days, in percent.
    load_percent: u64,
}

/// Asks for the load, shows it and writes the chart that is wanted.
pub(crate) async fn run(
    office: &Office,
    args: SlotsArgs,
    output: Output,
) -> Result<(), CommandError> {
    let day = |day: Option<JstDate>| day.map(|day| day.to_string()).unwrap_or_default();
    let request = v1::GetSlotLoadRequest {
        from: day(args.from),
        to: day(args.to),
    };
    let answer = SlotServiceClient::new(office.channel())
        .get_slot_load(request)
        .await?
        .into_inner();
    let load = read(&answer, args.by)?;
    let charts = [load.chart()];
    if let Some(path) = &args.svg {
        let svg = chart::svg(&load.title(), &charts);
        write(path, svg.as_bytes(), output)?;
    }
    output.result(&load, || {
        format!("{}{}", chart::text(&charts), load.summary())
    });
    Ok(())
}

fn read(answer: &v1::GetSlotLoadResponse, by: Span) -> Result<Load, CommandError> {
    let mut rows: Vec<(JstDate, Row, (u64, u64))> = Vec::new();
    for day in &answer.days {
        let date: JstDate = day
            .day
            .parse()
            .map_err(|e| CommandError::from_error("the answer cannot be read", &e))?;
        let first = match by {
            Span::Day => date,
            Span::Week => date.week_start(),
            Span::Month => date.month_start(),
        };
        if rows.last().is_none_or(|(last, ..)| *last != first) {
            rows.push((first, Row::default(), (0, 0)));
        }
        if let Some((_, row, (expected, load))) = rows.last_mut() {
            row.business_days += 1;
            row.booked += day.booked;
            *expected += day.expected_hundredths;
            *load += day.load_hundredths;
        }
    }
    let capacity = u64::from(answer.per_business_day);
    let rows = rows.into_iter().map(|(first, row, (expected, load))| {
        let room = capacity * u64::from(row.business_days);
        Row {
            first_day: first.to_string(),
            expected: expected.div_ceil(100),
            // Both are in hundredths then: of an application, and of the room.
            load_percent: load.checked_div(room).unwrap_or_default(),
            ..row
        }
    });
    Ok(Load {
        by: match by {
            Span::Day => "day",
            Span::Week => "week",
            Span::Month => "month",
        },
        per_business_day: answer.per_business_day,
        ignoring_percent: answer.ignoring_percent,
        booked: answer.booked,
        rows: rows.collect(),
    })
}

impl Load {
    fn title(&self) -> String {
        let first = self.rows.first().map_or("", |row| row.first_day.as_str());
        format!("Renewal slots from {first} by {}", self.by)
    }

    fn chart(&self) -> Chart {
        let label = |row: &Row| match self.by {
            "month" => row.first_day.chars().take(7).collect(),
            _ => row.first_day.clone(),
        };
        let expected = |row: &Row| u32::try_from(row.expected).unwrap_or(u32::MAX);
        let bars = self.rows.iter();
        Chart {
            name: String::new(),
            bars: bars
                .map(|row| (label(row), row.booked, expected(row)))
                .collect(),
            beside: "expected without a slot",
        }
    }

    fn summary(&self) -> String {
        if self.per_business_day == 0 {
            return String::from(
                "no slots are booked: [lifecycle.slots] per_business_day is 0 in lgpki.toml",
            );
        }
        let fullest = self.rows.iter().max_by_key(|row| row.load_percent);
        let fullest = fullest.map_or_else(String::new, |row| {
            let (by, first, percent) = (self.by, &row.first_day, row.load_percent);
            format!("; the fullest {by} begins {first}, {percent} % of what can be examined")
        });
        format!(
            "{} slots, {} applications can be examined in a business day, {} % are expected to come without \
             heeding theirs{fullest}",
            grouped(self.booked),
            grouped(u64::from(self.per_business_day)),
            self.ignoring_percent,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> v1::GetSlotLoadResponse {
        let day = |day: &str, booked, expected| v1::SlotDay {
            day: day.to_owned(),
            booked,
            expected_hundredths: expected,
            load_hundredths: expected + 90 * u64::from(booked),
        };
        v1::GetSlotLoadResponse {
            days: vec![
                day("2010-10-29", 10, 50),
                day("2010-11-01", 5, 0),
                day("2010-11-02", 15, 150),
            ],
            per_business_day: 20,
            ignoring_percent: 10,
            booked: 30,
        }
    }

    #[test]
    fn days_are_summed_by_week_and_month_against_what_they_can_take() {
        let rows = |by| {
            let rows = read(&answer(), by).unwrap().rows.into_iter();
            rows.map(|row| (row.first_day, row.booked, row.expected, row.load_percent))
                .collect::<Vec<_>>()
        };
        let row =
            |first: &str, booked, expected, percent| (first.to_owned(), booked, expected, percent);
        assert_eq!(
            rows(Span::Day),
            [
                row("2010-10-29", 10, 1, 47),
                row("2010-11-01", 5, 0, 22),
                row("2010-11-02", 15, 2, 75)
            ]
        );
        let second = row("2010-11-01", 20, 2, 48);
        assert_eq!(
            rows(Span::Week),
            [row("2010-10-25", 10, 1, 47), second.clone()]
        );
        assert_eq!(rows(Span::Month), [row("2010-10-01", 10, 1, 47), second]);
    }

    #[test]
    fn the_summary_names_the_fullest_day_and_says_where_nothing_is_booked() {
        let load = read(&answer(), Span::Day).unwrap();
        let summary = load.summary();
        assert!(
            summary.contains("the fullest day begins 2010-11-02, 75 %"),
            "{summary}"
        );
        assert_eq!(load.chart().bars[2], (String::from("2010-11-02"), 15, 2));
        let none = read(&v1::GetSlotLoadResponse::default(), Span::Day).unwrap();
        assert!(none.summary().starts_with("no slots are booked"));
    }
}
