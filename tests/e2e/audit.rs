//! Holds the three places where money can be seen against each other: the log (`drip events`), the owners (balances
//! over HTTP) and the views (lists and journals).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::ask::{credits, encode, said};
use crate::stack::{Drip, program};

/// What the log amounts to.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Each account's balance, in millionths.
    pub(crate) balances: BTreeMap<String, i64>,
    /// What each account was charged in all.
    pub(crate) spent: BTreeMap<String, i64>,
    /// What was charged under each key of an account.
    pub(crate) by_key: BTreeMap<(String, String), i64>,
    /// The numbers of each source's items that were charged.
    pub(crate) charged: BTreeMap<String, BTreeSet<u64>>,
    /// The numbers of each source's items that were declined.
    pub(crate) declined: BTreeMap<String, BTreeSet<u64>>,
    /// Each account's events, as its journal should show them.
    journals: BTreeMap<String, Vec<Line>>,
    /// The last position of each partition.
    heads: BTreeMap<String, String>,
}

/// One line of a journal: position, kind, amount, balance.
type Line = (String, String, i64, i64);

/// The log as JSON lines, with these flags more.
pub(crate) async fn events(drip: &Drip, flags: &[&str]) -> Vec<Value> {
    let mut command = program();
    command.arg("events").args(drip.log_flags()).args(flags);
    said(command).await.expect(0).json_lines()
}

/// Folds the log, and finds owners and views to say the same.
pub(crate) async fn audit(drip: &Drip) -> Ledger {
    let mut ledger = Ledger::default();
    for event in events(drip, &[]).await {
        ledger.add(&event);
    }
    ledger.owners_agree(drip).await;
    ledger.views_agree(drip).await;
    drip.assert_no_panic();
    ledger
}

impl Ledger {
    fn add(&mut self, event: &Value) {
        let position = text(event, "position");
        let partition = position.split('-').next().expect("a position has three parts");
        self.heads.insert(partition.to_owned(), position.to_owned());
        let amount = match text(event, "event") {
            "genesis" | "term_opened" | "policy_set" | "source_marked" => return,
            // What workers tell moves no money, and is in no journal.
            "lifecycle_stepped" | "notice_stepped" | "checkout_stepped" | "solvency_checked" => return,
            "account_opened" => credits(&event["initial_balance"]),
            "granted" | "deposited" => credits(&event["amount"]),
            "debited" => -credits(&event["charged"]),
            "declined" | "crossed" | "account_closed" => 0,
            other => panic!("an event this audit does not know: {other}"),
        };
        self.note_outcome(event);
        self.book(event, position, amount);
    }

    /// Once a key, once an item.
    fn note_outcome(&mut self, event: &Value) {
        let kind = text(event, "event");
        if let (Some(source), Some(number)) =
            (event["item"]["source"].as_str(), event["item"]["number"].as_u64())
        {
            let known = if kind == "debited" { &mut self.charged } else { &mut self.declined };
            let new = known.entry(source.to_owned()).or_default().insert(number);
            assert!(new, "an item is done with once: {event}");
            let charged = self.charged.get(source).map_or(0, |items| usize::from(items.contains(&number)));
            let declined = self.declined.get(source).map_or(0, |items| usize::from(items.contains(&number)));
            assert_eq!(charged + declined, 1, "charged and declined: {event}");
        }
        if let ("debited", Some(key)) = (kind, event["key"].as_str()) {
            let key = (text(event, "user_id").to_owned(), key.to_owned());
            let before = self.by_key.insert(key, credits(&event["charged"]));
            assert_eq!(before, None, "charged twice: {event}");
        }
    }

    fn book(&mut self, event: &Value, position: &str, amount: i64) {
        let (user, kind) = (text(event, "user_id").to_owned(), text(event, "event"));
        if kind == "account_opened" {
            assert!(!self.balances.contains_key(&user), "opened twice: {event}");
        } else if event["code"] == "account_unknown" {
            return;
        } else {
            assert!(self.balances.contains_key(&user), "not open: {event}");
        }
        let balance = self.balances.entry(user.clone()).or_default();
        *balance += amount;
        assert!(*balance >= 0, "overspent: {event}");
        if kind != "account_opened" {
            assert_eq!(credits(&event["balance"]), *balance, "{event}");
        }
        if kind == "debited" {
            *self.spent.entry(user.clone()).or_default() -= amount;
        }
        let shown = kind.trim_start_matches("account_").to_owned();
        self.journals.entry(user).or_default().push((position.to_owned(), shown, amount, *balance));
    }

    async fn owners_agree(&self, drip: &Drip) {
        for (user, balance) in &self.balances {
            assert_eq!(credits(&drip.account(user).await.body["balance"]), *balance, "{user}");
        }
    }

    async fn views_agree(&self, drip: &Drip) {
        for head in self.heads.values() {
            drip.get(&format!("/v1/users?limit=1&wait_for={head}")).await.expect(200);
        }
        let rows = drip.pages("/v1/users?limit=1000").await;
        let shown = rows.iter().map(|row| (text(row, "user_id").to_owned(), credits(&row["balance"])));
        assert_eq!(shown.collect::<BTreeMap<_, _>>(), self.balances);
        for (user, journal) in &self.journals {
            let rows = drip.pages(&format!("/v1/users/{}/journal?order=asc&limit=1000", encode(user))).await;
            assert_eq!(rows.iter().map(line).collect::<Vec<_>>(), *journal, "the journal of {user}");
        }
    }

    /// How much all accounts were charged.
    pub(crate) fn spent_in_all(&self) -> i64 {
        self.spent.values().sum()
    }
}

fn line(row: &Value) -> Line {
    (
        text(row, "position").to_owned(),
        text(row, "kind").to_owned(),
        credits(&row["amount"]),
        credits(&row["balance"]),
    )
}

#[track_caller]
fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("no text {field} in {value}"))
}
