//! The secrets of a Drip: the key that seals and signs, and the one that its workers are known by.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use command_api::vault::Vault;
use event_log::EventLog;
use ledger_core::Sequence;
use sha2::{Digest as _, Sha256};

use super::config::write_secret;
use crate::commands::parse;

/// Secrets, from the environment or from files.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SecretArgs {
    /// The key that seals secrets in the log and signs tokens: 64 hex digits, as `openssl rand -hex 32` makes them. Every
    /// role needs the same [default: DIR/secret.key, which `drip up` and `drip init` make when there is none].
    #[arg(long, env = "DRIP_SECRET_KEY_FILE", value_name = "FILE")]
    secret_key_file: Option<PathBuf>,

    /// The same in the environment: DRIP_SECRET_KEY.
    #[arg(long, env = "DRIP_SECRET_KEY", value_name = "HEX", hide = true, hide_env_values = true)]
    secret_key: Option<String>,

    /// The key that workers are known by, in the environment: DRIP_WORKER_KEY. `drip up` needs none.
    #[arg(long, env = "DRIP_WORKER_KEY", value_name = "KEY", hide = true, hide_env_values = true)]
    worker_key: Option<String>,

    /// Where this Drip is reached by containers and by the provider of checkout sessions: https://drip.example.org.
    #[arg(long, env = "DRIP_PUBLIC_URL", value_name = "URL", value_parser = parse::public_url)]
    public_url: Option<String>,
}

/// What a new log begins with: nobody has sealed anything yet.
const FIRST: Sequence = 1;

/// The shortest key of workers.
const WORKER_KEY_MIN: usize = 32;

impl SecretArgs {
    /// Makes the key of the data folder, when there is none and none is handed in.
    ///
    /// Errors: as [`create`].
    pub(crate) async fn create(&self, dir: &Path, log: &dyn EventLog) -> Result<()> {
        match self.secret_key.is_some() || self.secret_key_file.is_some() {
            true => Ok(()),
            false => create(dir, log).await,
        }
    }

    /// Where this Drip is reached from outside, if that is known.
    pub(crate) fn public_url(&self) -> Option<String> {
        self.public_url.clone().filter(|url| !url.is_empty())
    }

    /// The vault; `None` where there is no key.
    pub(crate) fn vault(&self, dir: &Path) -> Result<Option<Vault>> {
        let usual = usual_file(dir);
        let file = self.secret_key_file.clone().or_else(|| usual.exists().then_some(usual));
        let (text, from) = match (&self.secret_key, file) {
            (Some(text), _) => (text.clone(), "DRIP_SECRET_KEY".to_owned()),
            (None, Some(file)) => (read(&file)?, file.display().to_string()),
            (None, None) => return Ok(None),
        };
        Vault::new(&text).map(Some).with_context(|| format!("{from} can not be used"))
    }

    /// The key of workers, if there is one.
    pub(crate) fn worker_key(&self) -> Result<Option<String>> {
        match &self.worker_key {
            Some(key) if key.len() < WORKER_KEY_MIN => {
                bail!(
                    "DRIP_WORKER_KEY must have at least {WORKER_KEY_MIN} characters: `openssl rand -hex 32` makes one"
                )
            }
            key => Ok(key.clone()),
        }
    }
}

/// Makes the key of a data folder, when there is none. Beside a log that has grown the former may be lost: that is told.
///
/// Errors: the log can not be read, or the key not be written.
pub(crate) async fn create(dir: &Path, log: &dyn EventLog) -> Result<()> {
    let file = usual_file(dir);
    if file.exists() {
        return Ok(());
    }
    let has_grown = has_grown(log).await?;
    write_secret(&file, &Vault::draw())?;
    if has_grown {
        tracing::warn!(
            file = %file.display(),
            "a secret key was made, and the log is not new. If it had another one: stop, and put that back (the file, or \
             DRIP_SECRET_KEY). Variables that were sealed under it can not be opened without it, nor do tokens count"
        );
    }
    Ok(())
}

async fn has_grown(log: &dyn EventLog) -> Result<bool> {
    for partition in log.identity().partitions() {
        if log.head(partition).await? > FIRST {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A key of workers for one process.
pub(crate) fn draw_worker_key() -> String {
    Vault::draw()
}

/// What is kept of a key of workers.
pub(crate) fn hash(key: &str) -> [u8; 32] {
    Sha256::digest(key).into()
}

fn usual_file(dir: &Path) -> PathBuf {
    dir.join("secret.key")
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("can not read the secret key {}", file.display()))
}
