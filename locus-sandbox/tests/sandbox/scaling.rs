//! Hibernating and waking, under each switch: which of the possible ways is the first that works.

use locus_sandbox::{Config, Effect, RuntimeCache, RuntimePatch, Scaling, Switches};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Lab, answer, rich};

async fn lab(scaling: Scaling) -> (Lab, String) {
    let switches = Switches { scaling, runtime_cache: RuntimeCache::Off, ..Switches::default() };
    let lab = Lab::with(Config { switches, ..rich() }).await;
    let service = lab.running_service("p").await;
    (lab, service)
}

impl Lab {
    async fn patch(&self, service: &str, runtime: Value) -> (u16, Value) {
        let body = json!({"runtime": runtime});
        self.build(Method::PATCH, &format!("/services/{service}"), Some(body)).await
    }

    async fn instances(&self, service: &str) -> Value {
        let (status, body) = self.get_build(&format!("/services/{service}?include=runtime")).await;
        assert_eq!(status, 200);
        body["runtime_instances"].clone()
    }

    async fn desired(&self, service: &str) -> u64 {
        self.instances(service).await["desiredCount"].as_u64().unwrap()
    }

    async fn health(&self, service: &str) -> u16 {
        let (_, body) = self.get_build(&format!("/services/{service}")).await;
        answer(self.http.get(format!("{}/health", body["url"].as_str().unwrap()))).await.0
    }
}

#[tokio::test]
async fn immediate_a_lower_bound_of_zero_is_enough() {
    let (lab, service) = lab(Scaling::Immediate).await;
    assert_eq!(
        lab.instances(&service).await,
        json!({"runningCount": 1, "desiredCount": 1, "pendingCount": 0})
    );
    assert_eq!(lab.health(&service).await, 200);
    for _ in 0..2 {
        let (status, body) = lab.patch(&service, json!({"minInstances": 0})).await;
        assert_eq!(
            (status, &body["runtime"]["minInstances"], &body["runtime"]["maxInstances"]),
            (200, &0.into(), &1.into())
        );
    }
    assert_eq!((lab.desired(&service).await, lab.health(&service).await), (0, 503));
    lab.patch(&service, json!({"minInstances": 1})).await;
    assert_eq!(
        lab.instances(&service).await,
        json!({"runningCount": 0, "desiredCount": 1, "pendingCount": 1})
    );
    lab.pass_deployment();
    assert_eq!(
        (lab.instances(&service).await["runningCount"].clone(), lab.health(&service).await),
        (1.into(), 200)
    );
    let scaled = lab.effects(|effect| matches!(effect, Effect::Scaled { .. }));
    let scaled: Vec<u32> = scaled
        .iter()
        .map(|effect| if let Effect::Scaled { desired, .. } = effect { *desired } else { 9 })
        .collect();
    assert_eq!(scaled, [1, 0, 1], "each change once, repeats not at all");
}

#[tokio::test]
async fn max_zero_both_bounds_must_be_zero() {
    let (lab, service) = lab(Scaling::MaxZero).await;
    lab.patch(&service, json!({"minInstances": 0})).await;
    assert_eq!(lab.desired(&service).await, 1);
    lab.patch(&service, json!({"minInstances": 0, "maxInstances": 0})).await;
    assert_eq!((lab.desired(&service).await, lab.health(&service).await), (0, 503));
    lab.patch(&service, json!({"minInstances": 1, "maxInstances": 1})).await;
    assert_eq!(lab.desired(&service).await, 1);
}

#[tokio::test]
async fn next_deployment_a_patch_waits_for_a_deployment() {
    let (lab, service) = lab(Scaling::NextDeployment).await;
    lab.patch(&service, json!({"minInstances": 0, "maxInstances": 0})).await;
    lab.pass_deployment();
    assert_eq!((lab.desired(&service).await, lab.health(&service).await), (1, 200));
    assert_eq!(lab.post_build(&format!("/services/{service}/redeploy"), json!({})).await.0, 200);
    lab.pass_deployment();
    assert_eq!((lab.desired(&service).await, lab.health(&service).await), (0, 503));
    lab.patch(&service, json!({"minInstances": 1, "maxInstances": 1})).await;
    assert_eq!(lab.desired(&service).await, 0);
    lab.deploy(&service).await;
    lab.pass_deployment();
    assert_eq!((lab.desired(&service).await, lab.health(&service).await), (1, 200));
}

#[tokio::test]
async fn ignored_only_deleting_works() {
    let (lab, service) = lab(Scaling::Ignored).await;
    assert_eq!(lab.patch(&service, json!({"minInstances": 0, "maxInstances": 0})).await.0, 200);
    lab.post_build(&format!("/services/{service}/redeploy"), json!({})).await;
    lab.pass_deployment();
    assert_eq!((lab.desired(&service).await, lab.health(&service).await), (1, 200));
    assert_eq!(lab.build(Method::DELETE, &format!("/services/{service}"), None).await.0, 204);
    assert_eq!(lab.get_build(&format!("/services/{service}")).await.0, 404);
}

#[tokio::test]
async fn reject_zero_is_400() {
    let (lab, service) = lab(Scaling::RejectZero).await;
    assert_eq!(lab.patch(&service, json!({"minInstances": 0})).await.0, 400);
    assert_eq!(lab.patch(&service, json!({"minInstances": 0, "maxInstances": 0})).await.0, 400);
    assert_eq!(lab.patch(&service, json!({"minInstances": 2, "maxInstances": 2})).await.0, 200);
    assert_eq!(lab.desired(&service).await, 2);
}

#[tokio::test]
async fn a_partial_runtime_merges_or_replaces() {
    let (lab, service) = lab(Scaling::Immediate).await;
    let (_, body) = lab.patch(&service, json!({"memory": 1024})).await;
    assert_eq!(body["runtime"], json!({"cpu": 256, "memory": 1024, "minInstances": 1, "maxInstances": 1}));
    lab.sandbox.set_switches(Switches { runtime_patch: RuntimePatch::Replace, ..lab.sandbox.switches() });
    let (_, body) = lab.patch(&service, json!({"minInstances": 0})).await;
    assert_eq!(body["runtime"], json!({"cpu": 256, "memory": 512, "minInstances": 0, "maxInstances": 3}));
    for runtime in [
        json!({"minInstances": -1}),
        json!({"minInstances": "0"}),
        json!({"minInstances": 5, "maxInstances": 1}),
        json!(0),
    ] {
        assert_eq!(lab.patch(&service, runtime).await.0, 400);
    }
}

#[tokio::test]
async fn numbers_are_up_to_half_a_minute_old() {
    let (lab, service) = lab(Scaling::Immediate).await;
    lab.sandbox.set_switches(Switches { runtime_cache: RuntimeCache::On, ..lab.sandbox.switches() });
    assert_eq!(lab.desired(&service).await, 1);
    lab.patch(&service, json!({"minInstances": 0})).await;
    assert_eq!((lab.desired(&service).await, lab.health(&service).await), (1, 503));
    lab.sandbox.advance(std::time::Duration::from_secs(30));
    assert_eq!(lab.desired(&service).await, 0);
}

#[tokio::test]
async fn what_was_never_deployed_does_not_start() {
    let lab = Lab::start().await;
    let service = lab.service("p").await;
    lab.patch(&service, json!({"minInstances": 1})).await;
    let expected = json!({"runningCount": 0, "desiredCount": 0, "pendingCount": 0, "status": "not_deployed"});
    assert_eq!(lab.instances(&service).await, expected);
}
