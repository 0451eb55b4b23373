//! Carrying out one fault, and healing it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use test_servers::NatsServer;
use tokio::sync::Mutex;

use super::fault::{Fault, Target};
use super::{Nemesis, RECOVERY_BOUND};
use crate::load::APP;
use crate::world::proxy::Wire;
use crate::world::role::Role;
use crate::world::{HEAL_BOUND, until};

/// How long an owner may live on after another one has taken over.
const FENCED_WITHIN: Duration = Duration::from_secs(30);

/// So often an answer is wanted into the log, for an owner may be away for a moment.
const INTRUSIONS: usize = 5;

/// A time that counts as a figure, and of what.
pub(super) type Recovery = Option<(&'static str, Duration)>;

impl Nemesis<'_> {
    /// Until it is healed.
    pub(super) async fn inflict(&self, fault: Fault) -> Result<Recovery> {
        match fault {
            Fault::Kill(target, away) => return self.kill(target, millis(away)).await,
            Fault::Terminate(target, away) => self.terminate(target, millis(away)).await?,
            Fault::Pause(target, time) => self.pause(target, millis(time)).await?,
            Fault::KillUnheard(time) => self.kill_unheard(millis(time)).await?,
            Fault::KillBackend => self.kill_backend().await?,
            Fault::TwoOfThree { paused, millis: time } => self.two_of_three(paused, millis(time)).await?,
            Fault::StepDown(partition, times) => self.step_down(partition, times).await?,
            Fault::Takeover { asleep } => self.take_over(asleep).await?,
            Fault::RollingRestart => self.rolling_restart().await?,
            Fault::BadWire { wire, how, millis: time, reset } => {
                self.bad_wire(wire, how, millis(time), reset).await;
            }
            Fault::Foreign(partition) => self.foreign(partition).await?,
            Fault::ReplyIntoLog(partition) => self.reply_into_log(partition).await?,
        }
        Ok(None)
    }

    async fn kill(&self, target: Target, away: Duration) -> Result<Recovery> {
        let at = Instant::now();
        let figure = |what, time| Ok(away.is_zero().then_some((what, time)));
        match target {
            Target::Owner => {
                let owner = self.world.active();
                owner.kill().await;
                tokio::time::sleep(away).await;
                owner.start().await?;
                figure("writer: first answered debit", self.load.debit_after(at, None, RECOVERY_BOUND).await?)
            }
            Target::Projector(_) | Target::Lifecycle(_) | Target::Notifier(_) | Target::Sandbox => {
                let role = self.role(target)?;
                role.kill().await;
                tokio::time::sleep(away).await;
                role.start().await?;
                Ok(None)
            }
            Target::Postgres => {
                self.postgres()?.lock().await.kill();
                tokio::time::sleep(away).await;
                self.postgres()?.lock().await.restart().await;
                self.world.until_quiet(&self.load.heads()).await?;
                figure("Postgres: views caught up", at.elapsed())
            }
            Target::Nats(_) | Target::StreamLeader(_) | Target::MetaLeader => {
                self.kill_nats(target, away).await
            }
        }
    }

    async fn kill_nats(&self, target: Target, away: Duration) -> Result<Recovery> {
        let (at, server) = (Instant::now(), self.server(target).await?);
        server.lock().await.kill();
        let mut recovery = None;
        if let Target::StreamLeader(partition) = target {
            // The others elect a new leader: nobody has to come back for that.
            let time = self.load.debit_after(at, Some(partition), RECOVERY_BOUND).await?;
            recovery = Some(("leader of a stream (R3): first answered debit", time));
        }
        tokio::time::sleep(away).await;
        start(server).await?;
        if target == Target::Nats(0) && self.world.nats.len() == 1 && away.is_zero() {
            let time = self.load.debit_after(at, None, RECOVERY_BOUND).await?;
            recovery = Some(("nats-server (R1): first answered debit", time));
        }
        Ok(recovery)
    }

    async fn terminate(&self, target: Target, away: Duration) -> Result<()> {
        match target {
            Target::Owner
            | Target::Projector(_)
            | Target::Lifecycle(_)
            | Target::Notifier(_)
            | Target::Sandbox => restart(self.role(target)?, away, false).await,
            Target::Postgres => {
                let mut postgres = self.postgres()?.lock().await;
                postgres.stop().await;
                tokio::time::sleep(away).await;
                postgres.restart().await;
                Ok(())
            }
            Target::Nats(_) | Target::StreamLeader(_) | Target::MetaLeader => {
                let server = self.server(target).await?;
                server.lock().await.stop().await;
                tokio::time::sleep(away).await;
                start(server).await
            }
        }
    }

    async fn pause(&self, target: Target, time: Duration) -> Result<()> {
        match target {
            Target::Owner
            | Target::Projector(_)
            | Target::Lifecycle(_)
            | Target::Notifier(_)
            | Target::Sandbox => pause(self.role(target)?, time).await,
            Target::Postgres => {
                let postgres = self.postgres()?;
                postgres.lock().await.pause();
                tokio::time::sleep(time).await;
                postgres.lock().await.resume();
            }
            Target::Nats(_) | Target::StreamLeader(_) | Target::MetaLeader => {
                let server = self.server(target).await?;
                server.lock().await.pause();
                tokio::time::sleep(time).await;
                server.lock().await.resume();
            }
        }
        Ok(())
    }

    /// Whatever the owner answered meanwhile, it had no acknowledgement for.
    async fn kill_unheard(&self, time: Duration) -> Result<()> {
        let owner = self.world.active();
        let name = format!("{} to NATS", owner.name());
        let wire = self.world.wires.iter().find(|wire| wire.name == name).context("the owner has a wire")?;
        wire.set(Wire::StalledToServer);
        tokio::time::sleep(time).await;
        owner.kill().await;
        wire.set(Wire::Cut);
        tokio::time::sleep(Duration::from_millis(50)).await;
        wire.set(Wire::Good);
        owner.start().await
    }

    async fn kill_backend(&self) -> Result<()> {
        // A client may just be connecting again after the fault before.
        let killed =
            until(HEAL_BOUND, async || self.postgres().ok()?.lock().await.kill_backend().then_some(()));
        killed.await.context("nobody is connected to Postgres")
    }

    /// Without a majority nothing is stored and nothing wrong is said; with one again everything goes on.
    async fn two_of_three(&self, paused: bool, time: Duration) -> Result<()> {
        let two = &self.world.nats[1..];
        for server in two {
            let mut server = server.lock().await;
            if paused { server.pause() } else { server.kill() }
        }
        tokio::time::sleep(time).await;
        for server in two {
            let mut server = server.lock().await;
            if paused { server.resume() } else { server.spawn() }
        }
        for server in two {
            healthy(server).await?;
        }
        Ok(())
    }

    pub(crate) async fn step_down(&self, partition: Option<u16>, times: u32) -> Result<()> {
        let nats = self.world.connect().await?;
        let subject = match partition {
            Some(partition) => format!("$JS.API.STREAM.LEADER.STEPDOWN.LEDGER-{partition:02}"),
            None => "$JS.API.META.LEADER.STEPDOWN".to_owned(),
        };
        for _ in 0..times {
            // No leader at the moment is an answer too.
            let _ = nats.request(subject.clone(), "".into()).await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    /// The newer owner takes over, and the older ends by itself with a sentence.
    async fn take_over(&self, asleep: bool) -> Result<()> {
        let (older, newer) = (self.world.active(), self.world.standby().context("there is one owner only")?);
        let before = older.ends().len();
        older.let_end().await;
        if asleep && !older.pause().await {
            bail!("{} does not run", older.name());
        }
        newer.start().await?;
        let ready = newer.until_ready(&self.world.http, HEAL_BOUND).await;
        self.world.swap();
        older.resume().await;
        ready?;
        let ended = until(FENCED_WITHIN, async || older.has_ended().await.then_some(())).await;
        if ended.is_none() {
            older.kill().await;
            bail!("{} lives on {FENCED_WITHIN:?} after {} has taken over", older.name(), newer.name());
        }
        let ends = older.ends();
        let said = ends.iter().skip(before).any(|sentence| sentence.contains("taken over"));
        ensure!(said, "{} was taken over and ended with {:?}", older.name(), ends.last());
        Ok(())
    }

    async fn rolling_restart(&self) -> Result<()> {
        restart(self.world.active(), Duration::ZERO, true).await?;
        self.world.active().until_ready(&self.world.http, HEAL_BOUND).await?;
        for role in self.world.projectors.iter().chain(self.world.workers()).chain(self.world.sandbox()) {
            restart(role, Duration::ZERO, true).await?;
        }
        for server in &self.world.nats {
            server.lock().await.stop().await;
            start(server).await?;
        }
        if let Some(postgres) = &self.world.postgres {
            postgres.lock().await.restart().await;
        }
        Ok(())
    }

    async fn bad_wire(&self, number: usize, how: Wire, time: Duration, reset: bool) {
        let active = self.world.active().name();
        let matters = |name: &str| name.starts_with(active) || !name.starts_with("command-api");
        let wires: Vec<_> = self.world.wires.iter().filter(|wire| matters(&wire.name)).collect();
        let Some(wire) = wires.get(number % wires.len().max(1)) else { return };
        wire.set(how);
        tokio::time::sleep(time).await;
        if reset {
            wire.set(Wire::Cut);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        wire.set(Wire::Good);
    }

    async fn foreign(&self, partition: u16) -> Result<()> {
        let nats = self.world.connect().await?;
        let subject = format!("drip.ledger.{partition:02}.usage");
        let answer = nats.request(subject, "this is nobody's commit".into()).await?;
        let answer: Value = serde_json::from_slice(&answer.payload)?;
        let sequence = answer["seq"].as_u64().filter(|sequence| *sequence > 0);
        let sequence = sequence.with_context(|| format!("the stream did not take it: {answer}"))?;
        self.lock().foreign.push((partition, sequence));
        Ok(())
    }

    /// Whoever may ask may choose where the answer goes: it must not go there.
    async fn reply_into_log(&self, partition: u16) -> Result<()> {
        let nats = self.world.connect().await?;
        let reply = format!("drip.ledger.{partition:02}.usage");
        for _ in 0..INTRUSIONS {
            let question = r#"{"user_id":"nobody"}"#.into();
            nats.publish_with_reply(format!("drip.cmd.{APP}.get"), reply.clone(), question).await?;
        }
        Ok(nats.flush().await?)
    }

    /// The process of Drip that is meant.
    fn role(&self, target: Target) -> Result<&Role> {
        let world = self.world;
        let found = match target {
            Target::Owner => Some(world.active()),
            Target::Projector(number) => world.projectors.get(number),
            Target::Lifecycle(number) => world.lifecycle.get(number),
            Target::Notifier(number) => world.notifiers.get(number),
            Target::Sandbox => world.sandbox(),
            Target::Nats(_) | Target::StreamLeader(_) | Target::MetaLeader | Target::Postgres => None,
        };
        found.with_context(|| format!("there is no {target}"))
    }

    /// The nats-server that is meant.
    async fn server(&self, target: Target) -> Result<&Mutex<NatsServer>> {
        let found = match target {
            Target::Nats(number) => Some(number),
            Target::StreamLeader(partition) => {
                until(HEAL_BOUND, async || self.world.stream_leader(partition).await).await
            }
            _ => until(HEAL_BOUND, async || self.world.meta_leader().await).await,
        };
        let number = found.with_context(|| format!("there is no {target}"))?;
        self.world.nats.get(number).context("no such nats-server")
    }

    fn postgres(&self) -> Result<&Mutex<test_servers::Postgres>> {
        self.world.postgres.as_ref().context("these engines have no Postgres")
    }
}

/// Stops a role, and starts it again. Asked to stop while it was well, it must say that all went well.
async fn restart(role: &Role, away: Duration, well: bool) -> Result<()> {
    if let Some(status) = role.stop().await {
        let fine = if well { status.code() == Some(0) } else { status.code().is_some() };
        ensure!(fine, "{} ended after SIGTERM with {status}\n{}", role.name(), role.log().await);
    }
    tokio::time::sleep(away).await;
    role.start().await
}

async fn pause(role: &Role, time: Duration) {
    if role.pause().await {
        tokio::time::sleep(time).await;
        role.resume().await;
    }
}

async fn start(server: &Mutex<NatsServer>) -> Result<()> {
    server.lock().await.spawn();
    healthy(server).await
}

async fn healthy(server: &Mutex<NatsServer>) -> Result<()> {
    server.lock().await.until_healthy().await.map_err(anyhow::Error::msg)
}

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}
