//! Which account is looked at next. Pure.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use ledger_core::{AccountId, Timestamp};

/// How many accounts are remembered for later. The sweep finds those that are dropped.
const LATER_MAX: usize = 100_000;

/// Accounts to be looked at, each once at a time: those that wait, those that are looked at, and those whose time will
/// come.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: VecDeque<AccountId>,
    queued: HashSet<AccountId>,
    /// Whether something happened since the look began.
    busy: HashMap<AccountId, bool>,
    later: BTreeSet<(Timestamp, AccountId)>,
    when: HashMap<AccountId, Timestamp>,
}

impl Queue {
    /// The account is to be looked at.
    pub(crate) fn look(&mut self, account: AccountId) {
        self.forget_later(&account);
        if let Some(again) = self.busy.get_mut(&account) {
            *again = true;
        } else if self.queued.insert(account.clone()) {
            self.waiting.push_back(account);
        }
    }

    /// The account is to be looked at then, or before.
    pub(crate) fn look_at(&mut self, account: AccountId, at: Timestamp) {
        if self.when.get(&account).is_some_and(|known| *known <= at) {
            return;
        }
        self.forget_later(&account);
        self.later.insert((at, account.clone()));
        self.when.insert(account, at);
        if self.later.len() > LATER_MAX
            && let Some((_, last)) = self.later.pop_last()
        {
            self.when.remove(&last);
        }
    }

    /// The next account, which is busy from now on.
    pub(crate) fn next(&mut self, now: Timestamp) -> Option<AccountId> {
        while self.wake_at().is_some_and(|at| at <= now)
            && let Some((_, account)) = self.later.pop_first()
        {
            self.when.remove(&account);
            self.look(account);
        }
        let account = self.waiting.pop_front()?;
        self.queued.remove(&account);
        self.busy.insert(account.clone(), false);
        Some(account)
    }

    /// The look is over; there will be another one then.
    pub(crate) fn ended(&mut self, account: AccountId, later: Option<Timestamp>) {
        if self.busy.remove(&account) == Some(true) {
            self.look(account);
        } else if let Some(at) = later {
            self.look_at(account, at);
        }
    }

    /// How many are looked at.
    pub(crate) fn busy(&self) -> usize {
        self.busy.len()
    }

    /// When the time of the next one comes.
    pub(crate) fn wake_at(&self) -> Option<Timestamp> {
        self.later.first().map(|(at, _)| *at)
    }

    fn forget_later(&mut self, account: &AccountId) {
        if let Some(at) = self.when.remove(account) {
            self.later.remove(&(at, account.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use ledger_core::{AppId, UserId};

    use super::*;

    fn account(user: &str) -> AccountId {
        AccountId { app: AppId::new("demo").unwrap(), user: UserId::new(user).unwrap() }
    }

    fn next(queue: &mut Queue, now: i64) -> Option<String> {
        queue.next(Timestamp(now)).map(|account| account.user.to_string())
    }

    #[test]
    fn an_account_waits_once_and_is_looked_at_by_one() {
        let mut queue = Queue::default();
        for user in ["anna", "bert", "anna"] {
            queue.look(account(user));
        }
        assert_eq!(next(&mut queue, 0).as_deref(), Some("anna"));
        queue.look(account("anna"));
        assert_eq!(next(&mut queue, 0).as_deref(), Some("bert"));
        assert_eq!((next(&mut queue, 0), queue.busy()), (None, 2));
        // What happened during the look is looked at after it.
        queue.ended(account("anna"), Some(Timestamp(99)));
        assert_eq!(next(&mut queue, 0).as_deref(), Some("anna"));
        queue.ended(account("anna"), None);
        queue.ended(account("bert"), None);
        assert_eq!((next(&mut queue, 0), queue.busy()), (None, 0));
    }

    #[test]
    fn an_account_comes_at_the_earliest_of_its_times() {
        let mut queue = Queue::default();
        queue.look_at(account("anna"), Timestamp(20));
        queue.look_at(account("anna"), Timestamp(10));
        queue.look_at(account("anna"), Timestamp(30));
        queue.look_at(account("bert"), Timestamp(15));
        assert_eq!(queue.wake_at(), Some(Timestamp(10)));
        assert_eq!(next(&mut queue, 9), None);
        assert_eq!(next(&mut queue, 10).as_deref(), Some("anna"));
        assert_eq!(queue.wake_at(), Some(Timestamp(15)));
        // A signal comes first, and makes the time needless.
        queue.look(account("bert"));
        assert_eq!(queue.wake_at(), None);
        assert_eq!(next(&mut queue, 10).as_deref(), Some("bert"));
    }

    #[test]
    fn what_is_for_later_is_bounded_and_the_latest_is_dropped() {
        let mut queue = Queue::default();
        for number in 0..=i64::try_from(LATER_MAX).unwrap() {
            queue.look_at(account(&number.to_string()), Timestamp(number));
        }
        assert_eq!((queue.later.len(), queue.when.len()), (LATER_MAX, LATER_MAX));
        assert_eq!(queue.wake_at(), Some(Timestamp(0)));
    }
}
