//! What clients ask, and how an answer is written into their history.

use command_api::ask::{self, Ask, Call, Failure};
use event_log::sim::Rng;
use judge::Position;
use judge::history::{Answer, Item, Refusal, Request, Verb, What};
use ledger_core::charge::{self, Charge, Quantity, UnitPrice};
use ledger_core::command::{AddMoney, Close, Debit, Open};
use ledger_core::event::{Event, Usage};
use ledger_core::rejection::Details;
use ledger_core::{AccountId, AppId, Command, Key, Label, Meter, Timestamp, Usdc, UserId};

/// A call that is not answered for good, and when it is tried again.
#[derive(Clone, Default)]
pub(crate) struct Client {
    pub(crate) asked: Option<(u64, Request)>,
    pub(crate) again: Option<Request>,
    /// Of the last write: another one may take its key by mistake.
    last: Option<Request>,
}

impl Client {
    /// Something new; now and then under the key of what it asked before.
    pub(crate) fn invents(&mut self, rng: &mut Rng, now: Timestamp, plain_keys: bool) -> Request {
        let mut request = request(rng, now, plain_keys);
        if let (Some(last), true, true) = (&self.last, request.key.is_some(), rng.chance(40)) {
            (request.key, request.app, request.user) =
                (last.key.clone(), last.app.clone(), last.user.clone());
        }
        if request.key.is_some() {
            self.last = Some(request.clone());
        }
        request
    }
}

/// A request to an account of a few, with a key of its own. UUIDv7 are remembered for ever, plain keys for a while.
fn request(rng: &mut Rng, now: Timestamp, plain_keys: bool) -> Request {
    let verb = match rng.below(100) {
        0..12 => Verb::Open,
        12..27 => Verb::Deposit,
        27..32 => Verb::Grant,
        32..85 => Verb::Debit,
        85 if rng.chance(200) => Verb::Close,
        _ => Verb::Read,
    };
    let itemised = verb == Verb::Debit && rng.chance(300);
    let plain = plain_keys && rng.chance(300);
    let most = if verb == Verb::Debit { 900_000 } else { 2_000_000 };
    let amount = i64::try_from(1 + rng.below(most)).expect("a small number");
    Request {
        verb,
        app: if rng.chance(800) { "demo" } else { "other" }.to_owned(),
        user: format!("user-{}", rng.below(12)),
        key: (!matches!(verb, Verb::Read | Verb::Close | Verb::Open)).then(|| key(rng, now, plain)),
        amount: (!matches!(verb, Verb::Read | Verb::Close) && !itemised).then_some(amount),
        items: if itemised { items(rng) } else { vec![] },
        deadline: Some(now.plus(10_000_000).0),
    }
}

/// Lines whose sum is seldom a whole number of credits.
fn items(rng: &mut Rng) -> Vec<Item> {
    let count = rng.below(3);
    let item = |number| Item {
        name: format!("item-{number}"),
        quantity: rng.below(3_000_000),
        unit_price: rng.below(200_000_000_000),
    };
    (0..=count).map(item).collect()
}

/// A UUIDv7 of now, or what another program might take.
fn key(rng: &mut Rng, now: Timestamp, plain: bool) -> String {
    if plain {
        return format!("call-{:x}", rng.draw());
    }
    let (millis, a, b) = (now.0 / 1000, rng.draw(), rng.draw());
    let time = format!("{millis:012x}");
    let (high, low) = time.split_at(8);
    format!("{high}-{low}-7{:03x}-8{:03x}-{:012x}", a & 0xfff, (a >> 12) & 0xfff, b & 0xffff_ffff_ffff)
}

