//! `lgpki operator queue`: how long the queues are, and why an application stands where it stands.

use lgpki_proto::v1::{self, queue_service_client::QueueServiceClient};
use serde_json::{Value, json};
use tonic::transport::Channel;

use super::application::{short_time, spell};
use crate::{
    cli::QueueCommand,
    error::CommandError,
    office::Office,
    output::{Output, sheet, table},
};

/// Shows the queues, or explains one place.
pub(super) async fn run(
    office: &Office,
    command: Option<QueueCommand>,
    output: Output,
) -> Result<(), CommandError> {
    match command {
        Some(QueueCommand::Explain { id }) => {
            let told = explain(office.channel(), id.to_string()).await?;
            output.result(&explained(&told), || explained_sheet(&told));
        }
        None => {
            let seen = queues(office).await?;
            output.result(&overview(&seen), || overview_tables(&seen));
        }
    }
    Ok(())
}

/// Asks why an application stands where it stands.
pub(super) async fn explain(
    channel: Channel,
    id: String,
) -> Result<v1::ExplainQueueResponse, CommandError> {
    let mut client = QueueServiceClient::new(channel);
    let answer = client.explain_queue(v1::ExplainQueueRequest { id }).await?;
    Ok(answer.into_inner())
}

/// Asks for the queues.
pub(super) async fn queues(office: &Office) -> Result<v1::GetQueuesResponse, CommandError> {
    let mut client = QueueServiceClient::new(office.channel());
    let answer = client.get_queues(v1::GetQueuesRequest {}).await?;
    Ok(answer.into_inner())
}

/// When something will be issued, such as `2011-02-14 10:00 to 2011-02-16 12:30`.
pub(super) fn estimate_line(estimate: Option<&v1::Estimate>) -> String {
    let Some(estimate) = estimate else {
        return String::new();
    };
    let minute = |time: &str| short_time(time).chars().take(16).collect::<String>();
    let (earliest, latest) = (minute(&estimate.earliest), minute(&estimate.latest));
    if earliest == latest {
        format!("about {earliest}")
    } else {
        format!("{earliest} to {latest}")
    }
}

fn name(queue: v1::QueueName) -> String {
    spell(queue.as_str_name(), "QUEUE_NAME_")
}

fn classes(counts: &[v1::QueueClass]) -> Value {
    let named = counts.iter().map(|c| (c.class.clone(), json!(c.count)));
    Value::Object(named.collect())
}

fn class_line(counts: &[v1::QueueClass]) -> String {
    let each = counts.iter().map(|c| format!("{} {}", c.count, c.class));
    each.collect::<Vec<_>>().join(", ")
}

/// The explanation in JSON results.
pub(super) fn explained(told: &v1::ExplainQueueResponse) -> Value {
    let mut value = json!({
        "id": told.id,
        "words": told.words,
        "as_of": told.as_of,
        "estimate": told.estimate.as_ref().map(|estimate| json!({
            "earliest": estimate.earliest,
            "latest": estimate.latest,
        })),
    });
    if told.queue() != v1::QueueName::Unspecified
        && let Some(fields) = value.as_object_mut()
    {
        fields.insert("queue".to_owned(), json!(name(told.queue())));
        fields.insert("order".to_owned(), json!(told.order));
        fields.insert("waiting".to_owned(), json!(told.waiting));
        fields.insert("ahead".to_owned(), json!(told.ahead));
        fields.insert("about".to_owned(), json!(told.about));
        fields.insert("ahead_by_class".to_owned(), classes(&told.ahead_by_class));
        fields.insert("class".to_owned(), json!(told.class));
        let optional = [
            ("expires", &told.expires),
            ("overdue_from", &told.overdue_from),
        ];
        for (key, text) in optional.into_iter().filter(|(_, text)| !text.is_empty()) {
            fields.insert(key.to_owned(), json!(text));
        }
        if told.weight > 0 {
            fields.insert("overdue_every".to_owned(), json!(told.overdue_every));
            fields.insert("of_branch".to_owned(), json!(told.of_branch));
            fields.insert("weight".to_owned(), json!(told.weight));
            fields.insert("weights".to_owned(), json!(told.weights));
        }
    }
    value
}

fn explained_sheet(told: &v1::ExplainQueueResponse) -> String {
    let in_queue = told.queue() != v1::QueueName::Unspecified;
    let when = |yes: bool, text: String| if yes { text } else { String::new() };
    let bound = format!(
        "from {} on, one turn in {} goes to it and to those that were due before it",
        short_time(&told.overdue_from),
        told.overdue_every
    );
    let about = if told.about { "about " } else { "" };
    let place = format!("{about}{} of {}", told.ahead + 1, told.waiting);
    let share = format!(
        "{} waiting of its branch; weight {} of {}",
        told.of_branch, told.weight, told.weights
    );
    sheet(&[
        ("application", told.id.clone()),
        ("waits for", when(in_queue, name(told.queue()))),
        ("order", told.order.clone()),
        ("class", told.class.clone()),
        ("place", when(in_queue, place)),
        ("taken before it", class_line(&told.ahead_by_class)),
        ("old certificate expires", short_time(&told.expires)),
        ("share", when(told.weight > 0, share)),
        ("bound", when(told.weight > 0, bound)),
        ("estimate", estimate_line(told.estimate.as_ref())),
        ("why", told.words.clone()),
    ])
}

