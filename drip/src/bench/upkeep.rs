//! `drip bench upkeep`: how soon a container sleeps after the debit that took the last credit, how soon it runs after
//! money came, and how long a sweep over many accounts takes.
//!
//! A Drip of its own with its sandbox is started as users start it, and asked as users ask it. All times are those of its
//! own log, in microseconds: a step is written down after the provider has accepted it, so that what is told here is a
//! little more than the time to the accepted call. The log is read line by line as it grows, so that looking on takes
//! little of what is measured.

mod measured;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use bench::report::Row;
use drip_client::{Amount, Client, ContainerSettings, Debit, LogLine, MoneyIn, OpenAccount};
use futures::StreamExt as _;
use tokio::process::{Child, Command};

use super::say;
use crate::failure::Failure;
use crate::output::Output;
use measured::{Measured, Times};

/// How fast the time of the sandbox runs.
const SCALE: u32 = 60;
/// How many requests are under way while accounts are made.
const AT_ONCE: usize = 64;

/// From a debit that takes the last credit to the sleeping container, from money to the running one, and a sweep.
#[derive(Debug, clap::Args)]
pub(crate) struct UpkeepArgs {
    /// How many containers are put to sleep and woken.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    crossings: u32,
    /// How many of them a second.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Other debits a second meanwhile.
    #[arg(long, value_name = "N", default_value_t = 500)]
    load: u32,
    /// How many accounts are swept.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    swept: u32,
    /// How many of them need work.
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    needy: u32,
    /// The program that is measured, if not this one: so two builds are compared by the same measure.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// A Drip with its sandbox.
struct Running {
    child: Child,
    client: Client,
    /// What was read of its agent log.
    lines: Vec<LogLine>,
    after: String,
}

impl UpkeepArgs {
    /// What a report measures.
    pub(super) fn usual() -> Self {
        Self { crossings: 1_000, rate: 50, load: 500, swept: 100_000, needy: 1_000, program: None }
    }

    /// The rows of a report.
    pub(super) async fn rows(&self) -> Result<Vec<Row>, Failure> {
        Ok(self.in_folder().await?.rows(self))
    }

    pub(crate) async fn run(self, output: Output) -> Result<(), Failure> {
        let measured = self.in_folder().await?;
        if output.json {
            println_json(&measured.json())?;
            return Ok(());
        }
        for row in measured.rows(&self) {
            anstream::println!("{}: {}", row.work, row.figure);
        }
        Ok(())
    }

    async fn in_folder(&self) -> Result<Measured> {
        let folder = std::env::temp_dir().join(format!("drip-bench-{}", uuid::Uuid::new_v4().simple()));
        let measured = self.measure(&folder).await;
        let _ = std::fs::remove_dir_all(&folder);
        measured
    }

    async fn measure(&self, folder: &Path) -> Result<Measured> {
        let (asleep, (deployed, active)) = self.cross(&folder.join("crossings")).await?;
        let swept = if self.swept > 0 { Some(self.sweep(&folder.join("sweep")).await?) } else { None };
        Ok(Measured { asleep, deployed, active, swept })
    }

    /// Puts containers to sleep by debits, and wakes them by money.
    async fn cross(&self, folder: &Path) -> Result<(Times, (Times, Times))> {
        let mut drip = self.start(folder, true).await?;
        say(&format!("making {} containers …", self.crossings));
        drip.open((0..self.crossings).map(|number| (format!("u{number}"), "0.01", true))).await?;
        drip.open((0..100).map(|number| (format!("busy{number}"), "100000", false))).await?;
        drip.until("container runs and answers", self.crossings, 1).await?;
        say(&format!(
            "{} crossings, {} a second, beside {} debits a second …",
            self.crossings, self.rate, self.load
        ));
        let busy = drip.busy(self.load);
        tokio::select! {
            ended = busy => bail!("the load ended: {ended:?}"),
            done = drip.at_rate(self.crossings, self.rate, async |user| drip.debit(&user, "0.01").await) => done?,
        }
        drip.until("container sleeps", self.crossings, 1).await?;
        say("and as many that pay in …");
        let busy = drip.busy(self.load);
        tokio::select! {
            ended = busy => bail!("the load ended: {ended:?}"),
            done = drip.at_rate(self.crossings, self.rate, async |user| drip.pay(&user).await) => done?,
        }
        drip.until("container runs and answers", self.crossings, 2).await?;
        let asleep = Times::between(&drip.lines, "balance depleted", "told to sleep");
        let deployed = Times::between(&drip.lines, "paid in", "deployment ");
        let active = Times::between(&drip.lines, "paid in", "container runs and answers");
        drip.stop().await?;
        Ok((asleep, (deployed, active)))
    }

