//! Requests and their outcomes brought together, and what was known when each was sent.

use std::collections::BTreeMap;
use std::fmt;

use super::effects::{Account, Effects};
use super::{Answer, Refusal, Request, Verb, What};
use crate::position::Position;

/// One attempt.
#[derive(Debug)]
pub(super) struct Operation<'a> {
    pub(super) name: (u32, u64),
    pub(super) request: &'a Request,
    pub(super) account: Account,
    pub(super) sent: i64,
    pub(super) outcome: Option<(i64, &'a What)>,
}

impl<'a> Operation<'a> {
    pub(super) fn ok(&self) -> Option<(i64, &'a Answer)> {
        match self.outcome {
            Some((at, What::Ok(answer))) => Some((at, answer)),
            _ => None,
        }
    }

    pub(super) fn refused(&self) -> Option<(i64, &'a Refusal)> {
        match self.outcome {
            Some((at, What::Refused(refusal))) => Some((at, refusal)),
            _ => None,
        }
    }

    /// It, or an answer about what it did, may stand in the log.
    pub(super) fn may_have_happened(&self) -> bool {
        self.refused().is_none()
    }

    /// It was done, now: not before, and it is no question.
    pub(super) fn is_new(&self) -> bool {
        self.request.verb != Verb::Read && self.ok().is_some_and(|(_, answer)| !answer.duplicate)
    }

    /// Its answer shows the account as it stood: a read, an opening of an open one, a closing of a closed one.
    pub(super) fn shows_account(&self) -> bool {
        let shown = matches!(self.request.verb, Verb::Open | Verb::Close);
        self.request.verb == Verb::Read || (shown && self.ok().is_some_and(|(_, answer)| answer.duplicate))
    }

    /// A later attempt of the same call, sent when this one had been answered.
    pub(super) fn is_same_call(&self, later: &Self) -> bool {
        let (here, there) = (self.request.deadline, later.request.deadline);
        here.is_some() && here == there && self.outcome.is_some_and(|(at, _)| at < later.sent)
    }

    pub(super) fn same_content(&self, other: &Self) -> bool {
        let content = |request: &'a Request| (request.verb, request.amount, &request.items);
        content(self.request) == content(other.request)
    }
}

impl fmt::Display for Operation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((client, op), (app, user)) = (self.name, &self.account);
        write!(f, "client {client}, operation {op} ({:?} of {app}/{user}", self.request.verb)?;
        self.request.key.iter().try_for_each(|key| write!(f, ", key {key:?}"))?;
        f.write_str(")")
    }
}

/// What was answered before each operation was sent.
pub(super) struct Before {
    pub(super) each: Vec<Answered>,
    /// When each position was first answered, in order of the time.
    answers: Vec<(i64, Position)>,
}

impl Before {
    pub(super) fn of(operations: &[Operation<'_>]) -> Self {
        let answer =
            |operation: &Operation<'_>| operation.ok().and_then(|(at, answer)| Some((at, answer.position?)));
        // Sends before answers of the same moment: only what was answered earlier is surely known.
        let sends = operations.iter().enumerate().map(|(index, operation)| (operation.sent, 0, index));
        let answered =
            operations.iter().enumerate().filter_map(|(index, one)| Some((answer(one)?.0, 1, index)));
        let mut moments: Vec<_> = sends.chain(answered).collect();
        moments.sort_unstable();
        let mut each = vec![Answered::default(); operations.len()];
        let (mut partitions, mut accounts) = (BTreeMap::new(), BTreeMap::new());
        let mut answers = Vec::new();
        for (at, is_answer, index) in moments {
            let operation = &operations[index];
            match answer(operation).filter(|_| is_answer == 1) {
                Some((_, position)) => {
                    raise(&mut partitions, position.partition, position);
                    raise(&mut accounts, &operation.account, position);
                    answers.push((at, position));
                }
                None => {
                    let newest =
                        answer(operation).and_then(|(_, own)| partitions.get(&own.partition).copied());
                    each[index] =
                        Answered { partition: newest, account: accounts.get(&operation.account).copied() };
                }
            }
        }
        Self { each, answers }
    }

    /// The owner that gave this answer had given another one before this moment.
    pub(super) fn owner_was_there(&self, log: &Effects, answer: &Answer, moment: i64) -> bool {
        let term =
            |position: Position| log.all.get(&position).map(|effect| (position.partition, effect.term));
        let owner = answer.position.and_then(term);
        let earlier = &self.answers[..self.answers.partition_point(|(at, _)| *at < moment)];
        owner.is_some() && earlier.iter().rev().any(|(_, position)| term(*position) == owner)
    }
}

fn raise<K: Ord>(newest: &mut BTreeMap<K, Position>, key: K, position: Position) {
    let known = newest.entry(key).or_insert(position);
    *known = position.max(*known);
}

/// The newest positions that were answered.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Answered {
    /// Of the partition that the operation's own answer names.
    pub(super) partition: Option<Position>,
    /// Of the operation's account.
    pub(super) account: Option<Position>,
}
