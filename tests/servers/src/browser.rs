//! A chromedriver, and the Chromium that it starts for who speaks WebDriver to it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::process::{End, Process, tick};
use crate::programs;

/// How long a start may take before the test fails.
const BOUND: Duration = Duration::from_secs(20);
/// What it says when it listens; the port follows.
const LISTENS: &str = "ChromeDriver was started successfully on port ";

/// A chromedriver on a free loopback port. Dropping it kills it with all its browsers, and removes what they have kept.
#[derive(Debug)]
pub struct ChromeDriver {
    process: Process,
    port: u16,
}

impl ChromeDriver {
    /// One that takes sessions.
    ///
    /// # Panics
    ///
    /// If there is no chromedriver or no Chromium on the machine, or it does not start; with the end of its log.
    pub async fn start() -> Self {
        let mut process = Process::new("chromedriver", End::KillGroup, &std::env::temp_dir());
        let folder = process.folder();
        let mut command = Command::new(programs::chromedriver());
        // Browsers keep their profiles where temporary files go, and other things at home.
        command.arg("--port=0").env("TMPDIR", folder).env("HOME", folder);
        command.env_remove("XDG_CONFIG_HOME").env_remove("XDG_CACHE_HOME");
        process.spawn(command);
        let port = port_of(&mut process).await;
        Self { process, port }
    }

    /// Where it takes sessions: `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The browser that it is to start.
    #[must_use]
    pub fn chromium(&self) -> &'static Path {
        programs::chromium()
    }

    /// What that browser is started with to show nothing on a screen, by root and in a container too.
    ///
    /// # Panics
    ///
    /// If this is no Linux.
    #[must_use]
    pub fn arguments(&self) -> Vec<&'static str> {
        let root = fs::metadata("/proc/self").expect("Linux shows every process its own entry").uid() == 0;
        let sandbox = root.then_some("--no-sandbox");
        ["--headless=new", "--disable-dev-shm-usage", "--disable-gpu"].into_iter().chain(sandbox).collect()
    }

    /// Where it and its browsers keep their files.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.process.folder()
    }

    /// The end of what it said, for a panic's message.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.log()
    }
}

/// The port that it has chosen, once it listens.
async fn port_of(process: &mut Process) -> u16 {
    let begin = Instant::now();
    loop {
        if let Some(port) = process.output().split_once(LISTENS).and_then(|(_, rest)| number(rest)) {
            return port;
        }
        let ended = process.exited();
        assert!(ended.is_none(), "chromedriver ended: {ended:?}\n{}", process.log());
        assert!(begin.elapsed() < BOUND, "chromedriver does not listen after {BOUND:?}\n{}", process.log());
        tick().await;
    }
}

/// The number before the first full stop: without one it may not be whole yet.
fn number(text: &str) -> Option<u16> {
    text.split_once('.')?.0.parse().ok()
}
