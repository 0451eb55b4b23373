//! Faults: what is answered, and what was done all the same.

use std::time::Duration;

use locus_sandbox::{Effect, Fault, Rule, RuntimeCache, Service, Switches};
use reqwest::Method;
use serde_json::json;

use crate::support::Lab;

fn status(status: u16) -> Fault {
    Fault::Status { status, retry_after: None }
}

#[tokio::test]
async fn ordered_statuses_come_in_the_words_of_the_service() {
    let lab = Lab::start().await;
    for code in [401, 402, 403, 429, 500, 502] {
        for service in [Service::Pay, Service::Build, Service::Mail] {
            let fault = Fault::Status { status: code, retry_after: Some(7) };
            lab.sandbox.add_fault(Rule { times: Some(1), ..Rule::new(service, fault) });
        }
        let response = lab.pay_request(Method::GET, "/pay/balance").send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()),
            (code, "7")
        );
        assert_eq!(response.json::<serde_json::Value>().await.unwrap()["success"], false);
        let (is, body) = lab.get_mail("/inboxes").await;
        assert!(is == code && body["code"].is_string() && body["name"].is_string());
        let response = lab.build_request(Method::GET, "/projects", "x").send().await.unwrap();
        assert_eq!(response.status().as_u16(), code);
        assert!(response.json::<serde_json::Value>().await.unwrap()["error"].is_string());
    }
    assert_eq!(lab.sandbox.faults(), []);
    assert_eq!(lab.get_pay("/pay/balance").await.0, 200);
    lab.sandbox.add_fault(Rule::new(Service::Pay, status(202)));
    let (is, body) = lab.post_pay("/wrapped/exa/search", json!({"query": "x"})).await;
    assert_eq!((is, &body["data"]["status"]), (202, &"PENDING_APPROVAL".into()));
    assert_eq!(lab.sandbox.record(), []);
}

#[tokio::test]
async fn a_lost_answer_is_an_effect_and_a_refusal_is_none() {
    let lab = Lab::start().await;
    let token = lab.token().await;
    let ask = || lab.build_request(Method::POST, "/projects", &token).json(&json!({"name": "p"})).send();
    let rule = |fault| Rule {
        path: Some("/v1/projects".into()),
        times: Some(1),
        ..Rule::new(Service::Build, fault)
    };
    lab.sandbox.add_fault(rule(Fault::Refuse));
    assert!(ask().await.is_err());
    assert_eq!((lab.sandbox.record().len(), lab.sandbox.refused()), (0, 1));
    lab.sandbox.add_fault(rule(Fault::LostAnswer));
    assert!(ask().await.is_err());
    assert_eq!((lab.sandbox.record().len(), lab.sandbox.refused()), (1, 1));
    assert_eq!(ask().await.unwrap().status(), 201);
    assert_eq!(lab.effects(|effect| matches!(effect, Effect::ProjectCreated { .. })).len(), 2);
}

#[tokio::test]
async fn a_mail_whose_answer_was_lost_is_sent_once_under_its_key() {
    let lab = Lab::start().await;
    let path = "/inboxes/drip@agentmail.to/messages/send";
    let body = json!({"to": "anna@example.com", "subject": "s", "text": "t"});
    let send = || lab.mail_request(Method::POST, path).header("Idempotency-Key", "k").json(&body).send();
    lab.sandbox.add_fault(Rule { times: Some(1), ..Rule::new(Service::Mail, Fault::LostAnswer) });
    assert!(send().await.is_err());
    assert_eq!(send().await.unwrap().status(), 200);
    assert_eq!(lab.effects(|effect| matches!(effect, Effect::MailSent { .. })).len(), 1);
}

#[tokio::test]
async fn latency_is_before_the_effect_and_lateness_after() {
    let lab = Lab::start().await;
    let impatient = |path: &str| {
        let request = lab.pay_request(Method::POST, path).json(&json!({"amount": "1"}));
        request.timeout(Duration::from_millis(100)).send()
    };
    let waits = lab.sandbox.add_fault(Rule::new(Service::Pay, Fault::LatencyMs { ms: 2_000 }));
    assert!(impatient("/checkout/sessions").await.unwrap_err().is_timeout());
    assert_eq!(lab.sandbox.record(), []);
    lab.sandbox.remove_fault(waits).unwrap();
    assert!(lab.sandbox.remove_fault(waits).is_err());
    lab.sandbox.add_fault(Rule::new(Service::Pay, Fault::LateAnswerMs { ms: 2_000 }));
    assert!(impatient("/checkout/sessions").await.unwrap_err().is_timeout());
    assert_eq!(lab.sandbox.record().len(), 1);
    lab.sandbox.clear_faults();
    assert_eq!(impatient("/checkout/sessions").await.unwrap().status(), 200);
}

