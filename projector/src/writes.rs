//! The statements of a delta, in the SQL that both stores understand. Each begins behind `WITH d (…) AS (…)`: the
//! rows, which every store hands over in its own way.

use std::borrow::Cow;

use ledger_core::AccountId;
use ledger_core::commit::Hash;

use crate::columns::{Rows, RowsOf};
use crate::delta::{AccountChange, Delta};
use crate::rows::ChainPosition;
use crate::store::big;
use crate::upkeep;
use crate::words::{level_text, lot_kind_text};

/// One statement and its rows.
pub(crate) struct Write<'a> {
    pub(crate) sql: Cow<'static, str>,
    pub(crate) rows: Rows<'a>,
}

/// Moves the position, if it stands where the delta begins: then one row is affected, else none. To be run first,
/// so that whoever else is about to apply the same waits for the outcome.
pub(crate) fn guard(delta: &Delta) -> Write<'_> {
    let Delta { from, to, .. } = delta;
    let sql = if from.read == 0 { BEGIN_POSITION } else { MOVE_POSITION };
    let rows = RowsOf::new([(from, to)])
        .opt_text("log", |(_, to)| owned(&to.log))
        .int("partition", |(_, to)| to.partition.0.into())
        .int("from_read", |(from, _)| big(from.read))
        .opt_text("from_hash", |(from, _)| owned(&from.hash));
    Write { sql: sql.into(), rows: position_columns(rows).done() }
}

fn position_columns<'a>(
    rows: RowsOf<'a, (&'a ChainPosition, &'a ChainPosition)>,
) -> RowsOf<'a, (&'a ChainPosition, &'a ChainPosition)> {
    rows.int("read", |(_, to)| big(to.read))
        .int("sequence", |(_, to)| big(to.sequence))
        .opt_text("hash", |(_, to)| owned(&to.hash))
        .opt_time("time", |(_, to)| Some(to.time))
        .opt_text("term", |(_, to)| owned(&to.term))
        .int("foreign_count", |(_, to)| big(to.foreign))
}

const BEGIN_POSITION: &str = "\
    INSERT INTO chain_positions (log, partition, read, sequence, hash, time, term, foreign_count) \
    SELECT log, partition, read, sequence, hash, time, term, foreign_count FROM d WHERE true \
    ON CONFLICT DO NOTHING";

const MOVE_POSITION: &str = "\
    UPDATE chain_positions AS p SET read = d.read, sequence = d.sequence, hash = d.hash, time = d.time, \
    term = d.term, foreign_count = d.foreign_count FROM d WHERE p.log = d.log \
    AND p.partition = d.partition AND p.read = d.from_read AND p.hash = d.from_hash";

type Accounts<'a> = [(&'a AccountId, &'a AccountChange)];

/// The rows of a delta but those of the [journal](crate::journal), in the order of the tables and of their keys.
pub(crate) fn writes(delta: &Delta) -> Vec<Write<'_>> {
    let accounts = delta.sorted_accounts();
    let writes = [
        new_accounts(&accounts),
        changed_accounts(&accounts),
        new_lots(&accounts),
        burned_lots(&accounts),
        usage(&accounts),
        sources(delta),
    ];
    writes
        .into_iter()
        .chain(upkeep::writes::writes(&delta.upkeep))
        .filter(|write| write.rows.len > 0)
        .collect()
}

