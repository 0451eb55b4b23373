//! A user with a container and an address: what the test does as its app, what the user sees, and what was really done
//! for it.

use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::ask::{Reply, credits};
use crate::loop_lab::{Lab, wait_for};

/// A container is made.
pub(crate) const MADE: &str = "project environment service deployment up ";
/// It falls asleep.
pub(crate) const SLEPT: &str = "down ";
/// It wakes.
pub(crate) const WOKE: &str = "up deployment ";

pub(crate) struct User<'a> {
    pub(crate) lab: &'a Lab,
    pub(crate) id: String,
}

impl Lab {
    /// Opens a user with a container and an address.
    pub(crate) async fn user(&self, id: &str, balance: &str) -> User<'_> {
        let container = json!({ "image": "ghcr.io/acme/bot:1", "variables": { "MODE": "pro" } });
        let body =
            json!({ "user_id": id, "email": mail(id), "initial_balance": balance, "container": container });
        self.drip.post("/v1/users", &body).await.expect(201);
        User { lab: self, id: id.to_owned() }
    }

    /// The same, and its container runs.
    pub(crate) async fn awake_user(&self, id: &str, balance: &str) -> User<'_> {
        let user = self.user(id, balance).await;
        user.awake().await;
        user
    }

    /// The name of a user's project.
    pub(crate) fn project(&self, id: &str) -> String {
        let digest = hex::encode(Sha256::digest(format!("{}/demo/{id}", self.log)));
        format!("drip-{}", &digest[..40])
    }
}

fn mail(id: &str) -> String {
    format!("{id}@example.org")
}

impl User<'_> {
    fn path(&self, rest: &str) -> String {
        format!("/v1/users/{}{rest}", self.id)
    }

    pub(crate) fn project(&self) -> String {
        self.lab.project(&self.id)
    }

    pub(crate) fn mail(&self) -> String {
        mail(&self.id)
    }

    pub(crate) async fn post(&self, rest: &str, body: &Value) -> Reply {
        self.lab.drip.post(&self.path(rest), body).await
    }

    pub(crate) async fn spend(&self, amount: &str) -> Reply {
        self.lab.drip.debit(&self.id, &json!({ "amount": amount })).await
    }

    pub(crate) async fn shown(&self) -> Value {
        self.lab.drip.account(&self.id).await.body
    }

    pub(crate) async fn has(&self, balance: &str) {
        let shown = self.shown().await;
        assert_eq!(shown["balance"], balance, "{shown}");
    }

    /// Waits until its container is there and nothing is under way.
    pub(crate) async fn stands(&self, phase: &str) {
        let what = format!("the container of {} is {phase}", self.id);
        let is = |shown: Value| if shown["container"]["phase"] == phase { Ok(()) } else { Err(shown) };
        wait_for(&what, async || is(self.shown().await)).await;
    }

    pub(crate) async fn awake(&self) {
        self.stands("running").await;
    }

    pub(crate) async fn asleep(&self) {
        self.stands("asleep").await;
    }

    /// Opens a session. Webhooks are for sessions that the views know, and this list waits for them.
    pub(crate) async fn checkout(&self, amount: &str) -> String {
        let opened = self.post("/checkout-sessions", &json!({ "amount": amount })).await.expect(201);
        self.lab.drip.get(&self.path("/checkout-sessions")).await.expect(200);
        opened.text("id").to_owned()
    }

    /// Pays a session at the provider, in one of its ways.
    pub(crate) async fn pay(&self, session: &str, way: &Value) {
        self.lab.tell(Method::POST, &format!("/sessions/{session}/pay"), way).await.expect(200);
    }

    /// Pays by a session, as people do; waits until it is in the account.
    pub(crate) async fn top_up(&self, amount: &str) {
        let before = credits(&self.shown().await["balance"]);
        let session = self.checkout(amount).await;
        self.pay(&session, &json!({ "at_once": true })).await;
        let wanted = before + credits(&amount.into());
        self.comes_to(wanted).await;
    }

    pub(crate) async fn comes_to(&self, balance: i64) {
        let what = format!("{} has {balance} credits", self.id);
        let is = |shown: Value| if credits(&shown["balance"]) == balance { Ok(()) } else { Err(shown) };
        wait_for(&what, async || is(self.shown().await)).await;
    }

    /// Its mails as the ledger knows them, the oldest first.
    pub(crate) async fn notices(&self) -> Vec<Value> {
        let page = self.lab.drip.get(&self.path("/notices")).await.expect(200);
        let mut notices = page.body["data"].as_array().expect("a list").clone();
        notices.sort_by_key(|notice| notice["due_at"].to_string());
        notices
    }

    /// Waits until these mails were sent, by the ledger; by the sandbox it must be each once.
    pub(crate) async fn is_told(&self, kinds: &[&str]) {
        let what = format!("{} has the mails {kinds:?}", self.id);
        wait_for(&what, async || {
            let notices = self.notices().await;
            let sent =
                notices.iter().filter(|notice| notice["state"] == "sent").map(|notice| &notice["kind"]);
            if sent.eq(kinds.iter()) { Ok(()) } else { Err(notices.into()) }
        })
        .await;
        assert_eq!(self.mails().await, kinds, "{}", self.id);
    }

    /// The mails that were really sent to it.
    pub(crate) async fn mails(&self) -> Vec<&'static str> {
        let record = self.lab.record().await;
        let effects = record.iter().map(|entry| &entry["effect"]);
        let ours =
            effects.filter(|effect| effect["kind"] == "mail_sent" && effect["to"] == json!([self.mail()]));
        ours.map(|effect| kind_of(effect["subject"].as_str().unwrap_or_default())).collect()
    }

    /// What really became of its container, in the order in which it took effect.
    pub(crate) async fn story(&self) -> String {
        let (name, mut ids) = (self.project(), vec![]);
        let mut story = String::new();
        for entry in self.lab.record().await {
            let effect = &entry["effect"];
            let of_ours =
                |field: &str| effect[field].as_str().is_some_and(|id| ids.iter().any(|one| one == id));
            if effect["name"] == name.as_str() || of_ours("project") || of_ours("service") {
                ids.extend(effect["id"].as_str().map(str::to_owned));
                story += word(effect);
            }
        }
        story
    }

    /// Waits for this story, and that it is the whole one.
    pub(crate) async fn has_story(&self, chapters: &[&str]) {
        let wanted = chapters.concat();
        let what = format!("the story of {}", self.id);
        wait_for(&what, async || {
            let story = self.story().await;
            if story.len() >= wanted.len() { Ok(()) } else { Err(story.into()) }
        })
        .await;
        assert_eq!(self.story().await, wanted, "{}", self.id);
    }
}

fn word(effect: &Value) -> &'static str {
    match effect["kind"].as_str().unwrap_or_default() {
        "project_created" => "project ",
        "environment_created" => "environment ",
        "service_created" => "service ",
        "deployment_started" => "deployment ",
        "scaled" if effect["desired"] == 0 => "down ",
        "scaled" => "up ",
        "service_deleted" => "no-service ",
        "project_deleted" => "no-project ",
        _ => "",
    }
}

fn kind_of(subject: &str) -> &'static str {
    let kinds = [("running low", "low_credit"), ("is paused", "paused"), ("runs again", "restored")];
    let known = kinds.iter().find(|(words, _)| subject.contains(words));
    known.map_or("?", |(_, kind)| kind)
}