    /// Opens many accounts while no worker is there, and lets the first sweep find those that need work.
    async fn sweep(&self, folder: &Path) -> Result<Duration> {
        let drip = self.start(folder, false).await?;
        say(&format!("opening {} accounts …", self.swept));
        let needy = |number: u32| if number < self.needy { "1" } else { "0" };
        drip.open((0..self.swept).map(|number| (format!("s{number}"), needy(number), true))).await?;
        let after = drip.client.log(None, Some(1)).await?.last_id;
        drip.stop().await?;
        say("and sweeping them …");
        let mut drip = self.start(folder, true).await?;
        let begun = service_kit::clock::now();
        drip.after = after;
        drip.until(" started", self.needy, 1).await?;
        let last = drip.lines.iter().rfind(|line| line.message.contains(" started")).map(|line| line.at);
        drip.stop().await?;
        let micros = last.context("somebody needs work")?.timestamp_micros() - begun;
        Ok(Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
    }

    async fn start(&self, folder: &Path, workers: bool) -> Result<Running> {
        let own = || std::env::current_exe().context("this program can not be found");
        let program = self.program.clone().map_or_else(own, Ok)?;
        Running::start(&program, folder, workers).await
    }
}

impl Running {
    async fn start(program: &Path, folder: &Path, workers: bool) -> Result<Self> {
        let mut command = Command::new(program);
        command.args([
            "up",
            "--http",
            "127.0.0.1:0",
            "--sandbox-forgets",
            "--sandbox-scale",
            &SCALE.to_string(),
            "--data-dir",
        ]);
        let said = folder.with_extension("said");
        std::fs::create_dir_all(folder)?;
        let stderr = std::fs::File::create(&said)?;
        command.arg(folder).stderr(stderr).stdout(Stdio::null()).kill_on_drop(true);
        // Keys of this environment are for something real.
        command.env_remove("LOCUS_API_KEY").env_remove("DRIP_NATS_URL").env_remove("DATABASE_URL");
        if !workers {
            command.arg("--without-workers");
        }
        let mut child = command.spawn().context("a Drip could not be started")?;
        let url = url_of(&said, &mut child).await?;
        let key = std::fs::read_to_string(folder.join("dev.key"))?;
        let client = Client::new(&url, key.trim().to_owned())?;
        Ok(Self { child, client, lines: Vec::new(), after: FIRST.to_owned() })
    }

    async fn open(&self, users: impl Iterator<Item = (String, &str, bool)>) -> Result<()> {
        let opened = users.map(async |(user, balance, container)| {
            let mut open = OpenAccount::new(user).initial_balance(balance.parse()?);
            if container {
                open = open.container(ContainerSettings::new("example/agent:1"));
            }
            self.client.open(&open).await?;
            anyhow::Ok(())
        });
        let mut opened = futures::stream::iter(opened).buffer_unordered(AT_ONCE);
        while let Some(result) = opened.next().await {
            result?;
        }
        Ok(())
    }

    async fn debit(&self, user: &str, amount: &str) -> Result<()> {
        self.client.debit(user, &Debit::amount(amount.parse()?)).await?;
        Ok(())
    }

    async fn pay(&self, user: &str) -> Result<()> {
        let amount: Amount = "1".parse()?;
        self.client.deposit(user, &MoneyIn::new(amount, format!("paid {user}"))).await?;
        Ok(())
    }

    /// One act a user, so many a second, whatever each takes.
    async fn at_rate(&self, count: u32, rate: u32, act: impl AsyncFn(String) -> Result<()>) -> Result<()> {
        let begun = tokio::time::Instant::now();
        let acts = (0..count).map(|number| {
            let at = begun + Duration::from_secs(1) * number / rate;
            let done = act(format!("u{number}"));
            async move {
                tokio::time::sleep_until(at).await;
                done.await
            }
        });
        futures::future::try_join_all(acts).await.map(drop)
    }

    /// Debits of other accounts, so many a second, until it is dropped.
    async fn busy(&self, rate: u32) -> Result<()> {
        if rate == 0 {
            std::future::pending::<()>().await;
        }
        let begun = tokio::time::Instant::now();
        let debits = futures::stream::iter(0_u32..).map(async |number| {
            tokio::time::sleep_until(begun + Duration::from_secs(1) / rate * number).await;
            self.debit(&format!("busy{}", number % 100), "0.000001").await
        });
        let mut debits = std::pin::pin!(debits.buffer_unordered(256));
        while let Some(result) = debits.next().await {
            result?;
        }
        Ok(())
    }

    /// Waits until so many users have had a line of this kind so often.
    async fn until(&mut self, message: &str, users: u32, times: u32) -> Result<()> {
        let end = Instant::now() + Duration::from_secs(300);
        loop {
            self.read().await?;
            let found = self.lines.iter().filter(|line| line.message.contains(message)).count();
            if found >= users as usize * times as usize {
                return Ok(());
            }
            if Instant::now() > end {
                bail!("only {found} of {users} accounts came to \"{message}\"");
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// What the agent log holds by now.
    async fn read(&mut self) -> Result<()> {
        loop {
            let page = self.client.log(Some(&self.after), Some(1_000)).await?;
            self.after = page.last_id;
            if page.data.is_empty() {
                return Ok(());
            }
            self.lines.extend(page.data);
        }
    }

    async fn stop(mut self) -> Result<()> {
        let id = self.child.id().context("the Drip runs")?;
        let kill = Command::new("kill").arg(id.to_string()).status().await?;
        if !kill.success() {
            bail!("the Drip could not be asked to stop");
        }
        self.child.wait().await?;
        Ok(())
    }
}

/// The place before all lines: `1l:{}` in hex, as the API gives it out where there is nothing yet.
const FIRST: &str = "316c3a7b7d";

/// Where a Drip that starts says that it is.
async fn url_of(said: &Path, child: &mut Child) -> Result<String> {
    loop {
        let text = std::fs::read_to_string(said)?;
        let rest = text.lines().find_map(|line| line.trim_start().strip_prefix("http "));
        if let Some(url) = rest.and_then(|rest| rest.split_whitespace().next()) {
            return Ok(url.to_owned());
        }
        if child.try_wait()?.is_some() {
            bail!("the Drip ended at its start: {text}");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn println_json(value: &serde_json::Value) -> Result<()> {
    anstream::println!("{}", serde_json::to_string(value)?);
    Ok(())
}
