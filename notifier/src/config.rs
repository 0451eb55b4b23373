//! What a notifier is handed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use event_log::EventLog;
use ledger_core::{AppId, Label};

use crate::transport::Transport;
use crate::work::Door;

/// What a notifier is handed.
#[derive(Clone)]
pub struct Config {
    /// Asked for open mails, and told of them.
    pub door: Arc<dyn Door>,
    /// Followed for signals, from its end on.
    pub log: Arc<dyn EventLog>,
    /// The name it claims mails under. Of the notifiers that run at the same time each has its own; the same name
    /// again after a restart takes up at once what the last one left.
    pub worker: Label,
    /// How mails are sent.
    pub transport: Arc<dyn Transport>,
    /// A folder whose files replace the built-in templates of the same names, `low_credit.txt` and so on.
    pub templates: Option<PathBuf>,
    /// What apps are called in mails; one that is not named here is called by its id.
    pub app_names: BTreeMap<AppId, String>,
    /// Where a user tops up: an http address in which `{app}` and `{user_id}` stand for these. Without it mails do
    /// not speak of it.
    pub top_up_url: Option<String>,
    /// How many accounts are worked on at the same time, at least 1: 16. One whose mail is slow holds up its own place
    /// alone.
    pub at_once: usize,
    /// How long things may take.
    pub timing: Timing,
}

/// How long things may take. The default is for production.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timing {
    /// From the end of one sweep over all open mails to the next: 60 seconds.
    pub sweep: Duration,
    /// A mail that was due for longer before anybody began to send it is not sent any more: 24 hours.
    pub max_age: Duration,
    /// A mail that is not known to be sent for so long after the first attempt is given up: 20 hours, because the
    /// provider forgets keys after 24.
    pub give_up: Duration,
    /// The least time between two mails of a kind to an account: none, because each epoch has one of each kind.
    pub cooldown: Duration,
    /// How long one attempt may take, from the claim to the provider's answer: 150 seconds. Cut to 9 minutes, because a
    /// claim holds for 10.
    pub attempt: Duration,
    /// How much longer than an attempt its claim holds, for telling how it went: 30 seconds.
    pub margin: Duration,
    /// The pause after the first failed attempt, which doubles with each: 5 seconds.
    pub first_pause: Duration,
    /// The longest pause, and the one where a person must act: 15 minutes.
    pub longest_pause: Duration,
    /// How long a mail that may still be on its way is waited for before the inbox is looked at: 60 seconds.
    pub settle: Duration,
    /// How long the attempts under way may take when everything is to stop: 8 seconds. What they leave behind is
    /// taken up later.
    pub stop: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            sweep: seconds(60),
            max_age: seconds(24 * 3_600),
            give_up: seconds(20 * 3_600),
            cooldown: Duration::ZERO,
            attempt: seconds(150),
            margin: seconds(30),
            first_pause: seconds(5),
            longest_pause: seconds(15 * 60),
            settle: seconds(60),
            stop: seconds(8),
        }
    }
}

/// The longest attempt: the ledger cuts claims to 10 minutes, and a cut one would end under the attempt.
const ATTEMPT_MAX: Duration = Duration::from_secs(9 * 60);

impl Timing {
    /// How long one attempt may take.
    pub(crate) fn attempt(&self) -> Duration {
        self.attempt.min(ATTEMPT_MAX)
    }

    /// How long a claim holds, in milliseconds.
    pub(crate) fn hold_ms(&self) -> u32 {
        millis(self.attempt() + self.margin)
    }

    /// The least time between two mails of a kind, in milliseconds.
    pub(crate) fn cooldown_ms(&self) -> u32 {
        millis(self.cooldown)
    }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

/// In the unit of the ledger's times.
pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
