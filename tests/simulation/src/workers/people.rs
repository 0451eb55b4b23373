//! What users and developers do meanwhile: they open accounts, pay, use, change what runs, put to sleep and wake, close.

use std::sync::Arc;
use std::time::Duration;

use event_log::sim::Rng;
use ledger_core::account::Account;
use ledger_core::command::{AddMoney, Close, Debit, Hibernate, Open, Restore, SetContainer};
use ledger_core::event::{ContainerSettings, Usage};
use ledger_core::sealed::Sealed;
use ledger_core::time::SECOND;
use ledger_core::{AccountId, Charge, Command, Key, Meter, Timestamp, Usdc, UserId};
use service_kit::clock;
use tokio::time::sleep;

use super::{World, app, label, long};

/// How long people rest between two things they do, at most, in microseconds.
const REST: i64 = 40 * SECOND;

pub(super) struct People {
    world: Arc<World>,
    rng: Rng,
    users: u64,
    keys: u64,
}

impl People {
    pub(super) fn new(world: Arc<World>, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let users = 2 + rng.below(4);
        Self { world, rng, users, keys: 0 }
    }

    /// For ever.
    pub(super) async fn live(mut self) {
        loop {
            let rest = self.rng.micros(0, REST / i64::try_from(self.users).expect("few"));
            sleep(Duration::from_micros(rest.unsigned_abs())).await;
            let command = self.wish();
            // Most of what comes to their minds can not be done as things stand: then it is not.
            let _ = self.world.house().ask(Timestamp(clock::now()), &command);
        }
    }

    fn wish(&mut self) -> Command {
        let number = self.rng.below(self.users);
        // Two of them begin alike.
        let user = UserId::new(&format!("12345678-{number}")).expect("a name");
        let account = AccountId { app: app(), user };
        let balance = self.world.house().ledger().account(&account).map(Account::balance);
        let Some(balance) = balance else { return self.open(account, number) };
        let (actor, key) = (label("people"), None);
        match self.rng.below(24) {
            0 => Command::Hibernate(Hibernate { account, key, actor }),
            1 | 2 => Command::Restore(Restore { account, key, force: self.rng.chance(300), actor }),
            3 | 4 => self.container(account),
            5 if self.rng.chance(100) => Command::Close(Close { account, key, actor }),
            5..=8 => Command::Deposit(self.money(account)),
            _ => self.debit(account, balance),
        }
    }

    fn key(&mut self) -> Key {
        self.keys += 1;
        Key::new(&format!("k{}", self.keys)).expect("a key")
    }

    /// One in three has no address that can be written to.
    fn open(&mut self, account: AccountId, number: u64) -> Command {
        let email = (number % 3 != 2).then(|| format!(r#"{{"email":"{number}@example.org"}}"#));
        let initial_balance = Usdc::from_credits([0, 1_000_000][usize::from(self.rng.chance(700))]);
        let profile = email.map(Sealed::plain);
        Command::Open(Open { account, key: None, initial_balance, actor: label("people"), profile })
    }

    fn container(&mut self, account: AccountId) -> Command {
        let image = long(["image:1", "image:2"][usize::from(self.rng.chance(500))]);
        let settings = ContainerSettings { image, health_path: long("/health"), variables: None };
        Command::SetContainer(SetContainer { account, key: None, settings, actor: label("people") })
    }

    fn money(&mut self, account: AccountId) -> AddMoney {
        let amount = Usdc::from_credits(self.rng.micros(1, 2_000_000));
        AddMoney { account, key: self.key(), amount, actor: label("people"), metadata: None }
    }

    /// Part of what is left, or all of it.
    fn debit(&mut self, account: AccountId, balance: Usdc) -> Command {
        let left = balance.credits().max(1);
        let amount = if self.rng.chance(300) { left } else { self.rng.micros(1, left) };
        let usage = Usage {
            account,
            key: Some(self.key()),
            item: None,
            charge: Charge::Amount(Usdc::from_credits(amount)),
            meter: Meter::new("search").expect("a name"),
            scope: None,
            occurred_at: None,
            metadata: None,
        };
        Command::Debit(Debit { usage, dry_run: false })
    }
}
