//! How workers reach the providers: on roads on which answers get lost.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use judge::outside::Effect;
use ledger_core::{Label, Timestamp};
use lifecycle_worker::Containers;
use lifecycle_worker::containers::{ContainerError, Deployment, NewService, Result, Scale, Service};
use locus::{Error, ErrorKind};
use notifier::transport::Found;
use notifier::{Letter, Transport};
use service_kit::clock;

use super::site::Site;
use super::{World, road};

/// The provider of containers, as one worker reaches it.
pub(super) struct Yard {
    pub(super) world: Arc<World>,
    pub(super) worker: Label,
}

impl Yard {
    async fn ask<T: Send + 'static>(
        &self,
        what: impl FnOnce(&mut Site) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let road = self.world.roads().site;
        let done = move |world: &Arc<World>| {
            let mut site = world.site();
            site.comes_to(Timestamp(clock::now()))?;
            what(&mut site)
        };
        let lost = || ContainerError::Failed { reason: "no answer in time".to_owned(), lasting: false };
        road::ask(&self.world, &self.worker, road, done).await.ok_or_else(lost)?
    }
}

#[async_trait]
impl Containers for Yard {
    async fn projects(&self, name: &str) -> Result<Vec<String>> {
        let name = name.to_owned();
        self.ask(move |site| Ok(site.projects(&name))).await
    }

    async fn create_project(&self, name: &str) -> Result<String> {
        let name = name.to_owned();
        self.ask(move |site| Ok(site.create_project(&name))).await
    }

    async fn environment(&self, project: &str) -> Result<Option<String>> {
        let project = project.to_owned();
        self.ask(move |site| site.environment(&project)).await
    }

    async fn create_environment(&self, project: &str) -> Result<String> {
        let project = project.to_owned();
        self.ask(move |site| site.create_environment(&project)).await
    }

    async fn service(&self, environment: &str) -> Result<Option<Service>> {
        let environment = environment.to_owned();
        self.ask(move |site| site.service(&environment)).await
    }

    async fn create_service(&self, service: &NewService) -> Result<Service> {
        let service = service.clone();
        self.ask(move |site| site.create_service(&service)).await
    }

    async fn set_variables(&self, service: &str, _variables: &BTreeMap<String, String>) -> Result<()> {
        let service = service.to_owned();
        self.ask(move |site| site.set_variables(&service)).await
    }

    async fn scale(&self, service: &str, scale: Scale) -> Result<()> {
        let service = service.to_owned();
        self.ask(move |site| site.scale(&service, scale)).await
    }

    async fn instances(&self, service: &str) -> Result<Option<u32>> {
        let service = service.to_owned();
        self.ask(move |site| site.instances(&service)).await
    }

    async fn newest_deployment(&self, service: &str) -> Result<Option<Deployment>> {
        let service = service.to_owned();
        self.ask(move |site| site.newest_deployment(&service)).await
    }

    async fn deploy(&self, service: &str, _image: &str) -> Result<String> {
        let service = service.to_owned();
        self.ask(move |site| site.deploy(&service)).await
    }

    async fn deployment(&self, id: &str) -> Result<Deployment> {
        let id = id.to_owned();
        self.ask(move |site| site.deployment(&id)).await
    }

    async fn answers(&self, url: &str, _health_path: &str) -> Result<bool> {
        let url = url.to_owned();
        self.ask(move |site| Ok(site.answers(&url))).await
    }

    async fn delete_service(&self, service: &str) -> Result<()> {
        let service = service.to_owned();
        let deleted = move |site: &mut Site| {
            site.delete_service(&service);
            Ok(())
        };
        self.ask(deleted).await
    }

    async fn delete_project(&self, project: &str) -> Result<()> {
        let project = project.to_owned();
        let deleted = move |site: &mut Site| {
            site.delete_project(&project);
            Ok(())
        };
        self.ask(deleted).await
    }
}

/// The provider of mails, as one worker reaches it.
pub(super) struct Mailbox {
    pub(super) world: Arc<World>,
    pub(super) worker: Label,
}

fn no_answer() -> Error {
    Error::new(ErrorKind::Transport { ambiguous: true }, "POST /messages", "no answer in time")
}

#[async_trait]
impl Transport for Mailbox {
    fn inbox(&self) -> &str {
        "drip@example.org"
    }

    fn has_keys(&self) -> bool {
        self.world.post().has_keys
    }

    async fn send(&self, letter: &Letter, key: &str) -> std::result::Result<String, Error> {
        let (letter, key, road) = (letter.clone(), key.to_owned(), self.world.roads().post);
        let done = move |world: &Arc<World>| world.post().send(Timestamp(clock::now()), &letter, &key);
        road::ask(&self.world, &self.worker, road, done).await.ok_or_else(no_answer)?
    }

    async fn find(&self, letter: &Letter) -> std::result::Result<Found, Error> {
        let (letter, road) = (letter.clone(), self.world.roads().post);
        let done = move |world: &Arc<World>| world.post().find(Timestamp(clock::now()), &letter);
        road::ask(&self.world, &self.worker, road, done).await.ok_or_else(no_answer)?
    }
}

/// What both have done, in the order in which it took effect.
pub(super) fn record(world: &World) -> Vec<(Timestamp, Effect)> {
    let mut all = world.site().record(Timestamp(clock::now())).to_vec();
    all.extend_from_slice(world.post().record());
    all.sort_by_key(|(at, _)| *at);
    all
}
