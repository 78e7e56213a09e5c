//! Clients that are slow, rude or too many, on real sockets. Time is paused, so that each timeout
//! takes no time.

use std::net::Ipv4Addr;

use axum::{
    body::Body,
    middleware::from_fn,
    routing::{get, post},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinHandle,
    time::Instant,
};
use tokio_util::task::AbortOnDropHandle;

use super::*;
use crate::body;

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: shop\r\n\r\n";
/// Fewer than in earnest: a test may open some hundred files on any machine.
const CONNECTIONS: usize = 40;
const BRIEF_ONES: usize = 10;
const DRAIN: Duration = Duration::from_secs(20);

struct Site {
    address: SocketAddr,
    shutdown: CancellationToken,
    _serving: AbortOnDropHandle<()>,
}

/// A site with a page, a form that answers with what was sent, the client's address, and a page of
/// 16 MB.
async fn server() -> Site {
    let large = || async { Body::from(vec![b'x'; 16_000_000]) };
    let slow = || async { sleep(Duration::from_secs(5)).await };
    let router = Router::new()
        .route("/", get(|| async { "Hello!" }).post(|text: String| async { text }))
        .route("/client", get(|client: Client| async move { format!("{client:?}") }))
        .route("/large", get(large))
        .route("/slow", post(slow))
        .layer(from_fn(body::read));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let server = Server { router, proxies: 1, shutdown: shutdown.clone() };
    let serving: JoinHandle<()> =
        tokio::spawn(server.serve(listener, Places::new(CONNECTIONS, BRIEF_ONES), DRAIN));
    Site { address, shutdown, _serving: AbortOnDropHandle::new(serving) }
}

impl Site {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends `bytes`, and returns everything that is answered until the connection ends.
    async fn answer(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        rest(&mut stream).await
    }

    /// A client that is a friend is served.
    async fn is_up(&self) {
        let bytes = [b"GET / HTTP/1.1\r\nconnection: close\r\n".as_slice(), b"host: a\r\n\r\n"];
        let answer = self.answer(&bytes.concat()).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
}

/// What arrives until the connection ends, be it by a reset.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads one answer of a known length.
async fn hello(stream: &mut TcpStream) {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"Hello!") {
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "the connection was closed");
    }
}

