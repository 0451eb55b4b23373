//! The clients' side of the world: they ask, give up, are told, and try again.

use command_api::writer::Input;
use judge::history::{Line, Request, What};
use ledger_core::time::SECOND;

use crate::client;
use crate::owner::Asker;
use crate::world::{Event, World};

impl World {
    pub(crate) fn client_asks(&mut self, client: usize) {
        if self.rng.chance(30) {
            self.tries_a_debit();
        }
        let plain_keys = !self.swarm.forgets_keys();
        let mut request = match self.clients[client].again.take() {
            Some(again) => again,
            None => self.clients[client].invents(&mut self.rng, self.now, plain_keys),
        };
        if request.deadline.is_none_or(|deadline| deadline <= self.now.0) {
            request.deadline = Some(self.now.plus(10 * SECOND).0);
        }
        self.next += 1;
        let op = self.next;
        self.seen.attempts += 1;
        self.write(client, op, What::Invoke(request.clone()));
        self.clients[client].asked = Some((op, request));
        self.plan(4_000, Event::Call(client, op));
        self.plan_at(self.now.plus(12 * SECOND), Event::GiveUp(client, op));
    }

    fn write(&mut self, client: usize, op: u64, what: What) {
        let client = u32::try_from(client).expect("few clients");
        self.history.push(Line { client, op, at: self.now.0, what });
    }

    /// What a debit would do: nothing of it may stand in the log, for the history does not know of it.
    fn tries_a_debit(&mut self) {
        let Some(call) = client::dry_run(&mut self.rng, self.now) else { return };
        self.next += 1;
        self.reaches_an_owner(self.next, Asker::DryRun, Input::Call(self.next, call));
    }

    pub(crate) fn call(&mut self, client: usize, op: u64) {
        let Some((_, request)) = self.clients[client].asked.clone().filter(|(asked, _)| *asked == op) else {
            return;
        };
        self.reaches_an_owner(op, Asker::Client(client), Input::Call(op, client::call(&request)));
    }

    /// Mostly the newest, at times one that thinks it still is.
    pub(crate) fn reaches_an_owner(&mut self, op: u64, asker: Asker, input: Input) {
        let mut owners: Vec<u64> = self.owners.keys().copied().collect();
        if owners.len() > 1 && self.rng.chance(700) {
            owners.drain(..owners.len() - 1);
        }
        if owners.is_empty() {
            return;
        }
        let place = usize::try_from(self.rng.below(owners.len() as u64)).expect("small");
        let owner = owners[place];
        self.owners.get_mut(&owner).expect("it is alive").calls.insert(op, (asker, op));
        self.input(owner, input);
    }

    /// What had become of an attempt that was not answered shows in the answer to the next.
    fn settles(&mut self, request: &Request, what: &What) {
        let Some(key) = &request.key else { return };
        match what {
            What::Unknown { .. } => {
                self.unsettled.insert(key.clone());
            }
            What::Ok(answer) if self.unsettled.remove(key) => match answer.duplicate {
                true => self.seen.unknown_stored += 1,
                false => self.seen.unknown_not_stored += 1,
            },
            _ => {}
        }
    }

    pub(crate) fn told(&mut self, client: usize, op: u64, what: What) {
        let asked = &mut self.clients[client].asked;
        let Some((_, request)) = asked.take_if(|(asked, _)| *asked == op) else { return };
        self.seen.unknown += u64::from(matches!(what, What::Unknown { .. }));
        let unsettled = match &what {
            What::Unknown { .. } => true,
            What::Refused(refusal) => refusal.code == "unavailable" || refusal.code == "deadline_passed",
            _ => false,
        };
        self.settles(&request, &what);
        self.write(client, op, what);
        let again = (unsettled && self.rng.chance(700)) || self.rng.chance(50);
        self.clients[client].again = again.then_some(request);
        let most = if again && self.rng.chance(200) { 60 * SECOND } else { SECOND };
        self.plan(most, Event::Client(client));
    }
}
