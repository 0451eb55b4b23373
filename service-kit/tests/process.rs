//! What only a whole process can show: signals and where logs go. Each test runs itself again in a second process,
//! told its role by the environment.

use std::future::pending;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use service_kit::telemetry::{self, Format};
use service_kit::{StopReason, Supervisor};

const ROLE: &str = "SERVICE_KIT_TEST_ROLE";
const BOUND: Duration = Duration::from_secs(20);

/// The test of this name once more, in a process of its own.
fn again(test: &str, role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a test knows its own program"));
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

/// A process that runs [`service`], read line by line, and killed when the test lets go of it.
struct Service {
    child: Child,
    lines: Receiver<String>,
}

impl Service {
    fn start(test: &str) -> Self {
        let mut child = again(test, "service").spawn().expect("the test program can be started twice");
        let reader = BufReader::new(child.stderr.take().expect("it is piped"));
        let (sender, lines) = channel();
        // Nobody listens any more once the test is over.
        std::thread::spawn(move || {
            reader.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, lines }
    }

    fn wait_for(&self, line: &str) {
        while self.lines.recv_timeout(BOUND).unwrap_or_else(|_| panic!("it never said \"{line}\"")) != line {}
    }

    fn send(&self, signal: &str) {
        let script = format!("kill -{signal} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &script]).status().is_ok_and(|status| status.success()));
    }

    fn runs(&mut self) -> bool {
        self.child.try_wait().expect("our own child can be waited for").is_none()
    }

    /// Whether its own checks passed.
    async fn ended_well(&mut self) -> bool {
        let begin = Instant::now();
        while self.runs() {
            assert!(begin.elapsed() < BOUND, "it still runs");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.child.wait().is_ok_and(|status| status.success())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn sigterm_and_sigint_stop_a_process_in_order() {
    if role().is_some() {
        return service(false).await;
    }
    for signal in ["TERM", "INT"] {
        let mut process = Service::start("sigterm_and_sigint_stop_a_process_in_order");
        process.wait_for("ready");
        process.send(signal);
        process.wait_for("stopping");
        assert!(process.ended_well().await, "{signal}");
    }
}

#[tokio::test]
async fn a_second_signal_ends_the_grace_time() {
    if role().is_some() {
        return service(true).await;
    }
    let mut process = Service::start("a_second_signal_ends_the_grace_time");
    process.wait_for("ready");
    process.send("INT");
    process.wait_for("stopping");
    assert!(process.runs(), "one signal leaves it its grace time");
    process.send("INT");
    assert!(process.ended_well().await);
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
