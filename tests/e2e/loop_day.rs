//! What a day brings: users spend, are warned, sleep, pay, wake. All of them beside each other on one Drip, which is then
//! started anew, and its views folded anew: nothing of that is done twice.

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::ask::{said, send};
use crate::loop_lab::{Lab, wait_for};
use crate::loop_users::{MADE, SLEPT, User, WOKE};
use crate::stack::{Engines, on_both_engines, program};

on_both_engines!(a_day_is_right_and_is_still_right_after_a_restart_and_a_replay);

async fn a_day_is_right_and_is_still_right_after_a_restart_and_a_replay(engines: Engines) {
    let mut lab = Lab::start(engines).await;
    tokio::join!(
        one_spends_all_and_is_told(&lab),
        three_calls_are_three_calls(&lab),
        one_of_five_gets_the_whole(&lab),
        five_pay_at_once(&lab),
        webhooks_prove_nothing(&lab),
        one_begins_with_nothing(&lab),
        one_is_low_twice(&lab),
        dust_is_nothing(&lab),
        people_decide(&lab),
        two_begin_alike(&lab),
        one_leaves(&lab),
    );
    mails_have_ended(&lab).await;
    let (before, stood) = (deeds(&lab).await, accounts(&lab).await);
    let mut replay = program();
    replay.arg("replay").args(lab.drip.log_flags());
    said(replay).await.expect(0);
    lab.restart().await;
    assert_eq!(accounts(&lab).await, stood);
    // Whoever works now has seen all that there is to see.
    let newcomer = lab.awake_user("newcomer", "1").await;
    newcomer.spend("1").await.expect(200);
    newcomer.is_told(&["paused"]).await;
    newcomer.has_story(&[MADE, SLEPT]).await;
    assert_eq!(deeds(&lab).await[..before.len()], before[..]);
    let late = deeds(&lab).await.split_off(before.len());
    let name = newcomer.project();
    let projects = late.iter().filter(|effect| effect["kind"] == "project_created");
    assert!(projects.map(|effect| &effect["name"]).eq([name.as_str()]), "{late:?}");
    assert_eq!(late.iter().filter(|effect| effect["kind"] == "mail_sent").count(), 1, "{late:?}");
    lab.check().await;
}

/// What was really done, without when.
async fn deeds(lab: &Lab) -> Vec<Value> {
    lab.record().await.iter().map(|entry| entry["effect"].clone()).collect()
}

/// No mail is on its way any more.
async fn mails_have_ended(lab: &Lab) {
    let users = lab.drip.pages("/v1/users?limit=1000").await;
    for user in users.iter().filter_map(|row| row["user_id"].as_str()) {
        wait_for(&format!("the mails of {user} have ended"), async || {
            let notices = lab.drip.get(&format!("/v1/users/{user}/notices")).await.body;
            let ends = ["sent", "abandoned", "superseded"];
            let ended = |notice: &Value| ends.iter().any(|end| notice["state"] == *end);
            if notices["data"].as_array().is_some_and(|all| all.iter().all(ended)) {
                Ok(())
            } else {
                Err(notices)
            }
        })
        .await;
    }
}

/// Each account with its container, and its sessions.
async fn accounts(lab: &Lab) -> Vec<Value> {
    let mut accounts = vec![];
    for row in lab.drip.pages("/v1/users?limit=1000").await {
        let user = row["user_id"].as_str().expect("a user has a name");
        accounts.push(lab.drip.account(user).await.body);
        accounts.extend(lab.drip.pages(&format!("/v1/users/{user}/checkout-sessions")).await);
    }
    accounts
}

async fn one_spends_all_and_is_told(lab: &Lab) {
    let anna = lab.awake_user("anna", "1").await;
    assert_eq!(anna.spend("0.85").await.expect(200).text("level"), "low");
    anna.is_told(&["low_credit"]).await;
    assert_eq!(anna.shown().await["status"], "low_credit");
    anna.spend("0.15").await.expect(200);
    anna.asleep().await;
    anna.is_told(&["low_credit", "paused"]).await;
    assert_eq!(anna.shown().await["status"], "paused");
    anna.top_up("2").await;
    anna.awake().await;
    anna.is_told(&["low_credit", "paused", "restored"]).await;
    anna.has_story(&[MADE, SLEPT, WOKE]).await;
    assert_eq!(anna.shown().await["status"], "active");
    let log = lab.drip.get("/v1/log?limit=1000").await.expect(200);
    let lines = log.body["data"].as_array().expect("a list").iter().filter(|line| line["user_id"] == "anna");
    let said: Vec<_> = lines.filter_map(|line| line["message"].as_str()).collect();
    for sentence in ["low credit: 0.15 USDC of 1 USDC left", "balance depleted: 0 USDC of 1 USDC left"] {
        assert_eq!(said.iter().filter(|line| **line == sentence).count(), 1, "{said:?}");
    }
}

