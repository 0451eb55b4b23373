//! How workers reach the ledger: its door for each kind of them, and its log. The door for workers of the real edges does
//! the same over HTTP.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use event_log::{AppendOutcome, Entry, EventLog, LogIdentity, ReadError};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use ledger_core::account::Account;
use ledger_core::command::{ClaimLifecycle, RecordNotice, RecordStep};
use ledger_core::commit::EncodedCommit;
use ledger_core::event::Event;
use ledger_core::sealed::Sealed;
use ledger_core::upkeep::{Notice, NoticeStep, Phase, Step};
use ledger_core::{AccountId, Command, Label, LongText, PartitionId, Rejection, Sequence, Timestamp};
use lifecycle_worker::ledger::{Compared, Due, DuePage, Found, Settings, Sleeper, SleeperPage, Work};
use lifecycle_worker::{Ledger, ledger};
use notifier::work::{OpenMail, Told};
use notifier::{Door, work};
use service_kit::clock;

use super::house::House;
use super::{LOG, World, road};

/// The door of one worker.
pub(super) struct Doors {
    pub(super) world: Arc<World>,
    pub(super) worker: Label,
    /// How long its claims of containers hold, in microseconds.
    pub(super) hold: i64,
}

fn now() -> Timestamp {
    Timestamp(clock::now())
}

impl Doors {
    /// Asks, on a road on which answers get lost.
    async fn ask<T: Send + 'static>(&self, what: impl FnOnce(&mut House) -> T + Send + 'static) -> Option<T> {
        let road = self.world.roads().ledger;
        road::ask(&self.world, &self.worker, road, move |world| what(&mut world.house())).await
    }

    /// A page of what there is of accounts, behind one of them.
    async fn behind<T: Send + 'static>(
        &self,
        after: Option<&AccountId>,
        of: fn(&House, AccountId) -> Option<T>,
    ) -> Result<Vec<T>, ledger::Refused> {
        let after = after.cloned();
        let page = self.ask(move |house| {
            let behind = house.accounts().into_iter().filter(|id| after.as_ref() < Some(id));
            behind.filter_map(|id| of(house, id)).take(PAGE).collect()
        });
        page.await.ok_or_else(|| ledger::Refused::Trouble("no answer in time".to_owned()))
    }

    async fn work(
        &self,
        account: &AccountId,
        with_settings: bool,
        command: Option<Command>,
    ) -> Result<Work, ledger::Refused> {
        let account = account.clone();
        let answer = self.ask(move |house| {
            command.map_or(Ok(()), |command| house.ask(now(), &command))?;
            Ok::<_, Rejection>(shown(house, &account, with_settings))
        });
        let away = || ledger::Refused::Trouble("no answer in time".to_owned());
        let answer = answer.await.ok_or_else(away)?;
        answer.map_err(|no| ledger::Refused::of(&no.code.to_string(), format!("{no:?}")))
    }
}

/// How long a page is: short, so that there are several.
const PAGE: usize = 2;

fn shown(house: &House, account: &AccountId, with_settings: bool) -> Work {
    let account = house.ledger().account(account);
    let container = account.and_then(Account::container).cloned();
    let settings = container.as_ref().filter(|_| with_settings).map(|container| {
        let (Event::ContainerSet(event), _) = house.event(container.settings) else {
            unreachable!("the settings of a container stand in the event that set them")
        };
        let (image, health_path) = (&event.settings.image, &event.settings.health_path);
        let variables = [("DRIP_USER_ID".to_owned(), event.account.user.to_string())].into();
        Settings { image: image.to_string(), health_path: health_path.to_string(), variables }
    });
    Work { due: account.and_then(Account::due), container, settings }
}

#[async_trait]
impl Ledger for Doors {
    async fn claim(&self, account: &AccountId) -> Result<Work, ledger::Refused> {
        let (worker, hold) = (self.worker.clone(), self.hold);
        let claim = ClaimLifecycle { account: account.clone(), worker, hold };
        self.work(account, true, Some(Command::ClaimLifecycle(claim))).await
    }

