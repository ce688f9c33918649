//! Many callers, slow callers, and the end.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

use axum::{body::Bytes, routing::get};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpSocket,
    time::Instant,
};

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

#[tokio::test(start_paused = true)]
async fn whoever_is_silent_holds_a_connection_for_seconds_and_not_for_as_long_as_one_may_stay() {
    let limits = Limits::new(1);
    // Nothing, a part of a request, and a whole one with nothing after it.
    for sent in [
        &b""[..],
        b"GET / HTTP/1.1\r\nHost",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        let (mut client, server) = tokio::io::duplex(BUFFER);
        let (_trigger, shutdown) = shutdown::channel();
        let since = Instant::now();
        let serving = connection(server, hello(), limits.clone(), shutdown);
        let asking = async {
            client.write_all(sent).await.unwrap();
            let mut heard = Vec::new();
            client.read_to_end(&mut heard).await.unwrap();
            heard
        };
        let ((), heard) = tokio::join!(serving, asking);
        assert_eq!(heard.ends_with(b"hello"), sent.ends_with(b"\r\n\r\n"));
        // By the paused clock, which moves only when nobody has anything to do.
        let held = since.elapsed();
        assert!(held >= limits.head && held < limits.stay / 10, "{held:?}");
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

/// Connects from this address of the loopback network.
async fn connect_from(scene: &Scene, address: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket
        .bind(format!("{address}:0").parse().unwrap())
        .unwrap();
    socket.connect(scene.address).await.unwrap()
}

fn asking_for(whom: &str) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {whom}\r\nConnection: close\r\n\r\n")
        .into_bytes()
}

#[tokio::test]
async fn an_address_that_has_enough_connections_is_turned_away_and_others_are_not() {
    let limits = Limits {
        per_address: NonZeroU32::new(2),
        ..Limits::new(8)
    };
    let scene = Scene::new(hello(), limits).await;
    let held = [scene.send(b"").await, scene.send(b"").await];
    let turned = answer(scene.send(b"").await).await;
    assert!(turned.starts_with("HTTP/1.1 429 "), "{turned}");
    assert!(turned.contains("\r\nretry-after: 1\r\n"), "{turned}");
    let mut other = connect_from(&scene, "127.0.0.2").await;
    other.write_all(REQUEST).await.unwrap();
    assert!(answer(other).await.ends_with("hello"));
    drop(held);
    // Once the server has seen that they left.
    loop {
        let mut next = scene.send(b"").await;
        let _ = next.write_all(REQUEST).await;
        let mut heard = Vec::new();
        let _ = next.read_to_end(&mut heard).await;
        if heard.ends_with(b"hello") {
            break;
        }
    }
}

#[tokio::test]
async fn behind_a_proxy_requests_are_counted_for_whom_the_proxy_asks() {
    let (entered, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (enter, gate) = (Arc::clone(&entered), Arc::clone(&go));
    let handler = move || async move {
        enter.add_permits(1);
        gate.acquire().await.unwrap().forget();
        "done"
    };
    let limits = Limits {
        per_address: NonZeroU32::new(1),
        proxies: Arc::new([[127, 0, 0, 1].into()]),
        ..Limits::new(8)
    };
    let router = Router::new().route("/", get(handler));
    let scene = Scene::new(router, limits).await;
    // Two are under way for different people, whatever they themselves have written.
    let first = scene.send(&asking_for("192.0.2.2, 192.0.2.1")).await;
    let second = scene.send(&asking_for("192.0.2.2")).await;
    for _ in 0..2 {
        entered.acquire().await.unwrap().forget();
    }
    let turned = answer(scene.send(&asking_for("192.0.2.1")).await).await;
    assert!(turned.starts_with("HTTP/1.1 429 "), "{turned}");
    // The proxy's own requests are for nobody.
    let own = scene.send(REQUEST).await;
    entered.acquire().await.unwrap().forget();
    go.add_permits(3);
    for under_way in [first, second, own] {
        assert!(answer(under_way).await.ends_with("done"));
    }
    // Whoever is no proxy is believed nothing.
    let mut stranger = connect_from(&scene, "127.0.0.2").await;
    stranger.write_all(&asking_for("192.0.2.1")).await.unwrap();
    entered.acquire().await.unwrap().forget();
    let turned = answer(connect_from(&scene, "127.0.0.2").await).await;
    assert!(turned.starts_with("HTTP/1.1 429 "), "{turned}");
    go.add_permits(1);
    assert!(answer(stranger).await.ends_with("done"));
}

#[tokio::test]
async fn whoever_takes_nothing_of_an_answer_is_let_go_and_makes_room() {
    let long = Bytes::from(vec![7; 64 * 1024 * 1024]);
    let router = hello().route("/long", get(move || async move { long }));
    let limits = Limits {
        stall: Duration::from_millis(50),
        ..Limits::new(1)
    };
    let scene = Scene::new(router, limits).await;
    let holding = scene.send(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(answer(scene.send(REQUEST).await).await.ends_with("hello"));
    drop(holding);
}
