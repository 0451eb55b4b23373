//! One process of Drip: started, killed, paused, and started again when it ends by itself.

use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use test_servers::{End, Process};
use tokio::sync::MutexGuard;

use super::program::drip;
use super::tick;

/// Who keeps services running waits so long before it starts one again.
const RESTART_PAUSE: Duration = Duration::from_millis(300);
/// How long a stop may take: Drip's own grace time, and the log's for a reply.
const STOP_BOUND: Duration = Duration::from_secs(30);

/// A process of Drip with a name for the report.
pub(crate) struct Role {
    name: String,
    arguments: Vec<String>,
    http: Option<u16>,
    planted: Option<&'static str>,
    state: tokio::sync::Mutex<State>,
    ends: Mutex<Vec<String>>,
}

struct State {
    process: Process,
    /// It is started again when it ends by itself.
    wanted: bool,
    paused: bool,
    /// Not before.
    next_start: Instant,
}

impl Role {
    /// Not started yet. `http`: the port it serves, if it serves one.
    pub(crate) fn new(name: impl Into<String>, arguments: Vec<String>, http: Option<u16>) -> Self {
        let process = Process::new("drip", End::Kill, &std::env::temp_dir());
        let state = State { process, wanted: false, paused: false, next_start: Instant::now() };
        Self {
            name: name.into(),
            arguments,
            http,
            planted: None,
            state: state.into(),
            ends: Mutex::default(),
        }
    }

    /// With a bug on purpose.
    pub(crate) fn planted(self, planted: Option<&'static str>) -> Self {
        Self { planted, ..self }
    }

    /// Serving HTTP on this port.
    pub(crate) fn with_http(self, port: u16) -> Self {
        Self { http: Some(port), ..self }
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where it answers.
    ///
    /// # Panics
    ///
    /// If it serves no HTTP.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port())
    }

    /// The port of it.
    ///
    /// # Panics
    ///
    /// If it serves no HTTP.
    pub(crate) fn port(&self) -> u16 {
        self.http.expect("only a role with HTTP is asked")
    }

    /// Starts it, unless it runs, and from now on whenever it ends by itself.
    pub(crate) async fn start(&self) -> Result<()> {
        let mut state = self.state.lock().await;
        state.wanted = true;
        self.collect(&mut state);
        if state.process.pid().is_none() {
            self.spawn(&mut state)?;
        }
        Ok(())
    }

    /// It is not started again any more when it ends.
    pub(crate) async fn let_end(&self) {
        self.state.lock().await.wanted = false;
    }

    /// SIGKILL, and it stays away.
    pub(crate) async fn kill(&self) {
        let mut state = self.state.lock().await;
        state.wanted = false;
        state.process.kill();
        state.paused = false;
    }

    /// SIGTERM, and it stays away. How it ended, if it ran.
    pub(crate) async fn stop(&self) -> Option<ExitStatus> {
        let mut state = self.state.lock().await;
        state.wanted = false;
        resume(&mut state);
        state.process.stop("TERM", STOP_BOUND).await
    }

    /// SIGSTOP. `false`: it does not run.
    pub(crate) async fn pause(&self) -> bool {
        let mut state = self.state.lock().await;
        self.collect(&mut state);
        if state.process.pid().is_none() {
            return false;
        }
        state.process.signal("STOP");
        state.paused = true;
        true
    }

    /// SIGCONT, if it was paused.
    pub(crate) async fn resume(&self) {
        resume(&mut *self.state.lock().await);
    }

    /// It has ended, and how it ended was noted.
    pub(crate) async fn has_ended(&self) -> bool {
        let mut state = self.state.lock().await;
        self.collect(&mut state);
        state.process.pid().is_none()
    }

    /// Starts it again if it has ended by itself and is wanted.
    pub(crate) async fn keep(&self) -> Result<()> {
        // Somebody who stops it right now holds the lock for as long as that takes.
        let Ok(mut state) = self.state.try_lock() else { return Ok(()) };
        self.collect(&mut state);
        if state.wanted && state.process.pid().is_none() && Instant::now() >= state.next_start {
            self.spawn(&mut state)?;
        }
        Ok(())
    }

    /// Waits until it takes commands.
    pub(crate) async fn until_ready(&self, http: &reqwest::Client, bound: Duration) -> Result<()> {
        let (begin, url) = (Instant::now(), format!("{}/health/ready", self.url()));
        while begin.elapsed() < bound {
            let answer = http.get(&url).timeout(Duration::from_secs(2)).send().await;
            if answer.is_ok_and(|answer| answer.status() == 200) {
                return Ok(());
            }
            tick().await;
        }
        bail!("{} is not ready after {bound:?}\n{}", self.name, self.log().await)
    }

    /// The sentences with which it ended by itself, in order.
    pub(crate) fn ends(&self) -> Vec<String> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All that it ever said.
    pub(crate) async fn output(&self) -> String {
        self.state.lock().await.process.output()
    }

    /// Leaves what it said in a folder.
    pub(crate) async fn keep_output(&self, folder: &Path) -> Result<()> {
        let file = folder.join(format!("{}.log", self.name.replace(' ', "-")));
        Ok(std::fs::write(file, self.output().await)?)
    }

    /// The end of what it said.
    pub(crate) async fn log(&self) -> String {
        self.state.lock().await.process.log()
    }

    fn spawn(&self, state: &mut MutexGuard<'_, State>) -> Result<()> {
        let mut command: Command = drip()?;
        command.args(&self.arguments).envs(self.planted.map(|bug| (planted::VARIABLE, bug)));
        if let Some(port) = self.http {
            command.arg("--http").arg(format!("127.0.0.1:{port}"));
        }
        state.process.spawn(command);
        Ok(())
    }

    fn collect(&self, state: &mut MutexGuard<'_, State>) {
        if let Some(status) = state.process.exited() {
            let sentence = last_error(&state.process.output()).unwrap_or_else(|| status.to_string());
            self.ends.lock().unwrap_or_else(PoisonError::into_inner).push(sentence);
            state.next_start = Instant::now() + RESTART_PAUSE;
            state.paused = false;
        }
    }
}

fn resume(state: &mut State) {
    if state.paused && state.process.pid().is_some() {
        state.process.signal("CONT");
    }
    state.paused = false;
}

/// The last error a process reported, with its causes, in one line.
fn last_error(output: &str) -> Option<String> {
    let lines: Vec<&str> = output.lines().collect();
    let at = lines.iter().rposition(|line| line.starts_with("error:"))?;
    let causes = lines[at + 1..].iter().map_while(|line| line.strip_prefix("  "));
    Some(
        [lines[at].trim_start_matches("error:").trim()]
            .into_iter()
            .chain(causes)
            .collect::<Vec<_>>()
            .join("; "),
    )
}

#[cfg(test)]
mod tests {
    use super::last_error;

    #[test]
    fn the_last_error_is_read_with_its_causes() {
        let output = "INFO x\nerror: old\n  because a\nINFO again\nerror: new\n  because b\n  Do c.\n";
        assert_eq!(last_error(output).as_deref(), Some("new; because b; Do c."));
        assert_eq!(last_error("INFO x\n"), None);
    }
}
