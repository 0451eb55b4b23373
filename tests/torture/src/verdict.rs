//! The end: the whole log is read, and the judge holds it against itself and against what clients were told; owners
//! and views are held against the log.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail};
use drip_client::{AccountsQuery, Client};
use event_log::{Entry, EventLog, JetStreamLog, JetStreamOptions, SqliteLog};
use futures::StreamExt as _;
use judge::Fold;
use judge::history::{Effects, Line, What};

use crate::load::APP;
use crate::plan::Engines;
use crate::world::{World, program};

/// A log as the judge has read it.
pub(crate) struct Judged {
    /// One a partition, as far as it could be folded.
    folds: Vec<Fold>,
    effects: Effects,
    /// Partition and sequence of what is nobody's commit.
    pub(crate) foreign: Vec<(u16, u64)>,
    /// The last sequence of each partition.
    pub(crate) heads: Vec<(u16, u64)>,
    /// What is wrong with the log by itself.
    pub(crate) violations: Vec<String>,
}

/// Opens the log for reading, past all proxies.
pub(crate) async fn open_log(world: &World) -> Result<Box<dyn EventLog>> {
    if world.engines == Engines::Embedded {
        let dir = world.flags.last().context("the embedded Drip has a data folder")?;
        return Ok(Box::new(SqliteLog::open_reader(dir.as_ref()).await?));
    }
    let mut options = JetStreamOptions::new(world.addresses().nats.join(","));
    options.only_reads = true;
    Ok(Box::new(JetStreamLog::open(&options).await?))
}

impl Judged {
    /// Reads the whole log. Error: it can not be read, damaged as it may be.
    pub(crate) async fn read(log: &dyn EventLog) -> Result<Self> {
        let mut judged = Self {
            folds: Vec::new(),
            effects: Effects::default(),
            foreign: Vec::new(),
            heads: Vec::new(),
            violations: Vec::new(),
        };
        for partition in log.identity().partitions() {
            let mut fold = Some(Fold::new(partition.0));
            let head = log.head(partition).await?;
            judged.heads.push((partition.0, head));
            let mut entries = log.follow(partition, 0);
            for _ in 0..head {
                let entry = entries.next().await.context("a followed log ends by an error alone")??;
                judged.take(partition.0, &entry, &mut fold);
            }
            judged.close(fold);
        }
        Ok(judged)
    }

    fn take(&mut self, partition: u16, entry: &Entry, fold: &mut Option<Fold>) {
        let judged = match (entry, fold.as_mut()) {
            (Entry::Commit(stored), Some(fold)) => fold.commit(stored.prefix.sequence, &stored.bytes),
            (Entry::Foreign { sequence, .. }, Some(fold)) => fold.foreign(*sequence),
            (_, None) => Ok(()),
        };
        if let Err(violation) = judged {
            self.violations.push(violation.to_string());
            *fold = None;
        }
        match entry {
            Entry::Commit(stored) => {
                if let Err(violation) = self.effects.take(&stored.bytes) {
                    self.violations.push(violation.to_string());
                }
            }
            Entry::Foreign { sequence, .. } => self.foreign.push((partition, *sequence)),
        }
    }

    fn close(&mut self, fold: Option<Fold>) {
        let Some(fold) = fold else { return };
        if let Err(violation) = fold.check_sums() {
            self.violations.push(violation.to_string());
        }
        self.folds.push(fold);
    }

    /// What contradicts the history of the clients. `one_owner`: there never was a second one beside the first.
    pub(crate) fn contradictions(&self, history: &[Line], one_owner: bool) -> Vec<String> {
        let complaints = judge::history::check(history, &self.effects, one_owner);
        complaints.iter().map(ToString::to_string).collect()
    }

    /// Of the keys whose attempts never had an answer: how many stand in the log, and how many do not.
    pub(crate) fn left_open(&self, history: &[Line]) -> (u64, u64) {
        let mut asked = BTreeMap::new();
        for line in history {
            if let What::Invoke(request) = &line.what {
                let account = (request.app.clone(), request.user.clone());
                asked.insert((line.client, line.op), request.key.clone().map(|key| (account, key)));
            }
        }
        let keys = |wanted: &dyn Fn(&What) -> bool| -> BTreeSet<_> {
            let lines = history.iter().filter(|line| wanted(&line.what));
            lines.filter_map(|line| asked.get(&(line.client, line.op))?.as_ref()).collect()
        };
        let answered = keys(&|what| matches!(what, What::Ok(_)));
        let open = keys(&|what| matches!(what, What::Unknown { .. }));
        let holds = open.difference(&answered).map(|(account, key)| self.effects.holds(account, key));
        holds.fold((0, 0), |(stored, not), holds| if holds { (stored + 1, not) } else { (stored, not + 1) })
    }

    /// The balance of every account of our app.
    pub(crate) fn balances(&self) -> BTreeMap<String, i64> {
        let of = |fold: &Fold| -> Vec<_> {
            let ours = fold.names().filter(|((app, _), _)| *app == APP);
            ours.map(|((_, user), number)| (user.to_owned(), fold.account(number).balance)).collect()
        };
        self.folds.iter().flat_map(of).collect()
    }

    /// Sums over all partitions.
    pub(crate) fn sums(&self) -> Sums {
        self.folds.iter().map(Fold::totals).fold(Sums::default(), |sums, totals| Sums {
            commits: sums.commits + totals.commits,
            events: sums.events + totals.events,
            accounts: sums.accounts + totals.accounts,
            debits: sums.debits + totals.debits,
            crossings: sums.crossings + totals.crossings,
            foreign: sums.foreign + totals.foreign,
        })
    }
}

/// What a log holds.
#[derive(Debug, Default, Clone, serde::Serialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Sums {
    pub commits: u64,
    pub events: u64,
    pub accounts: u64,
    pub debits: u64,
    pub crossings: u64,
    pub foreign: u64,
}

/// Where owners or views say something else than the log.
pub(crate) async fn differences(world: &World, judged: &Judged) -> Result<Vec<String>> {
    let client = Client::new(&world.active().url(), world.key().to_owned())?;
    let (balances, mut found) = (judged.balances(), Vec::new());
    for (user, balance) in &balances {
        let owner = client.account(user, false).await?.balance.credits();
        if owner != *balance {
            found.push(format!("I11: of {user} the owner says {owner}, the log {balance}"));
        }
    }
    let views = views(&client).await?;
    if views != balances {
        let differs = |user: &&String| views.get(*user) != balances.get(*user);
        let users: Vec<_> = views.keys().chain(balances.keys()).filter(differs).collect();
        found.push(format!("I10: the views hold other balances than the log: {users:?}"));
    }
    Ok(found)
}

/// The balances that the views hold.
async fn views(client: &Client) -> Result<BTreeMap<String, i64>> {
    let (mut all, mut query) =
        (BTreeMap::new(), AccountsQuery { limit: Some(1000), ..AccountsQuery::default() });
    loop {
        let page = client.accounts(&query).await?;
        all.extend(page.data.into_iter().map(|account| (account.user_id, account.balance.credits())));
        match page.next_cursor {
            Some(cursor) => query.cursor = Some(cursor),
            None => return Ok(all),
        }
    }
}

/// Drip's own audit of the log and of every row of the views. Error: what it found.
pub(crate) async fn verify(world: &World) -> Result<String> {
    let arguments = [&["verify".to_owned()][..], &world.flags].concat();
    match program::run(&arguments).await {
        Ok(said) => Ok(said),
        Err(error) => bail!("drip verify: {error:#}"),
    }
}
