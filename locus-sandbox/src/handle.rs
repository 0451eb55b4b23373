//! Orders to a running sandbox, and what it tells of itself. The control API is a thin face over this.

use std::sync::Arc;
use std::time::Duration;

use ledger_core::Usdc;

use crate::build::{BuildService, Deployment, Project};
use crate::clock::Time;
use crate::config::{Keys, Switches};
use crate::error::Refused;
use crate::faults::{Ordered, Rule};
use crate::mail::{InboundMail, Message};
use crate::pay::{PayOptions, Session};
use crate::record::Entry;
use crate::store::Shared;

/// Orders to a sandbox and questions about it. Clones speak to the same sandbox; it does not live longer for them.
#[derive(Clone, Debug)]
pub struct Handle(pub(crate) Arc<Shared>);

/// Where it is.
impl Handle {
    /// What clients of PayWithLocus take as base: `http://127.0.0.1:4100/api`.
    #[must_use]
    pub fn pay_base(&self) -> String {
        format!("{}/api", self.0.public_url)
    }

    /// What clients of BuildWithLocus take as base: `http://127.0.0.1:4100/v1`.
    #[must_use]
    pub fn build_base(&self) -> String {
        format!("{}/v1", self.0.public_url)
    }

    /// What clients of AgentMail take as base: `http://127.0.0.1:4100/v0`.
    #[must_use]
    pub fn mail_base(&self) -> String {
        format!("{}/v0", self.0.public_url)
    }

    /// Where the control API is, and the live page.
    #[must_use]
    pub fn control_url(&self) -> String {
        self.0.control_url.clone()
    }

    /// The keys it accepts.
    #[must_use]
    pub fn keys(&self) -> Keys {
        self.0.config.keys.clone()
    }
}

/// What was done.
impl Handle {
    /// All effects so far.
    #[must_use]
    pub fn record(&self) -> Vec<Entry> {
        self.record_after(0)
    }

    /// The effects after number `n`.
    #[must_use]
    pub fn record_after(&self, n: u64) -> Vec<Entry> {
        self.0.look(|turn| turn.store.record.after(n).to_vec())
    }

    /// How many requests were turned down: answered with 400 or above, or dropped before they took effect.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.0.look(|turn| turn.store.record.refused)
    }

    /// All checkout sessions, the oldest first.
    #[must_use]
    pub fn sessions(&self) -> Vec<Session> {
        let mut sessions: Vec<Session> =
            self.0.look(|turn| turn.store.pay.sessions.values().cloned().collect());
        sessions.sort_by_key(|session| session.created_at);
        sessions
    }

    /// All projects, the oldest first.
    #[must_use]
    pub fn projects(&self) -> Vec<Project> {
        let mut projects: Vec<Project> =
            self.0.look(|turn| turn.store.build.projects.values().cloned().collect());
        projects.sort_by_key(|project| project.number);
        projects
    }

    /// All services, the oldest first.
    #[must_use]
    pub fn services(&self) -> Vec<BuildService> {
        let mut services: Vec<BuildService> =
            self.0.look(|turn| turn.store.build.services.values().cloned().collect());
        services.sort_by_key(|service| service.number);
        services
    }

    /// All deployments of services that still are.
    #[must_use]
    pub fn deployments(&self) -> Vec<Deployment> {
        self.0.look(|turn| turn.store.build.deployments.values().cloned().collect())
    }

    /// All mails sent and received, the oldest first.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.0.look(|turn| turn.store.mail.messages.clone())
    }

    /// USDC and promo credits in the wallet.
    #[must_use]
    pub fn balances(&self) -> (Usdc, Usdc) {
        self.0.look(|turn| (turn.store.pay.usdc, turn.store.pay.promo))
    }

    /// The credits at BuildWithLocus.
    #[must_use]
    pub fn credits(&self) -> Usdc {
        self.0.look(|turn| turn.store.build.credits)
    }

    /// The sandbox's time.
    #[must_use]
    pub fn now(&self) -> Time {
        self.0.clock.now()
    }
}

/// What it should do.
impl Handle {
    /// Pays a session. The id of the payment.
    ///
    /// # Errors
    ///
    /// There is no such session, or it is not pending.
    pub fn pay_session(&self, id: &str, options: PayOptions) -> Result<String, Refused> {
        self.0.turn(|turn| turn.pay_session(id, options))
    }

    /// Ends a session before its time.
    ///
    /// # Errors
    ///
    /// There is no such session, or it is not pending.
    pub fn expire_session(&self, id: &str) -> Result<(), Refused> {
        self.0.turn(|turn| turn.expire_session(id))
    }

    /// Cancels a session.
    ///
    /// # Errors
    ///
    /// There is no such session, or it is not pending.
    pub fn cancel_session(&self, id: &str) -> Result<(), Refused> {
        self.0.turn(|turn| turn.cancel_session(id))
    }

    /// Sets what is in the wallet, as far as given.
    pub fn set_balances(&self, usdc: Option<Usdc>, promo: Option<Usdc>) {
        self.0.turn(|turn| {
            let pay = &mut turn.store.pay;
            (pay.usdc, pay.promo) = (usdc.unwrap_or(pay.usdc), promo.unwrap_or(pay.promo));
        });
    }

    /// Sets the credits at BuildWithLocus.
    pub fn set_credits(&self, credits: Usdc) {
        self.0.turn(|turn| turn.store.build.credits = credits);
    }

    /// Refuses all existing tokens of BuildWithLocus from now on.
    pub fn expire_tokens(&self) {
        self.0.turn(|turn| turn.store.build.expire_tokens());
    }

    /// Lets a mail come in. Its id.
    ///
    /// # Errors
    ///
    /// There is no such inbox, or no such message to answer.
    pub fn inbound_mail(&self, mail: InboundMail) -> Result<String, Refused> {
        self.0.turn(|turn| turn.receive(mail))
    }

    /// Refuses mail to an address from now on.
    pub fn suppress(&self, address: &str) {
        self.0.turn(|turn| turn.store.mail.suppressed.push(address.to_owned()));
    }

    /// Orders a fault. The number it is withdrawn by.
    pub fn add_fault(&self, rule: Rule) -> u64 {
        self.0.turn(|turn| turn.store.faults.add(rule))
    }

    /// The faults in force.
    #[must_use]
    pub fn faults(&self) -> Vec<Ordered> {
        self.0.look(|turn| turn.store.faults.rules.clone())
    }

    /// Withdraws a fault.
    ///
    /// # Errors
    ///
    /// It is not in force.
    pub fn remove_fault(&self, id: u64) -> Result<(), Refused> {
        let removed = self.0.turn(|turn| turn.store.faults.remove(id));
        removed.then_some(()).ok_or_else(|| Refused::NotFound(format!("fault {id}")))
    }

    /// Withdraws all faults.
    pub fn clear_faults(&self) {
        self.0.turn(|turn| turn.store.faults.rules.clear());
    }

    /// The switches as they are.
    #[must_use]
    pub fn switches(&self) -> Switches {
        self.0.look(|turn| turn.store.switches)
    }

    /// Sets the switches.
    pub fn set_switches(&self, switches: Switches) {
        self.0.turn(|turn| turn.store.switches = switches);
    }

    /// Pushes the sandbox's time forward; what becomes due happens at once, in order.
    pub fn advance(&self, by: Duration) {
        self.0.clock.advance(by);
        self.0.turn(|_| ());
    }
}
