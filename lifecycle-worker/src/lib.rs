//! The reconciler of containers. It has no cursor and no state of its own: what is wanted follows from the ledger, what
//! was done stands there too, and a signal or the sweep only tells it to look.
//!
//! For an account it first claims; of two workers that would act, the ledger refuses one. Then it does one step after
//! the other, each told to the ledger right after it, and after each it hears what is due now: a top-up in the middle of
//! a hibernation turns it round. A step whose outcome is unknown is never repeated as it is: every step that makes
//! something first looks at the provider whether it is there.
//!
//! In reading order: [`Config`], [`ledger`] (what is asked of the ledger and told to it; [`Drip`] is one over HTTP),
//! [`containers`] (what a provider of containers can do; `build_with_locus` is one, `walks` reads its long list), `plan`
//! (which step is next: pure), `act` (doing it), `job` (one account), `jobs` (all of them, beside each other), `signals`,
//! `sleepers` (whether what sleeps still does), `solvency`.
//!
//! What it deliberately does not do: it decides nothing about money, keeps nothing on disk, and reads no environment.

mod act;
mod bugs;
mod build_with_locus;
mod config;
pub mod containers;
mod drip;
mod job;
mod jobs;
pub mod ledger;
mod plan;
mod signals;
mod sleepers;
mod solvency;
mod walks;

use std::sync::Arc;

use event_log::{EventLog, NewsError};
use tokio_util::sync::CancellationToken;

pub use build_with_locus::BuildWithLocus;
pub use config::{Config, Timing};
pub use containers::Containers;
pub use drip::Drip;
pub use ledger::Ledger;
pub use solvency::Wallet;

use jobs::Jobs;

/// What the worker works with.
pub struct Means {
    /// Asked for work, and told of it.
    pub ledger: Arc<dyn Ledger>,
    /// Followed for signals.
    pub log: Arc<dyn EventLog>,
    /// The provider of containers.
    pub containers: Arc<dyn Containers>,
    /// Where the money is; `None`: solvency is not looked at.
    pub wallet: Option<Wallet>,
}

/// The worker can not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is damaged, or unusable until somebody acts, or holds a commit that can not be decoded.
    #[error("the log can not be followed any more")]
    Log(#[source] NewsError),
}

/// Works until `shutdown`. What is under way then is left as it is: whoever comes next goes on.
///
/// Errors: the log can not be followed any more.
pub async fn run(config: Config, means: Means, shutdown: CancellationToken) -> Result<(), Error> {
    let Means { ledger, log, containers, wallet } = means;
    let jobs = Jobs::new(config, ledger, containers, log.identity().log, wallet);
    tokio::select! {
        biased;
        () = shutdown.cancelled() => Ok(()),
        ended = jobs.work(&log) => ended,
    }
}
