//! The way from the services to the witnesses of their logs: HTTP, on a thread of its own.
//!
//! A store's publishing thread hands over what is to be carried and waits for the answers, for a few
//! seconds at most. The thread ends with the store that it carries for.

use std::{
    sync::{
        Arc,
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::Duration,
};

use lgpki_ledger::witness::{ADD_CHECKPOINT, SHOWN};
use lgpki_runtime::{
    error::chain,
    http_client::{HttpClient, HttpLimits, HttpUrl},
};
use lgpki_store::{Carried, Carrier, Post, Publishing, WitnessLimits, Witnessing};
use tokio::{runtime::Runtime, task::JoinSet};

use crate::{config::Audit, error::CommandError};

/// Of one answer, a witness's signatures.
const LIMITS: HttpLimits = HttpLimits {
    bytes: 64 * 1024,
    time: Duration::from_secs(5),
};
const TEXT: &str = "text/plain; charset=utf-8";

/// How a service's logs are published and witnessed, by the configuration.
pub(crate) fn publishing(audit: &Audit) -> Result<Publishing, CommandError> {
    Ok(Publishing {
        every: Duration::from_secs(audit.publish_every_seconds),
        limit: Duration::from_secs(audit.publication_limit_seconds),
        witnesses: witnessing(audit)?.map(Arc::new),
    })
}

/// The witnesses that the configuration names, and the way to them; none if it names none.
pub(crate) fn witnessing(audit: &Audit) -> Result<Option<Witnessing>, CommandError> {
    let section = &audit.witness;
    if section.witnesses.is_empty() {
        return Ok(None);
    }
    let carrier = HttpCarrier::start(section.witnesses.iter().map(|w| &w.url))?;
    let keys = section.witnesses.iter().map(|w| w.vkey.clone()).collect();
    let limits = WitnessLimits {
        lag: Duration::from_secs(section.lag_limit()),
        stop: section.stop_issuing_after_seconds.map(Duration::from_secs),
    };
    let witnesses = Witnessing::try_new(keys, section.required, limits, Arc::new(carrier))
        .map_err(|e| CommandError::from_error("[audit.witness]", &e))?
        .stopping_when_disputed(section.stop_issuing_when_disputed);
    Ok(Some(witnesses))
}

type Answers = Vec<Result<Carried, String>>;

/// Posts over plain HTTP.
#[derive(Debug)]
struct HttpCarrier {
    errands: Sender<(Vec<Post>, Sender<Answers>)>,
}

impl HttpCarrier {
    /// A carrier to the witnesses at these addresses.
    fn start<'a>(urls: impl Iterator<Item = &'a HttpUrl>) -> Result<Self, CommandError> {
        let urls = urls.map(|url| url.join(ADD_CHECKPOINT));
        let urls = urls
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| CommandError::from_error("[audit.witness]", &e))?;
        let failed = |e| CommandError::from_error("cannot start the way to the witnesses", &e);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let (errands, waiting) = mpsc::channel();
        thread::Builder::new()
            .name(String::from("witnesses"))
            .spawn(move || run(&runtime, &urls, &waiting))
            .map_err(failed)?;
        Ok(Self { errands })
    }
}

impl Carrier for HttpCarrier {
    fn carry(&self, posts: Vec<Post>) -> Answers {
        let count = posts.len();
        let (answer, answered) = mpsc::channel();
        let sent = self.errands.send((posts, answer)).ok();
        let answers = sent.and_then(|()| answered.recv().ok());
        answers.unwrap_or_else(|| {
            vec![
                Err(String::from(
                    "the thread that carries to the witnesses has ended"
                ));
                count
            ]
        })
    }
}

/// Runs errands until nobody has any more.
fn run(runtime: &Runtime, urls: &[HttpUrl], waiting: &Receiver<(Vec<Post>, Sender<Answers>)>) {
    let client = HttpClient::new(LIMITS);
    while let Ok((posts, answer)) = waiting.recv() {
        // Whoever asked may have ended.
        let _ = answer.send(runtime.block_on(carry(&client, urls, posts)));
    }
}

async fn carry(client: &HttpClient, urls: &[HttpUrl], posts: Vec<Post>) -> Answers {
    let mut answers = vec![Err(String::from("it was not asked")); posts.len()];
    let mut under_way = JoinSet::new();
    for (at, post) in posts.into_iter().enumerate() {
        if let Some(url) = urls.get(post.witness).cloned() {
            let client = client.clone();
            under_way.spawn(async move { (at, send(&client, &url, post.body).await) });
        }
    }
    while let Some(done) = under_way.join_next().await {
        if let Ok((at, answer)) = done
            && let Some(place) = answers.get_mut(at)
        {
            *place = answer;
        }
    }
    answers
}

async fn send(client: &HttpClient, url: &HttpUrl, body: String) -> Result<Carried, String> {
    let answer = client.post(url, TEXT, body).await.map_err(|e| chain(&e))?;
    Ok(Carried {
        status: answer.status.as_u16(),
        kind: answer.content_type().map(str::to_owned),
        body: answer.body.to_vec(),
        shown: answer.field(SHOWN).map(str::to_owned),
    })
}

#[cfg(test)]
mod tests;
