//! The workers as supervised tasks.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use drip_client::Client;
use event_log::EventLog;
use ledger_core::{AppId, Label};
use lifecycle_worker::Means;
use service_kit::Supervisor;

use super::outside::Outside;
use crate::commands::parse;

/// However fast the sandbox's time runs, calls and processes are as slow as they are: a claim must outlast them.
const CLAIM_MIN: Duration = Duration::from_secs(4);
/// The same for telling what came of an attempt.
const MARGIN_MIN: Duration = Duration::from_secs(1);

/// How workers work.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct WorkerArgs {
    /// How often all accounts are looked at, so that nothing a signal missed stays as it is. At least 10.
    #[arg(long, env = "DRIP_SWEEP", default_value_t = 60, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(10..))]
    sweep: u32,

    /// Below so many USDC the wallet is critical, whatever users hold.
    #[arg(long, env = "DRIP_WALLET_FLOOR", default_value = "1", value_name = "USDC", value_parser = parse::amount)]
    wallet_floor: ledger_core::Usdc,

    /// A folder whose files replace the built-in templates of mails of the same names.
    #[arg(long, env = "DRIP_MAIL_TEMPLATES", value_name = "DIR")]
    mail_templates: Option<PathBuf>,

    /// Where users top up, for their mails: an address in which {app} and {user_id} stand for these.
    #[arg(long, env = "DRIP_TOP_UP_URL", value_name = "URL", value_parser = parse::top_up_url)]
    top_up_url: Option<String>,
}

/// What workers need of this process.
pub(crate) struct Place {
    /// Drip, asked with the key of workers.
    pub(crate) client: Client,
    /// Followed for signals.
    pub(crate) log: Arc<dyn EventLog>,
    /// What apps are called in mails.
    pub(crate) app_names: BTreeMap<AppId, String>,
    /// How many times as fast as the world's the delays run.
    pub(crate) scale: u32,
}

impl WorkerArgs {
    /// The reconciler of containers.
    pub(crate) fn lifecycle(&self, supervisor: &Supervisor, place: &Place, outside: &Outside) {
        let mut config = lifecycle_worker::Config::new(worker_name("lifecycle"));
        let shorter = |duration: Duration| duration / place.scale.max(1);
        config.sweep = shorter(Duration::from_secs(self.sweep.into()));
        config.hold = shorter(config.hold).max(CLAIM_MIN);
        config.floor = self.wallet_floor;
        let timing = &mut config.timing;
        timing.starting = shorter(timing.starting);
        timing.stopping = shorter(timing.stopping);
        timing.patience = shorter(timing.patience);
        timing.retry_first = shorter(timing.retry_first);
        timing.retry_cap = shorter(timing.retry_cap);
        timing.deadline = shorter(timing.deadline);
        let means = Means {
            ledger: Arc::new(lifecycle_worker::Drip::new(place.client.clone(), &config)),
            log: Arc::clone(&place.log),
            containers: outside.containers(),
            wallet: Some(outside.wallet()),
        };
        supervisor.spawn("lifecycle-worker", lifecycle_worker::run(config, means, supervisor.token()));
    }

    /// The notifier, where there is an inbox to send from.
    pub(crate) fn notifier(&self, supervisor: &Supervisor, place: &Place, outside: &Outside) -> Result<()> {
        let Some(transport) = outside.transport.clone() else {
            tracing::warn!("no mails are sent: there is no AGENTMAIL_INBOX to send them from");
            return Ok(());
        };
        let shorter = |duration: Duration| duration / place.scale.max(1);
        let usual = notifier::Timing::default();
        let timing = notifier::Timing {
            sweep: shorter(Duration::from_secs(self.sweep.into())),
            first_pause: shorter(usual.first_pause),
            longest_pause: shorter(usual.longest_pause),
            settle: shorter(usual.settle),
            attempt: shorter(usual.attempt).max(CLAIM_MIN),
            margin: shorter(usual.margin).max(MARGIN_MIN),
            ..usual
        };
        let worker = worker_name("notifier");
        let config = notifier::Config {
            door: Arc::new(notifier::Drip::new(place.client.clone(), worker.clone(), &timing)),
            log: Arc::clone(&place.log),
            worker,
            transport,
            templates: self.mail_templates.clone(),
            app_names: place.app_names.clone(),
            top_up_url: self.top_up_url.clone().filter(|url| !url.is_empty()),
            at_once: 16,
            timing,
        };
        supervisor.spawn("notifier", notifier::run(config, supervisor.token()));
        Ok(())
    }
}

/// A name of its own for each process: who comes back under the name of one that was stopped has no claims.
fn worker_name(role: &str) -> Label {
    let name = format!("{role}-{}", uuid::Uuid::new_v4().simple());
    Label::new(&name).expect("a short text of letters and digits")
}

/// Drip, asked with the key of workers.
pub(crate) fn client(url: &str, key: String) -> Result<Client> {
    Client::new(url, key).context("Drip can not be asked by workers")
}
