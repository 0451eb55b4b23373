//! Damage: bits flipped and tails cut in the files of a log, while nobody runs. A log of one copy that lost something
//! must not be written to or folded again; of three copies the other two heal the third, or it stays away.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::campaign;
use crate::nemesis::{Done, Nemesis};
use crate::plan::{Engines, Plan};
use crate::report::Report;
use crate::verdict;
use crate::world::role::Role;
use crate::world::{HEAL_BOUND, Setup, World, until};

/// A role that finds the log damaged must say so within this time: a replicated log is given 30 s to explain itself.
const REFUSED_WITHIN: Duration = Duration::from_secs(90);

/// What is done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Damage {
    /// One bit in the middle.
    FlippedBit,
    /// The last third is missing.
    CutTail,
}

/// What became of a damaged log of one copy.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Found {
    /// Where it was kept.
    pub engines: Engines,
    /// What was done.
    pub damage: Damage,
    /// The head of partition 0 before it was damaged, and what could be read of the log after it.
    pub head_before: u64,
    /// What became of the log, in a sentence.
    pub after: String,
    /// With which sentence each role refused.
    pub refusals: Vec<String>,
    /// What `drip verify` said.
    pub verify: String,
    /// What is wrong with Drip. Empty: nothing was found.
    pub violations: Vec<String>,
}

/// Damages a log of one copy that views were folded from, and starts everything on it. Error: the harness could not do
/// its work.
pub async fn one_copy(plan: &Plan, damage: Damage) -> Result<Found> {
    ensure!(plan.engines != Engines::R3, "three copies heal each other");
    let world = Arc::new(Setup::new(plan).start().await?);
    let loaded = campaign::judged(plan, &world, async |_| {
        tokio::time::sleep(plan.time).await;
        Ok(())
    });
    let loaded = loaded.await?;
    let head_before = head(&world).await?;
    for role in world.roles() {
        role.kill().await;
    }
    for server in &world.nats {
        server.lock().await.stop().await;
    }
    let file = match plan.engines {
        Engines::Embedded => embedded_file(&world).await?,
        _ => block(&world.folder().join("nats-0"))?,
    };
    damage.to(&file)?;
    for server in &world.nats {
        server.lock().await.restart().await;
    }
    let after = after(&world).await;
    let verified = verdict::verify(&world).await;
    let mut violations = loaded.violations;
    if verified.is_ok() {
        violations.push("I15: drip verify finds nothing wrong with a damaged log".to_owned());
    }
    let mut found = Found {
        engines: plan.engines,
        damage,
        head_before,
        after,
        refusals: Vec::new(),
        verify: verified.unwrap_or_else(|error| format!("{error:#}")),
        violations,
    };
    found.refused_by_all(&world).await?;
    Ok(found)
}

impl Found {
    /// Every role must refuse with a sentence, and nothing may be appended.
    async fn refused_by_all(&mut self, world: &World) -> Result<()> {
        let owner = world.active();
        for role in std::iter::once(owner).chain(world.projectors.first()) {
            role.start().await?;
        }
        for role in std::iter::once(owner).chain(world.projectors.first()) {
            match refusal(role).await {
                Ok(sentence) => self.refusals.push(format!("{}: {sentence}", role.name())),
                Err(error) => self.violations.push(format!("I15: {error:#}")),
            }
        }
        let again = after(world).await;
        if again != self.after {
            self.violations.push(format!(
                "I15: the log was {}, and is {again} after roles were started on it",
                self.after
            ));
        }
        Ok(())
    }
}

/// The sentence with which it ended by itself.
async fn refusal(role: &Role) -> Result<String> {
    let ended = until(REFUSED_WITHIN, async || role.has_ended().await.then_some(())).await;
    ensure!(ended.is_some(), "{} runs on a damaged log\n{}", role.name(), role.log().await);
    let sentence = role.ends().pop().context("it has ended")?;
    ensure!(!role.output().await.contains("panicked"), "{} panicked: {}", role.name(), role.log().await);
    Ok(sentence)
}

