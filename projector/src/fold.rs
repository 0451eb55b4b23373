//! The fold: commits in, a delta out. Pure: events carry their outcomes, so nothing needs to be known beside the
//! position.

use ledger_core::account::LotKind;
use ledger_core::chain::{Broken, Chain};
use ledger_core::charge::ATTO_PER_CREDIT;
use ledger_core::commit::Commit;
use ledger_core::event::{
    AccountClosed, AccountOpened, Crossed, Debited, Declined, Event, MoneyIn, Slice, SourceMarked, Usage,
};
use ledger_core::sealed::Sealed;
use ledger_core::time::HOUR;
use ledger_core::{AccountId, AppId, Charge, Code, Level, Position, Sequence, SourceName, Timestamp, Usdc};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::delta::{AccountChange, Delta, Opened, SourceChange};
use crate::rows::{ChainPosition, JournalKind, JournalRow, LotRow};
use crate::store::storable;

/// Folds consecutive entries of one partition into one delta.
#[derive(Debug)]
pub struct Fold {
    chain: Chain,
    delta: Delta,
}

impl Fold {
    /// Begins behind what the views hold.
    pub fn new(from: ChainPosition) -> Self {
        Self { chain: from.chain(), delta: Delta::new(from) }
    }

    /// Takes in the next commit.
    ///
    /// Errors: it does not continue the chain; the delta stays as it was.
    pub fn commit(&mut self, commit: &Commit) -> Result<(), Broken> {
        if commit.prefix.log != self.delta.from.log {
            let reason = format!("it belongs to log {}, not to {}", commit.prefix.log, self.delta.from.log);
            let sequence = commit.prefix.sequence;
            return Err(Broken { partition: self.chain.partition, sequence, reason });
        }
        self.chain.accept(commit)?;
        let time = storable(commit.time);
        commit.positioned().for_each(|(position, event)| self.delta.event(position, time, event));
        self.moved();
        Ok(())
    }

    /// Steps over a foreign message and counts it.
    ///
    /// Errors: there is a gap before it; the delta stays as it was.
    pub fn step_over(&mut self, sequence: Sequence) -> Result<(), Broken> {
        self.chain.step_over(sequence)?;
        self.delta.to.foreign += 1;
        self.moved();
        Ok(())
    }

    /// How far it has come.
    pub fn position(&self) -> &ChainPosition {
        &self.delta.to
    }

    /// The delta of all that was taken in.
    pub fn finish(self) -> Delta {
        self.delta
    }

    fn moved(&mut self) {
        let position = ChainPosition::of(self.delta.from.log, &self.chain, self.delta.to.foreign);
        self.delta.to = ChainPosition { time: storable(position.time), ..position };
    }
}

impl Delta {
    fn event(&mut self, position: Position, time: Timestamp, event: &Event) {
        self.upkeep.event(position, time, event);
        match event {
            Event::Genesis(_) | Event::TermOpened(_) | Event::PolicySet(_) | Event::HorizonRaised(_) => {}
            Event::AccountOpened(event) => self.opened(position, time, event),
            Event::Granted(event) => self.money_in(position, time, event, LotKind::Promo),
            Event::Deposited(event) => self.money_in(position, time, event, LotKind::Paid),
            Event::Debited(event) => self.debited(position, time, event),
            Event::Declined(event) => self.declined(position, time, event),
            Event::Crossed(event) => self.crossed(position, time, event),
            Event::AccountClosed(event) => self.closed(position, time, event),
            Event::SourceMarked(event) => self.marked(event),
            Event::Paused(event) => self.slept(&event.account, position, (true, false)),
            Event::Resumed(event) => self.slept(&event.account, position, (false, event.forced)),
            Event::ContainerSet(event) => {
                self.touched(&event.account, position);
            }
            Event::LifecycleStepped(event) => {
                self.touched(&event.account, position);
            }
            Event::NoticeStepped(event) => {
                self.touched(&event.account, position);
            }
            Event::CheckoutStepped(event) => {
                self.touched(&event.account, position);
            }
            Event::SolvencyChecked(_) => {}
        }
    }

