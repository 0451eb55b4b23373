//! `drip import-usage` of a real file into a Drip on the embedded engines, in a process of its own.

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;

use crate::drive::per_second;
use crate::engines::{Drip, LogKind, Views, Wanted, clean};

/// How a file is imported: as the README shows it.
const FLAGS: &[&str] = &[
    "--time-column",
    "TIMESTAMP",
    "--price",
    "ContextTokens=0.0000025",
    "--price",
    "GeneratedTokens=0.00001",
    "--spread-users",
    "10000",
    "--grant",
    "50",
];

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Import {
    /// Rows that were imported.
    pub rows: u64,
    /// Rows a second, from the command's start to its end.
    pub per_second: u64,
}

/// Imports the rows of `trace`, again and again until they are `rows`. Error: the import failed.
pub async fn measure(program: PathBuf, trace: &Path, rows: u64) -> Result<Import> {
    let dir = tempfile::Builder::new().prefix("drip-bench-").tempdir()?;
    let file = dir.path().join("usage.csv");
    repeat(trace, rows, &file)?;
    let (log, views) = (LogKind::Sqlite, Views::Folder);
    let wanted = Wanted { program: program.clone(), log, partitions: 1, projector: true, views };
    let drip = Drip::start(&wanted).await?;
    let mut import = clean(&program);
    import.arg("import-usage").arg(&file).args(FLAGS).arg("--json");
    import.env("DRIP_URL", drip.url()).env("DRIP_API_KEY", drip.api_key()?);
    let begin = Instant::now();
    let output = tokio::process::Command::from(import).output().await?;
    let took = begin.elapsed();
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the import failed: {}", said.trim());
    let summary: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("the import's summary is not JSON")?;
    ensure!(summary["charged"] == rows, "{} of {rows} rows were charged", summary["charged"]);
    Ok(Import { rows, per_second: per_second(rows, took) })
}

/// The header once, then the other lines over and over.
fn repeat(trace: &Path, rows: u64, file: &Path) -> Result<()> {
    let opened = File::open(trace).with_context(|| format!("can not read {}", trace.display()))?;
    let lines = BufReader::new(opened).lines().collect::<Result<Vec<_>, _>>()?;
    let (header, body) = lines.split_first().context("the file is empty")?;
    ensure!(!body.is_empty(), "{} has no rows", trace.display());
    let mut out = BufWriter::new(File::create(file)?);
    writeln!(out, "{header}")?;
    let rows = usize::try_from(rows)?;
    body.iter().cycle().take(rows).try_for_each(|line| writeln!(out, "{line}"))?;
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_are_repeated_and_the_header_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let (trace, file) = (dir.path().join("a"), dir.path().join("b"));
        std::fs::write(&trace, "h\n1\n2\n").unwrap();
        repeat(&trace, 5, &file).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "h\n1\n2\n1\n2\n1\n");
        std::fs::write(&trace, "h\n").unwrap();
        assert!(repeat(&trace, 5, &file).is_err());
    }
}
