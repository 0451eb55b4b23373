//! Many clients at once, each debit under a key of its own, each outcome written down.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::future::join_all;
use rand::RngExt as _;
use reqwest::Method;
use serde_json::json;

use crate::ask::{Reply, credits, encode, try_send, usdc};
use crate::audit::audit;
use crate::stack::{BOUND, Drip, tick};

const CLIENTS: usize = 8;
const ACCOUNTS: usize = 20;
/// Enough that nobody runs out.
const OPENING: &str = "1000";
/// How long a debit is tried before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was asked and what came of it.
#[derive(Default)]
pub(crate) struct Load {
    /// The acknowledged amount of each key of each account, in millionths.
    acknowledged: RefCell<BTreeMap<(String, String), i64>>,
    /// No new debits.
    stopped: Cell<bool>,
}

/// What a client needs of a Drip that may be killed by somebody else meanwhile.
pub(crate) struct Target {
    client: reqwest::Client,
    url: RefCell<String>,
    key: String,
}

impl Target {
    pub(crate) fn of(drip: &Drip) -> Self {
        Self { client: drip.client().clone(), url: RefCell::new(drip.url()), key: drip.key() }
    }

    /// The clients go on at another Drip, which knows the same API key.
    pub(crate) fn move_to(&self, drip: &Drip) {
        self.url.replace(drip.url());
    }

    async fn debit(&self, user: &str, amount: i64, key: &str) -> Result<Reply, reqwest::Error> {
        let url = format!("{}/v1/users/{}/debits", self.url.borrow(), encode(user));
        let request =
            self.client.request(Method::POST, url).bearer_auth(&self.key).timeout(Duration::from_secs(15));
        try_send(request.json(&json!({ "amount": usdc(amount), "key": key, "meter": "load" }))).await
    }
}

impl Load {
    /// Opens the accounts.
    pub(crate) async fn prepare(drip: &Drip) -> Self {
        for number in 0..ACCOUNTS {
            drip.open(&user(number), OPENING).await;
        }
        Self::default()
    }

    /// Debits until told to stop; what was begun is finished.
    pub(crate) async fn run(&self, target: &Target) {
        join_all((0..CLIENTS).map(|client| self.client(client, target))).await;
    }

    /// No new debits from now on.
    pub(crate) fn stop(&self) {
        self.stopped.set(true);
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged.borrow().len()
    }

    /// Waits until so many more debits were acknowledged.
    pub(crate) async fn progress(&self, more: usize) {
        let (begin, wanted) = (Instant::now(), self.acknowledged() + more);
        while self.acknowledged() < wanted {
            assert!(
                begin.elapsed() < 2 * BOUND,
                "{} of {wanted} debits were acknowledged",
                self.acknowledged()
            );
            tick().await;
        }
    }

    async fn client(&self, client: usize, target: &Target) {
        for number in 0.. {
            if self.stopped.get() {
                return;
            }
            let (account, amount) =
                (rand::rng().random_range(0..ACCOUNTS), rand::rng().random_range(1..50_000));
            self.debit(target, &user(account), amount, &format!("load-{client}-{number}")).await;
        }
    }

    /// One debit, asked with the same key until there is an outcome.
    async fn debit(&self, target: &Target, user: &str, amount: i64, key: &str) {
        let begin = Instant::now();
        loop {
            assert!(begin.elapsed() < PATIENCE, "no outcome of {key} after {PATIENCE:?}");
            match target.debit(user, amount, key).await {
                Ok(reply) if reply.status == 200 => return self.note(user, amount, key, &reply),
                // Nothing was done, or nobody knows: the same key again.
                Ok(reply) if [408, 503, 504].contains(&reply.status) => {}
                Ok(reply) => panic!("{key}: {reply:?}"),
                Err(_) => {}
            }
            tick().await;
        }
    }

    fn note(&self, user: &str, amount: i64, key: &str, reply: &Reply) {
        assert_eq!(credits(&reply.body["amount"]), amount, "{reply:?}");
        let key = (user.to_owned(), key.to_owned());
        self.acknowledged.borrow_mut().insert(key, amount);
    }

    /// What was acknowledged is what stands in the log, once, and what owners and views show.
    pub(crate) async fn check(&self, drip: &Drip) {
        let ledger = audit(drip).await;
        assert_eq!(ledger.by_key, *self.acknowledged.borrow());
        assert_eq!(ledger.spent_in_all(), self.acknowledged.borrow().values().sum::<i64>());
    }

    /// Runs beside `chaos`, and stops after it.
    pub(crate) async fn during(&self, target: &Target, chaos: impl Future<Output = ()>) {
        let chaos = async {
            chaos.await;
            self.stop();
        };
        tokio::join!(self.run(target), chaos);
    }
}

fn user(number: usize) -> String {
    format!("load-{number}")
}

/// So many milliseconds, chosen anew each time: faults should not always meet the same step.
pub(crate) async fn a_moment(most: u64) {
    tokio::time::sleep(Duration::from_millis(rand::rng().random_range(0..most))).await;
}
