//! Many accounts, over a ledger in memory and a provider where some things never start.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use event_log::{AppendOutcome, Entry, LogIdentity, ReadError};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use ledger_core::commit::EncodedCommit;
use ledger_core::upkeep::{Container, Phase, Step, Wanted};
use ledger_core::{AppId, Label, PartitionId, Position, Sequence, UserId};

use super::*;
use crate::containers::{
    ContainerError, Deployment, DeploymentState, NewService, Result as Answer, Scale, Service,
};
use crate::ledger::{Compared, DuePage, Found, Settings, SleeperPage, Work};

/// A log in which nothing happens: the sweep finds what there is.
struct Quiet;

#[async_trait]
impl EventLog for Quiet {
    fn identity(&self) -> LogIdentity {
        LogIdentity { log: LogId([1; 16]), partitions: 1 }
    }

    async fn append(&self, _: &EncodedCommit) -> AppendOutcome {
        unreachable!("workers write nothing here")
    }

    async fn read(&self, _: PartitionId, _: Sequence) -> Result<Option<Entry>, ReadError> {
        unreachable!("workers read no single commits")
    }

    async fn head(&self, _: PartitionId) -> Result<Sequence, ReadError> {
        Ok(0)
    }

    fn follow(&self, _: PartitionId, _: Sequence) -> BoxStream<'static, Result<Entry, ReadError>> {
        stream::pending().boxed()
    }
}

/// A ledger whose accounts all want to run.
#[derive(Default)]
struct Book(Mutex<BTreeMap<AccountId, Container>>);

impl Book {
    fn apply(&self, account: &AccountId, step: &Step) -> Work {
        let mut containers = self.0.lock().unwrap();
        let container = containers.get_mut(account).expect("it was opened");
        container.apply(Timestamp(service_kit::clock::now()), &worker(), step);
        work(container)
    }

    fn runs(&self, account: &AccountId) -> bool {
        self.0.lock().unwrap()[account].phase == Phase::Running
    }
}

fn work(container: &Container) -> Work {
    let (image, health_path) = ("i:1".to_owned(), "/".to_owned());
    Work {
        due: container.due(Wanted::Running),
        container: Some(container.clone()),
        settings: Some(Settings { image, health_path, variables: BTreeMap::new() }),
    }
}

#[async_trait]
impl Ledger for Book {
    async fn claim(&self, account: &AccountId) -> Result<Work, Refused> {
        let due = work(&self.0.lock().unwrap()[account]).due;
        let operation = due.ok_or(Refused::Nothing)?;
        let until = Timestamp(service_kit::clock::now()).plus(150_000_000);
        Ok(self.apply(account, &Step::Claimed { operation, until, attempts: 0 }))
    }

    async fn tell(&self, account: &AccountId, _: u32, step: &Step) -> Result<Work, Refused> {
        Ok(self.apply(account, step))
    }

    async fn show(&self, account: &AccountId) -> Result<Work, Refused> {
        Ok(work(&self.0.lock().unwrap()[account]))
    }

    async fn due(&self, after: Option<&AccountId>) -> Result<DuePage, Refused> {
        let containers = self.0.lock().unwrap();
        let due = containers.iter().filter(|(account, container)| {
            after.is_none_or(|after| *account > after) && container.phase != Phase::Running
        });
        let due = due.map(|(account, _)| Due { account: account.clone(), retry_at: None });
        Ok(DuePage { data: due.collect(), more: false })
    }

    async fn sleepers(&self, _: Option<&AccountId>) -> Result<SleeperPage, Refused> {
        Ok(SleeperPage { data: Vec::new(), more: false })
    }

    async fn compare(&self, _: &Found) -> Result<Compared, Refused> {
        unreachable!("there is no wallet")
    }
}

/// All that is made carries the name of its project, and what is called so never starts.
struct Yard {
    stuck: Vec<String>,
}

#[async_trait]
impl Containers for Yard {
    async fn projects(&self, _: &str) -> Answer<Vec<String>> {
        Ok(Vec::new())
    }

    async fn create_project(&self, name: &str) -> Answer<String> {
        Ok(name.to_owned())
    }

    async fn environment(&self, _: &str) -> Answer<Option<String>> {
        Ok(None)
    }

    async fn create_environment(&self, project: &str) -> Answer<String> {
        Ok(project.to_owned())
    }

    async fn service(&self, _: &str) -> Answer<Option<Service>> {
        Ok(None)
    }

    async fn create_service(&self, new: &NewService) -> Answer<Service> {
        Ok(Service { id: new.project.clone(), url: format!("http://{}", new.project) })
    }

    async fn set_variables(&self, _: &str, _: &BTreeMap<String, String>) -> Answer<()> {
        Ok(())
    }

    async fn scale(&self, _: &str, _: Scale) -> Answer<()> {
        Ok(())
    }

    async fn instances(&self, _: &str) -> Answer<Option<u32>> {
        Err(ContainerError::Gone)
    }

    async fn newest_deployment(&self, _: &str) -> Answer<Option<Deployment>> {
        Ok(None)
    }

    async fn deploy(&self, service: &str, _: &str) -> Answer<String> {
        Ok(service.to_owned())
    }

    async fn deployment(&self, id: &str) -> Answer<Deployment> {
        let stuck = self.stuck.iter().any(|name| name == id);
        let state = if stuck { DeploymentState::Underway } else { DeploymentState::Healthy };
        Ok(Deployment { id: id.to_owned(), state })
    }

    async fn answers(&self, _: &str, _: &str) -> Answer<bool> {
        Ok(true)
    }

    async fn delete_service(&self, _: &str) -> Answer<()> {
        Ok(())
    }

    async fn delete_project(&self, _: &str) -> Answer<()> {
        Ok(())
    }
}

fn worker() -> Label {
    Label::new("w").unwrap()
}

fn account(user: &str) -> AccountId {
    AccountId { app: AppId::new("demo").unwrap(), user: UserId::new(user).unwrap() }
}

/// One place, two whose containers never start, and one who comes behind them.
#[tokio::test(start_paused = true)]
async fn what_never_starts_keeps_nobody_waiting() {
    let log = LogId([1; 16]);
    let settings = Position { partition: PartitionId(0), sequence: 1, index: 0 };
    let all = ["a", "b", "c"].map(account);
    let book = Arc::new(Book::default());
    let opened = all.iter().map(|account| (account.clone(), Container::of(settings)));
    book.0.lock().unwrap().extend(opened);
    let stuck = all[..2].iter().map(|account| crate::act::project_name(log, account)).collect();
    let config = Config { accounts: 1, ..Config::new(worker()) };
    let ledger: Arc<dyn Ledger> = Arc::<Book>::clone(&book);
    let jobs = Jobs::new(config, ledger, Arc::new(Yard { stuck }), log, None);
    let events: Arc<dyn EventLog> = Arc::new(Quiet);
    let working = tokio::time::timeout(Duration::from_secs(60), jobs.work(&events)).await;
    assert!(working.is_err(), "it works for ever");
    assert_eq!(all.map(|account| book.runs(&account)), [false, false, true]);
}
