//! What people and workers do for accounts beside their money.

use ledger_core::command::{
    CheckoutOutcome, ClaimLifecycle, Hibernate, OpenCheckout, RecordNotice, RecordStep, Restore,
    SetContainer, SettleCheckout,
};
use ledger_core::event::{ContainerSettings, Event, Solvency, SolvencyChecked};
use ledger_core::sealed::Sealed;
use ledger_core::upkeep::{NoticeKind, NoticeStep, ParkReason, Step, Strategy};
use ledger_core::{AccountId, Command, Key, Label, SessionId, Usdc};

use super::{World, name};

const MINUTE: i64 = 60_000_000;
const STRATEGIES: [Strategy; 4] = Strategy::ALL;

impl World {
    /// Somebody does something for the account. Most of what comes to mind can not be done as things stand, so some of it
    /// is tried.
    pub(super) fn care(&mut self, account: &AccountId) {
        if self.dice.one_in(30) {
            return self.compare();
        }
        for _ in 0..4 {
            let command = self.wish(account.clone());
            if self.ask(&command) {
                return;
            }
        }
    }

    fn wish(&mut self, account: AccountId) -> Command {
        let actor = name("an operator");
        let key = self.dice.one_in(3).then(|| self.key());
        match self.dice.roll(24) {
            0 => self.container(account, key),
            1 => Command::Hibernate(Hibernate { account, key, actor }),
            2 | 3 => Command::Restore(Restore { account, key, force: self.dice.one_in(2), actor }),
            4..=7 => {
                let (worker, hold) = (self.worker(), self.micros(12 * MINUTE));
                Command::ClaimLifecycle(ClaimLifecycle { account, worker, hold })
            }
            8..=14 => self.step(account),
            15..=18 => self.mail(account),
            19 | 20 => self.checkout(account, key),
            _ => self.settle(account),
        }
    }

    fn worker(&mut self) -> Label {
        name(["worker-1", "worker-1", "worker-2"][self.place(3)])
    }

    fn place(&mut self, count: usize) -> usize {
        usize::try_from(self.dice.roll(count.max(1) as u64)).expect("small")
    }

    fn micros(&mut self, most: i64) -> i64 {
        i64::try_from(self.dice.roll(most.unsigned_abs())).expect("small")
    }