/// The queues in JSON results.
pub(super) fn overview(seen: &v1::GetQueuesResponse) -> Value {
    let queue = |queue: &v1::Queue| {
        json!({
            "queue": name(queue.name()),
            "waiting": queue.waiting,
            "by_class": classes(&queue.by_class),
            "oldest": queue.oldest,
            "clears": queue.clears,
        })
    };
    let errors = |errors: &v1::EstimateErrors| {
        json!({
            "queue": name(errors.queue()),
            "held": errors.held,
            "missed": errors.missed,
            "p50_ms": errors.p50_ms,
            "p95_ms": errors.p95_ms,
        })
    };
    json!({
        "order": seen.order,
        "per_business_day": seen.per_business_day,
        "signatures_per_second": seen.signatures_per_second,
        "at_risk_until": seen.at_risk_until,
        "queues": seen.queues.iter().map(queue).collect::<Vec<_>>(),
        "estimate_errors": seen.errors.iter().map(errors).collect::<Vec<_>>(),
        "as_of": seen.as_of,
    })
}

/// The queues, and how far estimates were wrong, for people.
pub(super) fn overview_tables(seen: &v1::GetQueuesResponse) -> String {
    let queues = table(
        &["waits for", "waiting", "next are", "oldest since", "clear"],
        seen.queues.iter().map(|queue| {
            vec![
                name(queue.name()),
                queue.waiting.to_string(),
                class_line(&queue.by_class),
                short_time(&queue.oldest),
                short_time(&queue.clears),
            ]
        }),
    );
    let errors = table(
        &[
            "estimates for",
            "held",
            "missed",
            "half off by",
            "95 % off by",
        ],
        seen.errors.iter().map(|errors| {
            let unit = match errors.queue() {
                v1::QueueName::Examination => " of business hours",
                _ => "",
            };
            vec![
                name(errors.queue()),
                errors.held.to_string(),
                errors.missed.to_string(),
                format!("{}{unit}", duration(errors.p50_ms)),
                format!("{}{unit}", duration(errors.p95_ms)),
            ]
        }),
    );
    let risk = if seen.at_risk_until.is_empty() {
        "there is time for everybody".to_owned()
    } else {
        format!(
            "renewals of what expires until {} are at risk and go first",
            short_time(&seen.at_risk_until)
        )
    };
    format!(
        "{queues}\norder {}; {} examinations a business day, {} signatures a second; {risk}\n\n{errors}",
        seen.order, seen.per_business_day, seen.signatures_per_second
    )
}

/// Such as `1 h 05 min` or `12.5 s`.
fn duration(millis: i64) -> String {
    let minutes = millis / 60_000;
    if minutes > 0 {
        return format!("{} h {:02} min", minutes / 60, minutes % 60);
    }
    format!("{}.{} s", millis / 1000, millis % 1000 / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_is_told_as_a_time_or_a_span() {
        let estimate = |earliest: &str, latest: &str| v1::Estimate {
            earliest: format!("{earliest}:20.000+09:00"),
            latest: format!("{latest}:50.000+09:00"),
        };
        let line = |earliest, latest| estimate_line(Some(&estimate(earliest, latest)));
        assert_eq!(
            line("2011-02-14T10:00", "2011-02-14T10:00"),
            "about 2011-02-14 10:00"
        );
        assert_eq!(
            line("2011-02-14T10:00", "2011-02-16T12:30"),
            "2011-02-14 10:00 to 2011-02-16 12:30"
        );
        assert_eq!(estimate_line(None), "");
    }

    #[test]
    fn what_waits_in_no_queue_says_so_and_nothing_else() {
        let told = v1::ExplainQueueResponse {
            id: "01".to_owned(),
            words: "It waits for nothing: it is done.".to_owned(),
            ..v1::ExplainQueueResponse::default()
        };
        let sheet = explained_sheet(&told);
        assert!(
            sheet.contains("it is done") && !sheet.contains("place"),
            "{sheet}"
        );
        assert!(explained(&told).get("ahead").is_none());
        let told = v1::ExplainQueueResponse {
            queue: v1::QueueName::Examination.into(),
            ahead: 11,
            waiting: 40,
            class: "share".to_owned(),
            ..told
        };
        let sheet = explained_sheet(&told);
        assert!(
            sheet.contains("12 of 40") && !sheet.contains("bound"),
            "{sheet}"
        );
        assert_eq!(explained(&told)["queue"], "examination");
    }

    #[test]
    fn durations_are_told_in_hours_or_seconds() {
        assert_eq!(duration(3_900_000), "1 h 05 min");
        assert_eq!(duration(12_510), "12.5 s");
    }
}
