//! A real Drip with its door for workers, a sandbox of the mail services, and notifiers that are started and cut off.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use command_api::edge::auth::{ApiKeyConfig, Keyring, generate_key};
use command_api::edge::{EdgeState, House, http};
use command_api::{init, writers};
use drip_client::{Amount, Client, Debit, MoneyIn, OpenAccount};
use event_log::{EventLog, LogIdentity, SqliteLog};
use ledger_core::upkeep::{NoticeKind, NoticeState};
use ledger_core::{AccountId, AppId, Label, LogId, Policy, Timestamp, UserId};
use locus_sandbox::{Effect, Fault, Rule, Sandbox, Service};
use notifier::{Config, Direct, LocusX402, Timing, Transport};
use projector::upkeep::NoticeRow;
use projector::{Positions, SqliteViews, ViewStore, Views};
use service_kit::Supervisor;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

const WORKER_KEY: &str = "drip_workers_test";
const INBOX: &str = "drip@agentmail.to";
/// Much longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// How mails are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Direct,
    X402,
}

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    app: Client,
    workers: Client,
    http: SocketAddr,
    log: Arc<dyn EventLog>,
    views: Views,
    supervisor: Supervisor,
    _folder: TempDir,
}

/// A notifier that runs. Dropping it cuts it off as a crash does.
pub(crate) struct Running {
    task: JoinSet<Result<(), notifier::Error>>,
    shutdown: CancellationToken,
}

impl Running {
    /// Asks it to stop, and waits.
    pub(crate) async fn stop(mut self) {
        self.shutdown.cancel();
        let ended = tokio::time::timeout(PATIENCE, self.task.join_next()).await;
        ended.unwrap().unwrap().unwrap().unwrap();
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = new_log(&folder).await;
        let supervisor = Supervisor::new(Duration::from_secs(5));
        let demo = AppId::new("demo").unwrap();
        let apps = vec![(demo.clone(), Policy::default())];
        let desk = writers::start(Arc::clone(&log), apps, None, &supervisor).await.unwrap();
        tokio::time::timeout(PATIENCE, desk.ready()).await.unwrap().unwrap();
        let views = project(&folder, &log, &supervisor).await;
        let (key, sha256) = generate_key(&demo);
        let keyring = Keyring::new(&[ApiKeyConfig { app: demo, name: "dev".into(), sha256 }]).unwrap();
        let house = House { worker_key: Some(Sha256::digest(WORKER_KEY).into()), ..House::default() };
        let (keyring, house) = (Arc::new(keyring), Arc::new(house));
        let state = EdgeState { desk, views: views.clone(), log: Arc::clone(&log), keyring, house };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("http://{address}");
        supervisor.spawn("http", http::serve(listener, state, supervisor.token()));
        let client = |key: &str| Client::new(&url, key.to_owned()).unwrap();
        let (app, workers) = (client(&key), client(WORKER_KEY));
        let sandbox = Sandbox::start(locus_sandbox::Config::default()).await.unwrap();
        Self { sandbox, app, workers, http: address, log, views, supervisor, _folder: folder }
    }

    /// How a notifier of this name is configured.
    pub(crate) fn config(&self, worker: &str, by: By) -> Config {
        let millis = Duration::from_millis;
        let worker = Label::new(worker).unwrap();
        let door = notifier::Drip::new(self.workers.clone(), worker.clone(), &Timing::default());
        Config {
            door: Arc::new(door),
            log: Arc::clone(&self.log),
            worker,
            transport: self.transport(by),
            templates: None,
            app_names: BTreeMap::from([(AppId::new("demo").unwrap(), "The Demo".to_owned())]),
            top_up_url: Some("https://demo.example/{app}/{user_id}".to_owned()),
            at_once: 16,
            timing: Timing {
                sweep: millis(100),
                attempt: Duration::from_secs(60),
                margin: Duration::from_secs(10),
                first_pause: millis(20),
                longest_pause: millis(100),
                settle: millis(50),
                stop: millis(100),
                ..Timing::default()
            },
        }
    }

    /// One whose claims end soon.
    pub(crate) fn hasty(&self, worker: &str, by: By) -> Config {
        let config = self.config(worker, by);
        let (attempt, margin) = (Duration::from_millis(1_500), Duration::from_millis(500));
        Config { timing: Timing { attempt, margin, ..config.timing }, ..config }
    }

    fn transport(&self, by: By) -> Arc<dyn Transport> {
        let inbox = INBOX.to_owned();
        // One attempt a call: that the notifier comes again is what is tested.
        let timing = locus::Timing { pauses: vec![], ..locus::Timing::default() };
        let keys = self.sandbox.keys();
        match by {
            By::Direct => {
                let key = locus::MailKey::parse(&keys.mail[0]).unwrap();
                let config = locus::mail::Config { base: self.sandbox.mail_base(), key, timing };
                Arc::new(Direct { mail: locus::Mail::new(config).unwrap(), inbox })
            }
            By::X402 => {
                let key = locus::LocusKey::parse(&keys.locus[0]).unwrap();
                let config = locus::pay::Config { base: self.sandbox.pay_base(), key, timing };
                Arc::new(LocusX402 { pay: locus::Pay::new(config).unwrap(), inbox })
            }
        }
    }

    pub(crate) fn run(&self, config: Config) -> Running {
        let (shutdown, mut task) = (CancellationToken::new(), JoinSet::new());
        task.spawn(notifier::run(config, shutdown.clone()));
        Running { task, shutdown }
    }

