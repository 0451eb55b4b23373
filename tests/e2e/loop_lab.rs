//! Drip with the world around it: containers, payments and mails of a sandbox, whose record says what was really done.

use std::fs;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use test_servers::{End, NatsServer, Postgres, Process, free_port};

use crate::ask::{Reply, Said, said, send};
use crate::audit::events;
use crate::stack::{Drip, Engines, engine_flags, program};

/// How long anything that is waited for may take: what is seconds here is minutes outside.
const PATIENCE: Duration = Duration::from_secs(60);
/// A minute of the sandbox passes in a second, and so it is with the delays of workers.
pub(crate) const FAST: [&str; 2] = ["--sandbox-scale", "60"];
/// How `drip up` begins when it takes commands.
const GREETING: &str = "Drip is up";
/// So many seconds after the end of a claim may what was asked under it take effect: the sandbox lets go of whoever hangs
/// up, so this is as slow as two busy processors are.
const LATE: &str = "2";
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
    /// Where it is a process of its own.
    sandbox: Option<Process>,
    checked: bool,
    _nats: Option<NatsServer>,
}

impl Lab {
    /// One process with everything in it; or each role in its own, with two lifecycle-workers and two notifiers.
    pub(crate) async fn start(engines: Engines) -> Self {
        let mut lab = Self::start_with_one_worker_each(engines).await;
        if engines == Engines::Servers {
            lab.start_workers();
        }
        lab
    }

    /// The same with one of each worker.
    pub(crate) async fn start_with_one_worker_each(engines: Engines) -> Self {
        match engines {
            Engines::Embedded => Self::up(None, &[]).await,
            Engines::Servers => {
                let mut lab = Self::roles().await;
                lab.start_workers();
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
        let (control, log) = (control_of(&drip, 1).await, log_of(&drip).await);
        Self {
            drip,
            others: vec![],
            log,
            control,
            outside: vec![],
            engines,
            sandbox: None,
            checked: false,
            _nats: nats,
        }
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
        let lab =
            Self { drip, others, log, control, outside, engines, sandbox, checked: false, _nats: Some(nats) };
        // A sandbox by itself begins with less than a test needs.
        lab.tell(Method::PUT, "/credits", &json!({ "credits": "100" })).await.expect(200);
        lab.tell(Method::PUT, "/balances", &json!({ "usdc": "1000" })).await.expect(200);
        lab
    }

    /// One more of each worker, in processes of their own.
    fn start_workers(&mut self) {
        self.start_worker(&["run", "lifecycle-worker"]);
        self.start_worker(&["run", "notifier"]);
    }

    fn start_worker(&mut self, role: &[&'static str]) {
        let url = self.drip.url();
        let own = ["--url", &url, "--worker-key", WORKER_KEY, "--sweep", "10"];
        let worker = Drip::prepared(role, &self.engines);
        let mut worker = worker.with(&own).with(&FAST).with(&refs(&self.outside));
        fs::create_dir(worker.data_dir()).expect("the folder is new");
        worker.spawn();
        self.others.push(worker);
    }

    /// Workers are killed without a word, and others start: processes of their own, or all of Drip, its sandbox too.
    pub(crate) async fn kill_workers(&mut self) {
        if self.sandbox.is_none() {
            self.drip.kill();
            return self.start_drip().await;
        }
        // The first is the projector.
        for mut worker in self.others.split_off(1) {
            worker.kill();
            worker.assert_no_panic();
        }
        self.start_workers();
    }

    /// All processes of Drip end in order, and start again on what they left.
    pub(crate) async fn restart(&mut self) {
        for other in &mut self.others {
            other.stop().await;
        }
        self.drip.stop().await;
        self.others.iter_mut().for_each(Drip::spawn);
        self.start_drip().await;
    }

    /// Its own sandbox may have other addresses than before.
    async fn start_drip(&mut self) {
        let starts = self.drip.output().matches(GREETING).count();
        self.drip.restart().await;
        if self.sandbox.is_none() {
            self.control = control_of(&self.drip, starts + 1).await;
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
        self.whole_record().await["entries"].as_array().expect("a list").clone()
    }

    async fn whole_record(&self) -> Value {
        self.tell(Method::GET, "/record", &json!({})).await.expect(200).body
    }

    /// What the judge says of log, views and record as they are.
    pub(crate) async fn verified(&self, flag: &str) -> Said {
        self.verified_with(&self.whole_record().await, flag).await
    }

    /// The same of a record that may not be the true one.
    pub(crate) async fn verified_with(&self, record: &Value, flag: &str) -> Said {
        let file = self.drip.folder().join("record.json");
        fs::write(&file, record.to_string()).expect("the folder is ours");
        let mut verify = program();
        verify.args(["verify", "--json", "--late", LATE, flag, "--record"]).arg(file);
        verify.args(self.drip.log_flags());
        said(verify).await
    }

    /// How every scenario ends: all comes to rest, the judge has nothing to say of the log, nor of what was really done,
    /// and nobody has panicked or left.
    pub(crate) async fn check(&mut self) {
        self.checked = true;
        let held = wait_for("what is wanted stands", async || {
            let said = self.verified("--at-rest").await;
            let report = said.json();
            let complaints = report["record"]["complaints"].as_array().map_or(&[][..], Vec::as_slice);
            let waits = complaints.iter().all(|one| one.as_str().is_some_and(|one| one.starts_with("I13: ")));
            if waits && !complaints.is_empty() { Err(complaints.into()) } else { Ok(said) }
        })
        .await;
        held.expect(0);
        for process in self.others.iter_mut().chain([&mut self.drip]) {
            assert!(process.runs(), "{}", process.log());
            process.assert_no_panic();
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        assert!(self.checked || std::thread::panicking(), "a scenario ends with Lab::check");
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

/// What the start with this number said of its sandbox.
async fn control_of(drip: &Drip, start: usize) -> String {
    wait_for("the greeting", async || {
        let output = drip.output();
        let said = output.split(GREETING).nth(start);
        let control = said.and_then(|said| said.split_once("those of a sandbox, "));
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
