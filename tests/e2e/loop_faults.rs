//! What goes wrong outside: at one user's upstream, in the middle of falling asleep or of waking, at each step of the
//! making of a container, at the mails. Each user has a fault of its own, so all of them share one Drip.

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::loop_lab::{Lab, wait_for};
use crate::loop_users::{MADE, SLEPT, User, WOKE};
use crate::stack::{Engines, on_both_engines};

on_both_engines!(what_goes_wrong_outside_is_made_good);

async fn what_goes_wrong_outside_is_made_good(engines: Engines) {
    let mut lab = Lab::start(engines).await;
    tokio::join!(
        money_comes_while_it_falls_asleep(&lab),
        money_goes_while_it_wakes(&lab),
        one_broken_upstream_delays_nobody(&lab),
        each_step_fails_in_each_way(&lab),
        mails_fail(&lab),
        a_deployment_never_ends(&lab),
    );
    lab.check().await;
}

/// A fault of one user's containers.
fn of(project: &str, fault: &Value) -> Value {
    let mut rule = json!({ "service": "build", "contains": project });
    let both = rule.as_object_mut().zip(fault.as_object());
    if let Some((rule, fault)) = both {
        rule.extend(fault.clone());
    }
    rule
}

async fn money_comes_while_it_falls_asleep(lab: &Lab) {
    let anna = lab.awake_user("anna", "1").await;
    let fault = lab.fault(&of(&anna.project(), &json!({ "kind": "scale_ignored" }))).await;
    anna.spend("1").await.expect(200);
    anna.stands("stopping").await;
    anna.top_up("1").await;
    anna.awake().await;
    lab.heal(fault).await;
    anna.has("1").await;
    anna.has_story(&[MADE, "deployment "]).await;
    // And it sleeps as any other when the time comes.
    anna.spend("1").await.expect(200);
    anna.asleep().await;
    anna.has_story(&[MADE, "deployment ", SLEPT]).await;
}

async fn money_goes_while_it_wakes(lab: &Lab) {
    let bert = lab.awake_user("bert", "1").await;
    bert.spend("1").await.expect(200);
    bert.asleep().await;
    bert.is_told(&["paused"]).await;
    lab.fault(&of(&bert.project(), &json!({ "kind": "deployment_slow", "seconds": 60, "times": 1 }))).await;
    bert.top_up("1").await;
    bert.stands("starting").await;
    wait_for("the deployment is under way", async || deployments(lab, &bert, "queued").await).await;
    bert.spend("1").await.expect(200);
    bert.asleep().await;
    // The deployment has ended by now, and started nothing.
    assert!(deployments(lab, &bert, "queued").await.is_err());
    bert.is_told(&["paused", "paused"]).await;
    bert.has_story(&[MADE, SLEPT, WOKE, SLEPT]).await;
}

/// Whether a user has a deployment in this state.
async fn deployments(lab: &Lab, user: &User<'_>, state: &str) -> Result<(), Value> {
    let all = lab.tell(Method::GET, "/state", &json!({})).await.expect(200).body;
    let ids = |list: &str, field: &str, wanted: &Value| -> Vec<Value> {
        let list = all[list].as_array().expect("a list").iter();
        list.filter(|one| one[field] == *wanted).cloned().collect()
    };
    let project = ids("projects", "name", &json!(user.project()))[0]["id"].clone();
    let service = ids("services", "project_id", &project)[0]["id"].clone();
    let found = ids("deployments", "service_id", &service);
    if found.iter().any(|one| one["status"] == state) { Ok(()) } else { Err(found.into()) }
}

async fn one_broken_upstream_delays_nobody(lab: &Lab) {
    let broken = of(&lab.project("cora"), &json!({ "kind": "status", "status": 500 }));
    let fault = lab.fault(&broken).await;
    let cora = lab.user("cora", "1").await;
    let dora = lab.awake_user("dora", "1").await;
    dora.spend("1").await.expect(200);
    dora.asleep().await;
    dora.has_story(&[MADE, SLEPT]).await;
    wait_for("it was tried twice", async || {
        let shown = cora.shown().await;
        if shown["container"]["attempts"].as_u64() >= Some(2) { Ok(()) } else { Err(shown) }
    })
    .await;
    // What it uses is charged all the same.
    cora.spend("0.5").await.expect(200);
    cora.has_story(&[]).await;
    lab.heal(fault).await;
    cora.awake().await;
    cora.has_story(&[MADE]).await;
}

/// Where things are made, and what to the method and the path of it belongs.
const STEPS: [(&str, &str, &str); 5] = [
    ("project", "POST", "/v1/projects"),
    ("environment", "POST", "/v1/projects/*/environments"),
    ("service", "POST", "/v1/services"),
    ("variables", "PUT", "/v1/variables/service/*"),
    ("deployment", "POST", "/v1/deployments"),
];

async fn each_step_fails_in_each_way(lab: &Lab) {
    let ways = [
        json!({ "kind": "status", "status": 500, "times": 2 }),
        json!({ "kind": "refuse", "times": 2 }),
        json!({ "kind": "lost_answer", "times": 1 }),
    ];
    let all = STEPS.iter().flat_map(|step| ways.iter().map(move |way| (*step, way)));
    join_all(all.map(|(step, way)| a_step_fails(lab, step, way))).await;
}

async fn a_step_fails(lab: &Lab, (step, method, path): (&str, &str, &str), way: &Value) {
    let id = format!("{step}-{}", way["kind"].as_str().unwrap_or_default());
    let mut rule = of(&lab.project(&id), way);
    (rule["method"], rule["path"]) = (method.into(), path.into());
    let fault = lab.fault(&rule).await;
    let user = lab.awake_user(&id, "1").await;
    user.has_story(&[MADE]).await;
    let ordered = lab.tell(Method::GET, "/faults", &json!({})).await.expect(200).body;
    let left = ordered["faults"].as_array().expect("a list").iter().any(|rule| rule["id"] == fault);
    assert!(!left, "it did not strike: {rule}");
}

async fn mails_fail(lab: &Lab) {
    let emil = lab.awake_user("emil", "1").await;
    let broken = json!({ "service": "mail", "contains": emil.mail(), "kind": "status", "status": 503 });
    let fault = lab.fault(&broken).await;
    emil.spend("1").await.expect(200);
    emil.asleep().await;
    wait_for("it was tried twice", async || {
        let notices = emil.notices().await;
        let tried = notices.iter().any(|notice| notice["attempts"].as_u64() >= Some(2));
        if tried { Ok(()) } else { Err(notices.into()) }
    })
    .await;
    assert_eq!(emil.mails().await, Vec::<&str>::new());
    lab.heal(fault).await;
    emil.is_told(&["paused"]).await;
    // Sent, and the answer lost: it is asked for again, and not sent again.
    let lost = json!({ "service": "mail", "contains": emil.mail(), "method": "POST", "kind": "lost_answer", "times": 3 });
    lab.fault(&lost).await;
    emil.top_up("1").await;
    emil.is_told(&["paused", "restored"]).await;
}

/// People are told that it takes too long; and it is tried anew.
async fn a_deployment_never_ends(lab: &Lab) {
    lab.fault(&of(&lab.project("fritz"), &json!({ "kind": "deployment_stuck", "times": 1 }))).await;
    let fritz = lab.user("fritz", "1").await;
    wait_for("it counts as failed", async || {
        let shown = fritz.shown().await;
        if shown["status"] == "failed" { Ok(()) } else { Err(shown) }
    })
    .await;
    fritz.awake().await;
    fritz.has_story(&["project environment service deployment deployment up "]).await;
}