/// Damages the leader of partition 0 in a log of three copies while there is load, makes it the leader again, and
/// judges. Error: the harness could not do its work.
pub async fn three_copies(plan: &Plan, damage: Damage) -> Result<Report> {
    ensure!(plan.engines == Engines::R3, "only three copies heal each other");
    let world = Arc::new(Setup::new(plan).start().await?);
    campaign::judged(plan, &world, async |nemesis| {
        tokio::time::sleep(plan.time / 2).await;
        nemesis.damage_leader(damage).await?;
        tokio::time::sleep(plan.time / 2).await;
        Ok(())
    })
    .await
}

impl Nemesis<'_> {
    async fn damage_leader(&self, damage: Damage) -> Result<()> {
        let at = Instant::now();
        let number = until(HEAL_BOUND, async || self.world.stream_leader(0).await).await;
        let number = number.context("nobody leads partition 0")?;
        let mut server = self.world.nats[number].lock().await;
        server.stop().await;
        damage.to(&block(&server.store_dir())?)?;
        server.restart().await;
        drop(server);
        self.note(Done::of(
            "damaged file of a stream's leader",
            at.duration_since(self.began()),
            at.elapsed(),
        ));
        let at = Instant::now();
        let leads = self.lead_again(number).await?;
        let kind =
            if leads { "the damaged server leads again" } else { "the damaged server was not elected" };
        self.note(Done::of(kind, at.duration_since(self.began()), at.elapsed()));
        Ok(())
    }

    /// Hands the lead around until it comes to this server.
    async fn lead_again(&self, number: usize) -> Result<bool> {
        let begin = Instant::now();
        while begin.elapsed() < HEAL_BOUND {
            if self.world.stream_leader(0).await == Some(number) {
                return Ok(true);
            }
            self.step_down(Some(0), 1).await?;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Ok(false)
    }
}

impl Damage {
    /// Does it to a file, and takes away the index that would tell.
    fn to(self, path: &Path) -> Result<()> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let bytes = fs::read(path)?;
        match self {
            Self::CutTail => file.set_len(u64::try_from(bytes.len())? / 3 * 2)?,
            Self::FlippedBit => {
                let at = commit_in_the_middle(&bytes).context("the file holds no commit")?;
                file.write_all_at(&[bytes[at] ^ 1], u64::try_from(at)?)?;
            }
        }
        let index = path.with_file_name("index.db");
        if index.exists() {
            fs::remove_file(index)?;
        }
        Ok(())
    }
}

/// A place inside the commit that begins behind the middle of the file.
fn commit_in_the_middle(bytes: &[u8]) -> Option<usize> {
    let middle = bytes.len() / 2;
    let commit = bytes[middle..].windows(4).position(|window| window == b"DRIP")?;
    // Behind its prefix, in its body.
    Some(middle + commit + 48).filter(|at| *at < bytes.len())
}

/// The newest file of partition 0's messages in a store.
fn block(store: &Path) -> Result<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![store.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "blk")
                && path.to_string_lossy().contains("LEDGER-00")
            {
                found.push(path);
            }
        }
    }
    found.sort();
    found.pop().with_context(|| format!("{} holds no messages of partition 0", store.display()))
}

/// The embedded log, in one file.
async fn embedded_file(world: &World) -> Result<PathBuf> {
    let file = Path::new(world.flags.last().context("the embedded Drip has a data folder")?).join("log.db");
    let options = SqliteConnectOptions::new().filename(&file);
    let mut connection = SqliteConnection::connect_with(&options).await?;
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await?;
    connection.close().await?;
    Ok(file)
}

async fn head(world: &World) -> Result<u64> {
    let log = verdict::open_log(world).await?;
    let first = log.identity().partitions().next().context("a log has a partition")?;
    Ok(log.head(first).await?)
}

/// What can be read of the log, in a sentence.
async fn after(world: &World) -> String {
    let judged = async {
        let log = verdict::open_log(world).await?;
        verdict::Judged::read(&*log).await
    };
    match judged.await {
        Ok(judged) => format!("readable up to {:?}", judged.heads),
        Err(error) => format!("not readable: {error:#}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_a_commit_is_found() {
        let commit = [&b"DRIP"[..], &[1; 60]].concat();
        let bytes = [&[0; 100][..], &commit, &commit].concat();
        let at = commit_in_the_middle(&bytes).unwrap();
        assert_eq!((at, bytes[at]), (164 + 48, 1));
        assert_eq!(commit_in_the_middle(&[0; 100]), None);
    }
}
