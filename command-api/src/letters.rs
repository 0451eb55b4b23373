//! Letters: calls that come together and are answered together.

use std::collections::HashMap;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::ask::{Answer, Call, Failure};
use crate::writer::{Input, Ticket};

/// Calls that came together and are answered together.
pub(crate) struct Letter {
    pub(crate) calls: Vec<Call>,
    pub(crate) reply: oneshot::Sender<Vec<Answer>>,
    /// Given back with the answer: bounds how many calls are under way.
    pub(crate) permit: OwnedSemaphorePermit,
}

/// Letters that are not answered yet.
#[derive(Default)]
pub(crate) struct OpenLetters {
    next: Ticket,
    tickets: HashMap<Ticket, (u64, usize)>,
    letters: HashMap<u64, OpenLetter>,
}

struct OpenLetter {
    answers: Vec<Option<Answer>>,
    missing: usize,
    reply: oneshot::Sender<Vec<Answer>>,
    _permit: OwnedSemaphorePermit,
}

impl OpenLetters {
    /// Every letter was answered.
    pub(crate) fn is_empty(&self) -> bool {
        self.letters.is_empty()
    }

    /// Gives each call of a letter a ticket.
    pub(crate) fn open(&mut self, letter: Letter) -> Vec<Input> {
        let Letter { calls, reply, permit } = letter;
        let id = self.next;
        let missing = calls.len();
        self.letters.insert(id, OpenLetter { answers: vec![None; missing], missing, reply, _permit: permit });
        let mut ticket = |(place, call)| {
            self.next += 1;
            self.tickets.insert(self.next, (id, place));
            Input::Call(self.next, call)
        };
        let inputs = calls.into_iter().enumerate().map(&mut ticket).collect();
        self.next += 1;
        inputs
    }

    /// Keeps an answer, and sends the letter's when it was the last.
    pub(crate) fn answer(&mut self, ticket: Ticket, answer: Answer) {
        let (id, place) = self.tickets.remove(&ticket).expect("a call is answered once");
        let letter = self.letters.get_mut(&id).expect("a letter is open until its last answer");
        letter.answers[place] = Some(answer);
        letter.missing -= 1;
        if letter.missing == 0 {
            let letter = self.letters.remove(&id).expect("it was found just now");
            // The asker may be gone: then nobody wants to know.
            let _ = letter.reply.send(letter.answers.into_iter().flatten().collect());
        }
    }

    /// Answers all that is open when the writer ends without having done so itself.
    pub(crate) fn give_up(&mut self, reason: &str) {
        tracing::debug!(open = self.tickets.len(), reason, "giving up open calls");
        let open: Vec<Ticket> = self.tickets.keys().copied().collect();
        open.into_iter().for_each(|ticket| self.answer(ticket, Answer::Failed(Failure::OutcomeUnknown)));
    }
}
