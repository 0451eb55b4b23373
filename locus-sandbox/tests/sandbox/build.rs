//! BuildWithLocus: tokens, projects, services, variables, deployments, credits.

use std::time::Duration;

use locus_sandbox::{Config, Effect};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Lab, answer};

#[tokio::test]
async fn a_key_is_exchanged_for_a_token_that_can_be_expired() {
    let lab = Lab::start().await;
    let token = lab.token().await;
    let whoami = async |token: &str| answer(lab.build_request(Method::GET, "/auth/whoami", token)).await;
    assert_eq!(whoami(&token).await.1["workspaceId"], "ws_sandbox");
    let (status, refreshed) = answer(lab.build_request(Method::POST, "/auth/refresh", &token)).await;
    assert_eq!(status, 200);
    assert_eq!(whoami(refreshed["token"].as_str().unwrap()).await.0, 200);
    lab.sandbox.expire_tokens();
    let (status, body) = whoami(&token).await;
    assert!(status == 401 && body["error"].is_string());
    let young = lab.token().await;
    lab.sandbox.advance(Duration::from_secs(30 * 24 * 3_600));
    assert_eq!(whoami(&young).await.0, 401);
    let url = format!("{}/auth/exchange", lab.sandbox.build_base());
    let (status, body) = answer(lab.http.post(&url).json(&json!({"apiKey": "claw_prod_other"}))).await;
    assert_eq!((status, &body["error"]), (401, &"Invalid API key".into()));
    assert_eq!(answer(lab.http.post(&url).json(&json!({}))).await.0, 400);
}

#[tokio::test]
async fn every_endpoint_wants_a_token() {
    let lab = Lab::start().await;
    for (method, path) in [
        (Method::POST, "/projects"),
        (Method::POST, "/projects/x/environments"),
        (Method::POST, "/services"),
        (Method::PUT, "/variables/service/x"),
        (Method::PATCH, "/services/x"),
        (Method::GET, "/services/x"),
        (Method::DELETE, "/services/x"),
        (Method::POST, "/deployments"),
        (Method::GET, "/deployments/x"),
        (Method::POST, "/deployments/x/cancel"),
        (Method::GET, "/billing/balance"),
    ] {
        let (status, body) = answer(lab.build_request(method, path, "no token").json(&json!({}))).await;
        assert_eq!(status, 401, "{path} {body}");
    }
}

#[tokio::test]
async fn projects_and_environments_are_made_listed_and_deleted() {
    let lab = Lab::start().await;
    let (status, project) =
        lab.post_build("/projects", json!({"name": "drip-anna", "region": "sa-east-1"})).await;
    assert_eq!(
        (status, &project["name"], &project["workspaceId"]),
        (201, &"drip-anna".into(), &"ws_sandbox".into())
    );
    for body in [json!({}), json!({"name": ""}), json!({"name": "x", "region": "moon"}), json!({"name": 1})] {
        assert_eq!(lab.post_build("/projects", body).await.0, 400);
    }
    let path = format!("/projects/{}", project["id"].as_str().unwrap());
    let environments = format!("{path}/environments");
    let (status, environment) =
        lab.post_build(&environments, json!({"name": "main", "type": "production"})).await;
    assert_eq!((status, &environment["projectId"]), (201, &project["id"]));
    assert_eq!(lab.post_build(&environments, json!({"name": "main", "type": "odd"})).await.0, 400);
    assert_eq!(
        lab.post_build("/projects/no/environments", json!({"name": "main", "type": "staging"})).await.0,
        404
    );
    assert_eq!(lab.get_build(&environments).await.1["environments"].as_array().unwrap().len(), 1);
    let (_, listed) = lab.get_build("/projects?limit=1").await;
    assert_eq!((&listed["total"], &listed["projects"][0]["id"]), (&1.into(), &project["id"]));
    let patched = lab.build(Method::PATCH, &path, Some(json!({"description": "d"}))).await;
    assert_eq!(
        (patched.0, &patched.1["name"], &patched.1["description"]),
        (200, &"drip-anna".into(), &"d".into())
    );
    assert_eq!(lab.build(Method::DELETE, &path, None).await.0, 204);
    assert_eq!(lab.build(Method::DELETE, &path, None).await.0, 404);
    assert_eq!(lab.get_build(&path).await.0, 404);
}