/// The call that the edge would make of it.
pub(crate) fn call(request: &Request) -> Call {
    let user = UserId::new(&request.user).expect("a good name");
    let account = AccountId { app: AppId::new(&request.app).expect("a good name"), user };
    let actor = Label::new("simulation").expect("a good label");
    let amount = Usdc::from_credits(request.amount.unwrap_or(0));
    let key = request.key.as_deref().map(|key| Key::new(key).expect("a good key"));
    let money = || AddMoney {
        account: account.clone(),
        key: key.clone().expect("money in has a key"),
        amount,
        actor: actor.clone(),
        metadata: None,
    };
    let ask = match request.verb {
        Verb::Read => Ask::Get(account),
        Verb::Grant => Ask::Command(Command::Grant(money())),
        Verb::Deposit => Ask::Command(Command::Deposit(money())),
        Verb::Close => Ask::Command(Command::Close(Close { account, key, actor })),
        Verb::Open => {
            let open = Open { account, key, initial_balance: amount, actor, profile: None };
            Ask::Command(Command::Open(open))
        }
        Verb::Debit => {
            let usage = Usage {
                account,
                key,
                item: None,
                charge: charge(request),
                meter: Meter::new("search").expect("a good name"),
                scope: None,
                occurred_at: None,
                metadata: None,
            };
            // Batches may ask for brief answers: every second debit of an amount does.
            let brief = request.amount.is_some_and(|amount| amount % 2 == 0);
            let debit = Command::Debit(Debit { usage, dry_run: false });
            if brief { Ask::Brief(debit) } else { Ask::Command(debit) }
        }
    };
    Call { ask, deadline: Timestamp(request.deadline.expect("every call has one")) }
}

fn charge(request: &Request) -> Charge {
    let item = |item: &Item| charge::Item {
        name: Label::new(&item.name).expect("a good label"),
        quantity: Quantity::from_units(item.quantity).expect("a small quantity"),
        unit_price: UnitPrice::from_units(item.unit_price).expect("a small price"),
    };
    match request.amount {
        Some(amount) => Charge::Amount(Usdc::from_credits(amount)),
        None => Charge::Items(request.items.iter().map(item).collect()),
    }
}

/// The same debit, only tried.
pub(crate) fn dry_run(rng: &mut Rng, now: Timestamp) -> Option<Call> {
    let request = Request { verb: Verb::Debit, ..request(rng, now, false) };
    let asked = Request { key: Some(key(rng, now, false)), ..request };
    let mut call = call(&asked);
    match &mut call.ask {
        Ask::Command(Command::Debit(debit)) | Ask::Brief(Command::Debit(debit)) => debit.dry_run = true,
        _ => return None,
    }
    Some(call)
}

/// What the client is told, as its history says it.
pub(crate) fn told(answer: ask::Answer) -> What {
    match answer {
        ask::Answer::Done(receipt) => What::Ok(done(&receipt)),
        ask::Answer::Brief(receipt) => What::Ok(Answer {
            position: Some(position(receipt.position)),
            balance: Some(receipt.balance.credits()),
            charged: None,
            duplicate: receipt.duplicate,
        }),
        ask::Answer::Account(answer) => What::Ok(Answer {
            position: Some(position(answer.account.last)),
            balance: Some(answer.account.balance.credits()),
            charged: None,
            duplicate: !answer.changed,
        }),
        ask::Answer::Recorded(_) => unreachable!("clients write down nothing of the wallet"),
        ask::Answer::Rejected(rejection) => {
            let (needed, available) = match rejection.details {
                Details::Credit { needed, available } => (Some(needed.credits()), Some(available.credits())),
                _ => (None, None),
            };
            What::Refused(Refusal { code: rejection.code.to_string(), needed, available })
        }
        ask::Answer::Failed(Failure::OutcomeUnknown) => {
            What::Unknown { reason: "outcome_unknown".to_owned() }
        }
        ask::Answer::Failed(_) => {
            What::Refused(Refusal { code: "unavailable".to_owned(), ..Refusal::default() })
        }
        ask::Answer::WouldCharge(_) | ask::Answer::Source(_) => unreachable!("nobody asks for it here"),
    }
}

fn done(receipt: &ask::Receipt) -> Answer {
    let (charged, balance) = match &receipt.event {
        Event::Debited(event) => (event.charged, event.balance),
        Event::Granted(event) | Event::Deposited(event) => (event.amount, event.balance),
        other => unreachable!("{other:?} is no receipt"),
    };
    Answer {
        position: Some(position(receipt.position)),
        balance: Some(balance.credits()),
        charged: Some(charged.credits()),
        duplicate: receipt.duplicate,
    }
}

fn position(position: ledger_core::Position) -> Position {
    Position { partition: position.partition.0, sequence: position.sequence, index: position.index }
}
