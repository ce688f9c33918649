//! `lgpki operator forecast`: when certificates expire, drawn in the terminal, as SVG and as CSV.

pub(super) mod chart;

use std::{fmt::Write as _, fs, path::Path};

use lgpki_proto::{
    convert::wire,
    v1::{self, certificate_service_client::CertificateServiceClient},
};
use serde::Serialize;

use self::chart::Chart;
use super::application::spell;
use crate::{
    cli::{Apart, ForecastArgs, Span},
    error::CommandError,
    office::Office,
    output::Output,
};

/// The forecast for machines.
#[derive(Debug, Serialize)]
struct Forecast {
    by: &'static str,
    to: String,
    buckets: Vec<String>,
    rows: Vec<Row>,
    unrevoked: u64,
    revoked: u64,
}

/// One branch, one kind, or all together.
#[derive(Debug, Serialize)]
struct Row {
    #[serde(skip_serializing_if = "Option::is_none")]
    branch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    unrevoked: Vec<u32>,
    revoked: Vec<u32>,
}

/// Asks for the histogram, shows it and writes the files that are wanted.
pub(crate) async fn run(
    office: &Office,
    args: ForecastArgs,
    output: Output,
) -> Result<(), CommandError> {
    let day =
        |day: Option<lgpki_domain::JstDate>| day.map(|day| day.to_string()).unwrap_or_default();
    let request = v1::GetExpiryHistogramRequest {
        from: day(args.from),
        to: day(args.to),
        bucket: match args.by {
            Span::Day => v1::HistogramBucket::Day,
            Span::Week => v1::HistogramBucket::Week,
            Span::Month => v1::HistogramBucket::Month,
        }
        .into(),
        branch: args.branch.map(|b| b.to_string()).unwrap_or_default(),
        kinds: args.kinds.iter().map(|kind| wire(*kind)).collect(),
        group_by: match args.group {
            None => v1::HistogramGrouping::Unspecified,
            Some(Apart::Branch) => v1::HistogramGrouping::Branch,
            Some(Apart::Kind) => v1::HistogramGrouping::Kind,
        }
        .into(),
    };
    let answer = CertificateServiceClient::new(office.channel())
        .get_expiry_histogram(request)
        .await?
        .into_inner();
    let forecast = read(answer, &args);
    let charts = forecast.charts();
    if let Some(path) = &args.svg {
        write(
            path,
            chart::svg(&title(&args, &forecast), &charts).as_bytes(),
            output,
        )?;
    }
    if let Some(path) = &args.csv {
        write(path, forecast.csv().as_bytes(), output)?;
    }
    output.result(&forecast, || {
        let total = format!(
            "{} expire until {}, not counting {} revoked",
            chart::grouped(forecast.unrevoked),
            forecast.to,
            chart::grouped(forecast.revoked),
        );
        format!("{}{total}", chart::text(&charts))
    });
    Ok(())
}

fn read(answer: v1::GetExpiryHistogramResponse, args: &ForecastArgs) -> Forecast {
    let row = |row: v1::HistogramRow| {
        let kind = spell(row.kind().as_str_name(), "CERTIFICATE_KIND_");
        Row {
            branch: (args.group == Some(Apart::Branch)).then_some(row.branch),
            kind: (args.group == Some(Apart::Kind)).then_some(kind),
            unrevoked: row.unrevoked,
            revoked: row.revoked,
        }
    };
    Forecast {
        by: match args.by {
            Span::Day => "day",
            Span::Week => "week",
            Span::Month => "month",
        },
        to: answer.to,
        buckets: answer.buckets,
        rows: answer.rows.into_iter().map(row).collect(),
        unrevoked: answer.unrevoked,
        revoked: answer.revoked,
    }
}

fn title(args: &ForecastArgs, forecast: &Forecast) -> String {
    let from = forecast.buckets.first().map_or("", String::as_str);
    let branch = args
        .branch
        .map(|b| format!(", branch {b}"))
        .unwrap_or_default();
    format!(
        "Certificates that expire from {from} to {} by {}{branch}",
        forecast.to, forecast.by
    )
}

impl Row {
    fn name(&self) -> String {
        match (&self.branch, &self.kind) {
            (Some(branch), _) if branch.is_empty() => String::from("no branch"),
            (Some(branch), _) => branch.clone(),
            (None, Some(kind)) => kind.clone(),
            (None, None) => String::new(),
        }
    }
}

impl Forecast {
    fn charts(&self) -> Vec<Chart> {
        let label = |first: &String| match self.by {
            "month" => first.chars().take(7).collect(),
            _ => first.clone(),
        };
        let labels: Vec<String> = self.buckets.iter().map(label).collect();
        let chart = |row: &Row| Chart {
            name: row.name(),
            beside: "revoked",
            bars: labels
                .iter()
                .zip(row.unrevoked.iter().zip(&row.revoked))
                .map(|(label, (unrevoked, revoked))| (label.clone(), *unrevoked, *revoked))
                .collect(),
        };
        self.rows.iter().map(chart).collect()
    }

    /// One line for each bucket of each row.
    fn csv(&self) -> String {
        let mut text = String::from("first_day,branch,kind,unrevoked,revoked\n");
        for row in &self.rows {
            let branch = row.branch.as_deref().unwrap_or_default();
            let kind = row.kind.as_deref().unwrap_or_default();
            let numbers = row.unrevoked.iter().zip(&row.revoked);
            for (day, (unrevoked, revoked)) in self.buckets.iter().zip(numbers) {
                let _ = writeln!(text, "{day},{branch},{kind},{unrevoked},{revoked}");
            }
        }
        text
    }
}

pub(super) fn write(path: &Path, bytes: &[u8], output: Output) -> Result<(), CommandError> {
    fs::write(path, bytes).map_err(|e| CommandError::file("write", path, &e))?;
    output.say(format!("wrote {}", path.display()));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_csv_has_a_line_for_each_bucket_of_each_row() {
        let row = |kind: &str| Row {
            branch: None,
            kind: Some(kind.to_owned()),
            unrevoked: vec![1, 2],
            revoked: vec![0, 3],
        };
        let forecast = Forecast {
            by: "month",
            to: String::from("2011-02-28"),
            buckets: vec![String::from("2011-01-15"), String::from("2011-02-01")],
            rows: vec![row("user"), row("mail")],
            unrevoked: 6,
            revoked: 6,
        };
        assert_eq!(
            forecast.csv(),
            "first_day,branch,kind,unrevoked,revoked\n2011-01-15,,user,1,0\n2011-02-01,,user,2,3\n\
             2011-01-15,,mail,1,0\n2011-02-01,,mail,2,3\n"
        );
        assert_eq!(
            forecast.charts()[1].bars[1],
            (String::from("2011-02"), 2, 3)
        );
    }
}
