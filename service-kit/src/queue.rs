//! What is looked at next. Pure.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::Hash;

/// How many keys are remembered for later. Whoever uses a queue has another way to find those that are dropped.
const LATER_MAX: usize = 100_000;

/// What is to be looked at, each once at a time: what waits, what is looked at, and what has its time to come. `T` is a
/// moment of whatever clock the caller goes by.
#[derive(Debug)]
pub struct Queue<K, T> {
    waiting: VecDeque<K>,
    queued: HashSet<K>,
    /// Whether something happened since the look began.
    busy: HashMap<K, bool>,
    later: BTreeSet<(T, K)>,
    when: HashMap<K, T>,
}

impl<K, T> Default for Queue<K, T> {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            queued: HashSet::new(),
            busy: HashMap::new(),
            later: BTreeSet::new(),
            when: HashMap::new(),
        }
    }
}

impl<K: Clone + Ord + Hash, T: Copy + Ord> Queue<K, T> {
    /// It is to be looked at.
    pub fn look(&mut self, key: K) {
        self.forget_later(&key);
        if let Some(again) = self.busy.get_mut(&key) {
            *again = true;
        } else if self.queued.insert(key.clone()) {
            self.waiting.push_back(key);
        }
    }

    /// It is to be looked at then, or before.
    pub fn look_at(&mut self, key: K, at: T) {
        if self.when.get(&key).is_some_and(|known| *known <= at) {
            return;
        }
        self.forget_later(&key);
        self.later.insert((at, key.clone()));
        self.when.insert(key, at);
        if self.later.len() > LATER_MAX
            && let Some((_, last)) = self.later.pop_last()
        {
            self.when.remove(&last);
        }
    }

    /// The next one, which is busy from now on.
    pub fn next(&mut self, now: T) -> Option<K> {
        while self.wake_at().is_some_and(|at| at <= now)
            && let Some((_, key)) = self.later.pop_first()
        {
            self.when.remove(&key);
            self.look(key);
        }
        let key = self.waiting.pop_front()?;
        self.queued.remove(&key);
        self.busy.insert(key.clone(), false);
        Some(key)
    }

    /// The look is over; there will be another one then.
    pub fn ended(&mut self, key: K, later: Option<T>) {
        if self.busy.remove(&key) == Some(true) {
            self.look(key);
        } else if let Some(at) = later {
            self.look_at(key, at);
        }
    }

    /// How many are looked at.
    #[must_use]
    pub fn busy(&self) -> usize {
        self.busy.len()
    }

    /// Whether it is looked at.
    #[must_use]
    pub fn is_busy(&self, key: &K) -> bool {
        self.busy.contains_key(key)
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// When the time of the next one comes.
    #[must_use]
    pub fn wake_at(&self) -> Option<T> {
        self.later.first().map(|(at, _)| *at)
    }

    fn forget_later(&mut self, key: &K) {
        if let Some(at) = self.when.remove(key) {
            self.later.remove(&(at, key.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Users = Queue<String, u64>;

    #[test]
    fn each_waits_once_and_is_looked_at_by_one() {
        let mut queue = Users::default();
        for user in ["anna", "bert", "anna"] {
            queue.look(user.into());
        }
        assert_eq!((queue.waiting(), queue.next(0).as_deref()), (2, Some("anna")));
        assert!(queue.is_busy(&"anna".into()) && !queue.is_busy(&"bert".into()));
        queue.look("anna".into());
        assert_eq!(queue.next(0).as_deref(), Some("bert"));
        assert_eq!((queue.next(0), queue.busy(), queue.waiting()), (None, 2, 0));
        // What happened during the look is looked at after it.
        queue.ended("anna".into(), Some(99));
        assert_eq!(queue.next(0).as_deref(), Some("anna"));
        queue.ended("anna".into(), None);
        queue.ended("bert".into(), None);
        assert_eq!((queue.next(0), queue.busy()), (None, 0));
    }

    #[test]
    fn each_comes_at_the_earliest_of_its_times() {
        let mut queue = Users::default();
        queue.look_at("anna".into(), 20);
        queue.look_at("anna".into(), 10);
        queue.look_at("anna".into(), 30);
        queue.look_at("bert".into(), 15);
        assert_eq!(queue.wake_at(), Some(10));
        assert_eq!(queue.next(9), None);
        assert_eq!(queue.next(10).as_deref(), Some("anna"));
        assert_eq!(queue.wake_at(), Some(15));
        // A signal comes first, and makes the time needless.
        queue.look("bert".into());
        assert_eq!(queue.wake_at(), None);
        assert_eq!(queue.next(10).as_deref(), Some("bert"));
    }

    #[test]
    fn what_is_for_later_is_bounded_and_the_latest_is_dropped() {
        let mut queue = Queue::default();
        for number in 0..=LATER_MAX {
            queue.look_at(number, number);
        }
        assert_eq!((queue.later.len(), queue.when.len()), (LATER_MAX, LATER_MAX));
        assert_eq!(queue.wake_at(), Some(0));
    }
}
