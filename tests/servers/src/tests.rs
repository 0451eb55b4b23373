//! The servers start, die and come back, and nothing of them stays behind.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::process::tick;
use crate::{NatsServer, Postgres, cluster};

const SECOND: &str = "DRIP_TEST_SERVERS_SECOND_PROCESS";
const BOUND: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_nats_server_is_killed_and_comes_back_at_the_same_address() {
    let mut server = NatsServer::start().await;
    let (url, monitor) = (server.url(), server.monitor_url());
    assert!(greeting(&url).await.is_some_and(|text| text.starts_with("INFO ")));
    server.kill();
    assert_eq!(greeting(&url).await, None);
    server.restart().await;
    assert_eq!((server.url(), server.monitor_url()), (url.clone(), monitor));
    assert!(greeting(&url).await.is_some());
    server.stop().await;
    assert_eq!(greeting(&url).await, None);
    server.restart().await;
    server.restart().await;
    assert!(greeting(&url).await.is_some());
}

#[tokio::test]
async fn a_nats_server_syncs_every_write_unless_told_otherwise() {
    let strict = NatsServer::start().await;
    assert!(get(&strict.monitor_url(), "/jsz?config=true").await.contains("\"sync_always\": true"));
    let lax = NatsServer::builder().default_sync().start().await;
    let answer = get(&lax.monitor_url(), "/jsz?config=true").await;
    assert!(answer.contains("\"sync_interval\": 120000000000") && !answer.contains("\"sync_always\": true"));
}

#[tokio::test]
async fn a_nats_server_takes_more_configuration() {
    let users = "authorization { users: [ { user: a, password: b, permissions: { publish: \"x.>\" } } ] }";
    let server = NatsServer::builder().config("max_payload: 2MB").config(users).start().await;
    let info = greeting(&server.url()).await.unwrap_or_default();
    assert!(info.contains("\"max_payload\":2097152") && info.contains("\"auth_required\":true"), "{info}");
}

#[tokio::test]
#[should_panic(expected = "unknown field \"nonsense\"")]
async fn a_nats_server_that_can_not_start_shows_its_log() {
    NatsServer::builder().config("nonsense: 1").start().await;
}

#[tokio::test]
async fn a_paused_nats_server_is_silent_until_it_is_resumed() {
    let server = NatsServer::start().await;
    server.pause();
    let asked = tokio::time::timeout(Duration::from_millis(300), greeting(&server.url())).await;
    assert!(asked.is_err());
    server.resume();
    assert!(greeting(&server.url()).await.is_some());
}

#[tokio::test]
async fn a_cluster_is_healthy_without_one_of_its_three_servers() {
    let store = tempfile::tempdir().unwrap();
    let mut servers = NatsServer::builder().store_dir(store.path()).start_cluster(3).await;
    assert!(store.path().join("jetstream").exists() && servers[1].store_dir() != store.path());
    servers[0].kill();
    let meta = get(&servers[1].monitor_url(), "/jsz").await;
    assert!(meta.contains("\"cluster_size\": 3"), "{meta}");
    servers[0].spawn();
    servers[0].until_healthy().await.unwrap();
    let info = greeting(&servers[0].url()).await.unwrap_or_default();
    assert!(!info.contains("connect_urls"), "{info}");
}

#[tokio::test]
async fn a_dropped_server_is_gone_with_its_folder() {
    let server = NatsServer::start().await;
    let (url, store) = (server.url(), server.store_dir());
    assert!(store.exists());
    drop(server);
    assert_eq!(greeting(&url).await, None);
    assert!(!store.exists());
}

#[tokio::test]
async fn a_postgres_keeps_what_was_committed_across_a_kill_and_a_stop() {
    let mut server = Postgres::start().await;
    let url = server.fresh_database().await;
    assert_eq!(query(&url, "CREATE TABLE t (n int); INSERT INTO t VALUES (7)"), Ok(String::new()));
    for _ in 0..3 {
        server.kill();
        assert!(query(&url, "SELECT n FROM t").is_err());
        server.restart().await;
        assert_eq!(query(&url, "SELECT n FROM t"), Ok("7".to_owned()));
    }
    server.stop().await;
    assert!(query(&url, "SELECT n FROM t").is_err());
    server.restart().await;
    assert_eq!(query(&url, "SELECT n FROM t"), Ok("7".to_owned()));
    assert_eq!(query(&url, "SHOW fsync"), Ok("on".to_owned()));
}

