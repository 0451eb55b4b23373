//! Drip with the world around it: containers, payments and mails of a sandbox, whose record says what was really done.

use std::fs;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use test_servers::{End, NatsServer, Postgres, Process, free_port};

use crate::ask::{Reply, said, send};
use crate::audit::events;
use crate::stack::{Drip, Engines, engine_flags, program};

/// How long anything that is waited for may take: what is seconds here is minutes outside.
const PATIENCE: Duration = Duration::from_secs(60);
/// A minute of the sandbox passes in a second, and so it is with the delays of workers.
pub(crate) const FAST: [&str; 2] = ["--sandbox-scale", "60"];
/// What all processes of a lab know each other by.
const WORKER_KEY: &str = "a key that is long enough for workers";

/// A Drip and its sandbox.
pub(crate) struct Lab {
    /// Who answers.
    pub(crate) drip: Drip,
    /// The other roles, where each is a process.
    pub(crate) others: Vec<Drip>,
    /// The log's identity, of which the names of projects are made.
    pub(crate) log: String,
    control: String,
    outside: Vec<String>,
    engines: Vec<String>,
    _sandbox: Option<Process>,
    _nats: Option<NatsServer>,
}

impl Lab {
    /// One process with everything in it; or each role in its own, with two lifecycle-workers and two notifiers.
    pub(crate) async fn start(engines: Engines) -> Self {
        match engines {
            Engines::Embedded => Self::up(None, &[]).await,
            Engines::Servers => {
                let mut lab = Self::roles().await;
                for role in ["lifecycle-worker", "notifier"] {
                    lab.start_worker(role);
                    lab.start_worker(role);
                }
                lab
            }
        }
    }

    /// `drip up` with a sandbox of its own.
    pub(crate) async fn up(nats: Option<NatsServer>, flags: &[&str]) -> Self {
        let engines = match &nats {
            Some(nats) => engine_flags(nats, &Postgres::shared().await.fresh_database().await),
            None => vec![],
        };
        let mut drip = Drip::prepared(&["up"], &engines).with(&FAST).with(&["--sweep", "10"]).with(flags);
        drip.restart().await;
        let (control, log) = (control_of(&drip).await, log_of(&drip).await);
        Self { drip, others: vec![], log, control, outside: vec![], engines, _sandbox: None, _nats: nats }
    }

    /// Command-api, projector and sandbox, each in a process; nobody works yet.
    pub(crate) async fn roles() -> Self {
        let nats = NatsServer::start().await;
        let engines = engine_flags(&nats, &Postgres::shared().await.fresh_database().await);
        let (sandbox, control, outside) = sandbox().await;
        let mut drip = Drip::prepared(&["run", "command-api"], &engines);
        let url = drip.url();
        drip =
            drip.with(&["--public-url", &url, "--worker-key", WORKER_KEY]).with(&FAST).with(&refs(&outside));
        let mut init = program();
        init.arg("init").args(drip.log_flags());
        said(init).await.expect(0);
        let mut projector = Drip::prepared(&["run", "projector"], &engines);
        fs::create_dir(projector.data_dir()).expect("the folder is new");
        projector.spawn();
        drip.restart().await;
        let (sandbox, log) = (Some(sandbox), log_of(&drip).await);
        let others = vec![projector];
        let lab = Self { drip, others, log, control, outside, engines, _sandbox: sandbox, _nats: Some(nats) };
        // A sandbox by itself begins with less than a test needs.
        lab.tell(Method::PUT, "/credits", &json!({ "credits": "100" })).await.expect(200);
        lab.tell(Method::PUT, "/balances", &json!({ "usdc": "1000" })).await.expect(200);
        lab
    }

    /// Another worker in a process of its own. Its place among the others.
    pub(crate) fn start_worker(&mut self, role: &'static str) -> usize {
        let url = self.drip.url();
        let worker = Drip::prepared(
            if role == "notifier" { &["run", "notifier"] } else { &["run", "lifecycle-worker"] },
            &self.engines,
        );
        let own = ["--url", &url, "--worker-key", WORKER_KEY, "--sweep", "10"];
        let mut worker = worker.with(&own).with(&FAST).with(&refs(&self.outside));
        fs::create_dir(worker.data_dir()).expect("the folder is new");
        worker.spawn();
        self.others.push(worker);
        self.others.len() - 1
    }

