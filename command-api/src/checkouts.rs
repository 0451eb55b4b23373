//! Money in: checkout sessions at the provider, and what becomes of them.
//!
//! A message never credits anything. Whatever says that a session was paid, a webhook, a user or the clock, only leads to
//! one look at the provider; and what is credited is what our own record of the session asks for, once, into the account
//! that opened it. The ledger decides that (`ledger_core`, settling a session); here it is looked and told.

mod look;
mod poll;

use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use ledger_core::Label;
use locus::webhook::OtherHeaders;
use locus::{Pay, Secret};

pub use look::{LookError, Looked};
pub use poll::poll;

/// How sessions are made and looked after.
#[derive(Debug, Clone)]
pub struct CheckoutConfig {
    /// How long a session waits to be paid.
    pub expires_after: Duration,
    /// How long behind that it is still looked at: a payment may be confirmed late.
    pub grace: Duration,
    /// How often sessions are looked at that were opened just now: the user is on the page.
    pub young_every: Duration,
    /// How long a session counts as young.
    pub young_for: Duration,
    /// How often all others are.
    pub every: Duration,
    /// What webhooks are signed with when a session has no secret of its own.
    pub account_secret: Option<Secret>,
    /// Whether signatures are looked for in headers too that the provider does not document.
    pub other_headers: OtherHeaders,
    /// Where webhooks are to be sent; `None`: they are not asked for.
    pub webhook_url: Option<String>,
}

impl Default for CheckoutConfig {
    fn default() -> Self {
        Self {
            expires_after: Duration::from_secs(30 * 60),
            grace: Duration::from_secs(15 * 60),
            young_every: Duration::from_secs(5),
            young_for: Duration::from_secs(5 * 60),
            every: Duration::from_secs(60),
            account_secret: None,
            other_headers: OtherHeaders::Refused,
            webhook_url: None,
        }
    }
}

/// The provider of sessions, and how it is used.
pub struct Checkouts {
    pub(crate) pay: Pay,
    pub(crate) config: CheckoutConfig,
    /// When hints that prove nothing last led to a look.
    hints: Mutex<Vec<Instant>>,
}

impl fmt::Debug for Checkouts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checkouts").field("config", &self.config).finish_non_exhaustive()
    }
}

/// So many hints a minute lead to a look; the rest waits for the clock.
const HINTS_PER_MINUTE: usize = 60;

impl Checkouts {
    /// With this client of the provider.
    pub fn new(pay: Pay, config: CheckoutConfig) -> Self {
        Self { pay, config, hints: Mutex::default() }
    }

    /// Whether a hint that proves nothing may lead to a look now.
    pub(crate) fn takes_hint(&self) -> bool {
        let mut hints = self.hints.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        hints.retain(|at| at.elapsed() < Duration::from_secs(60));
        let taken = hints.len() < HINTS_PER_MINUTE;
        if taken {
            hints.push(Instant::now());
        }
        taken
    }
}

/// Who says so in events of money that a look at the provider brought.
pub(crate) const PROVIDER: &str = "checkout";

pub(crate) fn provider() -> Label {
    Label::new(PROVIDER).expect("a short fixed text")
}
