//! Many callers, slow callers, and the end.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::shutdown::{self, ShutdownTrigger};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

struct Scene {
    address: SocketAddr,
    trigger: ShutdownTrigger,
    serving: tokio::task::JoinHandle<()>,
}

impl Scene {
    async fn new(router: Router, limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (trigger, shutdown) = shutdown::channel();
        let serving = tokio::spawn(serve(listener, router, limits, shutdown));
        Self {
            address,
            trigger,
            serving,
        }
    }

    async fn send(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream
    }
}

/// All that is said until the other side closes.
async fn answer(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

#[tokio::test]
async fn whoever_sends_no_request_is_let_go_and_makes_room() {
    let limits = Limits {
        head: Duration::from_millis(20),
        ..Limits::new(1)
    };
    let scene = Scene::new(hello(), limits).await;
    // One that says nothing, one that stops midway, one that stays silent after its answer.
    for sent in [
        &b""[..],
        b"GET / HTTP/1.1\r\nHost",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        let holding = scene.send(sent).await;
        let waiting = scene.send(REQUEST).await;
        assert!(answer(waiting).await.ends_with("hello"));
        answer(holding).await;
    }
}

#[tokio::test]
async fn no_more_are_served_at_a_time_than_allowed() {
    let (under_way, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (entered, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (counted, highest) = (Arc::clone(&under_way), Arc::clone(&most));
    let (enter, gate) = (Arc::clone(&entered), Arc::clone(&go));
    let handler = move || async move {
        let now = counted.fetch_add(1, Ordering::SeqCst) + 1;
        highest.fetch_max(now, Ordering::SeqCst);
        enter.add_permits(1);
        gate.acquire().await.unwrap().forget();
        counted.fetch_sub(1, Ordering::SeqCst);
        "done"
    };
    let router = Router::new().route("/", get(handler));
    let scene = Scene::new(router, Limits::new(2)).await;
    let mut answers = JoinSet::new();
    for _ in 0..6 {
        answers.spawn(answer(scene.send(REQUEST).await));
    }
    for _ in 0..6 {
        entered.acquire().await.unwrap().forget();
        go.add_permits(1);
    }
    while let Some(text) = answers.join_next().await {
        assert!(text.unwrap().ends_with("done"));
    }
    assert!(most.load(Ordering::SeqCst) <= 2);
}

#[tokio::test]
async fn at_the_end_an_answer_under_way_is_given_and_silent_connections_are_not_waited_for() {
    let (entered, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (enter, gate) = (Arc::clone(&entered), Arc::clone(&go));
    let handler = move || async move {
        enter.add_permits(1);
        gate.acquire().await.unwrap().forget();
        "at last"
    };
    let router = Router::new().route("/", get(handler));
    let scene = Scene::new(router, Limits::new(8)).await;
    let _silent = scene.send(b"").await;
    let asking = scene.send(REQUEST).await;
    entered.acquire().await.unwrap().forget();
    scene.trigger.request();
    go.add_permits(1);
    assert!(answer(asking).await.ends_with("at last"));
    scene.serving.await.unwrap();
    assert!(TcpStream::connect(scene.address).await.is_err());
}
