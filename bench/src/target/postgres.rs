//! The obvious alternative: one transaction a debit in Postgres, a balance that is updated and a journal whose key is
//! unique.

use anyhow::{Context as _, Result};
use ledger_core::Usdc;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection as _, Executor as _, Row as _};

use super::{Line, Outcome, Paid, Target};
use crate::load::{CHARGE, Debit, account_of, user};

/// How many connections are used, whatever else is asked with.
pub const CONNECTIONS: usize = 64;

/// How Postgres is set up: every commit is on the disk before it is acknowledged, and checkpoints do not fall into a
/// run.
pub const SETTINGS: [&str; 6] = [
    "synchronous_commit=on",
    "fsync=on",
    "shared_buffers=1GB",
    "max_wal_size=16GB",
    "checkpoint_timeout=1h",
    "max_connections=300",
];

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS accounts (
        user_id text PRIMARY KEY,
        balance bigint NOT NULL CHECK (balance >= 0)
    ) WITH (fillfactor = 50);
    CREATE TABLE IF NOT EXISTS journal (
        key uuid PRIMARY KEY,
        user_id text NOT NULL,
        amount bigint NOT NULL,
        balance bigint NOT NULL,
        at timestamptz NOT NULL DEFAULT now()
    )";

const OPEN: &str = "INSERT INTO accounts (user_id, balance) VALUES ($1, $2) ON CONFLICT DO NOTHING";
const UPDATE: &str =
    "UPDATE accounts SET balance = balance - $2 WHERE user_id = $1 AND balance >= $2 RETURNING balance";
const INSERT: &str =
    "INSERT INTO journal (key, user_id, amount, balance) VALUES ($1::text::uuid, $2, $3, $4)";
const BOTH: &str = "WITH paid AS (UPDATE accounts SET balance = balance - $2 WHERE user_id = $1 AND balance >= $2 RETURNING balance)
    INSERT INTO journal (key, user_id, amount, balance) SELECT $3::text::uuid, $1, $2, balance FROM paid RETURNING user_id, amount";

/// How one debit is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One statement with a common table expression: one round trip.
    OneStatement,
    /// BEGIN, UPDATE, INSERT, COMMIT.
    Transaction,
}

/// A Postgres with the two tables.
#[derive(Debug)]
pub struct Baseline {
    options: PgConnectOptions,
    form: Form,
}

/// One caller, with its connection.
#[derive(Debug)]
pub struct BaselineLine {
    connection: PgConnection,
    form: Form,
}

/// What stands in the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Books {
    /// Rows of the journal.
    pub debits: u64,
    /// What they charged in all, in credits.
    pub charged: i64,
    /// What the accounts hold in all, in credits.
    pub held: i64,
    /// How many accounts.
    pub accounts: i64,
}

impl Baseline {
    /// Makes the tables. Error: Postgres can not be reached.
    pub async fn create(url: &str, form: Form) -> Result<Self> {
        let options: PgConnectOptions = url.parse()?;
        let options = options.statement_cache_capacity(20);
        let mut connection = connect(&options).await?;
        connection.execute(TABLES).await?;
        Ok(Self { options, form })
    }

    /// The sums of both tables, to be compared.
    pub async fn books(&self) -> Result<Books> {
        let mut connection = connect(&self.options).await?;
        let journal = "SELECT count(*), coalesce(sum(amount), 0)::bigint FROM journal";
        let accounts = "SELECT count(*), coalesce(sum(balance), 0)::bigint FROM accounts";
        let journal = sqlx::query(journal).fetch_one(&mut connection).await?;
        let accounts = sqlx::query(accounts).fetch_one(&mut connection).await?;
        Ok(Books {
            debits: journal.try_get::<i64, _>(0)?.unsigned_abs(),
            charged: journal.try_get(1)?,
            accounts: accounts.try_get(0)?,
            held: accounts.try_get(1)?,
        })
    }

    /// Gathers what the planner wants to know, after the accounts are there.
    pub async fn analyze(&self) -> Result<()> {
        connect(&self.options).await?.execute("VACUUM ANALYZE").await?;
        Ok(())
    }
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection> {
    PgConnection::connect_with(options).await.context("Postgres can not be reached")
}

impl Target for Baseline {
    type Line = BaselineLine;

    async fn line(&self, _number: usize) -> Result<BaselineLine> {
        Ok(BaselineLine { connection: connect(&self.options).await?, form: self.form })
    }
}

impl BaselineLine {
    async fn one_statement(&mut self, debit: &Debit) -> Result<Option<Paid>, sqlx::Error> {
        let query =
            sqlx::query(BOTH).bind(user(debit.account)).bind(CHARGE.credits()).bind(debit.key.to_string());
        let Some(row) = query.fetch_optional(&mut self.connection).await? else { return Ok(None) };
        let (user, amount): (&str, i64) = (row.try_get(0)?, row.try_get(1)?);
        let (account, charged) = (account_of(user), Usdc::from_credits(amount));
        Ok(Some(Paid { account, charged, position: None, duplicate: false }))
    }

    async fn transaction(&mut self, debit: &Debit) -> Result<Option<Paid>, sqlx::Error> {
        let user = user(debit.account);
        let mut transaction = self.connection.begin().await?;
        let update = sqlx::query(UPDATE).bind(&user).bind(CHARGE.credits());
        let Some(row) = update.fetch_optional(&mut *transaction).await? else { return Ok(None) };
        let balance: i64 = row.try_get(0)?;
        let insert =
            sqlx::query(INSERT).bind(debit.key.to_string()).bind(&user).bind(CHARGE.credits()).bind(balance);
        insert.execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(Some(Paid { account: Some(debit.account), charged: CHARGE, position: None, duplicate: false }))
    }
}

impl Line for BaselineLine {
    async fn open(&mut self, account: u32, balance: Usdc) -> Result<()> {
        sqlx::query(OPEN).bind(user(account)).bind(balance.credits()).execute(&mut self.connection).await?;
        Ok(())
    }

    async fn debit(&mut self, debits: &[Debit], outcomes: &mut Vec<Outcome>) {
        for debit in debits {
            let paid = match self.form {
                Form::OneStatement => self.one_statement(debit).await,
                Form::Transaction => self.transaction(debit).await,
            };
            outcomes.push(match paid {
                Ok(Some(paid)) => Outcome::Paid(paid),
                Ok(None) => Outcome::Refused("insufficient_credit".to_owned()),
                Err(error) => Outcome::Unknown(error.to_string()),
            });
        }
    }
}