    async fn tell(&self, account: &AccountId, after: u32, step: &Step) -> Result<Work, ledger::Refused> {
        let (worker, step) = (self.worker.clone(), step.clone());
        let told = RecordStep { account: account.clone(), worker, after, step };
        self.work(account, false, Some(Command::RecordStep(told))).await
    }

    async fn show(&self, account: &AccountId) -> Result<Work, ledger::Refused> {
        self.work(account, false, None).await
    }

    async fn due(&self, after: Option<&AccountId>) -> Result<DuePage, ledger::Refused> {
        let data = self.behind(after, due).await?;
        Ok(DuePage { more: data.len() == PAGE, data })
    }

    async fn sleepers(&self, after: Option<&AccountId>) -> Result<SleeperPage, ledger::Refused> {
        let data = self.behind(after, sleeper).await?;
        Ok(SleeperPage { more: data.len() == PAGE, data })
    }

    async fn compare(&self, _found: &Found) -> Result<Compared, ledger::Refused> {
        unreachable!("nobody looks at solvency where there is no wallet")
    }
}

fn due(house: &House, id: AccountId) -> Option<Due> {
    let account = house.ledger().account(&id)?;
    account.due()?;
    let progress = account.container()?.progress;
    let retry_at = progress.map(|progress| progress.retry_at).filter(|at| at.0 > 0);
    Some(Due { account: id, retry_at })
}

fn sleeper(house: &House, id: AccountId) -> Option<Sleeper> {
    let container = house.ledger().account(&id)?.container()?;
    let asleep = container.phase == Phase::Asleep && container.holder.is_none();
    let service = container.service.as_ref().filter(|_| asleep)?.to_string();
    Some(Sleeper { account: id, service, steps: container.steps })
}

#[async_trait]
impl Door for Doors {
    async fn open(&self) -> Result<Vec<(AccountId, Option<Timestamp>)>, work::Refused> {
        let open = self.ask(|house| {
            let accounts = house.accounts().into_iter();
            accounts.flat_map(|id| open_of(house, &id).into_iter().map(move |at| (id.clone(), at))).collect()
        });
        open.await.ok_or(work::Refused::Away)
    }

    async fn mails(&self, account: &AccountId) -> Result<Vec<OpenMail>, work::Refused> {
        let account = account.clone();
        self.ask(move |house| mails(house, &account)).await.ok_or(work::Refused::Away)
    }

    async fn tell(
        &self,
        account: &AccountId,
        notice: &Notice,
        told: Told<'_>,
    ) -> Result<Option<Notice>, work::Refused> {
        let (account, worker) = (account.clone(), self.worker.clone());
        let Notice { kind, epoch, steps: after, .. } = *notice;
        let step = step(&told);
        let answer = self.ask(move |house| {
            let id = account.clone();
            let command = RecordNotice { account: id, worker, kind, epoch, after, cooldown: 0, step };
            house.ask(now(), &Command::RecordNotice(command))?;
            let upkeep = house.ledger().account(&account).and_then(Account::upkeep);
            Ok::<_, Rejection>(upkeep.and_then(|upkeep| upkeep.notice_of(kind, epoch).cloned()))
        });
        let answer = answer.await.ok_or(work::Refused::Away)?;
        answer.map_err(|no| work::Refused::of(&no.code.to_string()))
    }
}

fn open_of(house: &House, id: &AccountId) -> Vec<Option<Timestamp>> {
    let upkeep = house.ledger().account(id).and_then(Account::upkeep);
    let notices = upkeep.map_or(&[][..], |upkeep| &upkeep.notices);
    let open = notices.iter().filter(|notice| !notice.state.is_final());
    open.map(|notice| Some(notice.not_before).filter(|at| at.0 > 0)).collect()
}