    /// All processes of Drip end in order, and start again on what they left.
    pub(crate) async fn restart(&mut self) {
        for other in &mut self.others {
            other.stop().await;
        }
        self.drip.stop().await;
        self.others.iter_mut().for_each(Drip::spawn);
        self.drip.restart().await;
        if self._sandbox.is_none() {
            self.control = control_of(&self.drip).await;
        }
    }

    /// An order to the sandbox, or a question.
    pub(crate) async fn tell(&self, method: Method, path: &str, body: &Value) -> Reply {
        let url = format!("{}{path}", self.control);
        send(self.drip.client().request(method, url).json(body)).await
    }

    /// Orders a fault; the number by which it is withdrawn.
    pub(crate) async fn fault(&self, rule: &Value) -> u64 {
        let ordered = self.tell(Method::POST, "/faults", rule).await.expect(200);
        ordered.body["id"].as_u64().expect("faults are numbered")
    }

    pub(crate) async fn heal(&self, fault: u64) {
        self.tell(Method::DELETE, &format!("/faults/{fault}"), &json!({})).await.expect(200);
    }

    pub(crate) async fn switch(&self, name: &str, value: &str) {
        self.tell(Method::PATCH, "/switches", &json!({ name: value })).await.expect(200);
    }

    /// All effects so far.
    pub(crate) async fn record(&self) -> Vec<Value> {
        let record = self.tell(Method::GET, "/record", &json!({})).await.expect(200);
        record.body["entries"].as_array().expect("a list").clone()
    }

    /// The judge has nothing to say, and nobody has panicked or left.
    pub(crate) async fn check(&mut self) {
        let mut verify = program();
        verify.arg("verify").args(self.drip.log_flags());
        said(verify).await.expect(0);
        for process in self.others.iter_mut().chain([&mut self.drip]) {
            assert!(process.runs(), "{}", process.log());
            process.assert_no_panic();
        }
    }
}

/// A sandbox in a process of its own: where it takes orders, and how it is reached by whom.
async fn sandbox() -> (Process, String, Vec<String>) {
    let [listen, control] = [free_port(), free_port()].map(|port| format!("127.0.0.1:{port}"));
    let mut process = Process::new("drip", End::Kill, &std::env::temp_dir());
    let mut command = program();
    command.args(["sandbox", "--listen", &listen, "--control", &control, "--scale", FAST[1]]);
    process.spawn(command);
    let control = format!("http://{control}");
    wait_for("the sandbox is up", async || {
        reqwest::get(&control).await.map_err(|error| error.to_string().into())
    })
    .await;
    let [pay, build, mail] = ["api", "v1", "v0"].map(|path| format!("http://{listen}/{path}"));
    let flags = [
        ("--locus-api-key", "claw_dev_sandbox"),
        ("--locus-pay-url", &pay),
        ("--locus-build-url", &build),
        ("--agentmail-api-key", "am_sandbox"),
        ("--agentmail-url", &mail),
        ("--agentmail-inbox", "drip@agentmail.to"),
    ];
    let flags = flags.into_iter().flat_map(|(name, value)| [name.to_owned(), value.to_owned()]);
    (process, control, flags.collect())
}

fn refs(flags: &[String]) -> Vec<&str> {
    flags.iter().map(String::as_str).collect()
}

/// What the newest start said of its sandbox.
async fn control_of(drip: &Drip) -> String {
    wait_for("the greeting", async || {
        let output = drip.output();
        let newest = output.rsplit_once("Drip is up").map(|(_, newest)| newest);
        let control = newest.and_then(|newest| newest.split_once("those of a sandbox, "));
        let control = control.and_then(|(_, control)| control.lines().next());
        control.map(|url| url.trim().trim_end_matches('/').to_owned()).ok_or_else(|| drip.log().into())
    })
    .await
}

async fn log_of(drip: &Drip) -> String {
    let events = events(drip, &[]).await;
    let genesis = events.iter().find(|event| event["event"] == "genesis").expect("a log begins with it");
    genesis["log"].as_str().expect("a log has a name").to_owned()
}

/// Looks ten times a second: many wait beside each other, on few processors. An error is what stands instead.
pub(crate) async fn wait_for<T>(what: &str, mut look: impl AsyncFnMut() -> Result<T, Value>) -> T {
    let begin = Instant::now();
    loop {
        match look().await {
            Ok(seen) => return seen,
            Err(instead) => {
                assert!(begin.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}, but {instead}");
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
