//! What will happen by itself: at its moment, in order, exactly once.

use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::store::Turn;
use crate::webhooks::Delivery;

/// Something that is due at a moment.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Timer {
    Confirm {
        payment: String,
    },
    Expire {
        session: String,
    },
    Deploying {
        deployment: String,
    },
    Deployed {
        deployment: String,
    },
    MailDone {
        send: u64,
    },
    MailFate {
        inbox: String,
        message: String,
    },
    Deliver(Delivery),
    /// Nothing is done: something looks different from now on, and whoever watches should look.
    Look,
}

#[derive(Debug, Serialize, Deserialize)]
struct Scheduled {
    at: Time,
    number: u64,
    timer: Timer,
}

/// What is due later, the earliest last.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Timers {
    scheduled: Vec<Scheduled>,
    made: u64,
}

impl Timers {
    pub(crate) fn add(&mut self, at: Time, timer: Timer) {
        self.made += 1;
        let number = self.made;
        let place = self.scheduled.partition_point(|other| (other.at, other.number) > (at, number));
        self.scheduled.insert(place, Scheduled { at, number, timer });
    }

    /// When the next one is due.
    pub(crate) fn next(&self) -> Option<Time> {
        self.scheduled.last().map(|next| next.at)
    }

    fn take_due(&mut self, now: Time) -> Option<(Time, Timer)> {
        let due = self.scheduled.pop_if(|next| next.at <= now)?;
        Some((due.at, due.timer))
    }
}

impl Turn<'_> {
    /// Lets everything happen that is due by now, each at its own moment. Whether there was anything.
    pub(crate) fn settle(&mut self) -> bool {
        let now = self.now;
        let mut any = false;
        while let Some((at, timer)) = self.store.timers.take_due(now) {
            self.now = at;
            self.fire(timer);
            any = true;
        }
        self.now = now;
        any
    }

    fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::Confirm { payment } => self.confirm_payment(&payment),
            Timer::Expire { session } => self.expire_when_unpaid(&session),
            Timer::Deploying { deployment } => self.deploying(&deployment),
            Timer::Deployed { deployment } => self.deployed(&deployment),
            Timer::MailDone { send } => self.complete_slow_send(send),
            Timer::MailFate { inbox, message } => self.mail_fate(&inbox, &message),
            Timer::Deliver(delivery) => self.store.outbox.push(delivery),
            Timer::Look => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_comes_first_and_equals_keep_their_order() {
        let mut timers = Timers::default();
        for (at, session) in [(5, "c"), (1, "a"), (5, "d"), (3, "b")] {
            timers.add(Time::from_unix_millis(at), Timer::Expire { session: session.into() });
        }
        let mut order = String::new();
        while let Some((_, Timer::Expire { session })) = timers.take_due(Time::from_unix_millis(5)) {
            order.push_str(&session);
        }
        assert_eq!(order, "abcd");
    }
}
