//! What is asked: debits of one amount over many accounts, or all of one.

use std::fmt::Write as _;
use std::time::Duration;

use ledger_core::{AccountId, AppId, Usdc, UserId};
use rand::RngExt as _;
use uuid::Uuid;

/// What each debit charges: 0.007 USDC.
pub const CHARGE: Usdc = Usdc::from_credits(7_000);

/// The load of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// How many accounts are debited, each as often as any other. 1: one hot account.
    pub accounts: u32,
    /// How many debits one request holds. 1: the verb for one debit is used.
    pub batch: usize,
    /// The rhythm of the requests.
    pub rhythm: Rhythm,
    /// How long it runs before anything is counted.
    pub warm_up: Duration,
    /// How long is counted.
    pub time: Duration,
}

/// When the next request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rhythm {
    /// Closed loop: so many callers, each sends its next request when it has the answer to the one before.
    InFlight(usize),
    /// Open loop: so many requests a second, whether or not those before are answered.
    Rate(u64),
}

/// One debit to be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Debit {
    /// Which of the accounts.
    pub account: u32,
    /// The idempotency key, made before the first send as a client should.
    pub key: Uuid,
}

impl Load {
    /// What every account is opened with: a run never empties one.
    pub fn opening(&self) -> Usdc {
        match self.accounts {
            1 => Usdc::from_credits(10_000_000_000_000),
            _ => Usdc::from_credits(1_000_000_000),
        }
    }

    /// Fills in the next request. The clock is read once for its keys: a load that takes less of the machine for itself
    /// leaves more to what is measured.
    pub fn next(&self, debits: &mut Vec<Debit>) {
        let (mut random, now) = (rand::rng(), millis());
        debits.clear();
        debits.extend((0..self.batch).map(|_| {
            let key = uuid::Builder::from_unix_timestamp_millis(now, &random.random()).into_uuid();
            Debit { account: random.random_range(0..self.accounts), key }
        }));
    }
}

fn millis() -> u64 {
    u64::try_from(service_kit::clock::now() / 1_000).expect("after 1970")
}

/// The user of an account of the load.
pub fn user(account: u32) -> String {
    let mut user = String::new();
    write_user(&mut user, account);
    user
}

/// The same in place of another.
pub(crate) fn write_user(user: &mut String, account: u32) {
    user.clear();
    write!(user, "u-{account:06}").expect("a text takes text");
}

/// The account of the load that a user is.
pub fn account_of(user: &str) -> Option<u32> {
    user.strip_prefix("u-")?.parse().ok()
}

/// An account of the load, as the ledger names it.
pub fn account_id(app: &AppId, account: u32) -> AccountId {
    let user = UserId::new(&user(account)).expect("a few plain characters are a user id");
    AccountId { app: app.clone(), user }
}
