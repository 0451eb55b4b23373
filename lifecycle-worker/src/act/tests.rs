//! Single steps against a provider that says what a test lets it say.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use ledger_core::{AppId, PartitionId, Position, UserId};
use tokio::time::advance;

use super::*;
use crate::containers::Result;

/// What the provider says.
#[derive(Debug, Clone)]
struct Says {
    deployment: DeploymentState,
    instances: Option<u32>,
    gone: bool,
    /// Lists show what there is.
    listed: bool,
}

struct Stage(Mutex<Says>);

impl Stage {
    fn says(&self) -> Says {
        self.0.lock().unwrap().clone()
    }

    fn d1(&self) -> Deployment {
        Deployment { id: "d1".to_owned(), state: self.says().deployment }
    }
}

#[async_trait]
impl Containers for Stage {
    async fn projects(&self, _: &str) -> Result<Vec<String>> {
        Ok(self.says().listed.then(|| "p".to_owned()).into_iter().collect())
    }

    async fn create_project(&self, _: &str) -> Result<String> {
        unreachable!("the project is there")
    }

    async fn environment(&self, _: &str) -> Result<Option<String>> {
        if self.says().listed { Ok(Some("e".to_owned())) } else { Err(ContainerError::Gone) }
    }

    async fn create_environment(&self, _: &str) -> Result<String> {
        unreachable!("the environment is there")
    }

    async fn service(&self, _: &str) -> Result<Option<Service>> {
        match self.says().listed {
            true => Ok(Some(Service { id: "s".to_owned(), url: "http://s".to_owned() })),
            false => Err(ContainerError::Gone),
        }
    }

    async fn create_service(&self, _: &NewService) -> Result<Service> {
        unreachable!("the service is there")
    }

    async fn set_variables(&self, _: &str, _: &BTreeMap<String, String>) -> Result<()> {
        if self.says().gone { Err(ContainerError::Gone) } else { Ok(()) }
    }

    async fn scale(&self, _: &str, _: Scale) -> Result<()> {
        Ok(())
    }

    async fn instances(&self, _: &str) -> Result<Option<u32>> {
        Ok(self.says().instances)
    }

    async fn newest_deployment(&self, _: &str) -> Result<Option<Deployment>> {
        Ok(Some(self.d1()))
    }

    async fn deploy(&self, _: &str, _: &str) -> Result<String> {
        unreachable!("it is deployed")
    }

    async fn deployment(&self, _: &str) -> Result<Deployment> {
        Ok(self.d1())
    }

    async fn answers(&self, _: &str, _: &str) -> Result<bool> {
        unreachable!("it is not to run")
    }

    async fn delete_service(&self, _: &str) -> Result<()> {
        unreachable!("it is not to go")
    }

    async fn delete_project(&self, _: &str) -> Result<()> {
        unreachable!("it is not to go")
    }
}

fn account(user: &str) -> AccountId {
    AccountId { app: AppId::new("demo").unwrap(), user: UserId::new(user).unwrap() }
}

fn label(text: &str) -> Label {
    Label::new(text).unwrap()
}

/// One that was deployed once and is told to sleep.
fn falling_asleep() -> Container {
    let settings = Position { partition: PartitionId(0), sequence: 1, index: 0 };
    let steps = [
        Step::ProjectCreated { id: label("p") },
        Step::EnvironmentCreated { id: label("e") },
        Step::ServiceCreated { id: label("s"), url: LongText::new("http://s").unwrap() },
        Step::VariablesSet,
        Step::ScaledUp,
        Step::DeploymentStarted { id: label("d1") },
        Step::Running,
        Step::ScaledDown { strategy: Strategy::MinZero },
    ];
    steps.iter().fold(Container::of(settings), |mut container, step| {
        container.apply(Timestamp(1), &label("w"), step);
        container
    })
}

/// A worker at a container, and what its provider says.
struct Scene {
    config: Config,
    stage: Arc<Stage>,
    containers: Arc<dyn Containers>,
    account: AccountId,
}

