//! Drip in this process: the writers over a SQLite log, asked without a wire between.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use command_api::ask::{Answer, Ask, Call, Failure};
use command_api::desk::Desk;
use event_log::{EventLog, LogIdentity, SqliteLog};
use ledger_core::command::{Debit as DebitCommand, Open};
use ledger_core::event::{Event, Usage};
use ledger_core::{AppId, Charge, Command, Key, Label, LogId, Meter, Policy, Timestamp, Usdc};
use service_kit::Supervisor;

use super::{Line, Outcome, Paid, Target};
use crate::load::{CHARGE, Debit, account_id, account_of};

/// How far ahead a deadline lies, in microseconds.
const DEADLINE: i64 = 10_000_000;

/// The writers of a fresh log.
#[derive(Debug)]
pub struct Embedded {
    desk: Desk,
    app: AppId,
    dir: PathBuf,
    supervisor: Supervisor,
}

/// One caller.
#[derive(Debug)]
pub struct EmbeddedLine {
    desk: Desk,
    app: AppId,
    actor: Label,
    meter: Meter,
}

impl Embedded {
    /// Makes a log in the folder and starts its writers. Error: the log can not be made there.
    pub async fn start(dir: &Path, partitions: u16, app: AppId) -> Result<Self> {
        let identity = LogIdentity { log: LogId(uuid::Uuid::new_v4().into_bytes()), partitions };
        SqliteLog::create(dir, identity).await?;
        let log: Arc<dyn EventLog> = Arc::new(SqliteLog::open_writer(dir).await?);
        command_api::init::init(&*log, now()).await?;
        let supervisor = Supervisor::new(Duration::from_secs(10));
        let apps = vec![(app.clone(), Policy::default())];
        let desk = command_api::writers::start(log, apps, None, &supervisor).await?;
        desk.ready().await.map_err(anyhow::Error::msg).context("the writers did not start")?;
        Ok(Self { desk, app, dir: dir.to_owned(), supervisor })
    }

    /// Stops the writers. Error: they had stopped before, for another reason.
    pub async fn stop(&self) -> Result<PathBuf> {
        self.supervisor.shutdown();
        self.supervisor.run_until_stopped().await?;
        Ok(self.dir.clone())
    }
}

impl Target for Embedded {
    type Line = EmbeddedLine;

    async fn line(&self, _number: usize) -> Result<EmbeddedLine> {
        Ok(EmbeddedLine {
            desk: self.desk.clone(),
            app: self.app.clone(),
            actor: Label::new("bench").expect("a short fixed text"),
            meter: Meter::new("usage").expect("a short fixed text"),
        })
    }
}

impl EmbeddedLine {
    fn call(&self, debit: &Debit) -> Call {
        let usage = Usage {
            account: account_id(&self.app, debit.account),
            key: Some(Key::of_uuid(debit.key.into_bytes())),
            item: None,
            charge: Charge::Amount(CHARGE),
            meter: self.meter.clone(),
            scope: None,
            occurred_at: None,
            metadata: None,
        };
        let command = Command::Debit(DebitCommand { usage, dry_run: false });
        Call { ask: Ask::Command(command), deadline: now().plus(DEADLINE) }
    }
}

impl Line for EmbeddedLine {
    async fn open(&mut self, account: u32, balance: Usdc) -> Result<()> {
        let open = Open {
            account: account_id(&self.app, account),
            key: None,
            initial_balance: balance,
            actor: self.actor.clone(),
            profile: None,
        };
        let call = Call { ask: Ask::Command(Command::Open(open)), deadline: now().plus(DEADLINE) };
        match self.desk.ask(call).await {
            Answer::Account(_) => Ok(()),
            other => bail!("an account could not be opened: {other:?}"),
        }
    }

    async fn debit(&mut self, debits: &[Debit], outcomes: &mut Vec<Outcome>) {
        match debits {
            [one] => outcomes.push(outcome(self.desk.ask(self.call(one)).await)),
            many => {
                let calls = many.iter().map(|debit| self.call(debit));
                outcomes
                    .extend(self.desk.ask_all(calls, now().plus(DEADLINE)).await.into_iter().map(outcome));
            }
        }
    }
}

fn outcome(answer: Answer) -> Outcome {
    match answer {
        Answer::Done(receipt) => match receipt.event {
            Event::Debited(event) => Outcome::Paid(Paid {
                account: account_of(event.usage.account.user.as_str()),
                charged: event.charged,
                position: Some(receipt.position),
                duplicate: receipt.duplicate,
            }),
            other => Outcome::Unknown(format!("a debit was answered with {other:?}")),
        },
        Answer::Rejected(rejection) => Outcome::Refused(rejection.code.as_str().to_owned()),
        Answer::Failed(Failure::OutcomeUnknown) => Outcome::Unknown("outcome_unknown".to_owned()),
        Answer::Failed(Failure::Overloaded) => Outcome::Refused("overloaded".to_owned()),
        Answer::Failed(Failure::Unavailable(_)) => Outcome::Refused("unavailable".to_owned()),
        other => Outcome::Unknown(format!("a debit was answered with {other:?}")),
    }
}

fn now() -> Timestamp {
    Timestamp(service_kit::clock::now())
}
