//! The witness over HTTP, and what its directory must hold.

use std::time::Duration;

use lgpki_ledger::{
    Checkpoint, NoteSigner, Submission,
    merkle::leaf,
    merkle::node,
    witness::{ADD_CHECKPOINT, Reply, SHOWN, shown},
};
use lgpki_runtime::http_client::{HttpClient, HttpLimits, HttpUrl};
use lgpki_testkit::{ManualClock, log_signer};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

use super::*;

const ORIGIN: &str = "lgpki.example/audit/issuer/2026";

fn passphrase() -> Passphrase {
    Passphrase::try_new(b"a long passphrase".to_vec().into(), "test").unwrap()
}

fn named(name: &str) -> KeyName {
    name.parse().unwrap()
}

fn checkpoint(size: u64, root: [u8; 32]) -> Submission {
    let origin = ORIGIN.parse().unwrap();
    let note = Checkpoint { origin, size, root }.signed(&log_signer(1));
    Submission {
        old: 0,
        proof: Vec::new(),
        note,
    }
}

struct Scene {
    url: HttpUrl,
    key: WitnessKey,
    client: HttpClient,
    _trigger: shutdown::ShutdownTrigger,
    _dir: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (key, signer) = identity(dir.path(), Some(&named("w.example")), &passphrase()).unwrap();
        let book = Book::open(Arc::new(OsDisk), dir.path(), key.clone()).unwrap();
        let public = log_signer(1).public_key();
        let desk = Desk {
            key: key.clone(),
            book: Mutex::new(book),
            logs: vec![VerifierKey::new(
                "lgpki.example/audit/issuer".parse().unwrap(),
                public,
            )],
            signer,
            clock: Arc::new(ManualClock::new(
                "2026-11-22T12:00:00+09:00".parse().unwrap(),
            )),
            output: Output::new(true, true),
            lines: Mutex::default(),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (trigger, until) = shutdown::channel();
        let router = router(Arc::new(desk));
        tokio::spawn(plain_http::serve(listener, router, limits(), until));
        Self {
            url: url.parse().unwrap(),
            key,
            client: HttpClient::new(HttpLimits {
                bytes: 10_000,
                time: Duration::from_mins(1),
            }),
            _trigger: trigger,
            _dir: dir,
        }
    }

    async fn post(&self, body: String) -> (u16, Option<String>, Vec<u8>) {
        let url = self.url.join(ADD_CHECKPOINT).unwrap();
        let answer = self.client.post(&url, "text/plain", body).await.unwrap();
        let kind = answer.content_type().map(str::to_owned);
        (answer.status.as_u16(), kind, answer.body.to_vec())
    }

    async fn submit(&self, submission: &Submission) -> Reply {
        let (status, kind, body) = self.post(submission.to_string()).await;
        Reply::read(
            &self.key,
            submission.note.text(),
            (status, kind.as_deref(), &body),
        )
    }
}

#[tokio::test]
async fn a_log_that_grows_is_cosigned_over_http_and_a_fork_is_refused_by_name() {
    let scene = Scene::new().await;
    let (first, second) = (leaf(b"1"), leaf(b"2"));
    let one = checkpoint(1, first);
    let Reply::Cosigned { signature, time } = scene.submit(&one).await else {
        panic!("not cosigned");
    };
    assert_eq!(time, 1_795_316_400);
    assert_eq!(scene.key.time_of(one.note.text(), &signature), Some(time));
    // From the size that the witness tells, with a proof.
    let two = checkpoint(2, node(&first, &second));
    assert_eq!(scene.submit(&two).await, Reply::Knows(1));
    let proved = Submission {
        old: 1,
        proof: vec![second],
        ..two.clone()
    };
    assert!(matches!(
        scene.submit(&proved).await,
        Reply::Cosigned { .. }
    ));
    // Shorter, and other.
    assert_eq!(scene.submit(&one).await, Reply::Knows(2));
    let Reply::Refused { status, why } = scene.submit(&checkpoint(2, first)).await else {
        panic!("cosigned");
    };
    assert_eq!(status, 409);
    assert!(why.starts_with("FORK"), "{why}");
    let other = Submission {
        old: 2,
        proof: vec![first],
        ..checkpoint(3, first)
    };
    let Reply::Refused { status, why } = scene.submit(&other).await else {
        panic!("cosigned");
    };
    assert_eq!(status, 422);
    assert!(why.starts_with("NOT PROVED"), "{why}");
}