impl Scene {
    fn new(deployment: DeploymentState, instances: Option<u32>) -> Self {
        let stage = Arc::new(Stage(Mutex::new(Says { deployment, instances, gone: false, listed: true })));
        let containers: Arc<dyn Containers> = Arc::<Stage>::clone(&stage);
        Self { config: Config::new(label("w")), stage, containers, account: account("anna") }
    }

    fn actor(&self) -> Actor<'_> {
        let (image, health_path) = ("i:1".to_owned(), "/".to_owned());
        let settings = Settings { image, health_path, variables: BTreeMap::new() };
        Actor::new(&self.config, &self.containers, LogId([1; 16]), &self.account, settings)
    }

    fn now(&self, change: impl FnOnce(&mut Says)) {
        change(&mut self.stage.0.lock().unwrap());
    }
}

/// Whether it is taken for asleep now.
async fn sleeps(actor: &mut Actor<'_>) -> bool {
    match actor.act(Act::AwaitAsleep, &falling_asleep()).await.unwrap() {
        Did::Step(Step::Asleep) => true,
        Did::Wait(_) => false,
        other => panic!("{other:?}"),
    }
}

#[test]
fn projects_of_users_that_begin_alike_have_other_names() {
    let (one, other) = (LogId([1; 16]), LogId([2; 16]));
    let name = project_name(one, &account("12345678-a"));
    assert_eq!(name.len(), 45);
    assert_eq!(name, project_name(one, &account("12345678-a")));
    assert_ne!(name, project_name(one, &account("12345678-b")));
    assert_ne!(name, project_name(other, &account("12345678-a")));
}

/// The provider answers from a cache: a zero may be as old as that.
#[tokio::test(start_paused = true)]
async fn a_zero_is_believed_when_it_is_younger_than_the_cache() {
    let scene = Scene::new(DeploymentState::Healthy, Some(0));
    let mut actor = scene.actor();
    assert!(!sleeps(&mut actor).await);
    advance(scene.config.timing.stopping - Duration::from_millis(1)).await;
    assert!(!sleeps(&mut actor).await);
    advance(Duration::from_millis(1)).await;
    assert!(sleeps(&mut actor).await);
}

#[tokio::test(start_paused = true)]
async fn a_zero_from_before_the_end_of_a_deployment_is_not_believed() {
    let scene = Scene::new(DeploymentState::Underway, Some(0));
    let mut actor = scene.actor();
    for _ in 0..3 {
        assert!(!sleeps(&mut actor).await);
        advance(scene.config.timing.stopping).await;
    }
    scene.now(|says| says.deployment = DeploymentState::Healthy);
    assert!(!sleeps(&mut actor).await);
    advance(scene.config.timing.stopping).await;
    assert!(sleeps(&mut actor).await);
}

/// What is not told is no zero.
#[tokio::test(start_paused = true)]
async fn it_sleeps_when_the_provider_says_so_and_not_before() {
    for instances in [None, Some(1)] {
        let scene = Scene::new(DeploymentState::Healthy, instances);
        let mut actor = scene.actor();
        for _ in 0..3 {
            assert!(!sleeps(&mut actor).await, "{instances:?}");
            advance(scene.config.timing.stopping).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_told_to_be_gone_twice_is_trouble_and_no_loop() {
    let scene = Scene::new(DeploymentState::Healthy, Some(0));
    scene.now(|says| (says.gone, says.listed) = (true, false));
    let (mut actor, container) = (scene.actor(), falling_asleep());
    let once = actor.act(Act::Variables, &container).await.unwrap();
    assert!(matches!(once, Did::Step(Step::ServiceDeleted)), "{once:?}");
    let twice = actor.act(Act::Variables, &container).await.unwrap_err();
    assert!(twice.reason.contains("and shows it") && !twice.lasting, "{twice:?}");
}

/// It would run on unpaid, and nobody would know of it.
#[tokio::test(start_paused = true)]
async fn what_one_answer_does_not_know_is_there_as_long_as_a_list_shows_it() {
    let scene = Scene::new(DeploymentState::Healthy, Some(1));
    scene.now(|says| says.gone = true);
    let doubted = scene.actor().act(Act::Variables, &falling_asleep()).await.unwrap_err();
    assert!(doubted.reason.contains("and shows it") && !doubted.lasting, "{doubted:?}");
}
