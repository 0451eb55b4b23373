//! Does an acknowledgement mean the disk? Only the server's monitoring address can tell.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::JetStreamOptions;
use crate::OpenError;

const BOUND: Duration = Duration::from_secs(5);
/// An answer about one server has a few kilobytes; more is not an answer to our question.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// All servers named sync before they acknowledge, they are as many as hold the log, and the one we are
/// connected to is among them.
pub(super) async fn check(
    options: &JetStreamOptions,
    connected: &str,
    replicas: u64,
) -> Result<(), OpenError> {
    let refuse = |reason: String| Err(OpenError::Durability { reason });
    if options.monitor_urls.is_empty() {
        return refuse("no monitoring address was given, so the server can not be asked".to_owned());
    }
    let mut asked = BTreeSet::new();
    for url in &options.monitor_urls {
        match ask(url).await {
            Ok(answer) if answer["config"]["sync_always"] == Value::Bool(true) => {
                asked.insert(answer["server_id"].as_str().unwrap_or_default().to_owned());
            }
            Ok(_) => return refuse(format!("the server at {url} acknowledges before it syncs to the disk")),
            Err(reason) => return refuse(format!("{url} did not say how it syncs: {reason}")),
        }
    }
    if !asked.contains(connected) {
        return refuse(
            "the monitoring address belongs to another server than the one connected to".to_owned(),
        );
    }
    match u64::try_from(asked.len()).is_ok_and(|asked| asked >= replicas) {
        true => Ok(()),
        false => refuse(format!("{replicas} servers hold the log and only {} could be asked", asked.len())),
    }
}

async fn ask(url: &str) -> Result<Value, String> {
    let host =
        url.strip_prefix("http://").ok_or("only http:// addresses can be asked")?.trim_end_matches('/');
    let answer = tokio::time::timeout(BOUND, get(host, "/jsz?config=true")).await;
    let text = answer.map_err(|_| "no answer in time")?.map_err(|error| error.to_string())?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or("the answer is not HTTP")?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    if status != "200" {
        return Err(format!("HTTP status {status}"));
    }
    serde_json::from_str(body).map_err(|error| format!("the answer is not JSON: {error}"))
}

/// HTTP/1.0, so that the answer comes in one piece and ends with the connection.
async fn get(host: &str, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(host).await?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n").as_bytes()).await?;
    let mut text = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut text).await?;
    Ok(text)
}