/// Sends a byte a second until the connection is closed, and returns how long that took.
async fn trickle(stream: &mut TcpStream) -> Duration {
    let started = Instant::now();
    loop {
        let mut answer = [0; 1_000];
        tokio::select! {
            _ = stream.read(&mut answer) => return started.elapsed(),
            () = sleep(Duration::from_secs(1)) => {}
        }
        if stream.write_all(b"x").await.is_err() {
            return started.elapsed();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_of_one_byte_a_second_is_cut_off_after_ten_seconds() {
    let server = server().await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nx: ").await.unwrap();
    let took = trickle(&mut stream).await;
    assert!((9..=11).contains(&took.as_secs()), "{took:?}");

    // Also in a later request of a connection, and not because it was idle before.
    let mut stream = server.connect().await;
    for _ in 0..3 {
        stream.write_all(GET).await.unwrap();
        hello(&mut stream).await;
        sleep(Duration::from_secs(60)).await;
    }
    let took = trickle(&mut stream).await;
    assert!((9..=12).contains(&took.as_secs()), "{took:?}");
    server.is_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_body_of_one_byte_a_second_is_answered_408_after_ten_seconds() {
    let server = server().await;
    let mut stream = server.connect().await;
    let head = b"POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 1000\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let started = Instant::now();
    let mut answer = Vec::new();
    loop {
        tokio::select! {
            read = stream.read_buf(&mut answer) => if read.unwrap_or(0) == 0 { break },
            () = sleep(Duration::from_secs(1)) => {
                if stream.write_all(b"x").await.is_err() { break }
            }
        }
    }
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
    assert!((9..=12).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
    server.is_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_closed_after_ten_seconds_without_a_request_and_75_idle_ones() {
    let server = server().await;
    let started = Instant::now();
    assert_eq!(rest(&mut server.connect().await).await, "");
    assert_eq!(started.elapsed().as_secs(), 10);

    let mut stream = server.connect().await;
    stream.write_all(GET).await.unwrap();
    hello(&mut stream).await;
    let idle = Instant::now();
    assert_eq!(rest(&mut stream).await, "");
    assert_eq!(idle.elapsed().as_secs(), IDLE_TIMEOUT.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_take_longer_than_a_head() {
    let server = server().await;
    let mut stream = server.connect().await;
    for _ in 0..4 {
        let head = b"POST /slow HTTP/1.1\r\nhost: shop\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(head).await.unwrap();
        let mut answer = [0; 1_000];
        let length = stream.read(&mut answer).await.unwrap();
        assert!(answer[..length].starts_with(b"HTTP/1.1 200 OK"), "{length} bytes");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_cut_off_after_thirty_seconds() {
    let server = server().await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /large HTTP/1.1\r\nhost: shop\r\n\r\n").await.unwrap();
    sleep(Duration::from_secs(29)).await;
    let mut slow = server.connect().await;
    slow.write_all(b"GET /large HTTP/1.1\r\nhost: shop\r\n\r\n").await.unwrap();
    sleep(Duration::from_secs(2)).await;
    assert!(rest(&mut stream).await.len() < 16_000_000);
    // One that reads in the end gets all of it.
    assert!(rest(&mut slow).await.len() > 16_000_000);
}

#[tokio::test(start_paused = true)]
async fn heads_have_limits() {
    let server = server().await;
    let header =
        |size: usize| format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "x".repeat(size));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(MAX_HEADERS + 1));
    let long = format!("GET /?{} HTTP/1.1\r\n\r\n", "x".repeat(MAX_HEAD_BYTES));
    for (request, expected) in [
        (header(MAX_HEAD_BYTES - 100), "HTTP/1.1 200 OK"),
        (header(MAX_HEAD_BYTES), "HTTP/1.1 431 Request Header Fields Too Large"),
        (many, "HTTP/1.1 431 Request Header Fields Too Large"),
        (long, "HTTP/1.1 431 Request Header Fields Too Large"),
    ] {
        let answer = server.answer(request.as_bytes()).await;
        assert!(answer.starts_with(expected), "{expected}: {answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn bodies_have_a_limit_even_if_they_do_not_say_their_length() {
    let server = server().await;
    let declared = format!("content-length: {}\r\n\r\n{}", 20_000, "x".repeat(20_000));
    let chunk = format!("400\r\n{}\r\n", "x".repeat(1_024));
    let chunked = format!("transfer-encoding: chunked\r\n\r\n{}0\r\n\r\n", chunk.repeat(20));
    for rest in [declared, chunked] {
        let answer =
            server.answer(format!("POST / HTTP/1.1\r\nhost: a\r\n{rest}").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 413 Payload Too Large"), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_http_is_refused_and_everybody_else_served() {
    let server = server().await;
    for garbage in [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"G\0T / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n: no name\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nnot a length\r\n",
    ] {
        let answer = server.answer(garbage).await;
        let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
        assert!(refused, "{:?}: {answer}", String::from_utf8_lossy(garbage));
        server.is_up().await;
    }
}

#[tokio::test(start_paused = true)]
async fn requests_that_are_sent_at_once_are_answered_in_turn() {
    let server = server().await;
    let answer = server.answer(&GET.repeat(20)).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK\r\n").count(), 20, "{answer}");
    assert_eq!(answer.matches("Hello!").count(), 20);
}

#[tokio::test(start_paused = true)]
async fn clients_that_hang_up_early_leave_nothing_behind() {
    let server = server().await;
    for bytes in
        [b"".as_slice(), b"GET /", GET, b"POST /slow HTTP/1.1\r\ncontent-length: 9\r\n\r\nx"]
    {
        for _ in 0..CONNECTIONS / 4 + 1 {
            let mut stream = server.connect().await;
            stream.write_all(bytes).await.unwrap();
            stream.set_zero_linger().unwrap();
        }
    }
    server.is_up().await;
}

#[tokio::test(start_paused = true)]
async fn idle_connections_beyond_the_limit_keep_nobody_out_for_long() {
    let server = server().await;
    let mut idle = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut stream = server.connect().await;
        stream.write_all(GET).await.unwrap();
        hello(&mut stream).await;
        idle.push(stream);
    }
    // One request is answered, such as a health check, and the connection is closed.
    for _ in 0..3 * BRIEF_ONES {
        let answer = server.answer(GET).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    }
    // Those that send nothing are closed after five seconds; until then no place is free.
    let started = Instant::now();
    let mut dawdling = Vec::new();
    for _ in 0..BRIEF_ONES {
        dawdling.push(server.connect().await);
    }
    assert_eq!(server.answer(GET).await, "");
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert_eq!(rest(&mut dawdling[0]).await, "");
    assert_eq!(started.elapsed().as_secs(), BRIEF.as_secs());
    server.is_up().await;
    // The others were not affected.
    idle[0].write_all(GET).await.unwrap();
    hello(&mut idle[0]).await;
}

#[tokio::test(start_paused = true)]
async fn the_client_is_the_address_that_the_proxy_in_front_adds() {
    let server = server().await;
    let request = b"GET /client HTTP/1.1\r\nconnection: close\r\n\
        x-forwarded-for: 1.1.1.1, 203.0.113.7\r\n\r\n";
    let answer = server.answer(request).await;
    assert!(answer.ends_with("Client(203.0.113.7)"), "{answer}");
    let answer = server.answer(b"GET /client HTTP/1.1\r\nconnection: close\r\n\r\n").await;
    assert!(answer.ends_with("Client(127.0.0.1)"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_drain_finishes_requests_and_closes_idle_connections() {
    let server = server().await;
    let mut idle = server.connect().await;
    idle.write_all(GET).await.unwrap();
    hello(&mut idle).await;
    let mut busy = server.connect().await;
    let request = b"POST /slow HTTP/1.1\r\nhost: shop\r\ncontent-length: 0\r\n\r\n";
    busy.write_all(request).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    server.shutdown.cancel();
    let started = Instant::now();
    assert_eq!(rest(&mut idle).await, "");
    assert_eq!(started.elapsed(), Duration::ZERO);
    let answer = rest(&mut busy).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(TcpStream::connect(server.address).await.is_err());
}