fn new_accounts<'a>(accounts: &Accounts<'a>) -> Write<'a> {
    let opened = |(id, change): &(&'a AccountId, &'a AccountChange)| {
        change.opened.as_ref().map(|opened| (*id, *change, opened))
    };
    let rows = RowsOf::new(accounts.iter().filter_map(opened))
        .text("app", |(id, ..)| id.app.as_str())
        .text("user_id", |(id, ..)| id.user.as_str())
        .opt_int("balance", |(_, change, _)| change.balance.map(|balance| balance.credits()))
        .opt_int("baseline", |(_, change, _)| change.baseline.map(|baseline| baseline.credits()))
        .opt_text("level", |(_, change, _)| change.level.map(|level| level_text(level).into()))
        .opt_int("epoch", |(_, change, _)| change.epoch.map(i64::from))
        .opt_flag("dusted", |(_, change, _)| Some(change.dusted.unwrap_or(false)))
        .opt_flag("closed", |(_, change, _)| Some(change.closed.unwrap_or(false)))
        .int("carry", |(_, change, _)| change.carry)
        .int("deposited", |(_, change, _)| change.deposited)
        .int("granted", |(_, change, _)| change.granted)
        .int("charged", |(_, change, _)| change.charged)
        .int("fees", |(_, change, _)| change.fees)
        .opt_text("email", |(_, _, opened)| opened.email.as_deref().map(Cow::Borrowed))
        .opt_text("metadata", |(_, _, opened)| opened.metadata.as_deref().map(Cow::Borrowed))
        .opt_time("opened_at", |(_, _, opened)| Some(opened.at))
        .position(["opened_partition", "opened_sequence", "opened_idx"], |(_, _, opened)| opened.position)
        .position(["last_partition", "last_sequence", "last_idx"], |(_, change, _)| change.last)
        .opt_flag("paused", |(_, change, _)| Some(change.paused.unwrap_or(false)))
        .opt_flag("forced", |(_, change, _)| Some(change.forced.unwrap_or(false)));
    insert("accounts", rows.done())
}

fn changed_accounts<'a>(accounts: &Accounts<'a>) -> Write<'a> {
    let changed = accounts.iter().copied().filter(|(_, change)| change.opened.is_none());
    let rows = RowsOf::new(changed)
        .text("app", |(id, _)| id.app.as_str())
        .text("user_id", |(id, _)| id.user.as_str())
        .opt_int("balance", |(_, change)| change.balance.map(|balance| balance.credits()))
        .opt_int("baseline", |(_, change)| change.baseline.map(|baseline| baseline.credits()))
        .opt_text("level", |(_, change)| change.level.map(|level| level_text(level).into()))
        .opt_int("epoch", |(_, change)| change.epoch.map(i64::from))
        .opt_flag("dusted", |(_, change)| change.dusted)
        .opt_flag("closed", |(_, change)| change.closed)
        .int("carry", |(_, change)| change.carry)
        .int("deposited", |(_, change)| change.deposited)
        .int("granted", |(_, change)| change.granted)
        .int("charged", |(_, change)| change.charged)
        .int("fees", |(_, change)| change.fees)
        .position(["last_partition", "last_sequence", "last_idx"], |(_, change)| change.last)
        .opt_flag("paused", |(_, change)| change.paused)
        .opt_flag("forced", |(_, change)| change.forced);
    let totals = sums(&["deposited", "granted", "charged", "fees"], "a", "d");
    let sql = format!(
        "UPDATE accounts AS a SET balance = COALESCE(d.balance, a.balance), baseline = COALESCE(d.baseline, a.baseline), \
         level = COALESCE(d.level, a.level), epoch = COALESCE(d.epoch, a.epoch), \
         dusted = COALESCE(d.dusted, a.dusted), closed = COALESCE(d.closed, a.closed), \
         paused = COALESCE(d.paused, a.paused), forced = COALESCE(d.forced, a.forced), \
         carry = a.carry + d.carry, {totals}, last_partition = d.last_partition, \
         last_sequence = d.last_sequence, last_idx = d.last_idx \
         FROM d WHERE a.app = d.app AND a.user_id = d.user_id"
    );
    Write { sql: sql.into(), rows: rows.done() }
}

fn new_lots<'a>(accounts: &Accounts<'a>) -> Write<'a> {
    let rows = RowsOf::new(accounts.iter().flat_map(|(_, change)| change.lots.values()))
        .text("app", |row| row.account.app.as_str())
        .text("user_id", |row| row.account.user.as_str())
        .int("lot", |row| row.lot.into())
        .text("kind", |row| lot_kind_text(row.kind))
        .int("priority", |row| row.priority.into())
        .position(["partition", "sequence", "idx"], |row| row.position)
        .int("amount", |row| row.amount.credits())
        .int("\"left\"", |row| row.left.credits());
    insert("lots", rows.done())
}

