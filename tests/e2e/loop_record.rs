//! `drip verify --record`: what the judge says of a log when providers did something else than it tells.

use std::process::Command;

use reqwest::Method;
use serde_json::{Value, json};

use crate::ask::{Said, said};
use crate::loop_day::delivered;
use crate::loop_lab::Lab;
use crate::stack::{Engines, program};

/// The exit code for something wrong.
const FOUND_WRONG: i32 = 7;
const AT_REST: &str = "--at-rest";

#[tokio::test]
async fn whatever_a_record_has_more_or_less_than_the_log_is_named() {
    let mut lab = Lab::start(Engines::Embedded).await;
    let anna = lab.awake_user("anna", "1").await;
    anna.spend("1").await.expect(200);
    anna.asleep().await;
    anna.is_told(&["paused"]).await;
    let record = lab.tell(Method::GET, "/record", &json!({})).await.expect(200).body;
    let place = |kind: &str| {
        let entries = record["entries"].as_array().expect("a list");
        entries.iter().position(|entry| entry["effect"]["kind"] == kind).expect(kind)
    };
    let [mail, project, deployment, healthy] =
        ["mail_sent", "project_created", "deployment_started", "deployment_healthy"].map(place);
    let one_more = json!({
        "wall": record["entries"][project]["wall"],
        "effect": { "kind": "project_created", "id": "proj-x", "name": anna.project() },
    });
    let changes: [(Change<'_>, &str); 8] = [
        (&|entries| entries.push(entries[mail].clone()), "was sent 2 times"),
        (&|entries| drop(entries.remove(mail)), "and no such was sent"),
        (&|entries| entries[mail]["effect"]["idempotency_key"] = "ab".into(), "which is no mail of the log"),
        (&|entries| entries[mail]["wall"] = 1.into(), "was sent at 1, and first claimed at"),
        (
            &|entries| entries[project]["effect"]["name"] = "of-nobody".into(),
            "it belongs to project of-nobody",
        ),
        (&|entries| entries.insert(project, one_more.clone()), "was made beside proj-x"),
        (&|entries| entries[deployment]["wall"] = 1.into(), "and nobody had claimed it"),
        (&never_slept, "instances of"),
    ];
    for (change, words) in changes {
        let complaint = refused(lab.verified_with(&changed(&record, change), AT_REST).await);
        assert!(complaint.contains(words), "{words}: {complaint}");
    }
    // That it sleeps tells nothing of its deployment, and what is under way need not stand.
    let other = changed(&record, &|entries| drop(entries.remove(healthy)));
    lab.verified_with(&other, AT_REST).await.expect(0);
    lab.verified_with(&changed(&record, &never_slept), "--log-only").await.expect(0);
    for_people(&lab, &record).await;
    lab.check().await;
}

/// Signed by the provider, and not true: only what was paid is money.
#[tokio::test]
async fn a_webhook_that_lies_brings_what_was_paid() {
    let mut lab = Lab::start(Engines::Embedded).await;
    let anna = lab.user("anna", "0").await;
    let session = anna.checkout("2").await;
    anna.pay(&session, &json!({ "at_once": true, "webhook": { "amount": "500" } })).await;
    delivered(&lab, &session, &[200]).await;
    lab.check().await;
}

type Change<'a> = &'a dyn Fn(&mut Vec<Value>);

fn changed(record: &Value, change: Change<'_>) -> Value {
    let mut record = record.clone();
    change(record["entries"].as_array_mut().expect("a list"));
    record
}

fn never_slept(entries: &mut Vec<Value>) {
    entries.retain(|entry| entry["effect"]["desired"] != 0);
}

/// The first complaint of a record that the log does not agree with.
fn refused(said: Said) -> String {
    let said = said.expect(FOUND_WRONG);
    let report = said.json();
    assert_eq!(
        (&report["result"], &report["finding"]["kind"]),
        (&"something_wrong".into(), &"record".into())
    );
    let complaint = report["finding"]["complaint"].as_str().expect("a sentence").to_owned();
    assert!(said.err.contains(&complaint), "{}", said.err);
    complaint
}

/// The text, and files that are no record.
async fn for_people(lab: &Lab, record: &Value) {
    let file = lab.drip.folder().join("for-people.json");
    let write = |text: &str| std::fs::write(&file, text).expect("the folder is ours");
    let verify = |more: &[&str]| -> Command {
        let mut command = program();
        command.arg("verify").args(lab.drip.log_flags()).arg("--record").arg(&file).args(more);
        command
    };
    write(&record.to_string());
    let clean = said(verify(&[])).await.expect(0);
    assert!(clean.out.contains("Held against what providers did: a record of "), "{}", clean.out);
    assert!(clean.out.contains("I6, I12: they agree"), "{}", clean.out);
    said(verify(&["--since", "0-1"])).await.expect(2);
    write("no record");
    let no_record = said(verify(&[])).await.expect(1);
    assert!(no_record.err.contains("can not be read"), "{}", no_record.err);
}
