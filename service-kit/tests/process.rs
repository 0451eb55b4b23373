//! What only a whole process can show: signals and where logs go. Each test runs itself again in a second process,
//! told its role by the environment.

use std::future::pending;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use service_kit::telemetry::{self, Format};
use service_kit::{StopReason, Supervisor};

const ROLE: &str = "SERVICE_KIT_TEST_ROLE";
const BOUND: Duration = Duration::from_secs(20);

/// The test of this name once more, in a process of its own.
fn again(test: &str, role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--nocapture", test]).env(ROLE, role).env_remove("DRIP_LOG");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// A process that says it is ready, and what it ended with.
async fn service(stubborn: bool) {
    let supervisor = Supervisor::new(Duration::from_secs(3600));
    let token = supervisor.token();
    supervisor.spawn("server", async move {
        eprintln!("ready");
        token.cancelled().await;
        eprintln!("stopping");
        if stubborn { pending().await } else { Ok::<(), io::Error>(()) }
    });
    let result = supervisor.run_until_stopped().await;
    assert!(if stubborn { matches!(result, Err(StopReason::Overdue { .. })) } else { result.is_ok() });
}

fn send(signal: &str, child: &Child) {
    let kill = Command::new("sh").args(["-c", &format!("kill -{signal} {}", child.id())]).status().unwrap();
    assert!(kill.success());
}

fn wait_for_line(lines: &mut impl Iterator<Item = String>, line: &str) {
    assert!(lines.any(|text| text == line), "it never said \"{line}\"");
}

async fn ended(child: &mut Child) -> ExitStatus {
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(begin.elapsed() < BOUND, "it still runs");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn sigterm_and_sigint_stop_a_process_in_order() {
    if role().is_some() {
        return service(false).await;
    }
    for signal in ["TERM", "INT"] {
        let mut child = again("sigterm_and_sigint_stop_a_process_in_order", "service").spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        wait_for_line(&mut lines, "ready");
        send(signal, &child);
        wait_for_line(&mut lines, "stopping");
        assert!(ended(&mut child).await.success(), "{signal}");
    }
}

#[tokio::test]
async fn a_second_signal_ends_the_grace_time() {
    if role().is_some() {
        return service(true).await;
    }
    let mut child = again("a_second_signal_ends_the_grace_time", "service").spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    wait_for_line(&mut lines, "ready");
    send("INT", &child);
    wait_for_line(&mut lines, "stopping");
    assert!(child.try_wait().unwrap().is_none(), "one signal leaves it its grace time");
    send("INT", &child);
    assert!(ended(&mut child).await.success());
}

#[test]
fn logs_go_to_stderr_as_the_filter_and_the_format_say() {
    if let Some(role) = role() {
        telemetry::init(if role == "json" { Format::Json } else { Format::Human }).unwrap();
        tracing::info!(user = "ada", "quite normal");
        tracing::debug!("too much");
        assert!(telemetry::init(Format::Human).is_err());
        return;
    }
    let cases = [
        ("human", "info", "INFO process: quite normal user=\"ada\"", "too much"),
        ("json", "info", r#""message":"quite normal","user":"ada""#, "too much"),
        ("human", "debug", "too much", "\u{1b}["),
        ("human", "warn", "test result: ok", "quite normal"),
    ];
    for (role, filter, expected, absent) in cases {
        let test = "logs_go_to_stderr_as_the_filter_and_the_format_say";
        let output = again(test, role).env("DRIP_LOG", filter).output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{out}{err}");
        assert!(format!("{out}{err}").contains(expected), "{role} {filter}: {err}");
        assert!(!err.contains(absent), "{role} {filter}: {err}");
        assert!(!out.contains("quite normal") && !out.contains("too much"), "logs in stdout: {out}");
    }
}
