//! Workers are killed in the middle of every step, before it took effect and after: whoever comes next goes on, and each
//! thing is done once.

use futures::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::loop_lab::{Lab, wait_for};
use crate::loop_users::{MADE, SLEPT, User, WOKE};
use crate::stack::{Engines, on_both_engines};

on_both_engines!(workers_are_killed_at_every_step);

/// What a user does to bring about the step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Opens,
    SpendsAll,
    Pays,
    Leaves,
    IsLow,
}
use Way::{IsLow, Leaves, Opens, Pays, SpendsAll};

/// A step: its name, what brings it about, and the request in whose middle the worker is killed.
type Step = (&'static str, Way, &'static str, &'static str, &'static str);

const STEPS: [Step; 14] = [
    ("project", Opens, "build", "POST", "/v1/projects"),
    ("environment", Opens, "build", "POST", "/v1/projects/*/environments"),
    ("service", Opens, "build", "POST", "/v1/services"),
    ("variables", Opens, "build", "PUT", "/v1/variables/service/*"),
    ("deployment", Opens, "build", "POST", "/v1/deployments"),
    ("running", Opens, "build", "GET", "/v1/deployments/dep*"),
    ("down", SpendsAll, "build", "PATCH", "/v1/services/*"),
    ("asleep", SpendsAll, "build", "GET", "/v1/services/svc*"),
    ("up", Pays, "build", "PATCH", "/v1/services/*"),
    ("redeployment", Pays, "build", "POST", "/v1/deployments"),
    ("no-service", Leaves, "build", "DELETE", "/v1/services/*"),
    ("no-project", Leaves, "build", "DELETE", "/v1/projects/*"),
    ("low-mail", IsLow, "mail", "POST", "*"),
    ("paused-mail", SpendsAll, "mail", "POST", "*"),
];

/// A container is deployed, nobody hears of it, and meanwhile the credit is used up: nothing must run on for nothing.
const UNHEARD: Step = ("unheard", Opens, "build", "POST", "/v1/deployments");

/// Held before it takes effect, or before it is answered: longer than the test looks on, and than a call may take.
const HOLDS: [&str; 2] = ["latency_ms", "late_answer_ms"];

async fn workers_are_killed_at_every_step(engines: Engines) {
    let mut lab = Lab::start_with_one_worker_each(engines).await;
    let all: Vec<_> = STEPS.iter().flat_map(|step| HOLDS.map(|hold| (*step, hold))).collect();
    join_all(all.iter().map(|(step, hold)| prepare(&lab, *step, hold))).await;
    for (step, hold) in &all {
        lab.fault(&rule(&lab, *step, hold)).await;
    }
    let unheard = rule(&lab, UNHEARD, HOLDS[1]);
    lab.fault(&unheard).await;
    lab.user(&name(UNHEARD.0, HOLDS[1]), "1").await;
    join_all(all.iter().map(|(step, hold)| bring_about(&lab, *step, hold))).await;
    wait_for("everything is held", async || {
        let faults = lab.tell(Method::GET, "/faults", &json!({})).await.expect(200).body["faults"].take();
        if faults == json!([]) { Ok(()) } else { Err(faults) }
    })
    .await;
    let unheard = name(UNHEARD.0, HOLDS[1]);
    lab.known(&unheard).spend("1").await.expect(200);
    lab.kill_workers().await;
    join_all(all.iter().map(|(step, hold)| ends_well(&lab, *step, hold))).await;
    sleeps_at_the_provider_too(&lab.known(&unheard)).await;
    lab.check().await;
}

fn name(step: &str, hold: &str) -> String {
    format!("{step}-{}", hold.trim_end_matches("_ms"))
}

/// As far as the user is before.
async fn prepare(lab: &Lab, (step, way, ..): Step, hold: &str) {
    if way == Opens {
        return;
    }
    let user = lab.awake_user(&name(step, hold), "1").await;
    if way == Pays {
        user.spend("1").await.expect(200);
        user.asleep().await;
        user.is_told(&["paused"]).await;
    }
}

fn rule(lab: &Lab, (step, _, service, method, path): Step, hold: &str) -> serde_json::Value {
    let id = name(step, hold);
    let contains = if service == "mail" { format!("{id}@example.org") } else { lab.project(&id) };
    json!({
        "service": service, "method": method, "path": path, "contains": contains, "times": 1,
        "kind": hold, "ms": 60_000,
    })
}

async fn bring_about(lab: &Lab, (step, way, ..): Step, hold: &str) {
    let user = lab.known(&name(step, hold));
    match way {
        Opens => drop(lab.user(&user.id, "1").await),
        SpendsAll => drop(user.spend("1").await.expect(200)),
        Pays => user.top_up("1").await,
        Leaves => drop(user.post("/close", &json!({})).await.expect(200)),
        IsLow => drop(user.spend("0.9").await.expect(200)),
    }
}

async fn ends_well(lab: &Lab, (step, way, ..): Step, hold: &str) {
    let user = lab.known(&name(step, hold));
    let (phase, chapters, mails): (_, &[&str], &[&str]) = match way {
        Opens => ("running", &[MADE], &[]),
        SpendsAll => ("asleep", &[MADE, SLEPT], &["paused"]),
        Pays => ("running", &[MADE, SLEPT, WOKE], &["paused", "restored"]),
        Leaves => ("absent", &[MADE, "no-service no-project "], &[]),
        IsLow => ("running", &[MADE], &["low_credit"]),
    };
    user.stands(phase).await;
    user.is_told(mails).await;
    user.has_story(chapters).await;
}

async fn sleeps_at_the_provider_too(user: &User<'_>) {
    user.stands("asleep").await;
    user.is_told(&["paused"]).await;
    user.has_story(&[MADE, SLEPT]).await;
}
