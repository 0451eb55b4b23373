//! A running ledger on SQLite in a folder of its own, and a caller who asks it over HTTP without a socket.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use command_api::edge::auth::{ApiKeyConfig, Keyring, generate_key};
use command_api::edge::{EdgeState, House, http};
use command_api::{init, writers};
use event_log::{EventLog, LogIdentity, SqliteLog};
use ledger_core::{AppId, LogId, Policy, Timestamp};
use projector::{Positions, SqliteViews, ViewStore, Views};
use serde_json::Value;
use service_kit::Supervisor;
use tempfile::TempDir;
use tokio::sync::watch;
use tower::ServiceExt as _;

/// A ledger with the apps `demo` and `other`, and a key for each.
pub(crate) struct World {
    pub(crate) state: EdgeState,
    pub(crate) router: Router,
    pub(crate) key: String,
    pub(crate) other_key: String,
    pub(crate) supervisor: Supervisor,
    _folder: TempDir,
}

/// An answer with its body read.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl World {
    /// Two partitions; the projector runs.
    pub(crate) async fn start() -> Self {
        Self::with_projector(true).await
    }

    /// Perhaps with views that stay empty.
    pub(crate) async fn with_projector(projecting: bool) -> Self {
        Self::made(projecting, House::default(), |log| log).await
    }

    /// On a log that is put in front of the real one.
    pub(crate) async fn on(front: impl FnOnce(Arc<dyn EventLog>) -> Arc<dyn EventLog>) -> Self {
        Self::made(true, House::default(), front).await
    }

    /// With what is needed for the upkeep of accounts.
    pub(crate) async fn with_house(house: House) -> Self {
        Self::made(true, house, |log| log).await
    }

    async fn made(
        projecting: bool,
        house: House,
        front: impl FnOnce(Arc<dyn EventLog>) -> Arc<dyn EventLog>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = front(new_log(&folder).await);
        let supervisor = Supervisor::new(Duration::from_secs(5));
        let apps = ["demo", "other"].map(|app| (AppId::new(app).unwrap(), Policy::default()));
        let desk = writers::start(Arc::clone(&log), apps.to_vec(), None, &supervisor).await.unwrap();
        SqliteViews::create(folder.path()).await.unwrap();
        let store: Arc<dyn ViewStore> = Arc::new(SqliteViews::open(folder.path()).await.unwrap());
        let (sender, positions) = watch::channel(Positions::default());
        if projecting {
            let (config, token) = (projector::Config::default(), supervisor.token());
            let run = projector::run(config, Arc::clone(&log), Arc::clone(&store), token, sender);
            supervisor.spawn("projector", run);
        }
        let (keyring, [key, other_key]) = keys();
        let views = Views::new(store, projecting.then_some(positions));
        let state = EdgeState { desk, views, log, keyring: Arc::new(keyring), house: Arc::new(house) };
        tokio::time::timeout(Duration::from_secs(20), state.desk.ready()).await.unwrap().unwrap();
        let router = http::router(state.clone());
        Self { state, router, key, other_key, supervisor, _folder: folder }
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Asks as the app `demo`.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", path).body(Body::empty()).unwrap()).await
    }

    /// Sends JSON as the app `demo`.
    pub(crate) async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        let request = self.request("POST", path).header("content-type", "application/json");
        self.send(request.body(body.into()).unwrap()).await
    }

    /// Sets something as the app `demo`.
    pub(crate) async fn put(&self, path: &str, body: impl Into<Body>) -> Answer {
        let request = self.request("PUT", path).header("content-type", "application/json");
        self.send(request.body(body.into()).unwrap()).await
    }

    /// Asks with another key.
    pub(crate) async fn with_key(&self, key: &str, method: &str, path: &str, body: &str) -> Answer {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", format!("Bearer {key}"));
        let request = match body.is_empty() {
            true => request,
            false => request.header("content-type", "application/json"),
        };
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    /// The balance of a user of `demo`.
    pub(crate) async fn balance(&self, user: &str) -> String {
        self.get(&format!("/v1/users/{user}")).await.text("/balance")
    }

    /// A request with the key of `demo`.
    pub(crate) fn request(&self, method: &str, path: &str) -> axum::http::request::Builder {
        let key = format!("Bearer {}", self.key);
        Request::builder().method(method).uri(path).header("authorization", key)
    }

    /// Opens an account with this balance.
    pub(crate) async fn open(&self, user: &str, balance: &str) {
        let body = serde_json::json!({ "user_id": user, "initial_balance": balance });
        let answer = self.post("/v1/users", body.to_string()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.supervisor.shutdown();
    }
}

impl Answer {
    /// The fields of the body that are named, as they stand.
    #[track_caller]
    pub(crate) fn is(&self, status: u16, fields: &[(&str, Value)]) {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        for (name, value) in fields {
            assert_eq!(self.body.pointer(name).unwrap_or(&Value::Null), value, "{name} of {self:?}");
        }
    }

    /// A problem in its right form.
    #[track_caller]
    pub(crate) fn is_problem(&self, status: u16, code: &str, field: Option<&str>) {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.body["code"], code, "{self:?}");
        assert_eq!(self.body["field"].as_str(), field, "{self:?}");
        assert_eq!(self.body["type"], format!("/docs/problems#{code}"));
        assert_eq!(self.body["status"], status);
        assert_eq!(self.body["request_id"], self.headers["x-request-id"].to_str().unwrap());
        assert!(self.body["title"].is_string() && self.body["detail"].is_string());
    }

    /// A text of the body.
    #[track_caller]
    pub(crate) fn text(&self, name: &str) -> String {
        self.body
            .pointer(name)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("{name} of {self:?}"))
            .to_owned()
    }
}

async fn new_log(folder: &TempDir) -> Arc<dyn EventLog> {
    let identity = LogIdentity { log: LogId([9; 16]), partitions: 2 };
    SqliteLog::create(folder.path(), identity).await.unwrap();
    let log = SqliteLog::open_writer(folder.path()).await.unwrap();
    init::init(&log, Timestamp(service_kit::clock::now())).await.unwrap();
    Arc::new(log)
}

fn keys() -> (Keyring, [String; 2]) {
    let made = ["demo", "other"].map(|app| {
        let app = AppId::new(app).unwrap();
        let (key, sha256) = generate_key(&app);
        (key, ApiKeyConfig { app, name: "dev".into(), sha256 })
    });
    let keyring = Keyring::new(&made.clone().map(|(_, config)| config)).unwrap();
    (keyring, made.map(|(key, _)| key))
}
