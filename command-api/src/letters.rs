//! Letters: calls that come together and are answered together. No IO: where an answer goes is the shell's business.

use ledger_core::map::Map;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use crate::ask::{Answer, Call, Failure};
use crate::writer::{Input, Ticket};

/// Calls that came together and are answered together.
pub(crate) struct Letter {
    pub(crate) calls: Vec<Call>,
    pub(crate) reply: Reply,
    /// Given back with the answer: bounds how many calls are under way.
    pub(crate) permit: OwnedSemaphorePermit,
}

/// Where a letter's answers go.
pub(crate) enum Reply {
    /// To somebody who waits for just this.
    Once(oneshot::Sender<Vec<Answer>>),
    /// To a mailbox, under this token.
    Mail(Mailbox, u64),
}

/// Takes the answers to many letters of one asker. What is answered together comes together.
pub(crate) type Mailbox = mpsc::UnboundedSender<Vec<Mail>>;

/// The answer to a letter of one call, by the token it was handed in with.
pub(crate) type Mail = (u64, Answer);

/// Where the answers of a letter go; the permit is given back with them.
pub(crate) type Address = (Reply, OwnedSemaphorePermit);

/// So many bits of a ticket say which call of its letter it is, the others which letter.
const PLACE_BITS: u32 = 20;

/// Letters that are not answered yet, each with where its answers go.
#[derive(Debug)]
pub struct OpenLetters<R> {
    next: u64,
    letters: Map<u64, OpenLetter<R>>,
}

#[derive(Debug)]
struct OpenLetter<R> {
    answers: Vec<Option<Answer>>,
    missing: usize,
    reply: R,
}

impl<R> Default for OpenLetters<R> {
    fn default() -> Self {
        Self { next: 0, letters: Map::default() }
    }
}

impl<R> OpenLetters<R> {
    /// Every letter was answered.
    pub fn is_empty(&self) -> bool {
        self.letters.is_empty()
    }

    /// Gives each call of a letter a ticket.
    ///
    /// # Panics
    ///
    /// With more calls than a partition has room for.
    pub fn open(&mut self, calls: Vec<Call>, reply: R) -> impl Iterator<Item = Input> + use<R> {
        let (id, missing) = (self.next, calls.len());
        assert!(missing < 1 << PLACE_BITS, "a letter is bounded by the room of its partition");
        self.next += 1;
        let answers = std::iter::repeat_with(|| None).take(missing).collect();
        self.letters.insert(id, OpenLetter { answers, missing, reply });
        (id << PLACE_BITS..).zip(calls).map(|(ticket, call)| Input::Call(ticket, call))
    }

    /// Keeps an answer. With the last one of its letter: where the letter's answers go, and they.
    ///
    /// # Panics
    ///
    /// If the call was answered before.
    pub fn answer(&mut self, ticket: Ticket, answer: Answer) -> Option<(R, Vec<Answer>)> {
        let (id, place) = (ticket >> PLACE_BITS, ticket & ((1 << PLACE_BITS) - 1));
        let letter = self.letters.get_mut(&id).expect("a letter is open until its last answer");
        let place = usize::try_from(place).expect("a place has a few bits");
        let before = letter.answers[place].replace(answer);
        assert!(before.is_none(), "a call is answered once");
        letter.missing -= 1;
        if letter.missing > 0 {
            return None;
        }
        let letter = self.letters.remove(&id).expect("it was found just now");
        Some((letter.reply, letter.answers.into_iter().flatten().collect()))
    }

    /// Answers all that is open when the writer ends without having done so itself.
    pub fn give_up(&mut self, reason: &str) -> Vec<(R, Vec<Answer>)> {
        tracing::debug!(letters = self.letters.len(), reason, "giving up open calls");
        let unknown = || Answer::Failed(Failure::OutcomeUnknown);
        let mut letters: Vec<_> = self.letters.drain().collect();
        letters.sort_unstable_by_key(|(id, _)| *id);
        let answers = |answers: Vec<Option<Answer>>| {
            answers.into_iter().map(|answer| answer.unwrap_or_else(unknown)).collect()
        };
        letters.into_iter().map(|(_, letter)| (letter.reply, answers(letter.answers))).collect()
    }
}

/// Answers on their way. What goes to one mailbox goes in one piece: a commit answers hundreds of calls, and each piece
/// wakes who waits for it.
#[derive(Default)]
pub(crate) struct Post(Vec<(Mailbox, Vec<Mail>)>);

impl Post {
    /// The asker may be gone: then nobody wants to know.
    pub(crate) fn send(&mut self, ((reply, _permit), mut answers): (Address, Vec<Answer>)) {
        match reply {
            Reply::Once(asker) => drop(asker.send(answers)),
            Reply::Mail(mailbox, token) => {
                let answer = answers.pop().expect("a letter to a mailbox holds one call");
                match self.0.iter_mut().find(|(known, _)| known.same_channel(&mailbox)) {
                    Some((_, mail)) => mail.push((token, answer)),
                    None => self.0.push((mailbox, vec![(token, answer)])),
                }
            }
        }
    }

    pub(crate) fn deliver(self) {
        self.0.into_iter().for_each(|(mailbox, mail)| drop(mailbox.send(mail)));
    }
}

#[cfg(test)]
mod tests {
    use ledger_core::{AccountId, AppId, Timestamp, UserId};

    use super::*;
    use crate::ask::Ask;

    fn calls(count: usize) -> Vec<Call> {
        let account = AccountId { app: AppId::new("demo").unwrap(), user: UserId::new("anna").unwrap() };
        vec![Call { ask: Ask::Get(account), deadline: Timestamp(1) }; count]
    }

    fn tickets(inputs: impl Iterator<Item = Input>) -> Vec<Ticket> {
        let ticket = |input| match input {
            Input::Call(ticket, _) => ticket,
            other => panic!("{other:?}"),
        };
        inputs.map(ticket).collect()
    }

    fn full() -> Answer {
        Answer::Failed(Failure::Overloaded)
    }

    #[test]
    fn a_letter_is_answered_with_its_last_call_and_in_its_order() {
        let mut letters = OpenLetters::default();
        let first = tickets(letters.open(calls(2), "first"));
        let second = tickets(letters.open(calls(1), "second"));
        let gone = Answer::Failed(Failure::Unavailable("gone".to_owned()));
        assert_eq!(letters.answer(first[1], gone.clone()), None);
        assert_eq!(letters.answer(second[0], full()), Some(("second", vec![full()])));
        assert_eq!(letters.answer(first[0], full()), Some(("first", vec![full(), gone])));
        assert!(letters.is_empty());
    }

    #[test]
    fn what_is_given_up_keeps_the_answers_it_has() {
        let mut letters = OpenLetters::default();
        let first = tickets(letters.open(calls(2), "first"));
        drop(letters.open(calls(1), "second"));
        letters.answer(first[0], full());
        let unknown = || Answer::Failed(Failure::OutcomeUnknown);
        assert_eq!(
            letters.give_up("test"),
            [("first", vec![full(), unknown()]), ("second", vec![unknown()])]
        );
        assert!(letters.is_empty());
    }
}
