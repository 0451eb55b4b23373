//! Flags that the roles share: where the log and the views are.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Arg;
use clap::builder::TypedValueParser;
use clap::error::{Error, ErrorKind};
use event_log::JetStreamOptions;

use crate::failure::{Exit, Failure};

/// Where this Drip keeps its data.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct EngineArgs {
    /// The folder of the embedded engines, of the configuration and of the development key.
    #[arg(long, env = "DRIP_DATA_DIR", default_value = "drip-data", value_name = "DIR")]
    pub(crate) data_dir: PathBuf,

    /// The configuration file [default: DIR/drip.toml, which `drip up` and `drip init` make when there is none].
    #[arg(long, env = "DRIP_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// The log is in NATS JetStream instead of DIR/log.db: nats://host:port.
    #[arg(long, env = "DRIP_NATS_URL", value_name = "URL", hide_env_values = true)]
    pub(crate) nats: Option<String>,

    /// The monitoring addresses of the NATS servers, to check that acknowledged means on the disk
    /// [default: port 8222 of --nats].
    #[arg(
        long,
        env = "DRIP_NATS_MONITOR_URL",
        value_name = "URL",
        value_delimiter = ',',
        hide_env_values = true
    )]
    pub(crate) nats_monitor: Vec<String>,

    /// A NATS credentials file.
    #[arg(long, env = "DRIP_NATS_CREDENTIALS", value_name = "FILE", hide_env_values = true)]
    pub(crate) nats_credentials: Option<PathBuf>,

    /// For development: do not check that acknowledged means on the disk.
    #[arg(long)]
    pub(crate) allow_unsafe_durability: bool,

    /// For how many seconds a log in NATS must look other than it is remembered before Drip stops: a server that was
    /// away for a moment answers from the past.
    #[arg(long, env = "DRIP_LOG_PATIENCE", default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) log_patience: u32,

    /// The views are in Postgres instead of DIR/views.db: postgres://user@host/database.
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true, value_parser = PostgresUrl)]
    pub(crate) database_url: Option<String>,
}

/// What only matters when a log is created.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct CreateArgs {
    /// How many partitions a new log gets [default: 1 embedded, 4 on NATS]. It can not be changed later; a log that is
    /// there is taken as it is, unless another number is asked for.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(crate) partitions: Option<u16>,

    /// How many copies NATS keeps of a new log: 1, or 3 or 5 in a cluster [default: 1].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=5))]
    pub(crate) replicas: Option<u8>,
}

impl EngineArgs {
    /// How to reach NATS, when the log is there.
    pub(crate) fn jetstream(&self) -> Option<JetStreamOptions> {
        let url = self.nats.clone()?;
        let mut options = JetStreamOptions::new(&url);
        options.monitor_urls = self.nats_monitor.clone();
        if options.monitor_urls.is_empty() {
            options.monitor_urls = url.split(',').filter_map(usual_monitor).collect();
        }
        options.credentials.clone_from(&self.nats_credentials);
        options.allow_unsafe_durability = self.allow_unsafe_durability;
        options.patience = Duration::from_secs(self.log_patience.into());
        Some(options)
    }
}

/// The monitoring address that most servers have: port 8222 of the same host.
fn usual_monitor(url: &str) -> Option<String> {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = after_scheme.rsplit_once('@').map_or(after_scheme, |(_, host)| host);
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    (!name.is_empty()).then(|| format!("http://{name}:8222"))
}

/// An address of Postgres. sqlx would take any scheme, and look for Postgres there.
#[derive(Debug, Clone)]
struct PostgresUrl;

impl TypedValueParser for PostgresUrl {
    type Value = String;

    /// What is refused is not shown: it may hold a password.
    fn parse_ref(&self, command: &clap::Command, _: Option<&Arg>, url: &OsStr) -> Result<String, Error> {
        match url.to_str().map(|text| (text, text.split_once("://"))) {
            Some((text, Some(("postgres" | "postgresql", _)))) => Ok(text.to_owned()),
            _ => {
                let what = "--database-url (or DATABASE_URL) must begin with postgres:// or postgresql://\n";
                Err(Error::raw(ErrorKind::ValueValidation, what).with_cmd(command))
            }
        }
    }
}

/// Some event of a commit: its position, or partition and number alone, as in `0-812`.
pub(super) fn parse_commit(text: &str) -> Result<judge::Position, String> {
    parse_place(text, 0)
}

/// Behind which event: its position, or a commit's place alone for all that is in it.
pub(super) fn parse_after(text: &str) -> Result<ledger_core::Position, String> {
    parse_place(text, u32::MAX)
}

/// A position; of a commit's place alone, that of the event which has this index in it.
fn parse_place<P: FromStr>(text: &str, index: u32) -> Result<P, String> {
    let whole = text.parse().or_else(|_| format!("{text}-{index}").parse());
    whole.map_err(|_| format!("'{text}' is not a place in the log; one looks like 0-812 or 0-812-0"))
}

/// A place was named in a partition that the log does not have.
pub(super) fn no_partition(named: u16, partitions: u16) -> Failure {
    Failure::new(Exit::Usage, format!("there is no partition {named}: the log has {partitions}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_monitoring_address_is_the_usual_port_of_the_same_host() {
        for (url, monitor) in [
            ("nats://127.0.0.1:4222", "http://127.0.0.1:8222"),
            ("nats://user:pass@nats.example:4222", "http://nats.example:8222"),
            ("localhost", "http://localhost:8222"),
            ("nats://[::1]:4222", "http://[::1]:8222"),
        ] {
            assert_eq!(usual_monitor(url).as_deref(), Some(monitor), "{url}");
        }
    }
}