async fn three_calls_are_three_calls(lab: &Lab) {
    let bert = lab.awake_user("bert", "0.30").await;
    for left in ["0.2", "0.1", "0"] {
        assert_eq!(bert.spend("0.10").await.expect(200).text("balance"), left);
    }
    assert_eq!(bert.spend("0.10").await.expect(402).text("code"), "insufficient_credit");
    bert.asleep().await;
    bert.has_story(&[MADE, SLEPT]).await;
}

async fn one_of_five_gets_the_whole(lab: &Lab) {
    let cora = lab.awake_user("cora", "1").await;
    let replies = join_all((0..5).map(|_| cora.spend("1"))).await;
    let mut statuses: Vec<_> = replies.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 402, 402, 402, 402]);
    cora.asleep().await;
    cora.is_told(&["paused"]).await;
    cora.has_story(&[MADE, SLEPT]).await;
}

async fn five_pay_at_once(lab: &Lab) {
    let dora = lab.user("dora", "0").await;
    let sessions = join_all((0..5).map(|_| dora.checkout("1"))).await;
    join_all(sessions.iter().map(|session| async { dora.pay(session, &json!({})).await })).await;
    dora.comes_to(5_000_000).await;
    dora.awake().await;
    for session in &sessions {
        let shown =
            lab.drip.post(&format!("/v1/checkout-sessions/{session}/refresh"), &json!({})).await.expect(200);
        assert_eq!(shown.body["state"], "paid", "{shown:?}");
    }
    dora.has("5").await;
    dora.has_story(&[MADE]).await;
}

async fn webhooks_prove_nothing(lab: &Lab) {
    let (emil, fritz) = (lab.awake_user("emil", "1").await, lab.user("fritz", "0").await);
    let unpaid = emil.checkout("100").await;
    for signature in [None, Some("sha256=00"), Some(&*format!("sha256={}", "ab".repeat(32)))] {
        let status = knock(lab, &unpaid, signature).await;
        assert_eq!(status, 401, "{signature:?}");
    }
    assert_eq!(knock(lab, "a-session-of-nobody", None).await, 404);
    // Signed by the provider, and not true: another amount, another user; twice, and again later.
    let lies = json!({ "amount": "500", "metadata": { "user_id": "fritz" }, "duplicate": true, "replay_after_s": 30 });
    let session = emil.checkout("2").await;
    emil.pay(&session, &json!({ "at_once": true, "webhook": lies })).await;
    delivered(lab, &session, &[200, 200, 200]).await;
    emil.has("3").await;
    // Of another secret, or cut: nobody listens, and the money is found nevertheless.
    for tricks in
        [json!({ "wrong_signature": true }), json!({ "missing_header": true }), json!({ "truncated": true })]
    {
        let before = emil.shown().await["balance"].clone();
        let session = emil.checkout("1").await;
        emil.pay(&session, &json!({ "at_once": true, "webhook": tricks })).await;
        delivered(lab, &session, &[401]).await;
        emil.comes_to(crate::ask::credits(&before) + 1_000_000).await;
    }
    emil.has("6").await;
    fritz.has("0").await;
    emil.has_story(&[MADE]).await;
    fritz.has_story(&[]).await;
}

/// Whoever it is says that a session was paid.
async fn knock(lab: &Lab, session: &str, signature: Option<&str>) -> u16 {
    let body = json!({ "event": "checkout.session.paid", "data": { "sessionId": session, "amount": "100" } });
    let request = lab.drip.client().post(format!("{}/webhook/checkout-paid", lab.drip.url()));
    let request = request.header("x-session-id", session).json(&body);
    let request = signature
        .into_iter()
        .fold(request, |request, signature| request.header("X-Signature-256", signature));
    send(request).await.status
}