#[tokio::test]
async fn an_environment_with_services_stays() {
    let lab = Lab::start().await;
    let body = lab.place("p").await;
    let (_, service) = lab.post_build("/services", body.clone()).await;
    let path = format!("/environments/{}", body["environmentId"].as_str().unwrap());
    assert_eq!(lab.build(Method::DELETE, &path, None).await.0, 409);
    let service = format!("/services/{}", service["id"].as_str().unwrap());
    assert_eq!(lab.build(Method::DELETE, &service, None).await.0, 204);
    assert_eq!(lab.build(Method::DELETE, &path, None).await.0, 204);
}

#[tokio::test]
async fn a_service_is_made_once_per_name_and_references_are_checked() {
    let lab = Lab::start().await;
    let body = lab.place("p").await;
    let (status, service) = lab.post_build("/services", body.clone()).await;
    assert_eq!((status, &service["deploymentStatus"], &service["warnings"]), (201, &Value::Null, &json!([])));
    assert_eq!(service["runtime"], json!({"cpu": 256, "memory": 512, "minInstances": 1, "maxInstances": 1}));
    assert_eq!(lab.post_build("/services", body.clone()).await.0, 409);
    let with = |field: &str, value: Value| {
        let mut body = body.clone();
        body["name"] = "other".into();
        body[field] = value;
        lab.post_build("/services", body)
    };
    assert_eq!(with("projectId", "no".into()).await.0, 404);
    assert_eq!(with("environmentId", "no".into()).await.0, 404);
    assert_eq!(with("name", Value::Null).await.0, 400);
    assert_eq!(with("source", json!({"type": "image"})).await.0, 400);
    assert_eq!(with("source", json!({"type": "tar"})).await.0, 400);
    let (_, other) = with("healthCheckPath", "/health".into()).await;
    let other = format!("/services/{}", other["id"].as_str().unwrap());
    assert_eq!(lab.build(Method::PATCH, &other, Some(json!({"name": "agent"}))).await.0, 409);
    assert_eq!(lab.build(Method::PATCH, &other, Some(json!({"name": "other"}))).await.0, 200);
    assert_eq!(lab.build(Method::DELETE, &other, None).await.0, 204);
    let environment = body["environmentId"].as_str().unwrap();
    let (_, listed) = lab.get_build(&format!("/services/environment/{environment}")).await;
    assert_eq!(listed["services"].as_array().unwrap().len(), 1);
    assert_eq!(lab.effects(|effect| matches!(effect, Effect::ServiceCreated { .. })).len(), 2);
    let path = format!("/services/{}", service["id"].as_str().unwrap());
    assert_eq!(lab.get_build(&path).await.0, 200);
    assert_eq!(lab.build(Method::DELETE, &path, None).await.0, 204);
    for method in [Method::GET, Method::DELETE] {
        assert_eq!(lab.build(method, &path, None).await.0, 404);
    }
    assert_eq!(lab.build(Method::PATCH, &path, Some(json!({}))).await.0, 404);
    assert_eq!(lab.get_build(&format!("{path}?include=runtime")).await.0, 404);
}