#[tokio::test]
async fn a_refusal_shows_what_the_log_signed_before() {
    let scene = Scene::new().await;
    let shown_to = async |submission: &Submission| {
        let url = scene.url.join(ADD_CHECKPOINT).unwrap();
        let body = submission.to_string();
        let answer = scene.client.post(&url, "text/plain", body).await.unwrap();
        let key = VerifierKey::new(named(ORIGIN), log_signer(1).public_key());
        let shown = answer.field(SHOWN).map(|value| shown(value, &key).unwrap());
        (
            answer.status.as_u16(),
            shown.map(|(checkpoint, _)| checkpoint),
        )
    };
    let seen = checkpoint(2, leaf(b"2"));
    assert_eq!(shown_to(&seen).await, (200, None));
    let other = checkpoint(2, leaf(b"x"));
    let later = Submission {
        old: 2,
        ..checkpoint(3, leaf(b"3"))
    };
    let last = Checkpoint::parse(seen.note.text()).ok();
    assert_eq!(
        shown_to(&checkpoint(1, leaf(b"1"))).await,
        (409, last.clone())
    );
    assert_eq!(shown_to(&other).await, (409, last.clone()));
    assert_eq!(shown_to(&later).await, (422, last));
    // Who only asks for the size is told the size.
    let asking = Submission { old: 0, ..later };
    assert_eq!(shown_to(&asking).await, (409, None));
}

#[tokio::test]
async fn what_strangers_send_is_answered_with_the_status_that_says_why() {
    let scene = Scene::new().await;
    assert_eq!(scene.post("hello".to_owned()).await.0, 400);
    assert_eq!(scene.post("x".repeat(70_000)).await.0, 413);
    let origin = "lgpki.example/audit/other/2026".parse().unwrap();
    let (size, root) = (1, leaf(b"1"));
    let note = Checkpoint { origin, size, root }.signed(&log_signer(1));
    let unknown = Submission {
        note,
        ..checkpoint(1, root)
    };
    assert_eq!(scene.post(unknown.to_string()).await.0, 404);
    let origin = ORIGIN.parse().unwrap();
    let note = Checkpoint { origin, size, root }.signed(&log_signer(2));
    let unsigned = Submission {
        note,
        ..checkpoint(1, root)
    };
    assert_eq!(scene.post(unsigned.to_string()).await.0, 403);
    let vkey = scene
        .client
        .get(&scene.url.join("vkey").unwrap())
        .await
        .unwrap();
    assert_eq!(vkey.body, format!("{}\n", scene.key));
}

#[test]
fn a_witness_is_begun_once_and_keeps_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("w");
    let unnamed = identity(&data, None, &passphrase()).unwrap_err();
    assert!(unnamed.to_string().contains("needs a name"), "{unnamed}");
    let (key, _) = identity(&data, Some(&named("w.example")), &passphrase()).unwrap();
    let (again, _) = identity(&data, None, &passphrase()).unwrap();
    assert_eq!(again, key);
    assert!(identity(&data, Some(&named("v.example")), &passphrase()).is_err());
    let other = Passphrase::try_new(b"another passphrase".to_vec().into(), "test").unwrap();
    assert!(identity(&data, None, &other).is_err());
    // What it cosigned is not found anew.
    fs::remove_dir_all(data.join("logs")).unwrap();
    assert!(Book::open(Arc::new(OsDisk), &data, key).is_err());
}

#[tokio::test]
async fn one_address_has_a_part_of_the_witnesss_connections_only() {
    let scene = Scene::new().await;
    let address = format!("{}:{}", scene.url.host(), scene.url.port());
    let share = limits().per_address.unwrap().get();
    assert!(usize::try_from(share).unwrap() * 2 <= CONNECTIONS);
    // Connections that ask nothing, and one too many.
    let mut held = Vec::new();
    for _ in 0..share {
        held.push(TcpStream::connect(&address).await.unwrap());
    }
    let mut turned = TcpStream::connect(&address).await.unwrap();
    let mut told = String::new();
    turned.read_to_string(&mut told).await.unwrap();
    assert!(told.starts_with("HTTP/1.1 429 "), "{told}");
    // Whoever comes from elsewhere is served.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut other = socket.connect(address.parse().unwrap()).await.unwrap();
    let asked = b"GET /vkey HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    other.write_all(asked).await.unwrap();
    let mut told = String::new();
    other.read_to_string(&mut told).await.unwrap();
    assert!(told.starts_with("HTTP/1.1 200 "), "{told}");
}
