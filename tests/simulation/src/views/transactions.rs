//! The transactions of the database: they fail before they are committed, lose their answer, are slow, or are committed
//! when nobody waits for them any more.

use projector::Applied;

use super::shell::lost;
use super::*;

/// What becomes of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is applied and answered.
    Answered,
    /// Nothing of it is applied, and that is not known.
    Fails,
    /// It is applied, and that is not known.
    AnswerLost,
    /// It was given up by who asked, and is applied all the same.
    Late,
}

impl Views {
    /// A delta is on its way to the database.
    pub(super) fn send(&mut self, id: u64, mut delta: Box<Delta>) {
        let projector = self.projectors.get_mut(&id).expect("it is alive");
        if projector.ahead.replace(0).is_some() {
            self.wrong = Some(format!("projector {id} has two deltas under way"));
        }
        if std::mem::take(&mut projector.rebased) {
            delta.from = self.database.position.unwrap_or(delta.from);
        }
        self.note(&format!("projector {id} applies {}..{}", delta.from.read, delta.to.read));
        if self.rng.chance(self.faults.down) {
            self.down_until = self.now.plus(self.rng.micros(0, 10 * SECOND));
        }
        let fate = self.fate();
        let most = match fate {
            Fate::Late => {
                self.plan(SECOND, Event::Answers(id, Input::Applied(Err(lost()))));
                2 * SECOND
            }
            _ if self.rng.chance(self.faults.slow) => 3 * SECOND,
            _ => 20_000,
        };
        self.plan(most, Event::Transaction(id, delta, fate));
    }

    fn fate(&mut self) -> Fate {
        if self.rng.chance(self.faults.fails) {
            Fate::Fails
        } else if self.rng.chance(self.faults.answer_lost) {
            Fate::AnswerLost
        } else if self.rng.chance(self.faults.late) {
            Fate::Late
        } else {
            Fate::Answered
        }
    }

    /// It reaches the database.
    ///
    /// Errors: it adds a row that is there already.
    pub(super) fn transaction(&mut self, id: u64, delta: &Delta, fate: Fate) -> Result<(), String> {
        let fate = if self.now < self.down_until { Fate::Fails } else { fate };
        let (from, to) = (delta.from.read, delta.to.read);
        let applied = if self.two_transactions(delta, fate)? {
            Applied::Here
        } else if fate == Fate::Fails {
            self.seen.failed += 1;
            Applied::Elsewhere
        } else {
            self.database.apply(delta)?
        };
        self.note(&format!("the database takes {from}..{to} of projector {id}: {applied:?}, {fate:?}"));
        self.count(applied, fate);
        match fate {
            Fate::Answered => self.plan(5_000, Event::Answers(id, Input::Applied(Ok(applied)))),
            Fate::Fails | Fate::AnswerLost => {
                self.plan(3 * SECOND, Event::Answers(id, Input::Applied(Err(lost()))));
            }
            Fate::Late => {}
        }
        Ok(())
    }

    fn count(&mut self, applied: Applied, fate: Fate) {
        let here = applied == Applied::Here;
        self.seen.applied += u64::from(here);
        self.seen.elsewhere += u64::from(!here && fate != Fate::Fails);
        self.seen.answers_lost += u64::from(here && fate == Fate::AnswerLost);
        self.seen.late += u64::from(here && fate == Fate::Late);
    }

    /// A bug on purpose: rows and position each in a transaction of its own. The second one may fail by itself.
    fn two_transactions(&mut self, delta: &Delta, fate: Fate) -> Result<bool, String> {
        if !self.database.is_at(&delta.from) || fate == Fate::Late {
            return Ok(false);
        }
        match self.bug {
            Some(Bug::PositionAfterRows) => self.database.change(delta)?,
            _ if self.position_first() => self.database.position = Some(delta.to),
            _ => return Ok(false),
        }
        if fate != Fate::Fails {
            self.plan(5_000, Event::Second(Box::new(delta.clone())));
        }
        Ok(true)
    }

    pub(super) fn second(&mut self, delta: &Delta) -> Result<(), String> {
        if self.position_first() {
            return self.database.change(delta);
        }
        self.database.position = Some(delta.to);
        Ok(())
    }

    fn position_first(&self) -> bool {
        self.bug == Some(Bug::PositionBeforeRows)
    }
}
