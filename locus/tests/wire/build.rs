//! What BuildWithLocus is asked and how its answers are read.

use locus::Secret;
use locus::build::{
    BillingStatus, DeploymentStatus, EnvironmentKind, NewProject, NewService, Probe, Project, Removal,
    Runtime, Variables,
};
use serde_json::json;

use crate::build;
use crate::server::{Server, answer};

async fn says(status: u16, body: &str) -> Server {
    Server::with_token(&[answer(status, body)]).await
}

#[tokio::test]
async fn a_project_and_an_environment_are_created() {
    let project =
        r#"{"id":"proj_1","name":"drip-1","region":"us-east-1","workspaceId":"ws","createdAt":"x","new":1}"#;
    let server = says(201, project).await;
    let new = NewProject { name: "drip-1".to_owned(), ..NewProject::default() };
    assert_eq!(build(&server).create_project(&new).await.unwrap().id, "proj_1");
    assert_eq!(server.lines(), ["POST /v1/auth/exchange", "POST /v1/projects"]);
    assert_eq!(server.only().json(), json!({ "name": "drip-1" }));
    assert_eq!(server.only().header("authorization"), "Bearer opaque-token-1");
    assert_eq!(server.seen()[0].json(), json!({ "apiKey": crate::LOCUS_KEY }));
    assert_eq!(server.seen()[0].header("authorization"), "");

    let server = says(201, r#"{"id":"env_1","name":"prod","type":"production","projectId":"proj_1"}"#).await;
    let kind = EnvironmentKind::Production;
    let environment = build(&server).create_environment("proj_1", "prod", &kind).await.unwrap();
    assert_eq!((environment.id.as_str(), environment.kind), ("env_1", EnvironmentKind::Production));
    assert_eq!(server.only().line, "POST /v1/projects/proj_1/environments");
    assert_eq!(server.only().json(), json!({ "name": "prod", "type": "production" }));

    let server = says(200, r#"{"environments":[{"id":"env_1","name":"prod","type":"odd"}]}"#).await;
    let environments = build(&server).environments("proj_1").await.unwrap();
    assert_eq!(environments[0].kind, EnvironmentKind::Other("odd".to_owned()));
}

#[tokio::test]
async fn projects_are_read_from_all_pages() {
    let ids = |found: Vec<Project>| found.into_iter().map(|project| project.id).collect::<Vec<_>>();
    let server = Server::with_token(&[
        answer(200, r#"{"projects":[{"id":"p1","name":"drip"},{"id":"p2","name":"drip-1"}],"total":4}"#),
        answer(200, r#"{"projects":[{"id":"p3","name":"Drip"},{"id":"p4","name":"drip"}],"total":4}"#),
    ])
    .await;
    assert_eq!(ids(build(&server).all_projects().await.unwrap()), ["p1", "p2", "p3", "p4"]);
    let pages = ["GET /v1/projects?limit=100&offset=0", "GET /v1/projects?limit=100&offset=2"];
    assert_eq!(server.lines()[1..], pages);

    let server = says(200, r#"{"projects":[],"total":0}"#).await;
    assert!(build(&server).all_projects().await.unwrap().is_empty());
    let without_total =
        [answer(200, r#"{"projects":[{"id":"p1","name":"a"}]}"#), answer(200, r#"{"projects":[]}"#)];
    let server = Server::with_token(&without_total).await;
    assert_eq!(ids(build(&server).all_projects().await.unwrap()), ["p1"]);
}

#[tokio::test]
async fn a_service_is_created_from_an_image_with_its_whole_runtime() {
    let body = r#"{"id":"svc_1","name":"drip-service","projectId":"proj_1","environmentId":"env_1",
        "url":"https://svc-1.buildwithlocus.com","runtime":{"cpu":256,"memory":512,"minInstances":1,"maxInstances":1},
        "healthCheckPath":"/health","autoDeploy":false,"deploymentStatus":null,"lastDeploymentId":null,"warnings":[]}"#;
    let server = says(201, body).await;
    let new = NewService {
        project_id: "proj_1".to_owned(),
        environment_id: "env_1".to_owned(),
        name: "drip-service".to_owned(),
        image_uri: "ghcr.io/x/y:1".to_owned(),
        runtime: Runtime::default(),
        health_check_path: "/health".to_owned(),
    };
    let service = build(&server).create_service(&new).await.unwrap();
    assert_eq!(service.url.as_deref(), Some("https://svc-1.buildwithlocus.com"));
    assert_eq!((service.deployment_status, service.instances), (None, None));
    let wanted = json!({
        "projectId": "proj_1", "environmentId": "env_1", "name": "drip-service",
        "source": { "type": "image", "imageUri": "ghcr.io/x/y:1" },
        "runtime": { "port": 8080, "cpu": 256, "memory": 512, "minInstances": 1, "maxInstances": 1 },
        "healthCheckPath": "/health",
    });
    assert_eq!(server.only().json(), wanted);
}

#[tokio::test]
async fn services_are_read_listed_set_and_deleted() {
    let body = r#"{"id":"svc_1","deploymentStatus":"healthy",
        "runtime_instances":{"runningCount":1,"desiredCount":0,"pendingCount":0}}"#;
    let server = says(200, body).await;
    let service = build(&server).service_with_runtime("svc_1").await.unwrap();
    assert_eq!(service.deployment_status, Some(DeploymentStatus::Healthy));
    assert_eq!(service.instances.unwrap().desired_count, Some(0));
    assert_eq!(server.only().line, "GET /v1/services/svc_1?include=runtime");

    let server = says(200, r#"{"services":[{"id":"svc_1","name":"a"}]}"#).await;
    assert_eq!(build(&server).services("env_1").await.unwrap()[0].name, "a");
    assert_eq!(server.only().line, "GET /v1/services/environment/env_1");

    let server = says(200, r#"{"id":"svc_1","runtime":{"minInstances":0}}"#).await;
    let hibernated = Runtime { min_instances: 0, ..Runtime::default() };
    let service = build(&server).set_runtime("svc_1", &hibernated).await.unwrap();
    assert_eq!(service.runtime.unwrap().min_instances, Some(0));
    assert_eq!(server.only().line, "PATCH /v1/services/svc_1");
    let runtime = json!({ "cpu": 256, "memory": 512, "minInstances": 0, "maxInstances": 1 });
    assert_eq!(server.only().json(), json!({ "runtime": runtime }));

    let server = says(204, "").await;
    assert_eq!(build(&server).delete_service("svc_1").await.unwrap(), Removal::Deleted);
    assert_eq!(server.only().line, "DELETE /v1/services/svc_1");
    let gone = says(404, r#"{"error":"Service not found"}"#).await;
    assert_eq!(build(&gone).delete_service("svc_1").await.unwrap(), Removal::WasGone);
    assert_eq!(build(&gone).delete_project("proj_1").await.unwrap(), Removal::WasGone);
    assert_eq!(build(&gone).delete_environment("env_1").await.unwrap(), Removal::WasGone);
}

#[tokio::test]
async fn variables_are_replaced_or_merged() {
    let server = says(200, r#"{"variables":{"TOKEN":"t-secret","N":7}}"#).await;
    let variables = Variables::from([("TOKEN".to_owned(), Secret::new("t-secret"))]);
    let now = build(&server).replace_variables("svc_1", &variables).await.unwrap();
    assert_eq!((now["TOKEN"].expose(), now["N"].expose()), ("t-secret", "7"));
    assert_eq!(server.only().line, "PUT /v1/variables/service/svc_1");
    assert_eq!(server.only().json(), json!({ "variables": { "TOKEN": "t-secret" } }));
    assert!(!format!("{variables:?}").contains("t-secret"));

    let server = says(200, r#"{"variables":{}}"#).await;
    build(&server).merge_variables("svc_1", &variables).await.unwrap();
    assert_eq!(server.only().line, "PATCH /v1/variables/service/svc_1");
}

#[tokio::test]
async fn deployments_are_made_read_listed_and_cancelled() {
    let body = r#"{"id":"deploy_1","serviceId":"svc_1","version":3,"status":"failed","durationMs":9,
        "lastLogs":["a",{"m":1}],"metadata":{"phaseTimestamps":{"queued":"2026-05-01T10:00:00.000Z"}}}"#;
    let server = says(201, body).await;
    let deployment = build(&server).deploy("svc_1").await.unwrap();
    assert_eq!((deployment.version, deployment.status.is_final()), (Some(3), true));
    assert_eq!(deployment.last_logs, ["a", r#"{"m":1}"#]);
    assert_eq!(deployment.metadata.phase_timestamps["queued"], "2026-05-01T10:00:00.000Z");
    assert_eq!(server.only().line, "POST /v1/deployments");
    assert_eq!(server.only().json(), json!({ "serviceId": "svc_1" }));

    let server = says(200, r#"{"id":"deploy_1","status":"warming_up","durationMs":null}"#).await;
    let deployment = build(&server).deployment("deploy_1").await.unwrap();
    assert_eq!(deployment.status, DeploymentStatus::Other("warming_up".to_owned()));
    assert!(!deployment.status.is_final());

    let server = says(200, r#"{"deployments":[{"id":"d","status":"queued"}]}"#).await;
    let status = Some(&DeploymentStatus::Queued);
    assert_eq!(build(&server).deployments("svc_1", 5, status).await.unwrap()[0].id, "d");
    assert_eq!(server.only().line, "GET /v1/deployments/service/svc_1?limit=5&status=queued");

    let server = says(200, r#"{"id":"d","status":"cancelled"}"#).await;
    let cancelled = build(&server).cancel_deployment("d").await.unwrap();
    assert_eq!(cancelled.status, DeploymentStatus::Cancelled);
    assert_eq!(server.only().line, "POST /v1/deployments/d/cancel");
}

#[tokio::test]
async fn the_bill_is_read_from_its_digits() {
    let body = r#"{"creditBalance":0.7000000000000001,"totalServices":2,"monthlyTotal":0.5,"billingCycleDay":15,
        "nextBillingDate":"2026-06-15","status":"active","warnings":[{"level":"low","servicesRemaining":2}]}"#;
    let bill = build(&says(200, body).await).billing_balance().await.unwrap();
    assert_eq!(bill.credit_balance.unwrap().to_string(), "0.7");
    assert_eq!(bill.monthly_total.unwrap().to_string(), "0.5");
    assert_eq!((bill.status, bill.warnings[0].services_remaining), (BillingStatus::Active, Some(2)));

    let bill = build(&says(200, r#"{"credits":{"left":1}}"#).await).billing_balance().await.unwrap();
    assert_eq!((bill.credit_balance, bill.monthly_total), (None, None));
}

#[tokio::test]
async fn a_service_is_probed_without_any_token() {
    let client = build(&says(200, "{}").await);
    for (status, probe) in [
        (200, Probe::Answered { status: 200 }),
        (204, Probe::Answered { status: 204 }),
        (503, Probe::Unavailable),
        (302, Probe::Other { status: 302 }),
        (500, Probe::Other { status: 500 }),
    ] {
        let service = Server::says(status, "").await;
        assert_eq!(client.probe(&service.url("/"), "/health").await.unwrap(), probe);
        assert_eq!(service.only().line, "GET /health");
        assert_eq!(service.only().header("authorization"), "");
    }
    let gone = Server::says(200, "").await.url("");
    let probe = client.probe(&gone, "/health").await.unwrap();
    assert!(matches!(probe, Probe::NotReached { .. }), "{probe:?}");
    assert!(client.probe("svc-1.example", "/health").await.is_err());
}
