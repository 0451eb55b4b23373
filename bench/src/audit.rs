//! The log, folded once more at the end of a run: what was charged must be missing from the balances.

use anyhow::{Context as _, Result, ensure};
use event_log::{Entry, EventLog};
use futures::StreamExt as _;
use ledger_core::commit::Commit;
use ledger_core::event::Event;
use ledger_core::{Chain, Ledger, PartitionId, Usdc};
use serde::Serialize;

use crate::check::{Tally, charges};
use crate::ratio::Ratio;

/// What stands in a log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Books {
    /// How many accounts.
    pub accounts: u64,
    /// What they hold in all, in credits.
    pub held: i64,
    /// How many debits.
    pub debits: u64,
    /// What those charged in all, in credits.
    pub charged: i64,
    /// Commits that hold debits.
    pub commits: u64,
    /// The bytes of those commits.
    pub bytes: u64,
}

impl Books {
    /// Debits in a commit, in the middle.
    pub fn debits_a_commit(&self) -> Option<Ratio> {
        Ratio::of(self.debits, self.commits)
    }

    /// Bytes of the log that one debit took.
    pub fn bytes_a_debit(&self) -> Option<Ratio> {
        Ratio::of(self.bytes, self.debits)
    }

    /// Compares the log with what the callers were told. Error: they do not agree.
    pub fn agree(&self, told: &Tally, opening: Usdc) -> Result<()> {
        let accounts = i64::try_from(self.accounts).unwrap_or(i64::MAX);
        let opened = opening.credits().saturating_mul(accounts);
        ensure!(
            self.held == opened - self.charged,
            "the balances hold {}, but {opened} was given and {} charged",
            self.held,
            self.charged
        );
        // What got no answer may stand in the log or not.
        let most = told.charged.saturating_add(charges(told.unknown).credits());
        ensure!(
            (told.charged..=most).contains(&self.charged),
            "the log charges {}, the answers say {}, and {most} with those that are unknown",
            self.charged,
            told.charged
        );
        Ok(())
    }
}

/// Folds the whole log. Error: it can not be read, or is not one.
pub async fn read(log: &dyn EventLog) -> Result<Books> {
    let mut books = Books::default();
    for partition in log.identity().partitions() {
        read_partition(log, partition, &mut books).await?;
    }
    Ok(books)
}

async fn read_partition(log: &dyn EventLog, partition: PartitionId, books: &mut Books) -> Result<()> {
    let head = log.head(partition).await?;
    let (mut chain, mut ledger) = (Chain::start(partition), Ledger::new(partition));
    let mut entries = log.follow(partition, 0);
    while chain.read < head {
        let entry = entries.next().await.context("a followed log ends by an error alone")??;
        let Entry::Commit(stored) = entry else {
            chain.step_over(entry.sequence())?;
            continue;
        };
        let commit = Commit::decode(&stored.bytes)?;
        chain.accept(&commit)?;
        ledger.apply(&commit)?;
        count(&commit, stored.bytes.len(), books);
    }
    books.accounts += ledger.account_count() as u64;
    books.held += ledger.accounts().map(|(_, account)| account.balance().credits()).sum::<i64>();
    Ok(())
}

fn count(commit: &Commit, bytes: usize, books: &mut Books) {
    let before = books.debits;
    for event in commit.events.iter() {
        if let Event::Debited(event) = event {
            books.debits += 1;
            books.charged += event.charged.credits();
        }
    }
    if books.debits > before {
        books.commits += 1;
        books.bytes += bytes as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::CHARGE;

    #[test]
    fn balances_and_answers_must_both_agree_with_the_log() {
        let charge = CHARGE.credits();
        let books =
            |held, charged| Books { accounts: 2, held, charged, debits: 3, commits: 1, ..Books::default() };
        let told = |charged, unknown| Tally { charged, unknown, ..Tally::default() };
        let opening = Usdc::from_credits(1_000_000);
        let held = 2_000_000 - 3 * charge;
        for (books, told, agree) in [
            (books(held, 3 * charge), told(3 * charge, 0), true),
            (books(held, 3 * charge), told(2 * charge, 1), true),
            // An acknowledged debit is not in the log.
            (books(held, 3 * charge), told(4 * charge, 0), false),
            // The log charged what nobody was told.
            (books(held, 3 * charge), told(2 * charge, 0), false),
            // The balances do not show what was charged.
            (books(held + 1, 3 * charge), told(3 * charge, 0), false),
        ] {
            assert_eq!(books.agree(&told, opening).is_ok(), agree, "{books:?} {told:?}");
        }
    }
}
