//! JetStream: creating and opening, and what is refused there.

use std::sync::Arc;
use std::time::Duration;

use event_log::{EventLog as _, JetStreamLog, JetStreamOptions, LogIdentity, contract};
use futures::join;
use ledger_core::LogId;
use serde_json::{Value, json};
use test_servers::NatsServer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::setup::{IDENTITY, api, created, opened, options, stranger};

#[tokio::test]
async fn a_creation_that_was_cut_off_can_be_repeated() {
    let server = NatsServer::start().await;
    created(&server).await;
    let context = stranger(&server).await;
    context.delete_stream("LEDGER-01").await.expect("deleted");
    let cut_off = JetStreamLog::open(&options(&server)).await.expect_err("one stream is missing").to_string();
    assert!(cut_off.starts_with("there is no log on nats://127.0.0.1:"), "{cut_off}");
    let other = LogIdentity { log: LogId([0x22; 16]), ..IDENTITY };
    let found = JetStreamLog::create(&options(&server), other, 1).await.expect("repeated");
    assert_eq!(found, IDENTITY);
    assert_eq!(opened(&server).await.identity(), IDENTITY);
    let more = LogIdentity { partitions: 4, ..IDENTITY };
    let refused =
        JetStreamLog::create(&options(&server), more, 1).await.expect_err("the number can not change");
    assert!(refused.to_string().starts_with("the log exists with 2 partitions"), "{refused}");
}

#[tokio::test]
async fn of_two_who_create_at_once_both_get_the_same_log() {
    let server = NatsServer::start().await;
    let other = LogIdentity { log: LogId([0x22; 16]), ..IDENTITY };
    let options = options(&server);
    let (one, two) =
        join!(JetStreamLog::create(&options, IDENTITY, 1), JetStreamLog::create(&options, other, 1));
    assert_eq!(one.expect("created"), two.expect("created"));
}

#[tokio::test]
async fn every_difference_in_a_streams_configuration_is_refused() {
    let server = NatsServer::start().await;
    created(&server).await;
    let context = stranger(&server).await;
    let good = api(&context, "STREAM.INFO.LEDGER-01".to_owned(), &Value::Null).await["config"].take();
    let cases = [
        ("subjects", json!(["drip.ledger.01.usage"])),
        ("subjects", json!(["drip.ledger.01.usage", "drip.ledger.01.signal", "drip.ledger.01.more"])),
        ("retention", json!("interest")),
        ("discard", json!("old")),
        ("storage", json!("memory")),
        ("max_age", json!(3_600_000_000_000_u64)),
        ("max_msgs", json!(1_000_000)),
        ("max_bytes", json!(1_000_000_000)),
        ("max_msgs_per_subject", json!(1_000_000)),
        ("max_consumers", json!(10)),
        ("max_msg_size", json!(100_000)),
        ("duplicate_window", json!(60_000_000_000_u64)),
        ("compression", json!("s2")),
        ("deny_delete", json!(false)),
        ("deny_purge", json!(false)),
        ("allow_direct", json!(true)),
        ("allow_msg_ttl", json!(true)),
        ("allow_atomic", json!(true)),
        ("allow_batched", json!(true)),
        ("persist_mode", json!("async")),
        ("no_ack", json!(true)),
        ("first_seq", json!(10)),
        ("description", json!("edited by hand")),
        ("republish", json!({ "src": "drip.ledger.01.usage", "dest": "elsewhere" })),
        ("metadata", json!({ "drip.log": "22".repeat(16), "drip.partitions": "2", "drip.chain": "1" })),
        ("metadata", json!({ "drip.log": "11".repeat(16), "drip.partitions": "3", "drip.chain": "1" })),
        ("metadata", json!({ "drip.log": "11".repeat(16), "drip.partitions": "2", "drip.chain": "2" })),
        ("metadata", json!({})),
    ];
    for (field, value) in cases {
        context.delete_stream("LEDGER-01").await.expect("deleted");
        let mut config = good.clone();
        config[field] = value.clone();
        api(&context, "STREAM.CREATE.LEDGER-01".to_owned(), &config).await;
        for refused in [
            JetStreamLog::open(&options(&server)).await.map(drop),
            JetStreamLog::create(&options(&server), IDENTITY, 1).await.map(drop),
        ] {
            let refused = refused.expect_err(field).to_string();
            let expected = "the stream LEDGER-01 is not configured as the ledger needs it: ";
            assert!(refused.starts_with(&format!("{expected}{field} is ")), "{field} {value}: {refused}");
        }
    }
    context.delete_stream("LEDGER-01").await.expect("deleted");
    api(&context, "STREAM.CREATE.LEDGER-01".to_owned(), &good).await;
    opened(&server).await;
}