    fn opened(&mut self, position: Position, time: Timestamp, event: &AccountOpened) {
        let (email, metadata) = event.profile.as_ref().map(profile).unwrap_or_default();
        let balance = event.initial_balance;
        let change = self.account(&event.account, balance, position);
        change.opened = Some(Opened { at: time, position, email, metadata });
        change.baseline = Some(balance);
        change.level = Some(event.level);
        change.epoch = Some(1);
        change.granted = balance.credits();
        let lot = balance.is_positive().then_some(Slice { lot: 1, amount: balance });
        if let Some(slice) = lot {
            let priority = LotKind::Promo.priority();
            change.lots.insert(1, lot_row(&event.account, position, slice, LotKind::Promo, priority));
        }
        self.journal.push(JournalRow {
            amount: balance,
            level: Some(event.level),
            key: event.key.clone(),
            lots: lot.into_iter().collect(),
            actor: Some(event.actor.clone()),
            ..journal_row(position, time, &event.account, JournalKind::Opened, balance)
        });
    }

    fn money_in(&mut self, position: Position, time: Timestamp, event: &MoneyIn, lot: LotKind) {
        let change = self.account(&event.account, event.balance, position);
        change.baseline = Some(event.baseline);
        change.level = Some(event.level);
        change.began(event.epoch_started);
        change.dusted = Some(false);
        let (total, kind) = match lot {
            LotKind::Paid => (&mut change.deposited, JournalKind::Deposited),
            LotKind::Promo => (&mut change.granted, JournalKind::Granted),
        };
        add(total, event.amount);
        let slice = Slice { lot: event.lot, amount: event.amount };
        change.lots.insert(event.lot, lot_row(&event.account, position, slice, lot, event.priority));
        self.journal.push(JournalRow {
            amount: event.amount,
            level: Some(event.level),
            key: Some(event.key.clone()),
            lots: vec![slice],
            actor: Some(event.actor.clone()),
            metadata: event.metadata.as_ref().map(json),
            ..journal_row(position, time, &event.account, kind, event.balance)
        });
    }

    fn debited(&mut self, position: Position, time: Timestamp, event: &Debited) {
        let usage = &event.usage;
        let change = self.account(&usage.account, event.balance, position);
        change.level = Some(event.level);
        change.began(event.epoch_started);
        change.carry += carry_change(&usage.charge, event.charged);
        add(&mut change.charged, event.charged);
        add(&mut change.fees, event.fee);
        event.slices.iter().for_each(|slice| change.burn(*slice));
        change.use_hour(time, event);
        if let Some(item) = &usage.item {
            let source = self.source(&usage.account.app, &item.source);
            source.debits += 1;
            add(&mut source.charged, event.charged);
        }
        self.journal.push(JournalRow {
            amount: event.charged.negated(),
            level: Some(event.level),
            fee: event.fee,
            lots: event.slices.to_vec(),
            ..usage_row(position, time, usage, JournalKind::Debited, event.balance)
        });
    }

    fn declined(&mut self, position: Position, time: Timestamp, event: &Declined) {
        let usage = &event.usage;
        if has_account(event.code) {
            let change = self.account(&usage.account, event.balance, position);
            if event.dusted {
                change.dusted = Some(true);
                change.level = Some(Level::Exhausted);
            }
        }
        if let Some(item) = &usage.item {
            self.source(&usage.account.app, &item.source).declined += 1;
        }
        self.journal.push(JournalRow {
            level: event.dusted.then_some(Level::Exhausted),
            code: Some(event.code),
            ..usage_row(position, time, usage, JournalKind::Declined, event.balance)
        });
    }

    fn crossed(&mut self, position: Position, time: Timestamp, event: &Crossed) {
        self.account(&event.account, event.balance, position);
        self.journal.push(JournalRow {
            line: Some(event.line),
            ..journal_row(position, time, &event.account, JournalKind::Crossed, event.balance)
        });
    }

    fn closed(&mut self, position: Position, time: Timestamp, event: &AccountClosed) {
        self.account(&event.account, event.balance, position).closed = Some(true);
        self.journal.push(JournalRow {
            key: event.key.clone(),
            actor: Some(event.actor.clone()),
            ..journal_row(position, time, &event.account, JournalKind::Closed, event.balance)
        });
    }

    fn marked(&mut self, event: &SourceMarked) {
        self.source(&event.app, &event.source).mark = Some((event.to, event.digest));
    }

    /// A person put the account to sleep, or woke it.
    fn slept(&mut self, id: &AccountId, position: Position, (paused, forced): (bool, bool)) {
        let change = self.touched(id, position);
        (change.paused, change.forced) = (Some(paused), Some(forced));
    }

    fn account(&mut self, id: &AccountId, balance: Usdc, last: Position) -> &mut AccountChange {
        let change = self.touched(id, last);
        change.balance = Some(balance);
        change
    }

