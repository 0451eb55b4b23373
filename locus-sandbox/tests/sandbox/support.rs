//! A sandbox and somebody who talks to it.

use std::time::Duration;

use locus_sandbox::{Config, Effect, Funds, Sandbox, Timings};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::time::Instant;

/// How long something may take until a test gives up on it.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Lab {
    pub(crate) sandbox: Sandbox,
    pub(crate) http: Client,
}

/// Credits for as many services as any test makes.
pub(crate) fn rich() -> Config {
    let funds = Funds { build_credits: "100".to_owned().try_into().unwrap(), ..Funds::default() };
    Config { funds, ..Config::default() }
}

impl Lab {
    pub(crate) async fn start() -> Self {
        Self::with(rich()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        Self { sandbox: Sandbox::start(config).await.unwrap(), http: Client::new() }
    }

    pub(crate) fn pay_request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.sandbox.pay_base());
        self.http.request(method, url).bearer_auth(&self.sandbox.keys().locus[0])
    }

    pub(crate) fn mail_request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{path}", self.sandbox.mail_base());
        self.http.request(method, url).bearer_auth(&self.sandbox.keys().mail[0])
    }

    pub(crate) fn build_request(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.sandbox.build_base())).bearer_auth(token)
    }

    pub(crate) async fn get_pay(&self, path: &str) -> (u16, Value) {
        answer(self.pay_request(Method::GET, path)).await
    }

    pub(crate) async fn post_pay(&self, path: &str, body: Value) -> (u16, Value) {
        answer(self.pay_request(Method::POST, path).json(&body)).await
    }

    pub(crate) async fn get_mail(&self, path: &str) -> (u16, Value) {
        answer(self.mail_request(Method::GET, path)).await
    }

    pub(crate) async fn post_mail(&self, path: &str, body: Value) -> (u16, Value) {
        answer(self.mail_request(Method::POST, path).json(&body)).await
    }

    pub(crate) async fn token(&self) -> String {
        let body = json!({"apiKey": self.sandbox.keys().locus[0]});
        let url = format!("{}/auth/exchange", self.sandbox.build_base());
        let (status, body) = answer(self.http.post(url).json(&body)).await;
        assert_eq!(status, 200, "{body}");
        body["token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn build(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let request = self.build_request(method, path, &self.token().await);
        answer(match body {
            Some(body) => request.json(&body),
            None => request,
        })
        .await
    }

    pub(crate) async fn get_build(&self, path: &str) -> (u16, Value) {
        self.build(Method::GET, path, None).await
    }

    pub(crate) async fn post_build(&self, path: &str, body: Value) -> (u16, Value) {
        self.build(Method::POST, path, Some(body)).await
    }

    /// A project, an environment and the body that makes a service in them.
    pub(crate) async fn place(&self, project: &str) -> Value {
        let (_, project) = self.post_build("/projects", json!({"name": project})).await;
        let path = format!("/projects/{}/environments", project["id"].as_str().unwrap());
        let (_, environment) =
            self.post_build(&path, json!({"name": "production", "type": "production"})).await;
        json!({
            "projectId": project["id"], "environmentId": environment["id"], "name": "agent",
            "source": {"type": "image", "imageUri": "registry.example/agent:1"},
            "runtime": {"cpu": 256, "memory": 512, "minInstances": 1, "maxInstances": 1},
            "healthCheckPath": "/health",
        })
    }

    /// The id of a new service.
    pub(crate) async fn service(&self, project: &str) -> String {
        let (status, service) = self.post_build("/services", self.place(project).await).await;
        assert_eq!(status, 201, "{service}");
        service["id"].as_str().unwrap().to_owned()
    }

    /// The id of a new service that answers.
    pub(crate) async fn running_service(&self, project: &str) -> String {
        let id = self.service(project).await;
        self.deploy(&id).await;
        self.pass_deployment();
        id
    }

    pub(crate) async fn deploy(&self, service: &str) -> String {
        let (status, deployment) = self.post_build("/deployments", json!({"serviceId": service})).await;
        assert_eq!((status, &deployment["status"]), (201, &"queued".into()), "{deployment}");
        deployment["id"].as_str().unwrap().to_owned()
    }

    /// Lets so much time pass that a deployment is through and reached.
    pub(crate) fn pass_deployment(&self) {
        let Timings { queued, deploying, unreachable, .. } = Timings::default();
        self.sandbox.advance(queued + deploying + unreachable);
    }

    /// The id of a new checkout session.
    pub(crate) async fn session(&self, body: Value) -> String {
        let (status, body) = self.post_pay("/checkout/sessions", body).await;
        assert_eq!(status, 200, "{body}");
        body["data"]["id"].as_str().unwrap().to_owned()
    }

    /// The effects so far that are wanted.
    pub(crate) fn effects(&self, wanted: impl Fn(&Effect) -> bool) -> Vec<Effect> {
        self.sandbox.record().into_iter().map(|entry| entry.effect).filter(|effect| wanted(effect)).collect()
    }
}

pub(crate) async fn answer(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// Waits until the condition holds.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "{what} did not come about");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
