//! How many instances run, and what of a PATCH that depends on.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Refusal;
use super::services::BuildService;
use crate::config::{RuntimeCache, RuntimePatch, Scaling};
use crate::faults::Fault;
use crate::record::{Effect, Service};
use crate::store::Turn;
use crate::timers::Timer;

/// The `runtime` of a service. The port is always 8080 and not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are the service's own")]
pub struct Runtime {
    pub cpu: u32,
    pub memory: u32,
    pub min_instances: u32,
    pub max_instances: u32,
}

impl Default for Runtime {
    fn default() -> Self {
        Self { cpu: 256, memory: 512, min_instances: 1, max_instances: 3 }
    }
}

/// The fields of a request's `runtime`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RuntimeFields {
    cpu: Option<u32>,
    memory: Option<u32>,
    min_instances: Option<u32>,
    max_instances: Option<u32>,
}

impl Runtime {
    /// With the fields that are given. A lower bound above the upper one lifts an upper one that is not given.
    pub(super) fn with(self, fields: &RuntimeFields) -> Result<Self, Refusal> {
        let min_instances = fields.min_instances.unwrap_or(self.min_instances);
        let max_instances = fields.max_instances.unwrap_or(self.max_instances.max(min_instances));
        if min_instances > max_instances {
            return Err(Refusal::bad("runtime.minInstances must not exceed runtime.maxInstances"));
        }
        let (cpu, memory) = (fields.cpu.unwrap_or(self.cpu), fields.memory.unwrap_or(self.memory));
        Ok(Self { cpu, memory, min_instances, max_instances })
    }
}

impl BuildService {
    /// How many instances its runtime asks for, as the switch reads it.
    fn asked(&self, runtime: Runtime, scaling: Scaling) -> u32 {
        let (min, max) = (runtime.min_instances, runtime.max_instances);
        match scaling {
            Scaling::MaxZero if min == 0 && max > 0 => self.desired.clamp(1, max),
            Scaling::Ignored => min.max(1),
            _ => min,
        }
    }
}

impl Turn<'_> {
    pub(super) fn patch_runtime(&mut self, id: &str, fields: &RuntimeFields) -> Result<(), Refusal> {
        let scaling = self.store.switches.scaling;
        let before = self.service(id)?.runtime;
        let base = match self.store.switches.runtime_patch {
            RuntimePatch::Merge => before,
            RuntimePatch::Replace => Runtime::default(),
        };
        let after = base.with(fields)?;
        if scaling == Scaling::RejectZero && after.min_instances == 0 {
            return Err(Refusal::bad("runtime.minInstances must be at least 1"));
        }
        if after != before {
            self.service_mut(id)?.runtime = after;
            let (min, max) = (after.min_instances, after.max_instances);
            self.note(Service::Build, Effect::RuntimePatched { service: id.to_owned(), min, max });
        }
        if scaling != Scaling::NextDeployment && !self.scaling_fails(id) {
            self.follow(id, after);
        }
        Ok(())
    }

    fn scaling_fails(&mut self, id: &str) -> bool {
        let text = format!("{id} {}", self.names_behind(id));
        self.fault_of_deed(Service::Build, &text, |fault| *fault == Fault::ScaleIgnored).is_some()
    }

    /// Outside of a deployment: what was never deployed does not start by itself.
    fn follow(&mut self, id: &str, runtime: Runtime) {
        let pauses = (self.config().timings.instances_start, self.config().timings.unreachable);
        let Ok(service) = self.service(id) else { return };
        let asked = service.asked(runtime, self.store.switches.scaling);
        if service.last_deployed_at.is_some() {
            self.scale(id, runtime, asked, pauses);
        }
    }

    /// A deployment of this runtime became healthy. Whatever the switch, a deployment starts an instance unless it is
    /// told not to.
    pub(super) fn scale_deployed(&mut self, id: &str, deployed: Runtime) {
        let scaling = self.store.switches.scaling;
        let unreachable = self.config().timings.unreachable;
        let fails = self.store.switches.scaling != Scaling::Ignored && self.scaling_fails(id);
        let Ok(service) = self.service(id) else { return };
        // All but one switch have let every PATCH act already, also those after the deployment began.
        let runtime = if scaling == Scaling::NextDeployment { deployed } else { service.runtime };
        let asked = service.asked(runtime, scaling);
        let asked = if fails { service.desired.max(1) } else { asked };
        self.scale(id, runtime, asked, (Duration::ZERO, unreachable));
    }

    /// Sets the desired count. Instances that start take the first pause to run, then the second to be reached.
    fn scale(&mut self, id: &str, runtime: Runtime, desired: u32, pauses: (Duration, Duration)) {
        let now = self.now;
        let Ok(service) = self.service_mut(id) else { return };
        let before = std::mem::replace(&mut service.desired, desired);
        if before == desired {
            return;
        }
        if before == 0 {
            let running = now.plus(pauses.0);
            let reachable = running.plus(pauses.1);
            (service.running_from, service.reachable_from) = (Some(running), Some(reachable));
            for moment in [running, reachable] {
                self.store.timers.add(moment, Timer::Look);
            }
        }
        let (min, max) = (runtime.min_instances, runtime.max_instances);
        self.note(Service::Build, Effect::Scaled { service: id.to_owned(), min, max, desired });
    }

    /// The block `runtime_instances`, up to 30 s old.
    pub(super) fn shown_instances(&mut self, id: &str) -> Result<Value, Refusal> {
        let (now, life) = (self.now, self.config().timings.runtime_cache);
        let cached = self.store.switches.runtime_cache == RuntimeCache::On;
        let service = self.service_mut(id)?;
        let known = service.cached.take().filter(|(since, _)| cached && now.since(*since) < life);
        let (since, block) = known.unwrap_or_else(|| (now, instances(service, now)));
        service.cached = Some((since, block.clone()));
        Ok(block)
    }
}

fn instances(service: &BuildService, now: crate::clock::Time) -> Value {
    if service.last_deployed_at.is_none() {
        return json!({"runningCount": 0, "desiredCount": 0, "pendingCount": 0, "status": "not_deployed"});
    }
    let running = if service.runs_at(now) { service.desired } else { 0 };
    json!({"runningCount": running, "desiredCount": service.desired, "pendingCount": service.desired - running})
}
