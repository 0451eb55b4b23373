//! The program under torture.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, bail};

/// `drip`, in an environment that says nothing about any Drip.
pub(crate) fn drip() -> Result<Command> {
    let mut command = Command::new(find()?);
    for name in ["DRIP_URL", "DRIP_API_KEY", "DRIP_DATA_DIR", "DRIP_CONFIG", "DRIP_NATS_URL", "DATABASE_URL"]
    {
        command.env_remove(name);
    }
    command.env("RUST_BACKTRACE", "1").env("NO_COLOR", "1").env_remove("RUST_LOG");
    Ok(command)
}

/// Runs it to its end; what it printed. Error: it failed, with what it said.
pub(crate) async fn run(arguments: &[String]) -> Result<String> {
    let output = ask(arguments).await?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("drip {} ended with {}: {said}", arguments.join(" "), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs it to its end, however that is.
pub(crate) async fn ask(arguments: &[String]) -> Result<Output> {
    let mut command = drip()?;
    command.args(arguments).stdin(Stdio::null());
    Ok(tokio::process::Command::from(command).kill_on_drop(true).output().await?)
}

/// Named by `DRIP_BIN`, or built into the same folder as this program.
fn find() -> Result<PathBuf> {
    let named = std::env::var_os("DRIP_BIN").map(PathBuf::from);
    let own = std::env::current_exe().context("this program can not find itself")?;
    let beside = own.ancestors().skip(1).take(2).map(|folder| folder.join("drip"));
    let found = named.into_iter().chain(beside).find(|path| path.is_file());
    found.context("there is no program drip: build it (cargo build -p drip), or name it by DRIP_BIN")
}
