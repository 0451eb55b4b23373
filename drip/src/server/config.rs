//! The configuration file, `drip.toml`: apps with their rules, and API keys (their hashes alone).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use command_api::edge::auth::{ApiKeyConfig, Keyring, generate_key};
use ledger_core::{AppId, Policy};
use serde::Deserialize;

/// The app that a fresh data folder has.
pub(crate) const FIRST_APP: &str = "demo";

/// What `drip.toml` says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// Rules by app. Every app that keys speak for must be here.
    #[serde(default)]
    pub(crate) apps: BTreeMap<AppId, Policy>,
    /// Who may ask.
    #[serde(default)]
    pub(crate) api_keys: Vec<ApiKeyConfig>,
    /// What apps are called in mails, where that is not their name.
    #[serde(default)]
    pub(crate) app_names: BTreeMap<AppId, String>,
}

impl Config {
    /// Reads and checks a file. Error: the file, and what is wrong in it.
    pub(crate) fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file)
            .with_context(|| format!("can not read the configuration {}", file.display()))?;
        let config: Self = toml::from_str(&text)
            .with_context(|| format!("the configuration {} is wrong", file.display()))?;
        config.check().with_context(|| format!("the configuration {} is wrong", file.display()))?;
        Ok(config)
    }

    fn check(&self) -> Result<()> {
        if self.apps.is_empty() {
            bail!("it names no app: add [apps.{FIRST_APP}]");
        }
        for (app, policy) in &self.apps {
            policy.check().with_context(|| format!("apps.{app}"))?;
        }
        let stranger = self.api_keys.iter().find(|key| !self.apps.contains_key(&key.app));
        if let Some(key) = stranger {
            bail!("api_keys: key {:?} is for app {:?}, which is not in [apps]", key.name, key.app);
        }
        Keyring::new(&self.api_keys)?;
        Ok(())
    }
}

/// The configuration of a data folder: `--config`, or `drip.toml` in it, which is made with a first app and its
/// development key when there is none.
pub(crate) fn load_or_create(dir: &Path, named: Option<PathBuf>) -> Result<Config> {
    match named {
        Some(file) => Config::read(&file),
        None => {
            let file = usual_file(dir);
            if !file.exists() {
                create(dir, &file)?;
            }
            Config::read(&file)
        }
    }
}

/// The same for a role by itself, which makes nothing: its keys would be nobody's.
pub(crate) fn load(dir: &Path, named: Option<PathBuf>) -> Result<Config> {
    let file = named.unwrap_or_else(|| usual_file(dir));
    if !file.exists() {
        bail!("there is no configuration {}: make one with `drip init`, or give --config", file.display());
    }
    Config::read(&file)
}

fn usual_file(dir: &Path) -> PathBuf {
    dir.join("drip.toml")
}

/// The development key's file.
pub(crate) fn dev_key_file(dir: &Path) -> PathBuf {
    dir.join("dev.key")
}

fn create(dir: &Path, file: &Path) -> Result<()> {
    let app = AppId::new(FIRST_APP).expect("a short fixed name");
    let (key, sha256) = generate_key(&app);
    write_secret(&dev_key_file(dir), &key)?;
    let aside = dir.join("drip.toml.part");
    let text = format!(
        "# Drip's configuration. Restart Drip after a change.\n\n\
         # An app and its rules; what is not said has its default.\n\
         [apps.{FIRST_APP}]\n\
         fee_bps = 500              # basis points of each debit that go to $fee\n\
         low_percent = 20           # at or below so many percent of the baseline the level is low\n\
         on_decline = \"dust\"        # dust, exhaust or ignore\n\
         key_window_hours = 24      # how long keys of debits are remembered\n\n\
         # Who may ask: SHA-256 of each key. The key of this one is in dev.key, for development.\n\
         [[api_keys]]\n\
         app = \"{FIRST_APP}\"\n\
         name = \"dev\"\n\
         sha256 = \"{sha256}\"\n"
    );
    // A file of this name is always whole.
    write_secret(&aside, &text)?;
    fs::rename(&aside, file).with_context(|| format!("can not write {}", file.display()))
}

/// Writes a file that only its owner can read, also when it was there for all to read.
pub(crate) fn write_secret(file: &Path, secret: &str) -> Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    let write = || {
        let mut opened =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file)?;
        opened.set_permissions(fs::Permissions::from_mode(0o600))?;
        opened.write_all(secret.as_bytes())?;
        opened.sync_all()
    };
    write().with_context(|| format!("can not write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(file: &Path) -> u32 {
        fs::metadata(file).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_configuration_is_made_whole_and_only_where_it_is_asked_for() {
        let dir = std::env::temp_dir().join(format!("drip-config-{}", uuid::Uuid::new_v4()));
        fs::create_dir(&dir).unwrap();
        let error = load(&dir, None).unwrap_err().to_string();
        assert!(error.contains("drip init") && error.contains("--config"), "{error}");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
        fs::write(dev_key_file(&dir), "an old one").unwrap();
        fs::set_permissions(dev_key_file(&dir), fs::Permissions::from_mode(0o644)).unwrap();
        let made = load_or_create(&dir, None).unwrap();
        assert_eq!(mode(&dev_key_file(&dir)), 0o600);
        let names = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(names.filter(|name| name != "dev.key").collect::<Vec<_>>(), ["drip.toml"]);
        let key = fs::read_to_string(dev_key_file(&dir)).unwrap();
        assert!(Keyring::new(&load(&dir, None).unwrap().api_keys).unwrap().find(&key).is_some());
        assert_eq!(made.api_keys.len(), 1);
        fs::remove_dir_all(dir).unwrap();
    }
}
