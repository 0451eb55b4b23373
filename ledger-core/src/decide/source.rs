//! Sources: numbered items that need no keys. Each is done with exactly once, whatever is sent again.

use crate::command::{Command, Open};
use crate::commit::Hash;
use crate::digest::source_digest;
use crate::event::{Event, SourceItem, SourceMarked, Usage};
use crate::ids::{AccountId, AppId, Label, PartitionId, SourceName};
use crate::ledger::{Ledger, Mark};
use crate::money::Usdc;
use crate::rejection::{Code, Details, Rejection};

use super::{Decided, app_of, decide};
use crate::command::Debit;

/// One item of a batch, with the partition that decides for its account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchItem {
    /// Its number in the source, from 1.
    pub number: u64,
    /// Who decides.
    pub partition: PartitionId,
    /// What is to be paid for; its `item` names the source and the number.
    pub usage: Usage,
}

impl BatchItem {
    fn belongs_to(&self, app: &AppId, source: &SourceName) -> bool {
        let named = |item: &SourceItem| item.source == *source && item.number == self.number;
        self.usage.account.app == *app && self.usage.item.as_ref().is_some_and(named)
    }
}

/// The items (from, to] of a source, for every partition. Numbers without an item are lines nobody can be charged for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceBatch {
    app: AppId,
    source: SourceName,
    from: u64,
    to: u64,
    last: bool,
    grant_missing: Option<Usdc>,
    actor: Label,
    digest_from: Hash,
    items: Vec<BatchItem>,
    /// The digest after each item.
    digests: Vec<Hash>,
}

/// What a batch says of itself beside its items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchHead {
    /// The app.
    pub app: AppId,
    /// The source.
    pub source: SourceName,
    /// The number before the batch's first.
    pub from: u64,
    /// The batch's last number.
    pub to: u64,
    /// The digest at `from`, as the batch before was answered; zero at the beginning.
    pub digest_from: Hash,
    /// The source ends here, for now: what is known may not go further.
    pub last: bool,
    /// Open accounts that are missing, with this grant.
    pub grant_missing: Option<Usdc>,
    /// Who asks.
    pub actor: Label,
}

impl SourceBatch {
    /// Takes items in order. Rejection: a number outside (from, to] or out of order.
    pub fn new(head: BatchHead, items: Vec<BatchItem>) -> Result<Self, Rejection> {
        let BatchHead { app, source, from, to, digest_from, last, grant_missing, actor } = head;
        let own = items.iter().all(|item| item.belongs_to(&app, &source));
        assert!(own, "a batch is made of items of its own app and source: no other tenant may be charged");
        let numbers = || items.iter().map(|item| item.number);
        let inside = numbers().all(|number| from < number && number <= to);
        if from > to || !inside || !numbers().is_sorted_by(|a, b| a < b) {
            return Err(Code::SourceRange.into());
        }
        let next = |digest: &mut Hash, item: &BatchItem| {
            *digest = source_digest(*digest, item.number, &item.usage);
            Some(*digest)
        };
        let digests = items.iter().scan(digest_from, next).collect();
        Ok(Self { app, source, from, to, last, grant_missing, actor, digest_from, items, digests })
    }

    /// The app.
    pub fn app(&self) -> &AppId {
        &self.app
    }

    /// The items.
    pub fn items(&self) -> &[BatchItem] {
        &self.items
    }

    /// The last number.
    pub fn to(&self) -> u64 {
        self.to
    }

    /// The digest over all items of the source up to the end of this batch.
    pub fn digest(&self) -> Hash {
        self.digests.last().copied().unwrap_or(self.digest_from)
    }

    /// Whether the partition can take this batch, and after which number it goes on.
    pub fn check(&self, ledger: &Ledger) -> Result<u64, Rejection> {
        app_of(ledger, &self.app)?;
        let mark = ledger.mark(&self.app, &self.source);
        let refuse = |code| Err(Rejection { code, details: Details::Mark { to: mark.to } });
        if mark.to < self.from {
            return refuse(Code::SourceGap);
        }
        if mark.to <= self.to && self.digest_at(mark.to) != mark.digest {
            return refuse(Code::SourceDiffers);
        }
        if mark.to > self.to && self.last {
            return refuse(Code::SourceShorter);
        }
        Ok(mark.to)
    }

    /// Decides one item: opens the account when it is missing and that was asked, then debits. Never refuses:
    /// the item's outcome stands in the events.
    pub fn decide_opening(&self, ledger: &Ledger, item: &BatchItem) -> Vec<Event> {
        let missing = ledger.account(&item.usage.account).is_none();
        match self.grant_missing {
            Some(grant) if missing => decide(ledger, &self.open(&item.usage.account, grant)).events,
            _ => vec![],
        }
    }

    /// Decides one item against a state in which its account was opened, if it was to be.
    pub fn decide_item(&self, ledger: &Ledger, item: &BatchItem) -> Decided {
        decide(ledger, &Command::Debit(Debit { usage: item.usage.clone(), dry_run: false }))
    }

    /// The event that says that everything up to `number` is done with here; `None` when that is known already.
    pub fn mark_at(&self, ledger: &Ledger, number: u64) -> Option<Event> {
        let Mark { to, .. } = ledger.mark(&self.app, &self.source);
        (number > to).then(|| {
            let (app, source) = (self.app.clone(), self.source.clone());
            Event::SourceMarked(SourceMarked { app, source, to: number, digest: self.digest_at(number) })
        })
    }

    fn digest_at(&self, number: u64) -> Hash {
        let after = self.items.partition_point(|item| item.number <= number);
        after.checked_sub(1).map_or(self.digest_from, |last| self.digests[last])
    }

    fn open(&self, account: &AccountId, initial_balance: Usdc) -> Command {
        let actor = self.actor.clone();
        Command::Open(Open { account: account.clone(), key: None, initial_balance, actor, profile: None })
    }
}
