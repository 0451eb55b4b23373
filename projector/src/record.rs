//! Records as rows: what a query found, with the types of the ledger.

pub(crate) mod upkeep;

use ledger_core::chain::Chain;
use ledger_core::commit::Hash;
use ledger_core::event::SourceItem;
use ledger_core::{AccountId, Charge, PartitionId, Position, Timestamp, Usdc};

use crate::error::Error;
use crate::rows::{AccountRow, ChainPosition, JournalRow, LotRow, SourceRow, UsageRow};
use crate::store::{Record, Value};
use crate::words::{items_of, kind_of, level_of, line_of, lot_kind_of, lots_of};

/// The columns that the functions below read, in their order.
pub(crate) const POSITION: &str = "log, partition, read, sequence, hash, time, term, foreign_count";
pub(crate) const ACCOUNT: &str = "app, user_id, balance, baseline, level, epoch, dusted, closed, carry, \
    deposited, granted, charged, fees, email, metadata, opened_at, opened_partition, opened_sequence, \
    opened_idx, last_partition, last_sequence, last_idx, paused, forced, \
    (SELECT phase FROM containers AS c WHERE c.app = accounts.app AND c.user_id = accounts.user_id), \
    (SELECT ran FROM containers AS c WHERE c.app = accounts.app AND c.user_id = accounts.user_id), \
    (SELECT gave_up FROM containers AS c WHERE c.app = accounts.app AND c.user_id = accounts.user_id)";
pub(crate) const LOT: &str = "app, user_id, lot, kind, priority, partition, sequence, idx, amount, \"left\"";
pub(crate) const JOURNAL: &str = "partition, sequence, idx, app, user_id, kind, recorded_at, occurred_at, \
    amount, balance, level, fee, meter, scope, key, source, number, items, asked, code, line, lots, actor, \
    metadata";
pub(crate) const USAGE: &str = "app, user_id, meter, hour, count, charged, fees";
pub(crate) const SOURCE: &str = "partition, upto, digest, debits, charged, declined";

/// Takes the values of a record one by one.
pub(crate) struct Fields(std::vec::IntoIter<Value>);

impl Fields {
    fn of(record: Record) -> Self {
        Self(record.into_iter())
    }

    fn next(&mut self) -> Value {
        self.0.next().unwrap_or(Value::Null)
    }

    fn opt_text(&mut self) -> Result<Option<String>, Error> {
        match self.next() {
            Value::Null => Ok(None),
            Value::Text(text) => Ok(Some(text)),
            _ => Err(Error::Impossible("text")),
        }
    }

    fn opt_int(&mut self) -> Result<Option<i64>, Error> {
        match self.next() {
            Value::Null => Ok(None),
            Value::Int(number) => Ok(Some(number)),
            _ => Err(Error::Impossible("number")),
        }
    }

    fn flag(&mut self) -> Result<bool, Error> {
        match self.next() {
            Value::Flag(flag) => Ok(flag),
            Value::Int(number) => Ok(number != 0),
            _ => Err(Error::Impossible("truth")),
        }
    }

    fn opt_time(&mut self) -> Result<Option<Timestamp>, Error> {
        match self.next() {
            Value::Null => Ok(None),
            Value::Time(time) => Ok(Some(time)),
            Value::Int(micros) => Ok(Some(Timestamp(micros))),
            _ => Err(Error::Impossible("time")),
        }
    }

    fn text(&mut self) -> Result<String, Error> {
        self.opt_text()?.ok_or(Error::Impossible("empty text"))
    }

    fn time(&mut self) -> Result<Timestamp, Error> {
        self.opt_time()?.ok_or(Error::Impossible("empty time"))
    }

    /// A number of any width.
    fn int<T: TryFrom<i64>>(&mut self) -> Result<T, Error> {
        let number = self.opt_int()?.ok_or(Error::Impossible("empty number"))?;
        T::try_from(number).map_err(|_| Error::Impossible("number"))
    }

    fn amount(&mut self) -> Result<Usdc, Error> {
        self.int().map(Usdc::from_credits)
    }

    /// A text that is a name or a number in hex digits.
    fn name<T: std::str::FromStr>(&mut self, what: &'static str) -> Result<T, Error> {
        self.text()?.parse().map_err(|_| Error::Impossible(what))
    }

    fn opt_name<T: std::str::FromStr>(&mut self, what: &'static str) -> Result<Option<T>, Error> {
        self.opt_word(what, |text| text.parse().ok())
    }

    fn opt_word<T>(
        &mut self,
        what: &'static str,
        of: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let word = self.opt_text()?;
        word.map(|word| of(&word).ok_or(Error::Impossible(what))).transpose()
    }

    fn word<T>(&mut self, what: &'static str, of: impl Fn(&str) -> Option<T>) -> Result<T, Error> {
        of(&self.text()?).ok_or(Error::Impossible(what))
    }