/// Waits until webhooks of a session were answered so.
pub(crate) async fn delivered(lab: &Lab, session: &str, statuses: &[u16]) {
    wait_for("webhooks are answered", async || {
        let deeds = deeds(lab).await;
        let ours =
            deeds.iter().filter(|deed| deed["kind"] == "webhook_delivered" && deed["session"] == session);
        let seen: Vec<_> = ours.map(|deed| deed["status"].clone()).take(statuses.len()).collect();
        if json!(seen) == json!(statuses) { Ok(()) } else { Err(seen.into()) }
    })
    .await;
}

async fn one_begins_with_nothing(lab: &Lab) {
    let gerd = lab.user("gerd", "0").await;
    gerd.top_up("5").await;
    gerd.awake().await;
    assert_eq!(gerd.spend("3.99").await.expect(200).text("level"), "healthy");
    assert_eq!(gerd.spend("0.01").await.expect(200).text("level"), "low");
    gerd.is_told(&["low_credit"]).await;
    gerd.has_story(&[MADE]).await;
}

async fn one_is_low_twice(lab: &Lab) {
    let hans = lab.awake_user("hans", "1").await;
    for told in [1, 2] {
        hans.spend(if told == 1 { "0.9" } else { "0.95" }).await.expect(200);
        hans.is_told(&["low_credit", "low_credit"][..told]).await;
        hans.spend("0.01").await.expect(200);
        hans.top_up("0.91").await;
        assert_eq!(hans.shown().await["level"], "healthy");
    }
    hans.has_story(&[MADE]).await;
}

async fn dust_is_nothing(lab: &Lab) {
    let ida = lab.awake_user("ida", "0.012").await;
    ida.spend("0.007").await.expect(200);
    ida.spend("0.007").await.expect(402);
    ida.has("0.005").await;
    ida.asleep().await;
    ida.is_told(&["paused"]).await;
    ida.has_story(&[MADE, SLEPT]).await;
}

async fn people_decide(lab: &Lab) {
    let jana = lab.awake_user("jana", "1").await;
    jana.spend("1").await.expect(200);
    jana.asleep().await;
    jana.is_told(&["paused"]).await;
    assert_eq!(jana.post("/restore", &json!({})).await.expect(402).text("code"), "restore_without_credit");
    for amount in ["-1", "0", "-0.000001"] {
        let refused = jana.spend(amount).await;
        assert_eq!((refused.status, refused.text("code")), (422, "amount_not_positive"), "{amount}");
    }
    jana.post("/restore", &json!({ "force": true })).await.expect(200);
    jana.awake().await;
    jana.spend("0.01").await.expect(402);
    jana.has("0").await;
    jana.post("/hibernate", &json!({})).await.expect(200);
    jana.asleep().await;
    jana.top_up("1").await;
    // Whom a person put to sleep, no money wakes.
    assert_eq!(jana.spend("0.1").await.expect(409).text("code"), "account_paused");
    jana.post("/restore", &json!({})).await.expect(200);
    jana.awake().await;
    jana.has_story(&[MADE, SLEPT, WOKE, SLEPT, WOKE]).await;
}

async fn two_begin_alike(lab: &Lab) {
    let (one, other) = tokio::join!(lab.awake_user("12345678-a", "1"), lab.awake_user("12345678-b", "1"));
    assert_ne!(one.project(), other.project());
    one.spend("1").await.expect(200);
    one.asleep().await;
    other.awake().await;
    one.has_story(&[MADE, SLEPT]).await;
    other.has_story(&[MADE]).await;
}

async fn one_leaves(lab: &Lab) {
    let kurt: User<'_> = lab.awake_user("kurt", "1").await;
    kurt.post("/close", &json!({})).await.expect(200);
    kurt.has_story(&[MADE, "no-service no-project "]).await;
    kurt.stands("absent").await;
    assert_eq!(kurt.shown().await["status"], "closed");
    let state = lab.tell(Method::GET, "/state", &json!({})).await.expect(200);
    assert!(!state.body["projects"].to_string().contains(&kurt.project()), "{state:?}");
    assert_eq!(kurt.mails().await, Vec::<&str>::new());
}
