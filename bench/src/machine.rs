//! On what it was measured.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use crate::ratio::median;

/// How often a flush is tried.
const FLUSHES: usize = 200;

/// A machine and what runs on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    /// How many there are.
    pub processors: usize,
    /// The memory, in MiB.
    pub memory: u64,
    /// The kernel.
    pub kernel: String,
    /// How long a write of 4 KiB and its flush to the disk take, in the middle, in microseconds: where logs are put.
    pub flush_micros: u64,
    /// Versions of what was measured.
    pub versions: String,
    /// It was built for speed. Figures of a debug build say nothing.
    pub optimised: bool,
}

impl Machine {
    /// This one. Error: the temporary folder can not be written.
    pub fn here() -> Result<Self> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            processor: line_of("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned()),
            processors,
            memory: line_of("/proc/meminfo", "MemTotal").and_then(|text| kib(&text)).unwrap_or(0) / 1024,
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            flush_micros: flush_micros(&std::env::temp_dir())?,
            versions: format!("Drip {}, {}", env!("CARGO_PKG_VERSION"), test_servers::versions()),
            optimised: !cfg!(debug_assertions),
        })
    }
}

/// The memory this process occupies, in bytes; 0 where the kernel does not say.
pub fn resident() -> u64 {
    line_of("/proc/self/status", "VmRSS").and_then(|text| kib(&text)).unwrap_or(0) * 1024
}

fn kib(text: &str) -> Option<u64> {
    text.strip_suffix("kB")?.trim().parse().ok()
}

fn line_of(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn flush_micros(dir: &Path) -> Result<u64> {
    let file = tempfile::Builder::new().prefix("drip-bench-flush-").tempfile_in(dir)?;
    let mut file: &File = file.as_file();
    let mut took = Vec::with_capacity(FLUSHES);
    for _ in 0..FLUSHES {
        let begin = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        took.push(micros(begin.elapsed()));
    }
    Ok(median(took))
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