    fn hash(&mut self) -> Result<Hash, Error> {
        Hash::try_from(self.text()?).map_err(|_| Error::Impossible("hash"))
    }

    fn position(&mut self) -> Result<Position, Error> {
        Ok(Position { partition: PartitionId(self.int()?), sequence: self.int()?, index: self.int()? })
    }

    fn opt_account(&mut self) -> Result<Option<AccountId>, Error> {
        match (self.opt_name("app")?, self.opt_name("user id")?) {
            (Some(app), Some(user)) => Ok(Some(AccountId { app, user })),
            _ => Ok(None),
        }
    }

    fn account(&mut self) -> Result<AccountId, Error> {
        Ok(AccountId { app: self.name("app")?, user: self.name("user id")? })
    }
}

pub(crate) fn chain_position(record: Record) -> Result<ChainPosition, Error> {
    let mut fields = Fields::of(record);
    let log = fields.name("log id")?;
    let chain = Chain {
        log: None,
        partition: PartitionId(fields.int()?),
        read: fields.int()?,
        sequence: fields.int()?,
        hash: fields.hash()?,
        time: fields.time()?,
        term: fields.name("term")?,
    };
    Ok(ChainPosition::of(log, &chain, fields.int()?))
}

pub(crate) fn account(record: Record) -> Result<AccountRow, Error> {
    let mut fields = Fields::of(record);
    Ok(AccountRow {
        account: fields.account()?,
        balance: fields.amount()?,
        baseline: fields.amount()?,
        level: fields.word("level", level_of)?,
        epoch: fields.int()?,
        dusted: fields.flag()?,
        closed: fields.flag()?,
        carry: fields.int()?,
        deposited: fields.amount()?,
        granted: fields.amount()?,
        charged: fields.amount()?,
        fees: fields.amount()?,
        email: fields.opt_text()?,
        metadata: fields.opt_text()?,
        opened_at: fields.time()?,
        opened: fields.position()?,
        last: fields.position()?,
        paused: fields.flag()?,
        forced: fields.flag()?,
        container: upkeep::standing(&mut fields)?,
    })
}

pub(crate) fn lot(record: Record) -> Result<LotRow, Error> {
    let mut fields = Fields::of(record);
    Ok(LotRow {
        account: fields.account()?,
        lot: fields.int()?,
        kind: fields.word("kind of lot", lot_kind_of)?,
        priority: fields.int()?,
        position: fields.position()?,
        amount: fields.amount()?,
        left: fields.amount()?,
    })
}

pub(crate) fn journal(record: Record) -> Result<JournalRow, Error> {
    let mut fields = Fields::of(record);
    Ok(JournalRow {
        position: fields.position()?,
        account: fields.account()?,
        kind: fields.word("kind of event", kind_of)?,
        recorded_at: fields.time()?,
        occurred_at: fields.opt_time()?,
        amount: fields.amount()?,
        balance: fields.amount()?,
        level: fields.opt_word("level", level_of)?,
        fee: fields.amount()?,
        meter: fields.opt_name("meter")?,
        scope: fields.opt_name("scope")?,
        key: fields.opt_name("key")?,
        item: source_item(&mut fields)?,
        charge: charge(&mut fields)?,
        code: fields.opt_name("code")?,
        line: fields.opt_word("line", line_of)?,
        lots: fields.opt_word("list of lots", lots_of)?.unwrap_or_default(),
        actor: fields.opt_name("actor")?,
        metadata: fields.opt_text()?,
    })
}

fn source_item(fields: &mut Fields) -> Result<Option<SourceItem>, Error> {
    match (fields.opt_name("source")?, fields.opt_int()?) {
        (Some(source), Some(number)) => {
            let number = u64::try_from(number).map_err(|_| Error::Impossible("item number"))?;
            Ok(Some(SourceItem { source, number }))
        }
        _ => Ok(None),
    }
}

fn charge(fields: &mut Fields) -> Result<Option<Charge>, Error> {
    let items = fields.opt_word("list of items", items_of)?;
    let asked = fields.opt_int()?.map(Usdc::from_credits);
    Ok(items.map(Charge::Items).or(asked.map(Charge::Amount)))
}

pub(crate) fn usage(record: Record) -> Result<UsageRow, Error> {
    let mut fields = Fields::of(record);
    Ok(UsageRow {
        account: fields.account()?,
        meter: fields.name("meter")?,
        hour: fields.time()?,
        count: fields.int()?,
        charged: fields.amount()?,
        fees: fields.amount()?,
    })
}

pub(crate) fn source(record: Record) -> Result<SourceRow, Error> {
    let mut fields = Fields::of(record);
    Ok(SourceRow {
        partition: PartitionId(fields.int()?),
        upto: fields.int()?,
        digest: fields.hash()?,
        debits: fields.int()?,
        charged: fields.amount()?,
        declined: fields.int()?,
    })
}
