//! Power cuts: the disks under the log are frozen in the middle of the load, everything that used them is killed, and
//! goes on from what the disks hold. What was acknowledged must be there.

mod disk;
pub mod lax;

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use futures::future::try_join_all;

use crate::campaign;
use crate::nemesis::{Done, Nemesis};
use crate::plan::{Engines, Plan};
use crate::report::Report;
use crate::world::{Setup, World};

pub(crate) use disk::Disk;

/// How long there is load before each cut.
const LOAD_BEFORE: Duration = Duration::from_secs(3);

/// Says where nobody can overlook it that there was no power cut.
pub fn skipped(reason: &str) {
    let line = "!".repeat(100);
    // Straight to stderr: what a passing test prints is not shown.
    let _ = writeln!(
        std::io::stderr(),
        "{line}\n!!! NO POWER CUT WAS MADE: {reason}\n!!! it needs root, loop devices and mkfs.ext4\n{line}"
    );
}

/// Why there can be no power cuts on this machine; nothing if there can.
pub async fn missing() -> Option<String> {
    Disk::missing().await
}

/// Cuts the power so many times under load. Error: the harness could not do its work.
pub async fn run(plan: &Plan, cuts: u32) -> Result<Report> {
    let disks = disks(plan.engines).await?;
    let mut setup = Setup::new(plan);
    setup.disks = disks.iter().map(Disk::path).collect();
    let world = Arc::new(setup.start().await?);
    campaign::judged(plan, &world, async |nemesis| {
        for _ in 0..cuts {
            nemesis.cut(&disks).await?;
        }
        Ok(())
    })
    .await
}

/// One for each server of the log.
pub(crate) async fn disks(engines: Engines) -> Result<Vec<Disk>> {
    try_join_all((0..engines.servers().max(1)).map(|_| Disk::new())).await
}

impl Nemesis<'_> {
    /// One cut, after some load, and until debits are answered again.
    async fn cut(&self, disks: &[Disk]) -> Result<()> {
        let began = self.began();
        tokio::time::sleep(LOAD_BEFORE).await;
        self.load.debit_after(Instant::now(), None, LOAD_BEFORE * 10).await?;
        let at = Instant::now();
        cut(self.world, disks).await?;
        let lasted = at.elapsed();
        self.load.debit_after(Instant::now(), None, LOAD_BEFORE * 10).await?;
        self.note(Done::of("power cut", at.duration_since(began), lasted));
        Ok(())
    }
}

/// All disks at once, as one machine room would.
async fn cut(world: &World, disks: &[Disk]) -> Result<()> {
    unplug(world, disks).await?;
    for server in &world.nats {
        server.lock().await.until_healthy().await.map_err(anyhow::Error::msg)?;
    }
    Ok(())
}

/// The same; how those are who were started again is not asked.
async fn unplug(world: &World, disks: &[Disk]) -> Result<()> {
    freeze(world, disks).await?;
    try_join_all(disks.iter().map(Disk::thaw)).await?;
    for server in &world.nats {
        server.lock().await.spawn();
    }
    match world.engines {
        Engines::Embedded => world.active().start().await,
        Engines::R1 | Engines::R3 => Ok(()),
    }
}

/// Stops the writers, copies what reached the disks, kills the writers.
async fn freeze(world: &World, disks: &[Disk]) -> Result<()> {
    match world.engines {
        Engines::Embedded => {
            world.active().pause().await;
            try_join_all(disks.iter().map(Disk::freeze)).await?;
            world.active().kill().await;
        }
        Engines::R1 | Engines::R3 => {
            for server in &world.nats {
                server.lock().await.pause();
            }
            try_join_all(disks.iter().map(Disk::freeze)).await?;
            for server in &world.nats {
                server.lock().await.kill();
            }
        }
    }
    Ok(())
}