#[tokio::test]
async fn a_postgres_goes_on_after_a_killed_backend_and_a_pause() {
    let server = Postgres::start().await;
    let url = server.url();
    assert!(!server.kill_backend(), "nobody is connected yet");
    let mut busy = cluster::command("psql");
    busy.args(["-X", "-d", &url, "-c", "SELECT pg_sleep(60)"]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut busy = busy.spawn().unwrap();
    let begin = Instant::now();
    while !server.kill_backend() {
        assert!(begin.elapsed() < BOUND, "psql never connected");
        tick().await;
    }
    assert!(!busy.wait().unwrap().success());
    while query(&url, "SELECT 1").as_deref() != Ok("1") {
        assert!(begin.elapsed() < BOUND, "it did not recover");
        tick().await;
    }
    server.pause();
    assert!(tokio::time::timeout(Duration::from_millis(300), closed(&url)).await.is_err());
    server.resume();
    assert_eq!(query(&url, "SELECT 1"), Ok("1".to_owned()));
}

/// Waits for the server's word on a connection that says nothing sensible.
async fn closed(url: &str) {
    let mut stream = TcpStream::connect(address(url)).await.unwrap();
    stream.write_all(b"what?").await.unwrap();
    let _ = stream.read(&mut [0; 16]).await;
}

#[tokio::test]
async fn a_postgres_comes_back_although_a_query_outlived_its_kill() {
    let mut server = Postgres::start().await;
    let url = server.url();
    let mut busy = cluster::command("psql");
    busy.args(["-X", "-d", &url, "-c", "SELECT count(*) FROM generate_series(1, 8000000) n WHERE n % 7 = 3"]);
    let mut busy = busy.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%generate_series%7 = 3'";
    let begin = Instant::now();
    while query(&url, running).as_deref() != Ok("1") {
        assert!(begin.elapsed() < BOUND, "the query never ran");
        tick().await;
    }
    server.kill();
    server.restart().await;
    assert_eq!(query(&url, "SELECT 1"), Ok("1".to_owned()));
    busy.wait().unwrap();
}

#[tokio::test]
async fn databases_of_the_shared_postgres_do_not_see_each_other() {
    let server = Postgres::shared().await;
    let (one, other) = tokio::join!(server.fresh_database(), server.fresh_database());
    assert_ne!(one, other);
    assert_eq!(query(&one, "CREATE TABLE t (n int)"), Ok(String::new()));
    assert!(query(&other, "SELECT n FROM t").is_err());
    assert_eq!(Postgres::shared().await.url(), server.url());
}

/// Runs twice: the second process, told so by its environment, starts servers and waits to be killed by the first.
#[tokio::test]
async fn servers_do_not_outlive_a_killed_test_process() {
    if std::env::var_os(SECOND).is_some() {
        return start_servers_and_wait().await;
    }
    let (mut tests, line) = second_process();
    let [nats, postgres, store] = line.split(' ').collect::<Vec<_>>()[..] else {
        panic!("three words: {line}")
    };
    assert!(greeting(nats).await.is_some() && listens(postgres).await);
    tests.kill().unwrap();
    tests.wait().unwrap();
    let folder = Path::new(store).parent().unwrap();
    let begin = Instant::now();
    while greeting(nats).await.is_some() || listens(postgres).await || folder.exists() {
        assert!(begin.elapsed() < BOUND, "something of {line} is still there");
        tick().await;
    }
}

async fn start_servers_and_wait() {
    let nats = NatsServer::start().await;
    let postgres = Postgres::shared().await;
    eprintln!("servers: {} {} {}", nats.url(), postgres.url(), nats.store_dir().display());
    std::future::pending::<()>().await;
}

/// This test alone in another process, and what it says about its servers.
fn second_process() -> (Child, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--nocapture", "tests::servers_do_not_outlive_a_killed_test_process"]);
    let mut tests = command.env(SECOND, "1").stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(tests.stderr.take().unwrap()).lines().map_while(Result::ok);
    let line = lines.find_map(|line| Some(line.strip_prefix("servers: ")?.to_owned()));
    (tests, line.expect("the second process tells where its servers are"))
}

/// The first line a NATS server says to a new connection; none if nobody listens.
async fn greeting(url: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address(url)).await.ok()?;
    let mut buffer = vec![0; 4096];
    let length = stream.read(&mut buffer).await.ok()?;
    Some(String::from_utf8_lossy(&buffer[..length]).into_owned()).filter(|text| !text.is_empty())
}

async fn listens(url: &str) -> bool {
    TcpStream::connect(address(url)).await.is_ok()
}

async fn get(url: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address(url)).await.expect("the monitoring port is open");
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.expect("it takes a request");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("it answers in UTF-8");
    text
}

/// `host:port` of a URL.
fn address(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split_once('@').map_or(rest, |(_, rest)| rest);
    rest.split_once('/').map_or(rest, |(address, _)| address)
}

/// What psql prints for a statement, or what it says against it.
fn query(url: &str, sql: &str) -> Result<String, String> {
    let mut psql = cluster::command("psql");
    let output = psql.args(["-X", "-q", "-A", "-t", "-d", url, "-c", sql]).output().unwrap();
    let text = |bytes| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}