#[tokio::test]
async fn a_first_stream_that_is_not_of_a_log_is_refused() {
    let server = NatsServer::start().await;
    let context = stranger(&server).await;
    let config = json!({ "name": "LEDGER-00", "subjects": ["drip.ledger.00.*"] });
    api(&context, "STREAM.CREATE.LEDGER-00".to_owned(), &config).await;
    let refused = JetStreamLog::open(&options(&server)).await.expect_err("no log").to_string();
    assert!(refused.contains("its metadata does not say which log it belongs to"), "{refused}");
    let refused = JetStreamLog::create(&options(&server), IDENTITY, 1).await.expect_err("no log").to_string();
    assert!(refused.contains("deny_delete is not set, must be true"), "{refused}");
}

#[tokio::test]
async fn a_server_that_does_not_sync_is_refused_unless_that_is_allowed() {
    let server = NatsServer::builder().default_sync().start().await;
    JetStreamLog::create(&options(&server), IDENTITY, 1).await.expect("creating is a step apart");
    let refused = JetStreamLog::open(&options(&server)).await.expect_err("unsafe").to_string();
    assert!(
        refused
            .contains("acknowledges before it syncs to the disk. The server needs `sync_interval: always`"),
        "{refused}"
    );
    let allowed =
        JetStreamOptions { allow_unsafe_durability: true, monitor_urls: vec![], ..options(&server) };
    JetStreamLog::open(&allowed).await.expect("allowed for development");
}

#[tokio::test]
async fn where_nobody_can_tell_whether_the_server_syncs_it_is_refused() {
    let (server, another) = join!(NatsServer::start(), NatsServer::start());
    created(&server).await;
    let url = server.monitor_url();
    let cases = [
        (vec![], "no monitoring address was given"),
        (vec![server.url()], "only http:// addresses can be asked"),
        (
            vec!["http://127.0.0.1:1".to_owned()],
            "http://127.0.0.1:1 did not say how it syncs: Connection refused",
        ),
        (vec![server.url().replace("nats", "http")], "did not say how it syncs"),
        (vec![another.monitor_url()], "belongs to another server"),
        (vec![url.clone(), "http://127.0.0.1:1".to_owned()], "http://127.0.0.1:1 did not say"),
    ];
    for (monitor_urls, expected) in cases {
        let options = JetStreamOptions { monitor_urls, ..options(&server) };
        let refused = JetStreamLog::open(&options).await.expect_err(expected).to_string();
        assert!(refused.contains(expected), "{refused}");
    }
    let both =
        JetStreamOptions { monitor_urls: vec![format!("{url}/"), another.monitor_url()], ..options(&server) };
    JetStreamLog::open(&both).await.expect("all of them sync");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_one_clear_sentence() {
    let options = JetStreamOptions::new("nats://drip:secret@127.0.0.1:1");
    let refused = JetStreamLog::open(&options).await.expect_err("nobody listens").to_string();
    let expected = "can not reach NATS at nats://127.0.0.1:1: Connection refused (os error 111). \
         Start it or correct --nats";
    assert_eq!(refused, expected);
}

#[tokio::test]
async fn a_server_that_is_too_old_is_refused() {
    for (version, refused) in
        [("2.14.3", true), ("2.9.25", true), ("2.14.4", false), ("2.15.0-beta.1", false)]
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let options = JetStreamOptions {
            timeout: Duration::from_millis(100),
            ..JetStreamOptions::new(format!("nats://{address}"))
        };
        let opened = tokio::select! {
            opened = JetStreamLog::open(&options) => opened,
            () = pretend(listener, version) => unreachable!("it serves for ever"),
        };
        let error = opened.expect_err("it has no streams").to_string();
        assert_eq!(
            error.starts_with(&format!("nats-server {version} at nats://{address} is too old")),
            refused,
            "{error}"
        );
    }
}

