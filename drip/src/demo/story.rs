//! What happens, step by step.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use drip_client::{
    Amount, ContainerSettings, Debit, Error, Level, OpenAccount, Phase, Problem, Receipt, new_key,
};

use super::calls::{Call, calls};
use super::line::{Charged, Line, Summary};
use super::stage::{Stage, USER};
use crate::failure::{Exit, Failure};
use crate::server::args::EngineArgs;
use crate::server::verify::Verify;

const EMAIL: &str = "mia@example.com";
const IMAGE: &str = "ghcr.io/acme/assistant:1.0";
/// So many calls are told on one line.
const A_LINE: u64 = 10;
/// Between two calls: nobody could watch them all at once.
const BETWEEN_CALLS: Duration = Duration::from_millis(15);

/// Tells the story to its end; the data stays in `kept`.
pub(super) async fn tell(stage: Stage, engines: EngineArgs, kept: Option<PathBuf>) -> Result<(), Failure> {
    let sample = Box::new(calls());
    let mut story = Story { stage, sample, summary: Summary::default(), line: None, declined: None };
    story.arrives().await?;
    story.pays().await?;
    story.works().await?;
    story.runs_out().await?;
    story.sleeps_and_wakes().await?;
    story.is_audited(engines).await?;
    story.ends(kept)
}

struct Story {
    stage: Stage,
    sample: Box<dyn Iterator<Item = Call> + Send>,
    summary: Summary,
    /// The calls that were not told yet.
    line: Option<Charged>,
    /// The call that was declined.
    declined: Option<Debit>,
}

impl Story {
    async fn arrives(&mut self) -> Result<(), Failure> {
        let about = "An account with an e-mail address and a container of its own. There is no credit, so nothing runs.";
        self.stage.step(1, "A user arrives", about).await?;
        let mut open = OpenAccount::new(USER).container(ContainerSettings::new(IMAGE));
        open.email = Some(EMAIL.to_owned());
        self.stage.client.open(&open).await?;
        let account = self.stage.catch_up().await?;
        self.stage.teller.tell(&Line::Account(account))
    }

    async fn pays(&mut self) -> Result<(), Failure> {
        let about = "A checkout session; the provider's signed webhook says that it was paid, and Drip looks for itself.";
        self.stage.step(2, "The user pays", about).await?;
        self.stage.pay("1", "order-1").await?;
        let about = "Credit is there, so the container is made, and counts as running once it answers.";
        self.stage.step(3, "The container is made", about).await?;
        self.stage.until_container(Phase::Running).await
    }

    async fn works(&mut self) -> Result<(), Failure> {
        let about = "Each call is charged before it is answered: exactly, once, and on the disk.";
        self.stage.step(4, "The product meters its calls", about).await?;
        self.calls_while(|level| level == Level::Healthy).await?;
        self.stage.catch_up().await?;
        self.stage.step(5, "Credit runs low", "At 20 % of what was paid the user is told, once.").await?;
        self.stage.until_mail().await
    }

    async fn runs_out(&mut self) -> Result<(), Failure> {
        let about =
            "Until one costs more than there is. It is declined whole: a balance never goes below zero.";
        self.stage.step(6, "Calls go on", about).await?;
        self.calls_while(|_| true).await?;
        match self.declined {
            Some(_) => self.stage.catch_up().await.map(drop),
            None => Err(Failure::new(Exit::Failed, "no call was declined")),
        }
    }