    /// The account of an event.
    fn touched(&mut self, id: &AccountId, last: Position) -> &mut AccountChange {
        let change = self.accounts.entry(id.clone()).or_insert_with(|| AccountChange::new(last));
        change.last = last;
        change
    }

    fn source(&mut self, app: &AppId, source: &SourceName) -> &mut SourceChange {
        self.sources.entry((app.clone(), source.clone())).or_default()
    }
}

impl AccountChange {
    /// A new epoch ends what was forced.
    fn began(&mut self, epoch: Option<u32>) {
        self.epoch = epoch.or(self.epoch);
        self.forced = if epoch.is_some() { Some(false) } else { self.forced };
    }

    fn burn(&mut self, slice: Slice) {
        match self.lots.get_mut(&slice.lot) {
            Some(row) => row.left -= slice.amount,
            None => *self.burned.entry(slice.lot).or_default() += slice.amount,
        }
    }

    fn use_hour(&mut self, time: Timestamp, event: &Debited) {
        let at = event.usage.occurred_at.map_or(time, storable);
        let hour = Timestamp(at.hour() * HOUR);
        let used = self.usage.entry((hour, event.usage.meter.clone())).or_default();
        used.count += 1;
        add(&mut used.charged, event.charged);
        add(&mut used.fees, event.fee);
    }
}

fn lot_row(id: &AccountId, position: Position, made: Slice, kind: LotKind, priority: u8) -> LotRow {
    let Slice { lot, amount } = made;
    LotRow { account: id.clone(), lot, kind, priority, position, amount, left: amount }
}

/// A row with nothing in it but what every event of an account has.
fn journal_row(
    position: Position,
    recorded_at: Timestamp,
    account: &AccountId,
    kind: JournalKind,
    balance: Usdc,
) -> JournalRow {
    JournalRow {
        position,
        account: account.clone(),
        kind,
        recorded_at,
        occurred_at: None,
        amount: Usdc::ZERO,
        balance,
        level: None,
        fee: Usdc::ZERO,
        meter: None,
        scope: None,
        key: None,
        item: None,
        charge: None,
        code: None,
        line: None,
        lots: Vec::new(),
        actor: None,
        metadata: None,
    }
}

/// The same, with what was asked.
fn usage_row(
    position: Position,
    recorded_at: Timestamp,
    usage: &Usage,
    kind: JournalKind,
    balance: Usdc,
) -> JournalRow {
    JournalRow {
        occurred_at: usage.occurred_at.map(storable),
        meter: Some(usage.meter.clone()),
        scope: usage.scope.clone(),
        key: usage.key.clone(),
        item: usage.item.clone(),
        charge: Some(usage.charge.clone()),
        metadata: usage.metadata.as_ref().map(json),
        ..journal_row(position, recorded_at, &usage.account, kind, balance)
    }
}

/// Totals over the whole life of an account stop at the end of their range: a view that can not be written would
/// stop all other views of its partition.
fn add(total: &mut i64, amount: Usdc) {
    *total = total.saturating_add(amount.credits());
}

/// What a charge did to the carry, in 10^-18 USDC.
fn carry_change(charge: &Charge, charged: Usdc) -> i64 {
    let change = charge.atto() - i128::from(charged.credits()) * ATTO_PER_CREDIT;
    i64::try_from(change).expect("a carry is below 10^12, and so is what one charge changes of it")
}

/// Every other refusal is asked only of an account that is there.
fn has_account(code: Code) -> bool {
    !matches!(code, Code::AppUnknown | Code::AccountUnknown)
}

/// The JSON as it was given, or as it is shown when it can not be read.
fn json(sealed: &Sealed) -> String {
    let open = sealed.plain_text().filter(|text| serde_json::from_str::<&RawValue>(text).is_ok());
    match open {
        Some(text) => text.to_owned(),
        None => serde_json::to_string(sealed).expect("a number and a text are always JSON"),
    }
}

/// E-mail and metadata of a profile; nothing of one that is encrypted.
fn profile(sealed: &Sealed) -> (Option<String>, Option<String>) {
    #[derive(Deserialize)]
    struct Profile<'a> {
        email: Option<String>,
        #[serde(borrow)]
        metadata: Option<&'a RawValue>,
    }
    let profile = sealed.plain_text().and_then(|text| serde_json::from_str::<Profile<'_>>(text).ok());
    let Some(Profile { email, metadata }) = profile else { return (None, None) };
    // Postgres can not hold the character NUL in a text.
    let email = email.map(|email| email.replace('\0', "\u{fffd}"));
    (email, metadata.map(|json| json.get().to_owned()))
}