/// A server of this version that greets one client and then answers nothing but pings.
async fn pretend(listener: TcpListener, version: &str) {
    let (mut stream, _) = listener.accept().await.expect("a client comes");
    let info = json!({ "server_id": "X", "version": version, "headers": true, "max_payload": 1 << 20 });
    stream.write_all(format!("INFO {info}\r\n").as_bytes()).await.expect("it reads");
    let mut piece = [0; 4096];
    while stream.read(&mut piece).await.is_ok_and(|length| length > 0) {
        stream.write_all(b"PONG\r\n").await.expect("it reads");
    }
    std::future::pending().await
}

#[tokio::test]
async fn the_rights_of_a_writer_and_reader_of_the_log_suffice() {
    let streams = ["LEDGER-00", "LEDGER-01"];
    let rights = |stream: &&str| {
        format!(
            r#""$JS.API.STREAM.INFO.{stream}", "$JS.API.STREAM.MSG.GET.{stream}", "$JS.API.CONSUMER.CREATE.{stream}.>",
               "$JS.API.CONSUMER.INFO.{stream}.>", "$JS.API.CONSUMER.MSG.NEXT.{stream}.>","#
        )
    };
    let rights: String = streams.iter().map(rights).collect();
    let bucket = r#""$JS.API.STREAM.INFO.KV_DRIP-ANCHORS", "$JS.API.STREAM.MSG.GET.KV_DRIP-ANCHORS", "$KV.DRIP-ANCHORS.>","#;
    let users = format!(
        r#"authorization {{ users: [
            {{ user: admin, password: admin }}
            {{ user: log, password: "p@ss", permissions: {{ publish: [{rights} {bucket} "drip.ledger.>"], subscribe: ["_INBOX_w.>"] }} }}
        ] }}"#
    );
    let server = NatsServer::builder().config(&users).start().await;
    let at = |user: &str| server.url().replace("//", &format!("//{user}@"));
    let admin = JetStreamOptions { url: at("admin:admin"), ..options(&server) };
    JetStreamLog::create(&admin, IDENTITY, 1).await.expect("an administrator may create");
    let options =
        JetStreamOptions { url: at("log:p%40ss"), inbox_prefix: "_INBOX_w".to_owned(), ..options(&server) };
    let log = JetStreamLog::open(&options).await.expect("it may look");
    let log = Arc::new(log);
    contract::a_waiting_follower_is_woken_by_each_append(log.clone()).await;
    contract::kept_anchors_never_go_backwards(log).await;
    let refused = JetStreamLog::create(&options, LogIdentity { partitions: 3, ..IDENTITY }, 1).await;
    refused.expect_err("it may not create");
    let wrong = JetStreamOptions { url: at("log:wrong"), ..options };
    let refused = JetStreamLog::open(&wrong).await.expect_err("a wrong password").to_string();
    assert!(refused.contains("authorization violation") && !refused.contains("wrong"), "{refused}");
}

#[tokio::test]
async fn a_server_whose_messages_are_too_small_for_a_commit_is_refused() {
    let server = NatsServer::builder().config("max_payload: 64KB").start().await;
    JetStreamLog::create(&options(&server), IDENTITY, 1).await.expect("creating is a step apart");
    let refused = JetStreamLog::open(&options(&server)).await.expect_err("too small").to_string();
    assert!(
        refused.contains("takes messages up to 65536 bytes") && refused.contains("max_payload: 1MB"),
        "{refused}"
    );
}

#[tokio::test]
async fn the_time_is_the_server_s() {
    let server = NatsServer::start().await;
    created(&server).await;
    let before =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_micros();
    let time = opened(&server).await.time().await.expect("asked").expect("a server has a clock");
    let apart = i128::from(time.0) - i128::try_from(before).expect("this age");
    assert!((-1_000_000..30_000_000).contains(&apart), "{apart} µs");
}