    /// Opens an account with 1 USDC, and spends so much of it.
    pub(crate) async fn spend(&self, user: &str, email: Option<&str>, credits: i64) {
        let one = Amount::from_credits(1_000_000);
        let open = OpenAccount { email: email.map(str::to_owned), ..OpenAccount::new(user) };
        self.app.open(&open.initial_balance(one)).await.unwrap();
        let debit = Debit { amount: Some(Amount::from_credits(credits)), ..Debit::default() };
        self.app.debit(user, &debit).await.unwrap();
    }

    /// An account that is due a mail of low credit, as the views know it too.
    pub(crate) async fn low(&self, user: &str) {
        self.spend(user, Some(&address(user)), 900_000).await;
        self.has(user, NoticeKind::LowCredit, |_| true).await;
    }

    pub(crate) async fn deposit(&self, user: &str, credits: i64) {
        let money = MoneyIn::new(Amount::from_credits(credits), format!("deposit of {credits}"));
        self.app.deposit(user, &money).await.unwrap();
    }

    /// Waits until a mail of a kind is so.
    pub(crate) async fn has(
        &self,
        user: &str,
        kind: NoticeKind,
        wanted: impl Fn(&NoticeRow) -> bool,
    ) -> NoticeRow {
        let id = AccountId { app: AppId::new("demo").unwrap(), user: UserId::new(user).unwrap() };
        let look = || async {
            let rows = self.views.notices(&id).await.unwrap();
            rows.into_iter().find(|row| row.kind == kind && wanted(row))
        };
        until(&format!("{user}: {kind:?}"), look).await
    }

    /// Waits until a mail of low credit has come so far.
    pub(crate) async fn comes_to(&self, user: &str, state: NoticeState) -> NoticeRow {
        self.has(user, NoticeKind::LowCredit, |row| row.state == state).await
    }

    /// Waits until so many mails have really gone out.
    pub(crate) async fn sent(&self, count: usize) {
        until("mails", || async { (self.mails().len() >= count).then_some(()) }).await;
    }

    /// The addresses and subjects of the mails that really went out, in order.
    pub(crate) fn mails(&self) -> Vec<(String, String)> {
        let mail = |effect| match effect {
            Effect::MailSent { to, subject, .. } => Some((to.concat(), subject)),
            _ => None,
        };
        self.sandbox.record().into_iter().filter_map(|entry| mail(entry.effect)).collect()
    }

    /// What happens to sends from now on.
    pub(crate) fn sends(&self, by: By, fault: Fault, times: Option<u32>) {
        let (service, path) = match by {
            By::Direct => (Service::Mail, "*/messages/send"),
            By::X402 => (Service::Pay, "*/agentmail-send-message"),
        };
        self.sandbox.add_fault(Rule { path: Some(path.into()), times, ..Rule::new(service, fault) });
    }
}

/// A way to Drip on which answers are lost.
pub(crate) struct Road {
    pub(crate) client: Client,
    _cars: JoinSet<()>,
}

impl World {
    /// A way on which the first connections break after so many answers, and the answer that follows is lost.
    pub(crate) async fn bad_road(&self, answers: usize) -> Road {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (to, mut cars) = (self.http, JoinSet::new());
        cars.spawn(async move {
            let mut connections = JoinSet::new();
            for number in 0.. {
                let (near, _) = listener.accept().await.unwrap();
                connections.spawn(carry(near, to, if number < 4 { answers } else { usize::MAX }));
            }
        });
        Road { client: Client::new(&url, WORKER_KEY.to_owned()).unwrap(), _cars: cars }
    }
}

/// Carries what is asked, and so many answers; then it breaks.
async fn carry(mut near: TcpStream, to: SocketAddr, answers: usize) {
    let mut far = TcpStream::connect(to).await.unwrap();
    let ((mut from_near, mut to_near), (mut from_far, mut to_far)) = (near.split(), far.split());
    let asking = tokio::io::copy(&mut from_near, &mut to_far);
    let answering = async {
        let mut answer = vec![0; 1 << 16];
        for _ in 0..answers {
            match from_far.read(&mut answer).await {
                Ok(length @ 1..) => to_near.write_all(&answer[..length]).await.unwrap(),
                _ => return,
            }
        }
        // The last one is done with there, and does not come here.
        drop(from_far.read(&mut answer).await);
    };
    tokio::select! {
        () = answering => {}
        _ = asking => {}
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.supervisor.shutdown();
    }
}

pub(crate) fn address(user: &str) -> String {
    format!("{user}@example.org")
}

/// Asks until there is an answer.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, ask: impl Fn() -> F) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("waited too long for {what}"))
}

async fn new_log(folder: &TempDir) -> Arc<dyn EventLog> {
    let identity = LogIdentity { log: LogId([9; 16]), partitions: 2 };
    SqliteLog::create(folder.path(), identity).await.unwrap();
    let log = SqliteLog::open_writer(folder.path()).await.unwrap();
    init::init(&log, Timestamp(service_kit::clock::now())).await.unwrap();
    Arc::new(log)
}

async fn project(folder: &TempDir, log: &Arc<dyn EventLog>, supervisor: &Supervisor) -> Views {
    SqliteViews::create(folder.path()).await.unwrap();
    let store: Arc<dyn ViewStore> = Arc::new(SqliteViews::open(folder.path()).await.unwrap());
    let (sender, positions) = watch::channel(Positions::default());
    let config = projector::Config::default();
    let run = projector::run(config, Arc::clone(log), Arc::clone(&store), supervisor.token(), sender);
    supervisor.spawn("projector", run);
    Views::new(store, Some(positions))
}