    async fn sleeps_and_wakes(&mut self) -> Result<(), Failure> {
        let about = "What is left does not pay for the smallest call, so the container is put to sleep. Nothing is lost.";
        self.stage.step(7, "The container goes to sleep", about).await?;
        self.stage.until_container(Phase::Asleep).await?;
        let asleep = Instant::now();
        self.stage.until_mail().await?;
        let about = "Another payment. Nobody else has to do anything.";
        self.stage.step(8, "A top-up wakes it", about).await?;
        self.stage.pay("0.5", "order-2").await?;
        self.stage.until_container(Phase::Running).await?;
        self.summary.asleep_millis = u64::try_from(asleep.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.stage.until_mail().await?;
        self.retries().await
    }

    /// The call that was declined is made again, under the key that it had.
    async fn retries(&mut self) -> Result<(), Failure> {
        let Some(debit) = self.declined.take() else { return Ok(()) };
        let receipt = self.stage.client.debit(USER, &debit).await?;
        self.count(&receipt);
        self.stage.teller.tell(&Line::Retried(receipt))?;
        self.stage.catch_up().await.map(drop)
    }

    async fn is_audited(&mut self, engines: EngineArgs) -> Result<(), Failure> {
        let about = "`drip verify`: the log is judged by rules that were written a second time, and the views row by row.";
        self.stage.step(9, "The audit", about).await?;
        let (checked, failure) = Verify::summarised(engines).await?;
        let spent = checked.spent.clone();
        self.stage.teller.tell(&Line::Checked(checked))?;
        match failure {
            Some(failure) => Err(failure),
            None if spent == self.summary.spent.to_string() => Ok(()),
            None => Err(Failure::new(
                Exit::FoundWrong,
                format!(
                    "the log says that {spent} USDC were spent, and the answers said {}",
                    self.summary.spent
                ),
            )),
        }
    }

    fn ends(mut self, kept: Option<PathBuf>) -> Result<(), Failure> {
        self.summary.mails = self.stage.mails;
        self.summary.effects = self.effects();
        self.stage.teller.tell(&Line::Summary(self.summary))?;
        self.stage.teller.tell(&Line::Next { kept })
    }

    fn effects(&self) -> BTreeMap<String, u64> {
        let mut effects = BTreeMap::new();
        for entry in self.stage.sandbox.record() {
            let effect = serde_json::to_value(&entry.effect).unwrap_or_default();
            *effects.entry(effect["kind"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
        effects
    }
}

/// The calls.
impl Story {
    /// Makes calls while the level is so, or until one is declined.
    async fn calls_while(&mut self, so: impl Fn(Level) -> bool) -> Result<(), Failure> {
        let baseline = self.stage.client.account(USER, false).await?.baseline;
        while let Some(call) = self.sample.next() {
            let debit = Debit::amount(call.amount).meter(call.meter).key(new_key());
            match self.stage.client.debit(USER, &debit).await {
                Ok(receipt) => {
                    self.charged(call, &debit, &receipt, baseline).await?;
                    if !so(receipt.level) {
                        break;
                    }
                }
                Err(Error::Rejected(problem)) if problem.code == "insufficient_credit" => {
                    return self.declined(call, debit, *problem);
                }
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(BETWEEN_CALLS).await;
        }
        self.tell_calls()
    }

    async fn charged(
        &mut self,
        call: Call,
        debit: &Debit,
        receipt: &Receipt,
        baseline: Amount,
    ) -> Result<(), Failure> {
        self.count(receipt);
        self.add(call, receipt, baseline);
        if self.summary.calls == 1 {
            self.tell_calls()?;
            // A caller that got no answer asks again, and must not pay again.
            let again = self.stage.client.debit(USER, debit).await?;
            self.stage.teller.tell(&Line::Repeated(again))?;
        }
        if self.line.as_ref().is_some_and(|line| line.calls >= A_LINE) {
            self.tell_calls()?;
            self.stage.news().await?;
        }
        Ok(())
    }

    fn declined(&mut self, call: Call, debit: Debit, problem: Problem) -> Result<(), Failure> {
        self.tell_calls()?;
        self.summary.declined += 1;
        self.declined = Some(debit);
        self.stage.teller.tell(&Line::Declined { meter: call.meter, problem })
    }

    fn count(&mut self, receipt: &Receipt) {
        self.summary.calls += 1;
        self.summary.spent = sum(self.summary.spent, receipt.amount);
    }

    /// To the line that is being made.
    fn add(&mut self, call: Call, receipt: &Receipt, baseline: Amount) {
        let line = self.line.get_or_insert_with(|| Charged {
            calls: 0,
            meters: BTreeMap::new(),
            amount: Amount::default(),
            balance: receipt.balance,
            baseline,
            level: receipt.level,
        });
        line.calls += 1;
        *line.meters.entry(call.meter).or_default() += 1;
        line.amount = sum(line.amount, receipt.amount);
        (line.balance, line.level) = (receipt.balance, receipt.level);
    }

    fn tell_calls(&mut self) -> Result<(), Failure> {
        self.line.take().map_or(Ok(()), |line| self.stage.teller.tell(&Line::Calls(line)))
    }
}

fn sum(a: Amount, b: Amount) -> Amount {
    a.checked_add(b).expect("a few cents")
}