fn burned_lots<'a>(accounts: &Accounts<'a>) -> Write<'a> {
    let burned =
        accounts.iter().flat_map(|(id, change)| change.burned.iter().map(move |burned| (*id, burned)));
    let rows = RowsOf::new(burned)
        .text("app", |(id, _)| id.app.as_str())
        .text("user_id", |(id, _)| id.user.as_str())
        .int("lot", |(_, (lot, _))| (**lot).into())
        .int("burned", |(_, (_, burned))| burned.credits());
    let sql = "UPDATE lots AS l SET \"left\" = l.\"left\" - d.burned \
               FROM d WHERE l.app = d.app AND l.user_id = d.user_id AND l.lot = d.lot";
    Write { sql: sql.into(), rows: rows.done() }
}

fn usage<'a>(accounts: &Accounts<'a>) -> Write<'a> {
    let used = accounts.iter().flat_map(|(id, change)| change.usage.iter().map(move |used| (*id, used)));
    let rows = RowsOf::new(used)
        .text("app", |(id, _)| id.app.as_str())
        .text("user_id", |(id, _)| id.user.as_str())
        .text("meter", |(_, ((_, meter), _))| meter.as_str())
        .opt_time("hour", |(_, ((hour, _), _))| Some(*hour))
        .int("count", |(_, (_, used))| used.count)
        .int("charged", |(_, (_, used))| used.charged)
        .int("fees", |(_, (_, used))| used.fees);
    let sums = sums(&["count", "charged", "fees"], "usage_hours", "excluded");
    let tail = format!("ON CONFLICT (app, user_id, meter, hour) DO UPDATE SET {sums}");
    upsert("usage_hours", rows.done(), &tail)
}

fn sources(delta: &Delta) -> Write<'_> {
    let partition = delta.to.partition;
    let mark = |change: &crate::delta::SourceChange| change.mark.unwrap_or((0, Hash::ZERO));
    let rows = RowsOf::new(&delta.sources)
        .text("app", |((app, _), _)| app.as_str())
        .text("source", |((_, source), _)| source.as_str())
        .int("partition", |_| partition.0.into())
        .int("upto", |(_, change)| big(mark(change).0))
        .opt_text("digest", |(_, change)| owned(&mark(change).1))
        .int("debits", |(_, change)| change.debits)
        .int("charged", |(_, change)| change.charged)
        .int("declined", |(_, change)| change.declined);
    // A change without a mark brings the mark zero, which moves nothing.
    let sums = sums(&["debits", "charged", "declined"], "sources", "excluded");
    let tail = format!(
        "ON CONFLICT (app, source, partition) DO UPDATE SET {sums}, \
         upto = CASE WHEN excluded.upto > 0 THEN excluded.upto ELSE sources.upto END, \
         digest = CASE WHEN excluded.upto > 0 THEN excluded.digest ELSE sources.digest END"
    );
    upsert("sources", rows.done(), &tail)
}

pub(crate) fn insert<'a>(table: &str, rows: Rows<'a>) -> Write<'a> {
    upsert(table, rows, "")
}

/// `WHERE true` keeps SQLite from reading the ON of a conflict as that of a join.
pub(crate) fn upsert<'a>(table: &str, rows: Rows<'a>, tail: &str) -> Write<'a> {
    let names: Vec<&str> = rows.columns.iter().map(|(name, _)| *name).collect();
    let names = names.join(", ");
    let sql = format!("INSERT INTO {table} ({names}) SELECT {names} FROM d WHERE true {tail}");
    Write { sql: sql.into(), rows }
}

/// Adds totals that stop at the end of their range instead of failing: see the fold.
fn sums(columns: &[&str], old: &str, new: &str) -> String {
    let sum = |column: &&str| {
        format!(
            "{column} = CASE WHEN {old}.{column} > {} - {new}.{column} THEN {} \
             ELSE {old}.{column} + {new}.{column} END",
            i64::MAX,
            i64::MAX
        )
    };
    columns.iter().map(sum).collect::<Vec<_>>().join(", ")
}

fn owned<'a>(name: &impl ToString) -> Option<Cow<'a, str>> {
    Some(name.to_string().into())
}