    fn container(&mut self, account: AccountId, key: Option<Key>) -> Command {
        let variables = self.dice.one_in(2).then(|| Sealed::plain(r#"{"A":"b"}"#));
        let image = name(["image:1", "image:2"][self.place(2)]);
        let settings = ContainerSettings { image, health_path: name("/health"), variables };
        Command::SetContainer(SetContainer { account, key, settings, actor: name("an operator") })
    }

    fn step(&mut self, account: AccountId) -> Command {
        let container = self.ledger.account(&account).and_then(|account| account.container());
        let after = container.map_or(0, |container| container.steps);
        let id = name(["id-1", "id-2"][self.place(2)]);
        let step = match self.dice.roll(16) {
            0 | 1 => Step::ProjectCreated { id },
            2 => Step::EnvironmentCreated { id },
            3 | 4 => Step::ServiceCreated { id, url: name("https://svc.example.org") },
            5 | 6 => Step::VariablesSet,
            7 => Step::ScaledUp,
            8 => Step::ScaledDown { strategy: STRATEGIES[self.place(STRATEGIES.len())] },
            9 | 10 => Step::DeploymentStarted { id },
            11 | 12 => Step::Running,
            13 => Step::Asleep,
            14 if self.dice.one_in(2) => Step::ServiceDeleted,
            14 if self.dice.one_in(4) => Step::ProjectDeleted,
            _ => self.failure(),
        };
        Command::RecordStep(RecordStep { account, worker: self.worker(), after, step })
    }

    fn failure(&mut self) -> Step {
        let retry_at = self.time.plus(self.micros(30 * MINUTE));
        Step::Failed { reason: name("stuck"), attempts: 0, retry_at, gave_up: self.dice.one_in(3) }
    }

    fn mail(&mut self, account: AccountId) -> Command {
        let known = self.ledger.account(&account).and_then(|account| account.upkeep());
        let mails: Vec<_> = known.into_iter().flat_map(|upkeep| &upkeep.notices).collect();
        let mails: Vec<_> = mails.iter().map(|mail| (mail.kind, mail.epoch, mail.steps)).collect();
        let place = self.place(mails.len());
        let (kind, epoch, after) = mails.get(place).copied().unwrap_or((NoticeKind::Paused, 1, 0));
        let step = match self.dice.roll(8) {
            0..=3 => {
                let mail = self.dice.one_in(2).then(|| Sealed::plain("{}"));
                NoticeStep::Claimed { until: self.time.plus(self.micros(12 * MINUTE)), mail }
            }
            4 => NoticeStep::Sent { message_id: name("m-1") },
            5 => {
                let retry_at = self.time.plus(self.micros(30 * MINUTE));
                NoticeStep::Failed { reason: name("no answer"), retry_at }
            }
            6 if self.dice.one_in(3) => NoticeStep::Abandoned { reason: name("refused") },
            _ => NoticeStep::Superseded,
        };
        let (worker, cooldown) = (self.worker(), self.micros(60 * MINUTE));
        Command::RecordNotice(RecordNotice { account, worker, kind, epoch, after, cooldown, step })
    }

    fn checkout(&mut self, account: AccountId, key: Option<Key>) -> Command {
        // Now and then one that the account, or another one, has opened before.
        let (known, again) = (self.place(self.sessions.len()), self.dice.one_in(5));
        let again = self.sessions.get(known).filter(|_| again).map(|(_, session)| session.clone());
        let session: SessionId = again.unwrap_or_else(|| name(&format!("s-{}", self.key())));
        self.sessions.push((account.clone(), session.clone()));
        Command::OpenCheckout(OpenCheckout {
            account,
            session,
            amount: Usdc::from_credits(5),
            url: name("https://pay.example.org"),
            expires_at: self.time.plus(30 * MINUTE),
            key,
            secret: self.dice.one_in(2).then(|| Sealed::plain("{}")),
            actor: name("an operator"),
        })
    }

    fn settle(&mut self, account: AccountId) -> Command {
        let of_it = self.sessions.iter().filter(|(opened_by, _)| *opened_by == account);
        let of_it: Vec<SessionId> = of_it.map(|(_, session)| session.clone()).collect();
        let session = of_it.get(self.place(of_it.len())).cloned().unwrap_or_else(|| name("none"));
        let paid = |credits| {
            let transaction = (credits == 5).then(|| name("0x7"));
            CheckoutOutcome::Paid { amount: Some(Usdc::from_credits(credits)), transaction }
        };
        let outcome = match self.dice.roll(8) {
            0 | 1 => paid(5),
            2 => paid(4),
            3 => paid(-1),
            4 => CheckoutOutcome::Ended(ParkReason::Expired),
            5 => CheckoutOutcome::Ended(ParkReason::Cancelled),
            6 => CheckoutOutcome::Credited(Usdc::from_credits(3)),
            _ => CheckoutOutcome::Dismissed,
        };
        Command::SettleCheckout(SettleCheckout { account, session, outcome, actor: name("provider") })
    }

    fn compare(&mut self) {
        let known = self.dice.one_in(2);
        let some = |credits| Some(Usdc::from_credits(credits)).filter(|_| known);
        let level = |level| if known { level } else { Solvency::Unknown };
        self.push(&Event::SolvencyChecked(SolvencyChecked {
            balances: Usdc::from_credits(77),
            positions: vec![self.next() - 1],
            wallet: some(5),
            promo: some(6),
            wallet_level: level(Solvency::Warn),
            build_credits: some(7),
            build_monthly: some(8),
            build_level: level(Solvency::Ok),
            worker: name("worker-1"),
        }));
    }
}
