//! Witnesses that are asked over HTTP, good ones and others.

use std::{fmt::Write as _, net::TcpListener};

use axum::{Router, extract::State, http::header, routing::post};
use lgpki_ledger::{
    Checkpoint, NoteSigner as _, SignedNote, Submission, WitnessKey,
    merkle::{CompactRange, Hash, leaf},
    witness::SIZE_TYPE,
};
use lgpki_runtime::{
    plain_http::{self, Limits},
    shutdown::{self, Shutdown},
};
use lgpki_store::{Answer, Question, Word, ask_witnesses};
use lgpki_testkit::log_signer;

use super::*;

/// What a witness that is no program of ours answers.
#[derive(Clone, Debug)]
enum Manner {
    /// As the specification says, having cosigned so many leaves.
    Proper(u64),
    /// Always the same.
    Says(u16, &'static str, &'static str),
    /// It is not there.
    Gone,
}

type Said = (
    axum::http::StatusCode,
    [(header::HeaderName, &'static str); 1],
    String,
);

fn key(at: u8) -> WitnessKey {
    let name = format!("w{at}.example").parse().unwrap();
    WitnessKey::new(name, log_signer(at).public_key())
}

async fn answer(State((at, manner)): State<(u8, Manner)>, body: String) -> Said {
    let submission: Submission = body.parse().unwrap();
    let (status, kind, said) = match manner {
        Manner::Proper(known) if known == submission.old => {
            let text = submission.note.text();
            let cosignature = key(at).cosign(text, 7, &log_signer(at));
            (200, "text/plain", format!("{cosignature}\n"))
        }
        Manner::Proper(known) => (409, SIZE_TYPE, format!("{known}\n")),
        Manner::Says(status, kind, said) => (status, kind, said.to_owned()),
        Manner::Gone => (500, "text/plain", String::new()),
    };
    let status = axum::http::StatusCode::from_u16(status).unwrap();
    (status, [(header::CONTENT_TYPE, kind)], said)
}

/// Starts the witnesses, and gives the section that names them.
fn section(manners: &[Manner], until: &Shutdown) -> Audit {
    let mut each = String::new();
    for (at, manner) in (1..).zip(manners) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let key = key(at);
        write!(each, "{{ url = \"http://{address}\", vkey = \"{key}\" }}, ").unwrap();
        if matches!(manner, Manner::Gone) {
            continue;
        }
        listener.set_nonblocking(true).unwrap();
        let router = Router::new()
            .route("/add-checkpoint", post(answer))
            .with_state((at, manner.clone()));
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let until = until.clone();
        tokio::spawn(plain_http::serve(listener, router, Limits::new(8), until));
    }
    let text = format!("log_origin = \"lgpki.example/audit\"\n[witness]\nwitnesses = [{each}]");
    toml::from_str(&text).unwrap()
}

fn tree(size: u64) -> CompactRange {
    let mut tree = CompactRange::new();
    (0..size).for_each(|entry| tree.push(leaf(&entry.to_be_bytes())));
    tree
}

/// A log of five leaves; what proves that it continues a smaller one is not looked at here.
fn question<'a>() -> Question<'a> {
    let head = Checkpoint {
        origin: "lgpki.example/audit/issuer/2026".parse().unwrap(),
        size: 5,
        root: tree(5).root(),
    };
    let note: SignedNote = head.signed(&log_signer(99));
    Question {
        origin: head.origin,
        note,
        size: 5,
        reach: 5,
        certain: true,
        prove: Some(Box::new(|old| {
            Ok::<Vec<Hash>, String>(tree(old).peaks().to_vec())
        })),
    }
}

async fn asked(manners: &[Manner]) -> Vec<Answer> {
    let (_trigger, until) = shutdown::channel();
    let audit = section(manners, &until);
    let asking = tokio::task::spawn_blocking(move || {
        let witnesses = witnessing(&audit).unwrap().unwrap();
        ask_witnesses(&witnesses, &[question()])
    });
    asking.await.unwrap()
}

#[tokio::test]
async fn any_witness_says_over_http_how_much_it_has_seen() {
    let within = |known| Word::Within { known };
    let cases = [
        (Manner::Proper(0), within(0)),
        (Manner::Proper(3), within(3)),
        (Manner::Proper(5), within(5)),
        (Manner::Proper(6), Word::More { known: 6 }),
        (
            Manner::Says(409, "text/plain", "another root\n"),
            Word::Other {
                why: String::from("another root"),
            },
        ),
    ];
    let (manners, words): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    let answers = asked(&manners).await;
    let said: Vec<_> = answers.into_iter().map(|answer| answer.word).collect();
    assert_eq!(said, words);
}

#[tokio::test]
async fn what_is_no_answer_is_told_as_none_with_its_reason() {
    let cases = [
        (Manner::Gone, "cannot connect"),
        (
            Manner::Says(404, "text/html", "not found"),
            "its address is right",
        ),
        (
            Manner::Says(200, "text/html", "<h1>hello</h1>"),
            "no cosignature",
        ),
        (Manner::Says(403, "text/plain", "who?"), "status 403: who?"),
        (
            Manner::Says(503, "text/plain", "later"),
            "status 503: later",
        ),
        // Whoever has cosigned nothing would cosign.
        (Manner::Says(409, SIZE_TYPE, "0\n"), "cosigns nothing"),
    ];
    let manners: Vec<_> = cases.iter().map(|(manner, _)| manner.clone()).collect();
    for ((_, part), answer) in cases.iter().zip(asked(&manners).await) {
        let Word::Silent { why } = &answer.word else {
            panic!("{answer:?}");
        };
        assert!(why.contains(part), "{why}");
    }
}

#[test]
fn without_witnesses_nobody_is_asked() {
    let audit: Audit = toml::from_str("log_origin = \"lgpki.example/audit\"").unwrap();
    assert!(witnessing(&audit).unwrap().is_none());
}
