//! Clients that are slow, silent, deaf or gone: they are let go, and nobody else notices.

use std::time::Duration;

use futures::future::join_all;
use reqwest::Method;
use serde_json::json;
use test_servers::NatsServer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::ask::{ask, send};
use crate::audit::audit;
use crate::bystander::unharmed;
use crate::stack::{BOUND, Drip, Stack, tick, until};

/// When whoever misbehaves must be gone: what Drip bears, and the time a busy machine takes to come to it.
const LET_GO: Duration = Duration::from_secs(60);

async fn connect(drip: &Drip) -> TcpStream {
    TcpStream::connect(drip.url().trim_start_matches("http://")).await.expect("Drip takes connections")
}

/// What is answered until the server closes the connection, within the bound.
async fn rest(stream: &mut (impl tokio::io::AsyncRead + Unpin), who: &str) -> String {
    let mut bytes = Vec::new();
    let ended = timeout(LET_GO, stream.read_to_end(&mut bytes)).await;
    // A reset is an end too.
    drop(ended.unwrap_or_else(|_| panic!("{who} is still connected after {LET_GO:?}")));
    String::from_utf8_lossy(&bytes).into_owned()
}

fn head(drip: &Drip, request: &str, length: usize) -> String {
    format!(
        "{request} HTTP/1.1\r\nHost: drip\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n",
        drip.key()
    )
}

/// Sends the beginning, then a byte at a time for ever; what came back when the server had enough.
async fn dribble(drip: &Drip, beginning: String) -> String {
    let (mut read, mut write) = connect(drip).await.into_split();
    write.write_all(beginning.as_bytes()).await.expect("it was just connected");
    let sending = async {
        while write.write_all(b"x").await.is_ok() {
            tick().await;
        }
    };
    tokio::select! {
        said = rest(&mut read, "who sends a byte at a time") => said,
        () = sending => rest(&mut read, "who sends a byte at a time").await,
    }
}

#[tokio::test]
async fn who_sends_too_slowly_is_let_go() {
    let mut drip = Drip::embedded().await;
    let handles = drip.handles();
    let slow_head = || "POST /v1/users HTTP/1.1\r\nHost: drip\r\nX-Slow: ".to_owned();
    let slow_body = || head(&drip, "POST /v1/users", 1_000_000) + "{\"user_id\": \"";
    unharmed(&drip, async {
        let heads = join_all((0..50).map(|_| dribble(&drip, slow_head())));
        let bodies = join_all((0..50).map(|_| dribble(&drip, slow_body())));
        let (_, bodies) = tokio::join!(heads, bodies);
        // A reset may overtake the answer, but not for all of them.
        let told =
            bodies.iter().filter(|said| said.contains("408") && said.contains("deadline_passed")).count();
        assert!(told > 0, "{bodies:?}");
    })
    .await;
    until(LET_GO, "the connections are gone", async || (drip.handles() <= handles + 20).then_some(())).await;
    audit(&drip).await;
    drip.stop().await;
}

#[tokio::test]
async fn a_thousand_connections_that_say_nothing_are_let_go() {
    let mut drip = Drip::embedded().await;
    let handles = drip.handles();
    unharmed(&drip, async {
        let mut idle = Vec::new();
        for _ in 0..10 {
            idle.extend(join_all((0..100).map(|_| connect(&drip))).await);
            // Who comes after them is answered: so they were let in, and do not wait in the kernel's queue, which
            // overflows without a word.
            let mut next = connect(&drip).await;
            let request = "GET /health/live HTTP/1.1\r\nHost: drip\r\nConnection: close\r\n\r\n";
            next.write_all(request.as_bytes()).await.expect("it was just connected");
            assert!(rest(&mut next, "who has its answer").await.starts_with("HTTP/1.1 200"));
        }
        // On a busy machine the first may be let go before the last is let in.
        until(BOUND, "many are connected", async || (drip.handles() >= handles + 500).then_some(())).await;
        join_all(idle.iter_mut().map(|stream| rest(stream, "who says nothing"))).await;
    })
    .await;
    drip.stop().await;
}

#[tokio::test]
async fn who_never_reads_is_let_go() {
    let mut drip = Drip::embedded().await;
    let handles = drip.handles();
    // A megabyte each, that costs nothing to make.
    let request = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: drip\r\n\r\n".repeat(1_000);
    unharmed(&drip, async {
        let deaf = join_all((0..50).map(async |_| {
            let mut stream = connect(&drip).await;
            // It takes in what the buffers hold, and no more.
            drop(timeout(Duration::from_secs(1), stream.write_all(request.as_bytes())).await);
            stream
        }))
        .await;
        until(LET_GO, "the deaf are gone", async || (drip.handles() <= handles + 20).then_some(())).await;
        drop(deaf);
    })
    .await;
    drip.stop().await;
}

#[tokio::test]
async fn who_has_said_all_may_close_its_side_and_who_has_not_is_refused() {
    let mut drip = Drip::embedded().await;
    drip.open("anna", "1").await;
    let handles = drip.handles();
    let body = r#"{"amount": "0.1"}"#;
    for (missing, status) in [(0, "200 OK"), (1, "400 Bad Request")] {
        let mut stream = connect(&drip).await;
        let request = head(&drip, "POST /v1/users/anna/debits", body.len() + missing) + body;
        stream.write_all(request.as_bytes()).await.expect("it was just connected");
        stream.shutdown().await.expect("it was just connected");
        let said = rest(&mut stream, "who has closed its side").await;
        assert!(said.starts_with(&format!("HTTP/1.1 {status}")), "{said}");
    }
    // Gone without waiting: the debit may or may not have been taken, and nothing else.
    for _ in 0..20 {
        let mut stream = connect(&drip).await;
        let request = head(&drip, "POST /v1/users/anna/debits", body.len()) + body;
        stream.write_all(request.as_bytes()).await.expect("it was just connected");
    }
    let live = send(drip.request(Method::GET, "/health/ready")).await.expect(200);
    assert_eq!(live.body["status"], "ok");
    until(BOUND, "what they asked for is done with", async || (drip.handles() <= handles + 2).then_some(()))
        .await;
    audit(&drip).await;
    drip.stop().await;
}

#[tokio::test]
async fn a_nats_client_that_never_reads_is_cut_off_by_the_server_alone() {
    let server = NatsServer::builder().config("write_deadline: \"2s\"").start().await;
    let Stack { drip, nats, .. } = Stack::on(server).await;
    let server = nats.expect("this Drip is on NATS");
    let nats = async_nats::connect(server.url()).await.expect("NATS is there");
    drip.open("anna", "1").await;
    let mut deaf =
        TcpStream::connect(server.url().trim_start_matches("nats://")).await.expect("NATS is there");
    deaf.write_all(b"CONNECT {\"verbose\":false}\r\nSUB _INBOX.deaf 1\r\n")
        .await
        .expect("it was just connected");
    let body = json!({ "user_id": "anna", "expand": "lots" }).to_string();
    let request = format!("PUB drip.cmd.demo.get _INBOX.deaf {}\r\n{body}\r\n", body.len()).repeat(500);
    unharmed(&drip, async {
        until(BOUND, "the server cuts it off", async || {
            // Once it is cut off, this fails.
            let sent = deaf.write_all(request.as_bytes()).await;
            let (code, account) = ask(&nats, "drip.cmd.demo.get", br#"{"user_id": "anna"}"#).await;
            assert_eq!((code.as_str(), &account["balance"]), ("", &"1".into()));
            sent.is_err().then_some(())
        })
        .await;
    })
    .await;
    drip.assert_no_panic();
}