fn mails(house: &House, id: &AccountId) -> Vec<OpenMail> {
    let Some(account) = house.ledger().account(id) else { return vec![] };
    let notices = account.upkeep().map_or(&[][..], |upkeep| &upkeep.notices);
    let open = notices.iter().filter(|notice| !notice.state.is_final());
    open.map(|notice| open_mail(house, account, notice)).collect()
}

fn open_mail(house: &House, account: &Account, notice: &Notice) -> OpenMail {
    let json = |sealed: &Sealed| serde_json::from_str(sealed.plain_text()?).ok();
    let (Event::AccountOpened(opened), _) = house.event(account.opened()) else {
        unreachable!("an account begins with its opening")
    };
    let profile: Option<serde_json::Value> = opened.profile.as_ref().and_then(json);
    let written = notice.mail.and_then(|at| match house.event(at).0 {
        Event::NoticeStepped(event) => match &event.step {
            NoticeStep::Claimed { mail, .. } => mail.as_ref().and_then(json),
            _ => None,
        },
        _ => None,
    });
    OpenMail {
        notice: notice.clone(),
        email: profile.and_then(|profile| profile["email"].as_str().map(str::to_owned)),
        balance: account.balance(),
        baseline: account.baseline(),
        written,
        due_at: house.event(notice.cause).1,
    }
}

fn step(told: &Told<'_>) -> NoticeStep {
    let text = |text: &str| LongText::new(text).expect("what a notifier tells is short enough");
    match told {
        Told::Claimed { hold_ms, mail } => NoticeStep::Claimed {
            until: now().plus(i64::from(*hold_ms) * 1_000),
            mail: mail.map(|mail| Sealed::plain(serde_json::to_string(mail).expect("a mail is text"))),
        },
        Told::Sent { message_id } => NoticeStep::Sent { message_id: text(message_id) },
        Told::Failed { reason, retry_at } => NoticeStep::Failed { reason: text(reason), retry_at: *retry_at },
        Told::Abandoned { reason } => NoticeStep::Abandoned { reason: text(reason) },
    }
}

/// The log, as those see it who follow it.
pub(super) struct Followed(pub(super) Arc<World>);

#[async_trait]
impl EventLog for Followed {
    fn identity(&self) -> LogIdentity {
        LogIdentity { log: LOG, partitions: 1 }
    }

    async fn append(&self, _commit: &EncodedCommit) -> AppendOutcome {
        unreachable!("workers append nothing")
    }

    async fn read(&self, _partition: PartitionId, sequence: Sequence) -> Result<Option<Entry>, ReadError> {
        let place = usize::try_from(sequence).expect("small").checked_sub(1);
        Ok(place.and_then(|place| self.0.house().entries().get(place).cloned()))
    }

    async fn head(&self, _partition: PartitionId) -> Result<Sequence, ReadError> {
        tokio::time::sleep(self.0.way(self.0.roads().log)).await;
        let replays = self.0.replays.load(Ordering::Relaxed);
        Ok(if replays { 0 } else { self.0.house().head() })
    }

    fn follow(
        &self,
        _partition: PartitionId,
        after: Sequence,
    ) -> BoxStream<'static, Result<Entry, ReadError>> {
        let world = Arc::clone(&self.0);
        let next = |(world, last): (Arc<World>, Sequence)| async move {
            let entry = standing_soon(&world, last).await;
            tokio::time::sleep(world.way(world.roads().log)).await;
            Some((Ok(entry), (world, last + 1)))
        };
        stream::unfold((world, after), next).boxed()
    }
}

async fn standing_soon(world: &Arc<World>, after: Sequence) -> Entry {
    // One that is woken in the order in which it came, which tokio's `watch` draws lots about.
    let grown = Arc::clone(&world.house().grown);
    loop {
        let grows = grown.notified();
        let place = usize::try_from(after).expect("small");
        if let Some(entry) = world.house().entries().get(place) {
            return entry.clone();
        }
        grows.await;
    }
}