#[tokio::test]
async fn one_users_upstream_is_broken_and_no_other() {
    let lab = Lab::start().await;
    let (anna, bert) = (lab.service("drip-anna").await, lab.service("drip-bert").await);
    let contains = Some("drip-anna".to_owned());
    lab.sandbox.add_fault(Rule { contains: contains.clone(), ..Rule::new(Service::Build, status(500)) });
    let deploy = |service: &str| lab.post_build("/deployments", json!({"serviceId": service}));
    assert_eq!((deploy(&anna).await.0, deploy(&bert).await.0), (500, 201));
    assert_eq!(lab.get_build(&format!("/services/{anna}")).await.0, 500);
    assert_eq!(lab.post_build("/projects", json!({"name": "drip-anna"})).await.0, 500);
    lab.sandbox.clear_faults();
    let fails = Fault::DeploymentFails { logs: vec!["no such image".into()] };
    lab.sandbox.add_fault(Rule { contains, ..Rule::new(Service::Build, fails) });
    let (anna, bert) = (lab.deploy(&anna).await, lab.deploy(&bert).await);
    lab.pass_deployment();
    let (_, anna) = lab.get_build(&format!("/deployments/{anna}")).await;
    assert_eq!((&anna["status"], &anna["lastLogs"]), (&"failed".into(), &json!(["no such image"])));
    assert_eq!(lab.get_build(&format!("/deployments/{bert}")).await.1["status"], "healthy");
}

#[tokio::test]
async fn one_users_payments_are_broken_and_no_others() {
    let lab = Lab::start().await;
    let anna = lab.session(json!({"amount": "1", "metadata": {"user_id": "anna"}})).await;
    let bert = lab.session(json!({"amount": "1", "metadata": {"user_id": "bert"}})).await;
    lab.sandbox.add_fault(Rule { contains: Some("anna".into()), ..Rule::new(Service::Pay, status(502)) });
    assert_eq!(lab.get_pay(&format!("/checkout/sessions/{anna}")).await.0, 502);
    assert_eq!(lab.get_pay(&format!("/checkout/sessions/{bert}")).await.0, 200);
}

#[tokio::test]
async fn a_deployment_is_stuck_until_it_is_cancelled() {
    let lab = Lab::start().await;
    let service = lab.service("p").await;
    lab.sandbox.add_fault(Rule { times: Some(1), ..Rule::new(Service::Build, Fault::DeploymentStuck) });
    let path = format!("/deployments/{}", lab.deploy(&service).await);
    lab.sandbox.advance(Duration::from_secs(3_600));
    assert_eq!(lab.get_build(&path).await.1["status"], "queued");
    assert_eq!(lab.post_build(&format!("{path}/cancel"), json!({})).await.0, 200);
    let next = lab.deploy(&service).await;
    lab.pass_deployment();
    assert_eq!(lab.get_build(&format!("/deployments/{next}")).await.1["status"], "healthy");
}

#[tokio::test]
async fn a_deployment_is_slow() {
    let lab = Lab::start().await;
    let service = lab.service("p").await;
    let slow = Fault::DeploymentSlow { seconds: 300 };
    lab.sandbox.add_fault(Rule { times: Some(1), ..Rule::new(Service::Build, slow) });
    let path = format!("/deployments/{}", lab.deploy(&service).await);
    lab.sandbox.advance(Duration::from_secs(300));
    assert_eq!(lab.get_build(&path).await.1["status"], "queued");
    lab.sandbox.advance(Duration::from_secs(35));
    assert_eq!(lab.get_build(&path).await.1["status"], "healthy");
}

#[tokio::test]
async fn a_scale_that_does_not_take_is_accepted_all_the_same() {
    let lab = Lab::start().await;
    lab.sandbox.set_switches(Switches { runtime_cache: RuntimeCache::Off, ..Switches::default() });
    let service = lab.running_service("p").await;
    lab.sandbox.add_fault(Rule { times: Some(1), ..Rule::new(Service::Build, Fault::ScaleIgnored) });
    let path = format!("/services/{service}");
    for desired in [1, 0] {
        let body = json!({"runtime": {"minInstances": 0}});
        assert_eq!(lab.build(Method::PATCH, &path, Some(body)).await.0, 200);
        let (_, read) = lab.get_build(&format!("{path}?include=runtime")).await;
        assert_eq!(read["runtime_instances"]["desiredCount"], desired);
    }
}

#[tokio::test]
async fn mail_is_refused_to_whom_it_is_ordered() {
    let lab = Lab::start().await;
    let send =
        |to: &str| lab.post_mail("/inboxes/drip@agentmail.to/messages/send", json!({"to": to, "text": "x"}));
    let contains = Some("anna@".to_owned());
    lab.sandbox.add_fault(Rule { contains, ..Rule::new(Service::Mail, Fault::MailRefused) });
    let (status, body) = send("anna@example.com").await;
    assert_eq!((status, &body["code"]), (403, &"message_rejected".into()));
    assert_eq!(send("bert@example.com").await.0, 200);
}