#[tokio::test]
async fn the_fifth_service_is_not_paid_for() {
    let lab = Lab::with(Config::default()).await;
    let mut body = lab.place("p").await;
    for (n, credits) in ["0.75", "0.5", "0.25", "0"].into_iter().enumerate() {
        body["name"] = format!("agent-{n}").into();
        assert_eq!(lab.post_build("/services", body.clone()).await.0, 201);
        let text = answer_text(&lab, "/billing/balance").await;
        assert!(text.contains(&format!("\"creditBalance\":{credits},")), "{text}");
    }
    body["name"] = "agent-5".into();
    let (status, refused) = lab.post_build("/services", body).await;
    assert_eq!(status, 402);
    assert_eq!(refused, json!({"error": "Insufficient credits", "creditBalance": 0, "requiredAmount": 0.25}));
    let (_, balance) = lab.get_build("/billing/balance").await;
    assert_eq!((&balance["totalServices"], &balance["status"]), (&4.into(), &"active".into()));
    assert_eq!(balance["warnings"][0]["servicesRemaining"], 0);
    assert_eq!(lab.sandbox.services().len(), 4);
}

async fn answer_text(lab: &Lab, path: &str) -> String {
    let token = lab.token().await;
    lab.build_request(Method::GET, path, &token).send().await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn variables_reach_a_deployment_at_its_creation_only() {
    let lab = Lab::start().await;
    let id = lab.service("p").await;
    let path = format!("/variables/service/{id}");
    let set =
        |method: Method, variables: Value| lab.build(method, &path, Some(json!({"variables": variables})));
    assert_eq!(
        set(Method::PUT, json!({"A": "1", "B": "2"})).await,
        (200, json!({"variables": {"A": "1", "B": "2"}}))
    );
    let deployment = lab.deploy(&id).await;
    assert_eq!(set(Method::PATCH, json!({"B": "3"})).await.1, json!({"variables": {"A": "1", "B": "3"}}));
    assert_eq!(
        set(Method::PUT, json!({"C": "${{agent.URL}}"})).await.1,
        json!({"variables": {"C": "${{agent.URL}}"}})
    );
    set(Method::PUT, json!({"C": "${{agent.URL}}"})).await;
    let (_, resolved) = lab.get_build(&format!("{path}/resolved")).await;
    assert_eq!(
        (&resolved["variables"]["PORT"], &resolved["variables"]["C"]),
        (&"8080".into(), &resolved["variables"]["LOCUS_SERVICE_URL"])
    );
    let deployments = lab.sandbox.deployments();
    let deployed = &deployments.iter().find(|one| one.id == deployment).unwrap().variables;
    assert_eq!((deployed["A"].as_str(), deployed["B"].as_str()), ("1", "2"));
    assert_eq!(lab.build(Method::PUT, "/variables/service/no", Some(json!({"variables": {}}))).await.0, 404);
    for body in [json!({}), json!({"variables": {"A": 1}}), json!({"variables": "A"})] {
        assert_eq!(lab.build(Method::PUT, &path, Some(body)).await.0, 400);
    }
    let sets = lab.effects(|effect| matches!(effect, Effect::VariablesSet { .. }));
    assert_eq!(sets.len(), 3, "what changes nothing is no effect");
    assert!(!serde_json::to_string(&sets).unwrap().contains("URL}}"), "values are kept to themselves");
}

#[tokio::test]
async fn a_deployment_goes_through_its_phases() {
    let lab = Lab::start().await;
    let service = lab.service("p").await;
    let id = lab.deploy(&service).await;
    let path = format!("/deployments/{id}");
    let url = lab.get_build(&format!("/services/{service}")).await.1["url"].as_str().unwrap().to_owned();
    let reach = async |path: &str| answer(lab.http.get(format!("{url}{path}"))).await;
    let (status, body) = reach("/health").await;
    assert!(
        status == 503 && ["error", "host", "hint"].iter().all(|field| body[*field].is_string()),
        "{body}"
    );
    lab.sandbox.advance(Duration::from_secs(5));
    assert_eq!(lab.get_build(&path).await.1["status"], "deploying");
    lab.sandbox.advance(Duration::from_secs(30));
    let (_, deployment) = lab.get_build(&path).await;
    assert_eq!((&deployment["status"], &deployment["version"]), (&"healthy".into(), &1.into()));
    assert!(deployment["durationMs"].as_u64().unwrap() >= 35_000);
    let phases = deployment["metadata"]["phaseTimestamps"].as_object().unwrap();
    assert!(["queued", "deploying", "healthy"].iter().all(|phase| phases.contains_key(*phase)));
    assert_eq!(reach("/health").await.0, 503);
    lab.sandbox.advance(Duration::from_secs(60));
    assert_eq!(reach("/health").await, (200, json!({"status": "ok"})));
    assert_eq!(reach("/elsewhere").await.0, 404);
    assert_eq!(lab.post_build(&format!("{path}/cancel"), Value::Null).await.0, 409);
    let (_, read) = lab.get_build(&format!("/services/{service}")).await;
    assert_eq!((&read["deploymentStatus"], &read["lastDeploymentId"]), (&"healthy".into(), &id.into()));
    let (_, logs) = lab.get_build(&format!("{path}/logs")).await;
    assert_eq!(logs["deploymentStatus"], "healthy");
}

#[tokio::test]
async fn deployments_are_cancelled_repeated_and_rolled_back() {
    let lab = Lab::start().await;
    let service = lab.service("p").await;
    let post = |path: String| lab.post_build(Box::leak(path.into_boxed_str()), json!({}));
    assert_eq!(post(format!("/services/{service}/redeploy")).await.0, 409);
    assert_eq!(post(format!("/services/{service}/restart")).await.0, 409);
    let first = lab.deploy(&service).await;
    assert_eq!(post(format!("/deployments/{first}/cancel")).await.1["status"], "cancelled");
    assert_eq!(post(format!("/deployments/{first}/rollback")).await.0, 409);
    lab.pass_deployment();
    assert_eq!(lab.get_build(&format!("/deployments/{first}")).await.1["status"], "cancelled");
    lab.deploy(&service).await;
    lab.pass_deployment();
    assert_eq!(post(format!("/services/{service}/restart")).await.0, 200);
    let (status, again) = post(format!("/services/{service}/redeploy")).await;
    assert_eq!((status, &again["version"]), (200, &4.into()));
    lab.pass_deployment();
    let last = again["id"].as_str().unwrap();
    let (status, back) = post(format!("/deployments/{last}/rollback")).await;
    assert_eq!((status, &back["version"]), (200, &5.into()));
    let (_, listed) = lab.get_build(&format!("/deployments/service/{service}?status=rolled_back")).await;
    assert_eq!(
        (listed["deployments"].as_array().unwrap().len(), &listed["deployments"][0]["id"]),
        (1, &last.into())
    );
    for path in ["/deployments/no/cancel", "/deployments/no/rollback"] {
        assert_eq!(post(path.to_owned()).await.0, 404);
    }
    assert_eq!(lab.get_build("/deployments/no").await.0, 404);
    assert_eq!(lab.post_build("/deployments", json!({"serviceId": "no"})).await.0, 404);
    assert_eq!(lab.post_build("/deployments", json!({})).await.0, 400);
}

#[tokio::test]
async fn deleting_a_project_deletes_what_is_in_it() {
    let lab = Lab::start().await;
    let service = lab.running_service("p").await;
    let project = lab.sandbox.projects()[0].id.clone();
    assert_eq!(lab.build(Method::DELETE, &format!("/projects/{project}"), None).await.0, 204);
    assert_eq!(lab.get_build(&format!("/services/{service}")).await.0, 404);
    let gone =
        lab.effects(|effect| matches!(effect, Effect::ServiceDeleted { .. } | Effect::ProjectDeleted { .. }));
    let id = service;
    let expected = [
        Effect::ServiceDeleted { id, project: project.clone(), name: "agent".into() },
        Effect::ProjectDeleted { id: project, name: "p".into() },
    ];
    assert_eq!(gone, expected);
}
